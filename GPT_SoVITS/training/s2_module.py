"""Stage 2 as a Lightning module: adversarial VITS, two optimisers by hand (spec: s2 §10)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from GPT_SoVITS.audio.constants import HOP_LENGTH
from GPT_SoVITS.audio.spectrogram import mel_from_linear, mel_spectrogram
from GPT_SoVITS.s2_vits.batch import S2Batch, S2Output, slice_frames
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.discriminators import Judgement, MultiPeriodDiscriminator
from GPT_SoVITS.s2_vits.losses import (
    discriminator_loss,
    feature_loss,
    generator_loss,
    kl_loss,
    mel_cepstral_distortion,
    mel_loss,
)
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.training.accumulate import add_gradients, parts_of
from GPT_SoVITS.training.param_groups import adamw_kernel, rate_groups
from GPT_SoVITS.training.ranks import total, world_size
from GPT_SoVITS.training.s2_batch import Part, frame_mask, with_spectrograms
from GPT_SoVITS.training.stage_module import StageModule

SLOW_PARTS = ("prior_encoder.text_embedding", "prior_encoder.encoder_text", "prior_encoder.mrte")


@dataclass(frozen=True)
class S2OptimizerConfig:
    """AdamW of both networks, loss weights, and the discriminators' size."""

    lr: float = 1e-4
    """First rate."""
    betas: tuple[float, float] = (0.8, 0.99)
    """Decay of the first and second moment."""
    eps: float = 1e-9
    """Added to the root of the second moment."""
    weight_decay: float = 0.01
    """Of AdamW."""
    lr_decay: float = 0.999875
    """Factor of the rate every `decay_every` steps."""
    decay_every: int = 1000
    """Steps; published training counts epochs."""
    warmup_steps: int = 0
    """Steps over which the rate rises from zero; published training has none."""
    text_lr_ratio: float = 0.4
    """Rate of text embedding, text encoder and MRTE relative to the rest."""
    lr_ratios: dict[str, float] = field(default_factory=dict)
    """Further rates relative to `lr` by parts of parameter names, e.g. {lora_B: 16}."""
    mel_weight: float = 45.0
    """Of the mel distance in the generator's loss."""
    kl_weight: float = 1.0
    """Of the distance of posterior and prior in it."""
    discriminator_width: float = 1.0
    """Share of the published channel counts."""
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    """One discriminator each, in samples."""
    adversarial_from: int = 0
    """Step at which the discriminators start; before it only mel and KL are trained."""


class S2Module(StageModule):
    """Trains a `ConversationalVITS` against a `MultiPeriodDiscriminator`."""

    def __init__(
        self, config: S2Config, optimizer: S2OptimizerConfig, *, seed: int, accumulate: int = 1
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = ConversationalVITS(config)
        self.discriminator = MultiPeriodDiscriminator(
            optimizer.periods, width=optimizer.discriminator_width
        )
        self.optimizer_config, self.seed, self.accumulate = optimizer, seed, accumulate
        self.step_count: Tensor
        self.register_buffer("step_count", torch.zeros((), dtype=torch.long))

    @property
    def steps_done(self) -> int:
        """Training batches done (Lightning counts both optimisers)."""
        return int(self.step_count)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Noise, slices and dropout depend on (seed, step) alone: a resumed run draws the same."""
        torch.manual_seed((self.global_rank << 48) + (self.seed << 24) + self.steps_done)

    def training_step(self, batch: S2Batch, batch_idx: int) -> None:
        """Discriminator on (real, fake), then the generator; losses in fp32."""
        c = self.optimizer_config
        optimizers: Any = self.optimizers()
        generator_opt, discriminator_opt = optimizers
        decay = c.lr_decay ** (self.steps_done // c.decay_every)
        decay *= min(1.0, (self.steps_done + 1) / max(1, c.warmup_steps))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = c.lr * group["ratio"] * decay
        learnt = batch.spectrogram_lengths > 0  # a rank without a row of its own reads one anyway
        batch = dataclasses.replace(
            batch, spectrogram_lengths=batch.spectrogram_lengths.clamp(min=2)
        )
        batch = with_spectrograms(batch)
        drawn = (batch, learnt, *self._drawn(batch))
        parts = [Part(*part) for part in parts_of(drawn, len(learnt), self.accumulate)]
        rows = total(learnt.sum().float()).clamp(min=1)
        frames = total((batch.spectrogram_lengths.sum() * learnt.any()).float()).clamp(min=1)
        judging = self.steps_done >= c.adversarial_from
        values: dict[str, Tensor] = {}
        said = parts[0].said_by(self.model) if len(parts) == 1 else None  # both halves hear it
        if judging:
            discriminator_opt.zero_grad()
            for part in parts:
                d_loss = self._discriminator_loss(part, said) * part.share(rows)
                self._backward(d_loss, last=part is parts[-1])
                _add(values, {"train/discriminator": d_loss})
            discriminator_opt.step()
            self.discriminator.requires_grad_(False)
        generator_opt.zero_grad()
        for part in parts:
            losses = self._generator_losses(part, said, rows, frames, judging=judging)
            self._backward(losses["train/loss"], last=part is parts[-1])
            _add(values, losses)
        generator_opt.step()
        self.discriminator.requires_grad_(True)
        self.step_count += 1
        used = batch.spectrogram_lengths.sum().float()
        padding = 1 - total(used) / total(used.new_tensor(batch.spectrogram[:, 0].numel()))
        whole = {k: total(v) / world_size() for k, v in values.items()}
        self.log_dict(whole | {"train/padding": padding})
        self.log("padding", padding, prog_bar=True, logger=False)
        self.log("mel", whole["train/mel"], prog_bar=True, logger=False)

    def _backward(self, loss: Tensor, *, last: bool) -> None:
        """The last part's backward shares all parts' gradients with other ranks."""
        if last:
            self.manual_backward(loss)
        else:
            add_gradients(self, loss)

    def _discriminator_loss(self, part: Part, said: S2Output | None) -> Tensor:
        """Of one part; where there are several, their sound is made anew for each half."""
        if said is None:
            with torch.no_grad():
                said = part.said_by(self.model)
        return discriminator_loss(*self._judge(part.real(said), said.wave.detach()))

    def _generator_losses(
        self, part: Part, said: S2Output | None, rows: Tensor, frames: Tensor, *, judging: bool
    ) -> dict[str, Tensor]:
        """Of one part, scaled so that parts add up and ranks average to the whole batch's."""
        c = self.optimizer_config
        out = part.said_by(self.model) if said is None else said
        heard = mel_spectrogram(out.wave[:, 0])
        target = slice_frames(mel_from_linear(part.batch.spectrogram), out.starts, heard.shape[2])
        weight = part.share(rows)
        mel = mel_loss(target, heard) * weight
        kl = kl_loss(out.z_p, out.log_q, out.mean_p, out.log_p, out.mask)
        kl = kl * (out.mask.sum() * part.learnt.any() * world_size() / frames)
        values = {"train/mel": mel, "train/kl": kl}
        loss = c.mel_weight * mel + c.kl_weight * kl + out.commitment * weight
        loss = loss + out.vocoder_loss * weight
        values["train/vocoder"] = out.vocoder_loss * weight
        if judging:
            with torch.no_grad():  # frozen: real sound gives feature maps, and no gradient
                wanted = self.discriminator(part.real(out))
            fake = self.discriminator(out.wave)
            adversarial = generator_loss(fake) * weight
            feature = feature_loss(wanted, fake) * weight
            loss = loss + adversarial + feature
            values |= {"train/adversarial": adversarial, "train/feature": feature}
        return values | {"train/loss": loss}

    def _drawn(self, batch: S2Batch) -> tuple[Tensor, Tensor]:
        """Noise (B, inter, T) and slice starts (B,) of (seed, step, row), on whatever rank."""
        config, lengths = self.model.config, batch.spectrogram_lengths.tolist()
        frames = batch.spectrogram.shape[2]
        noise = torch.zeros(len(lengths), config.inter_channels, frames)
        starts = torch.zeros(len(lengths), dtype=torch.long)
        for i, length in enumerate(lengths):
            row = i * world_size() + self.global_rank
            draw = torch.Generator().manual_seed((row << 48) + (self.seed << 24) + self.steps_done)
            noise[i, :, :length] = torch.randn(config.inter_channels, length, generator=draw)
            room = max(1, length - min(config.segment_frames, frames) + 1)
            starts[i] = int(torch.randint(room, (), generator=draw))
        return noise.to(self.device), starts.to(self.device)

    def _judge(self, real: Tensor, fake: Tensor) -> tuple[list[Judgement], list[Judgement]]:
        """One pass over real and fake together, cut apart again."""
        n = len(real)
        both = self.discriminator(torch.cat([real, fake]))
        first = [(out[:n], [m[:n] for m in maps]) for out, maps in both]
        second = [(out[n:], [m[n:] for m in maps]) for out, maps in both]
        return first, second

    def on_validation_epoch_start(self) -> None:
        """Sums start anew."""
        self._sums = dict.fromkeys(("mel", "kl", "mel_prior", "mcd", "n"), 0.0)

    def validation_step(self, batch: S2Batch, batch_idx: int) -> None:
        """Of each turn's middle: mel L1 from the posterior; mel L1 and MCD from tokens alone."""
        out, target, spoken = self._spoken(with_spectrograms(batch))
        sums = self._sums
        sums["mel"] += float(mel_loss(target, mel_spectrogram(out.wave[:, 0])))
        heard = mel_spectrogram(spoken[:, 0])
        sums["mel_prior"] += float(mel_loss(target, heard))
        sums["mcd"] += float(mel_cepstral_distortion(target, heard))
        sums["kl"] += float(kl_loss(out.z_p, out.log_q, out.mean_p, out.log_p, out.mask))
        sums["n"] += 1
        if batch_idx == 0 and self.logger is not None:
            self._show(target[0], spoken[0, 0])

    def probe(self, batch: S2Batch) -> Tensor:
        """What a batch is answered with: mels (B, 128, F) spoken from tokens alone."""
        return mel_spectrogram(self._spoken(with_spectrograms(batch))[2][:, 0])

    def _spoken(self, batch: S2Batch) -> tuple[S2Output, Tensor, Tensor]:
        """Output, target mel (B, 128, S) and sound (B, 1, 640 S) of the tokens; always one draw."""
        assert batch.wave is not None and batch.codes is not None and batch.reference is not None
        size = self.model.config.segment_frames
        starts = ((batch.spectrogram_lengths - size) // 2).clamp(min=0)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.seed)
            out = self.model(batch, starts=starts)
            noise = torch.randn_like(out.mean_p)
        frames = out.wave.shape[2] // HOP_LENGTH
        target = slice_frames(mel_from_linear(batch.spectrogram), starts, frames)
        z_p = (out.mean_p + 0.5 * noise * out.log_p.exp()) * out.mask
        condition = self.model.condition(
            batch.reference,
            frame_mask(batch.reference_lengths, batch.reference),
            batch.speaker_vectors,
        )
        condition = self.model.enriched(condition, batch.history)
        z = self.model.flow(z_p, out.mask, condition, reverse=True)
        return out, target, self.model.generator(slice_frames(z, starts, frames), condition)

    def _show(self, target: Tensor, spoken: Tensor) -> None:
        """A listening sample and its mel beside the target's, in TensorBoard."""
        board = self.logger.experiment  # type: ignore[union-attr]
        step = self.steps_done
        mel = mel_spectrogram(spoken[None].float())[0]
        pair = torch.cat([target, mel], dim=1).flip(0).cpu()
        low, high = pair.min(), pair.max()
        board.add_image("valid/mel_target_and_spoken", ((pair - low) / (high - low))[None], step)
        board.add_audio("valid/spoken", spoken.float().cpu(), step, sample_rate=32000)

    def on_validation_epoch_end(self) -> None:
        """Means over batches."""
        n = max(1, int(self._sums["n"]))
        self.log("valid/mel", self._sums["mel"] / n, prog_bar=True)
        self.log("valid/mel_prior", self._sums["mel_prior"] / n, prog_bar=True)
        self.log("valid/mcd", self._sums["mcd"] / n)
        self.log("valid/loss", self._sums["mel"] / n)
        self.log("valid/kl", self._sums["kl"] / n)

    def configure_optimizers(self) -> Any:
        """AdamW for the generator (text parts slower) and for the discriminators."""
        c = self.optimizer_config
        named = [(n, p) for n, p in self.model.named_parameters() if _learns(n) and p.requires_grad]
        slow = {part for part in SLOW_PARTS for n, _ in named if n.startswith(part)}
        ratios = dict.fromkeys(sorted(slow), c.text_lr_ratio) | c.lr_ratios
        groups = [g | {"ratio": g["lr"]} for g in rate_groups(named, 1.0, ratios)]
        options: dict[str, Any] = {
            "lr": c.lr,
            "betas": c.betas,
            "eps": c.eps,
            "weight_decay": c.weight_decay,
            **adamw_kernel(self),
        }
        generator = torch.optim.AdamW(groups, **options)
        judge = list(self.discriminator.parameters())
        discriminator = torch.optim.AdamW([{"params": judge, "ratio": 1.0}], **options)
        return [generator, discriminator]


def _add(sums: dict[str, Tensor], more: dict[str, Tensor]) -> None:
    for name, value in more.items():
        sums[name] = sums.get(name, 0.0) + value.detach()


def _learns(name: str) -> bool:
    """The semantic projection is frozen with the quantizer (spec: s2 §8)."""
    return not name.startswith("semantic_projection.")
