"""Token scores against torch's own cross-entropy and counts by hand."""

from __future__ import annotations

import math

import pytest
import torch

from GPT_SoVITS.dialogue.layout import IGNORE
from GPT_SoVITS.evaluation.metrics.tokens import score_logits


def test_a_uniform_model_has_the_vocabulary_as_perplexity():
    score = score_logits(torch.zeros(1, 3, 50), torch.tensor([[IGNORE, 4, 9]]))[0]
    assert score.n_tokens == 2
    assert score.perplexity == pytest.approx(50)


def test_top_k_counts_by_rank():
    logits = torch.arange(30.0).flip(0)[None, None].repeat(1, 4, 1)  # token r has rank r
    score = score_logits(logits, torch.tensor([[0, 2, 9, 25]]))[0]
    assert score.hits == (1, 2, 3, 3)
    assert score.accuracy(10) == 0.75


def test_scores_equal_cross_entropy_and_add_up():
    torch.manual_seed(0)
    logits, target = torch.randn(2, 7, 11), torch.randint(0, 11, (2, 7))
    target[0, :3] = IGNORE
    first, second = score_logits(logits, target)
    both = first + second
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), target.flatten(), ignore_index=IGNORE
    )
    assert both.per_token == pytest.approx(float(loss), rel=1e-6)
    assert both.perplexity == pytest.approx(math.exp(float(loss)), rel=1e-6)


def test_a_row_without_targets_is_an_error():
    with pytest.raises(ValueError, match="no target"):
        score_logits(torch.zeros(1, 2, 5), torch.full((1, 2), IGNORE))
