"""Every key under `lora.` is live: each is changed, and the adapters differ."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from GPT_SoVITS.adapters.file import load_adapter
from GPT_SoVITS.adapters.options import S1LoraOptions, S2LoraOptions
from tests.training.test_lora import lora, talker

__all__ = ["talker"]
CHANGES = {
    "s1": {
        "rank": "3",
        "alpha": "64",
        "dropout": "0.5",
        "targets": "[attention]",
        "speakers": '["demo/en_f1"]',
        "name": "anna",
    },
    "s2": {
        "rank": "3",
        "alpha": "64",
        "dropout": "0.5",
        "targets": "[generator]",
        "speakers": '["demo/en_f1"]',
        "name": "anna",
        "condition": "true",
    },
}
OPTIONS = {"s1": S1LoraOptions, "s2": S2LoraOptions}
CASES = [(stage, key) for stage, keys in CHANGES.items() for key in keys]


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_every_lora_key_is_changed_here(stage: str) -> None:
    assert {f.name for f in dataclasses.fields(OPTIONS[stage])} == set(CHANGES[stage])


def adapters(stage: str, talker: Path, data: Path, run: Path, *more: str) -> dict[str, str]:
    """{name: digest of the tensors} of every adapter a run wrote."""
    found = {}
    for path in lora(stage, talker, data, run, *more, steps=3).glob(f"*/{stage}.safetensors"):
        digest = hashlib.sha256()
        for name, tensor in sorted(load_adapter(path).tensors.items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
        found[path.parent.name] = digest.hexdigest()
    return found


@pytest.fixture(scope="module")
def unchanged(
    talker: Path, prepared_demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, str]]:
    return {
        stage: adapters(stage, talker, prepared_demo, tmp_path_factory.mktemp(stage))
        for stage in CHANGES
    }


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "key"), CASES, ids=[f"{s}-{k}" for s, k in CASES])
def test_a_changed_key_changes_the_adapters(
    stage: str,
    key: str,
    talker: Path,
    unchanged: dict[str, dict[str, str]],
    prepared_demo: Path,
    tmp_path: Path,
) -> None:
    change = f"--lora.{key}={CHANGES[stage][key]}"
    assert adapters(stage, talker, prepared_demo, tmp_path, change) != unchanged[stage]
