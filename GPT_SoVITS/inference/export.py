"""Networks as programs: ``python -m GPT_SoVITS export-networks --model DIR --output DIR``.

    generator.pt2     latents (1, inter, T), condition (1, G, 1) -> wave (1, 1, 640 T)
    decode_step.pt2   one response code behind a cache of N columns -> logits and the new column

Both are `torch.export` programs (weights included, fp32): a C++ program can run them, AOTInductor
can compile them, and no code of ours is needed to. T and N may be anything from 2. What each input
means is said by the two classes below; equal to eager to 1e-4 (`tests/inference/test_export.py`).
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.nn import functional as F

from GPT_SoVITS.inference import cli
from GPT_SoVITS.nn.conv import fold_weight_norm
from GPT_SoVITS.s1_gpt.batch import code_columns
from GPT_SoVITS.s1_gpt.layer import Layer
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.generators import build_generator
from GPT_SoVITS.s2_vits.model import ConversationalVITS

log = logging.getLogger(__name__)

LONGEST = 16_384


class DecodeStep(nn.Module):
    """One response code behind finished columns, all state in and out.

    code (B, 1); start (B, 4): segment, position, turn, role of the response's first code; offset
    (B, 1): number of this code in the response; keys, values (L, B, H, N, d) of all columns so
    far; key_turn (B, N + 1): the turn of each of them and of this one. Returns logits (B, V) and
    the new column's keys and values (L, B, H, 1, d), to be put behind the others.
    """

    def __init__(self, model: SemanticGPT) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        code: Tensor,
        start: Tensor,
        offset: Tensor,
        keys: Tensor,
        values: Tensor,
        key_turn: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step; the arguments and their shapes (B, …) are those of the class."""
        columns = code_columns(code, start, offset=offset)
        x, bias = self.model.embed(columns), None
        table = self.model.turn_bias
        if table is not None:
            distance = (columns.turn - key_turn).clamp(0, len(table) - 1)
            bias = table[distance].transpose(1, 2)[:, :, None]  # (B, H, 1, N + 1)
        new_keys, new_values = [], []
        for index, layer in enumerate(self.model.layers):
            assert isinstance(layer, Layer)
            attention = layer.attention
            size, _, dim = x.shape
            q, k, v = attention.qkv(x).view(size, 1, 3, attention.n_head, -1).permute(2, 0, 3, 1, 4)
            new_keys.append(k)
            new_values.append(v)
            k, v = torch.cat([keys[index], k], dim=2), torch.cat([values[index], v], dim=2)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
            x = layer.norm1(x + attention.out(y.transpose(1, 2).reshape(size, 1, dim)))
            x = layer.norm2(x + layer.feed_forward_out(F.relu(layer.feed_forward_in(x))))
        return self.model.head(x[:, 0]), torch.stack(new_keys), torch.stack(new_values)


def export_decode_step(model: SemanticGPT) -> ExportedProgram:
    """The step as a program for one reply and any number of columns."""
    c = model.config
    past = torch.zeros(c.n_layer, 1, c.n_head, 8, c.hidden_dim // c.n_head)
    one = torch.zeros(1, 1, dtype=torch.long)
    arguments = (
        one,
        torch.zeros(1, 4, dtype=torch.long),
        one.clone(),
        past,
        past.clone(),
        torch.zeros(1, 9, dtype=torch.long),
    )
    n = Dim("columns", min=2, max=LONGEST)
    shapes: Any = (None, None, None, {3: n}, {3: n}, {1: n + 1})
    with torch.no_grad():
        return torch.export.export(
            DecodeStep(model).eval(), arguments, dynamic_shapes=shapes, strict=False
        )


def export_generator(model: ConversationalVITS) -> ExportedProgram:
    """The generator, weight norm folded, as a program for any number of frames."""
    c = model.config
    plain = build_generator(c).eval()
    plain.load_state_dict(model.generator.state_dict())
    fold_weight_norm(plain)
    arguments = (torch.zeros(1, c.inter_channels, 8), torch.zeros(1, c.gin_channels, 1))
    shapes: Any = ({2: Dim("frames", min=2, max=LONGEST)}, None)
    with torch.no_grad():
        return torch.export.export(plain, arguments, dynamic_shapes=shapes, strict=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS export-networks",
        description="Write the generator and a decoding step as torch.export programs.",
    )
    cli.add_talker(parser)
    parser.add_argument("--output", type=Path, required=True, help="folder of the two .pt2 files")
    return cli.guarded(lambda: _run(parser.parse_args(arguments)))


def _run(args: argparse.Namespace) -> int:
    if args.device not in ("auto", "cpu"):
        raise ValueError("--device: programs are exported on the CPU; move them where they run")
    args.device = "cpu"
    talker = cli.load_talker(args)
    args.output.mkdir(parents=True, exist_ok=True)
    for name, program in (
        ("generator", export_generator(talker.s2)),
        ("decode_step", export_decode_step(talker.s1)),
    ):
        path = args.output / f"{name}.pt2"
        torch.export.save(program, path)
        log.info("%s: %.1f MB", path, path.stat().st_size / 1e6)
    return 0
