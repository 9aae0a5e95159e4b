"""LoRA from a trained talker to a voice by name: files, hot swap, merge, tags, ranks of voices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from GPT_SoVITS.__main__ import main as command
from GPT_SoVITS.adapters.file import AdapterError, load_adapter
from GPT_SoVITS.adapters.merge import adapted
from GPT_SoVITS.checkpoints import load_s1
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.training import train_s1, train_s2
from GPT_SoVITS.training.loaders import pass_loader, step_loader
from GPT_SoVITS.training.prepared import DataError
from GPT_SoVITS.training.samplers import StepPlan
from tests.adapters.test_lora import columns
from tests.training.tiny import arguments

MAIN = {"s1": train_s1.main, "s2": train_s2.main}


@pytest.fixture(scope="module")
def talker(prepared_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base of two steps."""
    run = tmp_path_factory.mktemp("base")
    for stage, main in MAIN.items():
        main(arguments(stage, prepared_demo, run, 2))
    return run / "talker"


def lora(stage: str, talker: Path, data: Path, run: Path, *more: str, steps: int = 3) -> Path:
    """Fine-tune adapters on a talker; the folder of adapters."""
    kept = [a for a in arguments(stage, data, run, steps) if not a.startswith("--model.")]
    more = (f"--run.init_from={talker}", "--lora.rank=2", "--optimizer.lr=0.05", *more)
    if stage == "s1":
        more = ("--optimizer.warmup_steps=1", "--model.dropout=0.0", *more)
    else:
        more = ("--model.segment_frames=8", "--optimizer.adversarial_from=9", *more)
    return MAIN[stage]([*kept, *more])


def speakers_of(data: Path) -> list[str]:
    lines = (data / "5_sequences" / "s2_train.jsonl").read_text(encoding="utf-8").splitlines()
    return sorted({json.loads(line)["speaker"] for line in lines})


def test_one_run_gives_each_voice_its_own_adapter(
    talker: Path, prepared_demo: Path, tmp_path: Path
) -> None:
    before = (talker / "s1.safetensors").read_bytes()
    folder = lora("s1", talker, prepared_demo, tmp_path, '--lora.speakers=["*"]', steps=8)
    found = {p.parent.name: load_adapter(p) for p in folder.glob("*/s1.safetensors")}
    assert len(found) >= 2
    assert all(name == a.header.name and a.header.speaker for name, a in found.items())
    moved = [name for name, a in found.items() if _reach(a.tensors) > 0]
    assert len(moved) >= 2, "each batch moves the adapter of its own voice"
    first, second = (found[name].tensors for name in moved[:2])
    assert any(not torch.equal(first[n], second[n]) for n in first)
    assert (talker / "s1.safetensors").read_bytes() == before


def _reach(tensors: object) -> float:
    return sum(float(t.abs().sum()) for n, t in tensors.items() if n.endswith("lora_B"))  # type: ignore[attr-defined]


def output(talker: Talker) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of a few columns, and the sound of a few codes."""
    with torch.inference_mode():
        logits = talker.s1(columns())
    wave = talker.s2.decode(
        torch.tensor([[1, 5, 3, 7]]),
        torch.tensor([[3, 9, 4]]),
        [torch.rand(1, 1025, 20, generator=torch.Generator().manual_seed(1))],
        generator=torch.Generator().manual_seed(0),
    )
    return logits, wave


def test_hot_swap_by_name_and_merge(talker: Path, prepared_demo: Path, tmp_path: Path) -> None:
    own = shutil.copytree(talker, tmp_path / "run" / "talker")
    for stage in MAIN:
        lora(stage, own, prepared_demo, tmp_path / "run", "--lora.name=anna", steps=3)
    base = Talker.load(own, device="cpu")
    plain = output(base)
    anna = base.with_adapter("anna")
    spoken = output(anna)
    for before, after in zip(plain, spoken):
        assert not torch.allclose(before, after, atol=1e-4)
    assert all(torch.equal(a, b) for a, b in zip(plain, output(base))), "the base is as it was"
    with pytest.raises(AdapterError, match="there are anna"):
        base.with_adapter("bert")
    assert (
        command(["merge-lora", str(own), "--adapter", "anna", "--output", str(tmp_path / "m")]) == 0
    )
    merged = Talker.load(tmp_path / "m", device="cpu")
    assert merged.s1.state_dict().keys() == base.s1.state_dict().keys()
    for ours, theirs in ((merged.s1, anna.s1), (merged.s2, anna.s2)):
        other = theirs.state_dict()
        assert all(torch.allclose(t, other[n], atol=1e-6) for n, t in ours.state_dict().items())
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(output(merged), spoken))
    again = ["merge-lora", str(own), "--adapter", "anna", "--output", str(tmp_path / "m")]
    assert command(again) == 2


def with_tag(data: Path, copy: Path) -> Path:
    """The corpus again, with <GIGGLES> before the phonemes of every response."""
    shutil.copytree(data, copy)
    meta_path = copy / "5_sequences" / "meta.json"
    meta = json.loads(meta_path.read_text(encoding="utf-8"))
    row = meta["n_symbols"]
    meta |= {"tags": ["<GIGGLES>"], "n_symbols": row + 1}
    meta_path.write_text(json.dumps(meta), encoding="utf-8")
    for path in (copy / "5_sequences").glob("s1_*.jsonl"):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for record in lines:
            for target in record["targets"]:
                record["turns"][target]["phonemes"].insert(0, row)
        path.write_text("".join(json.dumps(r) + "\n" for r in lines), encoding="utf-8")
    return copy


@pytest.mark.parametrize("targets", ["[]", "[attention]"])
def test_a_tag_learns_and_untagged_text_is_the_bases(
    targets: str, talker: Path, prepared_demo: Path, tmp_path: Path
) -> None:
    data = with_tag(prepared_demo, tmp_path / "data")
    folder = lora("s1", talker, data, tmp_path / "run", f"--lora.targets={targets}")
    adapter = load_adapter(folder / "adapter" / "s1.safetensors")
    base, _ = load_s1(talker / "s1.safetensors")
    rows = base.config.phoneme_vocab_size
    assert adapter.header.tags == ("<GIGGLES>",) and adapter.header.first_row == rows
    assert adapter.rows is not None and adapter.rows.shape == (1, 16)
    assert (targets == "[]") == (set(adapter.tensors) == {"rows"})
    twin = adapted(base, adapter)
    assert twin.config.phoneme_vocab_size == rows + 1
    assert torch.equal(twin.embedding.text.weight[:rows], base.embedding.text.weight)
    if targets == "[]":
        assert all(
            torch.equal(value, twin.state_dict()[name])
            for name, value in base.state_dict().items()
            if name != "embedding.text.weight"
        )


def test_mistakes_are_told_in_the_users_words(
    talker: Path, prepared_demo: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="the corpus has"):
        lora("s1", talker, prepared_demo, tmp_path, '--lora.speakers=["nobody"]')
    with pytest.raises(DataError, match="init_from"):
        train_s1.main([*arguments("s1", prepared_demo, tmp_path, 2), "--lora.rank=2"])
    with pytest.raises(DataError, match="nothing to train"):
        lora("s1", talker, prepared_demo, tmp_path, "--lora.targets=[]")


def test_resumed_adapters_are_those_of_an_uninterrupted_run(
    talker: Path, prepared_demo: Path, tmp_path: Path
) -> None:
    voices = '--lora.speakers=["*"]'
    cosine = "--optimizer.warmup_steps=100"  # the schedule's length is part of the run
    whole = lora("s1", talker, prepared_demo, tmp_path / "w", voices, cosine, steps=6)
    lora("s1", talker, prepared_demo, tmp_path / "cut", voices, cosine, steps=3)
    cut = lora("s1", talker, prepared_demo, tmp_path / "cut", voices, cosine, steps=6)
    for path in whole.glob("*/s1.safetensors"):
        assert (cut / path.relative_to(whole)).read_bytes() == path.read_bytes()


def test_labelled_batches_hold_one_voice_and_leave_the_others_out() -> None:
    labels = ["a", "b", None, "a", "b", "a", None]
    loader = step_loader(
        _Keys(),
        list,
        StepPlan(seed=0, steps=8),
        lengths=lambda epoch: np.full(7, 10),
        budget=20,
        max_batch=2,
        workers=0,
        labels=labels,
    )
    for batch in [*loader, *pass_loader(_Keys(), list, size=2, labels=labels)]:
        assert {labels[i] for i in batch.batch} == {batch.label}


class _Keys:
    def __getitem__(self, key: tuple[int, int]) -> int:
        return key[1]

    def __len__(self) -> int:
        return 7
