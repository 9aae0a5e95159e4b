"""The house rules, enforced: layers of imports, who may import what, constructs we never use.

Read by AST, so a broken layer is found even in code no test runs. See docs/architecture.md.
"""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Lower layers never import higher ones; packages of one layer never import each other.
LAYERS: dict[str, int] = {
    "dialogue": 0,
    "text": 0,
    "audio": 0,
    "nn": 1,
    "plots": 1,
    "features": 2,
    "s1_gpt": 2,
    "s2_vits": 2,
    "checkpoints": 3,
    "adapters": 3,
    "inference": 4,
    "training": 5,
    "evaluation": 6,
    "server": 7,
    "studio": 7,
}
# (importer, imported): the named exceptions to "siblings do not import each other".
SIBLINGS_ALLOWED: set[tuple[str, str]] = set()
PREPARE_UP_TO = 3
# The doors of the package see every layer: `__init__.py` (lazy names), `__main__.py` (commands).
DOORS = {"__init__", "__main__"}
# Loaded inside the function that needs them: they are slow to import or not always wanted.
LAZY = {"librosa", "g2p_en", "transformers", "peft", "matplotlib"}
# Not in the core requirements; nothing outside their own folder may need them to be imported.
OPTIONAL = ["gradio", "fastapi", "uvicorn", "prometheus_client", "ray", "jiwer", "pyworld"]
OPTIONAL += ["pocketsphinx", "pesq", "pystoi", "torchaudio", "torchvision", "onnxruntime"]
TOP_SCRIPTS = ["train_s1.py", "train_s2.py", "inference.py"]


def package_files() -> list[Path]:
    """Python files of the two packages."""
    return sorted(
        path for name in ("GPT_SoVITS", "prepare_datasets") for path in (ROOT / name).rglob("*.py")
    )


def all_files() -> list[Path]:
    """Python files of the repository, tests excluded (tests may build hostile input)."""
    extra = [
        path
        for name in ("examples", "benchmarks", "docs", "supply_chain")
        for path in (ROOT / name).rglob("*.py")
    ]
    scripts = [ROOT / name for name in TOP_SCRIPTS if (ROOT / name).exists()]
    return package_files() + sorted(extra) + scripts


def module_name(path: Path) -> str:
    """`GPT_SoVITS/nn/masks.py` -> `GPT_SoVITS.nn.masks`; `__init__.py` -> its package."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parse(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(tree: ast.AST, *, importer: str = "") -> Iterator[tuple[str, int]]:
    """Every imported module's dotted name with its line, lazy imports included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{importer}:{node.lineno}: relative import; write it absolute"
            module = node.module or ""
            if module == "GPT_SoVITS":
                for alias in node.names:
                    yield f"GPT_SoVITS.{alias.name}", node.lineno
            else:
                yield module, node.lineno


def imports_at_load(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Imports that run when the module is imported (not inside functions or TYPE_CHECKING)."""
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            stack.extend(node.orelse)
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from imports(node)
        else:
            stack.extend(ast.iter_child_nodes(node))


def room(module: str) -> str | None:
    """The layer's package that a dotted name lies in; None outside GPT_SoVITS or for its doors."""
    parts = module.split(".")
    if parts[0] != "GPT_SoVITS" or len(parts) < 2 or parts[1] in DOORS:
        return None
    return parts[1]


def layer_fault(importer: str, imported: str) -> str | None:
    """Why `importer` may not import `imported`; None when it may."""
    target = room(imported)
    if target is None or target not in LAYERS:
        return None
    if importer.startswith("prepare_datasets"):
        too_high = LAYERS[target] > PREPARE_UP_TO
        return f"prepare_datasets may import up to layer {PREPARE_UP_TO}" if too_high else None
    own = room(importer)
    if own is None or own == target:
        return None
    if LAYERS[target] > LAYERS[own]:
        return f"layer {LAYERS[own]} imports layer {LAYERS[target]}"
    if LAYERS[target] == LAYERS[own] and (own, target) not in SIBLINGS_ALLOWED:
        return f"siblings of layer {LAYERS[own]}"
    return None


def test_every_package_has_a_layer():
    rooms = {
        path.name
        for path in (ROOT / "GPT_SoVITS").iterdir()
        if path.is_dir() and any(path.rglob("*.py"))
    }
    assert rooms <= set(LAYERS), f"no layer stated for {sorted(rooms - set(LAYERS))}"


def test_imports_go_downward_only():
    faults = []
    for path in package_files():
        importer = module_name(path)
        for imported, line in imports(parse(path), importer=importer):
            if reason := layer_fault(importer, imported):
                faults.append(f"{path.relative_to(ROOT)}:{line} imports {imported}: {reason}")
    assert not faults, "\n".join(faults)


def test_the_layer_rule_sees_each_kind_of_fault():
    assert layer_fault("GPT_SoVITS.nn.masks", "GPT_SoVITS.inference.talker")
    assert layer_fault("GPT_SoVITS.s1_gpt.model", "GPT_SoVITS.s2_vits.model")
    assert layer_fault("GPT_SoVITS.text.frontend", "GPT_SoVITS.dialogue.turn")
    assert layer_fault("prepare_datasets.step2_text", "GPT_SoVITS.inference.talker")
    assert layer_fault("GPT_SoVITS.inference.talker", "GPT_SoVITS.training.fit")
    assert layer_fault("GPT_SoVITS.training.fit", "GPT_SoVITS.inference.talker") is None
    assert layer_fault("prepare_datasets.step4_semantic", "GPT_SoVITS.checkpoints") is None


def test_the_package_never_imports_the_scripts_that_use_it():
    faults = []
    users = {"train_s1", "train_s2", "inference", "prepare_datasets", "examples", "tests", "docs"}
    for path in (ROOT / "GPT_SoVITS").rglob("*.py"):
        if path.stem == "__main__" and path.parent.name == "GPT_SoVITS":
            continue
        for imported, line in imports(parse(path)):
            if imported.split(".")[0] in users:
                faults.append(f"{path.relative_to(ROOT)}:{line} imports {imported}")
    assert not faults, "\n".join(faults)


def test_slow_packages_are_imported_where_they_are_used():
    faults = []
    for path in all_files():
        for imported, line in imports_at_load(parse(path)):
            if imported.split(".")[0] in LAZY:
                faults.append(f"{path.relative_to(ROOT)}:{line} imports {imported} on load")
    assert not faults, "\n".join(faults)


def forbidden(node: ast.AST) -> str | None:
    """The rule one syntax node breaks, or None."""
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        return "bare except"
    if not isinstance(node, ast.Call):
        return None
    name = ast.unparse(node.func)
    if name in {"eval", "exec", "os.system", "os.popen", "marshal.loads", "marshal.load"}:
        return name
    if name.split(".")[0] in {"pickle", "cPickle", "dill", "cloudpickle", "joblib"}:
        if name.split(".")[-1] in {"load", "loads", "Unpickler", "dump", "dumps"}:
            return name
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    for key in ("shell", "allow_pickle"):
        if keywords.get(key, "False") != "False":
            return f"{key}={keywords[key]}"
    if name == "torch.load" and keywords.get("weights_only") != "True":
        return "torch.load without weights_only=True"
    if name == "yaml.load" and keywords.get("Loader") != "yaml.SafeLoader":
        return "yaml.load; use yaml.safe_load"
    return None


def test_no_construct_that_runs_foreign_code():
    faults = []
    for path in all_files():
        for node in ast.walk(parse(path)):
            if reason := forbidden(node):
                line = getattr(node, "lineno", 0)
                faults.append(f"{path.relative_to(ROOT)}:{line}: {reason}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "code",
    [
        "eval('1')",
        "exec('1')",
        "os.system('ls')",
        "subprocess.run('ls', shell=True)",
        "pickle.load(f)",
        "np.load(p, allow_pickle=True)",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "yaml.load(f)",
    ],
)
def test_the_construct_rule_sees(code: str):
    assert any(forbidden(node) for node in ast.walk(ast.parse(code)))


def test_no_file_is_called_utils_and_every_file_says_what_it_is():
    for path in all_files():
        assert path.stem not in {"utils", "util", "helpers", "misc", "common"}, path
        if path.read_text(encoding="utf-8").strip():
            assert ast.get_docstring(parse(path)), f"{path.relative_to(ROOT)} has no docstring"


def test_a_file_is_a_page():
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for path in all_files() + sorted((ROOT / "tests").rglob("*.py"))
    }
    long = {path.relative_to(ROOT): n for path, n in lengths.items() if n > 350}
    assert not long, f"look for the second noun: {long}"
    assert statistics.median(lengths.values()) <= 130


def test_no_machine_path_in_tracked_text():
    needles = ["/" + word + "/" for word in ("work", "root")] + ["/" + "tmp" + "/"]
    faults = []
    for path in all_files() + sorted((ROOT / "configs").rglob("*.yaml")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if any(needle in line for needle in needles):
                faults.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not faults, "\n".join(faults)


# Runs in a fresh interpreter: hide the named packages as if not installed, import the modules.
IMPORTER = """
import importlib, sys
blocked, modules = sys.argv[1].split(","), sys.argv[2].split(",")
class Hide:
    def __init__(self, finders):
        self.finders = finders
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            return None
        specs = (finder.find_spec(name, path, target) for finder in self.finders)
        return next(filter(None, specs), None)
    def find_distributions(self, context=None):
        if context is not None and context.name in blocked:
            return
        for finder in self.finders:
            if hasattr(finder, "find_distributions"):
                yield from finder.find_distributions(context)
sys.meta_path[:] = [Hide(list(sys.meta_path))]
failed = []
for module in modules:
    try:
        importlib.import_module(module)
    except Exception as error:
        failed.append(f"{module}: {type(error).__name__}: {error}")
print("\\n".join(failed))
loaded = sorted({name.split(".")[0] for name in sys.modules} & set(sys.argv[3].split(",")))
print("LOADED " + ",".join(loaded))
"""


def import_fresh(modules: list[str], *, block: list[str], watch: list[str]) -> tuple[str, set[str]]:
    """Import `modules` in a new interpreter -> (what failed, which of `watch` ended up loaded)."""
    command = [sys.executable, "-c", IMPORTER]
    command += [",".join(block), ",".join(modules), ",".join(watch)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr[-2000:]
    failed, _, loaded = run.stdout.rpartition("LOADED ")
    return failed.strip(), set(filter(None, loaded.strip().split(",")))


def modules_of(*rooms: str) -> list[str]:
    """Every module of the named packages."""
    return [
        module_name(path)
        for path in package_files()
        if path.name != "__main__.py" and (not rooms or (room(module_name(path)) or "") in rooms)
    ]


def test_dialogue_and_text_import_without_torch():
    modules = modules_of("dialogue", "text")
    assert modules
    failed, _ = import_fresh(modules, block=["torch"], watch=["torch"])
    assert not failed, failed


def test_every_module_imports_with_the_core_requirements():
    outside = [name for name in modules_of() if room(name) not in {"server", "studio"}]
    failed, _ = import_fresh(outside, block=OPTIONAL, watch=["torch"])
    assert not failed, failed


def test_inference_never_imports_lightning():
    modules = modules_of("inference")
    if not modules:
        pytest.skip("no inference package yet")
    block = ["pytorch_lightning", "lightning", "tensorboard"]
    failed, loaded = import_fresh(modules, block=block, watch=["matplotlib", "librosa", "peft"])
    assert not failed, failed
    assert not loaded, f"importing inference loads {sorted(loaded)}"
