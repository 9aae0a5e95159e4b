"""The compiled step is the decoding step: logits, greedy tokens, batches, threads."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from GPT_SoVITS.dialogue.layout import LayoutConfig, build_sequence
from GPT_SoVITS.s1_gpt import compiled as compiled_step
from GPT_SoVITS.s1_gpt.batch import code_columns, collate
from GPT_SoVITS.s1_gpt.compiled import MOST_ROWS, PLACES, CannotCompile, can_compile
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_batch import BatchDecoder
from GPT_SoVITS.s1_gpt.embeddings import SinePosition
from GPT_SoVITS.s1_gpt.generate import generate
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from tests.s1_gpt.dialogues import made_turn, prompt, small_model
from tests.s1_gpt.test_decode_batch import requests, together
from tests.s1_gpt.test_decode_gates import LENGTHS

pytestmark = pytest.mark.skipif(not can_compile(), reason="numba with OpenMP is not installed")


@pytest.fixture(scope="module")
def compiled() -> Decoder:
    """A small network with roles and turn distances, its step compiled."""
    return Decoder(small_model(), precision="fp32", compiled=True)


@pytest.mark.parametrize("n", LENGTHS)
def test_logits_equal_one_full_forward(compiled: Decoder, n: int) -> None:
    model = compiled.model
    turns = [made_turn(0), made_turn(1, phonemes=6, codes=n)]
    columns = build_sequence(turns[:1], turns[1], LayoutConfig()).columns()
    text = len(columns) - n
    with torch.inference_mode():
        full = model(collate([columns]))[0, text - 1 :]
    start = collate([columns.part(0, text)])
    out = compiled.prefill(start, model.new_cache(1, capacity=64), mask="block_causal")
    steps, cache = [out.logits[:, -1]], out.cache
    for i in range(text, len(columns)):
        assert cache is not None
        logits, cache = compiled.step(collate([columns.part(i, i + 1)]), cache)
        steps.append(logits)
    assert (torch.cat(steps) - full).abs().max() < 1e-5


def test_a_step_embeds_as_the_network_does_and_takes_no_sine(
    compiled: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The framework's threads, woken by a sine, would stand in the way of the step's own."""
    ids, start = torch.tensor([[3], [5], [7]]), torch.tensor([[1, 0, 2, 0]] * 3)
    known = code_columns(ids, start, offset=torch.tensor([[0], [9], [PLACES - 1]]))
    beyond = code_columns(ids, start, offset=torch.tensor([[0], [9], [PLACES]]))
    for columns in (known, beyond):
        with torch.inference_mode():
            assert torch.equal(compiled.embed(columns), compiled.model.embed(columns)[:, 0])

    def sine(self: SinePosition, position: torch.Tensor) -> torch.Tensor:
        raise AssertionError("a sine was taken")

    monkeypatch.setattr(SinePosition, "forward", sine)
    with torch.inference_mode():
        compiled.embed(known)
        with pytest.raises(AssertionError, match="sine"):
            compiled.embed(beyond)


@pytest.mark.parametrize("greedy", [True, False], ids=["greedy", "sampled"])
def test_tokens_equal_those_of_the_eager_step(compiled: Decoder, greedy: bool) -> None:
    eager = Decoder(compiled.model)
    for request in requests(5, greedy=greedy):
        replies = [
            list(
                generate(
                    one,
                    request.prompt,
                    request.options,
                    torch.Generator().manual_seed(3),
                    previous=request.previous,
                )
            )
            for one in (eager, compiled)
        ]
        assert replies[0] == replies[1]


@pytest.mark.parametrize("n", [2, 7, 16])
def test_a_batch_equals_each_eager_reply(compiled: Decoder, n: int) -> None:
    assert n <= MOST_ROWS
    eager = Decoder(compiled.model)
    replies = together(BatchDecoder(compiled, slots=n), requests(n, greedy=True))
    alone = [
        list(generate(eager, one.prompt, one.options, one.generator, previous=one.previous))
        for one in requests(n, greedy=True)
    ]
    assert [replies[i] for i in range(n)] == alone


def test_the_number_of_threads_stays_as_it_was() -> None:
    code = (
        "import torch; torch.set_num_threads(1)\n"
        "from GPT_SoVITS.s1_gpt.compiled import kernel; kernel()\n"
        "print(torch.get_num_threads())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "1"


def test_threads_share_one_step(compiled: Decoder) -> None:
    options = SamplingOptions(top_k=20, max_tokens=40)

    def reply(k: int) -> list[int]:
        seeded = torch.Generator().manual_seed(k)
        return list(generate(compiled, prompt(history=k), options, seeded))

    alone = [reply(k) for k in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(reply, range(4))) == alone


@pytest.mark.slow
def test_int8_equals_the_frameworks_int8_but_for_rounding_of_its_inputs() -> None:
    """The framework rounds what it multiplies to bf16, the compiled step does not."""
    model = small_model(dim=64)
    exact, framework, own = (
        Decoder(model, precision="fp32"),
        Decoder(model, precision="int8", compiled=False),
        Decoder(model, precision="int8", compiled=True),
    )
    start = collate([prompt(history=2)])
    fed = collate([build_sequence([], made_turn(3), LayoutConfig()).columns().part(5, 6)])
    found = []
    for one in (exact, framework, own):
        cache = one.prefill(start, model.new_cache(1), mask="block_causal").cache
        assert cache is not None
        found.append(one.step(fed, cache)[0])
    errors = [float((one - found[0]).std() / found[0].std()) for one in found[1:]]
    assert errors[1] < 0.02 and errors[1] < 1.2 * errors[0]


def test_it_is_the_default_for_a_network_worth_it() -> None:
    model = SemanticGPT(S1Config(hidden_dim=256, n_head=8, n_layer=1, vocab_size=20)).eval()
    assert Decoder(model, precision="fp32")._compiled is not None
    assert Decoder(model, precision="bf16")._compiled is None
    assert Decoder(model)._compiled is None  # a reply or two
    assert Decoder(small_model(), precision="fp32")._compiled is None
    with pytest.raises(CannotCompile, match="fp32 and int8 on a CPU"):
        Decoder(model, precision="bf16", compiled=True)


def test_without_numba_the_frameworks_step_is_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = SemanticGPT(S1Config(hidden_dim=256, n_head=8, n_layer=1, vocab_size=20)).eval()

    def missing() -> None:
        raise CannotCompile("numba with OpenMP is not installed")

    monkeypatch.setattr(compiled_step, "kernel", missing)
    assert Decoder(model, precision="fp32")._compiled is None
    assert "decoding is not compiled: numba" in caplog.text
    with pytest.raises(CannotCompile, match="numba"):
        Decoder(model, precision="fp32", compiled=True)


@pytest.mark.slow
def test_a_second_process_finds_it_compiled(tmp_path: Path, repository: Path) -> None:
    code = (
        "import torch; torch.set_num_threads(1)\n"
        "from GPT_SoVITS.s1_gpt import compiled_kernel as k\n"
        "from GPT_SoVITS.s1_gpt.decode import Decoder\n"
        "from tests.s1_gpt.dialogues import prompt, small_model\n"
        "from GPT_SoVITS.s1_gpt.generate import generate\n"
        "from GPT_SoVITS.s1_gpt.sampling import SamplingOptions\n"
        "d = Decoder(small_model(), precision='fp32', compiled=True)\n"
        "list(generate(d, prompt(), SamplingOptions(max_tokens=3)))\n"
        "print(len(k.step.stats.cache_hits), len(k.step.stats.cache_misses))\n"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(repository)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert said == [["0", "1"], ["1", "0"]]
