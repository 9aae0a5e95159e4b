"""Dialogues, and THE sequence format both training and inference use (`layout.py`)."""

from GPT_SoVITS.dialogue.layout import (
    Columns,
    EncodedTurn,
    LayoutConfig,
    LayoutError,
    build_sequence,
)
from GPT_SoVITS.dialogue.turn import LANGUAGES, Dialogue, DialogueError, Language, Turn

__all__ = [
    "LANGUAGES",
    "Columns",
    "Dialogue",
    "DialogueError",
    "EncodedTurn",
    "Language",
    "LayoutConfig",
    "LayoutError",
    "Turn",
    "build_sequence",
]
