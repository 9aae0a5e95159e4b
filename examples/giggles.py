"""Teach a trained talker a tag and measure it: `python -m examples.giggles`.

    demo dialogues, half of the turns with five bursts and <GIGGLES> -> five steps, base's tokenizer
    -> LoRA and the tag's new row in s2 and in s1
    -> held-out sentences with and without the tag: is the event there?
    -> can its tokens express it at all?  has untagged speech changed? -> report.md, sounds/

Needs the talker of `make demo` (or --base). A stage that ran with the same command is reused, and a
killed training goes on where it was; call the command again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from examples.demo import ROOT, Stage, run_stage
from examples.giggle import TAG, has_giggle, tagged, write_tagged_corpus
from examples.voice_similarity import interval
from GPT_SoVITS import Dialogue, Talker
from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import load_audio, save_audio
from GPT_SoVITS.audio.spectrogram import mel_spectrogram
from GPT_SoVITS.dialogue.history import sequence_of
from GPT_SoVITS.dialogue.manifest import S1Record, TurnRecord, read_s1
from GPT_SoVITS.evaluation.stage2 import speak_tokens
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.loss import semantic_loss

log = logging.getLogger("giggles")
SPOKEN = ("before", "after", "untagged", "base, untagged")
SAMPLING = {"repetition_penalty": 1.0, "temperature": 0.7, "top_k": 5}
"""How the sentences are said. The event is one token a dozen times over: the published penalty of
1.35 on tokens that were said before breaks it off after four."""
TOLERANCE = {"nats": 0.10, "mel": 0.05}
"""Untagged speech counts as unchanged while s1's held-out loss rises by no more than so many nats
per token, and s2's distance to the recordings by no more than this share."""


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    name: str
    dialogues: int
    s2_steps: int
    s1_steps: int
    sentences: int
    """Held-out sentences, each said with the tag and without."""


SIZES = {
    "default": Size("giggles", dialogues=240, s2_steps=450, s1_steps=1500, sentences=40),
    "tiny": Size("giggles_tiny", dialogues=12, s2_steps=4, s1_steps=4, sentences=2),
}


def corpus_stage(size: Size) -> Stage:
    """The dialogues as they are, without events."""
    raw = f"data/{size.name}_plain_raw"
    command = [sys.executable, "-m", "prepare_datasets.demo_corpus", "--output", raw]
    command += ["--first", "2000", "--dialogues", str(size.dialogues)]
    return Stage("plain corpus", command, ROOT / raw)


def stages(size: Size, base: Path) -> list[Stage]:
    """What follows once the events are in."""
    python, name = sys.executable, size.name
    raw, data, run = f"data/{name}_raw", f"data/{name}", f"runs/{name}"
    prepare = [python, "-m", "prepare_datasets", "--config", "configs/data/demo.yaml"]
    prepare += ["--raw", raw, "--output", data, "--name", "giggles", "--sequences.targets", "all"]
    prepare += ["--quantizer.tokenizer", str(base), "--text.tags", json.dumps([TAG])]
    common = ["--data.folder", data, "--run.folder", run, "--run.init_from", str(base)]
    s2 = [python, "train_s2.py", "--config", "configs/s2/lora_tag.yaml", *common]
    s1 = [python, "train_s1.py", "--config", "configs/s1/lora_tag.yaml", *common]
    s2 += ["--lora.name", "giggles", "--trainer.max_steps", str(size.s2_steps)]
    s1 += ["--lora.name", "giggles", "--trainer.max_steps", str(size.s1_steps)]
    configs = ROOT / "configs"
    return [
        Stage("five steps", prepare, ROOT / data / "5_sequences" / "s1_valid.jsonl"),
        Stage("LoRA s2", s2, ROOT / run / "s2_lora/learned.json", (configs / "s2/lora_tag.yaml",)),
        Stage("LoRA s1", s1, ROOT / run / "s1_lora/learned.json", (configs / "s1/lora_tag.yaml",)),
    ]


def measure(base: Path, size: Size) -> dict[str, Any]:
    """Everything the report says."""
    data, run = ROOT / "data" / size.name, ROOT / "runs" / size.name
    valid = list(read_s1(data / "5_sequences" / "s1_valid.jsonl"))
    train = read_s1(data / "5_sequences" / "s1_train.jsonl")
    known = {_words(turn.text) for one in train for turn in one.turns}
    turns = [turn for one in valid for turn in one.turns]
    plain = Talker.load(base, device="cpu")
    taught = plain.with_adapter(run / "talker" / "adapters" / "giggles")
    fresh = {_words(t.text): t for t in turns if _words(t.text) not in known}
    sentences = list(fresh.values())[: size.sentences]
    if not sentences:
        raise SystemExit("giggles: no held-out sentence is new; take more dialogues")
    heard: dict[str, list[bool]] = {"before": [], "after": [], "untagged": []}
    sounds: list[dict[str, str]] = []
    for number, turn in enumerate(sentences):
        words = _words(turn.text)
        spoken = {
            "before": _say(taught, tagged(words, first=True), turn, plain),
            "after": _say(taught, tagged(words, first=False), turn, plain),
            "untagged": _say(taught, words, turn, plain),
        }
        for name, samples in spoken.items():
            heard[name].append(has_giggle(samples, SAMPLE_RATE))
        if number < 6:
            spoken["base, untagged"] = _say(plain, words, turn, plain)
            sounds.append(_keep(run / "sounds", number, words, spoken))
    log.info("%d sentences spoken three times", len(sentences))
    recordings = [(TAG in t.text, has_giggle(_recording(data, t), SAMPLE_RATE)) for t in turns]
    return {
        "detector": {
            "recordings_with_tag": _share([hit for tag, hit in recordings if tag]),
            "recordings_without": _share([hit for tag, hit in recordings if not tag]),
        },
        "ground_truth_tokens": _resynthesis(plain, taught, data, turns, size.sentences),
        "spoken": {name: _share(hits) for name, hits in heard.items()}
        | {"tagged": _share(heard["before"] + heard["after"])},
        "unchanged": _unchanged(plain, taught, data, valid, size.sentences),
        "sounds": sounds,
    }


def _resynthesis(
    plain: Talker, taught: Talker, data: Path, turns: list[TurnRecord], most: int
) -> dict[str, Any]:
    """Recorded turns from their own tokens: does stage 2 make the event of them?"""
    chosen = {
        name: [t for t in turns if (TAG in t.text) == flag][:most]
        for name, flag in (("tagged", True), ("untagged", False))
    }
    found: dict[str, Any] = {}
    for name, talker in (("base s2", plain), ("adapted s2", taught)):
        for kind, some in chosen.items():
            if talker is plain and kind == "tagged":
                some = [_without_tag(t, plain) for t in some]
            hits = [has_giggle(_from_tokens(talker, plain, t), SAMPLE_RATE) for t in some]
            found[f"{name}, {kind}"] = _share(hits)
    return found


def _unchanged(
    plain: Talker, taught: Talker, data: Path, valid: list[S1Record], most: int
) -> dict[str, Any]:
    """Untagged held-out turns before and after: loss of s1, distance of s2 to the recording."""
    losses: dict[str, list[float]] = {"base": [], "taught": []}
    mels: dict[str, list[float]] = {"base": [], "taught": []}
    apart: list[float] = []
    for record in valid:
        encoded = [turn.encoded() for turn in record.turns]
        for target in record.targets:
            clean = all(TAG not in t.text for t in record.turns[: target + 1])
            turn = record.turns[target]
            if not clean or len(losses["base"]) >= most:
                continue
            columns = collate([sequence_of(encoded, target, plain.layout).columns()])
            recorded = _mel(_recording(data, turn))
            spoken = {}
            for name, talker in (("base", plain), ("taught", taught)):
                with torch.inference_mode():
                    logits = talker.s1(columns, mask=talker.layout.mask)
                mean = semantic_loss(logits, columns.target, reduction="mean").loss
                losses[name].append(float(mean))
                spoken[name] = _mel(_from_tokens(talker, plain, turn))
                frames = min(recorded.shape[1], spoken[name].shape[1])
                gap = spoken[name][:, :frames] - recorded[:, :frames]
                mels[name].append(float(np.abs(gap).mean()))
            apart.append(float(np.abs(spoken["base"] - spoken["taught"]).mean()))
    nats = float(np.mean(losses["taught"]) - np.mean(losses["base"]))
    mel = float(np.mean(mels["taught"]) / np.mean(mels["base"]) - 1)
    return {
        "turns": len(apart),
        "s1_nats": {name: float(np.mean(x)) for name, x in losses.items()},
        "s1_nats_rise": nats,
        "s2_mel_to_recording": {name: float(np.mean(x)) for name, x in mels.items()},
        "s2_mel_rise": mel,
        "s2_mel_between_base_and_taught": float(np.mean(apart)),
        "within_tolerance": nats <= TOLERANCE["nats"] and mel <= TOLERANCE["mel"],
    }


def markdown(found: Mapping[str, Any]) -> str:
    """The report."""
    tokens, same = found["ground_truth_tokens"], found["unchanged"]
    lines = [
        f"# {TAG}: a tag taught by LoRA",
        "",
        "The event is five 80 ms bursts of noise between 2 and 4 kHz before or after the words. "
        "The detector looks for stretches in which most energy below 8 kHz lies there "
        "(examples/giggle.py).",
        "",
        f"Sampling: {SAMPLING}.",
        "",
        "| event detected in | share | 95 % interval | of |",
        "| --- | --- | --- | --- |",
    ]
    rows = {
        "recordings with the tag (held out)": found["detector"]["recordings_with_tag"],
        "recordings without": found["detector"]["recordings_without"],
        **{f"ground-truth tokens, {name}": value for name, value in tokens.items()},
        "spoken with the tag before the words, new sentences": found["spoken"]["before"],
        "spoken with the tag after the words": found["spoken"]["after"],
        "**spoken with the tag, before and after together**": found["spoken"]["tagged"],
        "**the same sentences without it**": found["spoken"]["untagged"],
    }
    for name, x in rows.items():
        lines.append(
            f"| {name} | {100 * x['share']:.0f} % | {100 * x['low']:.0f}-{100 * x['high']:.0f} % "
            f"| {x['n']} |"
        )
    base, taught = same["s1_nats"]["base"], same["s1_nats"]["taught"]
    near, far = same["s2_mel_to_recording"]["base"], same["s2_mel_to_recording"]["taught"]
    lines += [
        "",
        f"Untagged speech, {same['turns']} held-out turns of dialogues without a tag so far: s1's "
        f"loss {base:.3f} -> {taught:.3f} nats per token (tolerance +{TOLERANCE['nats']}), s2's "
        f"mel distance to the recording {near:.3f} -> {far:.3f} (tolerance "
        f"+{100 * TOLERANCE['mel']:.0f} %); "
        f"base and adapted s2 lie {same['s2_mel_between_base_and_taught']:.3f} apart. "
        f"{'Within' if same['within_tolerance'] else 'OUTSIDE'} tolerance.",
        "",
        "| sentence | tag before | tag after | untagged | base |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in found["sounds"]:
        links = (f"[{name}]({one[name]})" for name in SPOKEN)
        lines.append(f"| {one['text']} | " + " | ".join(links) + " |")
    return "\n".join([*lines, ""])


def _words(text: str) -> str:
    return text.replace(TAG, "").strip()


def _share(hits: list[bool]) -> dict[str, float]:
    mean, low, high = interval([float(hit) for hit in hits]) if hits else (float("nan"),) * 3
    return {"share": mean, "low": low, "high": high, "n": len(hits)}


def _recording(data: Path, turn: TurnRecord) -> np.ndarray:
    return load_audio(data / "3_speech" / "audio" / f"{turn.id}.flac")


def _mel(samples: np.ndarray) -> np.ndarray:
    return mel_spectrogram(torch.from_numpy(samples)[None])[0].numpy()


def _reference(talker: Talker, turn: TurnRecord) -> Path:
    """The base's own clip of the turn's speaker."""
    return talker.speakers[turn.speaker].clip


def _say(talker: Talker, text: str, turn: TurnRecord, base: Talker) -> np.ndarray:
    dialogue = Dialogue(turns=(), reference_audio=str(_reference(base, turn)))
    with torch.inference_mode():
        options = replace(talker.options, **SAMPLING)
        spoken = talker.speak(dialogue, text, language=turn.language, seed=0, options=options)
    return spoken.samples


def _without_tag(turn: TurnRecord, base: Talker) -> TurnRecord:
    """The base knows no row for the tag: it hears the tokens with the words alone."""
    known = len(base.frontend.symbols)
    kept = tuple(p for p in turn.phonemes if p < known)
    return TurnRecord(**{**turn.__dict__, "phonemes": kept})


def _from_tokens(talker: Talker, base: Talker, turn: TurnRecord) -> np.ndarray:
    """A recorded turn from its own tokens."""
    return speak_tokens(talker, turn.codes, turn.phonemes, load_audio(_reference(base, turn)))


def _keep(folder: Path, number: int, text: str, spoken: Mapping[str, np.ndarray]) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    places = {"text": text}
    for name, samples in spoken.items():
        path = folder / f"{number}_{name.replace(', ', '_')}.wav"
        save_audio(path, samples)
        places[name] = f"sounds/{path.name}"
    return places


def main(arguments: list[str] | None = None) -> Path:
    """Run what is not done yet, then write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=sorted(SIZES), default="default")
    parser.add_argument("--base", type=Path, default=Path("runs/demo/talker"), help="a talker")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    os.chdir(ROOT)
    size = SIZES[options.size]
    if not (options.base / "s1.safetensors").is_file():
        raise SystemExit(f"giggles: no talker in {options.base}; run `make demo` first")
    run = ROOT / "runs" / size.name
    run.mkdir(parents=True, exist_ok=True)
    corpus = corpus_stage(size)
    key, _ = run_stage(corpus, run, before="", fresh=False)
    tagged_raw = ROOT / "data" / f"{size.name}_raw"
    log.info("%d turns have the tag", write_tagged_corpus(corpus.produces, tagged_raw))
    key += (tagged_raw / "tagged.json").read_text(encoding="utf-8")
    for stage in stages(size, options.base):
        key, _ = run_stage(stage, run, before=key, fresh=False)
    found = measure(options.base, size)
    (run / "report.json").write_text(json.dumps(found, indent=1, ensure_ascii=False))
    (run / "report.md").write_text(markdown(found), encoding="utf-8")
    log.info("%s", markdown(found))
    return run / "report.md"


if __name__ == "__main__":
    main()
