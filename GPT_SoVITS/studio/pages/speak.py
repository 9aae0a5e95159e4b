"""Page 2, Speak: one text or many lines, in a known or a given voice, with every option."""

from __future__ import annotations

import dataclasses
import html
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from GPT_SoVITS.dialogue import LANGUAGES, Dialogue
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.handlers import spoken_errors_of_stream
from GPT_SoVITS.studio.option_controls import option_controls, read_options
from GPT_SoVITS.studio.pages.parts import (
    TalkerChoice,
    keep_picture,
    keep_sound,
    no_talker_hint,
    talker_choice,
)
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

if TYPE_CHECKING:
    from GPT_SoVITS.inference import Speech

MOST_LINES = 100
Spoken = tuple[str, str, str, str]
"""line, sound, picture, what lies between (empty unless asked for)"""


def build(workshop: Workshop, t: Words) -> list[tuple[Any, Any]]:
    """Build the page; returns (function, outputs) pairs to run when it is opened."""
    hint = gr.Markdown(t("speak.hint"))
    choice = talker_choice(workshop, t, "speak")
    text = gr.Textbox(
        label=t("speak.text"), info=t("speak.text.info"), lines=4, elem_id="speak-text"
    )
    with gr.Row():
        language = gr.Dropdown(
            [(t(f"language.{name}"), name) for name in LANGUAGES],
            value="auto",
            label=t("talk.language"),
            interactive=True,
        )
        vary = gr.Checkbox(label=t("speak.vary"), info=t("speak.vary.info"))
        inside = gr.Checkbox(
            label=t("speak.inside"), info=t("speak.inside.info"), elem_id="speak-inside"
        )
    options = option_controls(t, prefix="speak")
    with gr.Row(elem_classes="buttons"):
        go = gr.Button(t("speak.go"), variant="primary", elem_id="speak-go")
        stop = gr.Button(t("talk.stop"), elem_id="speak-stop")
    said = gr.Markdown("", elem_id="speak-said")
    results = gr.State([])
    archive = gr.DownloadButton(t("speak.download"), interactive=False, elem_id="speak-download")

    @gr.render(inputs=results)  # type: ignore[untyped-decorator]
    def _results(spoken: list[Spoken]) -> None:
        for line, audio, picture, between in spoken:
            with gr.Row(elem_classes="speak-result", equal_height=False):
                gr.Audio(
                    audio, label=line[:80], interactive=False, buttons=["download"], min_width=260
                )
                gr.Image(picture, show_label=False, interactive=False, min_width=260)
                if between:
                    gr.HTML(between, elem_classes="speak-between", min_width=260)

    page = Speak(workshop, t, choice)
    event = go.click(
        spoken_errors_of_stream(page.speak),
        [*choice.inputs, text, language, vary, inside, *options],
        [results, archive, said],
    )
    stop.click(lambda: None, cancels=[event])
    return [
        (choice.load, [choice.talker, choice.adapter, choice.voice]),
        (lambda: no_talker_hint(workshop, t) or t("speak.hint"), [hint]),
    ]


class Speak:
    """The handlers."""

    def __init__(self, workshop: Workshop, t: Words, choice: TalkerChoice) -> None:
        self.workshop, self.t, self.choice = workshop, t, choice

    def speak(self, *given: Any) -> Iterator[list[Any]]:
        """Each line is a text of its own; results appear one after the other.

        Raises `StudioError`.
        """
        who, (text, language, vary, inside), values = given[:4], given[4:8], given[8:]
        lines = [line.strip() for line in str(text or "").splitlines() if line.strip()]
        if not lines:
            raise StudioError(self.t("speak.nothing"))
        if len(lines) > MOST_LINES:
            raise StudioError(self.t("speak.toomany", most=MOST_LINES))
        options = read_options(values)
        talker, speaker, reference = self.choice.read(*who)
        done: list[Spoken] = []
        yield [[], gr.DownloadButton(interactive=False), self._said(0, len(lines))]
        for number, line in enumerate(lines):
            chosen = dataclasses.replace(options, seed=options.seed + number * bool(vary))
            speech = talker.speak(
                Dialogue(reference_audio=reference),
                line,
                speaker=speaker,
                language=language,
                options=chosen,
            )
            sound = keep_sound(self.workshop, speech.samples)
            picture = keep_picture(self.workshop, speech.samples)
            done = [*done, (line, sound, picture, self._between(speech) if inside else "")]
            yield [done, gr.skip(), self._said(len(done), len(lines))]
        packed = gr.DownloadButton(value=self._archive(done), interactive=True)
        yield [gr.skip(), packed, self._said(len(done), len(lines))]

    def _said(self, done: int, total: int) -> str:
        return self.t("speak.said", done=done, total=total)

    def _between(self, speech: Speech) -> str:
        """What lies between text and sound: phonemes, tokens, lengths."""
        cut = self.t("speak.cut") if speech.cut else ""
        facts = self.t("speak.facts", tokens=len(speech.codes), seconds=f"{speech.seconds:.2f}")
        parts = [f"{facts} {cut}", " ".join(speech.phonemes), " ".join(map(str, speech.codes))]
        return "".join(f"<p class='why'>{html.escape(part)}</p>" for part in parts)

    def _archive(self, spoken: list[Spoken]) -> str:
        """One zip with the sounds and their texts."""
        path = self.workshop.new_file(".wav").with_name("speech.zip")
        with zipfile.ZipFile(path, "w") as archive:
            for number, (_, audio, *_) in enumerate(spoken):
                archive.write(Path(audio), f"{number:03d}.wav")
            texts = "".join(
                f"{number:03d}.wav\t{line}\n" for number, (line, *_) in enumerate(spoken)
            )
            archive.writestr("texts.tsv", texts)
        return str(path)
