"""The generation options as controls: one per field of `GenerationOptions`, in groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import gradio as gr

from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.studio.words import Words, has

# Sliders where a range helps; everything else is a number. The check is the option's own.
RANGES: dict[str, tuple[float, float, float]] = {
    "top_k": (1, 100, 1),
    "top_p": (0.05, 1.0, 0.05),
    "temperature": (0.1, 2.0, 0.05),
    "repetition_penalty": (1.0, 2.0, 0.05),
    "noise_scale": (0.0, 1.0, 0.05),
    "speed": (0.5, 2.0, 0.05),
    "max_seconds": (1, 60, 1),
}
GROUPS = {
    "sampling": ("top_k", "top_p", "temperature", "repetition_penalty", "eos_guard", "max_seconds"),
    "rendering": ("noise_scale", "speed", "longest_silence"),
    "guards": ("collapse_retries", "candidates", "length_power", "check_attempts")
    + ("check_tolerance", "longest_part", "part_pause"),
}
NAMES = tuple(field.name for field in dataclasses.fields(GenerationOptions))


def option_controls(t: Words, *, prefix: str) -> list[Any]:
    """Controls in the order of the fields; the seed stands in front, the rest in accordions."""
    made: dict[str, Any] = {"seed": _control(t, "seed", prefix)}
    grouped = {name for names in GROUPS.values() for name in names}
    other = tuple(name for name in NAMES if name not in grouped | {"seed"})
    for group, names in {**GROUPS, "streaming": other}.items():
        with gr.Accordion(t(f"options.{group}"), open=False), gr.Row():
            for name in names:
                if name in NAMES:
                    made[name] = _control(t, name, prefix)
    return [made[name] for name in NAMES]


def read_options(values: Sequence[Any]) -> GenerationOptions:
    """Values of the controls, in the order of the fields -> options; errors name the option."""
    given: dict[str, Any] = {}
    for field, value in zip(dataclasses.fields(GenerationOptions), values, strict=True):
        whole = isinstance(field.default, int) and not isinstance(field.default, bool)
        fits = whole and isinstance(value, float) and value.is_integer()
        given[field.name] = int(value) if fits else value
    return GenerationOptions(**given)


def _control(t: Words, name: str, prefix: str) -> Any:
    default = getattr(GenerationOptions(), name)
    label = t(f"option.{name}") if has(f"option.{name}") else name
    common: dict[str, Any] = {"label": label, "value": default, "elem_id": f"{prefix}-{name}"}
    if has(f"option.{name}.info"):
        common["info"] = t(f"option.{name}.info")
    common |= {"interactive": True, "min_width": 220}
    if isinstance(default, bool):
        return gr.Checkbox(**common)
    if name in RANGES:
        low, high, step = RANGES[name]
        return gr.Slider(low, high, step=step, **common)
    if isinstance(default, (int, float)):
        return gr.Number(precision=0 if isinstance(default, int) else None, **common)
    return gr.Textbox(**common)
