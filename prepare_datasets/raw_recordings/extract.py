"""Sound of a film or recording as mono; ffmpeg comes with imageio-ffmpeg."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from GPT_SoVITS.audio.io import AudioError, load_audio
from prepare_datasets.raw_recordings.stages import RATE

SOUND = {".wav", ".flac", ".mp3", ".ogg"}
VIDEO = {".mkv", ".mp4", ".mov", ".avi", ".webm", ".m4a", ".aac", ".opus", ".ts"}


def extract(path: Path, *, sample_rate: int = RATE, max_seconds: float = 4 * 3600) -> np.ndarray:
    """(T,) at `sample_rate`; raises `AudioError` where there is no sound to be had."""
    if path.suffix.lower() in SOUND:
        return load_audio(path, sample_rate=sample_rate, max_seconds=max_seconds)
    import imageio_ffmpeg

    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "sound.wav"
        # A list of arguments, no shell; only local files, whatever a playlist inside may say.
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error"]
        command += ["-protocol_whitelist", "file,pipe", "-t", str(max_seconds)]
        command += ["-i", f"file:{path.resolve()}", "-vn", "-ac", "1", "-ar", str(sample_rate)]
        command += ["-f", "wav", f"file:{wav}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not wav.is_file():
            reason = done.stderr.strip().splitlines()[-1:] or ["no sound"]
            raise AudioError(f"{path.name}: ffmpeg: {reason[0]}")
        return load_audio(wav, sample_rate=sample_rate, max_seconds=max_seconds)
