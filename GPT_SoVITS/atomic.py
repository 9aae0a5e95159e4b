"""Files that appear complete or not at all, also to who reads beside the writer or after a kill."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A hidden neighbour to write; it takes the file's place at the end of the `with`.

    After an error it is gone and the old file stays; a kill may leave it behind under its hidden
    name. Others may read the file, whatever its writer's library thought.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        partial.chmod(0o644)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """A text file in UTF-8; its lines end as they do in `text`."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")
