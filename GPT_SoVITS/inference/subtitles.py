"""Timed words as subtitles (SRT) and as JSON.

1
00:00:00,120 --> 00:00:01,480
Let me look that up for you,
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.inference.timing import TimedWord

LONGEST_LINE = 42
"""Characters of a subtitle; a hanzi counts as two."""
LONGEST_SECONDS = 6.0
PAUSE = 0.3
"""A subtitle ends where nothing is said for so many seconds."""
SCHEMA_VERSION = 1


def to_srt(words: Sequence[TimedWord]) -> str:
    """SubRip text; empty for no words."""
    cues = [
        f"{number}\n{_clock(cue[0].start)} --> {_clock(cue[-1].end)}\n{_text(cue)}\n"
        for number, cue in enumerate(grouped(words), start=1)
    ]
    return "\n".join(cues)


def grouped(words: Sequence[TimedWord]) -> list[list[TimedWord]]:
    """Words that are shown together."""
    cues: list[list[TimedWord]] = []
    for word in words:
        if cues and _fits(cues[-1], word):
            cues[-1].append(word)
        else:
            cues.append([word])
    return cues


def to_json(speech: Speech, words: Sequence[TimedWord]) -> str:
    """What was said when, and what it was made from, as one JSON object."""
    found: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "sample_rate": speech.sample_rate,
        "seconds": round(speech.seconds, 3),
        "cut": speech.cut,
        "words": [
            {"text": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
            for word in words
        ],
        "phonemes": list(speech.phonemes),
        "codes": list(speech.codes),
    }
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def _fits(cue: Sequence[TimedWord], word: TimedWord) -> bool:
    return (
        word.start - cue[-1].end < PAUSE
        and word.end - cue[0].start <= LONGEST_SECONDS
        and _width(_text([*cue, word])) <= LONGEST_LINE
    )


def _text(cue: Sequence[TimedWord]) -> str:
    """Words with spaces between them but for hanzi."""
    text = cue[0].text
    for before, word in zip(cue, cue[1:]):
        joined = _is_wide(before.text[-1]) and _is_wide(word.text[0])
        text += word.text if joined else f" {word.text}"
    return text


def _width(text: str) -> int:
    return sum(2 if _is_wide(one) else 1 for one in text)


def _is_wide(character: str) -> bool:
    return "\u2e80" <= character <= "\u9fff"


def _clock(seconds: float) -> str:
    """12.345 -> 00:00:12,345"""
    whole = round(seconds * 1000)
    minutes, rest = divmod(whole, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"
