"""Step 0, a corpus from nothing: `python -m prepare_datasets.demo_corpus --output data/demo_raw`.

Two-speaker dialogues in English and Mandarin, spoken by espeak-ng, in NCSSD's layout. How the
agent speaks follows from how the user just spoke, by a rule; the texts say nothing about style:

    user   "The train leaves at nine."      excited       style drawn at random
    agent  "I will call you before noon."   rule(excited) mirror -> excited, calm -> gentle

            pitch range rate loudness                     mirror    calm     contrast
    excited high  wide  fast loud                excited  excited   gentle   tired
    firm    low   wide  fast loud                firm     firm      tired    gentle
    gentle  high  small slow soft                gentle   gentle    gentle   firm
    tired   low   small slow soft                tired    tired     tired    excited

`independent` draws the agent's style too: the control in which history cannot help. The same seed
and dialogue number give the same plan at any size, so `--first 1000` makes dialogues that were
never part of a smaller corpus. Audio that exists and fits the plan is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import soundfile
from tqdm import tqdm

from GPT_SoVITS.atomic import write_text
from prepare_datasets.demo_text import BANKS, write_lines
from prepare_datasets.espeak import Prosody, synthesizer

log = logging.getLogger("demo_corpus")

PLAN_VERSION = 1
STYLES: dict[str, Prosody] = {
    "excited": Prosody(pitch=80, range=85, rate=250, loudness=100),
    "firm": Prosody(pitch=20, range=75, rate=250, loudness=100),
    "gentle": Prosody(pitch=78, range=25, rate=185, loudness=45),
    "tired": Prosody(pitch=18, range=15, rate=180, loudness=45),
}
CALM = {"excited": "gentle", "firm": "tired", "gentle": "gentle", "tired": "tired"}
CONTRAST = {"excited": "tired", "firm": "gentle", "gentle": "firm", "tired": "excited"}
# What the agent's style is, from the user's last one.
RULES: dict[str, Callable[[str, random.Random], str]] = {
    "mirror": lambda user, rng: user,
    "calm": lambda user, rng: CALM[user],
    "contrast": lambda user, rng: CONTRAST[user],
    "independent": lambda user, rng: rng.choice(sorted(STYLES)),
}
# Global speaker -> espeak voice.
VOICES: dict[str, dict[str, str]] = {
    "en": {"en_m1": "en-us+m1", "en_m3": "en-us+m3", "en_f1": "en-us+f1", "en_f2": "en-us+f2"},
    "zh": {"zh_m1": "cmn+m1", "zh_m3": "cmn+m3", "zh_f1": "cmn+f1", "zh_f2": "cmn+f2"},
}
# Voices that no corpus of the usual cast holds: to adapt a trained talker to.
NEW_VOICES: dict[str, dict[str, str]] = {
    "en": {"en_m7": "en-us+m7", "en_f4": "en-us+f4"},
    "zh": {"zh_m5": "cmn+m5", "zh_f5": "cmn+f5"},
}
CASTS = {"usual": VOICES, "new": NEW_VOICES}
RATE_FACTOR = {"en": 1.0, "zh": 1.3}  # espeak's Mandarin is slow at the same setting


@dataclass(frozen=True)
class CorpusPlan:
    """What to make; every dialogue follows from these values and its number alone."""

    dialogues: int = 48
    first: int = 0
    """Number of the first dialogue: take a far one for dialogues no training has heard."""
    seed: int = 0
    rule: str = "mirror"
    chinese: float = 0.5
    """Share of Mandarin dialogues."""
    exchanges: tuple[int, int] = (2, 4)
    """User-agent pairs per dialogue, least and most."""
    cast: str = "usual"
    """Whose voices: usual, or new (four that the usual corpus never heard)."""
    texts: str = "demo"
    """What is talked about: a text bank of `demo_text`."""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"rule {self.rule!r} is not one of {', '.join(RULES)}")
        if self.texts not in BANKS:
            raise ValueError(f"text bank {self.texts!r} is not one of {', '.join(BANKS)}")
        if self.cast not in CASTS:
            raise ValueError(f"cast {self.cast!r} is not one of {', '.join(CASTS)}")
        if self.dialogues < 1 or self.first < 0:
            raise ValueError("a corpus needs at least one dialogue, numbered from 0 on")


def plan_dialogue(plan: CorpusPlan, number: int) -> list[dict[str, Any]]:
    """The turns of one dialogue: text, speaker, style and prosody of each."""
    key = f"{PLAN_VERSION}/{plan.seed}/{number}".encode()
    rng = random.Random(hashlib.sha256(key).digest())
    # Low-discrepancy choice: any stretch of dialogues has about the wanted share.
    language = "zh" if (number * 0.6180339887 + 0.5) % 1 < plan.chinese else "en"
    lines = write_lines(language, rng.randint(*plan.exchanges), rng, bank=plan.texts)
    speakers = rng.sample(sorted(CASTS[plan.cast][language]), 2)
    turns: list[dict[str, Any]] = []
    style = ""
    for index, text in enumerate(lines):
        is_agent = index % 2 == 1
        # Both draws are made whatever the rule, so that rules differ in nothing but the style.
        drawn, other = rng.choice(sorted(STYLES)), random.Random(rng.random())
        style = RULES[plan.rule](style, other) if is_agent else drawn
        base = STYLES[style]
        prosody = replace(
            base,
            pitch=base.pitch + rng.randint(-3, 3),
            range=base.range + rng.randint(-4, 4),
            rate=round((base.rate + rng.randint(-6, 6)) * RATE_FACTOR[language]),
            loudness=base.loudness + rng.randint(-3, 3),
        )
        turns.append(
            {
                "index": index,
                "speaker": index % 2,
                "global_speaker": speakers[index % 2],
                "role": "agent" if is_agent else "user",
                "language": language,
                "text": text,
                "style": {"name": style, **asdict(prosody)},
            }
        )
    return turns


def write_dialogue(folder: Path, plan: CorpusPlan, number: int) -> int:
    """Speak one dialogue into `folder`; returns how many turns had to be spoken."""
    turns = plan_dialogue(plan, number)
    fingerprint = hashlib.sha256(json.dumps(turns, sort_keys=True).encode()).hexdigest()[:16]
    names = [f"{t['index']}_{t['speaker']}_d{number}" for t in turns]
    metadata = folder / "metadata.json"
    if metadata.is_file() and all((folder / f"{name}.wav").is_file() for name in names):
        if json.loads(metadata.read_text(encoding="utf-8")).get("fingerprint") == fingerprint:
            return 0
    folder.mkdir(parents=True, exist_ok=True)
    # Turns of an older, longer plan must not survive beside the new ones.
    for stale in [*folder.glob(f"*_d{number}.wav"), *folder.glob(f"*_d{number}.lab"), metadata]:
        stale.unlink(missing_ok=True)
    engine = synthesizer()
    for turn, name in zip(turns, names, strict=True):
        style = {key: value for key, value in turn["style"].items() if key != "name"}
        voice = CASTS[plan.cast][turn["language"]][turn["global_speaker"]]
        samples = engine.speak(turn["text"], voice, Prosody(**style))
        soundfile.write(folder / f"{name}.wav", samples, engine.sample_rate, subtype="PCM_16")
        (folder / f"{name}.lab").write_text(turn["text"] + "\n", encoding="utf-8")
        turn["duration"] = round(len(samples) / engine.sample_rate, 4)
        turn["sample_rate"] = engine.sample_rate
    content = {
        "dialog": number,
        "rule": plan.rule,
        "fingerprint": fingerprint,
        "utterents": {str(turn["index"]): turn for turn in turns},  # NCSSD's spelling
    }
    # last: a dialogue counts once its metadata is there
    write_text(metadata, json.dumps(content, ensure_ascii=False, indent=1))
    return len(turns)


def write_corpus(output: Path, plan: CorpusPlan) -> int:
    """Make the whole corpus; returns how many turns were spoken now."""
    numbers = range(plan.first, plan.first + plan.dialogues)
    progress = tqdm(numbers, desc="demo corpus", unit="dialogue")
    return sum(write_dialogue(output / str(number), plan, number) for number in progress)


def main(arguments: list[str] | None = None) -> None:
    """Parse the options and make the corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("data/demo_raw"), help="folder")
    parser.add_argument("--dialogues", type=int, default=48, help="how many (default 48)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (default 0)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another corpus")
    parser.add_argument("--rule", choices=sorted(RULES), default="mirror", help="agent's style")
    parser.add_argument("--texts", choices=BANKS, default="demo", help="what is talked about")
    parser.add_argument("--chinese", type=float, default=0.5, help="share of Mandarin dialogues")
    parser.add_argument("--cast", choices=sorted(CASTS), default="usual", help="whose voices")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    plan = CorpusPlan(
        dialogues=options.dialogues,
        first=options.first,
        seed=options.seed,
        rule=options.rule,
        chinese=options.chinese,
        cast=options.cast,
        texts=options.texts,
    )
    spoken = write_corpus(options.output, plan)
    log.info("%d dialogues in %s, %d turns spoken now", plan.dialogues, options.output, spoken)


if __name__ == "__main__":
    main()
