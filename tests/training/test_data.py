"""What training reads: batches as a function of the step, references, histories, clear errors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.dialogue.history import HistoryDropout
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.training import train_s1, train_s2
from GPT_SoVITS.training.prepared import DataError, PreparedData
from GPT_SoVITS.training.s1_data import S1Dataset
from GPT_SoVITS.training.s2_batch import with_spectrograms
from GPT_SoVITS.training.s2_data import S2BatchConfig, S2Dataset, collate_turns
from GPT_SoVITS.training.samplers import StepPlan, StepSampler, epoch_batches
from GPT_SoVITS.training.voices import reference_clips
from tests.training.tiny import arguments

LENGTHS = np.random.default_rng(0).integers(20, 200, size=101)


def test_an_epoch_holds_every_sample_once_within_the_budget():
    batches = epoch_batches(LENGTHS, budget=800, max_batch=6, seed=1, epoch=0)
    assert sorted(i for batch in batches for i in batch) == list(range(101))
    for batch in batches:
        assert len(batch) == 1 or max(LENGTHS[batch]) * len(batch) <= 800
        assert len(batch) <= 6


@pytest.mark.parametrize("start", [0, 1, 17, 59])
def test_a_start_at_any_step_gives_the_rest_of_the_same_batches(start: int):
    def sampler(start: int) -> list:
        batches = StepSampler(
            lambda epoch: LENGTHS, StepPlan(seed=1, steps=60, start=start), budget=800, max_batch=6
        )
        return list(batches)

    assert sampler(start) == sampler(0)[start:]
    assert len({epoch for batch in sampler(0) for epoch, _ in batch}) > 1


@pytest.mark.parametrize("loss_on", ["response", "all_turns"])
def test_lengths_are_those_of_the_columns_after_history_dropout(prepared_demo: Path, loss_on: str):
    data = PreparedData(prepared_demo)
    dropout = HistoryDropout(full=0.25, text=0.25, speech=0.25, none=0.25)
    layout = LayoutConfig(loss_on=loss_on)
    dataset = S1Dataset(data.manifest("s1", "train"), layout, dropout=dropout, seed=3)
    for epoch in (0, 1):
        found = [len(dataset[epoch, i].ids) for i in range(len(dataset))]
        assert found == dataset.lengths(epoch).tolist()


def test_a_reference_is_the_speakers_latest_earlier_turn(prepared_demo: Path):
    dataset = S2Dataset(PreparedData(prepared_demo), "train", S2BatchConfig(), history_turns=2)
    seen = 0
    for index in range(len(dataset)):
        record = dataset.record(index)
        past = [dataset.record(dataset.index_of[turn]) for turn in record["history"]]
        own = [turn for turn in past if turn["speaker"] == record["speaker"]]
        if own:
            reference = dataset.wave(own[-1])[: 300 * 640]
            assert np.array_equal(dataset[0, index].reference, reference)
            seen += 1
    assert seen


def test_history_is_the_latest_turns_and_never_the_target(prepared_demo: Path):
    dataset = S2Dataset(PreparedData(prepared_demo), "train", S2BatchConfig(), history_turns=2)
    for index in range(len(dataset)):
        record, item = dataset.record(index), dataset[0, index]
        expected = record["history"][-2:]
        assert len(item.history) == len(expected)
        for turn, name, distance in zip(item.history, expected, range(len(expected), 0, -1)):
            other = dataset.record(dataset.index_of[name])
            assert turn.phonemes.tolist() == other["phonemes"]
            assert turn.distance == distance
            assert (turn.role == 0) == (other["speaker"] == record["speaker"])
    batch = collate_turns([dataset[0, 0], dataset[0, len(dataset) - 1]])
    assert batch.history is not None and batch.history.frames.shape[1] == 2


def test_self_reference_is_the_targets_own_sound(prepared_demo: Path):
    dataset = S2Dataset(PreparedData(prepared_demo), "train", S2BatchConfig(reference="self"))
    item = dataset[0, 2]
    assert np.array_equal(item.reference, item.wave[: len(item.reference)])


def test_mix_is_the_targets_own_sound_or_another_turn_by_a_fair_coin(prepared_demo: Path):
    data, chosen = PreparedData(prepared_demo), {}
    for reference in ("self", "other_turn", "mix"):
        dataset = S2Dataset(data, "train", S2BatchConfig(reference=reference), seed=7)
        for index in range(len(dataset)):
            past = [dataset.index_of[turn] for turn in dataset.record(index)["history"]]
            for epoch in range(40):
                chosen[reference, index, epoch] = dataset._reference_of(index, past, epoch)
    mixed = {key[1:]: value for key, value in chosen.items() if key[0] == "mix"}
    own = [key for key, value in mixed.items() if value == chosen["self", *key]]
    assert all(mixed[key] == chosen["other_turn", *key] for key in mixed if key not in own)
    assert 0.4 < len(own) / len(mixed) < 0.6


def test_other_voice_takes_a_reference_of_someone_else(prepared_demo: Path):
    config = S2BatchConfig(reference="other_voice")
    dataset = S2Dataset(PreparedData(prepared_demo), "train", config)
    for index in range(len(dataset)):
        other = {dataset._reference_of(index, [], epoch) for epoch in range(4)}
        assert all(dataset.speaker_of[i] != dataset.speaker_of[index] for i in other)
        assert len(other) > 1


@pytest.mark.parametrize("split", ["train", "valid"])
def test_without_history_the_medoid_is_the_reference_as_in_inference(
    prepared_demo: Path, split: str
):
    data = PreparedData(prepared_demo)
    told = json.loads((prepared_demo / "speakers.json").read_text(encoding="utf-8"))["speakers"]
    dataset = S2Dataset(data, split, S2BatchConfig(reference="medoid"))
    seen = 0
    for index in range(len(dataset)):
        record = dataset.record(index)
        speakers = [dataset.speaker_of[dataset.index_of[turn]] for turn in record["history"]]
        medoid = told[record["speaker"]]["medoid"]
        if record["speaker"] in speakers or medoid["id"] == record["id"]:
            continue
        sound = load_audio(prepared_demo / medoid["audio"])
        reference = dataset[0, index].reference
        assert np.array_equal(reference[:20000], sound[:20000])
        seen += 1
    assert seen


def test_the_talkers_voices_are_the_corpus_medoids_and_styles(prepared_demo: Path, tmp_path: Path):
    data = PreparedData(prepared_demo)
    told = json.loads((prepared_demo / "speakers.json").read_text(encoding="utf-8"))["speakers"]
    clips = reference_clips(data)
    for name, voice in told.items():
        if not voice["train"]:
            assert name not in clips
            continue
        assert clips[name]["turn"] == voice["medoid"]["id"]
        for style, clip in voice["references"].items():
            assert clips[f"{name}#{style}"]["turn"] == clip["id"]
    assert any("#" in name for name in clips)
    assert all(Path(clip["clip"]).is_file() for clip in clips.values())
    shutil.copytree(prepared_demo / "5_sequences", tmp_path / "old" / "5_sequences")
    older = reference_clips(PreparedData(tmp_path / "old"))  # a corpus without the file
    assert sorted(older) == sorted(name for name in clips if "#" not in name)
    (tmp_path / "old" / "speakers.json").write_text('{"speakers": {"a": 3}}', encoding="utf-8")
    with pytest.raises(DataError, match="speakers.json is damaged"):
        reference_clips(PreparedData(tmp_path / "old"))


def test_a_folder_that_was_not_prepared_says_what_to_run(tmp_path: Path):
    with pytest.raises(DataError, match="prepare_datasets"):
        PreparedData(tmp_path)


def test_stage_2_refuses_sequences_of_another_quantizer(prepared_demo: Path, tmp_path: Path):
    shutil.copytree(prepared_demo, tmp_path / "data")
    path = tmp_path / "data" / "5_sequences" / "meta.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**meta, "quantizer_id": "0" * 16}), encoding="utf-8")
    with pytest.raises(DataError, match="tokenizer is not the one"):
        train_s2.main(arguments("s2", tmp_path / "data", tmp_path / "run", 2))


def test_stage_2_refuses_imported_codes_without_their_codebook(prepared_demo: Path, tmp_path: Path):
    shutil.copytree(prepared_demo, tmp_path / "data")
    (tmp_path / "data" / "4_semantic" / "tokenizer.safetensors").unlink()
    with pytest.raises(DataError, match="imported codes"):
        train_s2.main(arguments("s2", tmp_path / "data", tmp_path / "run", 2))


def test_the_spectrogram_of_a_row_does_not_depend_on_the_rows_beside_it(prepared_demo: Path):
    dataset = S2Dataset(PreparedData(prepared_demo), "train", S2BatchConfig())
    items = sorted((dataset[0, i] for i in range(4)), key=lambda item: len(item.wave))
    batch = with_spectrograms(collate_turns(items))
    for row, item in enumerate(items):
        alone = with_spectrograms(collate_turns([item]))
        for together, own in (
            (batch.spectrogram[row], alone.spectrogram[0]),
            (batch.reference[row], alone.reference[0]),
        ):
            assert np.allclose(together[:, : own.shape[1]], own, atol=1e-4)


@pytest.mark.parametrize(("key", "value"), [("sample_rate", 24000), ("token_rate", 50)])
def test_a_corpus_at_another_rate_is_refused(
    key: str, value: int, prepared_demo: Path, tmp_path: Path
):
    meta = json.loads((prepared_demo / "5_sequences/meta.json").read_text(encoding="utf-8"))
    (tmp_path / "5_sequences").mkdir()
    (tmp_path / "5_sequences/meta.json").write_text(json.dumps(meta | {key: value}))
    with pytest.raises(DataError, match=f"{key} is {value}; this program has"):
        PreparedData(tmp_path)


def test_stage_1_tells_when_the_tokens_are_anothers(
    prepared_demo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    train_s1.main(arguments("s1", prepared_demo, tmp_path / "base", 2))
    other = tmp_path / "data"
    shutil.copytree(prepared_demo, other)
    meta = json.loads((other / "5_sequences/meta.json").read_text(encoding="utf-8"))
    meta |= {"quantizer_id": "another", "feature": {"kind": "hubert", "dim": 768}}
    (other / "5_sequences/meta.json").write_text(json.dumps(meta))
    start = f"--run.init_from={tmp_path / 'base' / 'talker'}"
    command = [*arguments("s1", other, tmp_path / "run", 2), start]
    with pytest.raises(DataError, match="logmel features there, hubert here"):
        train_s1.main([*command, "--lora.rank=2", "--lora.targets=[attention]"])
    assert "another quantizer" not in caplog.text
    train_s1.main(command)
    assert "another quantizer" in caplog.text
