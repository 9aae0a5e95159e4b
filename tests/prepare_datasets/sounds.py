"""Sounds for tests: a voice-like tone, and corpora made of it in DailyTalk's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 22050
TEXTS = [
    "Where did you put the key?",
    "It is on the table.",
    "Thank you very much.",
    "You are welcome, my friend.",
]


def voice(seed: int, seconds: float = 0.9, *, rate: int = RATE) -> np.ndarray:
    """(T,) harmonics of a gliding pitch with syllables, peak 0.5."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitch = rng.uniform(90, 240) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(1, 3) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    weights = rng.uniform(0.2, 1.0, 12) / np.arange(1, 13)
    sound = sum(w * np.sin(n * phase) for n, w in enumerate(weights, 1))
    sound = sound * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time)) + 0.01 * rng.normal(size=len(time))
    return 0.5 * sound / np.abs(sound).max()


def write_turn(folder: Path, turn: int, speaker: str, dialogue: str, *, seed: int) -> None:
    """One recording with its transcript."""
    folder.mkdir(parents=True, exist_ok=True)
    name = folder / f"{turn}_{speaker}_d{dialogue}"
    soundfile.write(f"{name}.wav", voice(seed), RATE, subtype="PCM_16")
    name.with_suffix(".txt").write_text(TEXTS[turn % len(TEXTS)], encoding="utf-8")


def write_corpus(root: Path, *, dialogues: int = 3, turns: int = 4) -> Path:
    """<root>/<dialogue>/<turn>_<speaker>_d<dialogue>.wav with .txt, two speakers in turn."""
    for dialogue in range(dialogues):
        for turn in range(turns):
            folder = root / str(dialogue)
            write_turn(folder, turn, str(turn % 2), str(dialogue), seed=100 * dialogue + turn)
    return root
