"""Which arithmetic stage 2 speaks with, and that a talker uses it."""

from __future__ import annotations

import pytest
import torch

from GPT_SoVITS.inference import vocoders
from GPT_SoVITS.inference.vocoders import Vocoders, choose_half
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.vocoder import Vocoder

TINY = S2Config(
    ssl_dim=8,
    semantic_dim=8,
    n_codes=32,
    inter_channels=4,
    hidden_channels=8,
    filter_channels=8,
    n_layers=2,
    mrte_channels=8,
    gin_channels=8,
    posterior_layers=1,
    upsample_initial_channel=32,
    reference_hidden=8,
)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    "precision, device, width, bf16, half",
    [
        ("auto", CPU, 512, True, True),
        ("auto", CPU, 512, False, False),
        ("auto", CPU, 128, True, False),
        ("int8", CPU, 512, True, True),
        ("int8", CPU, 512, False, False),
        ("bf16", CPU, 128, True, True),
        ("bf16", CPU, 512, False, False),
        ("fp32", CPU, 512, True, False),
        ("auto", CUDA, 512, False, True),
        ("bf16", CUDA, 128, False, True),
        ("fp32", CUDA, 512, True, False),
    ],
)
def test_the_table(
    precision: str,
    device: torch.device,
    width: int,
    bf16: bool,
    half: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vocoders, "has_bf16", lambda: bf16)
    assert choose_half(precision, device=device, width=width) is half


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="precision is 'fp8'"):
        choose_half("fp8", device=CPU, width=512)


def test_a_vocoder_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocoders, "prepared_pays", lambda device: True)
    made = Vocoders(ConversationalVITS(TINY).eval())
    assert isinstance(made.get("fp32"), Vocoder)
    assert made.get("fp32") is made.get("auto")


def test_a_cpu_without_avx2_runs_the_generator_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    model = ConversationalVITS(TINY).eval()
    assert Vocoders(model).get("auto") is model.generator


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: fp16 stage 2")
def test_on_cuda_auto_is_half_precision() -> None:
    model = ConversationalVITS(S2Config(upsample_initial_channel=256)).cuda().eval()
    vocoder = Vocoders(model).get("auto")
    z, condition = torch.randn(1, 192, 20).cuda(), torch.randn(1, 512, 1).cuda()
    with torch.inference_mode():
        expected = model.generator(z, condition)
    torch.testing.assert_close(vocoder(z, condition), expected, atol=2e-2, rtol=0)
