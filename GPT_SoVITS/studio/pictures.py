"""One picture of a sound: waveform, mel spectrogram, F0, drawn by the package's plots."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from GPT_SoVITS.audio.constants import HOP_LENGTH, SAMPLE_RATE

DPI = 70


def sound_picture(path: Path, samples: np.ndarray, *, title: str = "") -> Path:
    """(T,) samples, 32 kHz -> PNG of three figures below each other."""
    import torch
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.image import imsave

    from GPT_SoVITS.audio.pitch import track_pitch
    from GPT_SoVITS.audio.spectrogram import mel_spectrogram
    from GPT_SoVITS.plots import mel_spectrograms, pitch_tracks, waveforms

    rate = SAMPLE_RATE / HOP_LENGTH
    padded = np.pad(samples, (0, max(0, 2 * HOP_LENGTH - len(samples))))
    mel = mel_spectrogram(torch.from_numpy(padded)[None])[0].numpy()
    f0, _ = track_pitch(padded, sample_rate=SAMPLE_RATE, hop_length=HOP_LENGTH)
    figures = [
        waveforms({title: samples}, sample_rate=SAMPLE_RATE),
        mel_spectrograms({title: mel}, frame_rate=rate),
        pitch_tracks({title or "F0": np.where(f0 > 0, f0, np.nan)}, frame_rate=rate),
    ]
    rows = []
    for figure in figures:
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        rows.append(np.asarray(canvas.buffer_rgba())[..., :3])
    imsave(path, np.concatenate(rows))
    return path
