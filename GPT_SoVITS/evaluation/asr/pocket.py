"""The embedded default: CMU pocketsphinx with the English model its wheel brings.

With its own language model it hears read speech roughly (about a third of the words of real
dialogue turns wrong), so figures make sense as a ratio to ground truth. `grammar: domain` replaces
the language model by a trigram of given texts: far fewer errors, and only words of those texts.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.pcm import to_pcm
from GPT_SoVITS.evaluation.asr.interface import (
    RATE,
    AsrConfig,
    AsrError,
    Transcript,
    check_samples,
)
from GPT_SoVITS.evaluation.asr.room import in_a_room
from GPT_SoVITS.evaluation.metrics.spectrum import resampled
from GPT_SoVITS.text.spoken_form import spoken_form

DISCOUNT = 0.5


class PocketsphinxRecognizer:
    """English words."""

    unit = "words"

    def __init__(self, config: AsrConfig, *, domain_texts: Sequence[str] = ()) -> None:
        try:
            import pocketsphinx
        except ImportError:
            raise AsrError("asr.engine pocketsphinx: pip install pocketsphinx") from None
        if config.language == "zh":
            raise AsrError("pocketsphinx hears English only; take phones, faster-whisper or funasr")
        options: dict[str, Any] = {"loglevel": "FATAL"}
        self.identity = f"pocketsphinx {version('pocketsphinx')} in a quiet room, open"
        if config.grammar == "domain":
            if not domain_texts:
                raise AsrError("asr.grammar domain needs texts to build its language model from")
            self._folder = tempfile.TemporaryDirectory()
            path = Path(self._folder.name) / "domain.arpa"
            words = self._known(pocketsphinx, domain_texts)
            path.write_text(arpa(words), encoding="utf-8")
            options["lm"] = str(path)
            self.identity = self.identity.replace("open", f"domain of {len(domain_texts)} texts")
        self._decoder = pocketsphinx.Decoder(**options)

    @staticmethod
    def _known(pocketsphinx: Any, texts: Sequence[str]) -> list[list[str]]:
        """Texts as words the pronouncing dictionary has."""
        plain = pocketsphinx.Decoder(loglevel="FATAL", lm=None)
        sentences = [spoken_form(text, "en").split() for text in dict.fromkeys(texts)]
        return [[w for w in words if plain.lookup_word(w)] for words in sentences]

    def languages(self) -> tuple[str, ...]:
        """English."""
        return ("en",)

    def transcribe(self, samples: np.ndarray, *, sample_rate: int, language: str) -> Transcript:
        """(T,) -> words; empty where nothing was heard. Raises `AsrError`."""
        if language not in ("en", "auto"):
            raise AsrError(f"pocketsphinx hears English only, not {language!r}")
        wave = in_a_room(resampled(check_samples(samples), sample_rate, RATE))
        self._decoder.start_utt()
        self._decoder.process_raw(to_pcm(wave).tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return Transcript(found.hypstr if found is not None else "")


def arpa(sentences: Sequence[Sequence[str]]) -> str:
    """Sentences of words -> a bigram language model in ARPA form, absolute discounting."""
    unigrams: Counter[str] = Counter()
    bigrams: dict[str, Counter[str]] = defaultdict(Counter)
    for words in sentences:
        padded = ["<s>", *words, "</s>"]
        unigrams.update(padded[1:])
        for first, second in zip(padded, padded[1:]):
            bigrams[first][second] += 1
    total = sum(unigrams.values())
    lines = ["\\data\\", f"ngram 1={len(unigrams) + 1}"]
    lines += [f"ngram 2={sum(len(b) for b in bigrams.values())}", "", "\\1-grams:"]
    for word in ["<s>", *sorted(unigrams)]:
        p = -99.0 if word == "<s>" else math.log10(unigrams[word] / total)
        lines.append(f"{p:.4f} {word} {_backoff(bigrams.get(word), unigrams, total):.4f}")
    lines += ["", "\\2-grams:"]
    for first in sorted(bigrams):
        seen = sum(bigrams[first].values())
        for second, count in sorted(bigrams[first].items()):
            lines.append(f"{math.log10((count - DISCOUNT) / seen):.4f} {first} {second}")
    return "\n".join([*lines, "", "\\end\\", ""])


def _backoff(after: Counter[str] | None, unigrams: Counter[str], total: int) -> float:
    """log10 of the weight that makes the discounted mass sum to one."""
    if not after:
        return 0.0
    kept = DISCOUNT * len(after) / sum(after.values())
    left = 1.0 - sum(unigrams[word] for word in after) / total
    return math.log10(max(kept / max(left, 1e-6), 1e-6))
