"""One row of a table of the paper (arXiv 2407.21491): how it is trained, and what was published."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

ROLES = ("single", "collection", "recording", "both")
METRICS = ("ssim", "dtwd", "n_dmos", "e_dmos")


@dataclass(frozen=True)
class Stage:
    """One training, from what the stage before left."""

    corpus: Literal["single", "collection", "recording", "both"]
    networks: tuple[Literal["s1", "s2"], ...] = ("s1", "s2")
    history: bool = True
    """False: every turn alone, as a single sentence."""


@dataclass(frozen=True)
class PaperConfig:
    """One row: trained (or loaded), spoken, scored."""

    table: str
    """Rows of one table are printed together."""
    row: str
    """The row's name, as the paper prints it."""
    published: dict[str, float]
    """What the paper prints: any of ssim, dtwd, n_dmos, e_dmos; empty where it has no such row."""
    published_data: str = ""
    """The corpus of that figure: NCSSD-EN, DailyTalk …"""
    corpora: dict[str, str] | None = None
    """Folder of prepared data for each of single, collection, recording, both; the same tokenizer
    for all. Default: the demo corpus for all four."""
    test: str = ""
    """Prepared data whose validation split is spoken; default: `corpora.recording`."""
    stages: tuple[Stage, ...] = (Stage("both"),)
    order: Literal["interleaved", "grouped"] = "interleaved"
    """ABAB or AABB."""
    turns: int = 3
    """The paper's N of the test, the current turn included: N - 1 turns are heard; 1: none."""
    trained_turns: int = 3
    """The paper's N of the training."""
    talker: str = ""
    """A trained talker folder, instead of training."""
    s1: str = "configs/s1/demo.yaml"
    """Training config of stage 1."""
    s2: str = "configs/s2/demo.yaml"
    """Training config of stage 2."""
    train_s1: tuple[str, ...] = ()
    """More overrides for train_s1.py."""
    train_s2: tuple[str, ...] = ()
    """More overrides for train_s2.py."""
    max_items: int = 60
    """Responses that are spoken."""
    speaker_network: str = ""
    """Local file of the published speaker network for SSIM; empty: statistics of the timbre."""
    output: str = "runs/paper"
    """Folder of all tables; a row has one of its own in it."""
    seed: int = 1234
    """Of training and speaking."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.published) - set(METRICS))
        if unknown:
            raise ValueError(f"published has {unknown}; known are {', '.join(METRICS)}")
        missing = sorted(set(ROLES) - set(self.folders))
        if missing or set(self.folders) - set(ROLES):
            raise ValueError(f"corpora must name a folder for each of {', '.join(ROLES)}")
        if self.turns < 1 or self.trained_turns < 1:
            raise ValueError("turns and trained_turns count the current turn: 1 or more")
        if not self.talker and not self.stages:
            raise ValueError("stages: at least one training, or name a talker")

    @property
    def folders(self) -> dict[str, str]:
        """Prepared data by role."""
        return self.corpora if self.corpora is not None else dict.fromkeys(ROLES, "data/demo")

    @property
    def test_data(self) -> Path:
        """Where the responses to speak come from."""
        return Path(self.test or self.folders["recording"])

    @property
    def slug(self) -> str:
        """File name of the row."""
        return "".join(c if c.isalnum() else "_" for c in self.row.lower()).strip("_")

    def stage_folder(self, number: int) -> Path:
        """Models after stage `number`: rows whose training agrees up to there share it."""
        facts = {
            "stages": [asdict(stage) for stage in self.stages[: number + 1]],
            "folders": self.folders,
            "order": self.order,
            "trained_turns": self.trained_turns,
            "configs": [self.s1, self.s2, *self.train_s1, "/", *self.train_s2],
            "seed": self.seed,
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]
        return Path(self.output) / "models" / digest
