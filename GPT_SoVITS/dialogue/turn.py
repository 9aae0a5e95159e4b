"""Turn and Dialogue: what a user hands us, and the strict reader of ``dialogue.json``."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

SCHEMA_VERSION = 1
MAX_FILE_BYTES = 4 * 2**20
Language = Literal["auto", "en", "zh"]
"""What a turn, an option or a request may say; `auto` finds out, stretch by stretch."""
LANGUAGES: tuple[str, ...] = get_args(Language)


class DialogueError(ValueError):
    """A dialogue that cannot be used; the message names the place and the value."""


@dataclass(frozen=True)
class Turn:
    """One utterance: who, what, and (for finished turns) how it sounded."""

    speaker: str
    text: str
    language: str = "auto"
    """One of ``LANGUAGES``."""
    audio: str | None = None
    """Path of the recording, or None: the turn is known by its text only."""

    def __post_init__(self) -> None:
        for name in ("speaker", "text"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise DialogueError(f"{name} is {value!r}; it must be a text that is not empty")
        if self.language not in LANGUAGES:
            raise DialogueError(f"language is {self.language!r}; it must be one of {LANGUAGES}")
        if self.audio is not None and not isinstance(self.audio, str):
            raise DialogueError(f"audio is {self.audio!r}; it must be a path or absent")


@dataclass(frozen=True)
class Dialogue:
    """Finished turns, oldest first, and optionally the turn to speak next."""

    turns: Sequence[Turn] = ()
    response: Turn | None = None
    reference_audio: str | None = None
    """Recording that gives the reply its voice; None follows the rule of docs/architecture.md."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", tuple(self.turns))

    @classmethod
    def load(cls, path: str | Path) -> Dialogue:
        """Read ``dialogue.json``; audio paths in it are relative to the file.

        Raises `DialogueError`.
        """
        path = Path(path)
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise DialogueError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
            values = json.loads(path.read_text(encoding="utf-8-sig"))
        except DialogueError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            raise DialogueError(f"{path}: cannot be read as JSON: {error}") from None
        return cls.from_json(values, folder=path.parent, source=str(path))

    @classmethod
    def from_json(
        cls, values: Any, *, folder: Path | None = None, source: str = "dialogue"
    ) -> Dialogue:
        """Plain JSON values -> Dialogue; unknown keys and wrong types are errors."""
        _keys(values, ("turns", "response", "reference_audio", "schema_version"), source)
        version = values.get("schema_version", SCHEMA_VERSION)
        if type(version) is not int or version != SCHEMA_VERSION:
            raise DialogueError(
                f"{source}: schema_version {version!r}; this program reads {SCHEMA_VERSION}"
            )
        listed = values.get("turns", [])
        if not isinstance(listed, list):
            raise DialogueError(f"{source}: turns must be a list")
        turns = [_turn(turn, f"{source}: turns[{i}]", folder) for i, turn in enumerate(listed)]
        response = values.get("response")
        if response is not None:
            response = _turn(response, f"{source}: response", folder)
        reference = values.get("reference_audio")
        return cls(turns, response, _place(reference, folder, f"{source}: reference_audio"))


def _turn(values: Any, where: str, folder: Path | None) -> Turn:
    _keys(values, ("speaker", "text", "language", "audio"), where)
    for name in ("speaker", "text"):
        if name not in values:
            raise DialogueError(f"{where}: {name} is missing")
    try:
        return Turn(
            values["speaker"],
            values["text"],
            values.get("language", "auto"),
            _place(values.get("audio"), folder, f"{where}.audio"),
        )
    except DialogueError as error:
        raise DialogueError(f"{where}: {error}") from None


def _place(value: Any, folder: Path | None, where: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value or "\0" in value:
        raise DialogueError(f"{where} is {value!r}; it must be a path or absent")
    return str(folder / value) if folder is not None else value


def _keys(values: Any, known: tuple[str, ...], where: str) -> None:
    if not isinstance(values, Mapping):
        raise DialogueError(f"{where}: must be an object, not {type(values).__name__}")
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known keys are {list(known)}"
            raise DialogueError(f"{where}: unknown key {key!r}{hint}")
