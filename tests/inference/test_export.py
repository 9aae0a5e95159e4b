"""Exported programs say what the networks say, at any length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from GPT_SoVITS.__main__ import main
from GPT_SoVITS.dialogue.layout import EncodedTurn, LayoutConfig, build_sequence
from GPT_SoVITS.inference.export import export_decode_step, export_generator
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.s1_gpt.batch import code_columns, collate
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.generators import GENERATORS
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from tests.s2_vits.test_generators import SMALL


def follows_eager(model: SemanticGPT, program: torch.nn.Module) -> None:
    """Six codes behind a dialogue: logits as the decoder has them, the program's own cache."""
    rng = np.random.default_rng(0)
    history = EncodedTurn("user", rng.integers(1, 300, 7), rng.integers(0, 1024, 12))
    response = EncodedTurn("agent", rng.integers(1, 300, 5), np.zeros(0, dtype=np.int64), turn=1)
    columns = build_sequence(
        [history], response, LayoutConfig(), include_response_codes=False
    ).columns()
    batch, decoder = collate([columns]), Decoder(model)
    cache = decoder.prefill(batch, model.new_cache(1), mask="block_causal").cache
    assert cache is not None
    n = cache.length
    keys, values = (t[..., :n, :].clone() for t in (cache.buffer.keys, cache.buffer.values))
    turns = cache.meta("turn")[:, :n].clone()
    start = batch.response_start
    for step, code in enumerate(rng.integers(0, 1024, 6)):
        ids = torch.tensor([[int(code)]])
        expected, cache = decoder.step(code_columns(ids, start, offset=step), cache)
        turns = torch.cat([turns, start[:, 2:3]], dim=1)
        with torch.inference_mode():
            logits, k, v = program(ids, start, torch.tensor([[step]]), keys, values, turns)
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
        keys, values = torch.cat([keys, k], dim=3), torch.cat([values, v], dim=3)
    assert float(expected.std()) > 0.01


def test_files_of_a_talker_say_what_it_says(talker_folder: Path, tmp_path: Path) -> None:
    command = ["export-networks", "--model", str(talker_folder), "--output", str(tmp_path)]
    assert main(command) == 0
    talker = Talker.load(talker_folder, device="cpu")
    generator = torch.export.load(tmp_path / "generator.pt2").module()
    for frames in (2, 9, 31):
        torch.manual_seed(frames)
        z = torch.randn(1, talker.s2.config.inter_channels, frames)
        condition = torch.randn(1, talker.s2.config.gin_channels, 1)
        with torch.inference_mode():
            expected, found = talker.s2.generator(z, condition), generator(z, condition)
        assert found.shape == (1, 1, 640 * frames) and float(expected.std()) > 0
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    follows_eager(talker.s1, torch.export.load(tmp_path / "decode_step.pt2").module())


@pytest.mark.parametrize("name", GENERATORS)
def test_every_vocoder_becomes_a_program_for_any_number_of_frames(name: str) -> None:
    torch.manual_seed(0)
    model = ConversationalVITS(S2Config(generator=name, **SMALL)).eval()
    program = export_generator(model).module()
    for frames in (2, 31, 210):  # source_filter's noise begins anew behind frame 204
        z, condition = torch.randn(1, 8, frames), torch.randn(1, 16, 1)
        with torch.inference_mode():
            expected, found = model.generator(z, condition), program(z, condition)
        assert found.shape == (1, 1, 640 * frames) and float(expected.std()) > 0
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_a_step_with_roles_and_turn_bias() -> None:
    torch.manual_seed(0)
    config = S1Config(hidden_dim=32, n_head=4, n_layer=2, use_roles=True, max_turn_distance=4)
    model = SemanticGPT(config).eval()
    assert model.turn_bias is not None
    with torch.no_grad():
        model.turn_bias.normal_()
    follows_eager(model, export_decode_step(model).module())


def test_another_device_is_refused(talker_folder: Path, tmp_path: Path) -> None:
    command = ["export-networks", "--model", str(talker_folder), "--output", str(tmp_path)]
    assert main([*command, "--device", "cuda"]) == 2


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    torch.manual_seed(0)
