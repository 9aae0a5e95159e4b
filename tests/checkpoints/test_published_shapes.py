"""The stored shapes are those of our networks: `python -m tests.checkpoints.test_published_shapes`
writes them anew."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from GPT_SoVITS.checkpoints.format import expected_shapes
from GPT_SoVITS.checkpoints.keymaps_s2 import TABLES
from GPT_SoVITS.checkpoints.precheck import expected_of
from GPT_SoVITS.checkpoints.published_shapes import Shapes, shapes_of, write
from GPT_SoVITS.checkpoints.rename import renamed, reverse
from GPT_SoVITS.s2_vits.config import VERSIONS, S2Config

SIZES = [f"s2 {version}" for version in VERSIONS] + ["s2d v2", "s2d v2Pro", "sv"]


def built(network: str) -> Shapes:
    """What the network has, under the published names."""
    kind, _, version = network.partition(" ")
    config: dict[str, Any] = {"version": version} if kind == "s2d" else {}
    if kind == "s2":
        config = dataclasses.asdict(S2Config.published(version))
    ours = expected_shapes(kind, config, path="x")
    return renamed(ours, reverse(TABLES[kind]), path="x")


@pytest.mark.parametrize("network", SIZES)
def test_stored_shapes_are_those_of_the_network(network: str) -> None:
    assert shapes_of(network) == built(network)


def test_only_published_sizes_are_judged_by_the_table() -> None:
    published = dataclasses.asdict(S2Config.published("v2"))
    assert expected_of("s2", published, with_posterior=True) == shapes_of("s2 v2")
    exported = expected_of("s2", published, with_posterior=False)
    assert exported is not None and len(exported) == 673
    free = published | {"p_dropout": 0.3, "segment_frames": 8, "freeze_quantizer": False}
    assert expected_of("s2", free, with_posterior=True) == shapes_of("s2 v2")
    grown = expected_of("s2", published | {"n_symbols": 740}, with_posterior=True)
    assert grown is not None and grown["enc_p.text_embedding.weight"] == (740, 192)
    for name, value in (("hidden_channels", 96), ("frames_per_code", 1), ("n_flows", 3)):
        assert expected_of("s2", published | {name: value}, with_posterior=True) is None


def main() -> None:
    """Write the table."""
    torch.set_num_threads(1)
    write({network: built(network) for network in SIZES})


if __name__ == "__main__":
    main()
