"""The one options dataclass says what is wrong in the user's words."""

import dataclasses
from typing import Any

import pytest

from GPT_SoVITS.inference.options import GenerationOptions


def test_defaults_are_the_published_ones() -> None:
    options = GenerationOptions()
    assert (options.top_k, options.top_p, options.temperature) == (15, 1.0, 1.0)
    assert (options.repetition_penalty, options.eos_guard, options.noise_scale) == (1.35, 11, 0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("top_k", 0),
        ("top_k", 1.5),
        ("top_k", True),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("temperature", float("nan")),
        ("temperature", 0.0),
        ("repetition_penalty", -1.0),
        ("max_seconds", 1e9),
        ("speed", 0.0),
        ("seed", -1),
        ("noise_scale", "loud"),
        ("chunk_tokens", 0),
    ],
)
def test_a_wrong_value_is_named_with_its_range(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is "):
        GenerationOptions(**{name: value})


def test_options_cannot_change_after_they_were_checked() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        GenerationOptions().top_k = 0  # type: ignore[misc]
