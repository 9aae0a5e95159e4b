"""Model FLOPs utilisation: what a step needs, over what the GPU could have done in its time.

    6 x weights x columns                    every matrix, forward and twice backward
    12 x layers x width x length^2           attention's two products, per sequence (full square)

(Chowdhery 2022, "PaLM", appendix B.) Padding counts as waste: only columns that are no padding do.
"""

from __future__ import annotations

from collections.abc import Sequence

from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT

# Part of the device's name -> dense bf16 tensor TFLOP/s by its data sheet.
PEAK_TFLOPS = {
    "H200": 989.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "RTX 4090": 165.0,
    "RTX 3090": 71.0,
}


def step_flops(model: SemanticGPT, batches: Sequence[ColumnBatch]) -> float:
    """Floating-point operations of one pass over the batches, forward and backward.

    Embeddings are looked up, not multiplied; the head counts where there is a target.
    """
    config: S1Config = model.config
    matrices = sum(p.numel() for p in model.layers.parameters() if p.dim() > 1)
    head = sum(p.numel() for p in model.head.parameters())
    total = 0.0
    for batch in batches:
        lengths = batch.valid.sum(1).double()
        total += 6 * matrices * float(lengths.sum())
        total += 6 * head * float((batch.target >= 0).sum())
        total += 12 * config.n_layer * config.hidden_dim * float(lengths.square().sum())
    return total


def utilisation(flops: float, seconds: float, device_name: str) -> float | None:
    """Share of the device's peak in bf16; None for a device that is not in the table."""
    peak = next((t for name, t in PEAK_TFLOPS.items() if name in device_name), None)
    return None if peak is None else flops / seconds / (peak * 1e12)
