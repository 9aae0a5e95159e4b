"""How commands beside the five steps begin and end: options are a config's fields; exit codes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from jsonargparse import ArgumentParser

from prepare_datasets.errors import PrepareError

Config = TypeVar("Config")
CLEAN, WRONG, QUARANTINED, STOPPED = 0, 2, 3, 4
"""All went well; config or input wrong; something was left out, see the ledger; the same command
goes on from there."""
log = logging.getLogger("prepare_datasets")


def run_command(
    config: type[Config],
    run: Callable[[Config], object],
    *,
    name: str,
    description: str,
    arguments: Sequence[str] | None,
) -> NoReturn:
    """`python -m prepare_datasets.<name>`: exits with a code that tells how `run` ended.

    What `run` returns is true where something was left out.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = ArgumentParser(
        prog=f"python -m prepare_datasets.{name}", description=description, allow_abbrev=False
    )
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(config)
    values = vars(parser.instantiate(parser.parse_args(arguments)))
    values.pop("config", None)
    try:
        left_out = run(config(**values))
    except (PrepareError, ValueError, ImportError) as error:
        log.error("%s", error)
        sys.exit(WRONG)
    except (KeyboardInterrupt, OSError) as error:
        log.error("stopped: %s; the same command goes on from there", error or "interrupted")
        sys.exit(STOPPED)
    sys.exit(QUARANTINED if left_out else CLEAN)
