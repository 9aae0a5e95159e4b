"""Model files: our own safe format, talker folders, and the door to published checkpoints.

The names load when they are first used: a hostile file is refused before torch is imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from GPT_SoVITS.checkpoints.errors import CheckpointError
    from GPT_SoVITS.checkpoints.format import read_header, save_model
    from GPT_SoVITS.checkpoints.header import ModelHeader
    from GPT_SoVITS.checkpoints.loading import (
        load_discriminators,
        load_s1,
        load_s2,
        load_speaker,
    )
    from GPT_SoVITS.checkpoints.talker_folder import TalkerFolder, read_talker, write_talker

__all__ = [
    "CheckpointError",
    "ModelHeader",
    "TalkerFolder",
    "load_discriminators",
    "load_s1",
    "load_s2",
    "load_speaker",
    "read_header",
    "read_talker",
    "save_model",
    "write_talker",
]

_HOMES = {
    "CheckpointError": "errors",
    "ModelHeader": "header",
    "TalkerFolder": "talker_folder",
    "load_discriminators": "loading",
    "load_s1": "loading",
    "load_s2": "loading",
    "load_speaker": "loading",
    "read_header": "format",
    "read_talker": "talker_folder",
    "save_model": "format",
    "write_talker": "talker_folder",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
