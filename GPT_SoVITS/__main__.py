"""The package's commands: ``python -m GPT_SoVITS COMMAND …`` (each has ``--help``)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

# command -> (module, function, one line)
COMMANDS = {
    "speak": ("GPT_SoVITS.inference.cli", "speak", "speak a text"),
    "serve": ("GPT_SoVITS.server.command", "main", "serve a talker over HTTP"),
    "batch": ("GPT_SoVITS.inference.batch", "main", "speak all rows of a manifest"),
    "phonemes": ("GPT_SoVITS.text.show", "main", "the way from a text to its phoneme ids"),
    "import-checkpoint": (
        "GPT_SoVITS.checkpoints.commands",
        "import_checkpoint",
        "published files -> a talker folder",
    ),
    "export-checkpoint": (
        "GPT_SoVITS.checkpoints.commands",
        "export_checkpoint",
        "a talker folder -> published files",
    ),
    "pack-talker": (
        "GPT_SoVITS.checkpoints.packing",
        "main",
        "a talker to give away: half precision, for inference",
    ),
    "export-networks": (
        "GPT_SoVITS.inference.export",
        "main",
        "stage 1's step and stage 2's generator as torch.export programs",
    ),
    "merge-lora": ("GPT_SoVITS.training.merge_lora", "main", "a talker and an adapter -> a talker"),
    "add-tags": ("GPT_SoVITS.training.add_tags", "main", "rows for new tags in a talker"),
    "evaluate": ("GPT_SoVITS.evaluation.loop.run", "main", "models heard, measured, compared"),
    "benchmark": (
        "GPT_SoVITS.evaluation.benchmark.run",
        "main",
        "does the history matter? trained and tested where the answer is known",
    ),
    "paper": ("GPT_SoVITS.evaluation.paper.run", "main", "a row of the paper's tables, beside it"),
    "transcribe": (
        "GPT_SoVITS.evaluation.asr.transcribe",
        "main",
        "recordings -> a manifest of what is said",
    ),
    "studio": ("GPT_SoVITS.studio.command", "main", "the whole work in the browser"),
    "doctor": ("GPT_SoVITS.inference.doctor", "main", "what works on this machine"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; without one, list them."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        sys.stdout.write(usage())
        return 0 if given else 2
    if given[0] not in COMMANDS:
        sys.stderr.write(f"unknown command {given[0]!r}\n{usage()}")
        return 2
    module, name, _ = COMMANDS[given[0]]
    command: Callable[[Sequence[str]], int] = getattr(import_module(module), name)
    return command(given[1:])


def usage() -> str:
    """The list of commands."""
    lines = [f"  {name:20s} {text}" for name, (_, _, text) in COMMANDS.items()]
    return "usage: python -m GPT_SoVITS COMMAND …\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
