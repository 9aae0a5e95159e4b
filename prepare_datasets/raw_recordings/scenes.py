"""Scenes: stretches of a recording without long silence, with enough speech in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prepare_datasets.raw_recordings.stages import Region


@dataclass(frozen=True)
class SceneLimits:
    """NCSSD's thresholds."""

    max_silence: float = 4.0
    """Seconds without speech that end a scene."""
    min_share: float = 0.30
    """Share of a scene that is speech; more is kept."""
    min_speech: float = 15.0
    """Seconds of speech in a scene; more is kept."""


def scenes(speech: Sequence[Region], limits: SceneLimits) -> list[list[Region]]:
    """Speech regions -> those of each scene that is kept, the last one included.

    ▆▆ ▆▆▆  ▆▆        ▆        ▆▆▆▆ ▆▆ ▆▆▆▆
    └ a scene ┘  4 s  └ short ┘└ a scene  ┘
    """
    groups: list[list[Region]] = []
    for region in speech:
        if groups and region.start - groups[-1][-1].stop <= limits.max_silence:
            groups[-1].append(region)
        else:
            groups.append([region])
    return [group for group in groups if _kept(group, limits)]


def _kept(group: list[Region], limits: SceneLimits) -> bool:
    spoken = sum(region.seconds for region in group)
    whole = group[-1].stop - group[0].start
    return spoken > limits.min_speech and spoken > limits.min_share * whole
