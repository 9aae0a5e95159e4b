"""Dialogues, and THE sequence format both training and inference use (`layout.py`)."""

from GPT_SoVITS.dialogue.layout import (
    Columns,
    EncodedTurn,
    LayoutConfig,
    LayoutError,
    build_sequence,
)
from GPT_SoVITS.dialogue.turn import Dialogue, DialogueError, Turn

__all__ = [
    "Columns",
    "Dialogue",
    "DialogueError",
    "EncodedTurn",
    "LayoutConfig",
    "LayoutError",
    "Turn",
    "build_sequence",
]
