"""Blinded, randomised pages of a listening test.

    python -m GPT_SoVITS.evaluation.listening.sheets --config configs/listening/demo.yaml

    pages/rater_01.html …   sound and script inside: works from a USB stick, saves JSON and CSV
    key.json                which trial is which system; no page holds a name of a system

Every rater hears every trial of every scale once, in an order of their own; the sides of a pair are
drawn per rater and trial. Names of trials and sounds are hashes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.evaluation.command import config_of
from GPT_SoVITS.evaluation.listening.config import SCALES, ListeningConfig
from GPT_SoVITS.evaluation.loop.config import ItemsConfig
from GPT_SoVITS.evaluation.loop.items import EvalItem, read_items

log = logging.getLogger(__name__)


class ListeningError(ValueError):
    """Nothing to listen to, or answers that do not belong to the key; says which."""


@dataclass(frozen=True)
class Stimulus:
    """An item as each system said it."""

    item: str
    group: str
    text: str
    history: tuple[Path, ...]
    reference: Path | None
    sounds: Mapping[str, Path]


def stimuli_of(run: str | Path) -> list[Stimulus]:
    """Spoken items of an evaluation run; one that any system failed to speak is an error."""
    folder = Path(run)
    if not (folder / "run.json").is_file():
        raise ListeningError(f"{folder} is no evaluation run; make one with GPT_SoVITS evaluate")
    source = json.loads((folder / "run.json").read_text(encoding="utf-8"))["config"]["source"]
    source |= {name: tuple(source[name]) for name in ("languages", "punctuation")}
    items = {item.id: item for item in read_items(ItemsConfig(**source))}
    sounds: dict[str, dict[str, Path]] = {}
    for line in (folder / "ledger.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["stage"] != "speak":
            continue
        if row["status"] != "ok":
            raise ListeningError(
                f"{folder}: {row['system']} has no sound of {row['item']} ({row['message']}); a "
                "test must not leave out what failed. Mend it, or take fewer systems or items"
            )
        sounds.setdefault(row["item"], {})[row["system"]] = folder / row["audio"]
    return [_stimulus(items[name], found) for name, found in sounds.items()]


def _stimulus(item: EvalItem, sounds: Mapping[str, Path]) -> Stimulus:
    past = tuple(Path(turn.audio) for turn in item.dialogue.turns if turn.audio is not None)
    given = item.dialogue.reference_audio
    reference = Path(given) if given else None
    response = item.dialogue.response
    if reference is None and response is not None:
        own = [t.audio for t in item.dialogue.turns if t.speaker == response.speaker and t.audio]
        reference = Path(own[-1]) if own else None
    return Stimulus(item.id, item.group, item.text, past, reference, sounds)


def choose(config: ListeningConfig, stimuli: Sequence[Stimulus]) -> list[Stimulus]:
    """The items asked about, with the systems asked about. Raises `ListeningError`."""
    names = config.systems or tuple(dict.fromkeys(s for one in stimuli for s in one.sounds))
    if config.kind != "mos" and len(names) < 2:
        raise ListeningError(f"{config.kind} needs two systems, the run has {', '.join(names)}")
    missing = sorted({n for one in stimuli for n in names if n not in one.sounds})
    if missing or not stimuli:
        raise ListeningError(f"not every item was spoken by {', '.join(missing) or 'any system'}")
    if "similarity" in config.scales:
        stimuli = [one for one in stimuli if one.reference is not None]
        if not stimuli:
            raise ListeningError("similarity needs a reference: a turn of the same voice before")
    count = min(config.max_items, len(stimuli))
    drawn = random.Random(config.seed).sample(list(stimuli), count)
    return [
        Stimulus(
            one.item,
            one.group,
            one.text,
            one.history,
            one.reference,
            {name: one.sounds[name] for name in names},
        )
        for one in drawn
    ]


def trials_of(
    config: ListeningConfig, stimuli: Sequence[Stimulus], rater: str
) -> list[dict[str, Any]]:
    """A rater's trials in order: id, scale, item, systems in the order they are played."""
    rng = random.Random(f"{config.seed}/{rater}")
    trials = []
    for scale in config.scales:
        block = []
        for one in stimuli:
            names = list(one.sounds)
            sets = (
                [[n] for n in names] if config.kind == "mos" else [[names[0], n] for n in names[1:]]
            )
            for systems in sets:
                rng.shuffle(systems)
                text = f"{config.seed}/{rater}/{scale}/{one.item}/{'/'.join(sorted(systems))}"
                name = hashlib.sha256(text.encode()).hexdigest()[:12]
                trial = {"id": name, "scale": scale, "item": one.item, "group": one.group}
                block.append(trial | {"systems": systems})
        rng.shuffle(block)
        trials += block
    return trials


def write_sheets(config: ListeningConfig, stimuli: Sequence[Stimulus]) -> list[Path]:
    """All pages and the key -> the pages."""
    chosen = choose(config, stimuli)
    by_item = {one.item: one for one in chosen}
    folder = Path(config.output)
    (folder / "pages").mkdir(parents=True, exist_ok=True)
    encoded: dict[Path, str] = {}

    def sound(path: Path) -> str:
        if path not in encoded:
            encoded[path] = data_uri(load_audio(path))
        return encoded[path]

    key: dict[str, Any] = {"kind": config.kind, "scales": list(config.scales), "raters": {}}
    key["baseline"] = next(iter(chosen[0].sounds))
    pages = []
    for number in range(1, config.raters + 1):
        rater = f"rater_{number:02d}"
        trials = trials_of(config, chosen, rater)
        key["raters"][rater] = {t["id"]: {k: t[k] for k in t if k != "id"} for t in trials}
        shown, used = [], {}
        for trial in trials:
            one = by_item[trial["item"]]
            paths = [one.sounds[system] for system in trial["systems"]]
            past = list(one.history) if config.history else []
            reference = [one.reference] if trial["scale"] == "similarity" else []
            names: list[list[str]] = []
            for group in (paths, past, reference):
                names.append([])
                for path in group:
                    assert path is not None
                    content = sound(path)
                    name = hashlib.sha256(content.encode()).hexdigest()[:12]
                    used[name] = content
                    names[-1].append(name)
            shown.append(
                {"id": trial["id"], "scale": trial["scale"], "text": one.text}
                | dict(zip(("sounds", "history", "reference"), names))
            )
        pages.append(folder / "pages" / f"{rater}.html")
        pages[-1].write_text(page_of(config, rater, shown, used), encoding="utf-8")
    (folder / "key.json").write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")
    return pages


def page_of(
    config: ListeningConfig,
    rater: str,
    trials: Sequence[Mapping[str, Any]],
    sounds: Mapping[str, str],
) -> str:
    """The page of one rater; all it needs is inside."""
    template = files("GPT_SoVITS.evaluation.listening").joinpath("page.html")
    questions = {scale: SCALES[scale] for scale in config.scales}
    content: dict[str, Any] = {"rater": rater, "kind": config.kind, "questions": questions}
    content |= {"trials": list(trials), "sounds": dict(sounds)}
    text = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
    return (
        template.read_text(encoding="utf-8")
        .replace("@@TITLE@@", escape(config.title))
        .replace("@@CONTENT@@", text)
    )


def data_uri(samples: np.ndarray) -> str:
    """(T,) at 32 kHz -> FLAC in a data: address."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the pages of a config."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = config_of(
        ListeningConfig, arguments, name="sheets", doc=__doc__, folder="configs/listening/"
    )
    try:
        pages = write_sheets(config, stimuli_of(config.run))
    except ListeningError as error:
        log.error("%s", error)
        return 2
    log.info("%d pages in %s; keep key.json to yourself", len(pages), pages[0].parent)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
