"""One reply rendered piece by piece while its tokens still come (spec: s2 §9, with own latents).

    frames   0 . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . .
             | emitted            | this chunk | right context | look-ahead |
             |<----------- latents frozen after this chunk --->|   heard by the prior encoder alone
                         | left context |

The prior encoder attends over all tokens known so far, so a frame's mean and spread change while
tokens come. A frame's latent (mean, spread, noise) is therefore frozen when sound is first made
with it: as part of a chunk or as its right context. What follows is a function of frozen latents
within :mod:`receptive_field` (another vocoder states its own `field`, to the left as far as the
reply's start): with the whole field as right context, the chunks are one pass of flow and generator
over the finally frozen latents. With less, a chunk's last samples are those of a reply that would
end there; `tail` carries them on for the next chunk to fade in over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from GPT_SoVITS.audio.constants import HOP_LENGTH
from GPT_SoVITS.s2_vits.batch import HistoryBatch
from GPT_SoVITS.s2_vits.phoneme_input import phoneme_input
from GPT_SoVITS.s2_vits.receptive_field import flow_field

if TYPE_CHECKING:
    from GPT_SoVITS.s2_vits.model import ConversationalVITS

FADE_SAMPLES = 320
NOISE_BLOCK = 50
Vocoder = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Chunk:
    """`samples` (T,) of the chunk; `tail` (<= FADE_SAMPLES,) is what it would go on with."""

    samples: Tensor
    tail: Tensor


class NoiseTape:
    """Prior noise by frame: the same for frame f in however many pieces it is read."""

    def __init__(self, channels: int, generator: torch.Generator | None, like: Tensor) -> None:
        self._generator, self._like = generator, like
        self._drawn = like.new_zeros(1, channels, 0)

    def read(self, start: int, end: int) -> Tensor:
        """(1, C, end - start)"""
        while self._drawn.shape[2] < end:
            block = torch.randn(
                (1, self._drawn.shape[1], NOISE_BLOCK),
                generator=self._generator,
                device=self._like.device,
                dtype=self._like.dtype,
            )
            self._drawn = torch.cat([self._drawn, block], dim=2)
        return self._drawn[..., start:end]


class ReplyRenderer:
    """The state of one reply in stage 2; the network itself is shared and holds none of it."""

    def __init__(
        self,
        model: ConversationalVITS,
        phoneme_ids: Tensor,
        condition: Tensor,
        *,
        noise_scale: float = 0.5,
        speed: float = 1.0,
        history: HistoryBatch | None = None,
        generator: torch.Generator | None = None,
        vocoder: Vocoder | None = None,
    ) -> None:
        """phoneme_ids (1, X), condition (1, G, 1); `vocoder` in place of the model's generator."""
        self._model, self.condition = model, condition
        self._noise_scale, self._speed = noise_scale, speed
        self._vocoder: Vocoder = vocoder or model.generator
        lengths = torch.tensor([phoneme_ids.shape[1]], device=phoneme_ids.device)
        ids, self._text_mask, past = phoneme_input(model.config.text, phoneme_ids, lengths, history)
        self._text = model.prior_encoder.text_states(ids, self._text_mask, past)
        self._narrow = model.narrow(condition)
        self._near = model.generator.field
        self.field = flow_field(model.config) + model.generator.field
        self._noise = NoiseTape(model.config.inter_channels, generator, condition)
        self._codes: list[int] = []
        self._emitted = 0
        self.latents = condition.new_zeros(1, model.config.inter_channels, 0)
        """(1, inter, F) of all frozen frames."""

    @property
    def context_tokens(self) -> int:
        """Tokens beyond a chunk's end that fill the right half of the receptive field."""
        frames = self.field.right * self._speed
        return -int(-frames // self._model.config.frames_per_code) + (self._speed != 1.0)

    def extend(self, codes: Sequence[int]) -> None:
        """More tokens have come."""
        self._codes += codes

    @torch.inference_mode()
    def render(self, until: int | None = None) -> Chunk:
        """The sound from where the last chunk ended to token `until` (None: to the reply's end).

        Without a new frame the chunk is empty.
        """
        whole = until is None
        known = self.frames(len(self._codes), whole=whole)
        end = known if until is None else min(int(self._steps(until) / self._speed), known)
        self._freeze(known if whole else min(known, end + self.field.right))
        if end <= self._emitted:
            return Chunk(self.latents.new_zeros(0), self.latents.new_zeros(0))
        samples = self._sound(self._emitted, end)
        size = (end - self._emitted) * HOP_LENGTH
        self._emitted = end
        return Chunk(samples[:size], samples[size : size + FADE_SAMPLES])

    def frames(self, tokens: int, *, whole: bool) -> int:
        """Frames at this speed that the first `tokens` tokens decide; `whole`: no more come."""
        steps = self._steps(tokens)
        if self._speed == 1.0 or not steps:
            return steps
        if whole:
            return int(steps / self._speed) + 1
        return int((steps - 0.5) / self._speed - 0.5) + 1

    def _steps(self, tokens: int) -> int:
        return tokens * self._model.config.frames_per_code

    def _freeze(self, end: int) -> None:
        """Latents of the frames up to `end`, from the prior as it hears all tokens so far."""
        start = self.latents.shape[2]
        if end <= start:
            return
        mean, log_spread = self._prior(start, end)
        noise = self._noise.read(start, end)
        fresh = mean + noise * log_spread.exp() * self._noise_scale
        self.latents = torch.cat([self.latents, fresh], dim=2)

    def _prior(self, start: int, end: int) -> tuple[Tensor, Tensor]:
        """Mean and log spread (1, inter, end - start)."""
        model = self._model
        codes = torch.tensor([self._codes], device=self.latents.device)
        quantized = model.frames_of(codes)
        mask = quantized.new_ones(1, 1, quantized.shape[2])
        y, _ = model.prior_encoder.token_states(
            quantized, mask, self._text, self._text_mask, self._narrow
        )
        if self._speed == 1.0:
            y = y[..., start:end]
        else:
            y = stretched(y, self._speed, start, end)
        mean, log_spread = model.prior_encoder.proj(y).chunk(2, dim=1)
        return mean, log_spread

    def _sound(self, start: int, end: int) -> Tensor:
        """(samples,) from frame `start` to at least `end`, a little further where it is known."""
        low = max(0, start - self.field.left)
        z_p = self.latents[..., low:]
        mask = z_p.new_ones(1, 1, z_p.shape[2])
        z = self._model.flow(z_p, mask, self.condition, reverse=True)
        near = max(0, start - self._near.left)
        beyond = min(end + self._near.right, self.latents.shape[2])
        wave = self._vocoder(z[..., near - low : beyond - low], self.condition)[0, 0]
        return wave[(start - near) * HOP_LENGTH :]


def stretched(x: Tensor, speed: float, start: int, end: int) -> Tensor:
    """x (B, C, T) read `speed` times as fast: frames `start` to `end` of the result.

    Linear between the two nearest frames, as published, but at exactly `speed`: the published
    step follows from the whole reply's length, which a stream does not know.
    """
    place = (torch.arange(start, end, device=x.device, dtype=torch.float64) + 0.5) * speed - 0.5
    place = place.clamp(0, x.shape[2] - 1)
    left = place.floor().long()
    right = (left + 1).clamp(max=x.shape[2] - 1)
    share = (place - left).to(x.dtype)
    return x[..., left] * (1 - share) + x[..., right] * share
