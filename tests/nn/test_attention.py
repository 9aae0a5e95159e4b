"""Relative attention under mixed precision: the window's scores take the scores' own type."""

import torch

from GPT_SoVITS.nn.attention import AttentionEncoder


def test_bf16_autocast_stays_near_fp32():
    torch.manual_seed(0)
    encoder = AttentionEncoder(16, 32, 2, 2, 3, 0.0).eval()
    x, mask = torch.randn(2, 16, 11), torch.ones(2, 1, 11)
    with torch.no_grad():
        exact = encoder(x, mask)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = encoder(x, mask)
    assert (mixed.float() - exact).abs().max() < 0.1 * exact.abs().max()
