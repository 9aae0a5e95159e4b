"""Conversation enrichment: no effect on imported weights until trained, even with a history."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from GPT_SoVITS.checkpoints import ModelHeader
from GPT_SoVITS.s2_vits.batch import HistoryBatch, S2Batch
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.text import SymbolTable
from GPT_SoVITS.training.warm_start import Start, warm_start
from tests.vectors.folder import Folder, Vectors
from tests.vectors.s2_more import built

SIZES = S2Config(
    inter_channels=16,
    hidden_channels=16,
    filter_channels=32,
    n_layers=2,
    mrte_channels=16,
    gin_channels=16,
    posterior_layers=2,
    flow_layers=1,
    upsample_initial_channel=32,
    reference_hidden=16,
    ssl_dim=12,
    semantic_dim=8,
    n_codes=16,
    segment_frames=6,
    p_dropout=0.0,
)
ENRICHED = dataclasses.replace(SIZES, style="on", text="gated")


@pytest.fixture()
def pair() -> tuple[ConversationalVITS, ConversationalVITS]:
    """The same weights (nothing zero by chance), without and with enrichment."""
    torch.manual_seed(0)
    plain, enriched = ConversationalVITS(SIZES), ConversationalVITS(ENRICHED)
    for value in [*plain.parameters(), plain.quantizer.embed]:
        torch.nn.init.normal_(value, std=0.1)
    result = enriched.load_state_dict(plain.state_dict(), strict=False)
    ours = ("style_history.", "prior_encoder.history_text.")
    assert not result.unexpected_keys
    assert result.missing_keys and all(name.startswith(ours) for name in result.missing_keys)
    return plain.eval(), enriched.eval()


def history(rows: int) -> HistoryBatch:
    """Two turns that sound and read like something."""
    return HistoryBatch(
        spectrograms=torch.rand(rows, 2, 1025, 9) + 0.1,
        frames=torch.tensor([[9, 7]] * rows),
        role=torch.tensor([[1, 0]] * rows),
        distance=torch.tensor([[2, 1]] * rows),
        phoneme_ids=torch.randint(1, 300, (rows, 6)),
        phoneme_lengths=torch.tensor([6] * rows),
    )


def batch(past: HistoryBatch | None) -> S2Batch:
    torch.manual_seed(1)
    return S2Batch(
        spectrogram=torch.rand(2, 1025, 12),
        spectrogram_lengths=torch.tensor([12, 8]),
        phoneme_ids=torch.randint(1, 300, (2, 5)),
        phoneme_lengths=torch.tensor([5, 4]),
        codes=torch.randint(16, (2, 6)),
        history=past,
    )


def test_decoding_is_bit_identical_with_a_history_switched_on(pair) -> None:
    plain, enriched = pair
    codes, text = torch.randint(16, (1, 6)), torch.randint(1, 300, (1, 5))

    def spoken(model: ConversationalVITS, past: HistoryBatch | None) -> Tensor:
        generator = torch.Generator().manual_seed(3)
        reference = [torch.ones(1, 1025, 10)]
        return model.decode(codes, text, reference, history=past, generator=generator)

    alone = spoken(plain, None)
    assert float(alone.std()) > 0
    assert torch.equal(alone, spoken(enriched, history(1)))
    assert torch.equal(alone, spoken(enriched, None))


def outputs(model: ConversationalVITS, past: HistoryBatch | None) -> list[Tensor]:
    noise = torch.randn(2, 16, 12, generator=torch.Generator().manual_seed(5))
    out = model(batch(past), noise=noise, starts=torch.tensor([1, 2]))
    return [out.wave, out.z, out.z_p, out.mean_p, out.log_p, out.mean_q, out.log_q]


def test_training_forward_is_bit_identical_and_then_every_part_learns(pair) -> None:
    plain, enriched = pair
    past = history(2)
    for alone, with_past in zip(outputs(plain, None), outputs(enriched, past)):
        assert torch.equal(alone, with_past)
    ours = {n: p for n, p in enriched.named_parameters() if "history" in n}
    assert len(ours) > 10
    optimiser = torch.optim.SGD(enriched.parameters(), lr=0.1)
    for step in range(2):
        optimiser.zero_grad()
        sum(x.square().mean() for x in outputs(enriched, past)).backward()
        grads = {n: float(p.grad.abs().sum()) for n, p in ours.items() if p.grad is not None}
        gates = [n for n in ours if "history.output" in n or "conv_o" in n]
        if step == 0:  # behind the zero the rest cannot feel anything yet
            assert all(grads[n] > 0 for n in gates)
        optimiser.step()
    # the key's bias moves every score alike: no softmax feels it
    silent = {n for n in ours if grads.get(n, 0.0) == 0.0}
    assert all(n.endswith(("key.bias", "conv_k.bias")) for n in silent), silent
    changed = zip(outputs(plain, None), outputs(enriched, past))
    assert not all(torch.equal(a, b) for a, b in changed)


def test_an_imported_published_model_keeps_its_numbers(shared: Path) -> None:
    """The golden wave itself, enrichment on and a history given."""
    folder = Folder(shared / "golden" / "nn_more")
    v = Vectors.read(folder.root / "s2_v2_small.safetensors", folder)
    plain = built(v)
    config = dataclasses.replace(plain.config, style="on", text="gated")
    enriched = ConversationalVITS(config).eval()
    header = ModelHeader(kind="s2", config={}, symbols="v2")
    start = Start(v.path, header, plain.config, plain.state_dict())
    report = warm_start(enriched, start, symbols=SymbolTable("v2"))
    assert not report.dropped and not report.grown
    past = history(1)
    codes, text = v["codes"].reshape(1, -1), v["text"]
    waves = [
        model.decode(codes, text, [v["refer"]], noise_scale=0.0, history=past)
        for model in (plain, enriched)
    ]
    assert torch.equal(*waves)
    expected = v.expected["decode"]
    assert float((waves[1] - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
