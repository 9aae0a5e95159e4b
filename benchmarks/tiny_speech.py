"""The bundled model against its bars: `python -m benchmarks.tiny_speech`.

Held-out sentences are spoken and heard by the evaluation loop (configs/evaluate/tiny_speech.yaml;
resumable, its report has every sound), the style of replies is judged on their tokens under three
histories, and the voice by the nearest of all voices. Recordings are the synthesiser's own; a ratio
is an error rate over that of the recordings of the same sentences.

    heard     word errors of the voices whose recordings are heard at 15 % or better, phone errors
              of all others, and of Mandarin
    ends      EOS before the limit, duration beside the recording's, loops and endless silence
    style     a probe fitted on recordings' tokens, after the true history, none, and another's
    voice     linear discriminants of spectra, fitted on recordings of other sentences
    speed     sound / wall, first chunk

Prints a table and, as its last line, one JSON object; exits with 1 where a bar is not met.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.voice_judge import VoiceJudge
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.dialogue.manifest import read_s1
from GPT_SoVITS.evaluation.benchmark.conditions import donors, prompt_of, speak
from GPT_SoVITS.evaluation.benchmark.corpus import Item, read_rule, style_of
from GPT_SoVITS.evaluation.benchmark.exam import same
from GPT_SoVITS.evaluation.benchmark.probe import StyleProbe, codebook_of
from GPT_SoVITS.evaluation.command import config_of
from GPT_SoVITS.evaluation.loop.config import EvaluateConfig
from GPT_SoVITS.evaluation.loop.items import sentences_of
from GPT_SoVITS.evaluation.loop.ledger import Key, Ledger, Row
from GPT_SoVITS.evaluation.loop.run import run
from GPT_SoVITS.evaluation.loop.score import counts_of
from GPT_SoVITS.evaluation.metrics.intervals import bootstrap_mean
from GPT_SoVITS.evaluation.metrics.words import ErrorCounts, corpus_rate
from GPT_SoVITS.inference import Talker
from GPT_SoVITS.inference.reply import sampling

Rows = Mapping[Key, Row]
HEARD_AT = 0.15
"""A voice whose recordings have more word errors is judged by phones."""
MOST_TOKENS = 300
BARS: dict[str, tuple[float, float]] = {
    "en words, reply / recording": (0.0, 1.5),
    "en words, resynthesis / recording": (0.0, 1.2),
    "en phones, reply / recording": (0.0, 1.5),
    "en phones, resynthesis / recording": (0.0, 1.2),
    "zh phones, reply / recording": (0.0, 1.5),
    "zh phones, resynthesis / recording": (0.0, 1.2),
    "ended by EOS": (0.99, 1.0),
    "duration ratio, median": (0.9, 1.1),
    "collapsed": (0.0, 0.01),
    "style, true history": (0.8, 1.0),
    "style, no history": (0.15, 0.35),
    "voice recognised": (0.95, 1.0),
    "RTF": (0.0, 1.0),
    "first chunk (s)": (0.0, 1.0),
}
"""What is measured -> the least and the most that is accepted (chance of style is 0.25)."""


def unseen_items(data: Path, split: str, *, unlike: Path) -> list[Item]:
    """Responses of a split, with dialogue and style, whose sentence `unlike` has not taught."""
    known = sentences_of(unlike)
    return [
        Item(record.dialogue, record.turns, target, style_of(record.turns[target]))
        for record in read_s1(data / "5_sequences" / f"s1_{split}.jsonl")
        for target in record.targets
        if record.turns[target].text.strip() not in known
    ]


def heard(
    rows: Rows, system: str, items: Sequence[Item], recognizer: str, unit: str
) -> list[ErrorCounts]:
    """Counts of every item; one that was not heard is all deleted."""
    found = []
    for item in items:
        row = rows["score", system, item.response.id]
        if row["status"] == "ok":
            found.append(counts_of(row["heard"][recognizer][unit]))
        else:
            words = len(item.response.text.split() if unit == "words" else item.response.phonemes)
            found.append(ErrorCounts(0, words, 0, words))
    return found


def errors(config: EvaluateConfig, rows: Rows, items: Sequence[Item]) -> dict[str, Any]:
    """Rates of recordings, resynthesis and replies, and their ratios, group by group."""
    english = [item for item in items if item.response.language == "en"]
    by_voice = {
        voice: corpus_rate(heard(rows, "recorded", own, "pocketsphinx", "words"))
        for voice in sorted({item.response.speaker for item in english})
        if (own := [item for item in english if item.response.speaker == voice])
    }
    clear = [item for item in english if by_voice[item.response.speaker] <= HEARD_AT]
    unclear = [item for item in english if by_voice[item.response.speaker] > HEARD_AT]
    mandarin = [item for item in items if item.response.language == "zh"]
    parts = {
        "en words": (clear, "pocketsphinx", "words"),
        "en phones": (unclear, "phones", "phones"),
        "zh phones": (mandarin, "phones", "phones"),
        "en phones, all voices": (english, "phones", "phones"),  # beside the words; has no bar
    }
    found: dict[str, Any] = {"recorded word errors by voice": by_voice}
    for name, (own, recognizer, unit) in parts.items():
        if not own:
            continue
        rates = {
            system: corpus_rate(heard(rows, system, own, recognizer, unit))
            for system in config.systems
        }
        found[name] = {"items": len(own)} | rates
        for label, system in (("reply", next(iter(config.models))), ("resynthesis",) * 2):
            found[f"{name}, {label} / recording"] = rates[system] / max(rates["recorded"], 1e-3)
    return found


def endings(config: EvaluateConfig, rows: Rows, items: Sequence[Item]) -> dict[str, float]:
    """EOS, durations and collapses of the replies."""
    name = next(iter(config.models))
    said = [rows["speak", name, item.response.id] for item in items]
    ratios = [
        len(row["tokens"]) / len(item.response.codes)
        for row, item in zip(said, items)
        if row["status"] == "ok"
    ]
    fine = [row["status"] == "ok" for row in said]
    return {
        "ended by EOS": sum(ok and row["ended"] for ok, row in zip(fine, said)) / len(said),
        "duration ratio, median": statistics.median(ratios),
        "collapsed": sum(not ok or row["collapses"] > 0 for ok, row in zip(fine, said)) / len(said),
    }


def styles(config: EvaluateConfig, rows: Rows, items: Sequence[Item]) -> dict[str, Any]:
    """Agreement of the replies' tokens with the rule, by history."""
    name, data = next(iter(config.models)), Path(config.source.unlike)
    talker = Talker.load(config.models[name], device="cpu")
    table = codebook_of(data)
    train = list(read_s1(data / "5_sequences" / "s1_train.jsonl"))
    turns = [turn for record in train for turn in record.turns]
    probe = StyleProbe(table).fit(
        [turn.codes for turn in turns], [style_of(turn) for turn in turns]
    )
    rule, swaps = read_rule(train), donors(items, seed=0)
    wanted, groups = [item.style for item in items], [item.dialogue for item in items]
    given = [rule(style_of(swap.turns[i.target - 1])) for i, swap in zip(items, swaps)]
    replies = {
        "true history": [rows["speak", name, item.response.id].get("tokens", []) for item in items]
    }
    options = sampling(talker.options, MOST_TOKENS, len(table))
    for label, condition in (("no history", "none"), ("another's history", "shuffled")):
        prompts = [prompt_of(i, condition, talker.layout, s) for i, s in zip(items, swaps)]
        replies[label] = speak(talker.s1, prompts, options, mask=talker.layout.mask, seed=0)
    found: dict[str, Any] = {
        "style probe on recordings": probe.accuracy([i.response.codes for i in items], wanted)
    }
    for label, codes in replies.items():
        judged = probe.judge(codes)
        agreed = bootstrap_mean(same(judged, wanted), groups)
        found[f"style, {label}"] = agreed.mean
        found[f"style, {label}, interval"] = [agreed.low, agreed.high]
        if label.startswith("another"):
            found["style, another's history, by the rule of that history"] = float(
                np.mean(same(judged, given))
            )
    return found


def voices(config: EvaluateConfig, folder: Path, rows: Rows, items: Sequence[Item]) -> Any:
    """Share of the recordings and of the replies judged to be the right voice."""
    judge = VoiceJudge(Path(config.source.unlike))
    found = {}
    for label, system in (
        ("voice recognised, recordings", "recorded"),
        ("voice recognised", next(iter(config.models))),
    ):
        said = [(item, rows["speak", system, item.response.id]) for item in items]
        right = [
            row["status"] == "ok"
            and judge(load_audio(folder / row["audio"])) == item.response.speaker
            for item, row in said
        ]
        found[label] = sum(right) / len(right)
    return found


def measure(config: EvaluateConfig) -> dict[str, Any]:
    """The loop, then everything its report does not have."""
    summary = run(config)
    folder, source = Path(config.output), config.source
    items = unseen_items(Path(source.data), source.split, unlike=Path(source.unlike))
    rows = Ledger(folder / "ledger.jsonl").rows
    items = [item for item in items if ("speak", "recorded", item.response.id) in rows]
    found: dict[str, Any] = {"items": {}}
    for language in ("en", "zh"):
        own = [item for item in items if item.response.language == language]
        found["items"][language] = len(own)
    found |= errors(config, rows, items) | endings(config, rows, items)
    found |= styles(config, rows, items) | voices(config, folder, rows, items)
    model = summary["systems"][next(iter(config.models))]
    found["RTF"] = model["speed"]["all"]["mean"]
    found["first chunk (s)"] = model["first_chunk_seconds"]["mean"]
    return found


def main() -> int:
    """Parse, measure, print; 1 where a bar is not met."""
    config = config_of(
        EvaluateConfig, None, name="tiny_speech", doc=__doc__, folder="configs/evaluate/"
    )
    found = measure(config)
    met = {}
    for name, (low, high) in BARS.items():
        if name in found:
            met[name] = bool(low <= found[name] <= high)
            verdict = "yes" if met[name] else "NO"
            print(f"{name:40s} {found[name]:7.3f}  {low:g} to {high:g}  {verdict}")
    print(json.dumps(machine.cpu() | found | {"met": met}))
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
