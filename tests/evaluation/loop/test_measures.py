"""An entry of MEASURES is all there is to a metric; what it measures is shown under its titles."""

from __future__ import annotations

import numpy as np
import pytest

from GPT_SoVITS.evaluation.loop import measures
from GPT_SoVITS.evaluation.loop.measures import MEASURES, Measure, Pair, titles
from GPT_SoVITS.evaluation.loop.report import against_table
from GPT_SoVITS.evaluation.metrics.speaker import timbre_statistics
from tests.tiny_talker import voice


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair(voice(180, 0.6), voice(200, 0.7, seed=1), 32_000, timbre_statistics)


def test_every_title_belongs_to_a_number_of_its_measure(pair: Pair):
    for measure in MEASURES:
        assert set(measure.titles) <= set(measure.of(pair))


def test_no_two_measures_share_a_name(pair: Pair):
    names = [name for measure in MEASURES for name in measure.of(pair)]
    assert len(names) == len(set(names))


def test_a_sound_is_nearest_to_itself(pair: Pair):
    same = Pair(pair.recording, pair.recording, pair.sample_rate, pair.embedding)
    found = {name: value for measure in MEASURES for name, value in measure.of(same).items()}
    assert found["mcd_db"] == found["log_f0_rmse"] == found["duration_error"] == 0
    assert found["speaker_similarity"] == pytest.approx(1)


def test_a_further_measure_has_a_row_in_the_table(monkeypatch: pytest.MonkeyPatch):
    def loudest(pair: Pair) -> dict[str, float]:
        return {"peak": float(np.abs(pair.sound).max())}

    monkeypatch.setattr(measures, "MEASURES", (*MEASURES, Measure(loudest, {"peak": "peak"})))
    assert list(titles())[-1] == "peak"
    interval = {"mean": 0.5, "low": 0.4, "high": 0.6, "n_items": 3}
    summary = {"systems": {"recorded": {}, "mine": {"against": {"peak": interval}}}}
    head, rows = against_table(summary)
    assert head == ["metric", "mine"] and rows == [["peak", "0.500 [0.400, 0.600] (n 3)"]]
