"""Whose voice is speaker 0? In DailyTalk the same person everywhere, in NCSSD it depends.

C-EN C-ZH (CL-…)   Collection: 0 = who speaks first, 1 = the other, anew in each dialogue
R-EN R-ZH (RC-…)   Recording: larger numbers look like persons, 0 stands on even turns of
                   different people; so 0 is kept local to its dialogue, the others are not
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from prepare_datasets.source import SourceConfig

SUBSET = re.compile(r"(?:\d+-)?(?P<kind>CL?|RC?)-(?P<language>EN|ZH)", re.IGNORECASE)


@dataclass(frozen=True)
class Naming:
    """How a dialogue's turn names are to be read."""

    language: str
    scope: str
    """Where larger speaker numbers hold: a subset, a dialogue, or the corpus ("")."""
    first_scope: str
    """Where speaker 0 holds."""

    def speaker(self, local: str) -> str:
        """Speaker id below the corpus."""
        scope = self.first_scope if local == "0" else self.scope
        return f"{scope}/{local}" if scope else local


def naming_of(dialogue: str, source: SourceConfig) -> Naming:
    """Naming of a dialogue (its id below the corpus)."""
    if source.reader == "ncssd":
        for part in dialogue.split("/"):
            match = SUBSET.fullmatch(part)
            if match:
                recorded = match["kind"].upper().startswith("R")
                scope = part if recorded else dialogue
                return Naming(match["language"].lower(), scope, dialogue)
        return Naming(source.language, dialogue, dialogue)
    scope = dialogue if source.speakers == "dialogue" else ""
    return Naming(source.language, scope, scope)
