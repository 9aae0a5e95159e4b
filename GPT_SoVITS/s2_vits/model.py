"""`ConversationalVITS`: the published SynthesizerTrn family, readable names, with enrichment."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from GPT_SoVITS.s2_vits.batch import HistoryBatch, S2Batch, S2Output, length_mask, slice_frames
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.flow import Flow
from GPT_SoVITS.s2_vits.generator import Generator
from GPT_SoVITS.s2_vits.posterior_encoder import PosteriorEncoder
from GPT_SoVITS.s2_vits.prior_encoder import PriorEncoder
from GPT_SoVITS.s2_vits.quantizer import Quantizer
from GPT_SoVITS.s2_vits.reference_encoder import ReferenceEncoder
from GPT_SoVITS.s2_vits.style_history import StyleHistory


class ConversationalVITS(nn.Module):
    """Semantic codes, phonemes and a reference to a waveform (spec: s2 §4-§10)."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()
        self.config = config
        wide = config.gin_channels
        self.prior_encoder = PriorEncoder(config)
        self.generator = Generator(config)
        self.posterior_encoder = PosteriorEncoder(config)
        self.flow = Flow(config)
        self.reference_encoder = ReferenceEncoder(config)
        self.semantic_projection = nn.Conv1d(config.ssl_dim, config.semantic_dim, 2, stride=2)
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

    @torch.no_grad()
    def extract_codes(self, features: Tensor) -> Tensor:
        """content features (B, D, F) -> codes (B, F // 2)."""
        return self.quantizer.encode(self.semantic_projection(features))

    def condition(
        self, spectrogram: Tensor, mask: Tensor, speaker_vectors: Tensor | None = None
    ) -> Tensor:
        """reference (B, 1025, T), mask (B, 1, T), vectors (B, 20480) -> (B, G, 1)."""
        style = self.reference_encoder(spectrogram, mask)
        if self.speaker_embedding is None or self.speaker_activation is None:
            return style
        if speaker_vectors is None:
            raise ValueError(f"{self.config.version} needs a speaker vector for every reference")
        return self.speaker_activation(style + self.speaker_embedding(speaker_vectors)[..., None])

    def narrow(self, condition: Tensor) -> Tensor:
        """(B, G, 1) -> (B, mrte, 1): what the fusion of tokens and text hears of the voice."""
        if self.condition_projection is None:
            return condition
        return self.condition_projection(condition[..., 0])[..., None]

    def enriched(self, condition: Tensor, history: HistoryBatch | None) -> Tensor:
        """The condition after the history's styles (style: on)."""
        if self.style_history is None or history is None or history.frames.shape[1] == 0:
            return condition
        b, k = history.frames.shape
        mask = length_mask(history.frames.reshape(-1), history.spectrograms.shape[-1])
        styles = self.reference_encoder(history.spectrograms.flatten(0, 1), _never_empty(mask))
        styles = styles.view(b, k, -1)
        valid = history.frames > 0
        return self.style_history(condition, styles, history.role, history.distance, valid)

    def _text(
        self, ids: Tensor, lengths: Tensor, history: HistoryBatch | None
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]:
        """Phonemes, mask, and the history's phonemes where the text encoder sees them apart."""
        if history is None or self.config.text == "off":
            return ids, length_mask(lengths, ids.shape[1]), None
        past, past_lengths = history.phoneme_ids, history.phoneme_lengths
        if self.config.text == "gated":
            earlier = past, length_mask(past_lengths, past.shape[1])
            return ids, length_mask(lengths, ids.shape[1]), earlier
        total = past_lengths + lengths
        both = ids.new_zeros(len(ids), int(total.max()))
        for row in range(len(ids)):
            p, n = int(past_lengths[row]), int(lengths[row])
            both[row, : p + n] = torch.cat([past[row, :p], ids[row, :n]])
        return both, length_mask(total, both.shape[1]), None

    def _quantize(self, batch: S2Batch) -> tuple[Tensor, Tensor]:
        """Quantised features at 50 Hz (B, S, 2N) and the commitment loss."""
        zero = batch.spectrogram.new_zeros(())
        if batch.codes is not None:
            return self.quantizer.decode(batch.codes).repeat_interleave(2, dim=2), zero
        if batch.features is None:
            raise ValueError("a batch needs codes or content features")
        train = self.training and not self.config.freeze_quantizer
        with torch.set_grad_enabled(train and torch.is_grad_enabled()):
            result = self.quantizer(self.semantic_projection(batch.features), update=train)
        commitment = result.commitment if train else zero
        return result.quantized.repeat_interleave(2, dim=2), commitment

    def forward(
        self, batch: S2Batch, *, noise: Tensor | None = None, starts: Tensor | None = None
    ) -> S2Output:
        """Training forward; `noise` (B, inter, T) and slice `starts` (B,) are drawn if None."""
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
        ids, text_mask, past = self._text(batch.phoneme_ids, batch.phoneme_lengths, batch.history)
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
        wave = self.generator(slice_frames(z, starts, size), condition)
        return S2Output(
            wave, starts, mask, z, z_p, mean_p, log_p, mean_q, log_q, commitment, quantized
        )

    @torch.inference_mode()
    def decode(
        self,
        codes: Tensor,
        phoneme_ids: Tensor,
        references: Sequence[Tensor],
        *,
        noise_scale: float = 0.5,
        speed: float = 1.0,
        speaker_vectors: Sequence[Tensor] | None = None,
        history: HistoryBatch | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """codes (1, N), phoneme_ids (1, X), references [(1, 1025, T)] averaged -> (1, 1, samples).

        1280 samples per code at speed 1, else 640 (floor(2N / speed) + 1).
        """
        if not references:
            raise ValueError("decode needs at least one reference spectrogram")
        vectors: Sequence[Tensor | None] = speaker_vectors or [None] * len(references)
        conditions = [
            self.condition(spec, spec.new_ones(1, 1, spec.shape[2]), vector)
            for spec, vector in zip(references, vectors)
        ]
        condition = self.enriched(torch.stack(conditions).mean(dim=0), history)
        quantized = self.quantizer.decode(codes).repeat_interleave(2, dim=2)
        mask = quantized.new_ones(1, 1, quantized.shape[2])
        lengths = torch.tensor([phoneme_ids.shape[1]], device=phoneme_ids.device)
        ids, text_mask, past = self._text(phoneme_ids, lengths, history)
        _, mean, log_spread, mask = self.prior_encoder(
            quantized, mask, ids, text_mask, self.narrow(condition), history=past, speed=speed
        )
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        z_p = mean + noise * log_spread.exp() * noise_scale
        z = self.flow(z_p, mask, condition, reverse=True)
        return self.generator(z * mask, condition)


def _never_empty(mask: Tensor) -> Tensor:
    """A mask (B, 1, T) whose empty rows see frame 0, so that no softmax is empty."""
    first = torch.zeros_like(mask)
    first[..., 0] = 1.0
    return torch.where(mask.amax(dim=2, keepdim=True) > 0, mask, first)
