"""The command line of an evaluation: `--config FILE` and dotted overrides make its config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from jsonargparse import ArgumentParser

Config = TypeVar("Config")


def config_of(
    kind: type[Config], arguments: Sequence[str] | None, *, name: str, doc: str, folder: str
) -> Config:
    """A config from the words of a command (None: those of this process).

    `doc` is its module's, `folder` where its YAML files lie. Wrong words end the process, code 2.
    """
    parser = ArgumentParser(prog=name, description=doc.splitlines()[0])
    parser.add_argument("--config", action="config", help=f"YAML, see {folder}")
    parser.add_class_arguments(kind)
    given = parser.parse_args(None if arguments is None else list(arguments))
    values = parser.instantiate(given)
    values.pop("config", None)
    return kind(**vars(values))
