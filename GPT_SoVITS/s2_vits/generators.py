"""The vocoders stage 2 may be built with, by the name `model.generator` gives them.

How one is added, step by step: docs/extending.md.
"""

from __future__ import annotations

from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.generator import Generator, WaveGenerator
from GPT_SoVITS.s2_vits.source_filter import SourceFilter

GENERATORS: dict[str, type[WaveGenerator]] = {
    "hifigan": Generator,
    "source_filter": SourceFilter,
}
"""Name -> class, built with the stage's config alone."""


def build_generator(config: S2Config) -> WaveGenerator:
    """The network of `config.generator`; ValueError names those there are."""
    if config.generator not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise ValueError(f"model.generator is {config.generator!r}; there are {known}")
    return GENERATORS[config.generator](config)
