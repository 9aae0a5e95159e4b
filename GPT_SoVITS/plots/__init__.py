"""Figures for reports: numpy in, matplotlib Figure out. No global state, no display, no files."""

from GPT_SoVITS.plots.attention import Span, attention_map
from GPT_SoVITS.plots.curves import loss_curves
from GPT_SoVITS.plots.intervals import interval_rows, trajectories
from GPT_SoVITS.plots.sound import mel_spectrograms, pitch_tracks, waveforms

__all__ = [
    "Span",
    "attention_map",
    "interval_rows",
    "loss_curves",
    "mel_spectrograms",
    "pitch_tracks",
    "trajectories",
    "waveforms",
]
