"""`Turn` and `Dialogue`: what a user hands to the talker, and the strict reader of dialogue.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANGUAGES = ("auto", "en", "zh")
SCHEMA_VERSION = 1
MAX_FILE_BYTES = 4 * 2**20


class DialogueError(ValueError):
    """A dialogue that cannot be used; the message names the file, the key and the fix."""


@dataclass(frozen=True)
class Turn:
    """One turn: who, what, in which language, and the recording if there is one."""

    speaker: str
    text: str
    language: str = "auto"
    audio: str | None = None
    """Path of the recording; None for a turn that has only text."""

    def __post_init__(self) -> None:
        if not self.speaker.strip():
            raise DialogueError("a turn has an empty speaker; give every turn a name")
        if self.language not in LANGUAGES:
            raise DialogueError(f"language is {self.language!r}; use one of {', '.join(LANGUAGES)}")


@dataclass(frozen=True)
class Dialogue:
    """Finished turns, oldest first; `response` is the turn to speak (its audio is ignored)."""

    turns: tuple[Turn, ...] = ()
    response: Turn | None = None
    reference_audio: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", tuple(self.turns))

    @classmethod
    def load(cls, path: str | Path) -> Dialogue:
        """Read dialogue.json; audio paths are relative to the file."""
        path = Path(path)
        if not path.is_file():
            raise DialogueError(f"{path}: no such file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DialogueError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        try:
            values = json.loads(path.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise DialogueError(f"{path}: not JSON in UTF-8: {error}") from None
        return cls.from_json(values, folder=path.parent, name=str(path))

    @classmethod
    def from_json(
        cls, values: Any, *, folder: Path | None = None, name: str = "dialogue"
    ) -> Dialogue:
        """Build from the parsed JSON object; every error names `name` and the key."""
        known = {"turns", "response", "reference_audio", "schema_version"}
        _check_object(values, known, name)
        version = values.get("schema_version", SCHEMA_VERSION)
        if version != SCHEMA_VERSION:
            raise DialogueError(f"{name}: schema_version is {version!r}; this program reads 1")
        if not isinstance(values.get("turns", []), list):
            raise DialogueError(f"{name}: 'turns' must be a list")
        turns = [
            _turn(item, f"{name}: turns[{k}]", folder)
            for k, item in enumerate(values.get("turns", []))
        ]
        if "response" not in values:
            raise DialogueError(f"{name}: 'response' is missing: the turn to speak")
        reference = values.get("reference_audio")
        if reference is not None and not isinstance(reference, str):
            raise DialogueError(f"{name}: 'reference_audio' must be a path")
        return cls(
            tuple(turns),
            _turn(values["response"], f"{name}: response", folder),
            _resolve(reference, folder),
        )


def _check_object(values: Any, known: set[str], name: str) -> None:
    if not isinstance(values, Mapping):
        raise DialogueError(f"{name}: must be a JSON object")
    unknown = sorted(set(values) - known)
    if unknown:
        raise DialogueError(f"{name}: unknown keys {unknown}; known are {sorted(known)}")


def _turn(values: Any, name: str, folder: Path | None) -> Turn:
    _check_object(values, {"speaker", "text", "language", "audio"}, name)
    for key in ("speaker", "text"):
        if not isinstance(values.get(key), str):
            raise DialogueError(f"{name}: {key!r} is missing or not a text")
    language, audio = values.get("language", "auto"), values.get("audio")
    if not isinstance(language, str) or not (audio is None or isinstance(audio, str)):
        raise DialogueError(f"{name}: 'language' and 'audio' must be texts")
    try:
        return Turn(values["speaker"], values["text"], language, _resolve(audio, folder))
    except DialogueError as error:
        raise DialogueError(f"{name}: {error}") from None


def _resolve(path: str | None, folder: Path | None) -> str | None:
    if path is None or folder is None:
        return path
    return str(folder / path)
