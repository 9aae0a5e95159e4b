"""Make the locks and the list of components: `make lock`, or `python -m supply_chain.lock`.

Needs `uv` on the PATH (`pip install uv`), which asks the package index for the versions and the
hashes of all their files. Versions that are locked already stay, unless requirements.txt pins
another or `--upgrade` is given.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from supply_chain.pins import FOLDER, LOCKS, Pin, read
from supply_chain.sbom import FILE, components

OPTIONS = ["--quiet", "--no-config", "--universal", "--python-version", "3.11"]
OPTIONS += ["--fork-strategy", "fewest", "--generate-hashes", "--no-header"]
OPTIONS += ["--annotation-style", "line"]
logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Resolve everything, then the server's part within it."""
    parser = argparse.ArgumentParser(prog="python -m supply_chain.lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take newer versions where allowed")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if shutil.which("uv") is None:
        raise SystemExit("no `uv` on the PATH; install it with: pip install uv")
    with tempfile.TemporaryDirectory() as folder:
        everything = Path(folder, "everything.txt")
        known = [FOLDER / name for name in LOCKS if (FOLDER / name).is_file()]
        everything.write_text("".join(_text(read(lock)) for lock in known if lock.stem != "serve"))
        upgrade = ["--upgrade"] if args.upgrade else []
        pins = _resolve(["requirements.txt", *upgrade], everything)
        within = ["pyproject.toml", "--extra", "serve", "--constraint", str(everything)]
        server = _resolve(within, Path(folder, "server.txt"))
    for name, chosen in {
        "all.lock": [pin for pin in pins if not pin.cuda],
        "serve.lock": [pin for pin in server if not pin.cuda],
        "cuda.lock": [pin for pin in pins if pin.cuda],
    }.items():
        (FOLDER / name).write_text(_text(chosen), encoding="utf-8")
        logger.info("%s: %d packages", FOLDER / name, len(chosen))
    FILE.write_text(json.dumps(components(), indent=1) + "\n", encoding="utf-8")


def _resolve(what: list[str], output: Path) -> list[Pin]:
    """The pins uv finds; those that `output` holds already are kept where possible."""
    command = ["uv", "pip", "compile", *OPTIONS, "--output-file", str(output), *what]
    subprocess.run(command, cwd=FOLDER.parent, check=True, stdout=subprocess.DEVNULL)
    return read(output)


def _text(pins: Iterable[Pin]) -> str:
    return "".join(str(pin) for pin in pins)


if __name__ == "__main__":
    main()
