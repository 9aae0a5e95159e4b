"""What the published preparations leave behind, as turns. GPT-Talker's (spec: its five scripts):

    slicer_opt.list        wav|DailyTalk_EN_1|EN|text of this turn
    2-name2text.txt        7 fields; phonemes of up to two turns of history and of this one, joined
    4-cnhubert/<wav>.pt    (1, 768, T50), loaded as bare tensors only
    5-wav32k/<wav>
    6-name2semantic.tsv    name, codes of history and of this turn, their lengths

In the joined fields a turn's own part is the last one, as long as the last length says.
GPT-SoVITS's has 4 fields (name, phonemes, word2ph, text), 2 columns and no dialogues: each
recording stands alone. The pickled `.npy` files are never opened. The lists are read whole: their
authors' are 24 000 lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from prepare_datasets.errors import PrepareError
from prepare_datasets.ledger import Entry
from prepare_datasets.readers.files import natural, parse_turn_name, printable, usable_id
from prepare_datasets.readers.turn import STAGE, Piece, RawTurn, origin_of

Take = Literal["codes", "features"]


def read_published(root: Path, *, corpus: str, take: Take) -> Iterator[Piece]:
    """Turns with their published phonemes and either the codes or the HuBERT features."""
    yield from _Published(root, corpus, take).pieces()


class _Published:
    def __init__(self, root: Path, corpus: str, take: Take) -> None:
        self.root, self.corpus, self.take = root, corpus, take
        self.alone = _fields(root) == 4
        listed = [] if self.alone else _rows(root, "slicer_opt.list")
        self.texts = {Path(wav.replace("\\", "/")).name: rest for wav, *rest in listed}
        rows = _rows(root, "6-name2semantic.tsv") if take == "codes" else []
        self.codes = {row[0]: row[1:] for row in rows if row[0] != "item_name"}

    def pieces(self) -> Iterator[Piece]:
        turns = []
        for row in sorted(_rows(self.root, "2-name2text.txt"), key=lambda row: natural(row[0])):
            piece = self._piece(row)
            if isinstance(piece, Entry):
                yield piece
            else:
                turns.append(piece)
        yield from sorted(turns, key=lambda one: (natural(one.dialogue), one.index))

    def _piece(self, row: list[str]) -> Piece:
        if self.alone:
            return self._single(row)
        name = row[0]
        turn, path = parse_turn_name(Path(name).stem), f"5-wav32k/{name}"
        if turn is None or len(row) != 7:
            message = f"a line of 2-name2text.txt with {len(row)} fields"
            return Entry(name, path, STAGE, "bad_name", message, len(row), 7)
        id_ = f"{self.corpus}/{turn.dialogue}/{turn.turn}"
        missing = self._missing(name)
        if missing:
            return Entry(id_, path, STAGE, "missing_import", missing)
        _, language, text = self.texts[name]
        try:
            phonemes = _own_part(row[1], row[4])
            record = RawTurn(
                id=id_,
                dialogue=f"{self.corpus}/{turn.dialogue}",
                index=turn.turn,
                speaker=f"{self.corpus}/{turn.speaker}",
                text=" ".join(text.split()),
                language={"EN": "en", "ZH": "zh"}.get(language.upper(), "auto"),
                audio=path,
                phonemes=phonemes,
            )
            return self._with_import(record, name, path)
        except ValueError as error:
            return Entry(id_, path, STAGE, "bad_import", str(error))

    def _single(self, row: list[str]) -> Piece:
        """A line of four fields."""
        name, path = row[0], f"5-wav32k/{row[0]}"
        stem = Path(name).stem if name.lower().endswith(".wav") else name
        if len(row) != 4 or not usable_id(stem) or "/" in stem:
            message = f"a line of 2-name2text.txt with {len(row)} fields, or a name no id can have"
            return Entry(printable(name), path, STAGE, "bad_name", message, len(row), 4)
        id_ = f"{self.corpus}/{stem}/0"
        missing = self._missing(name)
        if missing:
            return Entry(id_, path, STAGE, "missing_import", missing)
        try:
            turn = RawTurn(
                id=id_,
                dialogue=f"{self.corpus}/{stem}",
                index=0,
                speaker=f"{self.corpus}/0",
                text=" ".join(row[3].split()),
                language="auto",
                audio=path,
                phonemes=tuple(row[1].split()),
            )
            return self._with_import(turn, name, path)
        except ValueError as error:
            return Entry(id_, path, STAGE, "bad_import", str(error))

    def _with_import(self, turn: RawTurn, name: str, path: str) -> RawTurn:
        if self.take == "codes":
            row = self.codes[name]
            own = row[0].split() if self.alone else _own_part(*row)
            codes = tuple(int(code) for code in own)
            return replace(turn, codes=codes, origin=origin_of(self.root / path))
        features = f"4-cnhubert/{name}.pt"
        return replace(turn, features=features, origin=origin_of(self.root / features))

    def _missing(self, name: str) -> str:
        if not self.alone and len(self.texts.get(name, ())) != 3:
            return "no line of its own in slicer_opt.list"
        if not (self.root / f"5-wav32k/{name}").is_file():
            return f"5-wav32k/{name} is not there"
        if self.take == "codes" and len(self.codes.get(name, ())) != (1 if self.alone else 2):
            return "no line of its own in 6-name2semantic.tsv"
        if self.take == "features" and not (self.root / f"4-cnhubert/{name}.pt").is_file():
            return f"4-cnhubert/{name}.pt is not there"
        return ""


def _own_part(joined: str, lengths: str) -> tuple[str, ...]:
    """The last of the joined parts; `lengths` is a JSON list such as [36, 59, 73]."""
    parts, counts = joined.split(), json.loads(lengths)
    if not counts or sum(counts) != len(parts):
        raise ValueError(f"lengths {lengths} do not add up to {len(parts)} joined items")
    return tuple(parts[len(parts) - counts[-1] :])


def _fields(root: Path) -> int:
    """How many fields the first line of 2-name2text.txt has."""
    return len(next(iter(_rows(root, "2-name2text.txt")), []))


def _rows(root: Path, name: str) -> list[list[str]]:
    path = root / name
    if not path.is_file():
        raise PrepareError(f"{path} is missing; --raw must be a published `processed` folder")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    mark, most = ("|", 3) if name.endswith(".list") else ("\t", -1)
    return [line.split(mark, most) for line in lines if line.strip()]
