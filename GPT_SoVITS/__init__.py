"""Conversational speech synthesis: hear a dialogue, speak its next turn in a fitting style.

    from GPT_SoVITS import Dialogue, Talker, Turn

    talker = Talker.load("runs/demo/talker")
    audio = talker.speak(Dialogue.load("dialogue.json"), "Sure, let me check.", seed=0)

The names load when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from GPT_SoVITS.dialogue import Dialogue, Turn
    from GPT_SoVITS.inference import GenerationOptions, Talker

__version__ = "0.1.0"
__all__ = ["Dialogue", "GenerationOptions", "Talker", "Turn", "__version__"]

_HOMES = {
    "Dialogue": "GPT_SoVITS.dialogue",
    "Turn": "GPT_SoVITS.dialogue",
    "GenerationOptions": "GPT_SoVITS.inference",
    "Talker": "GPT_SoVITS.inference",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
