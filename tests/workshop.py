"""A folder in which every command of README and docs/ can be typed as written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

# Options that make a command small; they win because they come last.
_SHORT = ["--trainer.max_steps", "2", "--trainer.validate_every", "2", "--trainer.save_every", "2"]
SMALL = {
    "train_s1.py": _SHORT,
    "train_s2.py": [*_SHORT, "--optimizer.discriminator_width", "0.0625"],
    "evaluate": ["--source.max_items", "2", "--source.sentences", "all", "--latency_items", "0"],
}
MY_CORPUS = "name: mine\nraw: data/demo_raw\nsource: {corpus: demo}\nquantizer: {shrink: true}\n"
MY_WORDS = {"iPhone": "AY1 F OW0 N"}


def run(command: list[str], folder: Path) -> None:
    """Run one command as the reader would, but small; an assertion shows what it said."""
    script = next((word for word in command if word in SMALL), "")  # torchrun has it further on
    small = SMALL.get(script, []) if "--dry-run" not in command else []
    done = subprocess.run(
        [sys.executable, *command[1:], *small],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    said = f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    assert done.returncode == 0, f"{' '.join(command)}\n{said}"


def build(folder: Path) -> Path:
    """A checkout's twin where a short demo has been run and a reader's own files lie ready."""
    _link(REPOSITORY, folder, besides=("data", "runs", "docs", "pretrained_models"))
    _link(REPOSITORY / "pretrained_models", folder / "pretrained_models")
    shutil.copytree(REPOSITORY / "docs", folder / "docs")  # some commands draw figures there
    _run_the_demo(folder)
    _bring_own_files(folder)
    return folder


def _link(source: Path, target: Path, besides: tuple[str, ...] = ()) -> None:
    target.mkdir(exist_ok=True)
    for entry in source.iterdir():
        if not entry.name.startswith(".") and entry.name not in besides:
            (target / entry.name).symlink_to(entry)


def _run_the_demo(folder: Path) -> None:
    corpus = ["python", "-m", "prepare_datasets.demo_corpus", "--output", "data/demo_raw"]
    run([*corpus, "--dialogues", "8"], folder)
    run(["python", "-m", "prepare_datasets", "--config", "configs/data/demo.yaml"], folder)
    for stage in ("s2", "s1"):
        run(["python", f"train_{stage}.py", "--config", f"configs/{stage}/demo.yaml"], folder)
    voice = ["--lora.speakers", '["demo/en_f1"]']
    run(["python", "train_s1.py", "--config", "configs/s1/lora.yaml", *voice], folder)
    # The adapter stays; the pages train others in its place.
    shutil.rmtree(folder / "runs/demo/s1_lora")
    heard = sorted((folder / "data/demo/3_speech/audio").rglob("*.flac"))[0]
    dialogue = {
        "schema_version": 1,
        "turns": [{"speaker": "demo/en_f1", "text": "Hello.", "audio": str(heard)}],
        "response": {"speaker": "demo/en_f2", "text": "I will call you before five."},
    }
    (folder / "runs/demo/dialogue.json").write_text(json.dumps(dialogue), encoding="utf-8")


def _bring_own_files(folder: Path) -> None:
    """What a reader has: a corpus and its config, words, HuBERT, files of another program."""
    from tests.features.test_hubert import tiny_model
    from tests.training.test_fine_tuning_route import published

    (folder / "data/dailytalk_raw").symlink_to(folder / "data/demo_raw")
    (folder / "my_corpus.yaml").write_text(MY_CORPUS, encoding="utf-8")
    (folder / "my_words.json").write_text(json.dumps(MY_WORDS), encoding="utf-8")
    rows = [
        {"id": f"line_{i}", "text": f"This is number {i}.", "speaker": "demo/en_f1"} for i in (1, 2)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "my_texts.jsonl").write_text(lines, encoding="utf-8")
    hubert = folder / "pretrained_models/chinese-hubert-base"
    tiny_model(hubert, hidden_size=768)
    (folder / "published").mkdir()
    s1, s2 = published(folder / "published")
    places = (folder / "GPT_weights/voice-e15.ckpt", folder / "SoVITS_weights/voice_e8_s112.pth")
    for file, place in zip((s1, s2), places):
        place.parent.mkdir()
        shutil.copy(file, place)
    given = [s1, s2, "--output", "pretrained_models/v2", "--hubert", str(hubert)]
    run(["python", "-m", "GPT_SoVITS", "import-checkpoint", *given], folder)
