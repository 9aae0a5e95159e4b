"""Sounds under each other on one time axis: waveform, mel spectrogram, F0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from GPT_SoVITS.plots.canvas import literal, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def waveforms(sounds: Mapping[str, np.ndarray], *, sample_rate: int) -> Figure:
    """Waveforms (T,) by title, one panel each, with a common time axis in seconds."""
    figure, axes = panels(len(sounds))
    longest = max(len(samples) for samples in sounds.values()) / sample_rate
    for axis, (title, samples) in zip(axes, sounds.items()):
        axis.plot(np.arange(len(samples)) / sample_rate, samples, linewidth=0.4)
        axis.set(title=literal(title), xlim=(0, longest), ylim=(-1, 1), ylabel="amplitude")
    axes[-1].set_xlabel("time (s)")
    return figure


def mel_spectrograms(mels: Mapping[str, np.ndarray], *, frame_rate: float) -> Figure:
    """Log-mel spectrograms (M, F) by title, one panel each, with common axes and colours."""
    figure, axes = panels(len(mels), row_height=2.2)
    longest = max(mel.shape[1] for mel in mels.values()) / frame_rate
    low = min(float(mel.min()) for mel in mels.values())
    high = max(float(mel.max()) for mel in mels.values())
    for axis, (title, mel) in zip(axes, mels.items()):
        extent = (0.0, mel.shape[1] / frame_rate, 0.0, float(mel.shape[0]))
        image = axis.imshow(
            mel, origin="lower", aspect="auto", extent=extent, vmin=low, vmax=high, cmap="magma"
        )
        axis.set(title=literal(title), xlim=(0, longest), ylabel="mel band")
        figure.colorbar(image, ax=axis, label="log amplitude")
    axes[-1].set_xlabel("time (s)")
    return figure


def pitch_tracks(tracks: Mapping[str, np.ndarray], *, frame_rate: float) -> Figure:
    """F0 tracks (F,) in Hz by title in one panel; NaN where unvoiced is not drawn."""
    figure, (axis,) = panels(1, row_height=3.2)
    for title, track in tracks.items():
        seconds = np.arange(len(track)) / frame_rate
        axis.plot(seconds, track, marker=".", markersize=2, linewidth=1.0, label=literal(title))
    axis.set(xlabel="time (s)", ylabel="F0 (Hz)")
    axis.legend(loc="upper right")
    return figure
