"""Parts several pages have: choosing a talker and a voice, showing a sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from GPT_SoVITS.checkpoints import read_talker
from GPT_SoVITS.studio import found
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.handlers import spoken_errors
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

if TYPE_CHECKING:
    import numpy as np

    from GPT_SoVITS.inference import Talker

OWN_VOICE = "own"
NO_ADAPTER = "-"


@dataclass(frozen=True)
class TalkerChoice:
    """The controls that say who speaks."""

    talker: Any
    adapter: Any
    voice: Any
    reference: Any
    workshop: Workshop

    @property
    def inputs(self) -> list[Any]:
        """For a handler, in the order of `read`."""
        return [self.talker, self.adapter, self.voice, self.reference]

    def read(
        self, talker: str, adapter: str, voice: str, reference: str | None
    ) -> tuple[Talker, str, str | None]:
        """-> the loaded talker, the speaker's name, a reference recording or None.

        Raises `StudioError`.
        """
        folder = self.workshop.roots.resolve(talker, must_exist=True)
        loaded = self.workshop.shelf.get(folder, "" if adapter == NO_ADAPTER else adapter)
        if voice != OWN_VOICE:
            return loaded, voice, reference
        if reference is None:
            raise StudioError("give a recording of the voice, or choose a voice the model knows")
        return loaded, "agent", reference

    def load(self) -> list[Any]:
        """When the page is opened: the talkers there are, the newest chosen."""
        names = found.talkers(self.workshop.roots)
        first = names[0] if names else None
        return [gr.Dropdown(choices=names, value=first), *self.of_talker(first)]

    def of_talker(self, talker: str | None) -> list[Any]:
        """Adapters and voices of a chosen talker."""
        if not talker:
            return [gr.skip(), gr.skip()]
        folder = self.workshop.roots.resolve(talker, must_exist=True)
        voices = sorted(read_talker(folder).speakers)
        own = (self.voice.choices[0][0], OWN_VOICE)
        choices = [*((name, name) for name in voices), own]
        names = [NO_ADAPTER, *found.adapters(folder)]
        first = voices[0] if voices else OWN_VOICE
        return [
            gr.Dropdown(choices=names, value=NO_ADAPTER),
            gr.Dropdown(choices=choices, value=first),
        ]


def talker_choice(workshop: Workshop, t: Words, prefix: str) -> TalkerChoice:
    """Build the controls; a chosen talker fills adapters and voices."""
    with gr.Row():
        talker = gr.Dropdown(
            label=t("talker.model"), choices=[], elem_id=f"{prefix}-talker", interactive=True
        )
        voice = gr.Dropdown(
            label=t("talker.voice"),
            choices=[(t("talker.own"), OWN_VOICE)],
            value=OWN_VOICE,
            elem_id=f"{prefix}-voice",
            interactive=True,
        )
    with gr.Accordion(t("talker.more"), open=False):
        adapter = gr.Dropdown(
            label=t("talker.adapter"),
            info=t("talker.adapter.info"),
            choices=[NO_ADAPTER],
            value=NO_ADAPTER,
            interactive=True,
        )
        reference = gr.Audio(
            label=t("talker.reference"),
            sources=["upload", "microphone"],
            type="filepath",
            elem_id=f"{prefix}-reference",
        )
    choice = TalkerChoice(talker, adapter, voice, reference, workshop)
    talker.input(spoken_errors(choice.of_talker), talker, [adapter, voice], show_progress="hidden")
    return choice


def no_talker_hint(workshop: Workshop, t: Words) -> str:
    """What to do where there is no model yet; empty where there is one."""
    return "" if found.talkers(workshop.roots) else t("talker.none", roots=workshop.roots.names())


def keep_sound(workshop: Workshop, samples: np.ndarray) -> str:
    """(T,) samples, 32 kHz -> a file of the cache that a page may show."""
    from GPT_SoVITS.audio.io import save_audio

    return str(save_audio(workshop.new_file(".wav"), samples))


def keep_picture(workshop: Workshop, samples: np.ndarray, title: str = "") -> str:
    """Waveform, mel and F0 of a sound (T,), 32 kHz, as a file of the cache."""
    from GPT_SoVITS.studio.pictures import sound_picture

    return str(sound_picture(workshop.new_file(".png"), samples, title=title))


def copy_shown(workshop: Workshop, source: Path) -> str:
    """A recording of a root, decoded and written into the cache, so that no root is served."""
    from GPT_SoVITS.audio.io import load_audio

    return keep_sound(workshop, load_audio(source, max_seconds=120.0))
