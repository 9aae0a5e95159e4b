"""Step 2, transcripts -> phonemes: `python -m prepare_datasets.step2_text --config …`.

2_text/turns.jsonl   id, phonemes, ids, word2ph, normalized, language
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from GPT_SoVITS.text import Frontend, SymbolTable, TextConfig, TextError
from prepare_datasets import step1_dialogues
from prepare_datasets.config import PrepareConfig
from prepare_datasets.ledger import Entry
from prepare_datasets.pipeline import Item, Outcome, Record, Step, StepResult, fingerprint

NAME = "2_text"
STAGE = "step2_text"
VERSION = 1


def run(config: PrepareConfig) -> StepResult:
    """Phonemes of every turn that step 1 kept."""
    items = []
    for turn in step1_dialogues.load(config).records:
        wanted = ("text", "language", "phonemes", "audio")
        payload = {"id": turn["id"]} | {key: turn.get(key) for key in wanted}
        mark = fingerprint(VERSION, _settings(config.text), payload)
        items.append(Item(turn["id"], payload, mark))
    step = Step(config.folder / NAME, STAGE)
    return step.run(items, partial(phonemes, config.text), workers=config.workers)


def _settings(config: TextConfig) -> dict[str, Any]:
    return {"symbols": config.symbols, "tags": config.tags, "english": config.english_dictionary}


@lru_cache(maxsize=2)
def _frontend(config: TextConfig) -> Frontend:
    """One per process: dictionaries load once."""
    return Frontend(config)


def phonemes(config: TextConfig, turn: dict[str, Any]) -> Outcome:
    """One turn's text as phonemes, or the reason why it has none."""
    where = {"id": turn["id"], "path": turn["audio"], "stage": STAGE}
    if turn["phonemes"] is not None:
        return _imported(config, turn, where)
    try:
        spoken = _frontend(config)(turn["text"], turn["language"])
    except TextError as error:
        return Outcome(entries=(Entry(**where, code="no_speakable_text", message=str(error)),))
    notices = []
    if spoken.removed:
        message = "characters that are not spoken"
        value = " ".join(spoken.removed)
        notices.append(
            Entry(**where, code="removed_text", message=message, value=value, action="notice")
        )
    if spoken.unknown:
        message = "symbols outside the table; the audio has them, the text would not"
        value = " ".join(spoken.unknown)
        return Outcome(
            entries=(Entry(**where, code="unknown_symbol", message=message, value=value),)
        )
    record = {
        "id": turn["id"],
        "phonemes": list(spoken.phonemes),
        "ids": list(spoken.ids),
        "word2ph": None if spoken.word2ph is None else list(spoken.word2ph),
        "normalized": spoken.normalized,
        "language": spoken.language,
    }
    return Outcome((record,), tuple(notices))


def _imported(config: TextConfig, turn: dict[str, Any], where: dict[str, Any]) -> Outcome:
    symbols = SymbolTable(config.symbols, tags=config.tags)
    unknown = symbols.unknown(turn["phonemes"])
    if unknown or not turn["phonemes"]:
        message = "imported phonemes outside the symbol table, or none"
        value = " ".join(unknown)
        return Outcome(
            entries=(Entry(**where, code="unknown_symbol", message=message, value=value),)
        )
    record = {
        "id": turn["id"],
        "phonemes": list(turn["phonemes"]),
        "ids": list(symbols.ids(turn["phonemes"])),
        "word2ph": None,
        "normalized": turn["text"],
        "language": turn["language"],
    }
    return Outcome((record,))


def load(config: PrepareConfig) -> list[Record]:
    """What this step wrote."""
    return Step(config.folder / NAME, STAGE).load(2)


def entries(config: PrepareConfig) -> list[Entry]:
    """What this step left out."""
    return Step(config.folder / NAME, STAGE).entries()


if __name__ == "__main__":
    from prepare_datasets.command import main

    main(steps="2")
