"""What GPT-Talker's published preparation leaves behind, as turns (spec: its five scripts).

    slicer_opt.list        wav|DailyTalk_EN_1|EN|text of this turn
    2-name2text.txt        7 fields; phonemes of up to two turns of history and of this one, joined
    4-cnhubert/<wav>.pt    (1, 768, T50), loaded as bare tensors only
    5-wav32k/<wav>
    6-name2semantic.tsv    name, codes of history and of this turn, their lengths

In the joined fields a turn's own part is the last one, as long as the last length says. The pickled
`.npy` files are never opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from prepare_datasets.ledger import Entry
from prepare_datasets.pipeline import PrepareError, fingerprint
from prepare_datasets.readers.files import natural, parse_turn_name
from prepare_datasets.readers.turn import Found, RawTurn

STAGE = "step1_dialogues"
Take = Literal["codes", "features"]


def read_published(root: Path, *, corpus: str, take: Take) -> Found:
    """Turns with their published phonemes and either the codes or the HuBERT features."""
    texts = {
        Path(wav.replace("\\", "/")).name: rest for wav, *rest in _rows(root, "slicer_opt.list")
    }
    codes = dict(_codes(root)) if take == "codes" else {}
    found = Found()
    rows = sorted(_rows(root, "2-name2text.txt"), key=lambda row: natural(row[0]))
    for row in rows:
        name = row[0]
        turn = parse_turn_name(Path(name).stem)
        path = f"5-wav32k/{name}"
        if turn is None or len(row) != 7:
            message = f"a line of 2-name2text.txt with {len(row)} fields"
            found.entries.append(Entry(name, path, STAGE, "bad_name", message, len(row), 7))
            continue
        turn_id = f"{corpus}/{turn.dialogue}/{turn.turn}"
        missing = _missing(root, name, path, take, texts, codes)
        if missing:
            found.entries.append(Entry(turn_id, path, STAGE, "missing_import", missing))
            continue
        _, language, text = texts[name]
        features = f"4-cnhubert/{name}.pt"
        origin = root / (path if take == "codes" else features)
        record = RawTurn(
            id=turn_id,
            dialogue=f"{corpus}/{turn.dialogue}",
            index=turn.turn,
            speaker=f"{corpus}/{turn.speaker}",
            text=" ".join(text.split()),
            language={"EN": "en", "ZH": "zh"}.get(language.upper(), "auto"),
            audio=path,
            phonemes=_own_part(row[1].split(), row[4]),
            codes=codes[name] if take == "codes" else None,
            features=features if take == "features" else None,
        )
        found.turns.append(record)
        found.origins[turn_id] = fingerprint(origin.stat().st_size, origin.stat().st_mtime_ns)
    found.turns.sort(key=lambda one: (natural(one.dialogue), one.index))
    return found


def _missing(root, name, path, take, texts, codes) -> str:  # type: ignore[no-untyped-def]
    if len(texts.get(name, ())) != 3:
        return "no line of its own in slicer_opt.list"
    if not (root / path).is_file():
        return f"{path} is not there"
    if take == "codes" and name not in codes:
        return "no line of its own in 6-name2semantic.tsv"
    if take == "features" and not (root / f"4-cnhubert/{name}.pt").is_file():
        return f"4-cnhubert/{name}.pt is not there"
    return ""


def _codes(root: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    rows = _rows(root, "6-name2semantic.tsv")
    for name, joined, lengths in rows:
        if name != "item_name":
            yield name, tuple(int(code) for code in _own_part(joined.split(), lengths))


def _own_part(joined: list[str], lengths: str) -> tuple[str, ...]:
    """The last of the joined parts; `lengths` is a JSON list such as [36, 59, 73]."""
    counts = json.loads(lengths)
    if sum(counts) != len(joined):
        raise PrepareError(f"lengths {lengths} do not add up to {len(joined)} joined items")
    return tuple(joined[len(joined) - counts[-1] :])


def _rows(root: Path, name: str) -> list[list[str]]:
    path = root / name
    if not path.is_file():
        raise PrepareError(f"{path} is missing; --raw must be a published `processed` folder")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    split = (lambda l: l.split("|", 3)) if name.endswith(".list") else (lambda l: l.split("\t"))
    return [split(line) for line in lines if line.strip()]
