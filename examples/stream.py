"""A reply in chunks, each written as it comes: `python -m examples.stream`.

A player would take the chunks as they are; here they go into a WAV file, and the log says when each
one was there.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import soundfile

from GPT_SoVITS import Dialogue, Talker, Turn

log = logging.getLogger("stream")


def main(arguments: list[str] | None = None) -> list[float]:
    """Returns the seconds after which each chunk was there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="runs/demo/talker", help="talker folder")
    parser.add_argument("--speaker", default="demo/en_f2", help="a voice of the talker, by name")
    parser.add_argument("--question", default="Where is my parcel?")
    parser.add_argument("--text", default="Let me look that up for you. It takes a moment.")
    parser.add_argument("--output", type=Path, default=Path("runs/examples/stream.wav"))
    args = parser.parse_args(arguments)

    talker = Talker.load(args.model)
    dialogue = Dialogue((Turn("user", args.question),))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    started, times = time.monotonic(), []
    with soundfile.SoundFile(args.output, "w", samplerate=32_000, channels=1) as file:
        for chunk in talker.stream(dialogue, args.text, speaker=args.speaker, seed=0):
            times.append(time.monotonic() - started)
            file.write(chunk.samples)
            log.info("after %.2f s: %.2f s of sound", times[-1], chunk.seconds)
    return times


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
