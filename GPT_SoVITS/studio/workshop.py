"""What all pages share: roots, jobs, loaded talkers, live streams. Nothing of a single visitor."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from GPT_SoVITS.studio.jobs import Jobs
from GPT_SoVITS.studio.live import LiveStreams
from GPT_SoVITS.studio.roots import Roots

if TYPE_CHECKING:
    from GPT_SoVITS.inference import Talker

KEPT_TALKERS = 2


class TalkerShelf:
    """Talkers by folder and adapter, loaded when first asked for; the last few stay in memory."""

    def __init__(self, device: str = "auto") -> None:
        self.device = device
        self._loaded: OrderedDict[tuple[str, str, int], Talker] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, folder: Path, adapter: str = "") -> Talker:
        """The talker of a folder as it is on disk now; a newly trained one is read anew."""
        from GPT_SoVITS.inference import Talker

        mark = sum(p.stat().st_mtime_ns for p in sorted(folder.glob("*.safetensors")))
        key = (str(folder), adapter, mark)
        with self._lock:
            if key not in self._loaded:
                talker = Talker.load(folder, device=self.device)
                self._loaded[key] = talker.with_adapter(adapter) if adapter else talker
            self._loaded.move_to_end(key)
            while len(self._loaded) > KEPT_TALKERS:
                self._loaded.popitem(last=False)
            return self._loaded[key]


@dataclass(frozen=True)
class Workshop:
    """One per studio."""

    roots: Roots
    jobs: Jobs
    cache: Path
    """Private folder for sounds and pictures that pages show."""
    configs: Path
    shelf: TalkerShelf = field(default_factory=TalkerShelf)
    live: LiveStreams = field(default_factory=LiveStreams)

    def new_file(self, suffix: str) -> Path:
        """A place in the cache whose name cannot be guessed."""
        folder = self.cache / secrets.token_urlsafe(16)
        folder.mkdir(parents=True, mode=0o700)
        return folder / f"sound{suffix}" if suffix != ".png" else folder / "picture.png"
