"""Page 5, Transcribe: recordings into a manifest by a recogniser; misheard words are corrected."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import gradio as gr

from GPT_SoVITS.dialogue import LANGUAGES
from GPT_SoVITS.evaluation.asr.manifest import (
    FORMS,
    correct_row,
    ledger_of,
    read_manifest,
)
from GPT_SoVITS.studio import commands, found
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.handlers import spoken_errors
from GPT_SoVITS.studio.job_panel import JobPanel
from GPT_SoVITS.studio.jobs import Job
from GPT_SoVITS.studio.pages.parts import copy_shown
from GPT_SoVITS.studio.roots import shown
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

INCOMPLETE = 3  # exit code of the command: done, but some recordings have no row
ENGINES = ("pocketsphinx", "faster-whisper", "funasr")
SHOWN_ROWS = 500
COLUMNS = ("audio", "text", "speaker", "language")


def build(workshop: Workshop, t: Words) -> list[tuple[Any, Any]]:
    """Build the page; returns (function, outputs) pairs to run when it is opened."""
    page = Transcribe(workshop, t)
    gr.Markdown(t("transcribe.hint"))
    with gr.Row():
        place = gr.Dropdown(
            label=t("transcribe.place"),
            info=t("transcribe.place.info"),
            choices=[],
            allow_custom_value=True,
            elem_id="transcribe-place",
            interactive=True,
        )
        output = gr.Textbox(
            label=t("transcribe.output"),
            info=t("transcribe.output.info", forms=" ".join(FORMS)),
            elem_id="transcribe-output",
        )
    with gr.Accordion(t("transcribe.upload"), open=False):
        files = gr.File(
            label=t("transcribe.files"),
            file_count="multiple",
            file_types=["audio"],
            elem_id="transcribe-files",
        )
    with gr.Row():
        engine = gr.Dropdown(
            list(ENGINES),
            value=ENGINES[0],
            label=t("transcribe.engine"),
            info=t("transcribe.engine.info"),
            interactive=True,
        )
        model = gr.Textbox(label=t("transcribe.model"), info=t("transcribe.model.info"))
    with gr.Row():
        language = gr.Dropdown(
            [(t(f"language.{name}"), name) for name in LANGUAGES],
            value="en",
            label=t("talk.language"),
            interactive=True,
        )
        speaker = gr.Textbox(label=t("transcribe.speaker"), info=t("transcribe.speaker.info"))
    go = gr.Button(t("transcribe.go"), variant="primary", elem_id="transcribe-go")
    panel = JobPanel(workshop, t, "transcribe")
    rows = gr.Dataframe(
        headers=[t(f"transcribe.column.{name}") for name in COLUMNS],
        label=t("transcribe.rows"),
        elem_id="transcribe-rows",
        interactive=False,
        wrap=True,
        buttons=[],
        max_height=320,
    )
    without = gr.Dataframe(
        headers=[t(f"transcribe.column.{name}") for name in ("audio", "why")],
        label=t("transcribe.without"),
        elem_id="transcribe-without",
        interactive=False,
        wrap=True,
        visible=False,
        buttons=[],
    )
    manifest = gr.DownloadButton(
        t("transcribe.download"), interactive=False, elem_id="transcribe-download"
    )
    panel.wire(outputs=[rows, without, manifest], details=page.details)
    gr.Markdown("### " + t("transcribe.correct"))
    audio = gr.Textbox(label=t("data.turn"), interactive=False, elem_id="transcribe-audio")
    sound = gr.Audio(label=t("data.sound"), interactive=False, elem_id="transcribe-sound")
    text = gr.Textbox(label=t("data.text"), lines=2, interactive=True, elem_id="transcribe-text")
    save = gr.Button(t("data.correct"), elem_id="transcribe-save")

    form = [place, files, output, engine, model, language, speaker]
    place.change(page.output_for, [place, output], output, show_progress="hidden")
    go.click(spoken_errors(page.start(panel)), form, panel.chosen)
    rows.select(page.picked, None, [audio, text]).then(
        spoken_errors(page.heard), [panel.chosen, audio], sound
    )
    save.click(spoken_errors(page.correct), [panel.chosen, audio, text], [rows, manifest])
    return [(page.load, [place]), (panel.load, [panel.chosen])]


class Transcribe:
    """The handlers."""

    def __init__(self, workshop: Workshop, t: Words) -> None:
        self.workshop, self.t = workshop, t

    def load(self) -> Any:
        """Folders of recordings."""
        folders = found.recordings(self.workshop.roots)
        return gr.Dropdown(choices=folders, value=folders[0] if folders else None)

    def output_for(self, place: str | None, output: str) -> Any:
        """The manifest lies in the folder it is about, where page Dataset looks for it."""
        return (
            f"{place.rstrip('/')}/manifest.jsonl" if place and not Path(place).suffix else gr.skip()
        )

    def start(self, panel: JobPanel) -> Any:
        """A handler that begins to listen."""

        def go(
            place: str | None,
            files: list[str] | None,
            output: str,
            engine: str,
            model: str,
            language: str,
            speaker: str,
        ) -> Any:
            roots = self.workshop.roots
            target = roots.resolve(output)
            if target.suffix not in FORMS or engine not in ENGINES or language not in LANGUAGES:
                raise StudioError(self.t("transcribe.form", forms=", ".join(FORMS)))
            if engine != "pocketsphinx" and not (model or "").strip():
                raise StudioError(self.t("transcribe.model.missing", engine=engine))
            command = commands.transcribe(
                self._kept(files, target) or [roots.resolve(place, must_exist=True)],
                output=target,
                engine=engine,
                model=roots.resolve(model, must_exist=True) if (model or "").strip() else None,
                language=language,
                speaker=(speaker or "").strip(),
            )
            facts = {"output": str(target), "noted": INCOMPLETE}
            title = self.t("transcribe.title", output=shown(target))
            job = self.workshop.jobs.start("transcribe", title, command, facts=facts)
            return panel.started(job)

        return go

    def details(self, job: Job) -> list[Any]:
        """Rows, recordings without one, and the file to take home."""
        path = self._manifest(job)
        if not path.is_file():
            return [[], gr.Dataframe(visible=False), gr.DownloadButton(interactive=False)]
        lost = [[line["audio"], line["message"]] for line in found.read_lines(ledger_of(path))]
        return [self._rows(path), gr.Dataframe(lost, visible=bool(lost)), self._download(path)]

    def picked(self, event: gr.SelectData) -> list[Any]:
        """A row was chosen."""
        return [event.row_value[0], event.row_value[1]]

    def heard(self, chosen: str | None, audio: str) -> Any:
        """How it sounds."""
        path = self._manifest(self.workshop.jobs.get(chosen or ""))
        sound = self.workshop.roots.resolve(path.parent / audio, must_exist=True)
        return copy_shown(self.workshop, sound)

    def correct(self, chosen: str | None, audio: str, text: str) -> list[Any]:
        """Another text for the chosen recording. Raises `StudioError`."""
        job = self.workshop.jobs.get(chosen or "")
        if job.lives:
            raise StudioError(self.t("transcribe.wait"))
        if not (audio or "").strip() or not (text or "").strip():
            raise StudioError(self.t("transcribe.choose"))
        path = self._manifest(job)
        correct_row(path, audio, text)
        return [self._rows(path), self._download(path)]

    def _manifest(self, job: Job) -> Path:
        return self.workshop.roots.resolve(str(job.facts["output"]))

    def _rows(self, path: Path) -> list[list[str]]:
        rows = read_manifest(path)[:SHOWN_ROWS]
        return [[getattr(row, name) for name in COLUMNS] for row in rows]

    def _download(self, path: Path) -> Any:
        copy = self.workshop.new_file(".wav").with_name(path.name)
        shutil.copyfile(path, copy)
        return gr.DownloadButton(value=str(copy), interactive=True)

    def _kept(self, files: list[str] | None, target: Path) -> list[Path]:
        """Uploads, moved beside the manifest so that it can name them."""
        kept = []
        for name in files or []:
            folder = target.parent / "recordings"
            folder.mkdir(parents=True, exist_ok=True)
            kept.append(Path(shutil.copyfile(name, folder / Path(name).name)))
        return kept
