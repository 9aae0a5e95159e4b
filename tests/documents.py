"""What README and docs/ tell a reader to type: their fenced blocks, as commands and programs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("bash", "python", "json", "yaml", "text")
"""bash and python are run, json and yaml are read, text is a picture, a listing or an output."""
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```\s*$", flags=re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+\s+(.*?)\s*$", flags=re.MULTILINE)


_INDENTED = re.compile(r"^(?: {4}\S.*\n(?:(?: {4}.*)?\n)*)+", flags=re.MULTILINE)
_SHOWN = re.compile(r"^ *(?:\$ )?(python|make|bash|pip) ")


@dataclass(frozen=True)
class Block:
    """One fenced block and where it stands."""

    path: Path
    line: int
    language: str
    content: str

    def commands(self) -> list[list[str]]:
        """The words of each command of a bash block, without comments, continued lines joined."""
        joined = self.content.replace("\\\n", " ")
        words = [shlex.split(line, comments=True) for line in joined.splitlines()]
        return [command for command in words if command]


def pages(root: Path) -> list[Path]:
    """Every page a reader is sent to."""
    top = [root / name for name in ("README.md", "README_zh.md", "CONTRIBUTING.md", "SECURITY.md")]
    card = root / "pretrained_models" / "tiny-speech" / "README.md"
    guides = sorted((root / "docs").rglob("*.md"))
    return [*top, *guides, *sorted(root.glob("*/README*.md")), card]


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(path, line, found[1].strip(), found[2])


def shown(path: Path) -> Iterator[Block]:
    """Commands a page shows without having them run: in `text` blocks and in indented ones.

    They need what only a reader has (a corpus, a recogniser's model). One command a block.
    """
    text = path.read_text(encoding="utf-8")
    parts = [(b.line, b.content) for b in blocks(path) if b.language == "text"]
    outside = _FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), text)
    for found in _INDENTED.finditer(outside):
        parts.append((outside.count("\n", 0, found.start()) + 1, found[0]))
    for line, content in parts:
        for command in content.replace("\\\n", " ").splitlines():
            if _SHOWN.match(command):
                yield Block(path, line, "text", command.strip().removeprefix("$ "))


def links(path: Path) -> Iterator[str]:
    """Targets of links and pictures outside of fenced blocks."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    for found in _LINK.finditer(text):
        yield found[1] or found[2]


def anchors(path: Path) -> set[str]:
    """The names under which the headings of a page can be linked."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = (re.sub(r"[`*]", "", title).lower() for title in _HEADING.findall(text))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}
