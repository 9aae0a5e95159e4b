"""Clips of a prepared corpus that are better not learned from.

    python -m prepare_datasets.quality_filter --data data/mine                 look: quality.csv
    python -m prepare_datasets.quality_filter --data data/mine --apply discard

    quality.csv    id, audio, speaker, what it is like in numbers, action (keep, reference,
                   discard), reason
    quality/       the measures, by turn: a second run measures what is new or changed

Nothing is deleted. `--apply` adds a correction (`drop`) for each clip, which the next run of the
five steps heeds and `prepare_datasets.correct … undo` takes back. Percentiles are of all clips, so
apply once. Exit codes: 0 done, 2 config error, 4 stopped but resumable.
"""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import load_audio
from prepare_datasets.correct import drop_many
from prepare_datasets.errors import PrepareError
from prepare_datasets.executors import Executor
from prepare_datasets.jsonl import AtomicFile, Record, fingerprint, read_jsonl
from prepare_datasets.lock import locked
from prepare_datasets.pipeline import Step, aligned
from prepare_datasets.quality_rules import (
    ACTIONS,
    Excited,
    Measures,
    QualityRules,
    as_row,
    excited_limits,
    measure,
    verdict,
)
from prepare_datasets.recordings_command import run_command
from prepare_datasets.work import Item, Outcome

log = logging.getLogger("prepare_datasets")
VERSION = 1
APPLIED = {"nothing": (), "discard": ("discard",), "all": ("discard", "reference")}


@dataclass(frozen=True)
class FilterRun:
    """Which corpus, which rules, and what to do."""

    data: str
    """Folder of the prepared corpus."""
    apply: Literal["nothing", "discard", "all"] = "nothing"
    """nothing: only report. discard, all: drop those clips, or the references too."""
    workers: int = 1
    """Processes."""
    rules: QualityRules = field(default_factory=QualityRules)


def run(config: FilterRun) -> None:
    """Measure, judge, report. Raises `PrepareError`."""
    data = Path(config.data)
    if not (data / "3_speech" / "step.json").is_file():
        raise PrepareError(f"{data} is not prepared yet; run `python -m prepare_datasets` first")
    step = Step(data / "quality", "quality", number=3, file="measures.jsonl")
    with locked(data / "quality"):
        step.run(
            lambda: _clips(data, config.rules),
            partial(_measured, data, config.rules),
            executor=Executor("local", config.workers),
        )
        limits = excited_limits((_measures(one) for one in step.records()), config.rules)
        counts, dropped = _judge(config, step, limits)
    log.info("quality: %s; %s", dict(counts), data / "quality.csv")
    if config.apply != "nothing":
        log.info("%d clips dropped now; run the five steps again", drop_many(data, dropped))


def _judge(config: FilterRun, step: Step, limits: Excited) -> tuple[Counter[str], dict[str, str]]:
    """Write the report; clips per action, and what is to be dropped with its reason."""
    wanted = APPLIED[config.apply]
    counts, dropped = Counter(dict.fromkeys(ACTIONS, 0)), {}
    names = [one.name for one in fields(Measures)]
    columns = ["id", "audio", "speaker", *names, "action", "reason"]
    with AtomicFile(Path(config.data) / "quality.csv") as file:
        file.write(_line(columns))
        for one in step.records():
            action, reason = verdict(_measures(one), limits, config.rules)
            row = one | one["measures"] | {"action": action, "reason": reason}
            file.write(_line([row[name] for name in columns]))
            counts[action] += 1
            if action in wanted:
                dropped[one["id"]] = f"quality: {reason}"
    return counts, dropped


def _line(values: Sequence[Any]) -> str:
    """One line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _clips(data: Path, rules: QualityRules) -> Iterator[Item]:
    settings = fingerprint(VERSION, rules)
    turns = read_jsonl(data / "1_dialogues" / "turns.jsonl")
    texts = read_jsonl(data / "2_text" / "turns.jsonl")
    sounds = read_jsonl(data / "3_speech" / "turns.jsonl")
    for turn, text, sound in aligned(turns, texts, sounds):
        clip = {"id": turn["id"], "audio": sound["audio"], "speaker": turn["speaker"]}
        clip["syllables"] = syllables(text["phonemes"])
        mark = fingerprint(settings, clip, turn["origin"], sound["n_samples"])
        yield Item(turn["id"], clip, mark)


def syllables(phonemes: Sequence[str]) -> int:
    """Vowels of English carry their stress, finals of Mandarin their tone: one digit each."""
    return sum(name[-1:].isdecimal() for name in phonemes)


def _measured(data: Path, rules: QualityRules, clip: dict[str, Any]) -> Outcome:
    samples = load_audio(data / clip["audio"])
    spoken = clip["syllables"]
    found = measure(samples, sample_rate=SAMPLE_RATE, syllables=spoken, rules=rules)
    return Outcome(({**clip, "measures": as_row(found)},))


def _measures(record: Record) -> Measures:
    return Measures(**record["measures"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Options are the fields of the config."""
    run_command(
        FilterRun,
        run,
        name="quality_filter",
        description="Clips of a prepared corpus that are better not learned from.",
        arguments=arguments,
    )


if __name__ == "__main__":
    main()
