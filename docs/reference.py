"""A package's public names and docstrings as Markdown, read from its source without importing it.

    :::{package} GPT_SoVITS.text
    :::

in a page of docs/api/ stands for what `python docs/reference.py GPT_SoVITS.text` prints.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST_LINE = 88
Function = ast.FunctionDef | ast.AsyncFunctionDef


def package_pages(package: str) -> str:
    """Dotted name of a package or module -> Markdown of all its public modules."""
    place = ROOT.joinpath(*package.split("."))
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    if not files or not files[0].is_file():
        raise ValueError(f"{package}: no such package in {ROOT}")
    return "\n".join(line for file in files for line in _module(file))


def _module(file: Path) -> Iterator[str]:
    """One module: its docstring, then what it defines for others."""
    parts = list(file.relative_to(ROOT).with_suffix("").parts)
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    if parts[-1].startswith("_") and parts[-1] != "__init__":
        return
    yield f"## {name}\n"
    yield from _docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and _public(node.name):
            yield f"### {node.name}\n"
            yield from _code(f"class {node.name}{_bases(node)}")
            yield from _docstring(node)
            yield from _fields(node.body)
            for method in node.body:
                if isinstance(method, Function) and _shown(method):
                    yield f"#### {node.name}.{method.name}\n"
                    yield from _function(method)
        elif isinstance(node, Function) and _public(node.name):
            yield f"### {node.name}\n"
            yield from _function(node)
    yield from _fields(tree.body)


def _public(name: str) -> bool:
    return not name.startswith("_")


def _shown(method: Function) -> bool:
    return _public(method.name) or (
        method.name in ("__call__", "__init__") and len(_said(method)) > 0
    )


def _said(node: ast.Module | ast.ClassDef | Function) -> str:
    return ast.get_docstring(node) or ""


def _docstring(node: ast.Module | ast.ClassDef | Function) -> Iterator[str]:
    """Docstrings are plain text with `code`, indented pictures and little else."""
    if said := _said(node):
        yield _markdown(said) + "\n"


def _markdown(said: str) -> str:
    """A docstring as Markdown: what is indented or drawn is kept as it stands."""
    blocks = re.split(r"\n\s*\n", said)
    shown = []
    for block in blocks:
        drawn = any(
            line.startswith("  ") or re.search(r"\S   +\S", line) for line in block.split("\n")
        )
        listed = block.lstrip().startswith(("- ", "* "))
        shown.append(
            f"````text\n{cleandoc(block)}\n````" if drawn and not listed else _escaped(block)
        )
    return "\n\n".join(shown)


def _escaped(text: str) -> str:
    """Characters that Markdown would take for its own, outside of `code`."""
    parts = re.split(r"(``?[^`]+``?)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([<>\[\]|_*$#{}])", r"\\\1", part)
        for part in parts
    )


def _function(node: Function) -> Iterator[str]:
    yield from _code(_signature(node))
    yield from _docstring(node)


def _signature(node: Function) -> str:
    """`def name(…) -> …`, one argument per line where it is long."""
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    plain = f"{node.name}({ast.unparse(node.args)}){result}"
    if len(plain) <= LONGEST_LINE:
        return plain
    given = ast.unparse(node.args)
    lines = [f"    {one}," for one in _split(given)]
    return "\n".join([f"{node.name}(", *lines, f"){result}"])


def _split(arguments: str) -> list[str]:
    """Cut at the commas outside of brackets."""
    found, depth = [""], 0
    for char in arguments:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            found.append("")
        else:
            found[-1] += char
    return [one.strip() for one in found]


def _code(text: str) -> Iterator[str]:
    yield f"```python\n{text}\n```\n"


def _bases(node: ast.ClassDef) -> str:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    return f"({bases})" if bases else ""


def _fields(body: list[ast.stmt]) -> Iterator[str]:
    """Annotated or explained names of a class or module, one line each."""
    lines = []
    for node, after in zip(body, [*body[1:], None]):
        if isinstance(node, ast.AnnAssign):
            target, kind = node.target, f": {ast.unparse(node.annotation)}"
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, kind = node.targets[0], ""
        else:
            continue
        said = _after(after)
        if not isinstance(target, ast.Name) or not _public(target.id) or not (kind or said):
            continue
        value = f" = {ast.unparse(node.value)}" if node.value is not None else ""
        value = value if len(value) <= LONGEST_LINE else " = …"
        lines.append(f"- `{target.id}{kind}{value}`" + (f": {_escaped(said)}" if said else ""))
    if lines:
        yield "\n".join(lines) + "\n"


def _after(node: ast.stmt | None) -> str:
    """The docstring that follows an assignment."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        if isinstance(node.value.value, str):
            return " ".join(cleandoc(node.value.value).split())
    return ""


if __name__ == "__main__":
    sys.stdout.write(package_pages(sys.argv[1]))
