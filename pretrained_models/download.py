"""Fetch the published base weights of a version and import them as a talker folder.

    python pretrained_models/download.py v2                     s1, s2 (+ speaker network of Pro)
    python pretrained_models/download.py v2 --discriminators    also what fine-tuning of s2 goes on
    python pretrained_models/download.py v2 --hubert --bert     also the content and text features

An interrupted download goes on where it stopped. Every file's SHA-256 must be the one the hub
states, and the beginning of a synthesiser the one known of it. HF_ENDPOINT names a mirror.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

log = logging.getLogger("download")
REPOSITORY = "lj1995/GPT-SoVITS"
HERE = Path(__file__).resolve().parent
IMPORT = [sys.executable, "-m", "GPT_SoVITS", "import-checkpoint"]
"""Run in the repository, where the package is found from wherever this file is called."""
BEGINNING = 8192
HUBERT, BERT = "chinese-hubert-base", "chinese-roberta-wwm-ext-large"
FOLDERS = {
    HUBERT: ("config.json", "preprocessor_config.json", "pytorch_model.bin"),
    BERT: ("config.json", "tokenizer.json", "pytorch_model.bin"),
}
SPEAKER = "sv/pretrained_eres2netv2w24s4ep4.ckpt"


@dataclass(frozen=True)
class Version:
    """Files of one published version, by their names in the repository."""

    s1: str
    s2: str
    s2d: str
    beginning: str
    """MD5 of the synthesiser's first 8192 bytes, as GPT-SoVITS knows it."""
    speaker: str = ""


VERSIONS = {
    "v1": Version(
        s1="s1bert25hz-2kh-longer-epoch=68e-step=50232.ckpt",
        s2="s2G488k.pth",
        s2d="s2D488k.pth",
        beginning="dc3c97e17592963677a4a1681f30c653",
    ),
    "v2": Version(
        s1="gsv-v2final-pretrained/s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt",
        s2="gsv-v2final-pretrained/s2G2333k.pth",
        s2d="gsv-v2final-pretrained/s2D2333k.pth",
        beginning="6642b37f3dbb1f76882b69937c95a5f3",
    ),
    "v2Pro": Version(
        s1="s1v3.ckpt",
        s2="v2Pro/s2Gv2Pro.pth",
        s2d="v2Pro/s2Dv2Pro.pth",
        beginning="c7e9fce2223f3db685cdfa1e6368728a",
        speaker=SPEAKER,
    ),
    "v2ProPlus": Version(
        s1="s1v3.ckpt",
        s2="v2Pro/s2Gv2ProPlus.pth",
        s2d="v2Pro/s2Dv2ProPlus.pth",
        beginning="66b313e39455b57ab1b0bc0b239c9d0a",
        speaker=SPEAKER,
    ),
}


class DownloadError(RuntimeError):
    """A file that could not be fetched, is not the published one or not imported; names it."""


def fetch(name: str, folder: Path, *, repository: str, revision: str) -> Path:
    """One file of the repository below `folder`, whole and with the hash the hub states."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        url = hf_hub_url(repository, name, revision=revision, endpoint=endpoint)
        stated = get_hf_file_metadata(url, endpoint=endpoint)
        commit = stated.commit_hash or revision
        path = Path(
            hf_hub_download(repository, name, local_dir=folder, revision=commit, endpoint=endpoint)
        )
    except (HfHubHTTPError, OSError) as error:
        raise DownloadError(f"{name}: not fetched ({error}); run the command again to go on") from (
            error
        )
    etag = (stated.etag or "").strip('"')
    if re.fullmatch(r"[0-9a-f]{64}", etag) and digest(path) != etag:
        path.unlink()
        raise DownloadError(f"{name}: its SHA-256 is not {etag}; deleted, run the command again")
    if stated.size is not None and path.stat().st_size != stated.size:
        raise DownloadError(f"{name}: {path.stat().st_size} bytes, the hub states {stated.size}")
    log.info("%s: %.1f MB, sha256 %s", name, path.stat().st_size / 1e6, digest(path))
    return path


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_beginning(path: Path, expected: str) -> None:
    """The first 8192 bytes, which GPT-SoVITS recognises its base files by."""
    with path.open("rb") as file:
        found = hashlib.md5(file.read(BEGINNING), usedforsecurity=False).hexdigest()
    if expected and found != expected:
        raise DownloadError(
            f"{path.name}: begins otherwise than the published file ({found}, not {expected}); "
            "--any-weights takes it all the same"
        )


def download(
    version: Version, output: Path, *, names: Sequence[str], repository: str, revision: str
) -> None:
    """Fetch, check, import. `names` are folders of feature models to fetch beside it."""
    kept = output / "published"
    wanted = [name for name in (version.s1, version.s2, version.speaker, version.s2d) if name]
    source = {"repository": repository, "revision": revision}
    files = [fetch(name, kept, **source) for name in wanted]
    check_beginning(files[1], version.beginning)
    features: list[str] = []
    for name in names:
        for part in FOLDERS[name]:
            fetch(f"{name}/{part}", output.parent, **source)
        features += ["--hubert" if name == HUBERT else "--bert", str(output.parent / name)]
    command = [*IMPORT, *map(str, files), "--output", str(output), *features]
    if subprocess.run(command, cwd=HERE.parent, check=False).returncode:
        raise DownloadError(f"{output}: the files were fetched and not imported, see above")
    log.info("%s: ready", output)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 done, 2 refused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("version", choices=sorted(VERSIONS))
    parser.add_argument("--output", type=Path, help="talker folder; default: beside this file")
    parser.add_argument("--discriminators", action="store_true", help="for fine-tuning stage 2")
    parser.add_argument("--hubert", action="store_true", help=f"also {HUBERT}")
    parser.add_argument("--bert", action="store_true", help=f"also {BERT}")
    parser.add_argument("--repository", default=REPOSITORY, help="default: %(default)s")
    parser.add_argument("--revision", default="main", help="branch, tag or commit")
    parser.add_argument("--any-weights", action="store_true", help="of another training")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    version = VERSIONS[args.version]
    if not args.discriminators:
        version = replace(version, s2d="")
    if args.any_weights:
        version = replace(version, beginning="")
    names = [name for name, on in ((HUBERT, args.hubert), (BERT, args.bert)) if on]
    output = (args.output or HERE / args.version).absolute()
    try:
        download(version, output, names=names, repository=args.repository, revision=args.revision)
    except (DownloadError, OSError) as error:
        log.error("error: %s", error)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
