"""`python -m GPT_SoVITS serve --model DIR`: settings, the model, the server.

Settings come from `--config FILE`, then GPT_SOVITS_* variables, then flags; the last one wins.
Exit codes: 0 stopped after a signal, 2 wrong settings or model.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence

from jsonargparse import ArgumentParser

from GPT_SoVITS.server.config import LimitsConfig, ServeConfig
from GPT_SoVITS.server.logs import event, start_logging

PREFIX = "GPT_SOVITS_"
WRONG = 2
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h
MALLOC = {M_ARENA_MAX: 2, M_MMAP_THRESHOLD: 2**25, M_TRIM_THRESHOLD: 2**27}
"""The largest threshold glibc takes: a tensor of a few MB fetched from the system each time costs
a quarter of the speech."""


def build_parser() -> ArgumentParser:
    """Options are the fields of the config."""
    parser = ArgumentParser(
        prog="python -m GPT_SoVITS serve",
        description="Serve a talker over HTTP: OpenAI's speech API, api_v2, dialogues.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="YAML file, e.g. configs/serve.yaml")
    parser.add_class_arguments(ServeConfig)
    return parser


def from_environment(environment: Mapping[str, str]) -> list[str]:
    """GPT_SOVITS_PORT=9000 -> --port 9000; GPT_SOVITS_LIMITS__QUEUE -> --limits.queue."""
    names = {field.name: field.name for field in dataclasses.fields(ServeConfig)}
    names |= {f"limits__{f.name}": f"limits.{f.name}" for f in dataclasses.fields(LimitsConfig)}
    found = {name: environment.get(PREFIX + name.upper()) for name in names}
    return [f"--{names[name]}={value}" for name, value in found.items() if value is not None]


def read_config(
    arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> ServeConfig:
    """File, then environment, then flags; raises SystemExit(2) or ValueError."""
    given, before = list(arguments), []
    for index, argument in enumerate(given):
        if argument == "--config" or argument.startswith("--config="):
            size = 2 if argument == "--config" else 1
            before = given[index : index + size]
            del given[index : index + size]
            break
    chosen = from_environment(os.environ if environment is None else environment)
    parser = build_parser()
    values = parser.instantiate(parser.parse_args([*before, *chosen, *given]))
    values.pop("config", None)
    return ServeConfig(**vars(values))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes."""
    try:
        config = read_config(sys.argv[1:] if arguments is None else arguments)
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return WRONG
    give_memory_back()
    start_logging()
    event("settings", config=shown(config))
    import torch

    from GPT_SoVITS.inference.talker import Talker

    try:
        from GPT_SoVITS.server.app import create_app
        from GPT_SoVITS.server.run import server_of
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {error}; pip install 'gpt-sovits-dialogue[serve]'\n")
        return WRONG

    sys.setswitchinterval(0.001)  # the event loop must not wait long for the workers' Python
    torch.set_num_threads(config.threads or max(1, (os.cpu_count() or 2) // 2))
    try:
        talker = Talker.load(config.model, device=config.device, precision=config.precision)
        app = create_app(talker, config)
        talker.encode_text("Hello. 你好。", "auto")  # dictionaries load now, not in a request
    except (ValueError, OSError) as error:
        event("cannot_start", level=logging.ERROR, reason=str(error))
        return WRONG
    server_of(app, config).run()
    return 0


def give_memory_back() -> None:
    """glibc: few arenas, which give back what is free at their ends.

    By default every worker thread keeps an arena of what its largest reply once needed.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in MALLOC.items():
            mallopt(option, value)


def shown(config: ServeConfig) -> dict[str, object]:
    """The settings as the log shows them: all but the token."""
    values: dict[str, object] = json.loads(json.dumps(dataclasses.asdict(config)))
    values["token"] = "set" if config.token else "not set"
    values["port"] = config.chosen_port
    return values


if __name__ == "__main__":
    raise SystemExit(main())
