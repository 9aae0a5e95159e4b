"""What becomes of every kind of bad input: `python -m tests.check_bad_inputs`.

Prints case, expected code, what came, and whether all good items are bit for bit those of a clean
run. Exit code 0 when everything is as `expected`, 1 on any difference.
"""

from __future__ import annotations

import sys

from tests.prepare_datasets.bad_runs import all_verdicts


def main() -> int:
    """The table."""
    verdicts = all_verdicts()
    print(f"{'case':6} {'input':30} {'expected':32} {'got':32} good items intact")
    for one in verdicts:
        intact = "yes" if one.intact else "NO"
        mark = "" if one.passed else "   <-- MISS"
        print(f"{one.name:6} {one.title:30} {one.expected:32} {one.got:32} {intact}{mark}")
    missed = sum(not one.passed for one in verdicts)
    print(f"{len(verdicts)} cases, {len(verdicts) - missed} as expected, {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
