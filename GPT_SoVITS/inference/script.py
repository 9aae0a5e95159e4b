"""What is said in which order: a text, long or marked up, as lines and silences.

"Short answer."                              -> [Line]
a long text                                  -> [Line][Silence][Line] …   cut by meaning
<speak>Hello <break time="1s"/> you</speak>  -> [Line][Silence][Line]     (text/ssml.py)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from GPT_SoVITS.inference.options import SPEED_RANGE, GenerationOptions
from GPT_SoVITS.text.cuts import by_meaning, weight
from GPT_SoVITS.text.errors import TextError
from GPT_SoVITS.text.ssml import Break, parse


@dataclass(frozen=True)
class Line:
    """Text spoken in one go."""

    text: str
    speed: float = 1.0
    """Speaking rate, the options' included."""
    voice: str | None = None
    """A speaker the model knows; None: the reply's own voice."""


@dataclass(frozen=True)
class Silence:
    """A pause in seconds."""

    seconds: float


def script_of(text: str, options: GenerationOptions) -> list[Line | Silence]:
    """Lines and silences of a text or an SSML document; at least one line. Raises `TextError`."""
    if not isinstance(text, str):
        raise TextError(f"text must be a string, not {type(text).__name__}")
    given: list[Line | Silence] = [Line(text, options.speed)]
    if text.lstrip().startswith("<speak"):
        given = [
            Silence(part.seconds)
            if isinstance(part, Break)
            else Line(part.text, _speed(part.speed * options.speed), part.voice)
            for part in parse(text)
        ]
    lines: list[Line | Silence] = []
    for part in given:
        if isinstance(part, Silence):
            lines.append(part)
            continue
        cut = [replace(part, text=piece) for piece in _pieces(part.text, options)]
        for line in cut:
            if lines and isinstance(lines[-1], Line):
                lines.append(Silence(options.part_pause))
            lines.append(line)
    if not any(isinstance(part, Line) for part in lines):
        raise TextError("the text is empty: there is nothing to speak in it")
    return lines


def _pieces(text: str, options: GenerationOptions) -> list[str]:
    longest = options.longest_part
    if not longest or weight(text) <= longest:
        return [text]
    return by_meaning(text, target=math.ceil(longest / 2), longest=longest)


def _speed(speed: float) -> float:
    low, high = SPEED_RANGE
    if not low - 1e-9 <= speed <= high + 1e-9:
        raise TextError(
            f"speed is {speed:g} (option and markup together); it must be from {low:g} to {high:g}"
        )
    return min(max(speed, low), high)
