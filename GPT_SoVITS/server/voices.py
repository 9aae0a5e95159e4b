"""All voices a server can speak with: the talker's speakers, voice packs, uploads.

Requests hold the `Voice` they were given, so a reload changes nothing for those under way.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from GPT_SoVITS.audio.io import save_audio
from GPT_SoVITS.checkpoints.talker_folder import SpeakerEntry
from GPT_SoVITS.server.config import ServeConfig
from GPT_SoVITS.server.errors import ApiError, overloaded, voice_not_found
from GPT_SoVITS.server.logs import event
from GPT_SoVITS.server.uploads import decode_recording
from GPT_SoVITS.server.voice_pack import (
    FILE,
    MAX_CLIP_BYTES,
    Voice,
    VoicePack,
    VoicePackError,
    inside,
    read_pack,
    single,
)


class VoiceRegistry:
    """Voices by name; safe to use from any thread."""

    def __init__(
        self,
        config: ServeConfig,
        speakers: Mapping[str, SpeakerEntry],
        *,
        adapters: Collection[str] = (),
    ) -> None:
        self._config, self._adapters = config, set(adapters)
        self._lock = threading.Lock()
        self._speakers = {
            name: single(name, Voice(name, entry.clip, digest=_file_hash(entry.clip)), "speaker")
            for name, entry in speakers.items()
        }
        self._packs: dict[str, VoicePack] = {}
        self._uploads: dict[str, tuple[VoicePack, float]] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="gpt_sovits_voices_"))  # private: mode 0700
        self.reload()

    def close(self) -> None:
        """Forget all uploads and their files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def reload(self) -> dict[str, str]:
        """Read the voice packs again -> {pack refused: why}; the others are served from now on."""
        packs, refused = {}, {}
        root = Path(self._config.voices) if self._config.voices else None
        for folder in sorted(root.iterdir()) if root else ():
            if not (folder / FILE).is_file():
                continue
            try:
                pack = read_pack(folder, max_seconds=self._config.limits.reference_seconds)
                self._check_model(pack)
                packs[folder.name] = pack
            except VoicePackError as error:
                refused[folder.name] = str(error)
                event("voice_refused", level=logging.WARNING, voice=folder.name, reason=str(error))
        self._packs = packs
        return refused

    def all(self) -> list[VoicePack]:
        """Every voice: packs, speakers, uploads; a pack hides a speaker of the same name."""
        with self._lock:
            self._expire()
            uploads = {name: pack for name, (pack, _) in self._uploads.items()}
        return list((self._speakers | self._packs | uploads).values())

    def knows(self, name: str) -> bool:
        """Whether a voice is registered under this name or alias."""
        return self._pack(self._config.voice_aliases.get(name, name)) is not None

    def find(self, name: str | None, emotion: str | None = None) -> Voice:
        """The voice called `name` (or `name:emotion`), or the default one; 404 otherwise."""
        if not name:
            return self._default().voice(emotion)
        name = self._config.voice_aliases.get(name, name)
        pack = self._pack(name)
        if pack is None and ":" in name:
            name, _, emotion = name.rpartition(":")
            pack = self._pack(name)
            if pack is not None and emotion not in pack.emotions:
                raise voice_not_found()
        if pack is None:
            raise voice_not_found()
        return pack.voice(emotion)

    def find_references(self, paths: Sequence[str], *, text: str, language: str) -> Voice:
        """The first reference's voice, averaged with the further ones."""
        first, *others = [self._reference(path) for path in paths]
        first = replace(first, text=text, language=language) if text else first
        return replace(first, others=tuple(other.clip for other in others))

    def _reference(self, path: str) -> Voice:
        """api_v2's `ref_audio_path`: a voice's name, or a file below `allow_ref_root`.

        The recording is checked here; whatever cannot be had is one and the same 404.
        """
        root = self._config.allow_ref_root
        found = inside(Path(root), path) if root else None
        if found is None:
            return self.find(path)
        if found.stat().st_size > MAX_CLIP_BYTES:
            raise ApiError(413, "invalid_audio", "ref_audio_path: the file is too large")
        data = found.read_bytes()
        limit = self._config.limits.reference_seconds
        decode_recording(data, max_seconds=limit, param="ref_audio_path")
        digest = hashlib.sha256(data).hexdigest()
        return Voice("reference", found, digest=digest)

    def upload(self, samples: np.ndarray, *, text: str, language: str) -> VoicePack:
        """Keep a recording (T,), 32 kHz, as a voice for a while, under a name nobody can guess."""
        with self._lock:
            self._expire()
            if len(self._uploads) >= self._config.limits.uploaded_voices:
                raise overloaded("too many uploaded voices; delete one", retry_after=60)
            name = "voice_" + secrets.token_hex(8)
            path = save_audio(self._folder / f"{name}.wav", samples)
            digest = hashlib.sha256(samples.tobytes()).hexdigest()
            pack = single(name, Voice(name, path, text, language, digest=digest), "upload")
            self._uploads[name] = (pack, time.monotonic())
            return pack

    def delete(self, name: str) -> None:
        """Forget an upload; other voices belong to the server, not to its clients."""
        with self._lock:
            if name not in self._uploads:
                raise voice_not_found()
            self._forget(name)

    def _default(self) -> VoicePack:
        name = self._config.default_voice
        if name:
            pack = self._pack(name)
            if pack is None:
                raise voice_not_found()
            return pack
        found = self._packs or self._speakers
        if not found:
            raise voice_not_found()
        return next(iter(found.values()))

    def _pack(self, name: str) -> VoicePack | None:
        with self._lock:
            self._expire()
            if name in self._uploads:
                pack, _ = self._uploads[name]
                self._uploads[name] = (pack, time.monotonic())
                return pack
        return self._packs.get(name) or self._speakers.get(name)

    def _check_model(self, pack: VoicePack) -> None:
        for voice in pack.emotions.values():
            if voice.model and voice.model not in self._adapters:
                known = ", ".join(sorted(self._adapters)) or "none"
                raise VoicePackError(
                    f"{pack.name}: model {voice.model!r} is no adapter of the talker ({known})"
                )

    def _expire(self) -> None:
        oldest = time.monotonic() - 60 * self._config.limits.uploaded_voice_minutes
        for name in [name for name, (_, used) in self._uploads.items() if used < oldest]:
            self._forget(name)

    def _forget(self, name: str) -> None:
        pack, _ = self._uploads.pop(name)
        pack.voice().clip.unlink(missing_ok=True)


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
