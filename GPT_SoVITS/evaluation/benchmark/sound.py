"""The benchmark's replies as sound: who judges its style, and what it finds.

The judge is a logistic regression on four numbers of a turn (pitch level, pitch range, rate,
loudness), each relative to the voice's own mean, fitted on recordings of the training voices. Its
accuracy on the recordings of the items is part of the result. The reference given to stage 2 is a
recording of the same voice in **another** style than the true and the given one, so that agreement
cannot come from there.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.constants import N_FFT, SAMPLE_RATE
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.dialogue.layout import roles
from GPT_SoVITS.dialogue.manifest import TurnRecord, read_s1, read_s2
from GPT_SoVITS.evaluation.benchmark.config import BenchmarkConfig
from GPT_SoVITS.evaluation.benchmark.corpus import BenchmarkError, Item, style_of
from GPT_SoVITS.evaluation.benchmark.exam import Exam, same
from GPT_SoVITS.evaluation.metrics.intervals import bootstrap_mean
from GPT_SoVITS.evaluation.metrics.style import DIMENSIONS, describe
from GPT_SoVITS.evaluation.stage2 import speak_tokens
from GPT_SoVITS.inference import Talker
from GPT_SoVITS.s2_vits.history import PastTurn

SPOKEN = ("history full", "history none", "history shuffled")
FIT_TURNS = 400
VOICE_TURNS = 24


class Recordings:
    """Sound of every turn of a prepared corpus, both splits; decoded when asked for."""

    def __init__(self, data: Path) -> None:
        self.paths: dict[str, Path] = {}
        for split in ("train", "valid"):
            for record in read_s2(data / "5_sequences" / f"s2_{split}.jsonl"):
                self.paths[record.id] = data / record.audio

    def __getitem__(self, turn: str) -> np.ndarray:
        return load_audio(self.paths[turn])


class SoundProbe:
    """Style of a turn from its sound."""

    def __init__(self, voices: Mapping[str, np.ndarray]) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.voices = voices
        self._model: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))

    def fit(
        self, points: Sequence[np.ndarray], speakers: Sequence[str], styles: Sequence[str]
    ) -> SoundProbe:
        """Learn from the numbers (4,) of each recording."""
        self._model.fit(self._relative(points, speakers), styles)
        return self

    def judge(self, points: Sequence[np.ndarray], speakers: Sequence[str]) -> list[str]:
        """Numbers (4,) of each turn -> its style."""
        return [str(style) for style in self._model.predict(self._relative(points, speakers))]

    def _relative(self, points: Sequence[np.ndarray], speakers: Sequence[str]) -> np.ndarray:
        rows = np.stack([p - self.voices[s] for p, s in zip(points, speakers, strict=True)])
        values: np.ndarray = np.nan_to_num(rows)  # nothing voiced: as the voice's mean
        return values


def numbers_of(samples: np.ndarray, n_phonemes: int) -> np.ndarray:
    """Sound (T,) at 32 kHz -> (4,), see `metrics.style`."""
    found = describe(samples, sample_rate=SAMPLE_RATE, n_phonemes=n_phonemes)
    return np.asarray([found[name] for name in DIMENSIONS])


def fit_probe(data: Path, recordings: Recordings, exam: Exam) -> SoundProbe:
    """The judge of a corpus; voices' means are of recordings that are no items."""
    asked = {item.response.id for item in exam.items}
    turns: dict[str, list[TurnRecord]] = defaultdict(list)
    train: list[TurnRecord] = []
    for split in ("train", "valid"):
        for record in read_s1(data / "5_sequences" / f"s1_{split}.jsonl"):
            for turn in record.turns:
                if turn.id not in asked:
                    turns[turn.speaker].append(turn)
                    train += [turn] if split == "train" else []
    rng = random.Random(0)

    def points(chosen: Sequence[TurnRecord]) -> list[np.ndarray]:
        return [numbers_of(recordings[t.id], len(t.phonemes)) for t in chosen]

    voices = {
        speaker: np.nanmean(points(balanced(known, VOICE_TURNS, rng)), axis=0)
        for speaker, known in sorted(turns.items())
    }
    chosen = balanced(train, FIT_TURNS, rng)
    return SoundProbe(voices).fit(
        points(chosen), [t.speaker for t in chosen], [style_of(t) for t in chosen]
    )


def balanced(turns: Sequence[TurnRecord], count: int, rng: random.Random) -> list[TurnRecord]:
    """About `count` turns, equally many of every style."""
    groups: dict[str, list[TurnRecord]] = defaultdict(list)
    for turn in turns:
        groups[style_of(turn)].append(turn)
    each = min([count // len(groups), *(len(group) for group in groups.values())])
    return [turn for style in sorted(groups) for turn in rng.sample(groups[style], each)]


def spoken_items(config: BenchmarkConfig, exam: Exam) -> list[int]:
    """Places of the items that are spoken: equally many of every style."""
    groups: dict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(exam.items):
        groups[item.style].append(place)
    each = max(1, config.audio_items // len(groups))
    rng = random.Random(1)
    return sorted(
        k for g in sorted(groups) for k in rng.sample(groups[g], min(each, len(groups[g])))
    )


def references(data: Path, exam: Exam, places: Sequence[int]) -> dict[int, TurnRecord]:
    """Item -> a recording of its voice, of another dialogue and in a third style.

    Raises `BenchmarkError`.
    """
    known: dict[str, list[tuple[str, TurnRecord]]] = defaultdict(list)
    for record in read_s1(data / "5_sequences" / "s1_valid.jsonl"):
        for turn in record.turns:
            if turn.seconds * SAMPLE_RATE >= N_FFT:
                known[turn.speaker].append((record.dialogue, turn))
    found = {}
    for k in places:
        item, avoided = exam.items[k], {exam.items[k].style, exam.given[k]}
        fitting = [
            turn
            for dialogue, turn in known[item.response.speaker]
            if dialogue != item.dialogue and style_of(turn) not in avoided
        ]
        if not fitting:
            raise BenchmarkError(f"{item.response.id}: no recording of its voice in a third style")
        found[k] = random.Random(k).choice(fitting)
    return found


def past_of(item: Item, source: Item, recordings: Recordings) -> list[PastTurn]:
    """Turns of `source` in the places of the item's history, as stage 2 hears them."""
    n = item.target
    role = roles([turn.speaker for turn in item.turns[:n]], item.response.speaker)
    return [
        PastTurn(np.asarray(turn.phonemes), recordings[turn.id], role[place], n - place)
        for place, turn in enumerate(source.turns[:n])
    ]


def score_sound(
    config: BenchmarkConfig,
    seed: int,
    exam: Exam,
    folder: Path,
    replies: Mapping[str, Sequence[Sequence[int]]],
) -> dict[str, Any]:
    """Style agreement of spoken replies, condition by condition; stage 2 hears what s1 heard."""
    path = config.folder(seed) / "sound" / "replies.json"
    if path.is_file():
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return fields
    data = Path(config.data)
    recordings, talker = Recordings(data), Talker.load(folder, device="cpu")
    probe, places = fit_probe(data, recordings, exam), spoken_items(config, exam)
    voice = references(data, exam, places)
    items = [exam.items[k] for k in places]
    speakers = [item.response.speaker for item in items]
    wanted, groups = [item.style for item in items], [item.dialogue for item in items]

    def marks(sounds: Sequence[np.ndarray], truth: Sequence[str]) -> dict[str, float]:
        points = [numbers_of(s, len(i.response.phonemes)) for s, i in zip(sounds, items)]
        return bootstrap_mean(same(probe.judge(points, speakers), truth), groups).as_dict()

    recorded = [recordings[item.response.id] for item in items]
    found: dict[str, Any] = {"items": len(items), "recordings": marks(recorded, wanted)}
    for name in SPOKEN:
        sounds = []
        for k, item in zip(places, items):
            source = exam.swaps[k] if name.endswith("shuffled") else item
            past = [] if name.endswith("none") else past_of(item, source, recordings)
            codes = list(replies[name][k]) or [0]
            reference = recordings[voice[k].id]
            phonemes = item.response.phonemes
            sounds.append(speak_tokens(talker, codes, phonemes, reference, past=past, seed=k))
        found[name] = {"agreement": marks(sounds, wanted)}
        if name.endswith("shuffled"):
            found[name]["agreement_with_given"] = marks(sounds, [exam.given[k] for k in places])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found
