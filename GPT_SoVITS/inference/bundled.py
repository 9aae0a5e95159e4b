"""The model that comes with the repository: what speaks where no other is named."""

from __future__ import annotations

from pathlib import Path

NAME = "tiny-speech"


def bundled_model() -> Path:
    """`pretrained_models/tiny-speech` of the current folder, else of the checkout this code is in.

    Where neither is there, the former: reading it says what is missing.
    """
    place = Path("pretrained_models") / NAME
    checkout = Path(__file__).resolve().parents[2] / place
    return checkout if checkout.is_dir() and not place.is_dir() else place
