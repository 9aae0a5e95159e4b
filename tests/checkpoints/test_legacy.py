"""Published files are read without running them; hostile and broken ones are refused by name."""

import io
import pickle
import resource
import struct
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path, PosixPath
from typing import Any

import pytest
import torch

from GPT_SoVITS.checkpoints.container import CheckpointError
from GPT_SoVITS.checkpoints.legacy import read_legacy
from GPT_SoVITS.checkpoints.zip_check import checked


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
    with pytest.raises(CheckpointError, match="bad.pth") as error:
        read_legacy(path)
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


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """The zip with its members changed, checksums right again."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as source:
        members = [(one.filename, source.read(one)) for one in source.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for name, data in members:
            target.writestr(name, change(name, data))
    return path


@pytest.mark.parametrize("header", [b"", b"05"])
def test_a_storage_longer_than_its_member_is_refused(tmp_path: Path, header: bytes) -> None:
    path = save(tmp_path / "bad.pth", {"weight": {"a": torch.zeros(1000)}})
    claim = [b"M" + struct.pack("<H", count) for count in (1000, 60000)]
    rewritten(path, lambda name, data: data.replace(*claim) if "data.pkl" in name else data)
    path.write_bytes(header + path.read_bytes()[len(header) :])
    with pytest.raises(CheckpointError, match="claims 240000 bytes and has 4000"):
        read_legacy(path)


@pytest.mark.parametrize("kind", [list, dict])
def test_a_small_file_that_unfolds_without_end_is_refused(tmp_path: Path, kind: type) -> None:
    value: Any = [0]
    for _ in range(12):
        value = [value] * 50 if kind is list else dict.fromkeys(range(50), value)
    path = save(tmp_path / "bad.pth", {"weight": {"a": torch.zeros(3)}, "config": value})
    assert path.stat().st_size < 5000
    with pytest.raises(CheckpointError, match="unfolds to more than"):
        read_legacy(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({(1, 2): 3}, "neither a text nor a number"),
        ({"a": 10**4000}, "LONG4 is refused"),
        ({"a": "\ud800"}, "not Unicode"),
        ({"a": {1, 2}, "b": bytearray(b"x")}, "refused"),
    ],
)
def test_values_no_checkpoint_has_are_refused(tmp_path: Path, content: Any, said: str) -> None:
    path = save(tmp_path / "bad.pth", {"weight": {"a": torch.zeros(3)}, "config": content})
    with pytest.raises(CheckpointError, match=said):
        read_legacy(path)


def test_what_holds_itself_is_refused(tmp_path: Path) -> None:
    config: dict[str, Any] = {}
    config["config"] = config
    with pytest.raises(CheckpointError, match="nested deeper"):
        read_legacy(save(tmp_path / "bad.pth", {"weight": {}, "config": config}))


def test_values_are_those_torch_reads(tmp_path: Path) -> None:
    """The machine of ours agrees with torch on everything training files hold."""
    network = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(network.parameters(), betas=(0.8, 0.99))
    network(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    content = {
        "model": network.state_dict(),  # an ordered dict with attributes
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "optimizer": optimiser.state_dict(),
        "numbers": [-1, 255, 256, 70000, -(2**40), 2**62, 0.5, True, None, (), (1,), "é漢"],
        "size": torch.Size([2, 3]),
        "turned": torch.arange(6.0).view(2, 3).t(),
    }
    path = save(tmp_path / "x.pth", content)
    with checked(path) as file:
        ours = file.content
        theirs = read_legacy(path).content
        assert list(ours) == list(theirs) and ours["numbers"][:9] == content["numbers"][:9]
        assert ours["size"] == (2, 3) and ours["numbers"][9:] == content["numbers"][9:]
        assert ours["optimizer"]["param_groups"] == content["optimizer"]["param_groups"]
        turned = ours["turned"]
        assert (turned.shape, turned.stride) == ((3, 2), (1, 3)) and not turned.contiguous
        weight = ours["model"]["weight"]
        assert file.storage(weight.storage.key) == network.weight.detach().numpy().tobytes()


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    path = save(tmp_path / "bad.ckpt", {"conv1.weight": torch.randn(5000)})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"), checked(path) as file:
        file.storage(file.content["conv1.weight"].storage.key)


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
