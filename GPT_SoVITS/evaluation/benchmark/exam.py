"""Everything that judges: items, the rule, the probes. Nothing of it is seen by training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.dialogue.manifest import read_s1
from GPT_SoVITS.evaluation.benchmark.conditions import donors
from GPT_SoVITS.evaluation.benchmark.config import BenchmarkConfig
from GPT_SoVITS.evaluation.benchmark.corpus import Item, Rule, read_items, read_rule, style_of
from GPT_SoVITS.evaluation.benchmark.probe import StyleProbe, codebook_of, text_probe_guesses
from GPT_SoVITS.evaluation.metrics.intervals import bootstrap_mean


@dataclass(frozen=True)
class Exam:
    """The questions of a run and who marks the answers."""

    items: list[Item]
    swaps: list[Item]
    """for every item the one whose history it is given as `shuffled`"""
    rule: Rule
    probe: StyleProbe
    n_codes: int
    """of the corpus's codebook"""
    facts: dict[str, Any]

    @property
    def chance(self) -> float:
        """Classes are balanced: one over their number."""
        return 1.0 / len({item.style for item in self.items})

    @property
    def groups(self) -> list[str]:
        """Dialogue of each item."""
        return [item.dialogue for item in self.items]

    @property
    def given(self) -> list[str]:
        """Style the rule asks for after the swapped history of each item."""
        return [
            self.rule(style_of(swap.turns[item.target - 1]))
            for item, swap in zip(self.items, self.swaps)
        ]


def set_exam(config: BenchmarkConfig) -> Exam:
    """Items, rule and probes from the labelled corpus."""
    data = Path(config.data)
    train = list(read_s1(data / "5_sequences" / "s1_train.jsonl"))
    items = read_items(data, most=config.max_items)
    table = codebook_of(data)
    turns = [turn for record in train for turn in record.turns]
    probe = StyleProbe(table).fit([t.codes for t in turns], [style_of(t) for t in turns])
    styles = [item.style for item in items]
    guesses = text_probe_guesses(
        [r.turns[t].text for r in train for t in r.targets],
        [style_of(r.turns[t]) for r in train for t in r.targets],
        [item.response.text for item in items],
    )
    groups = [item.dialogue for item in items]
    rule = read_rule(train)
    facts = {
        "items": len(items),
        "dialogues": len(set(groups)),
        "voices": sorted({turn.speaker for item in items for turn in item.turns}),
        "styles": {style: styles.count(style) for style in sorted(set(styles))},
        "rule": rule.table,
        "rule_agreement": rule.agreement,
        "token_probe": probe.accuracy([item.response.codes for item in items], styles),
        "text_probe": bootstrap_mean(same(guesses, styles), groups).as_dict(),
    }
    return Exam(items, donors(items, seed=0), rule, probe, len(table), facts)


def same(found: Sequence[str], wanted: Sequence[str]) -> list[float]:
    """1 where two styles agree, else 0."""
    return [float(a == b) for a, b in zip(found, wanted, strict=True)]


def judge(exam: Exam, condition: str, styles: Sequence[str]) -> dict[str, Any]:
    """Judged styles of the replies -> agreement with the true style, and with what was given."""
    wanted = [item.style for item in exam.items]
    hits = same(styles, wanted)
    found: dict[str, Any] = {"agreement": bootstrap_mean(hits, exam.groups).as_dict()}
    for language in sorted({item.response.language for item in exam.items}):
        ours = [k for k, item in enumerate(exam.items) if item.response.language == language]
        found[f"agreement_{language}"] = bootstrap_mean(
            [hits[k] for k in ours], [exam.groups[k] for k in ours]
        ).as_dict()
    if condition == "shuffled":
        follows = same(styles, exam.given)
        found["agreement_with_given"] = bootstrap_mean(follows, exam.groups).as_dict()
        found["hits_given"] = follows
    found["silent"] = sum(style == "silent" for style in styles)
    found["hits"] = hits
    return found
