"""A voice from a corpus into an adapter, and spoken with: `python -m examples.voice_adapter`.

The route of docs/fine_tuning.md in one file: both stages learn a LoRA adapter for one speaker of a
prepared corpus on top of a talker, which stays as it is, and the same text is said without and
with it. `examples.lora_voices` does it for four new voices and measures what came of it.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
from pathlib import Path

from GPT_SoVITS import Talker
from GPT_SoVITS.adapters.options import adapter_name
from GPT_SoVITS.audio.io import save_audio

log = logging.getLogger("voice_adapter")


def train(stage: str, args: argparse.Namespace) -> None:
    """One stage's adapter, by the command a user would type."""
    command = [sys.executable, f"train_{stage}.py", "--config", f"configs/{stage}/lora.yaml"]
    command += ["--data.folder", args.data, "--run.init_from", args.model]
    command += ["--run.folder", str(args.run), "--lora.speakers", f'["{args.speaker}"]']
    command += ["--trainer.max_steps", str(args.steps)]
    command += ["--trainer.validate_every", str(min(75, args.steps))]
    log.info("%s", " ".join(command[1:]))
    subprocess.run(command, check=True)


def main(arguments: list[str] | None = None) -> list[Path]:
    """Returns the files without and with the adapter."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="runs/demo/talker", help="the talker to start from")
    parser.add_argument("--data", default="data/demo", help="prepared corpus with the speaker")
    parser.add_argument("--speaker", default="demo/en_f1")
    parser.add_argument("--steps", type=int, default=200, help="of each stage")
    parser.add_argument("--text", default="I will call you before five.")
    parser.add_argument("--run", type=Path, default=Path("runs/examples/voice"))
    args = parser.parse_args(arguments)

    train("s2", args)
    train("s1", args)
    base = Talker.load(args.model)
    adapter = args.run / "talker" / "adapters" / adapter_name(args.speaker)
    files = []
    for name, talker in (("base", base), ("adapter", base.with_adapter(adapter))):
        speech = talker.speak(text=args.text, speaker=args.speaker, seed=0)
        files.append(save_audio(args.run / f"{name}.wav", speech.samples))
        log.info("%s: %.2f s", files[-1], speech.seconds)
    return files


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
