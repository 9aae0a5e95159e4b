"""How far stage 2 looks around a frame, computed from its config.

    python -m GPT_SoVITS.s2_vits.receptive_field [v1 v2 v2Pro v2ProPlus]
    v2: flow 32 + 32, generator 11 + 11 frames of 20 ms; in all 43 to the left, 43 to the right

The sound of a frame is a function of the latents within this field and of nothing else: with it as
context, a chunk rendered alone equals the same stretch of one pass over the whole reply.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from GPT_SoVITS.audio.constants import HOP_LENGTH
from GPT_SoVITS.s2_vits.config import S2Config

EDGE_KERNEL = 7
"""Kernel of the generator's first and last convolution."""
FLOW_KERNEL = 5


@dataclass(frozen=True)
class Field:
    """Frames to the left and to the right of a frame."""

    left: int
    right: int

    def __add__(self, other: Field) -> Field:
        return Field(self.left + other.left, self.right + other.right)


def flow_field(config: S2Config) -> Field:
    """Every coupling holds `flow_layers` undilated convolutions."""
    side = (FLOW_KERNEL - 1) // 2 * config.flow_layers * config.n_flows
    return Field(side, side)


def generator_field(config: S2Config) -> Field:
    """HiFi-GAN's: samples [0, 640) of frame 0, traced back stage by stage to what they read."""
    edge = (EDGE_KERNEL - 1) // 2
    low, high = -edge, HOP_LENGTH - 1 + edge
    blocks = [(k - 1) // 2 * sum(d + 1 for d in config.resblock_dilations)
              for k in config.resblock_kernel_sizes]  # fmt: skip
    stages = list(zip(config.upsample_rates, config.upsample_kernel_sizes))
    for rate, kernel in reversed(stages):
        low, high = low - max(blocks), high + max(blocks)
        padding = (kernel - rate) // 2
        # output o of a transposed convolution reads i where i rate <= o + padding < i rate + kernel
        low = -((kernel - 1 - low - padding) // rate)
        high = (high + padding) // rate
    return Field(edge - low, edge + high)


def receptive_field(config: S2Config) -> Field:
    """Flow and HiFi-GAN together; another vocoder states its own `field`."""
    return flow_field(config) + generator_field(config)


def main(versions: list[str] | None = None) -> int:
    """Print the fields of the published versions."""
    for version in versions or ["v1", "v2", "v2Pro", "v2ProPlus"]:
        config = S2Config.published(version)
        flow, generator, whole = (
            flow_field(config),
            generator_field(config),
            receptive_field(config),
        )
        sys.stdout.write(
            f"{version}: flow {flow.left} + {flow.right}, generator {generator.left} + "
            f"{generator.right} frames of 20 ms; in all {whole.left} to the left, {whole.right} "
            "to the right\n"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
