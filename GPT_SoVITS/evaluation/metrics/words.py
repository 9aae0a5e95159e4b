"""Intelligibility: word and character error rates after one text normalisation
(:mod:`GPT_SoVITS.text.spoken_form`). Counting is jiwer's
(`process_words`, https://github.com/jitsi/jiwer). Both ways to average are given: corpus
(errors of all / words of all) and the unweighted mean of the utterances' rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from GPT_SoVITS.text.spoken_form import language_of, spoken_form


@dataclass(frozen=True)
class ErrorCounts:
    """Edits between a reference and a hypothesis, in units (words, characters, phones)."""

    substitutions: int
    deletions: int
    insertions: int
    reference: int
    """units of the reference"""

    @property
    def errors(self) -> int:
        """S + D + I"""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """(S + D + I) / N; may exceed 1. An empty reference has rate 0 or, when heard, 1."""
        if not self.reference:
            return float(self.insertions > 0)
        return self.errors / self.reference

    def as_dict(self) -> dict[str, float]:
        """Plain numbers, for the ledger."""
        return {
            "S": self.substitutions,
            "D": self.deletions,
            "I": self.insertions,
            "N": self.reference,
            "rate": self.rate,
        }


def count_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    """Least edits between two sequences of units (jiwer's alignment)."""
    if not reference:
        return ErrorCounts(0, 0, len(hypothesis), 0)
    if not hypothesis:
        return ErrorCounts(0, len(reference), 0, len(reference))
    found = _jiwer().process_words(" ".join(reference), " ".join(hypothesis))
    return ErrorCounts(found.substitutions, found.deletions, found.insertions, len(reference))


def word_errors(reference: str, hypothesis: str, language: str = "auto") -> ErrorCounts:
    """Words of the spoken forms; a Chinese character counts as a word, as is usual (then = CER)."""
    language = _language(reference, language)
    return count_errors(
        spoken_form(reference, language).split(), spoken_form(hypothesis, language).split()
    )


def character_errors(reference: str, hypothesis: str, language: str = "auto") -> ErrorCounts:
    """Characters of the spoken forms, spaces left out."""
    language = _language(reference, language)
    return count_errors(
        list(spoken_form(reference, language).replace(" ", "")),
        list(spoken_form(hypothesis, language).replace(" ", "")),
    )


def corpus_rate(counts: Sequence[ErrorCounts]) -> float:
    """Errors of all utterances / units of all references."""
    if not counts:
        raise ValueError("no utterances to take an error rate of")
    return sum(c.errors for c in counts) / max(1, sum(c.reference for c in counts))


def mean_rate(counts: Sequence[ErrorCounts]) -> float:
    """Unweighted mean of the utterances' rates (Seed-TTS-eval's score). Raises `ValueError`."""
    if not counts:
        raise ValueError("no utterances to take an error rate of")
    return sum(c.rate for c in counts) / len(counts)


def _language(reference: str, language: str) -> str:
    if language != "auto":
        return language
    return language_of(reference)


def _jiwer() -> Any:
    try:
        import jiwer
    except ImportError:
        raise ImportError("error rates need jiwer: pip install jiwer") from None
    return jiwer
