"""The source distribution is the checkout, every file of it, and installs from nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.test_wheel import run

BUILD = "from setuptools import build_meta; print(build_meta.build_sdist('dist'))"


def tracked() -> list[str]:
    """The files git has, as far as they are there; what lies beside them is nobody's."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive built from a copy of the tracked files, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    for name in tracked():
        (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, folder / "checkout" / name)
    command = [sys.executable, "-c", BUILD]
    made = subprocess.run(command, cwd=folder / "checkout", capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-2000:]
    (archive,) = (folder / "checkout" / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    (inside,) = folder.glob("gpt_sovits_dialogue-*")
    return inside


def test_every_file_of_the_checkout_is_in_the_archive(unpacked: Path):
    missing = [name for name in tracked() if not (unpacked / name).is_file()]
    assert len(tracked()) > 100 and not missing, "\n".join(missing)


def test_what_is_installed_from_the_archive_speaks_in_an_empty_folder(
    unpacked: Path, tmp_path: Path
):
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--target", str(site), str(unpacked)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    shutil.rmtree(unpacked)  # nothing may be read from there
    assert "phonemes" in run(site, "-m", "GPT_SoVITS", "--help").stdout
    spoken = run(site, "-m", "GPT_SoVITS", "phonemes", "Hello 你好")
    assert spoken.returncode == 0 and "n i2 h ao3" in spoken.stdout, spoken.stderr
