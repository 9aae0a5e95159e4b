"""Recognisers behind one interface: `open_recognizer("pocketsphinx")` and the like."""

from GPT_SoVITS.evaluation.asr.interface import (
    ENGINES,
    AsrConfig,
    AsrError,
    Recognizer,
    Transcript,
    open_recognizer,
)

__all__ = ["ENGINES", "AsrConfig", "AsrError", "Recognizer", "Transcript", "open_recognizer"]
