"""The part of page Dataset where a recording is heard and its turn corrected, split, joined, left
out, and where a file that never became a turn is mended."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from GPT_SoVITS.studio.corrections import Corrections
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.handlers import spoken_errors
from GPT_SoVITS.studio.pages.parts import copy_shown
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

SHOWN_HISTORY = 20


class Repair:
    """Built inside the page; `chosen` is the job whose corpus is meant."""

    def __init__(self, workshop: Workshop, t: Words, chosen: Any) -> None:
        self.workshop, self.t = workshop, t
        gr.Markdown("### " + t("data.repair") + "\n\n" + t("data.repair.hint"))
        self.turn = gr.Textbox(
            label=t("data.turn"), info=t("data.turn.info"), elem_id="data-turn", max_lines=1
        )
        sound = gr.Audio(
            label=t("data.sound"), interactive=False, buttons=["download"], elem_id="data-sound"
        )
        text = gr.Textbox(label=t("data.text"), lines=2, elem_id="data-text", interactive=True)
        with gr.Row(elem_classes="buttons"):
            correct = gr.Button(t("data.correct"), variant="primary", elem_id="data-correct")
            undo = gr.Button(t("data.undo"), elem_id="data-undo")
            self.rerun = gr.Button(t("data.rerun"), elem_id="data-rerun")
        with gr.Accordion(t("data.more"), open=False, elem_id="data-more"):
            with gr.Row(elem_classes="buttons"):
                drop = gr.Button(t("data.drop"), elem_id="data-drop")
                join = gr.Button(t("data.join"), elem_id="data-join")
            with gr.Row():
                at = gr.Number(label=t("data.split.at"), elem_id="data-split-at", minimum=0)
                second = gr.Textbox(label=t("data.split.second"), elem_id="data-split-second")
                split = gr.Button(t("data.split"), elem_id="data-split")
            new = gr.File(
                label=t("data.replace"), file_types=["audio"], elem_id="data-replace", height=120
            )
        said = gr.Markdown("", elem_id="data-said")
        history = gr.HTML("", elem_id="data-history")
        which, self._heard = [chosen, self.turn], [sound, text, history]
        self.turn.submit(spoken_errors(self.show), which, self._heard)
        self._which = which
        done = [text, said, history]
        correct.click(spoken_errors(self.correct), [*which, text], done)
        undo.click(spoken_errors(self.undo), which, done)
        drop.click(spoken_errors(self.drop), which, done)
        join.click(spoken_errors(self.join), which, done)
        split.click(spoken_errors(self.split), [*which, at, text, second], done)
        new.upload(spoken_errors(self.replace), [*which, new], [sound, said, new])

    def follow(self, picked: Any) -> None:
        """Show the turn after an event that named another one."""
        picked.then(spoken_errors(self.show), self._which, self._heard)

    def show(self, chosen: str | None, path: str) -> list[Any]:
        """Sound, words and history of a turn."""
        if not (path or "").strip():
            return [None, "", ""]
        corpus = self._corpus(chosen, path)
        return [self._sound(corpus, path), corpus.find(path).text, self._history(corpus)]

    def correct(self, chosen: str | None, path: str, text: str) -> list[Any]:
        """Keep a corrected transcript. Raises `StudioError`."""
        if not (text or "").strip():
            raise StudioError(self.t("data.correct.empty"))
        corpus = self._corpus(chosen, path)
        corpus.text(path, text)
        return self._done(corpus, path, "data.corrected")

    def drop(self, chosen: str | None, path: str) -> list[Any]:
        """Leave the turn out."""
        corpus = self._corpus(chosen, path)
        corpus.drop(path, "left out in the studio")
        return self._done(corpus, path, "data.dropped")

    def join(self, chosen: str | None, path: str) -> list[Any]:
        """Join it with the next turn."""
        corpus = self._corpus(chosen, path)
        corpus.join(path)
        return self._done(corpus, path, "data.joined")

    def split(
        self, chosen: str | None, path: str, at: float | None, text: str, second: str
    ) -> list[Any]:
        """Two turns of one. Raises `StudioError`."""
        if not at or not (text or "").strip() or not (second or "").strip():
            raise StudioError(self.t("data.split.missing"))
        corpus = self._corpus(chosen, path)
        corpus.split(path, float(at), (text, second))
        return self._done(corpus, path, "data.was.split")

    def undo(self, chosen: str | None, path: str) -> list[Any]:
        """Take the last correction of this recording back."""
        corpus = self._corpus(chosen, path)
        corpus.undo(path)
        return self._done(corpus, path, "data.undone")

    def replace(self, chosen: str | None, path: str, new: str) -> list[Any]:
        """Another recording in the place of a broken one."""
        corpus = self._corpus(chosen, path)
        corpus.mended.replace(path, Path(new))
        return [self._sound(corpus, path), self.t("data.replaced", path=path), None]

    def _done(self, corpus: Corrections, path: str, words: str) -> list[Any]:
        return [corpus.find(path).text, self.t(words, path=path), self._history(corpus)]

    def _sound(self, corpus: Corrections, path: str) -> str | None:
        """A recording that a page may play; None where it is missing or cannot be decoded."""
        place = corpus.recording(path)
        try:
            return copy_shown(self.workshop, place) if place.is_file() else None
        except ValueError:
            return None

    def _corpus(self, chosen: str | None, path: str) -> Corrections:
        facts, roots = self.workshop.jobs.get(chosen or "").facts, self.workshop.roots
        raw = roots.resolve(str(facts["raw"]), must_exist=True)
        prepared = roots.resolve(str(facts["output"]), must_exist=True)
        if not (path or "").strip():
            raise StudioError(self.t("data.turn.none"))
        if not roots.resolve(raw / path).is_relative_to(raw):
            raise StudioError(self.t("data.turn.outside"))
        return Corrections(raw, prepared)

    def _history(self, corpus: Corrections) -> str:
        """The last corrections; undone ones struck through."""
        lines = []
        for one in corpus.history()[-SHOWN_HISTORY:]:
            if one["op"] == "undo":
                continue
            words = html.escape(f"{one['op']} {one['id']} {one.get('text', '')}".strip())
            lines.append(f"<li>{words if one['in_force'] else f'<s>{words}</s>'}</li>")
        title = html.escape(self.t("data.history"))
        return f"<b>{title}</b><ol class='why'>{''.join(lines)}</ol>" if lines else ""
