"""HiFi-GAN generator: latents to samples, exactly 640 per frame (spec: s2 §7)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.nn.conv import normed, same_padding
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.receptive_field import Field, generator_field

SLOPE = 0.1
LAST_SLOPE = 0.01


class ResidualBlock(nn.Module):
    """x + conv2(act(conv1(act(x)))), once per dilation."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            normed(
                nn.Conv1d(channels, channels, kernel, dilation=d, padding=same_padding(kernel, d))
            )
            for d in dilations
        )
        self.convs2 = nn.ModuleList(
            normed(nn.Conv1d(channels, channels, kernel, padding=same_padding(kernel)))
            for _ in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        for conv1, conv2 in zip(self.convs1, self.convs2):
            x = x + conv2(F.leaky_relu(conv1(F.leaky_relu(x, SLOPE)), SLOPE))
        return x


class WaveGenerator(nn.Module):
    """What stage 2 asks of its vocoder, whichever it is (`generators.py`).

    Called with latents (B, inter, T) and condition (B, G, 1) -> wave (B, 1, 640 T) in [-1, 1].
    """

    field: Field
    """Frames to both sides on which the sound of a frame depends: what streaming renders around
    a chunk."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()

    def taught(self, z: Tensor, condition: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """In training: the wave, and a loss () of the vocoder's own beside those of the stage.

        `real` (B, 1, 640 T) is the recording.
        """
        return self(z, condition), z.new_zeros(())


class Generator(WaveGenerator):
    """latents (B, inter, T) and condition (B, G, 1) -> wave (B, 1, 640 T)."""

    def __init__(self, config: S2Config) -> None:
        super().__init__(config)
        self.field = generator_field(config)
        width = config.upsample_initial_channel
        self.n_kernels = len(config.resblock_kernel_sizes)
        self.conv_pre = nn.Conv1d(config.inter_channels, width, 7, padding=3)
        self.cond = nn.Conv1d(config.gin_channels, width, 1)
        ups, blocks = [], []
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes):
            padding = (kernel - rate) // 2
            ups.append(normed(nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=padding)))
            width //= 2
            for size in config.resblock_kernel_sizes:
                blocks.append(ResidualBlock(width, size, config.resblock_dilations))
        self.ups, self.resblocks = nn.ModuleList(ups), nn.ModuleList(blocks)
        self.conv_post = nn.Conv1d(width, 1, 7, padding=3, bias=False)

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        """(B, inter, T), (B, G, 1) -> wave (B, 1, 640 T)."""
        x = self.conv_pre(z) + self.cond(condition)
        for stage, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, SLOPE))
            first = stage * self.n_kernels
            parts = [block(x) for block in self.resblocks[first : first + self.n_kernels]]
            x = sum(parts[1:], parts[0]) / self.n_kernels
        out: Tensor = self.conv_post(F.leaky_relu(x, LAST_SLOPE)).tanh()
        return out
