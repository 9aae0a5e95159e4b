"""Sizes of the stage 2 network and its published versions (spec: s2 §1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

from GPT_SoVITS.audio.constants import HOP_LENGTH

VERSIONS = ("v1", "v2", "v2Pro", "v2ProPlus")


@dataclass(frozen=True)
class S2Config:
    """Network sizes; the defaults are v2's."""

    version: str = "v2"
    """v1, v2, v2Pro or v2ProPlus."""
    n_symbols: int = 732
    """Rows of the phoneme table."""
    ssl_dim: int = 768
    """Width of the content features before the semantic projection."""
    semantic_dim: int = 768
    """Width of the codebook."""
    n_codes: int = 1024
    """Rows of the codebook."""
    frames_per_code: int = 2
    """Spectrogram frames (50 per second) per code: 2 at 25 Hz, 1 in the old 50 Hz models."""
    inter_channels: int = 192
    """Width of the latent."""
    hidden_channels: int = 192
    """Width of the encoders."""
    filter_channels: int = 768
    """Width inside the encoders' feed-forward layers."""
    n_heads: int = 2
    """Attention heads of the encoders."""
    n_layers: int = 6
    """Layers of the text encoder; the token encoders have half as many."""
    kernel_size: int = 3
    """Of the feed-forward convolutions."""
    p_dropout: float = 0.1
    """Dropout of the encoders."""
    mrte_channels: int = 512
    """Width of the attention of speech over text."""
    mrte_heads: int = 4
    """Its heads."""
    posterior_layers: int = 16
    """WaveNet layers of the posterior encoder."""
    flow_layers: int = 4
    """WaveNet layers of one coupling."""
    n_flows: int = 4
    """Couplings."""
    gin_channels: int = 512
    """Width of the condition (the voice)."""
    reference_bins: int = 704
    """Lowest spectrogram bins the reference encoder sees (1025 in v1)."""
    reference_hidden: int = 128
    """Width of the reference encoder."""
    generator: str = "hifigan"
    """The vocoder, by its name in `s2_vits/generators.py`; published weights have `hifigan`."""
    source_filter_width: int = 192
    """Width of the `source_filter` vocoder's blocks; `hifigan` has its sizes below."""
    source_filter_layers: int = 5
    """Its blocks."""
    upsample_rates: tuple[int, ...] = (10, 8, 2, 2, 2)
    """Factors of the generator; they multiply to 640 samples per frame."""
    upsample_kernel_sizes: tuple[int, ...] = (16, 16, 8, 2, 2)
    """Kernels of its transposed convolutions."""
    upsample_initial_channel: int = 512
    """Its first width, halved at every stage."""
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    """Kernels of its residual blocks, added up."""
    resblock_dilations: tuple[int, ...] = (1, 3, 5)
    """Dilations of every residual block."""
    segment_frames: int = 32
    """Frames of the random slice the generator trains on."""
    freeze_quantizer: bool = True
    """The codebook stays as it was fitted or imported."""
    speaker_vector_dim: int = 0
    """20480 in the Pro versions, 0 without a speaker network."""
    style: Literal["off", "on"] = "off"
    """Enrichment: attention pool over the style vectors of the history turns."""
    text: Literal["off", "gated", "concat"] = "off"
    """Enrichment: what the text encoder sees of the history's phonemes."""
    history_turns: int = 2
    """Enrichment: how many of the latest turns it sees."""

    def __post_init__(self) -> None:
        if self.version not in VERSIONS:
            raise ValueError(f"version is {self.version!r}; use one of {', '.join(VERSIONS)}")
        if prod(self.upsample_rates) != HOP_LENGTH:
            raise ValueError(f"upsample_rates {self.upsample_rates} must multiply to {HOP_LENGTH}")
        if len(self.upsample_rates) != len(self.upsample_kernel_sizes):
            raise ValueError("upsample_rates and upsample_kernel_sizes must be of one length")
        if self.hidden_channels % self.n_heads or self.mrte_channels % self.mrte_heads:
            raise ValueError("channels must be a multiple of the heads")
        if self.frames_per_code not in (1, 2):
            raise ValueError(f"frames_per_code is {self.frames_per_code}; use 2 (25 Hz) or 1")
        if self.inter_channels % 2 or self.n_layers % 2:
            raise ValueError("inter_channels and n_layers must be even")
        if self.upsample_initial_channel % 2 ** len(self.upsample_rates):
            raise ValueError("upsample_initial_channel must halve at every stage")
        if self.style not in ("off", "on") or self.text not in ("off", "gated", "concat"):
            raise ValueError("style is off or on; text is off, gated or concat")

    @property
    def hears_history(self) -> bool:
        """Whether any enrichment is on."""
        return self.style == "on" or self.text != "off"

    @property
    def is_pro(self) -> bool:
        """Has the speaker-vector input of v2Pro / v2ProPlus."""
        return self.speaker_vector_dim > 0

    @classmethod
    def published(cls, version: str) -> S2Config:
        """Sizes of a published version. Raises `ValueError`."""
        pro = {"gin_channels": 1024, "p_dropout": 0.0, "speaker_vector_dim": 20480}
        table: dict[str, dict[str, Any]] = {
            "v1": {"n_symbols": 322, "reference_bins": 1025},
            "v2": {},
            "v2Pro": pro,
            "v2ProPlus": pro
            | {
                "upsample_initial_channel": 768,
                "upsample_kernel_sizes": (20, 16, 8, 2, 2),
            },
        }
        if version not in table:
            raise ValueError(f"version is {version!r}; use one of {', '.join(VERSIONS)}")
        return replace(cls(), version=version, **table[version])
