"""A talker on CUDA: graphs behind every session, the same promises as on a CPU."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.talker import Talker
from tests.tiny_talker import voice

needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device: sessions decoded as CUDA graphs"
)
OPTIONS = GenerationOptions(max_seconds=1.0, precision="fp32", top_k=1)


def test_on_a_cpu_sessions_decode_by_themselves(talker_folder: Path) -> None:
    talker = Talker.load(talker_folder, device="cpu")
    assert talker.decoding("fp32", "block_causal") is None


@needs_cuda
def test_greedy_codes_are_those_of_the_cpu(talker_folder: Path) -> None:
    said = [
        Talker.load(talker_folder, device=device)
        .speak(None, "good morning", speaker="anna", options=OPTIONS)
        .codes
        for device in ("cpu", "cuda")
    ]
    assert said[0] == said[1]


@needs_cuda
def test_two_threads_with_different_voices_give_what_each_gives_alone(talker_folder: Path) -> None:
    talker = Talker.load(talker_folder, device="cuda")

    def one(k: int) -> tuple[int, ...]:
        options = dataclasses.replace(OPTIONS, seed=k, top_k=20)
        session = talker.session(agent="anna", options=options)
        session.add(Turn("user", "hello there"), samples=voice(150 + 50 * k, 0.5))
        return session.respond("good morning").codes

    alone = [one(0), one(1)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(one, range(2))) == alone
