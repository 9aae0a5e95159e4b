"""Spoken files kept on disk, each complete or absent, with its provenance beside it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import GPT_SoVITS
from GPT_SoVITS.server.speaking import Plan, Say

SUFFIXES = {"pcm": "pcm", "raw": "pcm"}


def provenance(plan: Plan, *, model: str, request_id: str) -> dict[str, Any]:
    """Where a sound comes from: said in a header of each reply, and in a file beside a kept one."""
    text = "\n".join(part.text for part in plan.parts if isinstance(part, Say))
    digests = [part.voice.digest for part in plan.parts if isinstance(part, Say)]
    return {
        "synthetic": True,
        "generator": f"gpt-sovits-dialogue {GPT_SoVITS.__version__}",
        "model": model,
        "voices": plan.voices,
        "voice_sha256": sorted(set(digests)),
        "seed": plan.options.seed,
        "text_sha256": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
        "request_id": request_id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


class Archive:
    """A folder of `<request id>.<format>` and `<request id>.json`."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, name: str, form: str, data: bytes, facts: Mapping[str, Any]) -> Path:
        """Write both files; the sound appears last and only whole. Raises OSError."""
        path = self.folder / f"{name}.{SUFFIXES.get(form, form)}"
        told = dict(facts) | {"file": path.name, "sha256": hashlib.sha256(data).hexdigest()}
        beside = path.with_suffix(".json")
        self._write(beside, json.dumps(told, indent=2).encode())
        try:
            self._write(path, data)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        return path

    def _write(self, path: Path, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(prefix=".part-", dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
