"""Long recordings are cut where the published slicer cuts them; files, levels and ledger."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from prepare_datasets.slice_recordings import main
from prepare_datasets.slicing import SliceConfig, slices

RATE = 16000
GOLDEN = Path(__file__).with_name("golden_slices.json")


def recording(seed: int) -> np.ndarray:
    """(T,) tones of 0.2 to 4 s between noises of 0.02 to 2.5 s, from -80 to -40 dB; 12 of each."""
    rng = np.random.default_rng(1000 + seed)
    pieces = []
    for _ in range(12):
        hiss = rng.standard_normal(int(RATE * rng.uniform(0.02, 2.5)))
        pieces.append(hiss * 10 ** (rng.uniform(-80, -40) / 20))
        time = np.arange(int(RATE * rng.uniform(0.2, 4))) / RATE
        pieces.append(0.3 * np.sin(2 * np.pi * rng.uniform(100, 400) * time))
    if seed % 2:
        pieces.append(1e-4 * rng.standard_normal(int(RATE * rng.uniform(0.1, 2))))
    return np.concatenate(pieces).astype(np.float32)


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text("utf-8")), ids=lambda c: c["seed"])
def test_cuts_are_those_of_the_published_slicer(case: dict):
    """Golden cuts: the published procedure, frame by frame with librosa's RMS, on these signals."""
    found = slices(recording(case["seed"]), RATE, SliceConfig(**case["config"]))
    assert [list(one) for one in found] == case["slices"]


def test_short_silent_and_empty_recordings():
    config = SliceConfig()
    loud = 0.3 * np.sin(np.arange(RATE // 2) * 0.1).astype(np.float32)
    assert slices(loud, RATE, config) == [(0, len(loud))]
    assert slices(np.zeros(5 * RATE, np.float32), RATE, config) == []
    assert slices(np.zeros(0, np.float32), RATE, config) == []
    ((begin, end),) = slices(np.pad(loud, 2 * RATE), RATE, config)  # the ends go all the same
    assert 2 * RATE - begin <= 0.51 * RATE and end - (2 * RATE + len(loud)) <= 0.51 * RATE


@pytest.mark.parametrize("wrong", [{"hop_ms": 0}, {"min_length_ms": 100}, {"hop_ms": 600}])
def test_a_rule_that_cannot_be_followed_is_refused(wrong: dict):
    with pytest.raises(ValueError, match="slices"):
        SliceConfig(**wrong)


def sliced(folder: Path, *more: str) -> int:
    places = ["--raw", str(folder / "long"), "--output", str(folder / "short")]
    with pytest.raises(SystemExit) as end:
        main([*places, "--slices.min_length_ms", "1000", *more])
    return int(end.value.code or 0)


def pieces(folder: Path) -> dict[str, bytes]:
    found = (folder / "short").rglob("*.wav")
    return {path.relative_to(folder / "short").as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings, one of them in a folder, a silent and a broken one."""
    (tmp_path / "long" / "a b").mkdir(parents=True)
    for name, seed in (("one.wav", 0), ("a b/two.flac", 1)):
        soundfile.write(tmp_path / "long" / name, recording(seed), RATE)
    soundfile.write(tmp_path / "long" / "quiet.wav", np.zeros(RATE), RATE)
    (tmp_path / "long" / "page.wav").write_text("<html>")
    return tmp_path


def test_pieces_are_files_named_after_their_samples(corpus: Path):
    assert sliced(corpus) == 3
    ledger = (corpus / "short" / "ledger.jsonl").read_text("utf-8").splitlines()
    codes = {line["path"]: line["code"] for line in map(json.loads, ledger)}
    assert codes == {"quiet.wav": "silent", "page.wav": "unreadable_audio"}
    made = pieces(corpus)
    assert len(made) > 10 and {name.split("_")[0] for name in made} == {"one.wav", "a b/two.flac"}
    for name in made:
        begin, end = name.removesuffix(".wav").split("_")[-2:]
        samples, rate = soundfile.read(corpus / "short" / name)
        assert rate == 32000 and len(samples) == int(end) - int(begin)


def test_a_second_run_cuts_only_what_changed(corpus: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="prepare_datasets")
    sliced(corpus)
    before = pieces(corpus)
    sliced(corpus)
    assert "0 recordings cut now" in caplog.messages[-1] and pieces(corpus) == before
    next((corpus / "short").rglob("one*.wav")).unlink()
    (corpus / "long" / "a b" / "two.flac").unlink()
    assert sliced(corpus) == 3
    assert "1 recordings cut now" in caplog.messages[-1]
    assert pieces(corpus) == {name: data for name, data in before.items() if "two" not in name}


def test_a_killed_run_goes_on_where_it_was(corpus: Path, monkeypatch: pytest.MonkeyPatch):
    from prepare_datasets import slice_recordings

    sliced(corpus)
    whole = pieces(corpus)
    for path in (corpus / "short").rglob("*.*"):
        if path.is_file():
            path.unlink()
    real, seen = slice_recordings.extract, []

    def killed(path: Path, **options: int) -> np.ndarray:
        seen.append(path.name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(path, **options)

    monkeypatch.setattr(slice_recordings, "extract", killed)
    assert sliced(corpus) == 4
    done = seen[:2]
    assert sliced(corpus) == 3
    assert not set(done) & set(seen[3:])
    assert pieces(corpus) == whole


def test_levels_are_mixed_as_the_published_tool_does(corpus: Path):
    sliced(corpus, "--level", "0.25")
    name = next(iter(pieces(corpus)))
    mixed, _ = soundfile.read(corpus / "short" / name)
    sliced(corpus)
    plain, _ = soundfile.read(corpus / "short" / name)
    expected = plain / np.abs(plain).max() * 0.9 * 0.25 + 0.75 * plain
    assert np.abs(mixed - expected).max() < 1e-4


def test_pieces_never_lie_among_the_recordings(corpus: Path):
    with pytest.raises(SystemExit) as end:
        main(["--raw", str(corpus / "long"), "--output", str(corpus / "long" / "short")])
    assert end.value.code == 2
