"""The dialogue the demo answers: one of the validation split, so no training step has seen it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.dialogue.manifest import S1Record, TurnRecord, read_s1

HISTORY_SHOWN = 4


@dataclass(frozen=True)
class HeldOut:
    """A prepared validation dialogue and the turn in it that the model shall speak."""

    data: Path
    dialogue: S1Record
    target: int

    @property
    def response(self) -> TurnRecord:
        """The turn to be spoken, as the manifest has it."""
        return self.dialogue.turns[self.target]

    @property
    def history(self) -> tuple[TurnRecord, ...]:
        """The turns before it, oldest first."""
        return self.dialogue.turns[max(0, self.target - HISTORY_SHOWN) : self.target]

    def audio(self, turn: TurnRecord) -> Path:
        """The 32 kHz recording of a turn."""
        return self.data / "3_speech" / "audio" / f"{turn.id}.flac"

    def dialogue_json(self, folder: Path) -> dict[str, Any]:
        """The content of dialogue.json, audio paths relative to `folder` (README.md)."""
        turns = [
            {
                "speaker": turn.speaker,
                "text": turn.text,
                "language": turn.language,
                "audio": os.path.relpath(self.audio(turn), folder),
            }
            for turn in self.history
        ]
        keys = ("speaker", "text", "language")
        response = {key: getattr(self.response, key) for key in keys}
        return {"schema_version": 1, "turns": turns, "response": response}


def choose_held_out(data: Path) -> HeldOut:
    """The last target of the first English validation dialogue; of any where there is none."""
    dialogues = list(read_s1(data / "5_sequences" / "s1_valid.jsonl"))
    usable = [one for one in dialogues if any(target >= 2 for target in one.targets)]
    if not usable:
        raise SystemExit(f"demo: no validation dialogue with two history turns in {data}")
    english = [one for one in usable if one.turns[0].language == "en"]
    chosen = (english or usable)[0]
    return HeldOut(data, chosen, max(chosen.targets))
