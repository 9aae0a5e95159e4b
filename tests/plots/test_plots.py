"""Every figure draws to PNG bytes from numpy alone, and refuses what it cannot draw."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest

from GPT_SoVITS.plots import (
    Span,
    attention_map,
    loss_curves,
    mel_spectrograms,
    pitch_tracks,
    waveforms,
)

RNG = np.random.default_rng(0)


def png(figure) -> bytes:
    """The figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


def figures():
    """One of each kind."""
    weights = RNG.dirichlet(np.ones(12), size=5)
    steps = np.arange(4.0)
    return {
        "waveforms": lambda: waveforms(
            {r"$\frac$": RNG.normal(size=3200) * 0.1}, sample_rate=32000
        ),
        "mels": lambda: mel_spectrograms(
            {"a": RNG.normal(size=(128, 9)), "b": RNG.normal(size=(128, 5))}, frame_rate=50
        ),
        "pitch": lambda: pitch_tracks({"a": np.array([np.nan, 100, 120])}, frame_rate=50),
        "curves": lambda: loss_curves({"train/loss": (steps, steps), "valid/loss": (steps, steps)}),
        "attention": lambda: attention_map(weights, [Span("text", 0, 4), Span("speech", 4, 12)]),
    }


@pytest.mark.parametrize("name", list(figures()))
def test_figure_becomes_a_png(name: str):
    assert png(figures()[name]()).startswith(b"\x89PNG")


def test_train_and_valid_share_a_panel():
    steps = np.arange(3.0)
    figure = loss_curves({"train/loss": (steps, steps), "valid/loss": (steps, steps)})
    assert len(figure.axes) == 1
    assert len(figure.axes[0].lines) == 2


def test_shares_of_attention_add_up_to_one():
    weights = RNG.dirichlet(np.ones(12), size=5)
    figure = attention_map(weights, [Span("a", 0, 5), Span("b", 5, 12)])
    heights = [bar.get_height() for axis in figure.axes for bar in axis.patches]
    assert sum(heights) == pytest.approx(1.0)


def test_a_span_outside_the_columns_is_refused():
    with pytest.raises(ValueError, match="outside"):
        attention_map(np.ones((2, 3)), [Span("text", 0, 4)])


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        loss_curves({})


def test_importing_plots_does_not_import_matplotlib():
    code = "import sys, GPT_SoVITS.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
