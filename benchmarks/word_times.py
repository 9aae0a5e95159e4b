"""How accurate word times are: `python -m benchmarks.word_times --data PREPARED_CORPUS`.

Recorded English turns with their text: edges of words as `inference/timing.py` finds them, against
those of a forced alignment by pocketsphinx (10 ms steps). `uniform` gives every phoneme the same
time. Turns with a word pocketsphinx does not know are left out. The last line is a JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.constants import HOP_LENGTH
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.evaluation.metrics.spectrum import resampled
from GPT_SoVITS.inference.speech import Speech, SpokenLine
from GPT_SoVITS.inference.timing import TimedWord, timed_words, units_of, words_of
from GPT_SoVITS.text import Frontend, PhonemeSequence

RATE = 16_000


def turns(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    """(text, samples) of the corpus' recorded turns."""
    lines = (data / "1_dialogues" / "turns.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {turn["id"]: turn["text"] for turn in map(json.loads, lines)}
    rows = (data / "5_sequences" / "s2_valid.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, rows):
        if row["language"] == "en":
            yield texts[row["id"]], load_audio(data / row["audio"], max_seconds=60.0)


def forced(decoder: Any, samples: np.ndarray, words: list[str]) -> list[tuple[float, float]] | None:
    """Edges of the words in seconds; None where the aligner does not get through."""
    pcm = np.clip(resampled(samples, 32_000, RATE), -1, 1) * 32767
    try:
        decoder.set_align_text(" ".join(words))
        decoder.start_utt()
        decoder.process_raw(pcm.astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
    except RuntimeError:
        return None
    found = [s for s in decoder.seg() if s.word[0] not in "<["]
    if [s.word.split("(")[0] for s in found] != words:
        return None
    return [(s.start_frame / 100, (s.end_frame + 1) / 100) for s in found]


def uniform(spoken: PhonemeSequence, samples: np.ndarray, frontend: Frontend) -> list[TimedWord]:
    """Every phoneme as long as any other."""
    frames, n = len(samples) // HOP_LENGTH, len(spoken)
    path = np.minimum(np.arange(frames) * n // frames, n - 1)
    return timed_words(list(units_of(spoken, frontend.config)), path)


def measure(data: Path) -> dict[str, Any]:
    """Errors of all edges."""
    import pocketsphinx

    frontend, decoder = Frontend(), pocketsphinx.Decoder(loglevel="FATAL", lm=None)
    errors: dict[str, list[float]] = {"ours": [], "uniform": []}
    count = 0
    for text, samples in turns(data):
        spoken = frontend(text, "en")
        line = SpokenLine(spoken, 0, len(samples))
        ours = words_of(Speech(samples, lines=(line,)), frontend.config)
        words = [word.text.lower() for word in ours]
        if not all(decoder.lookup_word(word) for word in words):
            continue
        edges = forced(decoder, samples, words)
        if edges is None:
            continue
        count += 1
        for name, found in (("ours", ours), ("uniform", uniform(spoken, samples, frontend))):
            for (start, end), word in zip(edges, found):
                errors[name] += [word.start - start, word.end - end]
    report: dict[str, Any] = {"turns": count, "edges": len(errors["ours"])}
    for name, values in errors.items():
        gap = np.abs(values)
        report[name] = {
            "median_s": round(float(np.median(gap)), 3),
            "mean_s": round(float(gap.mean()), 3),
            "p90_s": round(float(np.percentile(gap, 90)), 3),
            "bias_s": round(float(np.mean(values)), 3),
        }
    return report


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="prepared corpus")
    args = parser.parse_args()
    print(json.dumps(measure(args.data)))


if __name__ == "__main__":
    main()
