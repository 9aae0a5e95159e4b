"""Check reference vectors: `python -m tests.check_vectors DIR [--file NAME …] [--misses]`.

Prints file, tensor, max |difference| and pass or MISS, and a summary as the last line. Exit code 0
when everything is met, 1 on any miss, 2 when DIR holds no vectors.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from tests.vectors.checks import rows
from tests.vectors.folder import Folder


def main(arguments: Sequence[str] | None = None) -> int:
    """The table of one folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="laid out like golden/nn")
    parser.add_argument("--file", nargs="*", help="only these, without .safetensors")
    parser.add_argument("--misses", action="store_true", help="print misses only")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    files, passed, total = set(), 0, 0
    try:
        for row in rows(Folder(args.folder), only=args.file):
            files.add(row.file)
            total, passed = total + 1, passed + row.passed
            if not (args.misses and row.passed):
                print(row, flush=True)
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    missed = total - passed
    print(f"{len(files)} files, {total} tensors: {passed} pass, {missed} miss")
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
