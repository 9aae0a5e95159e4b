"""Step 2, transcripts -> phonemes: `python -m prepare_datasets.step2_text --config …`.

2_text/turns.jsonl   id, phonemes, ids, word2ph, normalized, language
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache, partial
from typing import Any

from GPT_SoVITS.text import Frontend, SymbolTable, TextConfig, TextError
from prepare_datasets import step1_dialogues
from prepare_datasets.config import PrepareConfig
from prepare_datasets.jsonl import fingerprint
from prepare_datasets.ledger import Entry
from prepare_datasets.limits import TextLimits
from prepare_datasets.pipeline import Step, StepResult
from prepare_datasets.work import Item, Outcome

NAME = "2_text"
STAGE = "step2_text"
VERSION = 2
WANTED = ("text", "language", "phonemes", "audio")


def step(config: PrepareConfig) -> Step:
    """The folder of this step."""
    return Step(config.folder / NAME, STAGE, number=2)


def run(config: PrepareConfig) -> StepResult:
    """Phonemes of every turn that step 1 kept."""
    compute = partial(phonemes, config.text, config.text_limits)
    return step(config).run(lambda: _items(config), compute, executor=config.place)


def _items(config: PrepareConfig) -> Iterator[Item]:
    settings = fingerprint(VERSION, _settings(config.text), config.text_limits)
    for turn in step1_dialogues.load(config):
        payload = {"id": turn["id"]} | {key: turn.get(key) for key in WANTED}
        yield Item(turn["id"], payload, fingerprint(settings, payload))


def _settings(config: TextConfig) -> dict[str, Any]:
    """Every field; of the lexicon its content, as its path stays when it is edited."""
    lexicon = None if config.lexicon is None else _content(config.lexicon)
    return asdict(config) | {"lexicon": lexicon}


def _content(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return fingerprint(file.read())


@lru_cache(maxsize=2)
def frontend(config: TextConfig) -> Frontend:
    """One per process: dictionaries load once."""
    return Frontend(config)


def phonemes(config: TextConfig, limits: TextLimits, turn: dict[str, Any]) -> Outcome:
    """One turn's text as phonemes, or the reason why it has none."""
    where = {"id": turn["id"], "path": turn["audio"], "stage": STAGE}
    imported = turn["phonemes"] is not None
    found = _imported(config, turn, where) if imported else _spoken(config, limits, turn, where)
    count = max((len(record["ids"]) for record in found.records), default=0)
    if count > limits.max_phonemes:
        message, code = "more phonemes than a turn may have", "too_many_phonemes"
        return Outcome(
            entries=(
                Entry(**where, code=code, message=message, value=count, limit=limits.max_phonemes),
            )
        )
    return found


def _spoken(
    config: TextConfig, limits: TextLimits, turn: dict[str, Any], where: dict[str, Any]
) -> Outcome:
    try:
        spoken = frontend(config)(turn["text"], turn["language"])
    except TextError as error:
        code = "unknown_tag" if str(error).startswith("unknown tag") else "no_speakable_text"
        return Outcome(entries=(Entry(**where, code=code, message=str(error)),))
    value = " ".join(f"U+{ord(char):04X}" for char in spoken.removed)
    code, share, limit = judge_removed(turn["text"], spoken.removed, limits)
    if share > limit:
        message = f"too much of it is not spoken ({value})"
        entry = Entry(**where, code=code, message=message, value=share, limit=limit)
        return Outcome(entries=(entry,))
    if spoken.unknown:
        message = "symbols outside the table; the audio has them, the text would not"
        unknown = " ".join(spoken.unknown)
        entry = Entry(**where, code="unknown_symbol", message=message, value=unknown)
        return Outcome(entries=(entry,))
    notices = []
    if spoken.removed:
        message = "characters that are not spoken"
        notices.append(
            Entry(**where, code="removed_text", message=message, value=value, action="notice")
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


def judge_removed(
    text: str, removed: tuple[str, ...], limits: TextLimits
) -> tuple[str, float, float]:
    """What the frontend left out -> code, share of the text (spaces aside), and its limit."""
    letters = {char for char in removed if char.isalpha()}
    foreign = _share(text, letters)
    if foreign > limits.max_foreign_share:
        return "unsupported_script", foreign, limits.max_foreign_share
    return "unspeakable_text", _share(text, set(removed)), limits.max_removed_share


def _share(text: str, chosen: set[str]) -> float:
    characters = [char for char in text if not char.isspace()]
    return round(sum(char in chosen for char in characters) / max(1, len(characters)), 4)


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


if __name__ == "__main__":
    from prepare_datasets.command import main

    main(steps="2")
