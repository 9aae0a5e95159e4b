"""A voice pack: a folder with `voice.yaml` and the recordings it names.

voices/anna/voice.yaml
    consent: true                  # the speaker agreed; without it the pack is refused
    language: en                   # en, zh or auto
    model: ""                      # an adapter in <talker>/adapters; empty: the talker itself
    default_emotion: neutral
    emotions:
      neutral: {audio: neutral.wav, text: "Good morning.", language: en}
      happy: {audio: happy.wav}
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from GPT_SoVITS.dialogue.turn import LANGUAGES
from GPT_SoVITS.server.errors import ApiError
from GPT_SoVITS.server.uploads import decode_recording

FILE = "voice.yaml"
MAX_YAML_BYTES = 64 * 1024
MAX_CLIP_BYTES = 25 * 1024 * 1024
NAME = re.compile(r"[^\W_][\w .+-]{0,63}")
KEYS = ("consent", "language", "model", "default_emotion", "emotions", "description")
EMOTION_KEYS = ("audio", "text", "language")


class VoicePackError(ValueError):
    """A pack that cannot be used; the message names the file and the fix."""


@dataclass(frozen=True)
class Voice:
    """One voice in one emotion: what a reply is spoken with."""

    name: str
    clip: Path
    """Reference recording."""
    text: str = ""
    """What the recording says, where known."""
    language: str = "auto"
    """Language of `text`, and of requests that name none."""
    emotion: str = "default"
    model: str = ""
    """An adapter's name; empty for the talker itself."""
    others: tuple[Path, ...] = ()
    """Further recordings; the voice is the average of all."""
    digest: str = ""
    """Hash of the recording: two voices with the same digest sound the same."""


@dataclass(frozen=True)
class VoicePack:
    """A named voice in all its emotions."""

    name: str
    emotions: Mapping[str, Voice]
    default_emotion: str
    kind: str
    """`speaker` of the talker, `pack` in the folder, `upload`."""
    description: str = ""

    def voice(self, emotion: str | None = None) -> Voice:
        """The voice in an emotion; one it does not have falls back to the default one."""
        return self.emotions.get(emotion or "", self.emotions[self.default_emotion])


def single(name: str, voice: Voice, kind: str) -> VoicePack:
    """A voice without emotions."""
    return VoicePack(name, {"default": replace(voice, name=name)}, "default", kind)


def inside(root: Path, name: str) -> Path | None:
    """The file `name` below `root`, links followed; None for anything else, whatever the reason."""
    if not name or "\0" in name or "\\" in name or name.startswith(("/", "~", "-")):
        return None
    try:
        found = (root / name).resolve(strict=True)
        root = root.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None
    return found if found.is_relative_to(root) and found.is_file() else None


def read_pack(folder: Path, *, max_seconds: float) -> VoicePack:
    """`<folder>/voice.yaml` and its recordings, every one checked; raises VoicePackError."""
    path = folder / FILE
    values = _yaml(path)
    _known(values, KEYS, str(path))
    if values.get("consent") is not True:
        raise VoicePackError(f"{path}: consent must be true: the speaker agreed to this use")
    named = values.get("emotions")
    if not isinstance(named, Mapping) or not named:
        raise VoicePackError(f"{path}: emotions must name at least one recording")
    language = _language(values.get("language", "auto"), str(path))
    model = values.get("model", "") or ""
    if not isinstance(model, str) or (model and not NAME.fullmatch(model)):
        raise VoicePackError(f"{path}: model must be the name of an adapter of the talker")
    emotions = {}
    for name, given in named.items():
        where = f"{path}: emotions.{name}"
        emotions[str(name)] = _emotion(folder, where, given, language, max_seconds, str(name))
    default = str(values.get("default_emotion", next(iter(emotions))))
    if default not in emotions:
        raise VoicePackError(f"{path}: default_emotion {default!r} is not among {list(emotions)}")
    voices = {n: replace(v, name=folder.name, model=model) for n, v in emotions.items()}
    return VoicePack(folder.name, voices, default, "pack", str(values.get("description", "")))


def _yaml(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_YAML_BYTES:
            raise VoicePackError(f"{path}: larger than {MAX_YAML_BYTES} bytes")
        values = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeError, yaml.YAMLError, RecursionError) as error:
        raise VoicePackError(f"{path}: cannot be read: {error}") from None
    if not isinstance(values, Mapping):
        raise VoicePackError(f"{path}: must be a mapping of {', '.join(KEYS)}")
    return values


def _emotion(
    folder: Path, where: str, given: Any, language: str, max_seconds: float, name: str
) -> Voice:
    if not isinstance(given, Mapping) or not isinstance(given.get("audio"), str):
        raise VoicePackError(f"{where}: must be a mapping with the file name `audio`")
    _known(given, EMOTION_KEYS, where)
    clip = inside(folder, given["audio"])
    if clip is None or clip.stat().st_size > MAX_CLIP_BYTES:
        raise VoicePackError(f"{where}: audio {given['audio']!r} is no file inside {folder}")
    data = clip.read_bytes()
    try:
        decode_recording(data, max_seconds=max_seconds)
    except ApiError as error:
        raise VoicePackError(f"{where}: {error.detail}") from None
    text = given.get("text", "") or ""
    if not isinstance(text, str):
        raise VoicePackError(f"{where}: text must be what the recording says")
    spoken_in = _language(given.get("language", language), where)
    digest = hashlib.sha256(data).hexdigest()
    return Voice(name, clip, text, spoken_in, name, digest=digest)


def _language(value: Any, where: str) -> str:
    if value not in LANGUAGES:
        raise VoicePackError(f"{where}: language {value!r}; there are {', '.join(LANGUAGES)}")
    return str(value)


def _known(values: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise VoicePackError(f"{where}: unknown key {key!r}; {hint}")
