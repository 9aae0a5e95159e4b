"""Published files are read without running them; hostile and broken ones are refused by name."""

import io
import pickle
import resource
import sys
import time
import types
import zipfile
from pathlib import Path, PosixPath
from typing import Any

import pytest
import torch

from GPT_SoVITS.checkpoints.container import CheckpointError
from GPT_SoVITS.checkpoints.legacy import read_legacy


class Attack:
    """Were its pickle executed, it would write a marker file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (open, (str(self.marker), "w"))


def save(path: Path, content: Any, header: bytes = b"") -> Path:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    path.write_bytes(header + data[len(header) :])
    return path


def deflated(path: Path) -> Path:
    bomb = io.BytesIO()
    torch.save({"weight": {"x": torch.zeros(25_000_000)}}, bomb)
    with (
        zipfile.ZipFile(bomb) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for item in source.infolist():
            target.writestr(item.filename, source.read(item.filename))
    return path


@pytest.mark.parametrize("header", [b"", b"05", b"06"])
def test_the_two_byte_header_is_put_right_in_memory(tmp_path: Path, header: bytes) -> None:
    content = {"weight": {"a": torch.randn(1000, 3).half()}, "info": "GPT-e15"}
    path = save(tmp_path / "x.pth", content, header)
    before = path.read_bytes()
    found = read_legacy(path)
    assert found.header == header.decode()
    assert torch.equal(found.content["weight"]["a"], content["weight"]["a"])  # type: ignore[index]
    assert path.read_bytes() == before


def test_the_pickled_config_class_becomes_a_plain_dict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("utils")
    kind = type("HParams", (), {"__module__": "utils", "__qualname__": "HParams"})
    module.HParams = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "utils", module)
    inner, outer = kind(), kind()
    inner.version = "v2"  # type: ignore[attr-defined]
    outer.model, outer.rates = inner, (10, 8)  # type: ignore[attr-defined]
    path = save(tmp_path / "x.pth", {"config": outer, "folder": PosixPath("/home/a/logs")})
    monkeypatch.delitem(sys.modules, "utils")
    found = read_legacy(path).content
    assert found["config"] == {"model": {"version": "v2"}, "rates": [10, 8]}
    assert type(found["folder"]) is str and found["folder"].endswith("home/a/logs")
    assert "utils" not in sys.modules


@pytest.mark.parametrize("where", ["config", "nested", "header", "bare"])
def test_an_attack_is_refused_and_named(tmp_path: Path, where: str) -> None:
    marker = tmp_path / "PWNED"
    path = tmp_path / "bad.pth"
    attack = Attack(marker)
    if where == "bare":
        path.write_bytes(pickle.dumps(attack))
    else:
        content = {"weight": {}, "config": {"model": attack} if where == "nested" else attack}
        save(path, content, b"05" if where == "header" else b"")
    started = time.perf_counter()
    with pytest.raises(CheckpointError, match="bad.pth") as error:
        read_legacy(path)
    assert time.perf_counter() - started < 1.0
    assert not marker.exists()
    assert "open" in str(error.value) or where == "bare"


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = deflated(tmp_path / "bad.pth")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="compressed"):
        read_legacy(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024  # KiB


def test_a_view_larger_than_its_storage_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "bad.pth", {"weight": {"a": torch.zeros(1).expand(10**9)}})
    with pytest.raises(CheckpointError, match="exceeds its storage"):
        read_legacy(path)


def test_sparse_tensors_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "bad.pth", {"weight": {"a": torch.eye(3).to_sparse_csr()}})
    with pytest.raises(CheckpointError, match="refused"):
        read_legacy(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "empty"), (b"<html>404</html>", "web page"), (b"PK\x03\x04" + b"x" * 99, "damaged")],
)
def test_broken_files_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "bad.ckpt"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=said):
        read_legacy(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "bad.ckpt", {"weight": {"a": torch.randn(1000)}})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="damaged or incomplete"):
        read_legacy(path)
