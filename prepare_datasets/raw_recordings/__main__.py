"""Long recordings -> dialogue folders: `python -m prepare_datasets.raw_recordings --help`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from jsonargparse import ArgumentParser

from prepare_datasets.errors import PrepareError
from prepare_datasets.raw_recordings.chain import log, run
from prepare_datasets.raw_recordings.config import RawConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit codes: 0 everything became dialogues, 2 config error, 3 the ledger has lines, 4 stopped
    but resumable."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = ArgumentParser(
        prog="python -m prepare_datasets.raw_recordings",
        description="Long recordings -> dialogue folders that prepare_datasets reads.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(RawConfig)
    values = vars(parser.instantiate(parser.parse_args(arguments)))
    values.pop("config", None)
    try:
        result = run(RawConfig(**values))
    except (PrepareError, ValueError, ImportError) as error:
        log.error("%s", error)
        sys.exit(2)
    except (KeyboardInterrupt, OSError) as error:
        log.error("stopped: %s; the same command goes on from there", error or "interrupted")
        sys.exit(4)
    sys.exit(3 if result.entries else 0)


if __name__ == "__main__":
    main()
