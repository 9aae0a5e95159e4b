"""Fixtures every test may use: the shared reference folder, the repository root, one thread."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
# pytest's own limit (pyproject.toml) is for fast tests. It counts fixtures too, and what takes one
# minute alone takes ten on a machine with other work; only what hangs is to be ended.
SLOW_SECONDS = 1800


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root folder."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference vectors and real data beside the checkout (`../shared`).

    SHARED_DIR overrides the place; where it is absent, the golden tests skip.
    """
    folder = Path(os.environ.get("SHARED_DIR") or REPOSITORY.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"no reference folder at {folder}; set SHARED_DIR to run the golden tests")
    return folder


@pytest.fixture(scope="session")
def prepared_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo corpus of a few dialogues through the five steps: what `data/<name>` holds."""
    from prepare_datasets.command import main
    from prepare_datasets.demo_corpus import CorpusPlan, write_corpus

    folder = tmp_path_factory.mktemp("prepared_demo")
    write_corpus(folder / "raw", CorpusPlan(dialogues=6, exchanges=(2, 3)))
    config = REPOSITORY / "configs" / "data" / "demo_tiny.yaml"
    arguments = ["--config", str(config), "--raw", str(folder / "raw")]
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--output", str(folder / "data")])
    assert end.value.code == 0
    return folder / "data"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tests compare floats exactly: fix the thread count once, where torch is loaded at all."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        import torch
    except ImportError:  # dialogue/ and text/ are tested without torch too
        return
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """More time for tests marked `slow`; those marked `gpu` are skipped where there is no CUDA."""
    for item in items:
        if "slow" in item.keywords and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
    if not any("gpu" in item.keywords for item in items):
        return
    import torch

    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
