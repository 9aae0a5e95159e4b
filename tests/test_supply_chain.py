"""S19: what is installed is what was locked; the components, their weaknesses, no foreign code."""

from __future__ import annotations

import ast
import json
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply_chain.audit import hit, main
from supply_chain.pins import FOLDER, LOCKS, ROOTS, Pin, read
from supply_chain.sbom import FILE, components
from tests.conftest import REPOSITORY
from tests.test_packaging import pins as required

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ALL, SERVE, CUDA = (read(FOLDER / name) for name in LOCKS)
DOCKERFILES = sorted((REPOSITORY / "configs" / "docker").glob("Dockerfile.c*[au]"))
PARAMETER = "trust_" + "remote_code"


def test_every_requirement_is_locked_at_its_pin():
    locked = {pin.name: pin.version for pin in ALL if "requirements.txt" in pin.via}
    assert locked == {canonicalize_name(name): version for name, version in required().items()}


def test_the_servers_lock_is_what_pyproject_states_and_a_part_of_the_whole():
    stated = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["serve"]
    roots = {pin.name: pin.version for pin in SERVE if "pyproject.toml" in pin.via}
    wanted = {canonicalize_name(Requirement(line).name): Requirement(line) for line in stated}
    assert set(roots) == set(wanted)
    assert all(wanted[name].specifier.contains(roots[name], prereleases=True) for name in roots)
    whole = {(pin.name, pin.version, pin.hashes) for pin in ALL}
    assert {(pin.name, pin.version, pin.hashes) for pin in SERVE} <= whole


def test_everything_locked_is_needed_by_something_locked():
    for pins in (ALL + CUDA, SERVE + CUDA):
        names = {pin.name for pin in pins}
        loose = [pin.name for pin in pins if not pin.via or set(pin.via) - names - ROOTS]
        assert not loose, loose


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_has_hashes_and_none_an_address(name: str):
    for pin in read(FOLDER / name):
        assert pin.hashes and all(re.fullmatch("[0-9a-f]{64}", one) for one in pin.hashes), pin.name
        assert "==" not in pin.version and "*" not in pin.version
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert "://" not in text and "--index" not in text and "--find-links" not in text
    assert text == "".join(map(str, read(FOLDER / name)))


def test_cudas_libraries_are_for_linux_only_and_in_their_own_lock():
    assert CUDA and all("sys_platform == 'linux'" in pin.marker for pin in CUDA)
    assert not [pin.name for pin in ALL + SERVE if pin.cuda]
    assert "torch" in {name for pin in CUDA for name in pin.via}


def test_a_line_without_a_version_is_refused(tmp_path: Path):
    lock = tmp_path / "loose.lock"
    lock.write_text("numpy>=2 \\\n    --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"loose\.lock: not a pinned package: 'numpy>=2'"):
        read(lock)


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_installs_nothing_without_a_hash(file: Path):
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"pip install [^;&\n]*", text)
    ours = [command for command in commands if command.split()[-1] == "."]
    assert len(ours) == 1 and {"--no-deps", "--no-build-isolation", "--no-index"} <= set(
        ours[0].split()
    )
    others = [command.split() for command in commands if command not in ours]
    assert all({"--require-hashes", "--no-deps"} <= set(words) for words in others)
    assert "supply_chain/serve.lock" in text and "supply_chain/cuda.lock" in text


def test_the_list_of_components_is_exactly_the_lock():
    committed = json.loads(FILE.read_text(encoding="utf-8"))
    assert committed == components(), "run `make lock`"
    listed = [(one["name"], one["version"]) for one in committed["components"]]
    assert sorted(listed) == sorted((pin.name, pin.version) for pin in ALL + CUDA)
    served = {(one["name"], one["version"]) for one in committed["components"]
              if one["scope"] == "required"}  # fmt: skip
    assert served == {(pin.name, pin.version) for pin in SERVE}
    references = {one["bom-ref"] for one in committed["components"]}
    used = {name for one in committed["dependencies"] for name in one["dependsOn"]}
    assert used == references and len(references) == len(listed)


RECORD = {
    "id": "GHSA-test",
    "aliases": ["CVE-2026-1"],
    "summary": "reads too much",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Num.Py"},
            "ranges": [
                {
                    "type": "ECOSYSTEM",
                    "events": [{"introduced": "0"}, {"fixed": "1.5"}, {"introduced": "2.0"}],
                }
            ],
        }
    ],
}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "some.lock"
    file.write_text(str(Pin("num-py", "2.4.6", "", ("0" * 64,), ("torch",))), encoding="utf-8")
    return file


@pytest.mark.parametrize("kind", ["record", "list", "folder", "zip"])
def test_a_known_weakness_fails_the_gate_in_every_form_of_the_database(
    kind: str, tmp_path: Path, lock: Path, capsys: pytest.CaptureFixture[str]
):
    database = tmp_path / kind
    if kind == "folder":
        database.mkdir()
        (database / "GHSA-test.json").write_text(json.dumps(RECORD), encoding="utf-8")
    elif kind == "zip":
        with zipfile.ZipFile(database, "w") as archive:
            archive.writestr("GHSA-test.json", json.dumps(RECORD))
    else:
        database = database.with_suffix(".json")
        database.write_text(json.dumps([RECORD] if kind == "list" else RECORD), encoding="utf-8")
    command = ["--database", str(database), str(lock)]
    assert main(command) == 1
    printed = capsys.readouterr().out
    assert printed == "num-py 2.4.6: GHSA-test CVE-2026-1, fixed in 1.5: reads too much\n"
    assert main([*command, "--ignore", "CVE-2026-1"]) == 0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[1]", '{"id": "a"}', '{"id": "a", "affected": [{}]}']
)
def test_a_database_that_says_nothing_is_not_a_clean_bill(text: str, tmp_path: Path, lock: Path):
    database = tmp_path / "database.json"
    database.write_text(text, encoding="utf-8")
    assert main(["--database", str(database), str(lock)]) == 2
    assert main(["--database", str(tmp_path / "absent.json"), str(lock)]) == 2


@pytest.mark.parametrize(
    ("events", "versions", "affected"),
    [
        ([{"introduced": "0"}], [], "1.0 1.5 2.0rc1 2.0 2.0.post1"),
        ([{"introduced": "0"}, {"fixed": "2.0"}], [], "1.0 1.5 2.0rc1"),
        ([{"introduced": "1.5"}, {"last_affected": "2.0"}], [], "1.5 2.0rc1 2.0"),
        ([{"fixed": "1.5"}, {"introduced": "0"}, {"introduced": "2.0"}], [], "1.0 2.0 2.0.post1"),
        ([], ["1.5"], "1.5"),
        ([{"introduced": "2004d"}], [], "1.0 1.5 2.0rc1 2.0 2.0.post1"),  # cannot be compared
    ],
)
def test_ranges_and_versions_are_read_as_osv_says(
    events: list[dict[str, str]], versions: list[str], affected: str
):
    git = {"type": "GIT", "events": [{"introduced": "0"}]}
    part = {"versions": versions, "ranges": [{"type": "ECOSYSTEM", "events": events}, git]}
    pins = [Pin("a", one, "", (), ()) for one in "1.0 1.5 2.0rc1 2.0 2.0.post1".split()]
    assert " ".join(pin.version for pin in pins if hit(part, pin)) == affected


def test_the_public_workflow_asks_for_every_lock():
    workflow = REPOSITORY / ".github" / "workflows" / "audit.yml"
    (job,) = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()
    command = " ".join(step.get("run", "") for step in job["steps"])
    assert re.search(r"pip-audit==\d", command) and "--require-hashes" in command
    assert all(f"--requirement supply_chain/{name}" in command for name in LOCKS)


def code_from_a_hub(tree: ast.AST) -> list[int]:
    """Lines that name the parameter by which a hub's repository may bring code of its own."""
    found = []
    for node in ast.walk(tree):
        named = (isinstance(node, ast.keyword) and node.arg == PARAMETER) or (
            isinstance(node, ast.Constant) and node.value == PARAMETER
        )
        hub = isinstance(node, ast.Attribute) and ast.unparse(node).startswith("torch.hub.")
        if named or hub:
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("call", [f"f({PARAMETER}=True)", f"f(**{{'{PARAMETER}': 1}})",
                                  "torch.hub.load('a', 'b')"])  # fmt: skip
def test_code_from_a_hub_would_be_seen(call: str):
    assert code_from_a_hub(ast.parse(call))


def test_no_code_is_run_from_a_hub():
    ours = [
        path
        for path in REPOSITORY.rglob("*.py")
        if not path.relative_to(REPOSITORY).parts[0].startswith((".", "data", "runs", "build"))
    ]
    assert len(ours) > 300
    found = {path: code_from_a_hub(ast.parse(path.read_text(encoding="utf-8"))) for path in ours}
    assert not {str(path): lines for path, lines in found.items() if lines}
    others = [*REPOSITORY.glob("configs/**/*.yaml"), *REPOSITORY.glob("examples/*.ipynb")]
    assert not [path for path in others if PARAMETER in path.read_text(encoding="utf-8")]
