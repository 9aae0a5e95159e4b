"""Is stage 2 any better for hearing the conversation? Same tokens, its parts on and off.

    tokens     the recording's own, for all arms
    reference  the same voice in a third style
    arms       off | style, text, both: each with the true and with another dialogue's history
    judged     style of the sound, log-F0 error and energy error against the recording

Stage 2 makes 1280 samples of every token, so sound and recording are aligned frame by frame and no
warping is needed. `true − off` says what a part gives, `true − swapped` whether it is the history's
content that gives it. Nothing may come of it; then the intervals hold zero, and that is the result.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.evaluation.benchmark.config import BenchmarkConfig
from GPT_SoVITS.evaluation.benchmark.exam import Exam, same
from GPT_SoVITS.evaluation.benchmark.sound import (
    Recordings,
    fit_probe,
    numbers_of,
    past_of,
    references,
    spoken_items,
)
from GPT_SoVITS.evaluation.metrics.intervals import bootstrap_mean, paired_difference
from GPT_SoVITS.evaluation.metrics.loudness import PAUSE_DB, frame_levels
from GPT_SoVITS.evaluation.metrics.pitch import f0_track, semitones
from GPT_SoVITS.evaluation.stage2 import speak_tokens
from GPT_SoVITS.inference import Talker

log = logging.getLogger(__name__)
PARTS = ("style", "text", "both")
ARMS = ("off", *(f"{part} {which}" for part in PARTS for which in ("true", "swapped")))
PAIRS = tuple((f"{part} true", other) for part in PARTS for other in ("off", f"{part} swapped"))
MEASURES = ("style_agreement", "log_f0_error", "energy_error")


def frame_errors(recording: np.ndarray, samples: np.ndarray) -> tuple[float, float]:
    """Two sounds (T,), (T',) at 32 kHz aligned in time -> (log-F0 error, energy error).

    Root mean squares over the common frames: semitones where both are voiced (NaN without any),
    dB where the recording is within 35 dB of its loudest frame.
    """
    n = min(len(recording), len(samples))
    tracks = [f0_track(s[:n], sample_rate=SAMPLE_RATE) for s in (recording, samples)]
    both = (tracks[0] > 0) & (tracks[1] > 0)
    gap = semitones(tracks[1][both]) - semitones(tracks[0][both])
    levels = [frame_levels(s[:n], sample_rate=SAMPLE_RATE) for s in (recording, samples)]
    speech = levels[0] > levels[0].max() - PAUSE_DB
    energy = np.maximum(levels[1], levels[0].max() - 60)[speech] - levels[0][speech]
    pitch = float(np.sqrt((gap**2).mean())) if len(gap) else float("nan")
    return pitch, float(np.sqrt((energy**2).mean()))


def score_enrichment(
    config: BenchmarkConfig, seed: int, exam: Exam, folder: Path
) -> dict[str, Any]:
    """Every arm on the same tokens -> means, and paired differences over dialogues.

    Raises `ValueError`.
    """
    path = config.folder(seed) / "sound" / "enrichment.json"
    if path.is_file():
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return fields
    data = Path(config.data)
    recordings, talker = Recordings(data), Talker.load(folder, device="cpu")
    if not talker.s2.config.hears_history:
        raise ValueError(f"{folder}: this stage 2 hears no history; train it with style or text on")
    probe, places = fit_probe(data, recordings, exam), spoken_items(config, exam)
    voice = references(data, exam, places)
    values: dict[str, dict[str, list[float]]] = {
        arm: {measure: [] for measure in MEASURES} for arm in ARMS
    }
    for k in tqdm(places, desc="stage 2 arms", unit="item"):
        item = exam.items[k]
        truth, reference = recordings[item.response.id], recordings[voice[k].id]
        past = {
            "true": past_of(item, item, recordings),
            "swapped": past_of(item, exam.swaps[k], recordings),
        }
        for arm in ARMS:
            part, _, which = arm.partition(" ")
            sound = speak_tokens(
                talker,
                item.response.codes,
                item.response.phonemes,
                reference,
                past=past.get(which, ()),
                arm=part,
                seed=k,
            )
            points = [numbers_of(sound, len(item.response.phonemes))]
            hit = same(probe.judge(points, [item.response.speaker]), [item.style])[0]
            for measure, value in zip(MEASURES, (hit, *frame_errors(truth, sound))):
                values[arm][measure].append(value)
    found = summarise(values, [exam.items[k].dialogue for k in places])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def summarise(
    values: Mapping[str, Mapping[str, Sequence[float]]], groups: Sequence[str]
) -> dict[str, Any]:
    """arm -> measure -> values per item -> intervals of every arm and of every pair.

    An item without pitch in one arm is out of every arm's pitch error, so that all rest on the
    same items; how many are left is stated.
    """
    found: dict[str, Any] = {"items": len(groups), "arms": {}, "pairs": {}}
    for measure in MEASURES:
        table = np.asarray([values[arm][measure] for arm in ARMS])  # (A, N)
        fine = np.isfinite(table).all(0)
        if not fine.any():
            continue
        kept = [group for group, ok in zip(groups, fine) if ok]
        rows = {arm: row[fine].tolist() for arm, row in zip(ARMS, table)}
        for arm in ARMS:
            interval = bootstrap_mean(rows[arm], kept).as_dict()
            found["arms"].setdefault(arm, {})[measure] = interval
        for first, second in PAIRS:
            gap = paired_difference(rows[second], rows[first], kept).as_dict()
            found["pairs"].setdefault(f"{first} − {second}", {})[measure] = gap
    return found
