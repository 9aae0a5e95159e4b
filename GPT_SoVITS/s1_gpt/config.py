"""Sizes of the semantic GPT (spec: s1 §1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class S1Config:
    """Network sizes; defaults are those of the published 24-layer models with the v2 table."""

    hidden_dim: int = 512
    """Width of the residual stream (= embedding width)."""
    n_head: int = 16
    n_layer: int = 24
    vocab_size: int = 1025
    """Semantic codes and EOS (the last id)."""
    phoneme_vocab_size: int = 732
    """Rows of the phoneme embedding: 512 in v1 files, 732 in v2 files."""
    dropout: float = 0.1
    """Residual, attention, feed-forward and position dropout."""
    embedding_dropout: float = 0.0
    """Dropout on the token embeddings alone (`model.dropout` of the published yaml)."""
    bert_dim: int = 1024
    use_roles: bool = False
    """Add a zero-initialised embedding of the speaker's role (agent, user, other)."""
    max_turn_distance: int = 0
    """Above 0: per-head attention bias by (query turn - key turn), clipped here; zero-initialised."""

    def __post_init__(self) -> None:
        if self.hidden_dim % self.n_head:
            raise ValueError(f"hidden_dim {self.hidden_dim} is not a multiple of n_head {self.n_head}")
        if self.hidden_dim % 2:
            raise ValueError(f"hidden_dim {self.hidden_dim} must be even (sine and cosine pairs)")
        if min(self.n_layer, self.vocab_size - 1, self.phoneme_vocab_size) < 1:
            raise ValueError("n_layer, vocab_size - 1 and phoneme_vocab_size must be 1 or more")
        if not (0 <= self.dropout < 1 and 0 <= self.embedding_dropout < 1):
            raise ValueError("dropout and embedding_dropout must be in [0, 1)")
        if self.max_turn_distance < 0:
            raise ValueError("max_turn_distance must be 0 or more")

    @property
    def eos(self) -> int:
        """Id of the end of speech."""
        return self.vocab_size - 1
