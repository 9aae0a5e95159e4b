"""Train the phone recogniser on recordings, state its error on held-out ones, freeze it.

    python -m GPT_SoVITS.evaluation.asr.train_phones --data data/controlled \
        --output runs/recognizer/phones.safetensors

Only ground-truth audio of the train split is learnt from, and no sentence the test may ask
(`benchmark.corpus.is_held_out`); its error is taken on recordings of the validation split whose
sentences are held out. Nothing a model has spoken ever comes here. An existing file is left as it
is: a recogniser that has judged does not change.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.dialogue.manifest import S2Record, read_s1, read_s2
from GPT_SoVITS.evaluation.asr.interface import AsrConfig
from GPT_SoVITS.evaluation.asr.phone_symbols import plain_phones
from GPT_SoVITS.evaluation.asr.phones import (
    PhoneNet,
    PhoneNetConfig,
    PhoneRecognizer,
    normalised_frames,
    save_recognizer,
)
from GPT_SoVITS.evaluation.benchmark.corpus import is_held_out
from GPT_SoVITS.evaluation.metrics.words import corpus_rate, count_errors
from GPT_SoVITS.text.symbols import SymbolTable

log = logging.getLogger(__name__)


def readings(data: Path, split: str, *, held_out: bool) -> list[tuple[S2Record, tuple[str, ...]]]:
    """Turns of a split whose sentence is (not) held out, and their phones."""
    folder = data / "5_sequences"
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    names = SymbolTable(meta["symbols"], tags=meta.get("tags", ())).names
    texts = {t.id: t.text for record in read_s1(folder / f"s1_{split}.jsonl") for t in record.turns}
    found = []
    for record in read_s2(folder / f"s2_{split}.jsonl"):
        phones = plain_phones(names[i] for i in record.phonemes)
        if phones and is_held_out(texts[record.id]) == held_out:
            found.append((record, phones))
    return found


def train(
    data: Path,
    turns: Sequence[tuple[S2Record, tuple[str, ...]]],
    *,
    steps: int,
    batch: int = 24,
    lr: float = 2e-3,
    seed: int = 0,
) -> PhoneNet:
    """CTC with Adam and a one-cycle rate; features are computed once. Raises `ValueError`."""
    if not turns:
        raise ValueError(f"{data}: no turn to train on")
    torch.manual_seed(seed)
    rng = random.Random(seed)
    phones = tuple(sorted({p for _, names in turns for p in names}))
    ids = {name: k + 1 for k, name in enumerate(phones)}
    network = PhoneNet(PhoneNetConfig(phones))
    frames: dict[str, np.ndarray] = {}
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    order: list[int] = []
    channel = np.random.default_rng(seed)
    for _ in (bar := tqdm(range(steps), desc="phone recogniser", unit="step", mininterval=5)):
        if len(order) < batch:
            order += rng.sample(range(len(turns)), len(turns))
        chosen, order = [turns[k] for k in order[:batch]], order[batch:]
        for record, _ in chosen:
            if record.id not in frames:
                sound = load_audio(data / record.audio)
                frames[record.id] = normalised_frames(sound, sample_rate=SAMPLE_RATE)
        inputs = [torch.from_numpy(varied(frames[r.id], channel)) for r, _ in chosen]
        targets = [torch.tensor([ids[p] for p in names]) for _, names in chosen]
        network.train()
        scores, lengths = network(
            torch.nn.utils.rnn.pad_sequence(inputs, batch_first=True),
            torch.tensor([len(x) for x in inputs]),
        )
        loss = F.ctc_loss(
            scores.transpose(0, 1),
            torch.cat(targets),
            lengths,
            torch.tensor([len(t) for t in targets]),
            zero_infinity=True,
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return network.eval()


def varied(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Frames (F, 40) heard through another channel: tilt, noise, a band and a moment missing.

    A synthesiser says a phone the same way every time; a recogniser of nothing else takes any other
    vocoder's grain for another phone (SpecAugment: Park et al. 2019).
    """
    n, bands = frames.shape
    tilt = np.cumsum(rng.normal(0, 0.12, bands))
    out = frames + (tilt - tilt.mean()) + rng.normal(0, rng.uniform(0, 0.6), frames.shape)
    low, first = rng.integers(0, bands - 6), rng.integers(0, max(1, n - 8))
    out[:, low : low + rng.integers(0, 7)] = 0
    out[first : first + rng.integers(0, 9)] = 0
    heard: np.ndarray = out.astype(np.float32)
    return heard


def held_out_error(
    recognizer: PhoneRecognizer, data: Path, turns: Sequence[tuple[S2Record, tuple[str, ...]]]
) -> dict[str, float]:
    """Phone error rate on recordings, over all and by language."""
    counts: dict[str, list[Any]] = {}
    for record, phones in turns:
        heard = recognizer.transcribe(
            load_audio(data / record.audio), sample_rate=SAMPLE_RATE, language=record.language
        )
        one = count_errors(phones, heard.phones or ())
        for key in ("all", record.language):
            counts.setdefault(key, []).append(one)
    return {key: corpus_rate(values) for key, values in counts.items()} | {
        "utterances": float(len(turns))
    }


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, print JSON; a finished file is only measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="prepared data, data/<name>")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    parser.add_argument("--steps", type=int, default=700, help="optimiser steps (700)")
    parser.add_argument("--test-turns", type=int, default=200, help="held-out turns to hear (200)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    learnt = readings(options.data, "train", held_out=False)
    if options.output.is_file():
        log.info("%s exists: measured as it is", options.output)
    else:
        network = train(options.data, learnt, steps=options.steps, seed=options.seed)
        facts = {
            "source": "recordings (ground truth), train split, no held-out sentence",
            "turns": len(learnt),
            "voices": sorted({record.speaker for record, _ in learnt}),
            "steps": options.steps,
            "seed": options.seed,
        }
        save_recognizer(options.output, network, facts)
    recognizer = PhoneRecognizer(AsrConfig(engine="phones", model=str(options.output)))
    test = readings(options.data, "valid", held_out=True)
    test = random.Random(1).sample(test, min(options.test_turns, len(test)))
    error = held_out_error(recognizer, options.data, test)
    result = {"identity": recognizer.identity, "facts": recognizer.facts, "held_out": error}
    card = options.output.with_suffix(".json")
    card.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
