"""What the form of page Train asks for -> the job: kind, title, command, facts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from GPT_SoVITS.studio import commands, found
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.roots import shown
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

DEVICES = ("auto", "cpu", "cuda")
Request = tuple[str, str, list[str], dict[str, Any]]


def training_request(
    workshop: Workshop,
    t: Words,
    stage: str,
    recipe: str,
    data: str,
    run: str,
    steps: float,
    save: float,
    device: str,
    start: str | None,
    speakers: list[str] | None,
    settings: str,
    *,
    dry: bool,
) -> Request:
    """The fields in the order of the form; `dry`: only an estimate of memory and time.

    Raises `StudioError`.
    """
    if stage not in found.STAGES or device not in DEVICES:
        raise StudioError(t("train.choose"))
    if not steps or steps < 1 or not save or save < 1:
        raise StudioError(t("train.steps.wrong"))
    roots, folder = workshop.roots, workshop.roots.resolve(run)
    wanted: Mapping[str, Any] = {
        "trainer.max_steps": int(steps),
        "trainer.save_every": int(save),
        "trainer.validate_every": max(1, min(int(save), int(steps))),
        "trainer.accelerator": device,
    } | commands.settings_of(settings)
    lora = "lora" in (recipe or "") or any(key.startswith("lora.") for key in wanted)
    if speakers:
        lora, names = True, ",".join(f'"{name}"' for name in speakers)
        wanted = {**wanted, "lora.speakers": f"[{names}]"}
    command = commands.train(
        stage,
        found.recipe(workshop.configs, stage, recipe),
        data=roots.resolve(data, must_exist=True),
        run=folder,
        init_from=roots.resolve(start, must_exist=True) if start else _base(t, lora, folder),
        settings=wanted,
        dry=dry,
    )
    place = folder / (f"{stage}_lora" if lora else stage)
    facts: dict[str, Any] = {"run": str(folder), "stage": stage}
    if not dry:
        facts |= {"metrics": str(place / "metrics.jsonl"), "steps": int(steps)}
    kind = "estimate" if dry else "train"
    return kind, t(f"train.title.{kind}", stage=stage, run=shown(folder)), command, facts


def _base(t: Words, lora: bool, run: Path) -> Path | None:
    """An adapter without a chosen base belongs to the run's own talker."""
    talker = run / "talker"
    if not lora:
        return None
    if not (talker / "s2.safetensors").is_file():
        raise StudioError(t("train.lora.base"))
    return talker
