"""What a stranger reads above a public function: shapes, rates, errors, sources; all options told.

Read by AST, like tests/test_architecture.py; each rule is also shown a function that breaks it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FILES = sorted(
    path
    for name in ("GPT_SoVITS", "prepare_datasets")
    for path in (REPOSITORY / name).rglob("*.py")
)
SHAPE = re.compile(r"\((?:[A-Za-z0-9_'’ +*/·.…-]*,[^()]*|\.\.\.|…)?\)|any shape|any rank")
"""(B, T), (T,), () for a number, or the statement that it does not matter."""
POINTS = re.compile(r":meth:|:class:|:func:|`\w+`")
"""A docstring may leave it to another one that it names."""
RATE = re.compile(r"kHz|rate", re.I)
ERRORS = re.compile(
    r"\brais|error|refus|\bmust\b|\bfail|Cancelled|\b[45]\d\d\b|StopIteration", re.I
)
SOURCE = re.compile(r"paper|publish|arXiv|https?://|librosa|VITS|\bas in |\b(?:19|20)\d\d\b")
SETTINGS = re.compile(r"(?:Config|(?<!Decode)Options)$")
GROUP = re.compile(r"(?:Config|Options|Limits|Stage|Tensor)\b")
SOUND = {"samples", "wave", "waves"}
SOURCED = ("nn", "s1_gpt", "s2_vits", "evaluation/metrics")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(node: ast.AST, above: str = "") -> Iterator[tuple[ast.ClassDef | Function, str]]:
    """Public classes and functions, each with the docstrings above it (class, module)."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | Function) and not child.name.startswith("_"):
            yield child, above
            if isinstance(child, ast.ClassDef):
                yield from public(child, above + (ast.get_docstring(child) or ""))


def raised(function: Function) -> set[str]:
    """Exception classes a function raises itself."""
    found, stack = set(), list[ast.AST](function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if ast.unparse(kind)[:1].isupper():
                found.add(ast.unparse(kind))
        stack.extend(ast.iter_child_nodes(node))
    return found


def faults(source: str, *, place: str = "") -> list[str]:
    """What the docstrings of a file leave unsaid."""
    tree, found = ast.parse(source), []
    module = ast.get_docstring(tree) or ""
    for node, above in public(tree):
        said, where = ast.get_docstring(node) or "", f"{place}:{node.lineno} {node.name}"
        if not said:
            found.append(f"{where}: no docstring")
            continue
        if isinstance(node, ast.ClassDef):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        types = " ".join(ast.unparse(a.annotation) for a in arguments if a.annotation)
        types += " " + (ast.unparse(node.returns) if node.returns else "")
        names = {a.arg for a in arguments}
        if re.search(r"Tensor|ndarray", types) and not (SHAPE.search(said) or POINTS.search(said)):
            found.append(f"{where}: holds arrays; say their shapes, (B, T), or `any shape`")
        if names & SOUND and not any("rate" in name for name in names):
            if not RATE.search(said + above + module):
                found.append(f"{where}: holds sound; say its rate, as `32 kHz` or `any rate`")
        if raised(node) and not ERRORS.search(said):
            found.append(f"{where}: raises {sorted(raised(node))}; say so")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_public_function_says_shapes_rates_and_errors(path: Path):
    source = path.read_text(encoding="utf-8")
    assert not faults(source, place=path.name)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("def f():\n    return 1", "no docstring"),
        ("class A:\n    '''A.'''\n    def f(self):\n        return 1", "no docstring"),
        ("def f(x: Tensor) -> int:\n    '''Counts.'''", "shapes"),
        ("def f(samples: np.ndarray) -> int:\n    '''Sound (T,).'''", "its rate"),
        ("def f(x):\n    '''Halves.'''\n    raise ValueError(x)", "raises ['ValueError']"),
    ],
)
def test_the_rules_see(code: str, fault: str):
    assert len(faults(code)) == 1 and fault in faults(code)[0]


def test_networks_and_metrics_name_where_they_come_from():
    for folder in SOURCED:
        for path in (REPOSITORY / "GPT_SoVITS" / folder).glob("*.py"):
            source = path.read_text(encoding="utf-8")
            if "nn.Module)" in source or folder.endswith("metrics") and "def " in source:
                assert SOURCE.search(source), path


def options(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """(class, field, what is said about it) of every settings class: `*Config`, `*Options`."""
    for node, _ in public(tree):
        if isinstance(node, ast.ClassDef) and SETTINGS.search(node.name):
            for field, after in zip(node.body, [*node.body[1:], ast.Pass()]):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    if GROUP.search(ast.unparse(field.annotation)):
                        continue  # a group of options: its own class says what it is
                    said = after.value if isinstance(after, ast.Expr) else None
                    text = said.value if isinstance(said, ast.Constant) else ""
                    yield node.name, field.target.id, str(text)


def test_every_option_is_described():
    missing = [
        f"{path.relative_to(REPOSITORY)}: {owner}.{field}"
        for path in FILES
        for owner, field, text in options(ast.parse(path.read_text(encoding="utf-8")))
        if not text.strip()
    ]
    assert not missing, "\n".join(missing)
