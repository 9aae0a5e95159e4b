"""Train, ask under every condition, judge: the steps of the benchmark, each kept on disk."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.format import load_s1
from GPT_SoVITS.checkpoints.tokenizer_file import load_tokenizer
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.dialogue.manifest import read_s1
from GPT_SoVITS.evaluation.benchmark.conditions import CONDITIONS, donors, prompt_of, speak
from GPT_SoVITS.evaluation.benchmark.config import BenchmarkConfig
from GPT_SoVITS.evaluation.benchmark.corpus import (
    BenchmarkError,
    Item,
    Rule,
    read_items,
    read_rule,
    style_of,
    write_training,
)
from GPT_SoVITS.evaluation.benchmark.probe import StyleProbe, text_probe_guesses
from GPT_SoVITS.evaluation.metrics.intervals import bootstrap_mean
from GPT_SoVITS.training.train_s1 import main as train_s1

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exam:
    """Everything that judges; nothing of it is seen by training."""

    items: list[Item]
    swaps: list[Item]
    rule: Rule
    probe: StyleProbe
    facts: dict[str, Any]

    @property
    def chance(self) -> float:
        """Classes are balanced: one over their number."""
        return 1.0 / len({item.style for item in self.items})

    @property
    def groups(self) -> list[str]:
        """Dialogue of each item."""
        return [item.dialogue for item in self.items]


def set_exam(config: BenchmarkConfig) -> Exam:
    """Items, rule and probes from the labelled corpus."""
    data = Path(config.data)
    train = list(read_s1(data / "5_sequences" / "s1_train.jsonl"))
    items = read_items(data, most=config.items)
    tokenizer, _ = load_tokenizer(data / "4_semantic" / "tokenizer.safetensors")
    table = tokenizer.quantizer.decode(_all_codes(tokenizer)).numpy()[0].T
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
        "text_probe": bootstrap_mean(_same(guesses, styles), groups).as_dict(),
    }
    return Exam(items, donors(items, seed=0), rule, probe, facts)


def _all_codes(tokenizer: Any) -> Any:
    import torch

    return torch.arange(tokenizer.quantizer.n_codes)[None]


def _same(found: Sequence[str], wanted: Sequence[str]) -> list[float]:
    return [float(a == b) for a, b in zip(found, wanted, strict=True)]


def train_model(config: BenchmarkConfig, name: str) -> Path:
    """Train one of the models, or go on with it, or take it as it is -> its file."""
    output = Path(config.output)
    data = output / ("training_control" if name == "control" else "training")
    if not (data / "facts.json").is_file():
        facts = write_training(config.data, data, control=name == "control", seed=config.seed)
        log.info("%s: %d dialogues, %d responses", data, facts["dialogues"], facts["responses"])
    target = output / name / "talker" / "s1.safetensors"
    if target.is_file():
        log.info("%s: trained before", target)
        return target
    command = ["--config", config.s1, "--data.folder", str(data), "--run.folder"]
    command += [str(output / name), "--run.seed", str(config.seed), *config.train]
    if name == "no_history":
        command += ["--layout.history_turns", "0"]
    return train_s1(command)


def conditions_for(name: str) -> tuple[str, ...]:
    """Conditions a model is asked under: all of them, or those that make sense."""
    return {"history": CONDITIONS, "no_history": ("none",), "control": ("full", "shuffled")}[name]


def replies(
    config: BenchmarkConfig, name: str, condition: str, model_file: Path, exam: Exam
) -> list[list[int]]:
    """Tokens of every item; read back where this condition was asked before."""
    path = Path(config.output) / "replies" / f"{name}_{condition.replace('=', '_')}.json"
    ids = [item.response.id for item in exam.items]
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["items"] != ids:
            raise BenchmarkError(f"{path} answers other items; delete the folder {path.parent}")
        return kept["codes"]
    model, header = load_s1(model_file)
    layout = LayoutConfig(**header.layout)
    prompts = [
        prompt_of(item, condition, layout, swap) for item, swap in zip(exam.items, exam.swaps)
    ]
    codes = speak(model, prompts, config.sampling, mask=layout.mask, seed=config.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    values = {"items": ids, "heard": [prompt.heard for prompt in prompts], "codes": codes}
    partial.write_text(json.dumps(values) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return codes


def judge(exam: Exam, condition: str, styles: Sequence[str]) -> dict[str, Any]:
    """Judged styles of the replies -> agreement with the true style, and with what was heard."""
    wanted = [item.style for item in exam.items]
    same = _same(styles, wanted)
    found: dict[str, Any] = {"agreement": bootstrap_mean(same, exam.groups).as_dict()}
    for language in sorted({item.response.language for item in exam.items}):
        ours = [k for k, item in enumerate(exam.items) if item.response.language == language]
        found[f"agreement_{language}"] = bootstrap_mean(
            [same[k] for k in ours], [exam.groups[k] for k in ours]
        ).as_dict()
    if condition == "shuffled":
        heard = [
            exam.rule(style_of(swap.turns[item.target - 1]))
            for item, swap in zip(exam.items, exam.swaps)
        ]
        found["agreement_with_given"] = bootstrap_mean(_same(styles, heard), exam.groups).as_dict()
    found["silent"] = sum(style == "silent" for style in styles)
    return found


def run(config: BenchmarkConfig) -> dict[str, Any]:
    """The whole benchmark of one seed -> its result, also written to result.json."""
    exam = set_exam(config)
    log.info("%d items, probe %.3f", len(exam.items), exam.facts["token_probe"])
    models = {name: train_model(config, name) for name in config.models}
    result: dict[str, Any] = {
        "seed": config.seed,
        "chance": exam.chance,
        "exam": exam.facts,
        "training": _training_facts(config),
        "models": {
            name: {
                condition: judge(
                    exam,
                    condition,
                    exam.probe.judge(replies(config, name, condition, path, exam)),
                )
                for condition in conditions_for(name)
            }
            for name, path in models.items()
        },
    }
    if config.talker:
        from GPT_SoVITS.evaluation.benchmark.sound import score_sound

        result["sound"] = score_sound(config, exam, models["history"])
    result["checks"] = checks(result)
    from GPT_SoVITS.evaluation.benchmark.report import write_report

    write_report(Path(config.output), result)
    return result


def _training_facts(config: BenchmarkConfig) -> dict[str, Any]:
    path = Path(config.output) / "training" / "facts.json"
    return json.loads(path.read_text(encoding="utf-8"))


def checks(result: dict[str, Any]) -> dict[str, bool]:
    """What the benchmark claims, true or false."""
    chance, full = result["chance"], result["models"]["history"]["full"]["agreement"]
    main = result["models"]["history"]
    near = {name: abs(main[name]["agreement"]["mean"] - chance) <= 0.1 for name in ("text", "none")}
    apart = all(
        full["low"] > main[name]["agreement"]["high"] for name in ("text", "none", "shuffled")
    )
    found = {
        "full history: agreement of 0.85 or more": full["mean"] >= 0.85,
        "text only: within 0.1 of chance": near["text"],
        "no history: within 0.1 of chance": near["none"],
        "shuffled: chance against the true style": abs(
            main["shuffled"]["agreement"]["mean"] - chance
        )
        <= 0.1,
        "shuffled: follows the given history (0.8 or more)": main["shuffled"][
            "agreement_with_given"
        ]["mean"]
        >= 0.8,
        "intervals of full and of the others do not overlap": apart,
    }
    if "control" in result["models"]:
        control = result["models"]["control"]["full"]["agreement"]["mean"]
        found["control (history permuted in training): within 0.1 of chance"] = (
            abs(control - chance) <= 0.1
        )
    return found


__all__ = ["Exam", "checks", "judge", "replies", "run", "set_exam", "train_model"]
