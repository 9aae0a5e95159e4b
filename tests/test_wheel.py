"""The wheel holds all of both packages and runs from elsewhere, without this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGES = ("GPT_SoVITS", "prepare_datasets")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `site-packages` has it: the wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(REPOSITORY)]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder of its own, where only the wheel can be imported."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *command],
        cwd=installed.parent,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_every_file_of_both_packages_is_in_the_wheel(installed: Path):
    for name in PACKAGES:
        files = [p for p in (REPOSITORY / name).rglob("*") if p.is_file()]
        wanted = {str(p.relative_to(REPOSITORY)) for p in files if "__pycache__" not in p.parts}
        missing = sorted(one for one in wanted if not (installed / one).is_file())
        assert wanted and not missing, "\n".join(missing)


def test_commands_of_the_wheel_run_from_any_folder(installed: Path):
    where = run(installed, "-c", "import GPT_SoVITS; print(GPT_SoVITS.__file__)")
    assert where.stdout.startswith(str(installed)), where.stdout + where.stderr
    spoken = run(installed, "-m", "GPT_SoVITS", "phonemes", "Hello, 世界!")
    assert spoken.returncode == 0 and "HH AH0 L OW1" in spoken.stdout, spoken.stderr
    doctor = run(installed, "-m", "GPT_SoVITS", "doctor")
    assert doctor.returncode in (0, 1) and "torch" in doctor.stdout, doctor.stderr
    assert run(installed, "-m", "prepare_datasets", "--help").returncode == 0


def test_the_console_script_is_the_package_s_command(installed: Path):
    (points,) = installed.glob("*.dist-info/entry_points.txt")
    _, _, line = points.read_text(encoding="utf-8").strip().partition("[console_scripts]\n")
    name, _, target = line.partition(" = ")
    module, function = target.split(":")
    code = f"import sys; from {module} import {function}; sys.exit({function}(['--help']))"
    said = run(installed, "-c", code)
    assert name == "gpt-sovits-dialogue" and said.returncode == 0 and "doctor" in said.stdout
