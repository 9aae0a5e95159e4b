"""Page 4, Train: recipe, estimate, start, stop, resume, curves while it runs, samples, all runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from GPT_SoVITS.studio import found
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.handlers import spoken_errors
from GPT_SoVITS.studio.job_panel import JobPanel
from GPT_SoVITS.studio.jobs import Job
from GPT_SoVITS.studio.pages.parts import keep_sound
from GPT_SoVITS.studio.progress import curves
from GPT_SoVITS.studio.roots import shown
from GPT_SoVITS.studio.training_request import DEVICES, training_request
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

SHOWN = ("loss", "accuracy", "mel", "top", "generator", "kl")
SHOWN_RUNS = 30


def build(workshop: Workshop, t: Words) -> list[tuple[Any, Any]]:
    """Build the page; returns (function, outputs) pairs to run when it is opened."""
    page = Train(workshop, t)
    gr.Markdown(t("train.hint"))
    with gr.Row():
        stage = gr.Radio(
            [(t(f"train.stage.{name}"), name) for name in found.STAGES],
            value="s1",
            label=t("train.stage"),
            elem_id="train-stage",
        )
        recipe = gr.Dropdown(
            label=t("train.recipe"),
            info=t("train.recipe.info"),
            choices=[],
            elem_id="train-recipe",
            interactive=True,
        )
    with gr.Row():
        data = gr.Dropdown(
            label=t("train.data"), choices=[], elem_id="train-data", interactive=True
        )
        run = gr.Textbox(label=t("train.run"), info=t("train.run.info"), elem_id="train-run")
    with gr.Row():
        steps = gr.Number(100, label=t("train.steps"), precision=0, elem_id="train-steps")
        save = gr.Number(
            50, label=t("train.save"), info=t("train.save.info"), precision=0, elem_id="train-save"
        )
        device = gr.Dropdown(list(DEVICES), value="auto", label=t("train.device"), interactive=True)
    with gr.Accordion(t("train.more"), open=False):
        with gr.Row():
            start = gr.Dropdown(
                label=t("train.init"), info=t("train.init.info"), choices=[""], interactive=True
            )
            speakers = gr.Dropdown(
                label=t("train.speakers"),
                info=t("train.speakers.info"),
                choices=[],
                multiselect=True,
                elem_id="train-speakers",
                interactive=True,
            )
        gr.Markdown(t("train.tags"))
        settings = gr.Textbox(
            label=t("train.settings"),
            info=t("train.settings.info"),
            lines=4,
            elem_id="train-settings",
        )
    with gr.Row(elem_classes="buttons"):
        estimate = gr.Button(t("train.estimate"), elem_id="train-estimate")
        go = gr.Button(t("train.start"), variant="primary", elem_id="train-start")
    gr.Markdown("### " + t("jobs.title"))
    panel = JobPanel(workshop, t, "train", "estimate")
    plot = gr.Image(
        label=t("train.curves"), elem_id="train-curves", interactive=False, buttons=["fullscreen"]
    )
    panel.wire(outputs=[plot], details=page.details)
    with gr.Row():
        sentence = gr.Textbox(label=t("train.sentence"), value=t("train.sentence.default"))
        listen = gr.Button(t("train.listen"), elem_id="train-listen", scale=0, min_width=200)
    sample = gr.Audio(
        label=t("train.sample"), interactive=False, buttons=["download"], elem_id="train-sample"
    )
    gr.Markdown("### " + t("train.runs"))
    table = gr.Dataframe(
        headers=[t(f"train.runs.{name}") for name in ("name", "step", "loss", "valid")],
        elem_id="train-runs",
        interactive=False,
        wrap=False,
        buttons=[],
    )
    again = gr.Button(t("refresh"), elem_id="train-refresh")

    form = [stage, recipe, data, run, steps, save, device, start, speakers, settings]
    stage.change(page.recipes, stage, recipe, show_progress="hidden")
    data.change(page.speakers, data, speakers, show_progress="hidden")
    go.click(spoken_errors(page.start(panel)), form, panel.chosen)
    estimate.click(spoken_errors(page.start(panel, dry=True)), form, panel.chosen)
    listen.click(spoken_errors(page.listen), [panel.chosen, sentence], sample)
    again.click(page.runs, None, table)
    return [
        (lambda: page.recipes("s1"), [recipe]),
        (page.folders, [data, run, start]),
        (panel.load, [panel.chosen]),
        (page.runs, [table]),
    ]


class Train:
    """The handlers."""

    def __init__(self, workshop: Workshop, t: Words) -> None:
        self.workshop, self.t = workshop, t

    def recipes(self, stage: str) -> Any:
        """Recipes of a stage; the demo's is first."""
        names = found.recipes(self.workshop.configs, stage)
        first = "demo" if "demo" in names else names[0] if names else None
        return gr.Dropdown(choices=names, value=first)

    def folders(self) -> list[Any]:
        """Prepared corpora, a name for the run, models to start from."""
        corpora = found.corpora(self.workshop.roots)
        first = corpora[0] if corpora else None
        name = self._new_run(Path(first).name if first else "first")
        return [
            gr.Dropdown(choices=corpora, value=first),
            gr.Textbox(name),
            gr.Dropdown(choices=["", *found.talkers(self.workshop.roots)], value=""),
        ]

    def speakers(self, data: str | None) -> Any:
        """Voices of a corpus, for LoRA."""
        if not data:
            return gr.skip()
        folder = self.workshop.roots.resolve(data, must_exist=True)
        return gr.Dropdown(choices=sorted(found.report(folder).get("speakers", {})), value=[])

    def start(self, panel: JobPanel, *, dry: bool = False) -> Any:
        """A handler that starts a training, or a dry run that says what it will cost."""

        def go(*form: Any) -> Any:
            wanted = training_request(self.workshop, self.t, *form, dry=dry)
            job = self.workshop.jobs.start(*wanted[:3], facts=wanted[3], alone=not dry)
            return panel.started(job)

        return go

    def details(self, job: Job) -> list[Any]:
        """The curves of a job's training so far."""
        metrics = job.facts.get("metrics")
        found_curves = curves(Path(metrics)) if metrics else {}
        wanted = {
            n: c for n, c in found_curves.items() if n.rsplit("/", 1)[-1] in self._quantities(n)
        }
        if not wanted:
            return [gr.Image(value=None, visible=job.kind == "train")]
        return [gr.Image(value=self._draw(wanted), visible=True)]

    def listen(self, chosen: str | None, sentence: str) -> Any:
        """The run's talker says the sentence, where both stages have been exported.

        Raises `StudioError`.
        """
        from GPT_SoVITS.inference import Talker

        job = self.workshop.jobs.get(chosen or "")
        folder = Path(job.facts.get("run", "")) / "talker"
        missing = [n for n in found.STAGES if not (folder / f"{n}.safetensors").is_file()]
        if missing:
            raise StudioError(self.t("train.listen.missing", stages=" + ".join(missing)))
        talker: Talker = self.workshop.shelf.get(folder)
        if not talker.speakers:
            raise StudioError(self.t("train.listen.voices"))
        speech = talker.speak(text=sentence, speaker=sorted(talker.speakers)[0])
        return keep_sound(self.workshop, speech.samples)

    def runs(self) -> list[list[Any]]:
        """Every training below the roots."""
        rows = []
        for run in found.runs(self.workshop.roots)[:SHOWN_RUNS]:
            train, valid = (run.values.get(f"{part}/loss") for part in ("train", "valid"))
            train = train if train is not None else run.values.get("train/mel")
            valid = valid if valid is not None else run.values.get("valid/mel")
            rows.append([run.name, run.step, _rounded(train), _rounded(valid)])
        return rows

    def _new_run(self, name: str) -> str:
        parents = [root for root in self.workshop.roots.folders if root.name == "runs"]
        parent = (parents or list(self.workshop.roots.folders))[0]
        return shown(parent / name)

    def _quantities(self, name: str) -> list[str]:
        last = name.rsplit("/", 1)[-1]
        return [last] if any(last.startswith(part) for part in SHOWN) else []

    def _draw(self, wanted: Mapping[str, Any]) -> str:
        from GPT_SoVITS.plots import loss_curves

        path = self.workshop.new_file(".png")
        loss_curves(wanted).savefig(path, dpi=80)
        return str(path)


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
