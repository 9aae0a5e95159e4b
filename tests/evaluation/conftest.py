"""A complete talker folder of tiny networks, once per test run."""

from pathlib import Path

import pytest

from tests.tiny_talker import write_tiny_talker


@pytest.fixture(scope="session")
def talker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``talker/`` as the two trainings would leave it, plus ``anna.wav`` beside it."""
    return write_tiny_talker(tmp_path_factory.mktemp("talker"))
