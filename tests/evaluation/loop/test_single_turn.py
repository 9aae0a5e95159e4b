"""Single sentences of one speaker: two models, other punctuation, speed, pitch, recordings."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import save_audio
from GPT_SoVITS.evaluation.asr import AsrConfig, Transcript
from GPT_SoVITS.evaluation.loop import run as loop
from GPT_SoVITS.evaluation.loop.config import EvaluateConfig, ItemsConfig
from tests.tiny_talker import voice


class Ear:
    """Hears the same words in everything."""

    identity, unit = "ear", "words"

    def languages(self) -> tuple[str, ...]:
        return ("en",)

    def transcribe(self, samples, *, sample_rate: int, language: str) -> Transcript:
        return Transcript("good morning")


def test_a_base_and_a_tuned_model_side_by_side(
    talker_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "open_recognizer", lambda config, domain_texts: Ear())
    for name in ("base", "tuned"):
        shutil.copytree(talker_folder, tmp_path / name)
        settings = tmp_path / name / "talker.json"
        values = json.loads(settings.read_text()) if settings.is_file() else {}
        options = {"max_seconds": 0.8 if name == "base" else 1.2}
        settings.write_text(json.dumps({"schema_version": 1} | values | {"options": options}))
    save_audio(tmp_path / "voice.wav", voice(150.0, 1.0), sample_rate=SAMPLE_RATE)
    with (tmp_path / "sentences.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "text", "audio", "reference_audio"])
        writer.writeheader()
        row = {"id": "a", "text": "Good, morning!", "reference_audio": "voice.wav"}
        writer.writerow(row | {"audio": "voice.wav"})
    source = ItemsConfig(
        manifest=str(tmp_path / "sentences.csv"), punctuation=("as_is", "none", "commas")
    )
    summary = loop.run(
        EvaluateConfig(
            output=str(tmp_path / "out"),
            source=source,
            models={"base": str(tmp_path / "base"), "tuned": str(tmp_path / "tuned")},
            resynthesis=False,
            recognizers=(AsrConfig(),),
            latency_items=1,
        )
    )
    systems = summary["systems"]
    assert summary["items"] == 3 and list(systems) == ["recorded", "base", "tuned"]
    for name in ("base", "tuned"):
        speed = systems[name]["speed"]
        assert speed["all"]["n"] == 3 and speed["all"]["mean"] > 0
        assert systems[name]["first_chunk_seconds"]["n"] == 1
        against = systems[name]["against"]
        assert {"energy_difference", "duration_ratio", "voicing_error"} <= set(against)
        assert systems[name]["errors"]["pocketsphinx"]["words"]["all"]["corpus"] == 0
    assert summary["pairs"]["tuned − base"]["pocketsphinx"]["mean"] == 0
    rows = list(csv.DictReader((tmp_path / "out" / "items.csv").open(encoding="utf-8")))
    assert {row["item"] for row in rows} == {"a", "a#none", "a#commas"}
    assert all(float(row["wall_seconds"]) > 0 for row in rows if row["system"] != "recorded")
