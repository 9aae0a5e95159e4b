"""A dialogue as plain JSON: enough for another worker to go on as if it had been there.

A turn's tokens are frozen when made, so they travel; phonemes follow from the text, keys and
values from both. Sound travels as 32-bit float WAV, because the speaker statistics and the style
of the next reply are computed from its very samples.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import soundfile
from pydantic import BaseModel, ConfigDict, Field

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.dialogue.layout import EncodedTurn
from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.inference.turns import FinishedTurn
from GPT_SoVITS.server.errors import ApiError
from GPT_SoVITS.server.uploads import decode_recording

Code = Annotated[int, Field(ge=0)]


class TurnState(BaseModel):
    """One finished turn."""

    model_config = ConfigDict(extra="forbid")
    speaker: str = Field(min_length=1, max_length=100)
    text: str | None = Field(default=None, max_length=4000, description="null: not known yet")
    language: str = "auto"
    codes: list[Code] = Field(default=[], max_length=1600)
    audio: str | None = Field(default=None, description="base64 of a WAV, 32 kHz, 32-bit float")


class DialogueState(BaseModel):
    """All turns of a dialogue."""

    model_config = ConfigDict(extra="forbid")
    quantizer_id: str = ""
    turns: list[TurnState] = Field(max_length=1000)


def dump_state(session: DialogueSession, quantizer_id: str) -> DialogueState:
    """A session -> its turns."""
    turns = [
        TurnState(
            speaker=one.speaker,
            text=None if one.turn is None else one.turn.text,
            language="auto" if one.turn is None else one.turn.language,
            codes=[int(code) for code in one.encoded.codes],
            audio=None if one.samples is None else _wav(one.samples),
        )
        for one in session.turns
    ]
    return DialogueState(quantizer_id=quantizer_id, turns=turns)


def load_turns(
    talker: Talker, states: Sequence[TurnState], *, max_seconds: float
) -> list[FinishedTurn]:
    """Turns of a state, checked, ready for `DialogueSession.rebuild`. Raises `ApiError`."""
    finished = []
    most = talker.s2.config.n_codes
    for index, state in enumerate(states):
        where = f"state.turns.{index}"
        if any(code >= most for code in state.codes):
            raise ApiError(
                422, "invalid_state", f"{where}.codes: below {most} expected", param="state"
            )
        samples = None
        if state.audio is not None:
            data = unbase64(state.audio, param=f"{where}.audio")
            samples = decode_recording(
                data, max_seconds=max_seconds, param=f"{where}.audio", any_sound=True
            )
        turn, ids, bert = None, np.zeros(0, dtype=np.int64), None
        if state.text is not None:
            turn = Turn(state.speaker, state.text, state.language)
            phonemes, bert = talker.encode_text(turn.text, turn.language)
            ids = np.asarray(phonemes.ids)
        codes = np.asarray(state.codes, dtype=np.int64)
        encoded = EncodedTurn(state.speaker, ids, codes, bert)
        finished.append(FinishedTurn(turn, encoded, samples))
    return finished


def unbase64(text: str, *, param: str) -> bytes:
    """Strict base64; 422 otherwise."""
    try:
        return base64.b64decode(text.encode("ascii", "strict"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        message = f"{param}: is no base64"
        raise ApiError(422, "invalid_audio", message, param=param) from None


def _wav(samples: np.ndarray) -> str:
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="FLOAT")
    return base64.b64encode(file.getvalue()).decode()
