"""The sound of the demo's <GIGGLES>: five bursts of noise, a corpus that has them, their detector.

    amplitude   _|#|_|#|_|#|_|#|_|#|_      80 ms of noise between 2 and 4 kHz every 120 ms

Nothing espeak says keeps most of its energy there for long, so that a detector of a few lines can
count events; its errors on recordings are part of every report. A pure tone would be as distinct,
but lies in so few mel bands that stage 2's loss prefers silence to it (tried: no event was made).
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path

import numpy as np
import soundfile

TAG = "<GIGGLES>"
BAND = (2000.0, 4000.0)
SPEECH = (60.0, 8000.0)
"""Hz; what counts as all of a frame's energy (a vocoder may hiss above)."""
BURSTS, BURST_SECONDS, EVERY_SECONDS = 5, 0.08, 0.12
PAUSE_SECONDS = 0.06
FRAME_SECONDS, HOP_SECONDS = 0.032, 0.01
SHARE = 0.6
"""Of a frame's energy that has to lie in the band."""
LEAST_FRAMES = 16
"""Frames (10 ms each) with that share inside one event's length; a whole event has about 45."""


def giggle(sample_rate: int, level: float = 0.12) -> np.ndarray:
    """float32 (T,): the event, 0.56 s, each burst with soft ends; always the same noise."""
    n = int(BURST_SECONDS * sample_rate)
    length = int((BURSTS - 1) * EVERY_SECONDS * sample_rate) + n
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(length))
    hz = np.fft.rfftfreq(length, 1 / sample_rate)
    spectrum[(hz < BAND[0] + 100) | (hz > BAND[1] - 100)] = 0
    noise = np.fft.irfft(spectrum, length)
    noise *= level / np.sqrt(np.mean(noise**2))
    t = np.arange(n) / sample_rate
    ends = np.minimum(1.0, np.minimum(t, t[-1] - t) / 0.008)
    event = np.zeros(length)
    for k in range(BURSTS):
        start = int(k * EVERY_SECONDS * sample_rate)
        event[start : start + n] = noise[start : start + n] * ends
    return event.astype(np.float32)


def with_giggle(samples: np.ndarray, sample_rate: int, *, first: bool) -> np.ndarray:
    """(T,) speech -> event, pause, speech; or speech, pause, event."""
    pause = np.zeros(int(PAUSE_SECONDS * sample_rate), np.float32)
    event = giggle(sample_rate)
    parts = [event, pause, samples] if first else [samples, pause, event]
    return np.concatenate(parts).astype(np.float32)


def tagged(text: str, *, first: bool) -> str:
    """The transcript that goes with `with_giggle`."""
    return f"{TAG} {text}" if first else f"{text} {TAG}"


def giggle_frames(samples: np.ndarray, sample_rate: int) -> int:
    """Most frames with the event's band inside any stretch as long as the event."""
    size, hop = int(FRAME_SECONDS * sample_rate), int(HOP_SECONDS * sample_rate)
    if len(samples) < size:
        return 0
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    hz = np.fft.rfftfreq(size, 1 / sample_rate)
    inside = power[:, (hz >= BAND[0]) & (hz <= BAND[1])].sum(1)
    whole = power[:, (hz >= SPEECH[0]) & (hz <= SPEECH[1])].sum(1)
    loud = whole > 1e-3 * whole.max()
    hit = (inside > SHARE * whole) & loud
    width = int(((BURSTS - 1) * EVERY_SECONDS + BURST_SECONDS) / HOP_SECONDS)
    return int(np.convolve(hit, np.ones(width)).max())


def has_giggle(samples: np.ndarray, sample_rate: int) -> bool:
    """Whether the event is heard in (T,) samples."""
    return giggle_frames(samples, sample_rate) >= LEAST_FRAMES


def write_tagged_corpus(source: Path, output: Path, *, share: float = 0.5, seed: int = 0) -> int:
    """A demo corpus again, with the event and its tag in a share of the turns -> how many.

    The event comes before or after the words, by a coin. A finished output is left as it is.
    """
    done = output / "tagged.json"
    event = hashlib.sha256(giggle(32000).tobytes()).hexdigest()[:16]
    facts = {"source": str(source), "share": share, "seed": seed, "event": event}
    if done.is_file():
        found = json.loads(done.read_text(encoding="utf-8"))
        if {k: found.get(k) for k in facts} == facts:
            return int(found["tagged"])
    shutil.rmtree(output, ignore_errors=True)
    count = 0
    for metadata in sorted(source.glob("*/metadata.json")):
        folder = output / metadata.parent.name
        shutil.copytree(metadata.parent, folder)
        content = json.loads(metadata.read_text(encoding="utf-8"))
        for turn in content["utterents"].values():
            name = f"{turn['index']}_{turn['speaker']}_d{content['dialog']}"
            key = f"{seed}/{content['dialog']}/{turn['index']}".encode()
            draw = random.Random(hashlib.sha256(key).digest())
            if draw.random() >= share:
                continue
            first = draw.random() < 0.5
            samples, rate = soundfile.read(folder / f"{name}.wav", dtype="float32")
            both = with_giggle(samples, rate, first=first)
            soundfile.write(folder / f"{name}.wav", both, rate, subtype="PCM_16")
            turn["text"] = tagged(turn["text"], first=first)
            turn["duration"] = round(len(both) / rate, 4)
            (folder / f"{name}.lab").write_text(turn["text"] + "\n", encoding="utf-8")
            count += 1
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / "metadata.json").write_text(text, encoding="utf-8")
    done.write_text(json.dumps({**facts, "tagged": count}), encoding="utf-8")
    return count
