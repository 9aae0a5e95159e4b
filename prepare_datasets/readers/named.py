"""Corpora in NCSSD's and DailyTalk's naming.

    <root>/…/<dialogue>/<turn>_<speaker>_d<dialogue>.wav   turn from 0, over both speakers
                        <turn>_<speaker>_d<dialogue>.txt   or .lab, or the text in metadata.json
    <root>/…/<dialogue>/metadata.json                      {"utterents": {"0": {"text", …}}} (sic)
    <root>/metadata.json                                   {"12": {"0": {"emotion": …}}} (DailyTalk)

A dialogue's id is its folder below the root, so that equal numbers of two subsets never meet.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prepare_datasets.ledger import Entry
from prepare_datasets.pipeline import fingerprint
from prepare_datasets.readers.files import (
    AUDIO,
    TRANSCRIPTS,
    TranscriptError,
    TurnName,
    decode_transcript,
    parse_turn_name,
    walk,
)
from prepare_datasets.readers.turn import Found, RawTurn

STAGE = "step1_dialogues"
Speakers = Literal["global", "dialogue"]


@dataclass(frozen=True)
class _File:
    folder: Path
    name: str
    turn: TurnName
    dialogue: str  # below the corpus


def read_named(root: Path, *, corpus: str, language: str, speakers: Speakers) -> Found:
    """All turns below `root`, in order; whatever is wrong with a file ends as a ledger entry."""
    found = Found()
    by_dialogue: dict[str, list[_File]] = defaultdict(list)
    siblings: dict[Path, dict[str, str]] = {}
    for folder, names in walk(root):
        siblings[folder] = {name.lower(): name for name in names}
        for name in names:
            path = (folder / name).relative_to(root).as_posix()
            if Path(name).suffix.lower() not in AUDIO:
                continue
            if name.startswith("."):
                found.entries.append(_notice(path, "hidden_file", "hidden file, not looked at"))
                continue
            turn = parse_turn_name(Path(name).stem)
            if turn is None:
                form = "<turn>_<speaker>_d<dialogue>"
                message = f"name is not of the form {form}; rename or remove it"
                found.entries.append(Entry(path, path, STAGE, "bad_name", message, name, form))
                continue
            inside = folder.relative_to(root).parts
            if not inside or inside[-1] != turn.dialogue:
                inside = (*inside, turn.dialogue)
            dialogue = "/".join(inside)
            by_dialogue[dialogue].append(_File(folder, name, turn, dialogue))
    labels = _read_json(root / "metadata.json", root, found)
    for files in by_dialogue.values():
        _read_dialogue(found, root, files, siblings, labels, corpus, language, speakers)
    return found


def _read_dialogue(  # type: ignore[no-untyped-def]
    found, root, files, siblings, labels, corpus, language, speakers
) -> None:
    indices = [file.turn.turn for file in files]
    metadata = {
        folder: _read_json(folder / "metadata.json", root, found) if folder != root else {}
        for folder in {file.folder for file in files}
    }
    for file in sorted(files, key=lambda one: one.turn.turn):
        path = (file.folder / file.name).relative_to(root).as_posix()
        turn_id = f"{corpus}/{file.dialogue}/{file.turn.turn}"
        if indices.count(file.turn.turn) > 1:
            message = "two recordings claim this place in the dialogue; keep one"
            number = file.turn.turn
            # The path keeps the entries of one place apart.
            found.entries.append(Entry(path, path, STAGE, "duplicate_turn", message, number))
            continue
        own = _utterance(metadata[file.folder], file.turn.turn)
        other = labels.get(file.turn.dialogue)
        label = _utterance(other if isinstance(other, dict) else {}, file.turn.turn)
        text, entries = _transcript(file, siblings[file.folder], own, turn_id, path, root)
        found.entries.extend(entries)
        if text is None:
            continue
        speaker = str(own.get("global_speaker") or "")
        if not speaker:
            local = file.turn.speaker
            speaker = local if speakers == "global" else f"{file.dialogue}/{local}"
        known = own.get("language")
        turn = RawTurn(
            id=turn_id,
            dialogue=f"{corpus}/{file.dialogue}",
            index=file.turn.turn,
            speaker=f"{corpus}/{speaker}",
            text=text,
            language=known if known in ("en", "zh") else language,
            audio=path,
            role=own["role"] if own.get("role") in ("agent", "user") else None,
            style=_style(own, label),
        )
        size = (file.folder / file.name).stat()
        found.turns.append(turn)
        found.origins[turn_id] = fingerprint(size.st_size, size.st_mtime_ns)


def _transcript(  # type: ignore[no-untyped-def]
    file: _File, names: dict[str, str], own: dict[str, Any], turn_id: str, path: str, root: Path
) -> tuple[str | None, list[Entry]]:
    """Text of a turn: .txt, then .lab, then metadata.json."""
    stem = Path(file.name).stem.lower()
    present = [names[stem + suffix] for suffix in TRANSCRIPTS if stem + suffix in names]
    entries: list[Entry] = []
    if present:
        source = (file.folder / present[0]).relative_to(root).as_posix()
        try:
            text, encoding = decode_transcript((file.folder / present[0]).read_bytes())
        except (TranscriptError, OSError) as error:
            return None, [Entry(turn_id, source, STAGE, "unreadable_transcript", str(error))]
        if encoding != "utf-8-sig":
            entries.append(_notice(source, "not_utf8", f"read as {encoding}"))
    elif isinstance(own.get("text"), str):
        text, source = " ".join(own["text"].split()), path
    else:
        message = "no .txt or .lab beside the recording and no text in metadata.json"
        return None, [Entry(turn_id, path, STAGE, "missing_transcript", message)]
    if not text:
        return None, [Entry(turn_id, source, STAGE, "empty_transcript", "the transcript is empty")]
    return text, entries


def _style(own: dict[str, Any], label: dict[str, Any]) -> dict[str, Any] | None:
    if isinstance(own.get("style"), dict):
        return own["style"]
    emotion = own.get("emotion") or label.get("emotion")
    if not isinstance(emotion, str):
        return None
    return {"name": "none" if emotion == "no emotion" else emotion}


def _utterance(metadata: dict[str, Any], turn: int) -> dict[str, Any]:
    """Entry of one turn; NCSSD puts them under "utterents", DailyTalk directly."""
    inner = metadata.get("utterents", metadata)
    entry = inner.get(str(turn)) if isinstance(inner, dict) else None
    return entry if isinstance(entry, dict) else {}


def _read_json(path: Path, root: Path, found: Found) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        relative = path.relative_to(root).as_posix()
        found.entries.append(_notice(relative, "bad_metadata", f"not readable JSON: {error}"))
        return {}
    return value if isinstance(value, dict) else {}


def _notice(path: str, code: str, message: str) -> Entry:
    return Entry(path, path, STAGE, code, message, action="notice")
