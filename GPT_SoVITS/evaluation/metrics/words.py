"""Intelligibility: word and character error rates after one shared text normalisation.

    "I'll be there at 9." -> i'll be there at nine          words of English
    "我９点到。"            -> 我 九 点 到                      every Chinese character is a word

Numbers are read out as the frontend reads them, width is folded (NFKC), case and punctuation fall
away, the apostrophe stays (Seed-TTS-eval's rule; it does not read numbers). Counting is jiwer's
(`process_words`, https://github.com/jitsi/jiwer). Both ways to average are given: corpus
(errors of all / words of all) and the unweighted mean of the utterances' rates.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from GPT_SoVITS.text.chinese.normalize import normalize as chinese
from GPT_SoVITS.text.chinese.normalize import simplify
from GPT_SoVITS.text.english.normalize import normalize as english

HAN = "\u3400-\u4dbf\u4e00-\u9fff"


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


def spoken_form(text: str, language: str = "auto") -> str:
    """One form for reference and hypothesis: read out, lower case, no punctuation, single spaces.

    ``language`` is en, zh or auto (Chinese where a Chinese character occurs).
    """
    text = unicodedata.normalize("NFKC", text)
    if language == "auto":
        language = "zh" if re.search(f"[{HAN}]", text) else "en"
    read = chinese(simplify(text)) if language == "zh" else english(text)
    read = unicodedata.normalize("NFKC", read).lower().replace("’", "'")
    read = re.sub(r"[^\w'\s]|_", " ", read)
    read = re.sub(f"([{HAN}])", r" \1 ", read)
    read = re.sub(r"(?<!\w)'|'(?!\w)", " ", read)  # quotes fall away, apostrophes stay
    return " ".join(read.split())


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
    """Unweighted mean of the utterances' rates (Seed-TTS-eval's score)."""
    if not counts:
        raise ValueError("no utterances to take an error rate of")
    return sum(c.rate for c in counts) / len(counts)


def _language(reference: str, language: str) -> str:
    if language != "auto":
        return language
    return "zh" if re.search(f"[{HAN}]", reference) else "en"


def _jiwer() -> Any:
    try:
        import jiwer
    except ImportError:
        raise ImportError("error rates need jiwer: pip install jiwer") from None
    return jiwer
