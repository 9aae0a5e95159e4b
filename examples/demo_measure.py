"""What the demo's report shows: resynthesis, figures, and whether the history matters.

Everything is computed by the trained talker and the package's own functions; nothing here trains.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from examples.demo_dialogue import HeldOut
from examples.demo_report import Findings, Sound, metrics
from GPT_SoVITS.audio.constants import FRAME_RATE, HOP_LENGTH, N_FFT, SAMPLE_RATE
from GPT_SoVITS.audio.io import load_audio, save_audio
from GPT_SoVITS.audio.spectrogram import linear_spectrogram, mel_spectrogram
from GPT_SoVITS.checkpoints.format import load_s1, load_s2
from GPT_SoVITS.dialogue.history import sequence_of
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.dialogue.manifest import read_s1
from GPT_SoVITS.evaluation.history_swap import measure as measure_swap
from GPT_SoVITS.plots import (
    Span,
    attention_map,
    loss_curves,
    mel_spectrograms,
    pitch_tracks,
    waveforms,
)
from GPT_SoVITS.s1_gpt.batch import collate

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel spectrogram (128, F) of one sound."""
    return mel_spectrogram(torch.from_numpy(samples)[None])[0].numpy()


def pitch(samples: np.ndarray) -> np.ndarray:
    """F0 (F,) in Hz at 50 frames per second by YIN; NaN in the quiet frames."""
    import librosa

    setup = {"frame_length": N_FFT, "hop_length": HOP_LENGTH}
    track = librosa.yin(samples, fmin=60, fmax=500, sr=SAMPLE_RATE, **setup)
    loudness = librosa.feature.rms(y=samples, **setup)[0][: len(track)]
    quiet = loudness < 0.1 * max(float(loudness.max()), 1e-6)
    return np.where(quiet, np.nan, track)


def reference_audio(held_out: HeldOut) -> np.ndarray:
    """The responding speaker's latest earlier turn, the rule inference follows too."""
    speaker = held_out.response.speaker
    own = [turn for turn in held_out.history if turn.speaker == speaker]
    return load_audio(held_out.audio((own or held_out.history)[-1]))


def resynthesize(talker: Path, held_out: HeldOut, reference: np.ndarray) -> np.ndarray:
    """Stage 2 alone: the recording's own tokens back to a waveform (T,)."""
    model, _ = load_s2(talker / "s2.safetensors")
    codes = torch.tensor([held_out.response.codes])  # (1, N)
    phonemes = torch.tensor([held_out.response.phonemes])  # (1, X)
    spectrogram = linear_spectrogram(torch.from_numpy(reference)[None])  # (1, 1025, F)
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        wave = model.decode(codes, phonemes, [spectrogram], generator=generator)  # (1, 1, T)
    return wave[0, 0].numpy()


def attention(talker: Path, held_out: HeldOut) -> Figure:
    """Mean attention over layers and heads, from the response's speech to all columns."""
    model, header = load_s1(talker / "s1.safetensors")
    layout = LayoutConfig(**header.layout)
    turns = [turn.encoded() for turn in held_out.dialogue.turns]
    sequence = sequence_of(turns, held_out.target, layout)
    batch = collate([sequence.columns()])
    with torch.inference_mode():
        weights = model.run(batch, mask=layout.mask, need_weights=True).weights
    assert weights is not None
    average = weights[:, 0].mean(dim=(0, 1)).numpy()  # (L, H, N, N) -> (N, N)
    spans, start = [], 0
    for segment in sequence.segments:
        spans.append(Span(f"{segment.kind} {segment.turn[0]}", start, start + len(segment.ids)))
        start += len(segment.ids)
    return attention_map(average[spans[-1].start :], spans)


def measure(run: Path, held_out: HeldOut, *, seconds: dict[str, float]) -> Findings:
    """Compute everything, write sounds and figures under `run`, return what the page needs."""
    talker = run / "talker"
    recording = load_audio(held_out.audio(held_out.response))
    reply = load_audio(run / "reply.wav")
    reference = reference_audio(held_out)
    resynthesis = resynthesize(talker, held_out, reference)
    shutil.copyfile(held_out.audio(held_out.response), run / "sounds" / "recording.flac")
    save_audio(run / "sounds" / "resynthesis.wav", resynthesis)

    sounds = {"recording": recording, "resynthesis": resynthesis, "reply": reply}
    mels = {name: mel(samples) for name, samples in sounds.items()}
    figures = {
        "Waveforms": waveforms(sounds, sample_rate=SAMPLE_RATE),
        "Mel spectrograms": mel_spectrograms(
            {"reference": mel(reference), **mels}, frame_rate=FRAME_RATE
        ),
        "F0": pitch_tracks({n: pitch(s) for n, s in sounds.items()}, frame_rate=FRAME_RATE),
        "Attention of the response over the history (s1)": attention(talker, held_out),
    }
    for stage in ("s2", "s1"):
        if curves := metrics(run / stage / "metrics.jsonl"):
            figures[f"Training of {stage}"] = loss_curves(curves)
    files: dict[str, str] = {}
    for number, (title, figure) in enumerate(figures.items()):
        files[title] = f"figures/{number}.png"
        figure.savefig(run / files[title], dpi=110)
    return Findings(
        sounds=[
            Sound("Recording", "Ground truth of the corpus.", recording, "sounds/recording.flac"),
            Sound(
                "Resynthesis",
                "Stage 2 from the recording's own tokens.",
                resynthesis,
                "sounds/resynthesis.wav",
            ),
            Sound("Reply", "Stage 1 and stage 2, from history and text.", reply, "reply.wav"),
        ],
        figures=files,
        swap=swap_sentence(talker, held_out.data),
        seconds=seconds,
        reply_seconds=len(reply) / SAMPLE_RATE,
    )


def swap_sentence(talker: Path, data: Path) -> str:
    """Held-out loss after the true and after another dialogue's history, with numbers."""
    model, header = load_s1(talker / "s1.safetensors")
    dialogues = list(read_s1(data / "5_sequences" / "s1_valid.jsonl"))
    try:
        result, _ = measure_swap(model, dialogues, LayoutConfig(**header.layout), max_pairs=60)
    except ValueError as error:  # the smallest corpora hold one validation dialogue only
        return f"Not measured: {error}."
    line = result.sentence("true history", "swapped history", "nats per token")
    return (
        "Loss of s1 on the held-out responses, after their own history and after that of another "
        f"dialogue: {line}. Above zero, the model uses what was said before."
    )
