"""`ConversationalVITS`: the published SynthesizerTrn family, readable names, with enrichment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

import torch
from torch import Tensor, nn

from GPT_SoVITS.s2_vits.batch import (
    Decoded,
    HistoryBatch,
    S2Batch,
    S2Output,
    length_mask,
    slice_frames,
    slice_samples,
)
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.flow import Flow
from GPT_SoVITS.s2_vits.generators import build_generator
from GPT_SoVITS.s2_vits.phoneme_input import phoneme_input
from GPT_SoVITS.s2_vits.posterior_encoder import PosteriorEncoder
from GPT_SoVITS.s2_vits.prior_encoder import WHOLE, PriorEncoder, Window
from GPT_SoVITS.s2_vits.quantizer import Quantizer
from GPT_SoVITS.s2_vits.reference_encoder import ReferenceEncoder
from GPT_SoVITS.s2_vits.streaming import ReplyRenderer, Vocoder
from GPT_SoVITS.s2_vits.style_history import StyleHistory

Refs = Sequence[Tensor]


class DecodeOptions(TypedDict, total=False):
    """What :meth:`ConversationalVITS.decode_window` explains."""

    noise_scale: float
    speed: float
    speaker_vectors: Refs | None
    history: HistoryBatch | None
    generator: torch.Generator | None
    noise: Tensor | None
    window: Window


class ConversationalVITS(nn.Module):
    """Semantic codes, phonemes and a reference to a waveform (spec: s2 §4-§10)."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()
        self.config = config
        wide = config.gin_channels
        self.prior_encoder = PriorEncoder(config)
        self.generator = build_generator(config)
        self.posterior_encoder = PosteriorEncoder(config)
        self.flow = Flow(config)
        self.reference_encoder = ReferenceEncoder(config)
        self.semantic_projection = nn.Conv1d(
            config.ssl_dim,
            config.semantic_dim,
            config.frames_per_code,
            stride=config.frames_per_code,
        )
        self.quantizer = Quantizer(config.n_codes, config.semantic_dim)
        self.speaker_embedding: nn.Module | None = None
        self.speaker_activation: nn.Module | None = None
        self.condition_projection: nn.Module | None = None
        if config.is_pro:
            self.speaker_embedding = nn.Linear(config.speaker_vector_dim, wide)
            self.speaker_activation = nn.PReLU(wide)
        if wide != config.mrte_channels:
            self.condition_projection = nn.Linear(wide, config.mrte_channels)
        self.style_history = StyleHistory(config) if config.style == "on" else None
        self.learned_condition: nn.Module | None = None
        """An adapter's own voice (n) -> (n, G, 1) or None; it stands for the reference."""

    @torch.no_grad()
    def extract_codes(self, features: Tensor) -> Tensor:
        """content features (B, D, F) -> codes (B, F // frames_per_code)."""
        return self.quantizer.encode(self.semantic_projection(features))

    def condition(
        self, spectrogram: Tensor, mask: Tensor, speaker_vectors: Tensor | None = None
    ) -> Tensor:
        """reference (B, 1025, T), mask (B, 1, T), vectors (B, 20480) -> (B, G, 1).

        Raises `ValueError`.
        """
        if self.learned_condition is not None:
            learned: Tensor | None = self.learned_condition(len(spectrogram))
            if learned is not None:
                return learned
        style: Tensor = self.reference_encoder(spectrogram, mask)
        if self.speaker_embedding is None or self.speaker_activation is None:
            return style
        if speaker_vectors is None:
            raise ValueError(f"{self.config.version} needs a speaker vector for every reference")
        out: Tensor = self.speaker_activation(
            style + self.speaker_embedding(speaker_vectors)[..., None]
        )
        return out

    def narrow(self, condition: Tensor) -> Tensor:
        """(B, G, 1) -> (B, mrte, 1): what the fusion of tokens and text hears of the voice."""
        if self.condition_projection is None:
            return condition
        out: Tensor = self.condition_projection(condition[..., 0])[..., None]
        return out

    def enriched(self, condition: Tensor, history: HistoryBatch | None) -> Tensor:
        """The condition (B, G, 1) after the history's styles (style: on)."""
        if self.style_history is None or history is None or history.frames.shape[1] == 0:
            return condition
        b, k = history.frames.shape
        mask = length_mask(history.frames.reshape(-1), history.spectrograms.shape[-1])
        styles = self.reference_encoder(history.spectrograms.flatten(0, 1), _never_empty(mask))
        styles = styles.view(b, k, -1)
        valid = history.frames > 0
        out: Tensor = self.style_history(condition, styles, history.role, history.distance, valid)
        return out

    def frames_of(self, codes: Tensor) -> Tensor:
        """codes (B, N) -> table rows at 50 Hz (B, S, N frames_per_code)."""
        return self.quantizer.decode(codes).repeat_interleave(self.config.frames_per_code, dim=2)

    def _quantize(self, batch: S2Batch) -> tuple[Tensor, Tensor]:
        """Quantised features at 50 Hz (B, S, 2N) and the commitment loss."""
        zero = batch.spectrogram.new_zeros(())
        if batch.codes is not None:
            return self.frames_of(batch.codes), zero
        if batch.features is None:
            raise ValueError("a batch needs codes or content features")
        train = self.training and not self.config.freeze_quantizer
        with torch.set_grad_enabled(train and torch.is_grad_enabled()):
            result = self.quantizer(self.semantic_projection(batch.features), update=train)
        commitment = result.commitment if train else zero
        repeats = self.config.frames_per_code
        return result.quantized.repeat_interleave(repeats, dim=2), commitment

    def forward(
        self, batch: S2Batch, *, noise: Tensor | None = None, starts: Tensor | None = None
    ) -> S2Output:
        """Training forward; `noise` (B, inter, T) and slice `starts` (B,) are drawn if None.

        Raises `ValueError`.
        """
        frames = batch.spectrogram.shape[2]
        mask = length_mask(batch.spectrogram_lengths, frames)
        if batch.reference is None:
            reference, reference_mask = batch.spectrogram, mask
        else:
            assert batch.reference_lengths is not None
            reference = batch.reference
            reference_mask = length_mask(batch.reference_lengths, reference.shape[2])
        condition = self.condition(reference, reference_mask, batch.speaker_vectors)
        condition = self.enriched(condition, batch.history)
        quantized, commitment = self._quantize(batch)
        if quantized.shape[2] != frames:
            raise ValueError(f"codes cover {quantized.shape[2]} frames, the spectrogram {frames}")
        ids, text_mask, past = phoneme_input(
            self.config.text, batch.phoneme_ids, batch.phoneme_lengths, batch.history
        )
        narrow = self.narrow(condition)
        _, mean_p, log_p, _ = self.prior_encoder(
            quantized, mask, ids, text_mask, narrow, history=past
        )
        z, mean_q, log_q = self.posterior_encoder(batch.spectrogram, mask, condition, noise)
        z_p = self.flow(z, mask, condition)
        size = min(self.config.segment_frames, frames)
        if starts is None:
            room = (batch.spectrogram_lengths - size + 1).clamp(min=1)
            starts = (torch.rand(len(room), device=room.device) * room).long()
        latents = slice_frames(z, starts, size)
        if batch.wave is None:
            wave, own = self.generator(latents, condition), z.new_zeros(())
        else:
            real = slice_samples(batch.wave, starts, size)
            wave, own = self.generator.taught(latents, condition, real)
        return S2Output(
            wave, starts, mask, z, z_p, mean_p, log_p, mean_q, log_q, commitment, quantized, own
        )

    def decode(
        self,
        codes: Tensor,
        phoneme_ids: Tensor,
        references: Refs,
        **options: Unpack[DecodeOptions],
    ) -> Tensor:
        """codes (1, N), phoneme_ids (1, X), references [(1, 1025, T)] averaged -> (1, 1, samples).

        1280 samples per code at speed 1, else 640 (floor(2N / speed) + 1).
        """
        return self.decode_window(codes, phoneme_ids, references, **options).wave

    @torch.inference_mode()
    def start_reply(
        self,
        phoneme_ids: Tensor,
        references: Refs,
        *,
        speaker_vectors: Refs | None = None,
        history: HistoryBatch | None = None,
        noise_scale: float = 0.5,
        speed: float = 1.0,
        generator: torch.Generator | None = None,
        vocoder: Vocoder | None = None,
    ) -> ReplyRenderer:
        """Rendered while its tokens come; phonemes (1, X), the rest as in `decode_window`."""
        condition = self.enriched(self._voice(references, speaker_vectors), history)
        return ReplyRenderer(
            self,
            phoneme_ids,
            condition,
            noise_scale=noise_scale,
            speed=speed,
            history=history,
            generator=generator,
            vocoder=vocoder,
        )

    @torch.inference_mode()
    def decode_window(
        self,
        codes: Tensor,
        phoneme_ids: Tensor,
        references: Refs,
        *,
        noise_scale: float = 0.5,
        speed: float = 1.0,
        speaker_vectors: Refs | None = None,
        history: HistoryBatch | None = None,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
        window: Window = WHOLE,
    ) -> Decoded:
        """All codes so far are encoded, the `window` alone becomes sound.

        speaker_vectors [(1, 20480)], one per reference, in the Pro versions; `noise`
        (1, inter, T) is drawn from `generator` if None.
        """
        condition = self.enriched(self._voice(references, speaker_vectors), history)
        quantized = self.frames_of(codes)
        mask = quantized.new_ones(1, 1, quantized.shape[2])
        lengths = torch.tensor([phoneme_ids.shape[1]], device=phoneme_ids.device)
        ids, text_mask, past = phoneme_input(self.config.text, phoneme_ids, lengths, history)
        narrow = self.narrow(condition)
        latent, mean, log_spread, mask = self.prior_encoder(
            quantized, mask, ids, text_mask, narrow, history=past, speed=speed, window=window
        )
        if noise is None:
            noise = torch.randn(
                mean.shape, generator=generator, device=mean.device, dtype=mean.dtype
            )
        z_p = mean + noise * log_spread.exp() * noise_scale
        z = self.flow(z_p, mask, condition, reverse=True)
        return Decoded(self.generator(z * mask, condition), latent)

    def _voice(self, references: Refs, speaker_vectors: Refs | None) -> Tensor:
        """The mean condition (1, G, 1) of several references."""
        if not references:
            raise ValueError("decode needs at least one reference spectrogram")
        if speaker_vectors and len(speaker_vectors) != len(references):
            raise ValueError(f"{len(speaker_vectors)} vectors for {len(references)} references")
        vectors: Sequence[Tensor | None] = speaker_vectors or [None] * len(references)
        conditions = [
            self.condition(spec, spec.new_ones(1, 1, spec.shape[2]), vector)
            for spec, vector in zip(references, vectors)
        ]
        return torch.stack(conditions).mean(dim=0)


def _never_empty(mask: Tensor) -> Tensor:
    """A mask (B, 1, T) whose empty rows see frame 0, so that no softmax is empty."""
    first = torch.zeros_like(mask)
    first[..., 0] = 1.0
    return torch.where(mask.amax(dim=2, keepdim=True) > 0, mask, first)
