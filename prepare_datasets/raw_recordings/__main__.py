"""Long recordings -> dialogue folders: `python -m prepare_datasets.raw_recordings --help`."""

from __future__ import annotations

from collections.abc import Sequence

from prepare_datasets.raw_recordings.chain import run
from prepare_datasets.raw_recordings.config import RawConfig
from prepare_datasets.recordings_command import run_command


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit codes: 0 everything became dialogues, 2 config error, 3 the ledger has lines, 4 stopped
    but resumable."""
    run_command(
        RawConfig,
        lambda config: run(config).entries,
        name="raw_recordings",
        description="Long recordings -> dialogue folders that prepare_datasets reads.",
        arguments=arguments,
    )


if __name__ == "__main__":
    main()
