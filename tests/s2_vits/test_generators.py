"""Another vocoder is a class and a name: stage 2 trains, streams and is saved with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from GPT_SoVITS.checkpoints import load_s2, save_model
from GPT_SoVITS.inference.vocoders import Vocoders
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.generator import Generator, WaveGenerator
from GPT_SoVITS.s2_vits.generators import GENERATORS, build_generator
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.receptive_field import Field

SMALL = {
    "ssl_dim": 8,
    "semantic_dim": 16,
    "inter_channels": 8,
    "hidden_channels": 8,
    "filter_channels": 16,
    "n_layers": 2,
    "mrte_channels": 16,
    "gin_channels": 16,
    "posterior_layers": 2,
    "flow_layers": 1,
    "n_flows": 2,
    "upsample_initial_channel": 32,
    "reference_hidden": 8,
}


class Flat(WaveGenerator):
    """One convolution, then all 640 samples of a frame at once."""

    def __init__(self, config: S2Config) -> None:
        super().__init__(config)
        self.field = Field(2, 2)
        self.hidden = nn.Conv1d(config.inter_channels, 16, 5, padding=2)
        self.voice = nn.Conv1d(config.gin_channels, 16, 1)
        self.out = nn.Conv1d(16, 640, 1)

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        """(B, inter, T), (B, G, 1) -> (B, 1, 640 T)."""
        x = self.out(torch.relu(self.hidden(z) + self.voice(condition)))
        return x.transpose(1, 2).flatten(1)[:, None].tanh()


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> ConversationalVITS:
    monkeypatch.setitem(GENERATORS, "flat", Flat)
    torch.manual_seed(0)
    return ConversationalVITS(S2Config(generator="flat", **SMALL)).eval()


def test_a_stream_of_it_is_the_whole_reply(model: ConversationalVITS):
    codes = list(range(24))
    ids, references = torch.arange(6)[None], [torch.rand(1, 1025, 30)]
    whole = model.start_reply(ids, references, generator=torch.Generator().manual_seed(1))
    whole.extend(codes)
    expected = whole.render().samples
    assert whole.field.right == 2 + 4  # two couplings of one convolution of width 5, and its own
    reply = model.start_reply(ids, references, generator=torch.Generator().manual_seed(1))
    reply.extend(codes)
    parts = [reply.render(8).samples, reply.render(16).samples, reply.render().samples]
    torch.testing.assert_close(
        torch.cat([torch.as_tensor(p) for p in parts]), torch.as_tensor(expected)
    )


def test_it_is_saved_with_its_name_and_loaded_again(model: ConversationalVITS, tmp_path: Path):
    path = tmp_path / "s2.safetensors"
    header = {"symbols": "v2", "feature": {"kind": "hubert"}, "quantizer_id": "x"}
    save_model(path, model, kind="s2", config=model.config, header=header)
    loaded, found = load_s2(path)
    assert isinstance(loaded.generator, Flat) and found.config["generator"] == "flat"


@pytest.mark.parametrize("name", GENERATORS)
def test_every_entry_keeps_what_streaming_asks_of_a_vocoder(name: str):
    torch.manual_seed(0)
    vocoder = build_generator(S2Config(generator=name, **SMALL)).eval()
    z, condition = torch.randn(1, 8, 60, requires_grad=True), torch.randn(1, 16, 1)
    wave = vocoder(z, condition)
    assert wave.shape == (1, 1, 60 * 640) and float(wave.abs().max()) <= 1
    middle = slice(30 * 640, 31 * 640)  # the sound of frame 30
    (gradient,) = torch.autograd.grad(wave[..., middle].square().sum(), z)
    heard = torch.nonzero(gradient.abs().sum((0, 1)))[:, 0]
    assert len(heard) and heard.min() >= 30 - vocoder.field.left
    assert heard.max() <= 30 + vocoder.field.right


def test_inference_runs_it_as_it_is(model: ConversationalVITS):
    assert Vocoders(model).get("fp32") is model.generator


def test_a_name_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="model.generator is 'vocos'; there are hifigan"):
        build_generator(S2Config(generator="vocos", **SMALL))
    assert isinstance(build_generator(S2Config(**SMALL)), Generator)
