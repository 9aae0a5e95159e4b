"""Size of the semantic GPT."""

from __future__ import annotations

from dataclasses import dataclass

PRECISIONS = ("auto", "fp32", "bf16", "int8")
"""Arithmetic of decoding."""


@dataclass(frozen=True)
class S1Config:
    """Published v2 sizes by default; v1 has phoneme_vocab_size 512."""

    hidden_dim: int = 512
    """Width D of the network."""
    n_head: int = 16
    """Attention heads; must divide hidden_dim."""
    n_layer: int = 24
    """Transformer layers."""
    vocab_size: int = 1025
    """Semantic tokens plus EOS, the last one."""
    phoneme_vocab_size: int = 732
    """Entries of the phoneme table (tags included)."""
    dropout: float = 0.1
    """Inside the layers and after the positions; the published code hard-codes 0.1."""
    embedding_dropout: float = 0.0
    """On the token embeddings (the published `model.dropout`)."""
    token_dropout: float = 0.0
    """Training only: share of the spoken tokens that are wiped out of the input where the next one
    is learnt, so that words and style are looked up in text and history, not in the last token
    (word dropout: Bowman et al. 2016, "Generating sentences from a continuous space", §3.1)."""
    bert_dim: int = 1024
    """Width of the BERT features."""
    use_roles: bool = False
    """Add a role embedding (agent, user, other), zero at first."""
    max_turn_distance: int = 0
    """Attention bias per head and turn distance up to this; 0 is off."""

    def __post_init__(self) -> None:
        sizes = ("hidden_dim", "n_head", "n_layer", "vocab_size", "phoneme_vocab_size", "bert_dim")
        for name in sizes:
            if getattr(self, name) < 1:
                raise ValueError(f"s1 {name} is {getattr(self, name)}; it must be 1 or more")
        if self.hidden_dim % self.n_head or self.hidden_dim % 2:
            raise ValueError(
                f"s1 hidden_dim {self.hidden_dim} must be even and a multiple of "
                f"n_head {self.n_head}"
            )
        for name in ("dropout", "embedding_dropout", "token_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"s1 {name} is {getattr(self, name)}; it must be in [0, 1)")
        if self.max_turn_distance < 0:
            raise ValueError("s1 max_turn_distance must be 0 or more")

    @property
    def eos(self) -> int:
        """Id of the end-of-speech target."""
        return self.vocab_size - 1
