"""Four voices the base never heard, each its own LoRA: `python -m examples.lora_voices`.

    new corpus -> five steps with the base's tokenizer -> LoRA s2 and s1, all voices in one run
    -> for every voice and held-out text, with the same neutral reference (another voice):
           base      right adapter      wrong adapter         similarity with the wanted voice
       and with the voice's own reference beside it -> report.md, report.json, sounds/

Needs the talker of `make demo` (or --base). A stage that ran with the same command is reused, and a
killed training goes on where it was; call the command again.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from examples.adapter_size import published_share
from examples.demo import ROOT, Stage, run_stage
from examples.lora_study import Size, begin, keep, recording, write_report
from examples.voice_similarity import VoiceSpace, interval
from GPT_SoVITS import Dialogue, Talker
from GPT_SoVITS.adapters.options import adapter_name
from GPT_SoVITS.dialogue.manifest import S1Record, TurnRecord, read_s1

log = logging.getLogger("lora_voices")
CONDITIONS = ("base", "right", "wrong", "base, own reference", "right, own reference")
SIZES = {
    "default": Size("new_voices", dialogues=96, s2_steps=450, s1_steps=240, texts=10),
    "tiny": Size("new_voices_tiny", dialogues=12, s2_steps=4, s1_steps=4, texts=1),
}


def stages(size: Size, base: Path) -> list[Stage]:
    """The public commands of the way, in order."""
    python, name = sys.executable, size.name
    raw, data, run = f"data/{name}_raw", f"data/{name}", f"runs/{name}"
    corpus = [python, "-m", "prepare_datasets.demo_corpus", "--output", raw, "--cast", "new"]
    corpus += ["--first", "1000", "--dialogues", str(size.dialogues)]
    prepare = [python, "-m", "prepare_datasets", "--config", "configs/data/demo.yaml"]
    prepare += ["--raw", raw, "--output", data, "--name", "new_voices"]
    prepare += ["--quantizer.tokenizer", str(base), "--sequences.targets", "all"]
    common = ["--data.folder", data, "--run.folder", run, "--run.init_from", str(base)]
    common += ["--lora.speakers", '["*"]']
    s2 = [python, "train_s2.py", "--config", "configs/s2/lora_voices.yaml", *common]
    s1 = [python, "train_s1.py", "--config", "configs/s1/lora.yaml", *common]
    s2 += ["--trainer.max_steps", str(size.s2_steps)]
    s1 += ["--trainer.max_steps", str(size.s1_steps)]
    configs = ROOT / "configs"
    return [
        Stage("corpus of new voices", corpus, ROOT / raw),
        Stage("five steps", prepare, ROOT / data / "5_sequences" / "s1_valid.jsonl"),
        Stage(
            "LoRA s2", s2, ROOT / run / "s2_lora/learned.json", (configs / "s2/lora_voices.yaml",)
        ),
        Stage("LoRA s1", s1, ROOT / run / "s1_lora/learned.json", (configs / "s1/lora.yaml",)),
    ]


def held_out(data: Path, per_voice: int) -> dict[str, list[TurnRecord]]:
    """{voice: validation turns whose text no training turn has}, at most `per_voice` of each."""
    known = {t.text for one in _dialogues(data, "train") for t in one.turns}
    found: dict[str, list[TurnRecord]] = {}
    for one in _dialogues(data, "valid"):
        for turn in one.turns:
            texts = [t.text for t in found.setdefault(turn.speaker, [])]
            if turn.text not in known and turn.text not in texts and len(texts) < per_voice:
                found[turn.speaker].append(turn)
    return {voice: turns for voice, turns in sorted(found.items()) if turns}


def measure(base: Path, size: Size) -> dict[str, Any]:
    """Speak everything, compare everything -> what the report says."""
    data, run = ROOT / "data" / size.name, ROOT / "runs" / size.name
    recordings: dict[str, list[np.ndarray]] = {}
    checks: list[tuple[str, np.ndarray]] = []
    for split in ("train", "valid"):
        for one in _dialogues(data, split):
            for turn in one.turns:
                samples = recording(data, turn)
                if split == "valid":
                    checks.append((turn.speaker, samples))
                elif len(recordings.setdefault(turn.speaker, [])) < 60:
                    recordings[turn.speaker].append(samples)
    space = VoiceSpace.fit(recordings)
    right = np.mean([space.named(samples) == voice for voice, samples in checks])
    plain = Talker.load(base, device="cpu")
    adapters = run / "talker" / "adapters"
    voices = held_out(data, size.texts)
    tuned = {v: plain.with_adapter(adapters / adapter_name(v)) for v in voices}
    rows: list[dict[str, Any]] = []
    sounds: list[dict[str, str]] = []
    first = _say(plain, next(iter(voices.values()))[0], _neutral(plain, "en"))
    for voice, turns in voices.items():
        language = turns[0].language
        others = [v for v, t in voices.items() if v != voice]
        near = [v for v in others if voices[v][0].language == language] or others
        neutral, own = _neutral(plain, language), _own_reference(data, voice)
        for number, turn in enumerate(turns):
            spoken = {
                "base": _say(plain, turn, neutral),
                "right": _say(tuned[voice], turn, neutral),
                "wrong": _say(tuned[near[number % len(near)]], turn, neutral),
                "base, own reference": _say(plain, turn, own),
                "right, own reference": _say(tuned[voice], turn, own),
            }
            scores = {name: space.similarity(x, voice) for name, x in spoken.items()}
            scores["recording"] = space.similarity(recording(data, turn), voice)
            rows.append({"voice": voice, "language": language, "text": turn.text, **scores})
            if number == 0:
                spoken["recording"] = recording(data, turn)
                files = keep(run, adapter_name(voice), spoken)
                sounds.append({"voice": voice, "text": turn.text} | files)
        log.info("%s: %d texts spoken", voice, len(turns))
    again = _say(plain, next(iter(voices.values()))[0], _neutral(plain, "en"))
    return {
        "base_unchanged": bool(np.array_equal(first, again)),
        "recordings_named_right": float(right),
        "recordings": len(checks),
        "published_share": published_share(rank=8),
        "rows": rows,
        "sounds": sounds,
    }


def gains(rows: Sequence[Mapping[str, Any]], less: str) -> tuple[float, float, float]:
    """Similarity with the right adapter minus that of `less`: mean and 95 % interval."""
    return interval([row["right"] - row[less] for row in rows])


def markdown(found: Mapping[str, Any]) -> str:
    """The report."""
    rows = found["rows"]
    lines = [
        "# LoRA voices the base never heard",
        "",
        f"Similarity: cosine of whitened cepstra and pitch (examples/voice_similarity.py), no "
        f"trained network. It names the right one of the voices for "
        f"{100 * found['recordings_named_right']:.0f} % of {found['recordings']} held-out "
        "recordings. Base and adapters speak with the same neutral reference, another voice of the "
        "base's corpus. Texts are held out. Brackets are 95 % bootstrap intervals over texts.",
        "",
        "| voice | texts | right - base | right - wrong adapter | "
        + " | ".join(CONDITIONS)
        + " | recording |",
        "| --- " * (5 + len(CONDITIONS)) + "|",
    ]
    voices = sorted({row["voice"] for row in rows})
    for voice in [*voices, "all"]:
        own = [row for row in rows if voice in (row["voice"], "all")]
        cells = [
            f"{m:+.3f} [{a:+.3f}, {b:+.3f}]"
            for m, a, b in (gains(own, x) for x in ("base", "wrong"))
        ]
        means = [float(np.mean([row[c] for row in own])) for c in (*CONDITIONS, "recording")]
        lines.append(
            f"| {voice} | {len(own)} | " + " | ".join([*cells, *(f"{m:.3f}" for m in means)]) + " |"
        )
    lines += ["", "## Listen", "", "| voice | text | before | after | wrong adapter | recording |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for one in found["sounds"]:
        links = (f"[{name}]({one[name]})" for name in ("base", "right", "wrong", "recording"))
        lines.append(f"| {one['voice']} | {one['text']} | " + " | ".join(links) + " |")
    share = found["published_share"]
    lines += [
        "",
        f"An adapter of rank 8 at the published full size: {100 * share['s1']:.1f} % of s1, "
        f"{100 * share['s2']:.1f} % of s2. The base's output after speaking with every adapter is "
        f"{'bit-identical' if found['base_unchanged'] else 'CHANGED'}.",
        "",
    ]
    return "\n".join(lines)


def _dialogues(data: Path, split: str) -> list[S1Record]:
    return list(read_s1(data / "5_sequences" / f"s1_{split}.jsonl"))


def _neutral(talker: Talker, language: str) -> Path:
    """The first voice of the base's own speakers that speaks the language."""
    names = sorted(name for name in talker.speakers if f"/{language}_" in name)
    return talker.speakers[(names or sorted(talker.speakers))[0]].clip


def _own_reference(data: Path, voice: str) -> Path:
    """The voice's training turn nearest to three seconds."""
    own = [t for one in _dialogues(data, "train") for t in one.turns if t.speaker == voice]
    best = min(own, key=lambda turn: abs(turn.seconds - 3.0))
    return data / "3_speech" / "audio" / f"{best.id}.flac"


def _say(talker: Talker, turn: TurnRecord, reference: Path) -> np.ndarray:
    """One text alone, always with the same draws."""
    dialogue = Dialogue(turns=(), reference_audio=str(reference))
    with torch.inference_mode():
        return talker.speak(dialogue, turn.text, language=turn.language, seed=0).samples


def main(arguments: list[str] | None = None) -> Path:
    """Run what is not done yet, then write the report."""
    size, base, run = begin(SIZES, arguments, name="lora_voices", doc=__doc__)
    key = ""
    for stage in stages(size, base):
        key, _ = run_stage(stage, run, before=key, fresh=False)
    found = measure(base, size)
    return write_report(run, found, markdown(found))


if __name__ == "__main__":
    main()
