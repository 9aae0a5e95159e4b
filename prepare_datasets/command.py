"""The command line of the five steps. Exit codes: 0 clean, 2 config or input wrong, 3 something
quarantined, 4 stopped but resumable.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence

from jsonargparse import ArgumentParser

from prepare_datasets import (
    step1_dialogues,
    step2_text,
    step3_speech,
    step4_semantic,
    step5_sequences,
)
from prepare_datasets.config import PrepareConfig
from prepare_datasets.errors import NothingUsable, PrepareError
from prepare_datasets.ledger import Counts
from prepare_datasets.lock import locked
from prepare_datasets.pipeline import log
from prepare_datasets.recordings_command import CLEAN, QUARANTINED, STOPPED, WRONG


def build_parser() -> ArgumentParser:
    """Options are the fields of the config; dotted names override the YAML."""
    parser = ArgumentParser(
        prog="python -m prepare_datasets",
        description="Recordings of dialogues -> training data, in five steps.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="YAML file, e.g. configs/data/demo.yaml")
    parser.add_class_arguments(PrepareConfig)
    return parser


def read_config(
    arguments: Sequence[str] | None = None, *, steps: str | None = None
) -> PrepareConfig:
    """Parse options; errors end with exit code 2 and the reason."""
    parser = build_parser()
    values = parser.parse_args(arguments)
    if steps is not None:
        values.steps = steps
    values = parser.instantiate(values)
    values.pop("config", None)
    return PrepareConfig(**vars(values))


def prepare(config: PrepareConfig) -> Counts | None:
    """Run the steps asked for; the counts where the last one is among them.

    Raises `PrepareError`.
    """
    import torch

    torch.set_num_threads(1)  # sums depend on how many threads add
    steps: dict[int, Callable[[PrepareConfig], object]] = {
        1: step1_dialogues.run,
        2: step2_text.run,
        3: step3_speech.run,
        4: step4_semantic.run,
    }
    numbers = config.step_numbers()
    if 1 in numbers and config.folder.resolve().is_relative_to(config.raw_folder.resolve()):
        raise PrepareError(
            f"output {config.folder} lies in the raw folder {config.raw_folder}: the next run "
            "would take its recordings for new ones; choose a folder beside it"
        )
    with locked(config.folder):
        for number in numbers:
            if number < 5:
                steps[number](config)
        return step5_sequences.run(config) if 5 in numbers else None


def main(arguments: Sequence[str] | None = None, *, steps: str | None = None) -> None:
    """Run and exit with a code that tells how it ended."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        config = read_config(arguments, steps=steps)
    except ValueError as error:
        log.error("config: %s", error)
        sys.exit(WRONG)
    try:
        counts = prepare(config)
    except NothingUsable as error:
        log.error("no usable items: %s", error)
        counts = step5_sequences.account_for_nothing(config)
        log.info(counts.sentence())
    except PrepareError as error:
        log.error("%s", error)
        sys.exit(WRONG)
    except (KeyboardInterrupt, OSError) as error:
        log.error("stopped: %s", error or "interrupted")
        log.error("what is finished is kept; the same command goes on from there")
        sys.exit(STOPPED)
    if counts is not None and (counts.quarantined or not counts.kept):
        log.info("what and why: %s", config.folder / "ledger.jsonl")
        sys.exit(QUARANTINED)
    sys.exit(CLEAN)
