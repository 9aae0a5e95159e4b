"""Stage 2's generator at each precision asked for: made once, shared by all threads.

precision   CPU with bf16 instructions     other CPU with AVX2 or AVX-512     CUDA
auto        half (bf16)                    fp32, channels last                half (fp16)
int8        half (bf16)                    fp32, channels last                refused (stage 1)
bf16        half (bf16)                    fp32, channels last                half (fp16)
fp32        fp32, channels last            fp32, channels last                fp32, channels last

A CPU without AVX2 runs the generator as it is trained, and so does a device that is neither;
another vocoder than HiFi-GAN (`s2_vits/generators.py`) is always run as it is trained.
int8 is about stage 1's weights: a convolution reads them once for thousands of samples.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
from torch import Tensor

from GPT_SoVITS.s1_gpt.config import PRECISIONS
from GPT_SoVITS.s2_vits.generator import Generator
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.vocoder import HALF, Vocoder

SMALLEST_HALF_WIDTH = 256
"""Below this width (`upsample_initial_channel`) ``auto`` stays fp32: such a network is quick."""


class Vocoders:
    """What to call in place of one network's generator; thread-safe."""

    def __init__(self, model: ConversationalVITS) -> None:
        self._model = model
        self._made: dict[bool, Vocoder] = {}
        self._lock = threading.Lock()

    def get(self, precision: str = "auto") -> Callable[[Tensor, Tensor], Tensor]:
        """Latents (B, inter, T) and condition (B, G, 1) -> wave (B, 1, 640 T) float32."""
        generator = self._model.generator
        device = next(generator.parameters()).device
        half = choose_half(
            precision, device=device, width=self._model.config.upsample_initial_channel
        )
        if not isinstance(generator, Generator) or not prepared_pays(device):
            return generator
        with self._lock:
            if half not in self._made:
                self._made[half] = Vocoder(generator, half=half)
            return self._made[half]


def choose_half(precision: str, *, device: torch.device, width: int) -> bool:
    """Whether half precision is what `precision` means here; see the module's table.

    Raises `ValueError`.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}")
    if precision == "fp32" or device.type not in HALF:
        return False
    if device.type == "cpu" and not has_bf16():
        return False
    return precision == "bf16" or width >= SMALLEST_HALF_WIDTH


def has_bf16() -> bool:
    """Whether this CPU multiplies bf16 (AVX-512 BF16 or AMX): elsewhere it is five times slower."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":  # also where the user said so
        return False
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def prepared_pays(device: torch.device) -> bool:
    """Whether channels last was measured to be faster here."""
    if device.type != "cpu":
        return device.type in HALF
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
