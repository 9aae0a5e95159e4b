"""Content features that are computed frame by frame, by the name `feature.kind` gives them.

`logmel` is not among them: it is normalised by what was heard of a speaker so far (`encode.py`).
How a feature is added, step by step: docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from GPT_SoVITS.features.encode import FrameFeatures


@dataclass(frozen=True)
class FrameKind:
    """How a feature is opened, and how wide it is."""

    dim: int
    """D of its (F, D) frames, 50 per second."""
    open: Callable[[Path | None, str, float | None], FrameFeatures]
    """Folder of its weights, device, seconds of sound per batch (None: as the device likes it)."""
    needs_folder: bool = False
    """Whether it has weights, which `--hubert DIR` names and a talker notes in talker.json."""


def _hubert(folder: Path | None, device: str, batch_seconds: float | None) -> FrameFeatures:
    from GPT_SoVITS.features.hubert import HubertFeatures

    assert folder is not None
    return HubertFeatures(folder, device=device, batch_seconds=batch_seconds)


FRAME_KINDS: dict[str, FrameKind] = {
    "hubert": FrameKind(768, _hubert, needs_folder=True),
}
