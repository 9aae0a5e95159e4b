"""Page 7, Voices and models: import, list, compare, merge adapters, choose references."""

from __future__ import annotations

import html
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gradio as gr

from GPT_SoVITS.checkpoints import CheckpointError, TalkerFolder, read_talker
from GPT_SoVITS.studio import commands, found
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.handlers import spoken_errors
from GPT_SoVITS.studio.job_panel import JobPanel
from GPT_SoVITS.studio.pages.references import References
from GPT_SoVITS.studio.roots import shown
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

ENDINGS = (".ckpt", ".pth", ".pt")
SHOWN_VOICES = 3


def build(workshop: Workshop, t: Words) -> list[tuple[Any, Any]]:
    """Build the page; returns (function, outputs) pairs to run when it is opened."""
    page = Voices(workshop, t)
    gr.Markdown(t("voices.hint"))
    gr.Markdown("### " + t("voices.list"))
    listed = gr.Dataframe(
        headers=[t(f"voices.column.{name}") for name in ("name", "size", "voices", "source")],
        interactive=False,
        elem_id="voices-list",
        buttons=[],
    )
    again = gr.Button(t("refresh"), elem_id="voices-refresh")
    gr.Markdown("### " + t("voices.import") + "\n\n" + t("voices.import.hint"))
    files = gr.File(
        label=t("voices.files"),
        file_count="multiple",
        file_types=list(ENDINGS),
        elem_id="voices-files",
    )
    with gr.Row():
        path = gr.Textbox(label=t("voices.path"), info=t("voices.path.info"), elem_id="voices-path")
        target = gr.Textbox(label=t("voices.target"), elem_id="voices-target")
    bring = gr.Button(t("voices.go"), variant="primary", elem_id="voices-import")
    gr.Markdown("### " + t("voices.merge") + "\n\n" + t("voices.merge.hint"))
    with gr.Row():
        adapter = gr.Dropdown(
            label=t("voices.adapter"), choices=[], elem_id="voices-adapter", interactive=True
        )
        merged = gr.Textbox(label=t("voices.merged"), elem_id="voices-merged")
    merge = gr.Button(t("voices.merge.go"), elem_id="voices-merge")
    gr.Markdown("### " + t("jobs.title"))
    panel = JobPanel(workshop, t, "import", "merge")
    panel.wire(outputs=[listed], details=lambda job: [page.listed()])
    gr.Markdown("### " + t("voices.compare"))
    with gr.Row():
        one = gr.Dropdown(label=t("voices.one"), choices=[], elem_id="voices-one", interactive=True)
        other = gr.Dropdown(
            label=t("voices.other"), choices=[], elem_id="voices-other", interactive=True
        )
    compare = gr.Button(t("voices.compare"), elem_id="voices-compare")
    differences = gr.HTML("", elem_id="voices-differences")
    references = References(workshop, t, one)

    lists = [one, other, adapter, references.corpus]
    listed.change(page.offered, None, lists, show_progress="hidden")
    again.click(page.listed, None, listed).then(page.lists, None, lists)
    bring.click(spoken_errors(page.bring(panel)), [files, path, target], panel.chosen)
    compare.click(spoken_errors(page.compare), [one, other], differences)
    merge.click(spoken_errors(page.merge(panel)), [adapter, merged], panel.chosen)
    return [
        (page.listed, [listed]),
        (page.lists, lists),
        (page.targets, [target, merged]),
        (panel.load, [panel.chosen]),
    ]


class Voices:
    """The handlers."""

    def __init__(self, workshop: Workshop, t: Words) -> None:
        self.workshop, self.t = workshop, t

    def listed(self) -> list[list[str]]:
        """Every talker below the roots; a broken one says why."""
        rows = []
        for name in found.talkers(self.workshop.roots):
            folder = self.workshop.roots.resolve(name)
            try:
                talker = read_talker(folder)
            except CheckpointError as error:
                rows.append([name, "", "", str(error)])
                continue
            size = sum(p.stat().st_size for p in folder.glob("*.safetensors")) / 2**20
            row = [name, f"{size:.1f} MB", _voices(talker.speakers), talker.s2.source or "-"]
            rows.append(row)
        return rows

    def _choices(self) -> list[list[str]]:
        """Talkers, talkers again, adapters, corpora: what can be compared, merged, chosen from."""
        names = found.talkers(self.workshop.roots)
        pairs = [
            f"{name} : {adapter}"
            for name in names
            for adapter in found.adapters(self.workshop.roots.resolve(name))
        ]
        return [names, names, pairs, found.corpora(self.workshop.roots)]

    def lists(self) -> list[Any]:
        """The lists as a page opens: the first is chosen, and the last to compare it with."""
        return [
            gr.Dropdown(choices=some, value=some[last] if some else None)
            for some, last in zip(self._choices(), (0, -1, 0, 0), strict=True)
        ]

    def offered(self) -> list[Any]:
        """The lists once there is something new; what was chosen stays chosen."""
        return [gr.Dropdown(choices=some) for some in self._choices()]

    def targets(self) -> list[str]:
        """Names for new talkers."""
        root = self.workshop.roots.folders[-1]
        return [shown(root / "imported"), shown(root / "merged")]

    def bring(self, panel: JobPanel) -> Any:
        """A handler that imports uploaded files, or files of a root."""

        def go(files: list[str] | None, path: str, target: str) -> Any:
            roots = self.workshop.roots
            output = roots.resolve(target)
            sources = self._kept(files or [])
            if (path or "").strip():
                sources.append(roots.resolve(path, must_exist=True))
            if not sources:
                raise StudioError(self.t("voices.nofiles"))
            title = self.t("voices.title.import", output=shown(output))
            command = commands.import_checkpoint(sources, output=output)
            facts = {"output": str(output)}
            return panel.started(self.workshop.jobs.start("import", title, command, facts=facts))

        return go

    def compare(self, one: str | None, other: str | None) -> str:
        """What two talkers say about themselves, side by side; differences stand out."""
        folders = [self.workshop.roots.resolve(name, must_exist=True) for name in (one, other)]
        facts = [_facts(read_talker(folder)) for folder in folders]
        keys = list(dict.fromkeys([*facts[0], *facts[1]]))
        differ: list[str] = []
        same: list[str] = []
        for key in keys:
            values = [str(fact.get(key, "-")) for fact in facts]
            mark = " class='differs'" if values[0] != values[1] else ""
            cells = "".join(f"<td>{html.escape(value)}</td>" for value in values)
            (differ if mark else same).append(f"<tr{mark}><th>{html.escape(key)}</th>{cells}</tr>")
        head = "".join(f"<th>{html.escape(str(name))}</th>" for name in (one, other))
        title = html.escape(self.t("voices.same", count=len(same)))
        return (
            f"<table><tr><th></th>{head}</tr>{''.join(differ)}</table>"
            f"<details><summary>{title}</summary><table>{''.join(same)}</table></details>"
        )

    def merge(self, panel: JobPanel) -> Any:
        """A handler that writes a talker with an adapter's change in its weights."""

        def go(pair: str | None, target: str) -> Any:
            talker, mark, adapter = (pair or "").rpartition(" : ")
            if not mark:
                raise StudioError(self.t("voices.noadapter"))
            folder = self.workshop.roots.resolve(talker, must_exist=True)
            if adapter not in found.adapters(folder):
                raise StudioError(self.t("voices.noadapter"))
            output = self.workshop.roots.resolve(target)
            command = commands.merge_adapter(folder, adapter, output=output)
            title = self.t("voices.title.merge", adapter=adapter, output=shown(output))
            facts = {"output": str(output)}
            return panel.started(self.workshop.jobs.start("merge", title, command, facts=facts))

        return go

    def _kept(self, files: list[str]) -> list[Path]:
        """Uploads, moved to a place that a job can read after the page is gone."""
        kept = []
        place = self.workshop.jobs.folder / "uploads" / time.strftime("%Y%m%d-%H%M%S")
        for name in files:
            source = Path(name)
            if source.suffix.lower() not in ENDINGS:
                raise StudioError(self.t("voices.ending", name=source.name))
            place.mkdir(parents=True, exist_ok=True)
            kept.append(Path(shutil.copyfile(source, place / source.name)))
        return kept


def _voices(names: Iterable[str]) -> str:
    """How many, and the first of them; `voice#style` is another clip of the same voice."""
    known = sorted({name.split("#")[0] for name in names})
    more = ", …" if len(known) > SHOWN_VOICES else ""
    return f"{len(known)}: {', '.join(known[:SHOWN_VOICES])}{more}" if known else "-"


def _facts(talker: TalkerFolder) -> dict[str, Any]:
    """What a talker says about itself, one line each."""
    facts: dict[str, Any] = {
        "symbols": talker.s1.symbols,
        "tags": ", ".join(talker.s1.tags) or "-",
        "quantizer": talker.quantizer_id,
        "feature": talker.feature.get("kind", "-"),
        "voices": len(talker.speakers),
        "licence": talker.s2.licence or "-",
        "source": talker.s2.source or "-",
    }
    for name, header in (("s1", talker.s1), ("s2", talker.s2)):
        facts |= {f"{name}.{key}": value for key, value in sorted(header.config.items())}
    return facts
