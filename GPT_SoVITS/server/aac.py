"""AAC by ffmpeg between two pipes: no file, no address, no shell."""

from __future__ import annotations

import subprocess
import threading
from queue import SimpleQueue

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.pcm import to_pcm

AAC_SECONDS = 60.0


class AacEncoder:
    """ADTS frames come out while samples go in; the process starts with the first samples."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: SimpleQueue[bytes] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def write(self, samples: np.ndarray) -> bytes:
        """(T,) float32 at 32 kHz -> the frames that are ready."""
        pipe = self._started().stdin
        assert pipe is not None
        view = memoryview(to_pcm(samples).tobytes())
        while view:
            view = view[pipe.write(view) :]
        return self._take()

    def close(self) -> bytes:
        """The last frames; raises RuntimeError where ffmpeg failed."""
        process = self._started()
        assert process.stdin is not None
        process.stdin.close()
        if process.wait(AAC_SECONDS):
            raise RuntimeError(f"ffmpeg ended with {process.returncode}")
        self._reader.join(AAC_SECONDS)
        return self._take()

    def abort(self) -> None:
        """End the process, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            import imageio_ffmpeg

            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error"]
            command += ["-protocol_whitelist", "pipe", "-f", "s16le", "-ar", str(SAMPLE_RATE)]
            command += ["-ac", "1", "-i", "pipe:0", "-c:a", "aac", "-b:a", "96k", "-f", "adts"]
            command += ["-flush_packets", "1", "pipe:1"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0
            )
            self._reader.start()
        return self._process

    def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        while data := self._process.stdout.read(1 << 16):
            self._ready.put(data)

    def _take(self) -> bytes:
        taken = []
        while not self._ready.empty():
            taken.append(self._ready.get())
        return b"".join(taken)
