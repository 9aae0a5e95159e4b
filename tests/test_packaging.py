"""pyproject.toml, requirements.txt, Makefile, README and .ci/run say the same things."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

OURS = ("GPT_SoVITS", "prepare_datasets")


def plain(name: str) -> str:
    """A package name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    """The exact versions of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line.split("#")[0].strip() for line in lines]
    pairs = [line.split("==") for line in wanted if line]
    return {plain(name): pin for name, pin in pairs}


def test_requirements_pin_everything_exactly_and_nothing_else():
    project = PYPROJECT["project"]
    stated = project["dependencies"] + project["optional-dependencies"]["dev"]
    requirements = {plain(Requirement(line).name): Requirement(line) for line in stated}
    assert set(pins()) == set(requirements)
    for name, pin in pins().items():
        assert requirements[name].specifier.contains(pin, prereleases=True), name


def test_the_environment_holds_the_pinned_versions():
    for name, pin in pins().items():
        assert version(name).split("+")[0] == pin, name


def test_torch_is_the_first_requirement():
    assert next(iter(pins())) == "torch"


def test_no_registry_is_named():
    for name in ("Makefile", "requirements.txt", "pyproject.toml", ".ci/run"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "index-url" not in text and "find-links" not in text, name


def test_the_type_checker_is_strict_and_forgives_no_file_of_ours():
    mypy = PYPROJECT["tool"]["mypy"]
    assert mypy["strict"] and "ignore-without-code" in mypy["enable_error_code"]
    assert not {"ignore_errors", "ignore_missing_imports", "disable_error_code", "exclude"} & set(
        mypy
    )
    for override in mypy["overrides"]:
        assert set(override) == {"module", "ignore_missing_imports"}
        assert not [one for one in override["module"] if one.split(".")[0] in ("*", *OURS)]
    assert {"GPT_SoVITS", "prepare_datasets"} <= set(mypy["files"])
    for path in [path for name in OURS for path in (ROOT / name).rglob("*.py")]:
        assert not re.search(
            r"^# *(type: *ignore|mypy:)", path.read_text(encoding="utf-8"), re.M
        ), path


def test_readme_and_ci_use_the_same_two_commands():
    for name in ("README.md", "README_zh.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert re.search(r"^make demo\b", text, flags=re.M), name
        assert re.search(r"^make test\b", text, flags=re.M), name
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "make test" in ci and "make demo SIZE=tiny" in ci


def test_notices_name_every_source_met():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for source, licence in {
        "GPT-SoVITS": "MIT",
        "vits": "MIT",
        "vall-e": "Apache-2.0",
        "icefall": "Apache-2.0",
        "encodec": "MIT",
        "vector-quantize-pytorch": "MIT",
        "3D-Speaker": "Apache-2.0",
        "torchaudio": "BSD",
        "PaddleSpeech": "Apache-2.0",
        "GPT-Talker": "no licence text",
        "NCSSD": "no licence text",
        "py-gpt-tts-server": "no licence text",
    }.items():
        after = notice[notice.lower().index(source.lower()) :]
        assert licence in after[: 1 + after.index("    ")], source
    names = {path.name for path in ROOT.iterdir()}
    assert {"LICENSE", "NOTICE", "CITATION.cff", "SECURITY.md", "CONTRIBUTING.md"} <= names
    assert str(PYPROJECT["project"]["version"]) in (ROOT / "CITATION.cff").read_text("utf-8")


def test_no_link_is_tracked_so_that_an_environment_never_is():
    command = ["git", "ls-files", "--stage"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    links = [line for line in listed.splitlines() if line.startswith("120000")]
    assert not links, f"links are not the same on another machine: {links}"
