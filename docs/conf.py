"""The site of README and docs/: `make docs` builds it into runs/docs, offline; dead links fail it.

The source folder is the repository, so every page keeps the links it has on a code host: to other
pages, to headings, and to files, which are copied beside the page. `docs/index.md` lists the pages.
"""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
package_pages = runpy.run_path(str(ROOT / "docs" / "reference.py"))["package_pages"]

project = "gpt-sovits-dialogue"
author = "The gpt-sovits-dialogue authors"
html_title = project
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "pretrained_models/**.md", "examples/*.md"]
LINK = re.compile(r"\]\(([^)#:\s]+\.md)\)")


class Package(SphinxDirective):
    """:::{package} NAME: what `reference.py` says of it."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Parsed as a part of the page."""
        for file in ROOT.joinpath(*self.arguments[0].split(".")).rglob("*.py"):
            self.env.note_dependency(str(file))
        return self.parse_text_to_nodes(
            package_pages(self.arguments[0]), allow_section_headings=True
        )


def list_pages(app: Sphinx, name: str, source: list[str]) -> None:
    """The site's menu is what the index page links to, one part per heading."""
    if name != root_doc:
        return
    for part in re.split(r"^## ", source[0], flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        pages = "\n".join(LINK.findall(body))
        source[0] += f"\n:::{{toctree}}\n:hidden:\n:caption: {title}\n\n{pages}\n:::\n"


def open_at_the_root(app: Sphinx, error: Exception | None) -> None:
    """runs/docs/index.html leads to the index page."""
    page = '<meta charset="utf-8"><meta http-equiv="refresh" content="0; url=docs/index.html">\n'
    (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.add_directive("package", Package)
    app.connect("source-read", list_pages)
    app.connect("build-finished", open_at_the_root)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
