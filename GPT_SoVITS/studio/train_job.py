"""A training as a job: `python -m GPT_SoVITS.studio.train_job s1 --config … [--dry-run]`.

The same functions as `train_s1.py` and `train_s2.py`, which are files of a checkout and not
installed with the package.
"""

from __future__ import annotations

import sys
from importlib import import_module

from GPT_SoVITS.training.command import REFUSED, run


def main(arguments: list[str]) -> int:
    """Exit codes of the training scripts: 0 done, 2 refused, 130 stopped."""
    if not arguments or arguments[0] not in ("s1", "s2"):
        sys.stderr.write("error: the first word must be s1 or s2\n")
        return REFUSED
    train = import_module(f"GPT_SoVITS.training.train_{arguments[0]}").main
    return run(lambda: train(arguments[1:]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
