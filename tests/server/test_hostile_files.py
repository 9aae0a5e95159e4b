"""Hostile model files and archives (bad inputs S2 to S4): neither run nor unfolded by a server."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from GPT_SoVITS.checkpoints.container import read_safetensors, write_safetensors
from GPT_SoVITS.inference.talker import Talker
from tests.checkpoints.test_container import entry, raw_file
from tests.checkpoints.test_legacy import Attack, deflated, save
from tests.conftest import REPOSITORY
from tests.server.conftest import TEXT, Live, Start
from tests.server.test_character_list import write_pack

CALL = "__import__('os').system('touch marker')"


def object_array(path: Path, marker: Path) -> None:
    one = np.empty(1, dtype=object)
    one[0] = Attack(marker)
    with path.open("wb") as file:
        np.save(file, one, allow_pickle=True)


def giant(path: Path, _: Path) -> None:
    """The tiny network's tensors under a config that asks for terabytes."""
    if not path.is_file() or path.suffix == ".wav":
        raw_file(path, {"a": entry([2**34], 0, 8)}, b"x" * 8)
        return
    tensors, header = read_safetensors(path)
    config = header["config"] | {"n_layer": 4000, "hidden_dim": 2**16}
    write_safetensors(path, tensors, header=header | {"config": config})


KINDS: dict[str, Callable[[Path, Path], Any]] = {
    "zip": lambda path, marker: save(path, {"config": Attack(marker)}),
    "05": lambda path, marker: save(path, {"config": Attack(marker)}, b"05"),
    "06": lambda path, marker: save(path, {"config": Attack(marker)}, b"06"),
    "nested": lambda path, marker: save(path, {"config": {"model": [Attack(marker)]}}),
    "bare": lambda path, marker: path.write_bytes(pickle.dumps(Attack(marker))),
    "npy": object_array,
    "sparse": lambda path, _: save(path, {"weight": torch.eye(3).to_sparse_csr()}),
    "bomb": lambda path, _: deflated(path),
    "lying": lambda path, _: raw_file(path, {"a": entry([2**34], 0, 8)}, b"x" * 8),
    "giant": giant,
}
SERVE = """
import json, resource, sys
import GPT_SoVITS.inference.talker, GPT_SoVITS.server.app, GPT_SoVITS.server.run
from GPT_SoVITS.server.command import main
for folder in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = main(["--model", folder, "--port", "1"])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps([code, grown]))
"""


def test_no_server_starts_with_a_hostile_model(talker_folder: Path, tmp_path: Path):
    marker, folders = tmp_path / "marker", {}
    for kind, write in KINDS.items():
        for part in ("s1", "s2", "tokenizer")[: 3 if kind in ("zip", "bare", "bomb") else 1]:
            folder = tmp_path / f"{kind}-{part}"
            shutil.copytree(talker_folder, folder)
            write(folder / f"{part}.safetensors", marker)
            folders[folder] = f"{part}.safetensors"
    for name in ("talker.json", "speakers.json"):
        folders[tmp_path / name] = name
        shutil.copytree(talker_folder, tmp_path / name)
        (tmp_path / name / name).write_text(CALL, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-c", SERVE, *folders],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    said = [json.loads(line) for line in run.stderr.splitlines() if line.startswith("{")]
    reasons = [one["reason"] for one in said if one["event"] == "cannot_start"]
    ended = [json.loads(line) for line in run.stdout.splitlines()]
    for (folder, file), reason, (code, grown) in zip(folders.items(), reasons, ended, strict=True):
        assert code == 2 and grown < 50 * 1024, (folder.name, code, grown)
        assert file in reason, (folder.name, reason)
    assert not marker.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_no_recording_is_read_as_anything_else(live: Live, tmp_path: Path, kind: str):
    marker = tmp_path / "marker"
    KINDS[kind](tmp_path / "file", marker)
    data = (tmp_path / "file").read_bytes()
    coded, before = base64.b64encode(data).decode(), psutil.Process().memory_info().rss
    dialogue = live.http.post("/v1/dialogues", json={}).json()["id"]
    turn = {"speaker": "user", "text": "Hi.", "audio": coded}
    for name in ("voice.wav", "voice.npy", "voice.pth"):
        file = {"audio": (name, data)}
        answer = live.http.post("/v1/voices", files=file, data={"consent": "true"})
        assert answer.status_code == 422 and answer.json()["error"]["param"] == "audio"
    for path, body in (
        (f"/v1/dialogues/{dialogue}/turns", turn),
        ("/v1/dialogues", {"state": {"turns": [turn]}}),
    ):
        assert live.http.post(path, json=body).status_code == 422
    assert psutil.Process().memory_info().rss - before < 50e6
    assert not marker.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_adapter_or_clip_costs_its_own_voice_only(
    start: Start, talker_folder: Path, tmp_path: Path, kind: str
):
    marker, folder, voices = tmp_path / "marker", tmp_path / "talker", tmp_path / "voices"
    shutil.copytree(talker_folder, folder)
    (folder / "adapters" / "evil").mkdir(parents=True)
    KINDS[kind](folder / "adapters" / "evil" / "s1.safetensors", marker)
    write_pack(voices, "adapted", model="evil")
    KINDS[kind](write_pack(voices, "clip") / "neutral.wav", marker)
    talker = Talker.load(folder, device="cpu", precision="fp32")
    with start(model=talker, voices=str(voices)) as live:
        known = [one["id"] for one in live.http.get("/v1/voices").json()["data"]]
        assert "adapted" in known and "clip" not in known
        for _ in range(2):
            answer = live.http.post("/v1/audio/speech", json={"input": TEXT, "voice": "adapted"})
            assert answer.status_code == 500 and answer.json()["error"]["code"] == "internal_error"
        assert live.samples()
    assert not marker.exists()


def test_no_text_is_evaluated(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Upstream evaluates the lines of its lists (S3); here names, texts and states are data."""
    monkeypatch.chdir(tmp_path)
    turn = {"speaker": CALL, "text": CALL, "codes": [1, 2]}
    for body in ({"state": {"turns": [turn]}}, {"agent": CALL}):
        assert live.http.post("/v1/dialogues", json=body).status_code == 201
    for state in ({"turns": CALL}, {"turns": [turn | {"codes": CALL}]}, CALL):
        assert live.http.post("/v1/dialogues", json={"state": state}).status_code == 422
    body = {"input": CALL, "response_format": "wav"}
    assert live.http.post("/v1/audio/speech", json=body).status_code == 200
    assert not list(tmp_path.iterdir())


def test_a_compressed_body_is_not_unfolded(live: Live):
    data = gzip.compress(json.dumps({"input": "a" * 50_000_000}).encode())
    head = {"content-type": "application/json", "content-encoding": "gzip"}
    before = psutil.Process().memory_info().rss
    answer = live.http.post("/v1/audio/speech", content=data, headers=head)
    assert 400 <= answer.status_code < 500
    assert psutil.Process().memory_info().rss - before < 50e6


def test_a_compressed_message_is_unfolded_to_its_limit_only(live: Live):
    number = live.http.post("/v1/dialogues", json={}).json()["id"]
    packer, packed = zlib.compressobj(9, zlib.DEFLATED, -15), io.BytesIO()
    for _ in range(300):
        packed.write(packer.compress(bytes(2**20)))
    packed.write(packer.flush(zlib.Z_SYNC_FLUSH)[:-4])
    data, before = packed.getvalue(), psutil.Process().memory_info().rss
    assert len(data) < 400_000
    address = f"{live.url.replace('http', 'ws')}/v1/dialogues/{number}/ws"
    with connect(address, compression="deflate") as client:
        whole_compressed_binary, masked_length_of_8_bytes = 0xC2, 0xFF
        head = struct.pack(">BBQI", whole_compressed_binary, masked_length_of_8_bytes, len(data), 0)
        client.socket.sendall(head + data)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=60)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
    assert psutil.Process().memory_info().rss - before < 50e6
    assert live.http.get(f"/v1/dialogues/{number}").status_code == 200
