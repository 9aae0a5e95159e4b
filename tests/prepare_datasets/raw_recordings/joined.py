"""A long recording made of demo-corpus turns: what was said when is known.

    python -m tests.prepare_datasets.raw_recordings.joined --seeds 100 101 102

joins them, runs the chain, and prints a line of JSON per recording and one for all.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from GPT_SoVITS.audio.io import load_audio
from prepare_datasets.demo_corpus import CorpusPlan, write_corpus
from prepare_datasets.raw_recordings.chain import run
from prepare_datasets.raw_recordings.config import RawConfig
from prepare_datasets.raw_recordings.scenes import SceneLimits
from prepare_datasets.raw_recordings.stages import RATE


@dataclass(frozen=True)
class Said:
    """One turn of the recording."""

    start: float
    stop: float
    dialogue: int
    speaker: int
    text: str


def join_demo(folder: Path, *, dialogues: int = 3, seed: int = 0) -> tuple[Path, list[Said]]:
    """film.wav, film.srt: dialogues 5 s apart, pauses of 0.35-0.8 s, chords and hiss below."""
    raw = folder / "demo"
    write_corpus(raw, CorpusPlan(dialogues=dialogues, exchanges=(5, 6), seed=seed))
    rng = np.random.default_rng(seed)
    pieces, said, at = [_silence(2.0)], [], 2.0
    for dialogue in range(dialogues):
        metadata = json.loads((raw / str(dialogue) / "metadata.json").read_text("utf-8"))
        for index, turn in metadata["utterents"].items():
            name = f"{index}_{turn['speaker']}_d{dialogue}.wav"
            sound = _trimmed(load_audio(raw / str(dialogue) / name, sample_rate=RATE))
            seconds = len(sound) / RATE
            said.append(Said(at, at + seconds, dialogue, turn["speaker"], turn["text"]))
            pause = _silence(float(rng.uniform(0.35, 0.8)))
            pieces += [sound, pause]
            at += seconds + len(pause) / RATE
        pieces.append(_silence(5.0))
        at += 5.0
    speech = np.concatenate(pieces)
    film = folder / "films" / "film.wav"
    film.parent.mkdir()
    soundfile.write(film, speech + _music(len(speech), rng), RATE)
    film.with_suffix(".srt").write_text("\n\n".join(map(_cue, range(len(said)), said)), "utf-8")
    return film.parent, said


def _silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def _trimmed(sound: np.ndarray) -> np.ndarray:
    """Without what is silent before and after: the times are those of the speech."""
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    return sound[loud[0] : loud[-1] + 1]


def _music(length: int, rng: np.random.Generator) -> np.ndarray:
    """(T,) slow chords with hiss, 0.01 of full scale."""
    time = np.arange(length) / RATE
    chords = sum(
        np.sin(2 * np.pi * note * time + rng.uniform(0, 6))
        * (0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(0.1, 0.4) * time))
        for note in (110.0, 138.6, 164.8, 220.0)
    )
    hiss = soxr.resample(rng.normal(size=length // 2 + 1), RATE // 2, RATE)[:length]
    return (0.003 * chords + 0.003 * hiss).astype(np.float32)


def _cue(number: int, turn: Said) -> str:
    return f"{number + 1}\n{_clock(turn.start)} --> {_clock(turn.stop)}\n{turn.text}"


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02},{rest % 1000:03}"


@dataclass(frozen=True)
class Score:
    """What the chain made of a joined recording."""

    turns: int
    found: int
    """Turns with start and stop within 0.2 s and the right words."""
    in_order: bool
    """Whether those found come in the order in which they were said."""
    right_speaker: int
    """Of those found, how many have the speaker of the dialogue's first turn or the other one, as
    was said."""


def score(said: list[Said], output: Path) -> Score:
    """Compare dialogue folders with what was said."""
    paths = sorted(output.rglob("metadata.json"), key=lambda p: int(p.parent.name.split("_")[1]))
    told = [json.loads(path.read_text("utf-8"))["utterents"].values() for path in paths]
    made = [turn for dialogue in told for turn in dialogue]
    places, right = [], 0
    for place, turn in enumerate(said):
        for number, one in enumerate(made):
            near = max(abs(one["start"] - turn.start), abs(one["stop"] - turn.stop)) < 0.2
            if near and one["text"] == " ".join(turn.text.split()):
                places.append(number)
                first = next(s.speaker for s in said if s.dialogue == said[place].dialogue)
                right += one["speaker"] == (turn.speaker != first)
    return Score(len(said), len(places), places == sorted(places), right)


def main() -> int:
    """0 where the order is right in every recording."""
    parser = argparse.ArgumentParser(description="joined demo turns, taken apart again")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(100, 110)))
    parser.add_argument("--dialogues", type=int, default=3)
    values = parser.parse_args()
    logging.disable(logging.INFO)
    scores = []
    for seed in values.seeds:
        with tempfile.TemporaryDirectory() as place:
            films, said = join_demo(Path(place), dialogues=values.dialogues, seed=seed)
            output = Path(place) / "out"
            found = run(RawConfig(str(films), str(output), scenes=SceneLimits(min_speech=5.0)))
            scores.append(score(said, output))
        print(json.dumps({"seed": seed, "dialogues": found.dialogues} | vars(scores[-1])))
    whole = {
        name: sum(getattr(one, name) for one in scores)
        for name in ("turns", "found", "in_order", "right_speaker")
    }
    print(json.dumps({"recordings": len(scores)} | whole))
    return int(not all(one.in_order for one in scores))


if __name__ == "__main__":
    sys.exit(main())
