"""The part of page Voices where one recording is chosen to stand for a voice of a talker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from GPT_SoVITS.checkpoints import read_talker, write_talker
from GPT_SoVITS.studio import found
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.handlers import spoken_errors
from GPT_SoVITS.studio.pages.parts import copy_shown
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop


class References:
    """Built inside the page; `talker` is the control that names the talker."""

    def __init__(self, workshop: Workshop, t: Words, talker: Any) -> None:
        self.workshop, self.t = workshop, t
        gr.Markdown("### " + t("voices.medoid") + "\n\n" + t("voices.medoid.hint"))
        with gr.Row():
            self.corpus = gr.Dropdown(label=t("voices.corpus"), choices=[], interactive=True)
            voice = gr.Dropdown(
                label=t("talker.voice"), choices=[], elem_id="voices-voice", interactive=True
            )
            clip = gr.Dropdown(
                label=t("voices.clip"), choices=[], elem_id="voices-clip", interactive=True
            )
        heard = gr.Audio(
            label=t("voices.heard"), interactive=False, buttons=["download"], elem_id="voices-heard"
        )
        choose = gr.Button(t("voices.choose"), elem_id="voices-choose")
        said = gr.Markdown("", elem_id="voices-said")
        quiet: dict[str, Any] = {"show_progress": "hidden"}
        self.corpus.change(spoken_errors(self.voices), self.corpus, voice, **quiet)
        voice.change(spoken_errors(self.clips), [self.corpus, voice], clip, **quiet)
        clip.change(spoken_errors(self.heard), [self.corpus, clip], heard)
        choose.click(spoken_errors(self.choose), [talker, self.corpus, voice, clip], said)

    def voices(self, corpus: str | None) -> Any:
        """Voices of a prepared corpus."""
        names = sorted(self._speakers(corpus)) if corpus else []
        return gr.Dropdown(choices=names, value=names[0] if names else None)

    def clips(self, corpus: str | None, voice: str | None) -> Any:
        """The medoid and one recording per style."""
        if not corpus or not voice:
            return gr.skip()
        choices = list(_clips(self._speakers(corpus).get(voice, {})))
        return gr.Dropdown(choices=choices, value=choices[0] if choices else None)

    def heard(self, corpus: str | None, clip: str | None) -> Any:
        """How a clip sounds."""
        if not corpus or not clip:
            return None
        return copy_shown(self.workshop, self._file(corpus, clip))

    def choose(
        self, talker: str | None, corpus: str | None, voice: str | None, clip: str | None
    ) -> str:
        """From now on this clip stands for the voice in the chosen talker. Raises `StudioError`."""
        if not talker or not corpus or not voice or not clip:
            raise StudioError(self.t("voices.choose.all"))
        folder = self.workshop.roots.resolve(talker, must_exist=True)
        source = self._file(corpus, clip)
        known = read_talker(folder).speakers
        entries: dict[str, dict[str, Any]] = {
            name: {"clip": entry.clip, "seconds": entry.seconds, "turn": entry.turn}
            for name, entry in known.items()
        }
        entries[voice] = {"clip": source, "turn": _clips(self._speakers(corpus)[voice])[clip]["id"]}
        write_talker(folder, speakers=entries)
        return self.t("voices.chosen", voice=voice, clip=clip, talker=talker)

    def _speakers(self, corpus: str | None) -> dict[str, Any]:
        folder = self.workshop.roots.resolve(corpus, must_exist=True)
        return dict(found.read_json(folder / "speakers.json").get("speakers", {}))

    def _file(self, corpus: str, clip: str) -> Path:
        folder = self.workshop.roots.resolve(corpus, must_exist=True)
        for entry in self._speakers(corpus).values():
            clips = _clips(entry)
            if clip in clips:
                return self.workshop.roots.resolve(folder / clips[clip]["audio"], must_exist=True)
        raise StudioError(self.t("voices.choose.all"))


def _clips(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Label -> {id, audio, seconds, text} of a voice, the medoid first."""
    named = {"medoid": entry["medoid"]} if entry.get("medoid") else {}
    named |= entry.get("references", {})
    return {f"{name}: {c['id']} ({c['seconds']:.1f} s)": c for name, c in named.items()}
