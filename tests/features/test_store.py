"""Feature shards: what comes back, what survives a kill, what a damaged folder says."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from GPT_SoVITS.features.store import FeatureStore, FeatureStoreError, FeatureWriter


def arrays(count: int, *, start: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(start)
    return {
        f"demo/{i}/0": rng.normal(size=(5 + i, 4)).astype(np.float32)
        for i in range(start, start + count)
    }


def fill(folder: Path, items: dict[str, np.ndarray], *, shard_mib: float = 1e-4) -> None:
    with FeatureWriter(folder, shard_mib=shard_mib) as writer:
        for name, array in items.items():
            writer.add(name, array)


def test_arrays_come_back_exactly_and_in_order(tmp_path: Path):
    items = arrays(6)
    fill(tmp_path, items)
    store = FeatureStore(tmp_path)
    assert list(store) == list(items) and len(list(tmp_path.glob("*.safetensors"))) > 1
    for name, array in items.items():
        np.testing.assert_array_equal(store[name], array)
        assert store.shape(name) == array.shape


def test_half_precision_stays_half(tmp_path: Path):
    fill(tmp_path, {"a": np.ones((3, 2), np.float16)})
    assert FeatureStore(tmp_path)["a"].dtype == np.float16


def test_a_later_run_continues_and_keeps_what_was_there(tmp_path: Path):
    first, second = arrays(3), arrays(3, start=3)
    fill(tmp_path, first)
    with FeatureWriter(tmp_path) as writer:
        assert all(name in writer for name in first)
        for name, array in second.items():
            writer.add(name, array)
    store = FeatureStore(tmp_path)
    for name, array in (first | second).items():
        np.testing.assert_array_equal(store[name], array)


def test_an_unfinished_shard_of_a_killed_run_is_overwritten(tmp_path: Path):
    fill(tmp_path, arrays(2))
    (tmp_path / "shard-00009.safetensors").write_bytes(b"half")
    (tmp_path / "index.jsonl.partial").write_text("{")
    fill(tmp_path, arrays(2, start=2))
    assert len(FeatureStore(tmp_path)) == 4


def test_an_id_is_stored_once(tmp_path: Path):
    with FeatureWriter(tmp_path) as writer:
        writer.add("a", np.zeros((1, 1), np.float32))
        with pytest.raises(FeatureStoreError, match="already stored"):
            writer.add("a", np.zeros((1, 1), np.float32))


def test_a_store_survives_pickling_after_use(tmp_path: Path):
    fill(tmp_path, arrays(2))
    store = FeatureStore(tmp_path)
    expected = store["demo/0/0"]
    again = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(again["demo/0/0"], expected)


def test_missing_things_say_what_to_do(tmp_path: Path):
    with pytest.raises(FeatureStoreError, match="run `python -m prepare_datasets` first"):
        FeatureStore(tmp_path / "nothing")
    fill(tmp_path, arrays(1))
    with pytest.raises(FeatureStoreError, match="no features of 'x'"):
        FeatureStore(tmp_path)["x"]


@pytest.mark.parametrize("line", ["{", "3", '{"id": "a"}', '{"shard": "../../etc/passwd"}'])
def test_a_damaged_index_names_its_line(tmp_path: Path, line: str):
    fill(tmp_path, arrays(1))
    with (tmp_path / "index.jsonl").open("a") as index:
        index.write(line + "\n")
    with pytest.raises(FeatureStoreError, match="index.jsonl:2"):
        FeatureStore(tmp_path)


def test_a_truncated_or_exchanged_shard_is_an_error_not_other_data(tmp_path: Path):
    fill(tmp_path, arrays(1))
    shard = tmp_path / "shard-00000.safetensors"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-4])
    with pytest.raises(FeatureStoreError, match="run the step again"):
        FeatureStore(tmp_path)["demo/0/0"]
    shard.write_bytes(whole)
    record = json.loads((tmp_path / "index.jsonl").read_text())
    record["shape"] = [1, 1]
    (tmp_path / "index.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(FeatureStoreError, match="the index says"):
        FeatureStore(tmp_path)["demo/0/0"]
