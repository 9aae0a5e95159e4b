"""Page 3, Dataset: the five steps with progress, ledger, card, listening, corrected transcripts."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from GPT_SoVITS.studio import commands, found
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.handlers import spoken_errors
from GPT_SoVITS.studio.job_panel import JobPanel
from GPT_SoVITS.studio.jobs import Job
from GPT_SoVITS.studio.pages.repair import Repair
from GPT_SoVITS.studio.roots import shown
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

QUARANTINED = 3  # exit code of prepare_datasets: done, but something was left out
STEPS = ("1-5", "1", "2", "3", "4", "5", "2-5", "3-5", "4-5")
COLUMNS = ("action", "code", "path", "message")


def build(workshop: Workshop, t: Words) -> list[tuple[Any, Any]]:
    """Build the page; returns (function, outputs) pairs to run when it is opened."""
    page = Dataset(workshop, t)
    gr.Markdown(t("data.hint"))
    with gr.Row():
        raw = gr.Dropdown(
            label=t("data.raw"),
            info=t("data.raw.info"),
            choices=[],
            allow_custom_value=True,
            elem_id="data-raw",
            interactive=True,
        )
        output = gr.Textbox(
            label=t("data.output"), info=t("data.output.info"), elem_id="data-output"
        )
    with gr.Row():
        recipe = gr.Dropdown(
            label=t("data.recipe"), choices=[], elem_id="data-recipe", interactive=True
        )
        steps = gr.Dropdown(list(STEPS), value="1-5", label=t("data.steps"), interactive=True)
        workers = gr.Number(1, label=t("data.workers"), precision=0)
    with gr.Accordion(t("train.settings"), open=False):
        settings = gr.Textbox(label=t("train.settings"), info=t("data.settings.info"), lines=3)
    go = gr.Button(t("data.go"), variant="primary", elem_id="data-go")
    panel = JobPanel(workshop, t, "prepare")
    gr.Markdown("### " + t("data.result"))
    summary = gr.HTML(f"<p class='hint'>{t('data.none')}</p>", elem_id="data-summary")
    ledger = gr.Dataframe(
        headers=[t(f"data.column.{name}") for name in COLUMNS],
        label=t("data.ledger"),
        elem_id="data-ledger",
        interactive=False,
        wrap=True,
        buttons=[],
        max_height=320,
    )
    panel.wire(outputs=[summary, ledger], details=page.details)
    with gr.Accordion(t("data.card"), open=False):
        card = gr.Image(label=t("data.plots"), interactive=False, buttons=["fullscreen"])
        show = gr.Button(t("data.card.show"))
    repair = Repair(workshop, t, panel.chosen)

    form = [raw, output, recipe, steps, workers, settings]
    raw.change(page.output_for, [raw, output], output, show_progress="hidden")
    go.click(spoken_errors(page.start(panel)), form, panel.chosen)
    repair.rerun.click(spoken_errors(page.again(panel)), panel.chosen, panel.chosen)
    show.click(spoken_errors(page.card), panel.chosen, card)

    repair.follow(ledger.select(page.picked, None, repair.turn))
    return [(page.load, [raw, recipe]), (panel.load, [panel.chosen])]


class Dataset:
    """The handlers."""

    def __init__(self, workshop: Workshop, t: Words) -> None:
        self.workshop, self.t = workshop, t

    def load(self) -> list[Any]:
        """Folders of recordings and recipes."""
        folders = found.recordings(self.workshop.roots)
        names = found.recipes(self.workshop.configs, "data")
        first = "demo" if "demo" in names else names[0] if names else None
        return [
            gr.Dropdown(choices=folders, value=folders[0] if folders else None),
            gr.Dropdown(choices=names, value=first),
        ]

    def output_for(self, raw: str | None, output: str) -> Any:
        """`data/demo_raw` is prepared into `data/demo` unless something else is written there."""
        return raw.removesuffix("_raw") if raw and raw.endswith("_raw") else gr.skip()

    def start(self, panel: JobPanel) -> Any:
        """A handler that prepares, or prepares again what changed."""

        def go(
            raw: str, output: str, recipe: str, steps: str, workers: float, settings: str
        ) -> Any:
            roots = self.workshop.roots
            source, target = roots.resolve(raw, must_exist=True), roots.resolve(output)
            if source == target or target.is_relative_to(source):
                raise StudioError(self.t("data.same"))
            command = commands.prepare(
                found.recipe(self.workshop.configs, "data", recipe),
                raw=source,
                output=target,
                steps=steps if steps in STEPS else "1-5",
                workers=int(workers or 1),
                settings=commands.settings_of(settings),
            )
            facts = {"raw": str(source), "output": str(target), "noted": QUARANTINED}
            title = self.t("data.title", raw=shown(source), output=shown(target))
            job = self.workshop.jobs.start("prepare", title, command, facts=facts)
            return panel.started(job)

        return go

    def again(self, panel: JobPanel) -> Any:
        """A handler that runs the chosen job's command again: only what changed is computed."""

        def go(chosen: str | None) -> Any:
            before = self.workshop.jobs.get(chosen or "")
            if before.lives:
                raise StudioError(self.t("data.wait"))
            command, facts = list(before.command), dict(before.facts)
            return panel.started(
                self.workshop.jobs.start("prepare", before.title, command, facts=facts)
            )

        return go

    def details(self, job: Job) -> list[Any]:
        """Summary and ledger of what the job made."""
        folder = Path(job.facts["output"])
        if job.lives or not (folder / "report.json").is_file():
            return [gr.skip(), gr.skip()]
        report, lines = found.report(folder), found.read_lines(folder / "ledger.jsonl")
        rows = [[str(line.get(name, "")) for name in COLUMNS] for line in lines]
        return [self._summary(report), rows]

    def card(self, chosen: str | None) -> Any:
        """The plots of the dataset card. Raises `StudioError`."""
        facts = self.workshop.jobs.get(chosen or "").facts
        folder = self.workshop.roots.resolve(str(facts["output"]), must_exist=True)
        path = folder / "report_plots.png"
        if not path.is_file():
            raise StudioError(self.t("data.card.none"))
        shown_as = self.workshop.new_file(".png")
        shown_as.write_bytes(path.read_bytes())
        return str(shown_as)

    def picked(self, event: gr.SelectData) -> Any:
        """A line of the ledger was chosen: its recording."""
        return event.row_value[COLUMNS.index("path")]

    def _summary(self, report: dict[str, Any]) -> str:
        """The sum that must add up, and why turns were left out."""
        cells = "".join(
            f"<div class='number'><b>{report[name]}</b><span>{label}</span></div>"
            for name in ("in", "kept", "quarantined", "dropped")
            for label in [self.t(f"data.count.{name}")]
        )
        why = ", ".join(f"{code} × {count}" for code, count in report["reasons"].items())
        voices = self.t(
            "data.voices", hours=report.get("hours", 0), voices=len(report.get("speakers", {}))
        )
        return (
            f"<div class='numbers'>{cells}</div><p>{html.escape(voices)}</p>"
            f"<p class='why'>{html.escape(why)}</p>"
        )
