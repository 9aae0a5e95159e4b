"""Judges of style: one reads tokens, one reads the response's text (and must fail).

Both are logistic regressions fitted on ground truth of the training voices and asked about voices
and sentences they have not met; their own accuracy there is part of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.checkpoints.tokenizer_file import load_tokenizer


def codebook_of(data: Path) -> np.ndarray:
    """The table (V, D) a prepared corpus's tokens are rows of."""
    tokenizer, _ = load_tokenizer(data / "4_semantic" / "tokenizer.safetensors")
    every_code = torch.arange(tokenizer.quantizer.n_codes)[None]
    table: np.ndarray = tokenizer.quantizer.decode(every_code).numpy()[0].T
    return table


def summary_of(codes: Sequence[int], table: np.ndarray) -> np.ndarray:
    """Tokens (N,) -> mean and spread (2 D,) of their rows in the quantizer's table (V, D).

    Raises `ValueError`.
    """
    if not len(codes):
        raise ValueError("no tokens to judge")
    rows = table[np.asarray(codes)]
    return np.concatenate([rows.mean(0), rows.std(0)])


class StyleProbe:
    """Style of a turn from its tokens."""

    def __init__(self, table: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.table = table
        self._model: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))

    def fit(self, turns: Sequence[Sequence[int]], styles: Sequence[str]) -> StyleProbe:
        """Learn from ground-truth tokens."""
        self._model.fit(np.stack([summary_of(codes, self.table) for codes in turns]), styles)
        return self

    def judge(self, turns: Sequence[Sequence[int]]) -> list[str]:
        """Style of each turn; a reply without tokens has the style "silent"."""
        spoken = [k for k, codes in enumerate(turns) if len(codes)]
        found = ["silent"] * len(turns)
        if spoken:
            points = np.stack([summary_of(turns[k], self.table) for k in spoken])
            for k, style in zip(spoken, self._model.predict(points)):
                found[k] = str(style)
        return found

    def accuracy(self, turns: Sequence[Sequence[int]], styles: Sequence[str]) -> float:
        """Share judged right."""
        return float(np.mean([a == b for a, b in zip(self.judge(turns), styles, strict=True)]))


def text_probe_guesses(
    texts: Sequence[str], styles: Sequence[str], asked: Sequence[str]
) -> list[str]:
    """Style guessed from text alone: logistic regression on character 1- to 3-grams."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2),
        LogisticRegression(max_iter=3000),
    )
    model.fit(list(texts), list(styles))
    return [str(style) for style in model.predict(list(asked))]
