"""A safetensors file with our header: whole or absent, and refused before anything is allocated."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from GPT_SoVITS.checkpoints.container import (
    CheckpointError,
    inspect_safetensors,
    read_safetensors,
    write_safetensors,
)


def raw_file(path: Path, table: dict[str, Any], data: bytes = b"") -> Path:
    text = json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(shape: list[Any], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_what_was_written_is_read_back_exactly(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4), "b.half": torch.randn(5).half(), "n": torch.arange(4)}
    header = {"kind": "s1", "note": "说话", "list": [1, 2.5, None]}
    path = write_safetensors(tmp_path / "deep" / "x.safetensors", tensors, header=header)
    back, found = read_safetensors(path)
    assert found == header
    assert set(back) == set(tensors)
    assert all(torch.equal(back[k], v) and back[k].dtype == v.dtype for k, v in tensors.items())


def test_a_failed_write_leaves_the_old_file_and_no_scraps(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", {"a": torch.ones(2)}, header={"v": 1})
    with pytest.raises((ValueError, TypeError)):
        write_safetensors(path, {"a": torch.zeros(2)}, header={"v": float("nan")})
    assert read_safetensors(path)[1] == {"v": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_shared_tensors_are_written_apart(tmp_path: Path) -> None:
    one = torch.randn(4)
    path = write_safetensors(tmp_path / "x.safetensors", {"a": one, "b": one[:2]}, header={})
    assert torch.equal(read_safetensors(path)[0]["b"], one[:2])


@pytest.mark.parametrize(
    ("table", "data", "said"),
    [
        ({"a": entry([2**40], 0, 8)}, b"x" * 8, "does not fit"),
        ({"a": entry([2], 0, 8)}, b"x" * 4, "truncated"),
        ({"a": entry([2], 0, 8)}, b"x" * 12, "header promises"),
        ({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, b"x" * 12, "overlap"),
        ({"a": entry([-1], 0, 8)}, b"x" * 8, "shape"),
        ({"a": entry([True], 0, 4)}, b"x" * 4, "shape"),
        ({"a": entry([2], 0, 8, "F7")}, b"x" * 8, "dtype"),
        ({"a": {"dtype": "F32"}}, b"", "malformed"),
        ({"__metadata__": {"talker": "{"}}, b"", "our header is not JSON"),
    ],
)
def test_a_table_that_lies_is_refused(
    tmp_path: Path, table: dict[str, Any], data: bytes, said: str
) -> None:
    path = raw_file(tmp_path / "bad.safetensors", table, data)
    with pytest.raises(CheckpointError, match=said) as error:
        inspect_safetensors(path)
    assert "bad.safetensors" in str(error.value)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", struct.pack("<Q", 2**62) + b"{}", struct.pack("<Q", 4) + b"nope"]
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="bad.safetensors"):
        inspect_safetensors(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        inspect_safetensors(tmp_path / "none.safetensors")
