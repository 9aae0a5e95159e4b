"""Sessions: turns become history once, replies use the right voice, forks and rebuilds agree."""

import dataclasses
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from GPT_SoVITS.audio.constants import SAMPLE_RATE, SAMPLES_PER_TOKEN
from GPT_SoVITS.audio.io import save_audio
from GPT_SoVITS.checkpoints.talker_folder import SpeakerEntry
from GPT_SoVITS.dialogue import Dialogue, DialogueError, Turn
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.inference.talker_parts import TalkerError, choose_device
from GPT_SoVITS.inference.voice import VoiceError
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.generator import Generator
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.streaming import Chunk
from GPT_SoVITS.text import Frontend, TextError

GROWING = LayoutConfig(history_mode="growing", history_tokens=10_000)
OPTIONS = GenerationOptions(max_seconds=1.0, eos_guard=11)


class ToneSynthesiser(torch.nn.Module):
    """Stands for stage 2: every token is one pitch, the reference's loudness is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.config = S2Config()  # without enrichment: no history is asked for
        self.generator = Generator(S2Config(upsample_initial_channel=32))  # never heard
        self.calls: list[tuple[list[int], float]] = []

    def start_reply(
        self, phoneme_ids: torch.Tensor, references: list[torch.Tensor], **options: Any
    ) -> "Tones":
        assert set(options) <= set(signature(ConversationalVITS.start_reply).parameters)
        return Tones(self.calls, float(references[0].mean()))


class Tones:
    """The renderer of one such reply."""

    def __init__(self, calls: list[tuple[list[int], float]], level: float) -> None:
        self.codes: list[int] = []
        self.done, self.calls, self.level = 0, calls, level

    def extend(self, codes: Any) -> None:
        self.codes += codes

    def render(self, until: int | None = None) -> Chunk:
        self.calls.append((list(self.codes), self.level))
        wave = torch.tensor(self.codes).repeat_interleave(SAMPLES_PER_TOKEN) / 4096 + 0.1
        end = len(self.codes) if until is None else until
        start, self.done = self.done, end
        tail = wave[end * SAMPLES_PER_TOKEN :][:320]
        return Chunk(wave[start * SAMPLES_PER_TOKEN : end * SAMPLES_PER_TOKEN], tail)


class LoudnessEncoder:
    """Stands for the tokenizer: codes from loudness relative to all that was heard before."""

    def start(self) -> tuple[float, int]:
        return 0.0, 0

    def encode(self, samples: np.ndarray, speaker: str, state: Any) -> tuple[np.ndarray, None, Any]:
        total, n = state[0] + float(np.abs(samples).sum()), state[1] + len(samples)
        frames = np.abs(samples[: len(samples) // 1280 * 1280]).reshape(-1, 1280).mean(axis=1)
        return (frames / (total / n) * 100).astype(np.int64) % 1024, None, (total, n)


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    return Frontend()


@pytest.fixture
def talker(frontend: Frontend, tmp_path: Path) -> Talker:
    torch.manual_seed(0)
    clip = tmp_path / "clip.wav"
    save_audio(clip, tone(0.9, 0.3))
    s1 = SemanticGPT(S1Config(hidden_dim=32, n_head=4, n_layer=2)).eval()
    return Talker(
        s1=s1,
        s2=ToneSynthesiser(),  # type: ignore[arg-type]
        frontend=frontend,
        turn_encoder=LoudnessEncoder(),
        speakers={"agent": SpeakerEntry(clip=clip)},
        layout=GROWING,
        options=OPTIONS,
    )


def tone(level: float, seconds: float = 0.5) -> np.ndarray:
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (level * np.sin(2 * np.pi * 200 * t)).astype(np.float32)


def codes_of(session: DialogueSession) -> list[list[int]]:
    return [one.encoded.codes.tolist() for one in session.turns]


def test_a_reply_is_spoken_and_becomes_history(talker: Talker) -> None:
    session = talker.session()
    session.add(Turn("user", "hello there"), samples=tone(0.5))
    reply = session.respond("good morning")
    assert reply.samples.dtype == np.float32 and reply.sample_rate == SAMPLE_RATE
    assert len(reply.samples) == len(reply.codes) * SAMPLES_PER_TOKEN
    assert codes_of(session)[1] == list(reply.codes)
    assert [one.turn.speaker for one in session.turns] == ["user", "agent"]
    assert reply.phonemes and 11 <= len(reply.codes) <= 25


def test_the_same_seed_gives_the_same_reply(talker: Talker) -> None:
    dialogue = Dialogue((Turn("user", "hello"),))
    one, two = (talker.speak(dialogue, "yes of course", seed=3) for _ in range(2))
    other = talker.speak(dialogue, "yes of course", seed=4)
    assert one.codes == two.codes and np.array_equal(one.samples, two.samples)
    assert one.codes != other.codes


def test_the_reference_rule(talker: Talker, tmp_path: Path) -> None:
    session = talker.session(agent="agent")
    levels = talker.s2.calls  # type: ignore[attr-defined]
    session.respond("one")  # nothing heard: the medoid clip
    medoid = levels[-1][1]
    session = talker.session(agent="agent")
    session.add(Turn("agent", "as I said"), samples=tone(0.05))
    session.add(Turn("user", "what"), samples=tone(0.7))
    session.respond("two")  # own latest turn, not the user's
    heard = levels[-1][1]
    save_audio(tmp_path / "given.wav", tone(0.4))
    session.respond("three", reference_audio=str(tmp_path / "given.wav"))
    given = levels[-1][1]
    assert heard < given < medoid


def test_an_unknown_voice_is_a_clear_error_before_any_model_call(talker: Talker) -> None:
    session = talker.session(agent="stranger")
    with pytest.raises(VoiceError, match="stranger.*agent"):
        session.respond("hello")
    assert not talker.s2.calls and not session.turns  # type: ignore[attr-defined]


@pytest.mark.parametrize("layout", [GROWING, LayoutConfig(history_turns=2)], ids=["grow", "window"])
def test_fork_rebuild_and_plain_session_agree(talker: Talker, layout: LayoutConfig) -> None:
    session = talker.session(layout=layout)
    for k in range(3):
        session.add(Turn("user", f"question number {k + 1}"), samples=tone(0.2 + 0.2 * k))
        session.respond("an answer")
    fork = session.fork()
    rebuilt = DialogueSession.rebuild(talker, session.turns, layout=layout)
    assert codes_of(rebuilt) == codes_of(session)
    results = []
    for one in (session, fork, rebuilt):
        one.add(Turn("user", "and now"), samples=tone(0.9))
        results.append((one.respond("the last answer").codes, codes_of(one)))
    assert results[0] == results[1] == results[2]


def test_tokens_of_a_turn_are_frozen_when_made(talker: Talker) -> None:
    session = talker.session()
    first = session.add(Turn("user", "quiet"), samples=tone(0.1)).encoded.codes.tolist()
    session.add(Turn("user", "loud"), samples=tone(0.9))
    assert codes_of(session)[0] == first


def test_stream_yields_the_first_chunk_before_the_last_token(talker: Talker) -> None:
    options = dataclasses.replace(
        OPTIONS, first_chunk_tokens=4, chunk_tokens=6, lookahead_tokens=2, top_k=1
    )
    whole = talker.session(options=options).respond("a longer answer")
    session = talker.session(options=options)
    chunks = session.stream("a longer answer")
    first = next(chunks)
    assert len(first.codes) == 4 and not first.finished
    assert len(talker.s2.calls[-1][0]) == 6  # type: ignore[attr-defined]
    rest = list(chunks)
    together = [first, *rest]
    assert tuple(code for chunk in together for code in chunk.codes) == whole.codes
    assert rest[-1].finished and not any(chunk.finished for chunk in rest[:-1])
    sound = np.concatenate([chunk.samples for chunk in together])
    assert np.allclose(sound, whole.samples, atol=1e-6)  # this synthesiser is local: no seam at all
    assert codes_of(session)[0] == list(whole.codes)


def test_a_closed_stream_keeps_what_was_spoken(talker: Talker) -> None:
    options = dataclasses.replace(OPTIONS, first_chunk_tokens=4, lookahead_tokens=2)
    session = talker.session(options=options)
    chunks: Iterator[Any] = session.stream("a longer answer")
    first = next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert codes_of(session) == [list(first.codes)]
    session.add(Turn("user", "go on"), samples=tone(0.5))
    again = DialogueSession.rebuild(talker, session.turns, options=options)
    assert session.respond("so").codes == again.respond("so").codes


def test_wrong_inputs_are_named(talker: Talker) -> None:
    with pytest.raises(DialogueError, match="nothing to say"):
        talker.speak(Dialogue(()))
    with pytest.raises(TextError):
        talker.speak(Dialogue(()), "!!!")
    with pytest.raises(TalkerError, match="device"):
        choose_device("tpu")
    with pytest.raises(ValueError, match="none.wav"):
        talker.speak(Dialogue((Turn("user", "hi", audio="none.wav"),)), "hello")


def test_two_threads_with_different_voices_do_not_mix(talker: Talker) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def one(level: float) -> np.ndarray:
        session = talker.session()
        session.add(Turn("agent", "before"), samples=tone(level))
        return session.respond("after", options=dataclasses.replace(OPTIONS, seed=5)).samples

    alone = [one(0.2), one(0.8)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(one, [0.2, 0.8]))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together))
