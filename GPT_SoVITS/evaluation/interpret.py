"""What did the reply listen to, and what if the history had been another?

    python -m GPT_SoVITS.evaluation.interpret --model runs/demo/talker --dialogue dialogue.json \
        --output runs/interpret [--swap 1 other.wav "Its text."]

Speaks the dialogue's response and writes report.html and report.json with

    attention    per token of the reply, how much each turn's text and speech was attended to
    trajectory   pitch, range, rate and loudness from turn to turn, the reply last
    what if      the same text and seed after the history with turns swapped: both sounds, what
                 changed in style, and how likely the first reply's tokens are after each history

Attention shows where information could come from, not what was made of it; the swap shows that.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.dialogue import Dialogue
from GPT_SoVITS.dialogue.history import sequence_of
from GPT_SoVITS.dialogue.layout import IGNORE, Columns, EncodedTurn
from GPT_SoVITS.evaluation.metrics.style import DIMENSIONS, describe
from GPT_SoVITS.evaluation.metrics.tokens import score_sequences
from GPT_SoVITS.evaluation.page import html_table, inline_figure, page
from GPT_SoVITS.inference import Talker
from GPT_SoVITS.inference.turns import FinishedTurn
from GPT_SoVITS.plots import Span, attention_map, trajectories
from GPT_SoVITS.s1_gpt.batch import collate

log = logging.getLogger(__name__)
LABELS = {
    "pitch_level": "pitch (semitones from the turns' mean)",
    "pitch_range": "pitch range (semitones)",
    "rate": "phonemes per second",
    "loudness": "loudness (dB)",
}


@dataclass(frozen=True)
class Spoken:
    """A reply with everything it was made from."""

    turns: tuple[FinishedTurn, ...]
    """The history, then the reply."""
    samples: np.ndarray
    """(T,) of the reply, 32 kHz"""

    @property
    def encoded(self) -> list[EncodedTurn]:
        """As stage 1 read them."""
        return [turn.encoded for turn in self.turns]


def speak(talker: Talker, dialogue: Dialogue, *, seed: int) -> Spoken:
    """The dialogue's response. Raises ValueError where it has none."""
    if dialogue.response is None:
        raise ValueError("the dialogue has no response to speak")
    options = replace(talker.options, seed=seed)
    session = talker.session(agent=dialogue.response.speaker, options=options)
    for turn in dialogue.turns:
        session.add(turn)
    speech = session.respond(
        dialogue.response.text,
        language=dialogue.response.language,
        reference_audio=dialogue.reference_audio,
    )
    return Spoken(session.turns, speech.samples)


def columns_of(talker: Talker, turns: Sequence[EncodedTurn]) -> Columns:
    """The last turn after the others, as the model reads it; its tokens are the targets."""
    layout = replace(talker.layout, loss_on="response")
    return sequence_of(turns, len(turns) - 1, layout).columns()


def attention(talker: Talker, turns: Sequence[EncodedTurn]) -> tuple[np.ndarray, list[Span]]:
    """-> weights (Q, K), mean over layers and heads, and the segments' spans of K.

    Row q belongs to the q-th token of the last turn (its EOS is the last row): the attention of the
    column that predicts it. Every row sums to one.
    """
    columns = columns_of(talker, turns)
    with torch.inference_mode():
        found = talker.s1.run(
            collate([columns]).to(talker.device), mask=talker.layout.mask, need_weights=True
        )
    assert found.weights is not None
    whole = found.weights.float().mean((0, 2))[0].cpu().numpy()  # (N, N)
    return whole[columns.target != IGNORE], spans_of(columns, turns)


def spans_of(columns: Columns, turns: Sequence[EncodedTurn]) -> list[Span]:
    """Runs of columns of one turn and kind, named after turn, speaker and kind."""
    marks = list(zip(columns.turn.tolist(), columns.is_text.tolist()))
    starts = [k for k, mark in enumerate(marks) if k == 0 or mark != marks[k - 1]]
    offset = len(turns) - 1 - max(turn for turn, _ in marks)
    found = []
    for start, stop in zip(starts, [*starts[1:], len(marks)]):
        turn, is_text = marks[start]
        place = turn + offset
        kind = "text" if is_text else "speech"
        found.append(Span(f"{place + 1} {turns[place].speaker} {kind}", start, stop))
    return found


def shares(weights: np.ndarray, spans: Sequence[Span]) -> dict[str, float]:
    """(Q, K) -> segment -> mean share of the attention over the tokens of the reply."""
    return {span.label: float(weights[:, span.start : span.stop].sum(1).mean()) for span in spans}


def trajectory(turns: Sequence[FinishedTurn], reply: np.ndarray) -> list[dict[str, float]]:
    """Style of every turn, the reply (T,) last; NaN for a turn known by its text only."""
    found = []
    for number, turn in enumerate(turns):
        samples = reply if number == len(turns) - 1 else turn.samples
        if samples is None:
            found.append(dict.fromkeys(DIMENSIONS, float("nan")))
            continue
        n = len(turn.encoded.phonemes)
        found.append(describe(samples, sample_rate=SAMPLE_RATE, n_phonemes=n))
    return found


def swapped(dialogue: Dialogue, swaps: Mapping[int, tuple[str, str | None]]) -> Dialogue:
    """The dialogue with other sound (and text) in turns counted from 1.

    Raises ValueError for a turn that does not exist.
    """
    turns = list(dialogue.turns)
    for number, (audio, text) in swaps.items():
        if not 1 <= number <= len(turns):
            raise ValueError(f"--swap {number}: the dialogue has turns 1 to {len(turns)}")
        old = turns[number - 1]
        turns[number - 1] = replace(old, audio=audio, text=old.text if text is None else text)
    return replace(dialogue, turns=tuple(turns))


def what_if(talker: Talker, first: Spoken, second: Spoken) -> dict[str, Any]:
    """What another history changes: style of the reply, likelihood of the first reply's tokens."""
    before, after = (trajectory(one.turns, one.samples)[-1] for one in (first, second))
    replies = [first.encoded, [*second.encoded[:-1], first.encoded[-1]]]
    scores = score_sequences(
        talker.s1, [columns_of(talker, turns) for turns in replies], mask=talker.layout.mask
    )
    return {
        "style": {name: [before[name], after[name]] for name in DIMENSIONS},
        "seconds": [len(one.samples) / SAMPLE_RATE for one in (first, second)],
        "first_reply_nats_per_token": [score.per_token for score in scores],
    }


def report(
    talker: Talker, first: Spoken, second: Spoken | None
) -> tuple[dict[str, Any], list[str]]:
    """Numbers for JSON and the parts of the page."""
    weights, spans = attention(talker, first.encoded)
    styles = trajectory(first.turns, first.samples)
    values: dict[str, Any] = {"attention": shares(weights, spans), "trajectory": styles}
    values["tokens"] = len(weights)
    speakers = [turn.encoded.speaker for turn in first.turns]
    said = [turn.turn for turn in first.turns if turn.turn is not None]
    parts = [f"<p>{escape(turn.speaker)}: {escape(turn.text)}</p>" for turn in said]
    parts += ["<h2>The reply</h2>", sound(first.samples)]
    parts.append(inline_figure(attention_map(weights, spans), title="Attention per token"))
    ticks = [f"{n} {speaker}" for n, speaker in enumerate(speakers, 1)]
    others = None if second is None else trajectory(second.turns, second.samples)
    for name, label in LABELS.items():
        lines = {"dialogue": _line(styles, name)}
        if others is not None:
            lines["what if"] = _line(others, name)
        figure = trajectories(lines, label=label, ticks=ticks, marked=len(ticks) - 1)
        parts.append(inline_figure(figure, title=name.replace("_", " ")))
    if second is not None:
        changed = values["what_if"] = what_if(talker, first, second)
        rows = [[n, *(f"{v:.2f}" for v in pair)] for n, pair in changed["style"].items()]
        nats = [f"{v:.3f}" for v in changed["first_reply_nats_per_token"]]
        rows.append(["nats per token of the first reply", *nats])
        parts += ["<h2>What if</h2>", sound(second.samples)]
        parts.append(html_table(["", "as it was", "swapped"], rows))
    return values, parts


def _line(styles: Sequence[Mapping[str, float]], name: str) -> list[float]:
    row = np.asarray([style[name] for style in styles])
    levels: list[float] = (row - np.nanmean(row) if name == "pitch_level" else row).tolist()
    return levels


def sound(samples: np.ndarray) -> str:
    """(T,) -> an audio element with the sound inside."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<audio controls src="data:audio/flac;base64,{data}"></audio>'


def main(arguments: Sequence[str] | None = None) -> int:
    """Speak, look inside, write the report; prints where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="a talker folder")
    parser.add_argument("--dialogue", type=Path, required=True, help="dialogue.json")
    parser.add_argument("--output", type=Path, required=True, help="folder of the report")
    parser.add_argument(
        "--swap",
        nargs="+",
        action="append",
        default=[],
        metavar=("TURN", "AUDIO"),
        help="turn (from 1), other sound, and where it says something else, its text",
    )
    parser.add_argument("--seed", type=int, default=0, help="of both replies (0)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    swaps: dict[int, tuple[str, str | None]] = {}
    for given in options.swap:
        if len(given) not in (2, 3) or not given[0].isdigit():
            parser.error(f"--swap {' '.join(given)}: wants TURN AUDIO [TEXT]")
        swaps[int(given[0])] = (given[1], given[2] if len(given) == 3 else None)
    talker, dialogue = Talker.load(options.model), Dialogue.load(options.dialogue)
    try:
        other = swapped(dialogue, swaps) if swaps else None
        first = speak(talker, dialogue, seed=options.seed)
        second = None if other is None else speak(talker, other, seed=options.seed)
    except ValueError as error:
        log.error("%s", error)
        return 2
    values, parts = report(talker, first, second)
    options.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(values, indent=1).replace("NaN", "null")
    (options.output / "report.json").write_text(text + "\n", encoding="utf-8")
    (options.output / "report.html").write_text(page("Reply and history", parts), encoding="utf-8")
    log.info("%s", options.output / "report.html")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
