"""HuBERT on recordings of different lengths at once, each as if it were alone.

    wave        xxxxxxxxxx........     zeros behind the shorter ones
    conv 0      xxxxxxxxx.........     its group norm: mean and variance over the valid frames only
    conv 1 - 6  xxx....                no padding: a valid frame sees valid frames only
    positions   xxx0000                zeros behind, as the convolution pads a single recording
    attention   xxx                    valid frames see valid frames

The numbers differ from a single pass by rounding alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F


def lengths_after(convolutions: Sequence[Any], samples: torch.Tensor) -> list[torch.Tensor]:
    """(B,) samples at 16 kHz -> (B,) valid frames behind each convolution."""
    lengths, result = samples, []
    for layer in convolutions:
        kernel, stride = layer.conv.kernel_size[0], layer.conv.stride[0]
        lengths = (lengths - kernel) // stride + 1
        result.append(lengths)
    return result


def padded_forward(model: Any, waves: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
    """16 kHz (B, T) with zeros behind samples (B,) -> (B, F, D); frames behind the end are void.

    `model` is a transformers `HubertModel` in eval mode.
    """
    layers = model.feature_extractor.conv_layers
    lengths = lengths_after(layers, samples)
    hidden = waves[:, None]  # (B, 1, T)
    for layer, valid in zip(layers, lengths, strict=True):
        norm = getattr(layer, "layer_norm", None)
        if isinstance(norm, torch.nn.GroupNorm):
            hidden = layer.activation(masked_group_norm(norm, layer.conv(hidden), valid))
        else:  # frame by frame: what is behind the end reaches no valid frame
            hidden = layer(hidden)
    features = model.feature_projection(hidden.transpose(1, 2))  # (B, F, D)
    mask = torch.arange(features.shape[1], device=waves.device) < lengths[-1][:, None]
    out: torch.Tensor = model.encoder(features, attention_mask=mask).last_hidden_state
    return out


def masked_group_norm(
    norm: torch.nn.GroupNorm, hidden: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """Group norm of (B, C, T) over the first `lengths` (B,) frames of each, zeros behind them."""
    batch, channels, frames = hidden.shape
    mask = (torch.arange(frames, device=hidden.device) < lengths[:, None])[:, None, None]
    grouped = hidden.float().view(batch, norm.num_groups, -1, frames)  # (B, G, C / G, T)
    count = lengths.view(-1, 1, 1, 1) * grouped.shape[2]
    mean = (grouped * mask).sum((2, 3), keepdim=True) / count
    away = (grouped - mean) * mask
    variance = away.square().sum((2, 3), keepdim=True) / count
    normed = (away / torch.sqrt(variance + norm.eps)).view(batch, channels, frames)
    if norm.weight is not None:
        normed = normed * norm.weight.float()[:, None] + norm.bias.float()[:, None]
    return (normed * mask[:, 0]).to(hidden.dtype)


def padded(waves: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Waves (T,), 16 kHz, of any length -> (B, T) with zeros behind, (B,) samples."""
    longest = max(len(wave) for wave in waves)
    together = torch.stack([F.pad(wave, (0, longest - len(wave))) for wave in waves])
    return together, torch.tensor([len(wave) for wave in waves], device=together.device)


def cut_by_length(lengths: Sequence[int], *, limit: int) -> list[list[int]]:
    """Places sorted by length, cut so that a batch, padding included, stays within `limit`."""
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        longest = lengths[batches[-1][0]] if batches else 0
        if batches and (len(batches[-1]) + 1) * longest <= limit:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches
