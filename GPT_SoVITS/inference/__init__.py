"""Speaking: options, sessions, the talker. The networks load when a talker is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from GPT_SoVITS.inference.options import GenerationOptions

if TYPE_CHECKING:
    from GPT_SoVITS.inference.cancel import ReplyCancelled
    from GPT_SoVITS.inference.session import DialogueSession
    from GPT_SoVITS.inference.speech import Speech
    from GPT_SoVITS.inference.talker import Talker

__all__ = ["DialogueSession", "GenerationOptions", "ReplyCancelled", "Speech", "Talker"]

_HOMES = {
    "DialogueSession": "GPT_SoVITS.inference.session",
    "ReplyCancelled": "GPT_SoVITS.inference.cancel",
    "Speech": "GPT_SoVITS.inference.speech",
    "Talker": "GPT_SoVITS.inference.talker",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
