"""``python -m GPT_SoVITS studio``: the pages in a browser on this machine.

Binds to loopback only; from another machine use a tunnel: ``ssh -L 7860:127.0.0.1:7860 HOST``.
Exit codes: 0 ended, 2 wrong input (stderr says what).
"""

from __future__ import annotations

import argparse
import ipaddress
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from GPT_SoVITS.studio.errors import StudioError

log = logging.getLogger(__name__)
WRONG_INPUT = 2
ROOTS = ("data", "runs", "pretrained_models")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    args = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return serve(args)
    except (StudioError, OSError) as error:
        log.error("error: %s", error)
        return WRONG_INPUT


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS studio", description="The whole work in the browser."
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address; default 127.0.0.1")
    parser.add_argument("--port", type=int, default=7860, help="default 7860; 0 takes a free one")
    parser.add_argument(
        "--roots",
        type=Path,
        nargs="+",
        default=[Path(name) for name in ROOTS],
        metavar="DIR",
        help=f"the only folders read and written; default {' '.join(ROOTS)}",
    )
    parser.add_argument(
        "--jobs", type=Path, default=Path("runs/studio"), help="jobs; default runs/studio"
    )
    parser.add_argument(
        "--configs", type=Path, default=Path("configs"), help="recipes; default configs"
    )
    parser.add_argument("--device", default="auto", help="for speaking: auto, cpu or cuda")
    return parser


def serve(args: argparse.Namespace) -> int:
    """Build the pages and serve them until interrupted. Raises `StudioError`."""
    if not is_loopback(args.host):
        raise StudioError(
            f"--host {args.host}: the studio has no passwords, so it binds to loopback only; "
            "from another machine use `ssh -L 7860:127.0.0.1:7860 HOST`"
        )
    listener = listen(args.host, args.port)
    # What gradio reads when it is imported: no reports about its use, no look for newer versions.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    cache = args.jobs / "cache"
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ["GRADIO_TEMP_DIR"] = str(cache.resolve())
    try:
        import uvicorn

        from GPT_SoVITS.studio.app import build_app
    except ModuleNotFoundError as error:
        listener.close()
        raise StudioError(f"{error.name} is not installed: pip install '.[studio]'") from None
    from GPT_SoVITS.studio.jobs import Jobs
    from GPT_SoVITS.studio.roots import Roots
    from GPT_SoVITS.studio.workshop import TalkerShelf, Workshop

    workshop = Workshop(
        roots=Roots(args.roots),
        jobs=Jobs(args.jobs / "jobs"),
        cache=cache.resolve(),
        configs=args.configs.resolve(),
        shelf=TalkerShelf(args.device),
    )
    port = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(build_app(workshop), log_level="warning", timeout_graceful_shutdown=3)
    )
    log.info("studio: http://%s:%d/", args.host, port)
    server.run(sockets=[listener])
    return 0


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or a sentence where the port is taken. Raises `StudioError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StudioError(
            f"--port {port} on {host}: {error.strerror or error}; use another, 0 for a free one"
        ) from None
    listener.listen(128)
    return listener


if __name__ == "__main__":
    raise SystemExit(main())
