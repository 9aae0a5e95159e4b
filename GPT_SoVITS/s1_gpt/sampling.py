"""From logits to the next token: the published sampler, step by step, for many rows at once.

Everything stays on the logits' device and no row waits for the host: options are tensors, one
entry per row, and the random numbers come in as an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SamplingOptions:
    """Defaults of the published inference."""

    top_k: int = 15
    """Keep the k likeliest tokens (ties kept); 1 is greedy."""
    top_p: float = 1.0
    """Keep tokens while the sorted probability mass stays at or below this."""
    temperature: float = 1.0
    """Divides the logits."""
    repetition_penalty: float = 1.35
    """On every distinct token already in the reply; 1.0 is off."""
    eos_guard: int = 11
    """Steps at the start that cannot end the reply."""
    max_tokens: int = 1500
    """Longest reply in tokens (25 per second)."""
    n_codes: int = 1024
    """Size of the codebook: ids from here up to EOS mean nothing and are never drawn."""

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError(f"top_k is {self.top_k}; it must be 1 or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; it must be in (0, 1]")
        if self.temperature < 0 or self.repetition_penalty <= 0:
            raise ValueError("temperature must be 0 or more and repetition_penalty above 0")
        if self.eos_guard < 0 or self.max_tokens < 1:
            raise ValueError("eos_guard must be 0 or more and max_tokens 1 or more")
        if self.n_codes < 1:
            raise ValueError(f"n_codes is {self.n_codes}; it must be 1 or more")


@dataclass(frozen=True)
class RowOptions:
    """The options of B rows as tensors (B, 1)."""

    top_k: Tensor
    top_p: Tensor
    temperature: Tensor
    repetition_penalty: Tensor
    eos_guard: Tensor
    n_codes: Tensor

    @classmethod
    def of(cls, rows: Sequence[SamplingOptions], device: torch.device | str) -> RowOptions:
        """One row each."""

        def column(name: str) -> Tensor:
            return torch.tensor([[getattr(row, name)] for row in rows], device=device)

        return cls(*(column(name) for name in cls.__dataclass_fields__))

    def first(self, n: int) -> RowOptions:
        """Of the first n rows."""
        return RowOptions(*(getattr(self, name)[:n] for name in self.__dataclass_fields__))

    def put(self, rows: RowOptions) -> None:
        """Overwrite the first rows in place: what was captured reads the same memory."""
        for name in self.__dataclass_fields__:
            given = getattr(rows, name)
            getattr(self, name)[: len(given)] = given


def penalise(logits: Tensor, previous: Tensor, penalty: float) -> Tensor:
    """logits (V,), previous ids (n,) -> logits with every distinct previous id pushed down."""
    return _penalise(logits, seen_tokens(previous, len(logits)), penalty)


def probabilities(logits: Tensor, options: SamplingOptions) -> Tensor:
    """Penalised logits (V,) -> probabilities (V,) after top-p, temperature and top-k."""
    return _probabilities(logits[None], RowOptions.of([options], logits.device))[0]


def seen_tokens(previous: Tensor, vocabulary: int) -> Tensor:
    """ids (n,) -> (V,) bool, True where an id occurs."""
    seen = torch.zeros(vocabulary, dtype=torch.bool, device=previous.device)
    seen[previous[previous < vocabulary].long()] = True
    return seen


def _penalise(logits: Tensor, seen: Tensor, penalty: Tensor | float) -> Tensor:
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def _probabilities(logits: Tensor, rows: RowOptions) -> Tensor:
    """(B, V) -> (B, V)"""
    ordered, order = logits.sort(dim=-1, descending=True)
    remove = (ordered.softmax(-1).cumsum(-1) > rows.top_p) & (rows.top_p < 1)
    remove[:, 0] = False
    ordered = ordered.masked_fill(remove, -torch.inf) / rows.temperature.clamp(min=1e-5)
    kth = ordered.gather(1, rows.top_k.clamp(max=logits.shape[1]) - 1)
    ordered = ordered.masked_fill(ordered < kth, -torch.inf).softmax(-1)
    return torch.zeros_like(ordered).scatter_(1, order, ordered)


def draw_noise(
    generators: Sequence[torch.Generator | None],
    steps: Sequence[int],
    rows: Sequence[SamplingOptions],
    noise: Tensor,
) -> None:
    """Exp(1) noise into ``noise`` (B, V), each row from its own generator.

    While a row cannot end, its last column draws nothing: the published sampler deletes it.
    """
    for row, (generator, step, options) in enumerate(zip(generators, steps, rows)):
        place = noise[row, : noise.shape[1] - (step < options.eos_guard)]
        if generator is None or generator.device == noise.device:
            place.exponential_(1, generator=generator)
        else:
            place.copy_(torch.empty(len(place)).exponential_(1, generator=generator))


def sample_rows(
    logits: Tensor, seen: Tensor, rows: RowOptions, *, steps: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """logits, seen, noise (B, V), steps (B, 1) -> tokens (B,), stop (B,).

    A row ends where its likeliest penalised token or the drawn one is EOS; that token is not part
    of the reply. Dividing the probabilities by Exp(1) noise draws as multinomial does.
    """
    logits = _penalise(logits.float(), seen, rows.repetition_penalty)
    eos = logits.shape[1] - 1
    ids = torch.arange(eos, device=logits.device)
    logits[:, :eos].masked_fill_(ids >= rows.n_codes, -torch.inf)
    logits[:, eos] = torch.where(steps < rows.eos_guard, -torch.inf, logits[:, eos:])[:, 0]
    token = (_probabilities(logits, rows) / noise).argmax(-1)
    return token, (token == eos) | (logits.argmax(-1) == eos)


@dataclass(frozen=True)
class Sampled:
    """One step's outcome; with ``stop`` the token is not part of the reply."""

    token: int
    stop: bool


def sample(
    logits: Tensor,
    previous: Tensor,
    options: SamplingOptions,
    *,
    step: int,
    generator: torch.Generator | None = None,
) -> Sampled:
    """logits (V,) of the last column, ids so far (n,) -> the token of step ``step``."""
    noise = torch.ones(1, len(logits), device=logits.device)
    draw_noise([generator], [step], [options], noise)
    token, stop = sample_rows(
        logits.detach()[None],
        seen_tokens(previous, len(logits))[None],
        RowOptions.of([options], logits.device),
        steps=torch.tensor([[step]], device=logits.device),
        noise=noise,
    )
    return Sampled(int(token), bool(stop))
