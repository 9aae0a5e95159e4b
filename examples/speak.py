"""One text, a known voice, a WAV file: `python -m examples.speak`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from GPT_SoVITS import Talker
from GPT_SoVITS.audio.io import save_audio

log = logging.getLogger("speak")


def main(arguments: list[str] | None = None) -> Path:
    """Returns the file it wrote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="runs/demo/talker", help="talker folder")
    parser.add_argument("--speaker", default="demo/en_f2", help="a voice of the talker, by name")
    parser.add_argument("--text", default="Let me look that up.")
    parser.add_argument("--seed", type=int, default=0, help="the same seed, the same samples")
    parser.add_argument("--output", type=Path, default=Path("runs/examples/speak.wav"))
    args = parser.parse_args(arguments)

    talker = Talker.load(args.model)
    speech = talker.speak(text=args.text, speaker=args.speaker, seed=args.seed)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    save_audio(args.output, speech.samples, sample_rate=speech.sample_rate)
    log.info("%s: %.2f s in the voice %s", args.output, speech.seconds, args.speaker)
    return args.output


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
