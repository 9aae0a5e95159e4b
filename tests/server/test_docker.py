"""The Docker files pass a linter and agree with the program; nothing is built here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from GPT_SoVITS.server.command import read_config
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "configs" / "docker"
FILES = sorted(FOLDER.glob("Dockerfile.c*[au]"))
COMPOSE = yaml.safe_load((FOLDER / "compose.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_linter_has_nothing_to_say(file: Path):
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", file], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout, done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_is_copied_exists_and_is_not_ignored(file: Path):
    ignored = file.with_name(file.name + ".dockerignore").read_text(encoding="utf-8").split()
    copied = re.findall(r"^COPY (.+)$", file.read_text(encoding="utf-8"), flags=re.M)
    for name in [name for line in copied for name in line.split()[:-1]]:
        assert (REPOSITORY / name).exists() and f"!{name}" in ignored, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_image_starts_a_guarded_server(file: Path):
    text = file.read_text(encoding="utf-8")
    environment = dict(
        re.findall(r"(GPT_SOVITS_\w+)=(\S+)", text.split("WORKDIR")[0].split("ENV")[1])
    )
    words = re.findall(r'"([^"]+)"', text.rsplit("\nCMD ", 1)[1])
    assert words[:4] == ["python", "-m", "GPT_SoVITS", "serve"]
    with pytest.raises(ValueError, match="token"):  # all addresses, but no token yet
        read_config(words[4:], environment)
    config = read_config(words[4:], environment | {"GPT_SOVITS_TOKEN": "long enough"})
    assert f"EXPOSE {config.chosen_port}\n" in text and config.host == "0.0.0.0"
    assert f"http://127.0.0.1:{config.chosen_port}/healthz" in text
    assert "USER 10001" in text and "STOPSIGNAL SIGTERM" in text


def test_compose_builds_our_file_and_stops_later_than_the_server():
    voice = COMPOSE["services"]["voice"]
    context = (FOLDER / voice["build"]["context"]).resolve()
    assert (context / voice["build"]["dockerfile"]).is_file()
    config = read_config([], {"GPT_SOVITS_TOKEN": "long enough"})
    assert int(voice["stop_grace_period"].rstrip("s")) > config.limits.drain_seconds
    assert all(port.startswith("127.0.0.1:") for one in COMPOSE["services"].values()
               for port in one["ports"])  # fmt: skip


def test_prometheus_reads_our_metrics_with_the_token():
    job = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert job[0]["metrics_path"] == "/metrics"
    host, port = job[0]["static_configs"][0]["targets"][0].split(":")
    assert host in COMPOSE["services"] and int(port) == read_config([], {}).chosen_port
    (secret,) = COMPOSE["services"]["prometheus"]["secrets"]
    assert job[0]["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    assert COMPOSE["secrets"][secret] == {"environment": "GPT_SOVITS_TOKEN"}
