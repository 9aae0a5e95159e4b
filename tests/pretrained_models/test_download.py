"""The download against a stand-in hub on this machine: resumed, checked, imported, refused."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest
import torch

from GPT_SoVITS.checkpoints import load_s1, load_s2, save_model
from GPT_SoVITS.checkpoints.export import export_file
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS

pytest.importorskip("huggingface_hub")
REPOSITORY = Path(__file__).resolve().parents[2]
S1 = S1Config(hidden_dim=16, n_head=2, n_layer=1)
S2 = S2Config(
    inter_channels=16,
    hidden_channels=16,
    filter_channels=16,
    n_layers=2,
    mrte_channels=16,
    gin_channels=16,
    posterior_layers=1,
    flow_layers=1,
    upsample_initial_channel=32,
)


@dataclass
class Hub:
    """Files by name; requests seen; where to cut the next answer (bytes), or nowhere."""

    files: dict[str, bytes]
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    cut: int | None = None
    lie: bool = False
    url: str = ""


@pytest.fixture()
def download(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = REPOSITORY / "pretrained_models" / "download.py"
    spec = importlib.util.spec_from_file_location("pretrained_download", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Tiny base files under their published names."""
    folder = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    files = {}
    for kind, model, config, name in (
        ("s1", SemanticGPT(S1), S1, "s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt"),
        ("s2", ConversationalVITS(S2), S2, "s2G2333k.pth"),
    ):
        own = save_model(folder / f"{kind}.own", model, kind=kind, config=config)
        data = export_file(own, folder / f"{kind}.published").read_bytes()
        files[f"gsv-v2final-pretrained/{name}"] = data
    return files


@pytest.fixture()
def hub(published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    state = Hub(dict(published))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            """Quiet."""

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            name = self.path.split("?")[0].split("/resolve/")[-1].split("/", 1)[-1]
            name = name.replace("%3D", "=")
            state.seen.append((self.command, name, self.headers.get("Range", "")))
            data = state.files.get(name)
            if data is None:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            if body and (asked := self.headers.get("Range")):
                start = int(asked.removeprefix("bytes=").split("-")[0])
            etag = hashlib.sha256(b"other" if state.lie else data).hexdigest()
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Linked-Etag", f'"{etag}"')
            self.send_header("X-Linked-Size", str(len(data)))
            self.send_header("X-Repo-Commit", "a" * 40)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(data) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if body:
                rest = data[start:]
                if state.cut is not None:
                    rest, state.cut = rest[: state.cut], None
                    self.close_connection = True
                self.wfile.write(rest)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", state.url)
    yield state
    server.shutdown()
    server.server_close()


def fetched(hub: Hub, name: str) -> list[str]:
    return [range_ for command, file, range_ in hub.seen if command == "GET" and name in file]


def test_a_version_is_fetched_checked_and_imported(
    download: ModuleType, hub: Hub, tmp_path: Path
) -> None:
    """As the guide calls it, by the file's path and from any folder; then again, all there."""
    out = tmp_path / "v2"
    command = [sys.executable, str(REPOSITORY / "pretrained_models" / "download.py"), "v2"]
    command += ["--any-weights", "--output", "v2"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    s1, _ = load_s1(out / "s1.safetensors")
    s2, header = load_s2(out / "s2.safetensors")
    assert s1.config.hidden_dim == 16 and s2.config.version == "v2"
    assert "sha256" in header.source
    before = len(hub.seen)
    assert download.main(["v2", "--any-weights", "--output", str(out)]) == 0
    assert not [
        1 for command, name, _ in hub.seen[before:] if command == "GET" and name in hub.files
    ]


def test_an_interrupted_download_goes_on_where_it_stopped(
    download: ModuleType, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)  # kept by chunks
    hub.cut = 5000
    out = tmp_path / "v2"
    for _ in range(3):  # the client may try again by itself
        if download.main(["v2", "--any-weights", "--output", str(out)]) == 0:
            break
    assert (out / "s1.safetensors").is_file()
    assert "bytes=5000-" in fetched(hub, "s1bert25hz")


def test_another_content_than_the_hub_states_is_refused(
    download: ModuleType, hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub.lie = True
    assert download.main(["v2", "--any-weights", "--output", str(tmp_path / "v2")]) == 2
    assert "SHA-256" in caplog.text and "s1bert25hz" in caplog.text
    assert not list((tmp_path / "v2").glob("*.safetensors"))
    assert not list((tmp_path / "v2").rglob("*.ckpt"))


def test_a_synthesiser_that_begins_otherwise_is_refused(
    download: ModuleType, hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert download.main(["v2", "--output", str(tmp_path / "v2")]) == 2
    assert "begins otherwise" in caplog.text
    assert not list((tmp_path / "v2").glob("*.safetensors"))


def test_a_file_the_hub_does_not_have_is_named(
    download: ModuleType, hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert download.main(["v1", "--output", str(tmp_path / "v1")]) == 2
    assert "s1bert25hz-2kh" in caplog.text
