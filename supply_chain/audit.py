"""Known weaknesses among the locked packages, without a network.

python -m supply_chain.audit --database all.zip [--ignore GHSA-…] [LOCK …]

The database is what OSV publishes for PyPI, in its own format: the zip of all records, a folder
of them, or one JSON file (a record or a list). Exit code 0: none found, 1: some found and
printed, 2: the database cannot be used.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from supply_chain.pins import FOLDER, LOCKS, Pin, read


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is found."""
    parser = argparse.ArgumentParser(prog="python -m supply_chain.audit", description=__doc__)
    parser.add_argument("--database", type=Path, required=True, help="zip, folder or JSON of OSV")
    parser.add_argument("--ignore", action="append", default=[], help="an id judged harmless here")
    parser.add_argument("locks", type=Path, nargs="*", default=[FOLDER / name for name in LOCKS])
    args = parser.parse_args(arguments)
    pins = {(pin.name, pin.version): pin for lock in args.locks for pin in read(lock)}
    named = defaultdict(list)
    for pin in pins.values():
        named[pin.name].append(pin)
    seen, found = 0, []
    try:
        for record in records(args.database):
            names = {record["id"], *record.get("aliases", [])}
            affected = [part for part in record.get("affected", []) if _of_pypi(part)]
            seen += bool(affected)
            if record.get("withdrawn") or names & set(args.ignore):
                continue
            for part in affected:
                for pin in named.get(canonicalize_name(part["package"]["name"]), []):
                    if hit(part, pin):
                        found.append(_sentence(record, part, pin))
        if not seen:
            raise ValueError(f"{args.database}: no record of a PyPI package in it")
    except (OSError, KeyError, TypeError, AttributeError, ValueError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"the database cannot be used: {error}\n")
        return 2
    sys.stdout.write("".join(f"{line}\n" for line in sorted(set(found))))
    sys.stderr.write(f"{len(pins)} packages, {seen} records, {len(set(found))} found\n")
    return 1 if found else 0


def records(database: Path) -> Iterator[dict[str, Any]]:
    """Every record of a zip, a folder or a JSON file."""
    if database.is_dir():
        texts = ((file, file.read_bytes()) for file in sorted(database.rglob("*.json")))
    elif zipfile.is_zipfile(database):
        archive = zipfile.ZipFile(database)
        texts = ((Path(name), archive.read(name)) for name in sorted(archive.namelist()))
    else:
        texts = ((file, file.read_bytes()) for file in [database])
    for file, text in texts:
        if file.suffix != ".json":
            continue
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{file} is not JSON: {error}") from None
        yield from content if isinstance(content, list) else [content]


def hit(affected: dict[str, Any], pin: Pin) -> bool:
    """Is this version listed, or within a range? A bound nobody can compare counts as within."""
    if pin.version in affected.get("versions", []):
        return True
    version = Version(pin.version)
    for bounds in affected.get("ranges", []):
        if bounds["type"] == "GIT":
            continue
        try:
            if _within(bounds["events"], version):
                return True
        except InvalidVersion:
            return True
    return False


def _within(events: list[dict[str, str]], version: Version) -> bool:
    """OSV's rule: walk the events in order of version; the last one passed decides."""
    steps = [(Version(value), kind) for event in events
             for kind, value in event.items() if kind != "limit"]  # fmt: skip
    inside = False
    for at, kind in sorted(steps, key=lambda step: step[0]):
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _of_pypi(affected: dict[str, Any]) -> bool:
    return bool(affected.get("package", {}).get("ecosystem") == "PyPI")


def _sentence(record: dict[str, Any], affected: dict[str, Any], pin: Pin) -> str:
    fixed = [event["fixed"] for bounds in affected.get("ranges", []) if bounds["type"] != "GIT"
             for event in bounds["events"] if "fixed" in event]  # fmt: skip
    names = " ".join([record["id"], *record.get("aliases", [])])
    remedy = f"fixed in {', '.join(fixed)}" if fixed else "no fix known"
    return f"{pin.name} {pin.version}: {names}, {remedy}: {record.get('summary', '')}".rstrip(": ")


if __name__ == "__main__":
    sys.exit(main())
