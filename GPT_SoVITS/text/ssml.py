"""The useful subset of SSML -> texts with their rate and voice, and breaks between them.

    <speak>Hello <break time="300ms"/> <sub alias="World Wide Web">WWW</sub>
      <phoneme alphabet="pinyin" ph="chong2 qing4">重庆</phoneme>
      <prosody rate="slow">slowly</prosody> <voice name="anna">in her voice</voice></speak>

An element or attribute outside the subset is an error that names the subset. Declarations of types
and entities are refused before parsing, so that no document reaches a file or grows while parsed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from xml.etree import ElementTree

from GPT_SoVITS.text.config import TextConfig
from GPT_SoVITS.text.errors import TextError
from GPT_SoVITS.text.markup import Said, pieces, reading

RATES = {"x-slow": 0.6, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
SLOWEST, FASTEST = 0.5, 2.0
STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.0}
LONGEST_BREAK_S = 10.0
# Element -> required attributes, optional attributes.
ELEMENTS: dict[str, tuple[set[str], set[str]]] = {
    "speak": (set(), {"version", "lang"}),
    "p": (set(), set()),
    "s": (set(), set()),
    "break": (set(), {"time", "strength"}),
    "sub": ({"alias"}, set()),
    "phoneme": ({"ph"}, {"alphabet"}),
    "prosody": ({"rate"}, set()),
    "voice": ({"name"}, set()),
}
ALPHABETS = ("pinyin", "arpabet")
DEEPEST = 32


@dataclass(frozen=True)
class Utterance:
    """Text for the frontend, at a speed (1.0 is normal), in a voice (None: the default one)."""

    text: str
    speed: float = 1.0
    voice: str | None = None


@dataclass(frozen=True)
class Break:
    """Silence."""

    seconds: float


def parse(document: str) -> list[Utterance | Break]:
    """The parts of one `<speak>` document, in order. Raises `TextError`."""
    if re.search(r"<!(?:DOCTYPE|ENTITY)|<\?(?!xml\s)", document, flags=re.IGNORECASE):
        raise TextError("SSML with a document type, an entity or an instruction is refused")
    try:
        root = ElementTree.fromstring(document.strip())
    except (ElementTree.ParseError, ValueError) as error:
        raise TextError(f"SSML: {error}") from error
    if _name(root.tag) != "speak":
        raise TextError(f"SSML: the outermost element is <{_name(root.tag)}>, not <speak>")
    joined: list[Utterance | Break] = []
    for part in _parts(root, Utterance(""), 0):
        last = joined[-1] if joined else None
        if isinstance(part, Utterance) and isinstance(last, Utterance) and _alike(part, last):
            joined[-1] = replace(last, text=last.text + part.text)
        else:
            joined.append(part)
    return [part for part in joined if isinstance(part, Break) or part.text.strip()]


def _alike(one: Utterance, other: Utterance) -> bool:
    return (one.speed, one.voice) == (other.speed, other.voice)


def _name(tag: str) -> str:
    """Without the namespace."""
    return tag.rpartition("}")[2]


def _parts(
    element: ElementTree.Element, context: Utterance, depth: int
) -> Iterator[Utterance | Break]:
    """What an element says, in its context of speed and voice."""
    name = _name(element.tag)
    given = _attributes(name, element)
    if depth > DEEPEST:
        raise TextError(f"SSML is nested deeper than {DEEPEST} elements")
    if name == "break":
        yield Break(_seconds(given))
        return
    if name in {"sub", "phoneme"}:
        if len(element):
            raise TextError(f"SSML: <{name}> holds text only")
        said = given["alias"] if name == "sub" else _phoneme(element.text or "", given)
        yield replace(context, text=said)
        return
    inner = context
    if name == "prosody":
        inner = replace(context, speed=_speed(given["rate"], context.speed))
    elif name == "voice":
        inner = replace(context, voice=given["name"])
    yield replace(inner, text=element.text or "")
    for child in element:
        yield from _parts(child, inner, depth + 1)
        yield replace(inner, text=child.tail or "")
    if name in {"p", "s"}:
        yield replace(inner, text="\n")


def _attributes(name: str, element: ElementTree.Element) -> dict[str, str]:
    if name not in ELEMENTS:
        raise TextError(f"SSML: <{name}> is not supported; there are {', '.join(ELEMENTS)}")
    required, optional = ELEMENTS[name]
    given = {_name(key): value for key, value in element.attrib.items()}
    if set(given) - required - optional:
        odd = ", ".join(sorted(set(given) - required - optional))
        known = ", ".join(sorted(required | optional)) or "none"
        raise TextError(f"SSML: <{name}> has no attribute {odd}; there are {known}")
    if required - set(given):
        raise TextError(f"SSML: <{name}> needs {', '.join(sorted(required - set(given)))}")
    return given


def _seconds(given: dict[str, str]) -> float:
    """300ms, 1.5s or a strength; without either a medium break."""
    if "time" not in given:
        strength = given.get("strength", "medium")
        if strength not in STRENGTHS:
            raise TextError(f"SSML: strength {strength!r}; there are {', '.join(STRENGTHS)}")
        return STRENGTHS[strength]
    match = re.fullmatch(r"\+?(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})(ms|s)", given["time"].strip())
    if match is None:
        raise TextError(f"SSML: break time {given['time']!r}; write 300ms or 1.5s")
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1)
    if seconds > LONGEST_BREAK_S:
        raise TextError(f"SSML: break of {seconds:g} s; {LONGEST_BREAK_S:g} s is the longest")
    return seconds


def _speed(rate: str, outer: float) -> float:
    """A name, 80% or 0.8, of the speed around it."""
    rate = rate.strip()
    number = re.fullmatch(r"(\d{1,4}(?:\.\d{1,6})?)(%?)", rate)
    if rate not in RATES and number is None:
        raise TextError(f"SSML: rate {rate!r}; write 80%, 0.8 or one of {', '.join(RATES)}")
    own = RATES[rate] if number is None else float(number[1]) / (100 if number[2] else 1)
    speed = outer * own
    if not SLOWEST - 1e-9 <= speed <= FASTEST + 1e-9 or not math.isfinite(speed):
        raise TextError(f"SSML: rate {speed:g}; it must be from {SLOWEST:g} to {FASTEST:g}")
    return speed


def _phoneme(text: str, given: dict[str, str]) -> str:
    """The word with its reading in the braces the frontend reads."""
    alphabet = given.get("alphabet", "").removeprefix("x-")
    said = reading(given["ph"])
    if said is None or (alphabet and alphabet not in ALPHABETS):
        known = " or ".join(ALPHABETS)
        raise TextError(f"SSML: phoneme {given['ph']!r} ({alphabet or 'any'}) is no {known}")
    word = text.strip()
    marked = f"{word}{{{given['ph']}}}"
    if not any(
        isinstance(part, Said) and part.text == word for part in pieces(marked, TextConfig())
    ):
        raise TextError(f"SSML: phoneme {given['ph']!r} does not fit {word!r}")
    return marked
