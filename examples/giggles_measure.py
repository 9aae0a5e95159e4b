"""What the tag's report shows: is the event where it belongs, is untagged speech as it was?

Everything is spoken by the base and by the talker with the adapter; nothing here trains.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from examples.demo import ROOT
from examples.demo_measure import mel as mel_of
from examples.giggle import TAG, has_giggle, tagged
from examples.lora_study import Size, keep, recording
from examples.voice_similarity import interval
from GPT_SoVITS import Dialogue, Talker
from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.dialogue.history import sequence_of
from GPT_SoVITS.dialogue.manifest import S1Record, TurnRecord, read_s1
from GPT_SoVITS.evaluation.stage2 import speak_tokens
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.loss import semantic_loss

log = logging.getLogger("giggles")
SAMPLING = {"repetition_penalty": 1.0, "temperature": 0.7, "top_k": 5}
"""How the sentences are said. The event is one token a dozen times over: the published penalty of
1.35 on tokens that were said before breaks it off after four."""
TOLERANCE = {"nats": 0.10, "mel": 0.05}
"""Untagged speech counts as unchanged while s1's held-out loss rises by no more than so many nats
per token, and s2's distance to the recordings by no more than this share."""


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
    sentences = list(fresh.values())[: size.texts]
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
            sounds.append({"text": words} | keep(run, str(number), spoken))
    log.info("%d sentences spoken three times", len(sentences))
    recordings = [(TAG in t.text, has_giggle(recording(data, t), SAMPLE_RATE)) for t in turns]
    return {
        "detector": {
            "recordings_with_tag": _share([hit for tag, hit in recordings if tag]),
            "recordings_without": _share([hit for tag, hit in recordings if not tag]),
        },
        "ground_truth_tokens": _resynthesis(plain, taught, data, turns, size.texts),
        "spoken": {name: _share(hits) for name, hits in heard.items()}
        | {"tagged": _share(heard["before"] + heard["after"])},
        "unchanged": _unchanged(plain, taught, data, valid, size.texts),
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
            recorded = mel_of(recording(data, turn))
            spoken = {}
            for name, talker in (("base", plain), ("taught", taught)):
                with torch.inference_mode():
                    logits = talker.s1(columns, mask=talker.layout.mask)
                mean = semantic_loss(logits, columns.target, reduction="mean").loss
                losses[name].append(float(mean))
                spoken[name] = mel_of(_from_tokens(talker, plain, turn))
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


def _words(text: str) -> str:
    return text.replace(TAG, "").strip()


def _share(hits: list[bool]) -> dict[str, float]:
    mean, low, high = interval([float(hit) for hit in hits]) if hits else (float("nan"),) * 3
    return {"share": mean, "low": low, "high": high, "n": len(hits)}


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
