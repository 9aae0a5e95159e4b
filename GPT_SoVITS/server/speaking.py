"""From a checked request to a job: pieces of text with voices, pauses between them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.inference import GenerationOptions
from GPT_SoVITS.inference.options import SPEED_RANGE
from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.server.errors import ApiError
from GPT_SoVITS.server.jobs import Job, Work
from GPT_SoVITS.server.voice_pack import Voice
from GPT_SoVITS.server.voice_sessions import VoiceSessions
from GPT_SoVITS.server.voices import VoiceRegistry
from GPT_SoVITS.text import ssml
from GPT_SoVITS.text.cuts import LONGEST_PIECE, cut
from GPT_SoVITS.text.errors import TextError

SEEDS = 2**31


@dataclass(frozen=True)
class Say:
    """A piece of text spoken in one go."""

    text: str
    language: str
    voice: Voice
    speed: float = 1.0
    """Times the request's own speed."""


@dataclass(frozen=True)
class Pause:
    """Silence."""

    seconds: float


@dataclass(frozen=True)
class Plan:
    """All a spoken request consists of."""

    parts: tuple[Say | Pause, ...]
    options: GenerationOptions
    stream: str = "whole"
    """`whole`: a chunk per piece; `tokens`: chunks while a piece is still being decoded."""

    @property
    def voices(self) -> list[str]:
        """Names of the voices heard."""
        return list(dict.fromkeys(part.voice.name for part in self.parts if isinstance(part, Say)))

    @property
    def digest(self) -> str:
        """Hash of everything the sound depends on, the model excepted."""
        values = [
            {"pause": part.seconds}
            if isinstance(part, Pause)
            else {
                "text": part.text,
                "language": part.language,
                "speed": part.speed,
                "voice": {k: str(v) for k, v in vars(part.voice).items()},
            }
            for part in self.parts
        ]
        plain = [values, dataclasses.asdict(self.options), self.stream]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def options_from(base: GenerationOptions, *, longest: float, **given: object) -> GenerationOptions:
    """The model's options with what a request says, at most ``longest`` seconds of sound.

    A wrong value names its field. Raises `ApiError`.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    changes["max_seconds"] = min(base.max_seconds, longest)
    seed = changes.get("seed", -1)
    if seed == -1:
        changes["seed"] = secrets.randbelow(SEEDS)
    try:
        return dataclasses.replace(base, **changes)  # type: ignore[arg-type]
    except ValueError as error:
        raise ApiError(422, "invalid_request", str(error), param=str(error).split()[0]) from None


def check_text(text: str, *, longest: int, param: str) -> str:
    """The text, which must have something in it and not be too long."""
    if len(text) > longest:
        message = f"{param} has {len(text)} characters; at most {longest} are spoken at once"
        raise ApiError(413, "text_too_long", message, param=param)
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ApiError(422, "invalid_text", f"{param}: is no Unicode text", param=param)
    if not any(char.isalnum() for char in text):
        raise ApiError(422, "invalid_text", f"{param}: nothing in it can be spoken", param=param)
    return text


def plain_parts(
    text: str,
    *,
    language: str,
    voice: Voice,
    method: str = "meaning",
    pause: float = 0.2,
    longest: int = LONGEST_PIECE,
) -> list[Say | Pause]:
    """Pieces a text is cut into, pauses between them. Raises `ApiError`."""
    try:
        pieces = cut(text, method, language="en" if language == "en" else "zh", longest=longest)
    except TextError as error:
        raise ApiError(422, "invalid_text", str(error), param="text") from None
    parts: list[Say | Pause] = []
    for piece in pieces:
        if any(char.isalnum() for char in piece):
            parts += [Pause(pause)] if parts and pause else []
            parts.append(Say(piece.strip(), language, voice))
    if not parts:
        raise ApiError(422, "invalid_text", "nothing in the text can be spoken", param="text")
    return parts


def ssml_parts(
    document: str, *, language: str, voice: Voice, registry: VoiceRegistry
) -> list[Say | Pause]:
    """Pieces of an SSML document. Raises `ApiError`."""
    parts: list[Say | Pause] = []
    try:
        for part in ssml.parse(document):
            if isinstance(part, ssml.Break):
                parts.append(Pause(part.seconds))
                continue
            who = voice if part.voice is None else registry.find(part.voice)
            said = plain_parts(part.text, language=language, voice=who)
            parts += [
                dataclasses.replace(p, speed=part.speed) if isinstance(p, Say) else p for p in said
            ]
    except TextError as error:
        raise ApiError(422, "invalid_ssml", str(error), param="text") from None
    if not any(isinstance(part, Say) for part in parts):
        raise ApiError(422, "invalid_ssml", "SSML: nothing in it can be spoken", param="text")
    return parts


def work_of(plan: Plan, voices: VoiceSessions) -> Work:
    """What a worker does for a plan: yields Speech after Speech."""

    def work(job: Job) -> Iterator[Speech]:
        for part in plan.parts:
            job.check()
            if isinstance(part, Pause):
                yield Speech(np.zeros(round(part.seconds * SAMPLE_RATE), np.float32))
            else:
                yield from _speak(part, plan, voices, job)

    return work


def _speak(part: Say, plan: Plan, voices: VoiceSessions, job: Job) -> Iterator[Speech]:
    """One piece in its voice, alone: every piece hears the voice's reference and nothing else."""
    session, reference = voices.fork(part.voice)
    arguments = {
        "language": part.language,
        "reference_audio": reference,
        "options": dataclasses.replace(plan.options, speed=_speed(plan.options.speed * part.speed)),
        "cancel": job.stop,
    }
    if plan.stream == "whole":
        yield session.respond(part.text, **arguments)  # type: ignore[arg-type]
    else:
        yield from session.stream(part.text, **arguments)  # type: ignore[arg-type]


def _speed(speed: float) -> float:
    low, high = SPEED_RANGE
    if not low <= speed <= high:
        message = f"speed {speed:g} is outside {low:g} to {high:g}"
        raise ApiError(422, "invalid_request", message, param="speed")
    return speed
