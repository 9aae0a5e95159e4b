"""Page 6, Evaluate: several models speak, recognisers hear, scores, sounds side by side, report."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from GPT_SoVITS.studio import commands, found
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.evaluations import Evaluation, model_names
from GPT_SoVITS.studio.handlers import spoken_errors
from GPT_SoVITS.studio.job_panel import JobPanel
from GPT_SoVITS.studio.jobs import Job
from GPT_SoVITS.studio.pages.parts import copy_shown
from GPT_SoVITS.studio.roots import shown
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

SPLITS = ("valid", "train")
EARS = ("pocketsphinx", "phones", "faster-whisper", "funasr")
MOST_ITEMS = 500


def build(workshop: Workshop, t: Words) -> list[tuple[Any, Any]]:
    """Build the page; returns (function, outputs) pairs to run when it is opened."""
    page = Evaluate(workshop, t)
    gr.Markdown(t("evaluate.hint"))
    models = gr.Dropdown(
        label=t("evaluate.models"),
        info=t("evaluate.models.info"),
        choices=[],
        multiselect=True,
        elem_id="evaluate-models",
        interactive=True,
    )
    with gr.Row():
        data = gr.Dropdown(
            label=t("evaluate.data"),
            info=t("evaluate.data.info"),
            choices=[],
            allow_custom_value=True,
            elem_id="evaluate-data",
            interactive=True,
        )
        split = gr.Dropdown(
            [(t(f"evaluate.split.{name}"), name) for name in SPLITS],
            value="valid",
            label=t("evaluate.split"),
            elem_id="evaluate-split",
            interactive=True,
        )
        most = gr.Number(20, label=t("evaluate.most"), precision=0, elem_id="evaluate-most")
    with gr.Row():
        ear = gr.Dropdown(list(EARS), value=EARS[0], label=t("transcribe.engine"), interactive=True)
        ear_model = gr.Textbox(label=t("transcribe.model"), info=t("evaluate.ear.info"))
        output = gr.Textbox(
            label=t("evaluate.output"), info=t("evaluate.output.info"), elem_id="evaluate-output"
        )
    with gr.Row():
        recorded = gr.Checkbox(True, label=t("evaluate.recorded"))
        resynthesis = gr.Checkbox(
            False, label=t("evaluate.resynthesis"), info=t("evaluate.resynthesis.info")
        )
    go = gr.Button(t("evaluate.go"), variant="primary", elem_id="evaluate-go")
    panel = JobPanel(workshop, t, "evaluate")
    tables = gr.HTML("", elem_id="evaluate-tables")
    item = gr.Dropdown(
        label=t("evaluate.item"),
        choices=[],
        visible=False,
        elem_id="evaluate-item",
        interactive=True,
    )
    sounds = gr.State([])

    @gr.render(inputs=sounds)  # type: ignore[untyped-decorator]
    def _side_by_side(heard: list[tuple[str, str | None, str]]) -> None:
        with gr.Row(elem_id="evaluate-sounds"):
            for system, audio, words in heard:
                with gr.Column(min_width=260):
                    gr.Audio(audio, label=system, interactive=False, buttons=["download"])
                    gr.HTML(f"<p class='why'>{html.escape(words)}</p>")

    export = gr.DownloadButton(t("evaluate.export"), visible=False, elem_id="evaluate-export")
    panel.wire(outputs=[tables, item, export], details=page.details)
    form = [models, data, split, most, ear, ear_model, output, recorded, resynthesis]
    go.click(spoken_errors(page.start(panel)), form, panel.chosen)
    item.change(spoken_errors(page.heard), [panel.chosen, item], sounds)
    return [(page.load, [models, data, output]), (panel.load, [panel.chosen])]


class Evaluate:
    """The handlers."""

    def __init__(self, workshop: Workshop, t: Words) -> None:
        self.workshop, self.t = workshop, t

    def load(self) -> list[Any]:
        """Talkers, corpora, and a name for the run."""
        talkers, corpora = found.talkers(self.workshop.roots), found.corpora(self.workshop.roots)
        runs = [root for root in self.workshop.roots.folders if root.name == "runs"]
        first = (runs or list(self.workshop.roots.folders))[0]
        return [
            gr.Dropdown(choices=talkers, value=talkers[:2]),
            gr.Dropdown(choices=corpora, value=corpora[0] if corpora else None),
            shown(first / "evaluate" / "first"),
        ]

    def start(self, panel: JobPanel) -> Any:
        """A handler that begins an evaluation, or goes on with the one in a folder."""

        def go(
            models: list[str] | None,
            data: str | None,
            split: str,
            most: float | None,
            ear: str,
            ear_model: str,
            output: str,
            recorded: bool,
            resynthesis: bool,
        ) -> Any:
            roots = self.workshop.roots
            if not models:
                raise StudioError(self.t("evaluate.nomodel"))
            if split not in SPLITS or ear not in EARS or not 1 <= (most or 0) <= MOST_ITEMS:
                raise StudioError(self.t("evaluate.form", most=MOST_ITEMS))
            recognizer = {"engine": ear, "language": "en" if ear == "pocketsphinx" else "auto"}
            if (ear_model or "").strip():
                recognizer["model"] = str(roots.resolve(ear_model, must_exist=True))
            elif ear != "pocketsphinx":
                raise StudioError(self.t("transcribe.model.missing", engine=ear))
            source, target = roots.resolve(data, must_exist=True), roots.resolve(output)
            folders = [roots.resolve(name, must_exist=True) for name in models]
            command = commands.evaluate(
                model_names(folders),
                output=target,
                data=source if source.is_dir() else None,
                manifest=source if source.is_file() else None,
                split=split,
                recognizers=[recognizer],
                most=int(most or 0),
                recorded=bool(recorded),
                resynthesis=bool(resynthesis) and source.is_dir(),
            )
            title = self.t("evaluate.title", models=", ".join(models), output=shown(target))
            facts = {"output": str(target)}
            job = self.workshop.jobs.start("evaluate", title, command, facts=facts)
            return panel.started(job)

        return go

    def details(self, job: Job) -> list[Any]:
        """Tables, figures, the items, the export: once there is a report."""
        run = self._run(job)
        if job.lives or not run.finished:
            return [
                "",
                gr.Dropdown(choices=[], value=None, visible=False),
                gr.DownloadButton(visible=False),
            ]
        items = run.items()
        chosen = items[0][1] if items else None
        packed = run.export(self.workshop.new_file(".wav").with_name("evaluation.zip"))
        return [
            run.tables(unheard=self.t("evaluate.unheard")),
            gr.Dropdown(choices=items, value=chosen, visible=True),
            gr.DownloadButton(value=str(packed), visible=True),
        ]

    def heard(self, chosen: str | None, item: str | None) -> list[tuple[str, str | None, str]]:
        """One item as every system said it."""
        if not chosen or not item:
            return []
        shown_now: list[tuple[str, str | None, str]] = []
        for system, audio, words in self._run(self.workshop.jobs.get(chosen)).heard(item):
            place = self.workshop.roots.resolve(audio, must_exist=True) if audio else None
            shown_now.append((system, self._playable(place), words))
        return shown_now

    def _playable(self, place: Path | None) -> str | None:
        return copy_shown(self.workshop, place) if place else None

    def _run(self, job: Job) -> Evaluation:
        return Evaluation(self.workshop.roots.resolve(str(job.facts["output"])))
