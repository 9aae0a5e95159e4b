"""A dialogue that goes on, and what would have been said otherwise: `python -m examples.session`.

A session keeps each finished turn as numbers, so a reply costs only what is new. A fork shares all
of that and goes its own way: here one dialogue whose user was heard, and its twin who only wrote.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from pathlib import Path

from GPT_SoVITS import Dialogue, Talker
from GPT_SoVITS.audio.io import save_audio

log = logging.getLogger("session")


def main(arguments: list[str] | None = None) -> list[Path]:
    """Returns the replies' files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="runs/demo/talker", help="talker folder")
    parser.add_argument("--dialogue", default="runs/demo/dialogue.json", help="turns and response")
    parser.add_argument("--output", type=Path, default=Path("runs/examples/session"))
    args = parser.parse_args(arguments)

    talker = Talker.load(args.model)
    dialogue = Dialogue.load(args.dialogue)
    assert dialogue.response is not None, f"{args.dialogue} has no response to speak"
    agent = dialogue.response.speaker

    start = talker.session(agent=agent)
    for turn in dialogue.turns[:-1]:
        start.add(turn)
    heard, read = start, start.fork()
    heard.add(dialogue.turns[-1])
    read.add(dataclasses.replace(dialogue.turns[-1], audio=None))  # the same words, unheard

    files = []
    args.output.mkdir(parents=True, exist_ok=True)
    for name, session in (("heard", heard), ("read", read)):
        reply = session.respond(dialogue.response.text)
        files.append(save_audio(args.output / f"{name}.wav", reply.samples))
        log.info("%s: %.2f s, tokens %s …", files[-1], reply.seconds, reply.codes[:8])
        session.respond("Is there anything else?")  # the dialogue goes on with what was said
        log.info("  the session holds %d turns now", len(session.turns))
    return files


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
