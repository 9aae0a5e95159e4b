"""Page 1, Talk: the user's turn by text and sound, the agent's reply streaming, and "what if"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.dialogue import LANGUAGES
from GPT_SoVITS.studio.conversation import Conversation, Reply, said
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.handlers import spoken_errors, spoken_errors_of_stream
from GPT_SoVITS.studio.option_controls import option_controls, read_options
from GPT_SoVITS.studio.pages.parts import (
    OWN_VOICE,
    TalkerChoice,
    keep_picture,
    keep_sound,
    no_talker_hint,
    talker_choice,
)
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

COMPARED = ("history", "style", "voice")


def build(workshop: Workshop, t: Words) -> list[tuple[Any, Any]]:
    """Build the page; returns (function, outputs) pairs to run when it is opened."""
    hint = gr.Markdown(t("talk.hint"))
    choice = talker_choice(workshop, t, "talk")
    page = Talk(workshop, t, choice)
    state = gr.State(None)
    bubbles = gr.Chatbot(
        label=t("talk.bubbles"),
        show_label=False,
        height=None,
        min_height=160,
        max_height=640,
        placeholder=t("talk.empty"),
        elem_id="talk-bubbles",
        buttons=[],
        feedback_options=None,
    )
    player = gr.HTML("", elem_id="talk-player")
    with gr.Row():
        with gr.Column(min_width=300):
            heard = gr.Textbox(
                label=t("talk.user"), placeholder=t("talk.user.hint"), elem_id="talk-user"
            )
            sound = gr.Audio(
                label=t("talk.user.sound"),
                sources=["microphone", "upload"],
                type="filepath",
                elem_id="talk-user-sound",
            )
            listen = gr.Button(t("talk.listen"), elem_id="talk-listen", size="sm")
        with gr.Column(min_width=300):
            said = gr.Textbox(
                label=t("talk.agent"), placeholder=t("talk.agent.hint"), elem_id="talk-agent"
            )
            language = gr.Dropdown(
                [(t(f"language.{name}"), name) for name in LANGUAGES],
                value="auto",
                label=t("talk.language"),
                interactive=True,
            )
    with gr.Row(elem_classes="buttons"):
        send = gr.Button(t("talk.send"), variant="primary", elem_id="talk-send")
        stop = gr.Button(t("talk.stop"), elem_id="talk-stop")
        undo = gr.Button(t("talk.undo"), elem_id="talk-undo")
        fresh = gr.Button(t("talk.new"), elem_id="talk-new")
    with gr.Accordion(t("talk.options"), open=False):
        options = option_controls(t, prefix="talk")
    gr.Markdown("### " + t("talk.whatif") + "\n\n" + t("talk.whatif.hint"))
    with gr.Row():
        what = gr.CheckboxGroup(
            [(t(f"talk.whatif.{name}"), name) for name in COMPARED],
            value=["history"],
            label=t("talk.whatif.what"),
            elem_id="talk-whatif",
        )
        other_voice = gr.Dropdown(
            label=t("talk.whatif.other"), choices=[], elem_id="talk-other-voice", interactive=True
        )
    with gr.Accordion(t("talk.whatif.recordings"), open=False), gr.Row():
        other_style = gr.Audio(
            label=t("talk.whatif.style.sound"), type="filepath", elem_id="talk-other-style"
        )
        other_sound = gr.Audio(label=t("talk.whatif.voice.sound"), type="filepath")
    compare = gr.Button(t("talk.compare"), elem_id="talk-compare")
    compared = gr.State([])

    @gr.render(inputs=compared)  # type: ignore[untyped-decorator]
    def _side_by_side(results: list[tuple[str, str, str]]) -> None:
        with gr.Row(elem_id="talk-compared"):
            for title, audio, picture in results:
                with gr.Column(min_width=280):
                    gr.Audio(audio, label=title, interactive=False, buttons=["download"])
                    gr.Image(picture, show_label=False, interactive=False, buttons=["fullscreen"])

    asked = [*choice.inputs, heard, sound, said, language, *options]
    spoken = send.click(
        spoken_errors_of_stream(page.send),
        [state, *asked],
        [state, bubbles, player, heard, sound, said],
        show_progress="minimal",
    )
    spoken_enter = said.submit(
        spoken_errors_of_stream(page.send),
        [state, *asked],
        [state, bubbles, player, heard, sound, said],
        show_progress="minimal",
    )
    listen.click(spoken_errors(page.listen), [sound, language], heard)
    stop.click(page.stopped, state, [state, bubbles], cancels=[spoken, spoken_enter])
    undo.click(spoken_errors(page.undo), state, [state, bubbles, compared])
    anew: dict[str, Any] = {"fn": page.fresh, "outputs": [state, bubbles, player, compared]}
    anew["cancels"] = [spoken, spoken_enter]
    fresh.click(**anew)
    bubbles.clear(**anew)  # the bin above the bubbles means the same
    compare.click(
        spoken_errors(page.compare), [state, what, other_voice, other_style, other_sound], compared
    )
    for change in (choice.voice.input, choice.talker.input):
        change(page.fresh, None, [state, bubbles, player, compared])
    choice.voice.change(page.others, choice.talker, other_voice, show_progress="hidden")
    return [
        (choice.load, [choice.talker, choice.adapter, choice.voice]),
        (lambda: no_talker_hint(workshop, t) or t("talk.hint"), [hint]),
    ]


class Talk:
    """The handlers; a visitor's conversation comes in and goes out as state."""

    def __init__(self, workshop: Workshop, t: Words, choice: TalkerChoice) -> None:
        self.workshop, self.t, self.choice = workshop, t, choice

    def send(self, state: Conversation | None, *given: Any) -> Iterator[list[Any]]:
        """Hear the user's turn, speak the reply; yields after every chunk. Raises `StudioError`."""
        who, (heard, sound, said, language), values = given[:4], given[4:8], given[8:]
        if not str(heard or "").strip() and not str(said or "").strip():
            raise StudioError(self.t("talk.nothing"))
        options = read_options(values)
        if who[2] == OWN_VOICE and who[3] is None:
            raise StudioError(self.t("talker.give"))
        talker, agent, reference = self.choice.read(*who)
        talk = state or Conversation(talker, agent=agent)
        if str(heard or "").strip() or sound:
            talk.hear(heard or "", sound, language=language)
            yield [talk, self.bubbles(talk), gr.skip(), "", None, gr.skip()]
        if not str(said or "").strip():
            return
        token = self.workshop.live.open()
        try:
            asked = Reply(said, language, reference, options)
            for number, chunk in enumerate(talk.reply(asked)):
                self.workshop.live.put(token, chunk.samples)
                shown = self.player(token) if number == 0 else gr.skip()
                yield [talk, gr.skip(), shown, gr.skip(), gr.skip(), gr.skip()]
        finally:
            self.workshop.live.close(token)
        yield [talk, self.bubbles(talk), gr.skip(), "", None, ""]

    def listen(self, sound: str | None, language: str) -> str:
        """The words of the user's recording, to be read over first. Raises `StudioError`."""
        from GPT_SoVITS.audio.io import load_audio
        from GPT_SoVITS.evaluation.asr import AsrConfig, open_recognizer
        from GPT_SoVITS.inference.session import MAX_TURN_SECONDS

        if sound is None:
            raise StudioError(self.t("talk.listen.nothing"))
        if language == "zh":
            raise StudioError(self.t("talk.listen.english"))
        samples = load_audio(sound, max_seconds=MAX_TURN_SECONDS)
        recognizer = open_recognizer(AsrConfig(language="en"))
        words = recognizer.transcribe(samples, sample_rate=SAMPLE_RATE, language="en").text.strip()
        if not words:
            raise StudioError(self.t("talk.listen.unheard"))
        return words

    def stopped(self, state: Conversation | None) -> list[Any]:
        """What was spoken until the stop stays in the conversation."""
        return [state, self.bubbles(state)]

    def undo(self, state: Conversation | None) -> list[Any]:
        """Take the last turn back. Raises `StudioError`."""
        if state is None:
            raise StudioError(self.t("talk.nothing"))
        state.undo()
        return [state, self.bubbles(state), []]

    def fresh(self) -> list[Any]:
        """A new conversation."""
        return [None, [], "", []]

    def others(self, talker: str | None) -> Any:
        """Voices to compare with."""
        from GPT_SoVITS.checkpoints import read_talker

        if not talker:
            return gr.skip()
        folder = self.workshop.roots.resolve(talker, must_exist=True)
        names = sorted(read_talker(folder).speakers)
        return gr.Dropdown(choices=names, value=names[-1] if names else None)

    def compare(
        self,
        state: Conversation | None,
        what: list[str],
        other_voice: str | None,
        other_style: str | None,
        other_sound: str | None,
    ) -> list[tuple[str, str, str]]:
        """The last reply as it was, beside the same words under other conditions.

        Raises `StudioError`.
        """
        if state is None:
            raise StudioError(self.t("talk.compare.first"))
        t, found = self.t, [(self.t("talk.asitwas"), state.what_if())]
        if "history" in what:
            place = self.workshop.new_file(".wav")
            voice = state.reference(place)
            alone = state.what_if(without_history=True, voice=voice)
            found.append((t("talk.whatif.history"), alone))
        if "style" in what:
            if other_style is None:
                raise StudioError(t("talk.compare.style"))
            found.append((t("talk.whatif.style"), state.what_if(last_user_audio=other_style)))
        if "voice" in what:
            known = state.talker.speakers.get(other_voice or "")
            if other_sound is None and known is None:
                raise StudioError(t("talk.compare.voice"))
            voice = other_sound or str(known.clip if known else "")
            found.append((t("talk.whatif.voice"), state.what_if(voice=voice)))
        return [self._shown(title, speech.samples) for title, speech in found]

    def bubbles(self, state: Conversation | None) -> list[dict[str, Any]]:
        """The conversation as the page shows it: words, sound, picture."""
        shown: list[dict[str, Any]] = []
        for number, one in enumerate(state.turns if state else ()):
            role = "assistant" if state and one.speaker == state.agent else "user"
            content: list[Any] = [said(one).text]
            if one.samples is not None and state is not None:
                content += [{"path": path} for path in self._files(state, number, one.samples)]
            shown.append({"role": role, "content": content})
        return shown

    def player(self, token: str) -> str:
        """A player that starts while the reply is still being made."""
        return (
            f"<audio autoplay controls src='/live/{token}' aria-label='{self.t('talk.live')}'>"
            "</audio>"
        )

    def _files(self, state: Conversation, number: int, samples: np.ndarray) -> tuple[str, str]:
        """Sound and picture of a turn, made once."""
        kept: dict[int, tuple[int, str, str]] = state.__dict__.setdefault("shown_files", {})
        if number not in kept or kept[number][0] != id(samples):
            picture = keep_picture(self.workshop, samples)
            kept[number] = (id(samples), keep_sound(self.workshop, samples), picture)
        return kept[number][1], kept[number][2]

    def _shown(self, title: str, samples: np.ndarray) -> tuple[str, str, str]:
        return title, keep_sound(self.workshop, samples), keep_picture(self.workshop, samples)
