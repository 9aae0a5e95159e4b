"""Lock files: every package with its version, its marker, its files' SHA-256, and who needs it.

all.lock    what requirements.txt installs, without CUDA's libraries
serve.lock  the part of it that a server needs (pyproject.toml with the extra `serve`)
cuda.lock   what PyTorch's Linux build from the public index needs besides

pip reads them (`pip install --require-hashes --no-deps -r supply_chain/serve.lock`). They name no
address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).resolve().parent
LOCKS = ("all.lock", "serve.lock", "cuda.lock")
ROOTS = {"requirements.txt", "pyproject.toml"}
"""Who needs a package that no other package asks for."""


@dataclass(frozen=True)
class Pin:
    """One package of a lock."""

    name: str
    version: str
    marker: str
    """Where it is installed (PEP 508); empty: everywhere."""
    hashes: tuple[str, ...]
    """SHA-256 of every published file of this version, so that each system finds its own."""
    via: tuple[str, ...]
    """The packages, or the files of ROOTS, that need it."""

    @property
    def cuda(self) -> bool:
        """Is it there only because PyTorch's Linux build is one for CUDA?"""
        return self.name.startswith(("cuda-", "nvidia-")) or self.name == "triton"

    def __str__(self) -> str:
        marker = f" ; {self.marker}" if self.marker else ""
        hashes = "".join(f" \\\n    --hash=sha256:{value}" for value in self.hashes)
        return f"{self.name}=={self.version}{marker}{hashes}\n    # via {', '.join(self.via)}\n"


def read(file: Path) -> list[Pin]:
    """The pins of a lock, in its order; a line that is not one is an error."""
    pins = []
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    for block in re.split(r"\n(?=[A-Za-z0-9])", text.strip()):
        line, _, comment = block.partition("\n")
        wanted, *options = re.split(r"\s+--hash=sha256:", line.strip())
        try:
            requirement = Requirement(wanted)
            (version,) = [one.version for one in requirement.specifier if one.operator == "=="]
        except (InvalidRequirement, ValueError):
            raise ValueError(f"{file}: not a pinned package: {wanted!r}; run `make lock`") from None
        pins.append(
            Pin(
                name=canonicalize_name(requirement.name),
                version=version,
                marker=str(requirement.marker or "").replace('"', "'"),
                hashes=tuple(options),
                via=tuple(_via(comment)),
            )
        )
    return pins


def _via(comment: str) -> list[str]:
    """`# via a, -r requirements.txt, b (pyproject.toml)` -> a, requirements.txt, pyproject.toml."""
    words = comment.strip().removeprefix("# via").split(",")
    names = [re.split(r"[ (]+", word.strip(" )"))[-1] for word in words if "-c " not in word]
    return sorted({name for name in names if name})
