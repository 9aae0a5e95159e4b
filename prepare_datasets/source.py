"""Where the turns come from: the `source` part of a config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from GPT_SoVITS.dialogue import Language

Reader = Literal["named", "ncssd", "list", "table", "audiofolder", "script", "published"]
Encoding = Literal["utf-8", "gb18030", "auto"]
Speakers = Literal["global", "dialogue"]


@dataclass(frozen=True)
class SourceConfig:
    """Which corpus, and in which form."""

    corpus: str = "demo"
    """First part of every id; two corpora never meet."""
    reader: Reader = "named"
    """named: <turn>_<speaker>_d<dialogue>.wav with .txt, .lab or metadata.json (DailyTalk);
    ncssd: the same below R-ZH, R-EN, C-ZH, C-EN, which say language and kind of speaker ids;
    list: `wav|speaker|language|text` lines (GPT-SoVITS), a fifth column names the dialogue;
    table: a JSONL, CSV or TSV manifest; audiofolder: Hugging Face's metadata.csv or .jsonl;
    script: `[S1] … [S2] …` dialogues with a recording per turn;
    published: the `processed` folder of GPT-Talker's own preparation."""
    manifest: str | None = None
    """File in the raw folder for list, table and script; default: the only one that fits."""
    language: Language = "auto"
    """Of turns whose metadata does not say."""
    speakers: Speakers = "global"
    """global: speaker 1 is the same person in every dialogue (DailyTalk);
    dialogue: numbers are local to a dialogue (NCSSD's Collection subsets)."""
    encoding: Encoding = "utf-8"
    """Of transcripts. utf-8: anything else is quarantined with the encoding it seems to have;
    auto: UTF-8, else GB18030 where that yields ordinary characters (NCSSD), with a notice."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+", self.corpus):
            raise ValueError(f"source.corpus {self.corpus!r}: use letters, digits, '-', '_', '.'")
        if self.corpus in (".", ".."):
            raise ValueError(f"source.corpus {self.corpus!r} is no name")
