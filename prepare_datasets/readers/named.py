"""Corpora in NCSSD's and DailyTalk's naming.

    <root>/…/<dialogue>/<turn>_<speaker>_d<dialogue>.wav   turn from 0, over both speakers
                        <turn>_<speaker>_d<dialogue>.txt   or .lab, or the text in metadata.json
    <root>/…/<dialogue>/metadata.json                      {"utterents": {"0": {"text", …}}} (sic)
    <root>/metadata.json                                   {"12": {"0": {"emotion": …}}} (DailyTalk)

A dialogue's id is its folder below the root, so that equal numbers of two subsets never meet.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.dialogue import LANGUAGES
from prepare_datasets.ledger import Entry
from prepare_datasets.readers.files import (
    AUDIO,
    FOREIGN_AUDIO,
    TurnName,
    Walk,
    parse_turn_name,
    printable,
    usable_id,
)
from prepare_datasets.readers.subsets import Naming, naming_of
from prepare_datasets.readers.transcript import TranscriptError, decode_transcript
from prepare_datasets.readers.turn import STAGE, Piece, RawTurn, notice, origin_of, style_of
from prepare_datasets.source import SourceConfig

FORM = "<turn>_<speaker>_d<dialogue>"
TRANSCRIPTS = (".txt", ".lab")


@dataclass(frozen=True)
class _File:
    path: Path
    turn: TurnName
    dialogue: str  # below the corpus


def read_named(root: Path, source: SourceConfig) -> Iterator[Piece]:
    """All turns below `root`, folder by folder; what is wrong with a file ends as an entry."""
    reader = _Reader(root, source)
    labels, entries = reader.metadata(root)
    yield from entries
    for place in Walk(root):
        if isinstance(place, Entry):
            yield place
        else:
            yield from reader.folder(*place, labels)


class _Reader:
    def __init__(self, root: Path, source: SourceConfig) -> None:
        self.root, self.source, self.walk = root, source, Walk(root)

    def folder(self, folder: Path, names: list[str], labels: dict[str, Any]) -> Iterator[Piece]:
        """Turns of one folder, which may hold several dialogues."""
        beside = {_same(name): name for name in names}
        dialogues: dict[str, list[_File]] = defaultdict(list)
        for name in names:
            piece = self._file(folder, name, beside)
            if isinstance(piece, Entry):
                yield piece
            elif piece is not None:
                dialogues[piece.dialogue].append(piece)
        own, entries = self.metadata(folder) if dialogues and folder != self.root else ({}, [])
        yield from entries
        for files in dialogues.values():
            claims = Counter(file.turn.turn for file in files)
            for file in sorted(files, key=lambda one: one.turn.turn):
                if claims[file.turn.turn] > 1:
                    yield self._duplicate(file)
                else:
                    about = _utterance(own, file.turn.turn)
                    label = labels.get(file.turn.dialogue)
                    label = _utterance(label, file.turn.turn) if isinstance(label, dict) else {}
                    yield from self._turn(file, beside, about, label)

    def metadata(self, folder: Path) -> tuple[dict[str, Any], list[Entry]]:
        """metadata.json of a folder, if it has one that can be read."""
        path = folder / "metadata.json"
        if not path.is_file():
            return {}, []
        try:
            value = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            message = f"not readable JSON: {error}"
            return {}, [notice(self.walk.relative(path), "bad_metadata", message)]
        return (value if isinstance(value, dict) else {}), []

    def _file(self, folder: Path, name: str, beside: dict[str, str]) -> _File | Entry | None:
        path, suffix = self.walk.relative(folder / name), Path(name).suffix.lower()
        if suffix in TRANSCRIPTS:
            return self._without_audio(folder, name, beside)
        if suffix not in AUDIO | FOREIGN_AUDIO:
            return None
        if name.startswith("."):
            return notice(path, "hidden_file", "hidden file, not looked at")
        turn = parse_turn_name(Path(name).stem, folder=folder.name)
        if turn is None or printable(name) != name:
            message = f"name is not of the form {FORM}; rename or remove it"
            return Entry(path, path, STAGE, "bad_name", message, printable(name), FORM)
        dialogue = self._dialogue(folder, turn)
        if not usable_id(dialogue):
            message = "this folder's name cannot be part of an id; rename it"
            return Entry(path, path, STAGE, "bad_name", message, dialogue)
        if suffix in FOREIGN_AUDIO:
            id_ = f"{self.source.corpus}/{dialogue}/{turn.turn}"
            message = f"convert it to one of {' '.join(sorted(AUDIO))}"
            return Entry(id_, path, STAGE, "unsupported_format", message, suffix)
        return _File(folder / name, turn, dialogue)

    def _without_audio(self, folder: Path, name: str, beside: dict[str, str]) -> Entry | None:
        """A transcript whose recording is not there was a turn once."""
        stem = Path(name).stem
        turn = parse_turn_name(stem, folder=folder.name)
        alone = not any(_same(stem) + suffix in beside for suffix in AUDIO | FOREIGN_AUDIO)
        twice = name.lower().endswith(".lab") and _same(stem) + ".txt" in beside
        if turn is None or not alone or twice or name.startswith("."):
            return None
        path = self.walk.relative(folder / name)
        id_ = f"{self.source.corpus}/{self._dialogue(folder, turn)}/{turn.turn}"
        return Entry(id_, path, STAGE, "missing_audio", "no recording beside this transcript")

    def _dialogue(self, folder: Path, turn: TurnName) -> str:
        inside = folder.relative_to(self.root).parts
        if not inside or inside[-1] != turn.dialogue:
            inside = (*inside, turn.dialogue)
        return "/".join(inside)

    def _duplicate(self, file: _File) -> Entry:
        path = self.walk.relative(file.path)
        message = "two recordings claim this place in the dialogue; keep one"
        # The path keeps the entries of one place apart.
        return Entry(path, path, STAGE, "duplicate_turn", message, file.turn.turn)

    def _turn(
        self, file: _File, beside: dict[str, str], own: dict[str, Any], label: dict[str, Any]
    ) -> Iterator[Piece]:
        source, path = self.source, self.walk.relative(file.path)
        id_ = f"{source.corpus}/{file.dialogue}/{file.turn.turn}"
        try:
            origin = origin_of(file.path)
        except OSError as error:
            yield Entry(id_, path, STAGE, "unreadable_audio", error.strerror or "no such file")
            return
        text, entry = self._transcript(file, beside, own, id_)
        if entry is not None:
            yield entry
        if text is None:
            return
        naming: Naming = naming_of(file.dialogue, source)
        language = own.get("language")
        yield RawTurn(
            id=id_,
            dialogue=f"{source.corpus}/{file.dialogue}",
            index=file.turn.turn,
            speaker=f"{source.corpus}/{_global(own) or naming.speaker(file.turn.speaker)}",
            text=text,
            language=language if language in LANGUAGES[1:] else naming.language,
            audio=path,
            role=own["role"] if own.get("role") in ("agent", "user") else None,
            style=style_of(own, label),
            origin=origin,
        )

    def _transcript(
        self, file: _File, beside: dict[str, str], own: dict[str, Any], id_: str
    ) -> tuple[str | None, Entry | None]:
        """Text of a turn: .txt, then .lab, then metadata.json; the first that is there counts."""
        stem, path = _same(file.path.stem), self.walk.relative(file.path)
        present = [beside[stem + suffix] for suffix in TRANSCRIPTS if stem + suffix in beside]
        entry = None
        if present:
            transcript = file.path.parent / present[0]
            path = self.walk.relative(transcript)
            try:
                data = transcript.read_bytes()
                text, encoding = decode_transcript(data, self.source.encoding)
            except TranscriptError as error:
                wanted = self.source.encoding
                return None, Entry(
                    id_, path, STAGE, "wrong_encoding", str(error), error.seems, wanted
                )
            except OSError as error:
                message = error.strerror or "cannot be read"
                return None, Entry(id_, path, STAGE, "unreadable_transcript", message)
            if encoding != "utf-8":
                entry = notice(path, "not_utf8", f"read as {encoding}")
        elif isinstance(own.get("text"), str):
            text = " ".join(own["text"].split())
        else:
            message = "no .txt or .lab beside the recording and no text in metadata.json"
            return None, Entry(id_, path, STAGE, "missing_transcript", message)
        if not text:
            return None, Entry(id_, path, STAGE, "empty_transcript", "the transcript is empty")
        return text, entry


def _same(name: str) -> str:
    """Names that differ in case, or in how a system composes accents, belong together."""
    return unicodedata.normalize("NFC", name).lower()


def _global(own: dict[str, Any]) -> str:
    return str(own.get("global_speaker") or "")


def _utterance(metadata: dict[str, Any], turn: int) -> dict[str, Any]:
    """Entry of one turn; NCSSD puts them under "utterents", DailyTalk directly."""
    inner = metadata.get("utterents", metadata)
    entry = inner.get(str(turn)) if isinstance(inner, dict) else None
    return entry if isinstance(entry, dict) else {}
