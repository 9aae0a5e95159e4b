"""speakers.json, the dataset card, splits and gaps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from GPT_SoVITS.features.encode import TurnEncoder
from prepare_datasets.jsonl import read_jsonl
from prepare_datasets.ledger import CountError, Counts
from prepare_datasets.pipeline import aligned
from prepare_datasets.sampling import sample_dialogues
from prepare_datasets.shards import SUMMARY, Shards
from prepare_datasets.splits import Split, SplitConfig, place, runs
from prepare_datasets.step4_semantic import step as step4
from prepare_datasets.table_size import sized
from tests.prepare_datasets.runs import TINY, prepare, report
from tests.prepare_datasets.sounds import write_corpus, write_turn


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("products")
    raw = write_corpus(folder / "raw", dialogues=4)
    labels = {"0": {"0": {"emotion": "anger"}, "2": {"emotion": "sadness"}}}
    (raw / "metadata.json").write_text(json.dumps(labels), encoding="utf-8")
    options = ["--card", "true", "--speakers.min_seconds", "0.5"]
    assert prepare(raw, folder / "out", *options) == 0
    return folder / "out"


def test_the_medoid_is_nearest_to_all_other_turns_of_its_speaker(prepared: Path):
    index = list(read_jsonl(prepared / "3_speech" / "features" / "index.jsonl"))
    shards = Shards(prepared / "3_speech" / "features")
    points = {one["id"]: shards.read(one["shard"], SUMMARY + one["id"]) for one in index}
    spread = np.stack(list(points.values())).astype(float).std(axis=0)
    speakers = json.loads((prepared / "speakers.json").read_text("utf-8"))["speakers"]
    trained = {one["id"] for one in read_jsonl(prepared / "5_sequences" / "s2_train.jsonl")}
    assert sorted(speakers) == ["t/0", "t/1"]
    for name, speaker in speakers.items():
        own = [turn for turn in points if int(turn[-1]) % 2 == int(name[-1])]
        learnt = [turn for turn in own if turn in trained]
        matrix = np.stack([points[turn] for turn in own]) / spread
        sums = np.square(matrix[:, None] - matrix).sum(axis=(1, 2))  # (turns,)
        nearest = dict(zip(own, sums.tolist(), strict=True))
        assert speaker["medoid"]["id"] == min(learnt, key=lambda turn: nearest[turn])
        assert speaker["turns"] == speaker["train"] + speaker["valid"] == len(own)
        assert (prepared / speaker["medoid"]["audio"]).is_file()
    assert sorted(speakers["t/0"]["references"]) == ["anger", "sadness"]
    assert speakers["t/0"]["references"]["anger"]["id"] == "t/0/0"


def test_reference_clips_have_the_length_asked_for_where_there_are_any(tmp_path: Path):
    from tests.prepare_datasets.test_readers import RATE, soundfile, voice

    raw = write_corpus(tmp_path / "raw", dialogues=2)
    soundfile.write(raw / "1" / "2_0_d1.wav", voice(5, 2.5), RATE)
    assert prepare(raw, tmp_path / "out") == 0
    speakers = json.loads((tmp_path / "out" / "speakers.json").read_text("utf-8"))["speakers"]
    assert speakers["t/0"]["medoid"]["id"] == "t/1/2"  # the only one of 2-5 s
    assert speakers["t/1"]["medoid"]["seconds"] < 2  # no better one there


def test_the_card_shows_distributions_reasons_and_a_dialogue_to_hear(prepared: Path):
    page = (prepared / "report.html").read_text("utf-8")
    text = (prepared / "report.md").read_text("utf-8")
    assert "data:image/png;base64," in page and "<audio controls" in page
    assert "16 turns in = 16 kept + 0 quarantined + 0 dropped" in text
    assert (prepared / "report_plots.png").read_bytes().startswith(b"\x89PNG")
    assert "](3_speech/audio/t/0/0.flac): Where did you put the key?" in text


def test_the_card_names_what_was_left_out_and_escapes_it(tmp_path: Path):
    raw = write_corpus(tmp_path / "raw")
    (raw / "1" / "<b>x|y.wav").write_bytes(b"")
    assert prepare(raw, tmp_path / "out", "--card", "true") == 3
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "bad_name" in page and "&lt;b&gt;x|y.wav" in page and "<b>x" not in page
    assert "<b>x\\|y.wav" in (tmp_path / "out" / "report.md").read_text("utf-8")


def test_the_card_draws_names_that_look_like_formulas_or_fill_a_line(tmp_path: Path):
    for turn in range(4):
        speaker = ["$\\frac$", f"{'very ' * 20}long"][turn % 2]
        write_turn(tmp_path / "raw" / "d", turn, speaker, "d", seed=turn)
    assert prepare(tmp_path / "raw", tmp_path / "out", "--card", "true") == 0
    assert (tmp_path / "out" / "report_plots.png").stat().st_size > 10_000


def test_counts_that_do_not_add_up_are_a_bug():
    with pytest.raises(CountError, match="3 turns came in"):
        Counts(found=3, kept=1, quarantined=1, dropped=0, reasons={}, notices={})


def test_no_validation_speaker_is_heard_in_training(tmp_path: Path):
    dialogues = [
        [{"dialogue": f"d{n}", "speaker": f"s{n % 7}"}, {"dialogue": f"d{n}", "speaker": f"x{n}"}]
        for n in range(60)
    ]
    split = Split(dialogues, SplitConfig(valid=0.2, by="speaker"))
    heard: dict[bool, set[str]] = {True: set(), False: set()}
    for turns in dialogues:
        heard[split.is_valid(turns)] |= {turn["speaker"] for turn in turns}
    chosen = {name for name in heard[True] if place(name, 0) < 0.2}
    assert chosen and not chosen & heard[False]


def test_a_split_is_never_empty_and_depends_on_names_alone():
    dialogues = [[{"dialogue": f"d{n}"}] for n in range(5)]
    split = Split(dialogues, SplitConfig(valid=1e-9))
    assert [split.is_valid(turns) for turns in dialogues].count(True) == 1
    assert not Split(dialogues[:1], SplitConfig(valid=1e-9)).is_valid(dialogues[0])
    assert not any(Split(dialogues, SplitConfig(valid=0)).is_valid(d) for d in dialogues)


@pytest.mark.parametrize("valid", [0.01, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 270])
def test_of_any_number_of_dialogues_some_train_and_some_validate(count: int, valid: float):
    dialogues = [[{"dialogue": f"d{n}"}] for n in range(count)]
    for seed in range(20):
        split = Split(dialogues, SplitConfig(valid=valid, seed=seed))
        chosen = [split.is_valid(turns) for turns in dialogues]
        again = Split(reversed(dialogues), SplitConfig(valid=valid, seed=seed))
        assert chosen == [again.is_valid(turns) for turns in dialogues]
        assert False in chosen and (count == 1 or True in chosen)
        if count == 270:
            assert sum(chosen) == pytest.approx(270 * valid, abs=40)


def test_a_split_by_speaker_that_leaves_nobody_to_train_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    raw = write_corpus(tmp_path / "raw")  # the same two speakers in every dialogue
    assert prepare(raw, tmp_path / "out", "--split.by", "speaker") == 2
    assert "smaller split.valid" in caplog.text
    assert prepare(raw, tmp_path / "fitted") == 0
    caplog.clear()
    given = ["--quantizer.tokenizer", str(tmp_path / "fitted" / "4_semantic")]
    given = [given[0], given[1] + "/tokenizer.safetensors", "--split.by", "speaker"]
    assert prepare(raw, tmp_path / "given", *given) == 2
    assert "none would train" in caplog.text


def test_every_turn_is_encoded_once_whatever_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Windows of 0, 1, 2 and 4 turns over three speakers."""
    raw = tmp_path / "raw"
    for dialogue in "12":
        for turn in range(5):
            write_turn(raw / dialogue, turn, "abc"[turn % 3], dialogue, seed=turn)
    encoded: list[int] = []
    real = TurnEncoder.raw_many

    def counted(self: TurnEncoder, turns: Sequence[np.ndarray]) -> object:
        encoded.append(len(turns))
        return real(self, turns)

    monkeypatch.setattr(TurnEncoder, "raw_many", counted)
    for number, window in enumerate((0, 1, 2, 4)):
        assert prepare(raw, tmp_path / "out", "--sequences.history_turns", str(window)) == 0
        assert sum(encoded) == 10, number  # once, not once per window
        lines = [
            one
            for split in ("train", "valid")
            for one in read_jsonl(tmp_path / "out" / "5_sequences" / f"s2_{split}.jsonl")
        ]
        for line in lines:
            start = f"t/{line['dialogue'].rpartition('/')[2]}"
            expected = [f"{start}/{i}" for i in range(line["index"])][-window:] if window else []
            assert line["history"] == expected
            assert line["speaker"] == f"t/{'abc'[line['index'] % 3]}"
        assert len(lines) == 10


@pytest.mark.parametrize("gaps, kept", [("cut", [2, 2]), ("keep", [4]), ("drop", [2])])
def test_gaps_are_a_stated_policy(gaps, kept: list[int]):
    turns = [{"id": f"d/{n}", "dialogue": "d", "index": n} for n in (0, 1, 3, 4)]
    stretches, dropped = runs(turns, gaps)
    assert [len(stretch) for stretch in stretches] == kept
    assert len(dropped) == 4 - sum(kept)


def test_too_short_dialogues_are_dropped_by_rule(tmp_path: Path):
    raw = write_corpus(tmp_path / "raw")
    (raw / "1" / "1_1_d1.wav").unlink()
    options = ["--sequences.min_turns", "2"]
    assert prepare(raw, tmp_path / "out", *options) == 3
    counts = report(tmp_path / "out")
    assert (counts["in"], counts["kept"], counts["quarantined"], counts["dropped"]) == (
        12,
        10,
        1,
        1,
    )


def test_streams_are_joined_by_id_in_order():
    def ids(text: str) -> list[dict]:
        return [{"id": one} for one in text]

    rows = aligned(ids("01234"), ids("023"), ids("034"))
    assert [row[0]["id"] for row in rows] == ["0", "3"]


def test_a_sample_is_the_beginning_of_the_seeds_order():
    dialogues = [(f"d{n}", n, 1 + n % 3) for n in range(50)]
    sample = sample_dialogues(iter(dialogues), enough=12, seed=3)
    order = sorted(dialogues, key=lambda one: place(one[0], 3))
    expected, total = [], 0
    for name, _, weight in order:
        if total >= 12:
            break
        expected.append(name)
        total += weight
    assert list(sample) == expected


def test_a_small_corpus_gets_a_smaller_table_only_where_asked(tmp_path: Path):
    from prepare_datasets.command import read_config

    config = read_config([*TINY, "--quantizer.n_codes", "512"])
    assert sized(config, 100).quantizer.n_codes == 512
    config = read_config([*TINY, "--quantizer.n_codes", "512", "--quantizer.shrink", "true"])
    assert sized(config, 511).quantizer.n_codes == 128
    assert sized(config, 512).quantizer.n_codes == 512


def test_a_finished_step_is_asked_for_by_name(tmp_path: Path):
    from prepare_datasets.command import read_config
    from prepare_datasets.errors import PrepareError

    config = read_config([*TINY, "--output", str(tmp_path)])
    with pytest.raises(PrepareError, match="run --steps 4 first"):
        step4(config).records()
