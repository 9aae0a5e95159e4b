"""What the frontend returns: phonemes with their ids, how they came about, what was left out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """A stretch of one language (or one tag, or one pause).

    `word2ph` has one entry per character of `normalized`: how many phonemes it has. It is None
    for English, whose letters are not aligned.
    """

    language: str
    text: str
    normalized: str
    phonemes: tuple[str, ...]
    word2ph: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.word2ph is not None:
            counts = (len(self.word2ph), sum(self.word2ph))
            if counts != (len(self.normalized), len(self.phonemes)):
                raise AssertionError(f"word2ph {counts} does not fit {self.normalized!r}")


@dataclass(frozen=True)
class PhonemeSequence:
    """The phonemes of one text."""

    phonemes: tuple[str, ...]
    """Symbol names, (X,)."""
    ids: tuple[int, ...]
    """Their rows in the symbol table, (X,)."""
    word2ph: tuple[int, ...] | None
    """Phonemes per character of `normalized`; None unless the whole text is Chinese."""
    normalized: str
    """The text as it is spoken: numbers in words, punctuation reduced to the pause marks."""
    language: str
    """zh, en, or mixed."""
    segments: tuple[Segment, ...]
    """The stretches the sequence is made of; their phonemes concatenate to `phonemes`."""
    removed: tuple[str, ...] = ()
    """Characters of the text that are not spoken and make no pause, each once, in order."""
    unknown: tuple[str, ...] = ()
    """Symbols that became UNK."""

    def __len__(self) -> int:
        return len(self.ids)
