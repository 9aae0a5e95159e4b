"""Entrainment: do turns of two speakers sound alike, more and more, and move together?

    python -m GPT_SoVITS.evaluation.entrainment --data data/demo [--run runs/evaluate/demo:demo]

For a feature x of turns (Levitan & Hirschberg 2011; here per dialogue, then averaged):

    proximity    mean |x_k - x_j| over the partner's turns j that are no neighbours of k, minus
                 |x_k - x_(k-1)| of neighbours of two speakers: positive = neighbours are alike
    convergence  correlation of -|x_k - x_(k-1)| with k: positive = they get closer
    synchrony    correlation of x_k with x_(k-1) over the pairs: positive = they move together

Each speaker's features are z-scored over the dialogue, so that two voices can be alike at all.
Absolute values say little; compare recorded with generated responses of the same dialogues.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.dialogue.manifest import S1Record, read_s1, read_s2
from GPT_SoVITS.evaluation.metrics.intervals import bootstrap_mean, paired_difference
from GPT_SoVITS.evaluation.metrics.style import describe

log = logging.getLogger(__name__)
FEATURES = ("pitch_level", "pitch_range", "rate", "loudness")
MEASURES = ("proximity", "convergence", "synchrony")


@dataclass(frozen=True)
class TurnFeatures:
    """One turn: who spoke, and the numbers of `metrics.style.describe`."""

    speaker: str
    values: Mapping[str, float]


def entrainment(turns: Sequence[TurnFeatures], feature: str) -> dict[str, float]:
    """The three measures of one feature in one dialogue; those without data are left out."""
    x = _by_speaker([turn.values[feature] for turn in turns], [turn.speaker for turn in turns])
    pairs = [
        k
        for k in range(1, len(turns))
        if turns[k].speaker != turns[k - 1].speaker and np.isfinite(x[k]) and np.isfinite(x[k - 1])
    ]
    found: dict[str, float] = {}
    near, far = [], []
    for k in pairs:
        others = [
            abs(x[k] - x[j])
            for j in range(len(turns))
            if turns[j].speaker != turns[k].speaker and abs(j - k) > 1 and np.isfinite(x[j])
        ]
        if others:
            near.append(abs(x[k] - x[k - 1]))
            far.append(float(np.mean(others)))
    if near:
        found["proximity"] = float(np.mean(far) - np.mean(near))
    if len(pairs) >= 3:
        closeness = [-abs(x[k] - x[k - 1]) for k in pairs]
        found["convergence"] = _correlation(closeness, pairs)
        found["synchrony"] = _correlation([x[k] for k in pairs], [x[k - 1] for k in pairs])
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _by_speaker(values: Sequence[float], speakers: Sequence[str]) -> np.ndarray:
    """z-scores within each speaker; NaN where a speaker has fewer than two turns or no spread."""
    x, who = np.asarray(values, dtype=np.float64), np.asarray(speakers)
    for speaker in set(speakers):
        mine = who == speaker
        known = x[mine][np.isfinite(x[mine])]
        spread = known.std() if len(known) > 1 else 0.0
        x[mine] = (x[mine] - known.mean()) / spread if spread > 0 else np.nan
    return x


def _correlation(a: Sequence[float], b: Sequence[float]) -> float:
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.std() == 0 or y.std() == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def measure(dialogues: Mapping[str, Sequence[TurnFeatures]]) -> dict[str, dict[str, Any]]:
    """feature -> measure -> interval over dialogues and the value of each dialogue."""
    found: dict[str, dict[str, Any]] = {}
    for feature in FEATURES:
        values = {name: entrainment(turns, feature) for name, turns in dialogues.items()}
        found[feature] = {}
        for measure_name in MEASURES:
            having = {d: v[measure_name] for d, v in values.items() if measure_name in v}
            if having:
                interval = bootstrap_mean(list(having.values()), list(having))
                found[feature][measure_name] = interval.as_dict() | {"dialogues": having}
    return found


def compare(
    real: Mapping[str, Mapping[str, Any]], generated: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """feature -> measure -> generated minus real over the dialogues both have."""
    found: dict[str, dict[str, Any]] = {}
    for feature, measures in real.items():
        for name, entry in measures.items():
            other = generated.get(feature, {}).get(name)
            both = [d for d in entry["dialogues"] if other and d in other["dialogues"]]
            if both and other:
                found.setdefault(feature, {})[name] = paired_difference(
                    [entry["dialogues"][d] for d in both],
                    [other["dialogues"][d] for d in both],
                    both,
                ).as_dict()
    return found


def features_of(
    records: Iterable[S1Record], audio: Mapping[str, Path]
) -> dict[str, list[TurnFeatures]]:
    """Dialogues of a manifest and the sound file of every turn id -> features."""
    found: dict[str, list[TurnFeatures]] = {}
    for record in records:
        found[record.dialogue] = [
            TurnFeatures(
                turn.speaker,
                describe(
                    load_audio(audio[turn.id]),
                    sample_rate=SAMPLE_RATE,
                    n_phonemes=len(turn.phonemes),
                ),
            )
            for turn in record.turns
        ]
    return found


def recorded_audio(data: Path, split: str) -> dict[str, Path]:
    """Turn id -> sound file of a prepared corpus."""
    manifest = data / "5_sequences" / f"s2_{split}.jsonl"
    return {record.id: data / record.audio for record in read_s2(manifest)}


def spoken_by(run: str | Path, system: str) -> dict[str, Path]:
    """Turn id -> sound file of a system in a folder of `python -m GPT_SoVITS evaluate`.

    Raises ValueError where the system has spoken nothing there.
    """
    folder = Path(run)
    rows = map(json.loads, (folder / "ledger.jsonl").read_text(encoding="utf-8").splitlines())
    found = {
        row["item"]: folder / row["audio"]
        for row in rows
        if (row["stage"], row["system"], row["status"]) == ("speak", system, "ok")
    }
    if not found:
        raise ValueError(f"{folder}: no sound of a system {system!r}")
    return found


def table(found: Mapping[str, Mapping[str, Any]], *, title: str) -> str:
    """Markdown."""
    lines = [f"| {title} | " + " | ".join(MEASURES) + " |", "|---" * (len(MEASURES) + 1) + "|"]
    for feature, measures in found.items():
        cells = [
            f"{m['mean']:+.3f} [{m['low']:+.3f}, {m['high']:+.3f}]" if m else "–"
            for m in (measures.get(name) for name in MEASURES)
        ]
        lines.append(f"| {feature} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Print the tables: recorded, and where given, generated and the difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="prepared data, data/<name>")
    parser.add_argument("--split", choices=["train", "valid"], default="valid")
    parser.add_argument("--run", help="FOLDER:SYSTEM, an evaluation run and whose replies to take")
    parser.add_argument("--max-dialogues", type=int, default=60, help="dialogues to measure (60)")
    parser.add_argument("--output", type=Path, help="JSON of everything")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    records = list(read_s1(options.data / "5_sequences" / f"s1_{options.split}.jsonl"))
    records = records[: options.max_dialogues]
    audio = recorded_audio(options.data, options.split)
    result: dict[str, Any] = {"recorded": measure(features_of(records, audio))}
    print(table(result["recorded"], title="recorded"))
    if options.run:
        spoken = spoken_by(*options.run.rsplit(":", 1))
        touched = [r for r in records if any(turn.id in spoken for turn in r.turns)]
        result["generated"] = measure(features_of(touched, audio | spoken))
        result["difference"] = compare(result["recorded"], result["generated"])
        print("\n" + table(result["generated"], title="generated"))
        print("\n" + table(result["difference"], title="generated − recorded"))
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
