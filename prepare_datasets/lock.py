"""One run at a time on a prepared folder; the lock ends with the process, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prepare_datasets.errors import PrepareError


@contextmanager
def locked(folder: Path, name: str = ".lock") -> Iterator[None]:
    """Hold the folder, or say that another run does; `name` keeps apart what may go on at once.

    Raises `PrepareError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PrepareError(f"another run works on {folder}; wait for it") from None
        yield
