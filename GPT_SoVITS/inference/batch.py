"""Many texts from a manifest: ``python -m GPT_SoVITS batch --manifest FILE --output DIR``.

    {"id": "greeting", "text": "Good morning.", "speaker": "anna"}
    {"id": "0007", "text": "…", "reference_audio": "voices/b.wav", "seed": 3, "language": "zh"}
    {"id": "turn_12", "dialogue": "dialogues/12.json"}

One JSON object per line; paths are relative to the manifest. ``DIR/<id>.wav`` appears complete or
not at all, ``DIR/ledger.jsonl`` has one line per finished row with a digest of what was asked and
of what answered. Run again, what is there for the same request is left; what changed is spoken
anew. A row that cannot be spoken is reported and the others go on; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from GPT_SoVITS.checkpoints.talker_folder import CLIPS_FOLDER
from GPT_SoVITS.inference import cli
from GPT_SoVITS.inference.options import GenerationOptions

if TYPE_CHECKING:
    from GPT_SoVITS.inference.speech import Speech
    from GPT_SoVITS.inference.talker import Talker

log = logging.getLogger(__name__)

FIELDS = ("id", "text", "speaker", "language", "reference_audio", "seed", "dialogue")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
LEDGER = "ledger.jsonl"
SOME_FAILED = 1


@dataclass(frozen=True)
class BatchRow:
    """One line of a manifest, checked."""

    id: str
    text: str | None = None
    speaker: str | None = None
    language: str = "auto"
    reference_audio: tuple[Path, ...] = ()
    seed: int | None = None
    dialogue: Path | None = None

    def digest(self, options: GenerationOptions, voice: str) -> str:
        """What decides the sound: the row, the files it names, the options, the model."""
        digest = hashlib.blake2b(digest_size=16)
        asked = dataclasses.asdict(self) | {"options": dataclasses.asdict(options), "model": voice}
        digest.update(json.dumps(asked, sort_keys=True, default=str).encode())
        for path in self.files():
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def files(self) -> Iterator[Path]:
        """The files it names, those of its dialogue too."""
        from GPT_SoVITS.dialogue import Dialogue

        yield from self.reference_audio
        if self.dialogue is not None:
            yield self.dialogue
            heard = Dialogue.load(self.dialogue)
            named = [*(turn.audio for turn in heard.turns), heard.reference_audio]
            yield from (Path(path) for path in named if path)


def read_manifest(path: Path) -> list[BatchRow]:
    """All rows; a wrong one is an error that names its line, before anything is spoken."""
    rows: dict[str, BatchRow] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = _row(json.loads(line), path.parent)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}:{number}: {error}") from None
        if row.id.lower() in rows:
            raise ValueError(f"{path}:{number}: id {row.id!r} is there twice")
        rows[row.id.lower()] = row
    if not rows:
        raise ValueError(f"{path}: no rows")
    return list(rows.values())


def speak_rows(
    talker: Talker, rows: Sequence[BatchRow], output: Path, options: GenerationOptions, model: str
) -> dict[str, int]:
    """Speak what is missing; {"spoken", "there", "failed"} rows."""
    from GPT_SoVITS.audio.io import save_audio

    output.mkdir(parents=True, exist_ok=True)
    done = read_ledger(output / LEDGER)
    counts = {"spoken": 0, "there": 0, "failed": 0}
    for row in rows:
        target = output / f"{row.id}.wav"
        try:
            digest = row.digest(options, model)
            if done.get(row.id) == digest and target.is_file():
                counts["there"] += 1
                continue
            started = time.perf_counter()
            speech = _speak(talker, row, options)
        except (ValueError, OSError) as error:
            log.error("%s: %s", row.id, error)
            counts["failed"] += 1
            continue
        save_audio(target, speech.samples, sample_rate=speech.sample_rate)
        entry = {"id": row.id, "digest": digest, "seconds": round(speech.seconds, 3)}
        append(output / LEDGER, entry | {"took": round(time.perf_counter() - started, 3)})
        counts["spoken"] += 1
    return counts


def read_ledger(path: Path) -> dict[str, str]:
    """{id: digest} of what was finished; half a line, left by a kill, does not count."""
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            found[str(entry["id"])] = str(entry["digest"])
        except (ValueError, KeyError, TypeError):
            log.warning("%s: a line is not whole; its row is spoken again", path)
    return found


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """One line more, on the disk before this returns; half a line before it is closed first."""
    with open(path, "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        whole = True
        if size:
            file.seek(size - 1)
            whole = file.read(1) == b"\n"
        file.write((b"" if whole else b"\n") + json.dumps(entry).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS batch", description="Speak all rows of a manifest."
    )
    cli.add_talker(parser)
    parser.add_argument("--manifest", type=Path, required=True, help="JSONL, a row per line")
    parser.add_argument("--output", type=Path, required=True, help="folder of <id>.wav")
    cli.add_generation(parser)
    return cli.guarded(lambda: _run(parser.parse_args(arguments)))


def _run(args: argparse.Namespace) -> int:
    cli.options_of(args)  # a wrong one is said before the model is read
    rows, talker = read_manifest(args.manifest), cli.load_talker(args)
    options = cli.options_of(args, talker.options)
    counts = speak_rows(talker, rows, args.output, options, model_digest(args.model, args.adapter))
    log.info("%d spoken, %d were there, %d failed", *counts.values())
    return SOME_FAILED if counts["failed"] else 0


def model_digest(model: Path, adapter: Path | None) -> str:
    """The content of a talker's own files and of its adapter's: another model, another sound."""
    from GPT_SoVITS.adapters.file import adapter_folder

    folders = [model] if adapter is None else [model, adapter_folder(model, adapter)]
    digest = hashlib.blake2b(digest_size=16)
    for folder in folders:
        own = [path for path in folder.iterdir() if path.is_file()]
        for path in sorted([*own, *(folder / CLIPS_FOLDER).glob("*")]):
            digest.update(path.name.encode())
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def _speak(talker: Talker, row: BatchRow, options: GenerationOptions) -> Speech:
    from GPT_SoVITS.dialogue import Dialogue

    return talker.speak(
        None if row.dialogue is None else Dialogue.load(row.dialogue),
        row.text,
        speaker=row.speaker,
        language=row.language if row.dialogue is None else None,
        reference_audio=[str(path) for path in row.reference_audio] or None,
        options=options,
        seed=row.seed,
    )


def _row(values: Any, folder: Path) -> BatchRow:
    if not isinstance(values, dict):
        raise ValueError("a row is an object with an id and a text")
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is unknown; a row has {', '.join(FIELDS)}")
    for name in ("id", "text", "speaker", "language", "dialogue"):
        if name in values and not isinstance(values[name], str):
            raise ValueError(f"{name} is {values[name]!r}; it must be a text")
    if not ID.fullmatch(values.get("id", "")):
        raise ValueError(f"id is {values.get('id')!r}; letters, digits, dots, dashes, 128 at most")
    if ("text" in values) == ("dialogue" in values):
        raise ValueError("a row has a text or a dialogue")
    seed = values.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise ValueError(f"seed is {seed!r}; it must be a whole number from 0")
    given = values.get("reference_audio", [])
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ValueError("reference_audio is a path or a list of paths")
    named = values.get("dialogue")
    return BatchRow(
        **{key: values[key] for key in ("id", "text", "speaker", "language") if key in values},
        reference_audio=tuple(folder / one for one in listed),
        seed=seed,
        dialogue=None if named is None else folder / named,
    )
