"""What enters the semantic GPT: phonemes with BERT, semantic tokens, positions, roles."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from GPT_SoVITS.dialogue.layout import IGNORE
from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.config import S1Config

N_ROLES = 3


class SinePosition(nn.Module):
    """alpha * sine table, read at the position inside the segment."""

    frequency: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))
        even = torch.arange(0, dim, 2, device="cpu").float()
        frequency = torch.exp(even * -(math.log(10000.0) / dim)).to(torch.get_default_device())
        self.register_buffer("frequency", frequency, persistent=False)

    def forward(self, position: Tensor) -> Tensor:
        """position (B, N) -> (B, N, D)"""
        angle = position.float()[..., None] * self.frequency.float()  # (B, N, D/2)
        table = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)  # (B, N, D)
        return self.alpha * table.to(self.alpha.dtype)


class ColumnEmbedding(nn.Module):
    """Columns -> vectors; a text column adds its BERT feature (without one, the bias alone)."""

    def __init__(self, config: S1Config) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.text = nn.Embedding(config.phoneme_vocab_size, dim)
        self.semantic = nn.Embedding(config.vocab_size, dim)
        self.bert_projection = nn.Linear(config.bert_dim, dim)
        self.text_position = SinePosition(dim)
        self.semantic_position = SinePosition(dim)
        self.role = nn.Embedding(N_ROLES, dim) if config.use_roles else None
        if self.role is not None:
            nn.init.zeros_(self.role.weight)
        self.embedding_dropout = nn.Dropout(config.embedding_dropout)
        self.token_dropout = config.token_dropout
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, batch: ColumnBatch) -> Tensor:
        """-> (B, N, D)"""
        is_text = batch.is_text[..., None]
        text = self.embedding_dropout(self.text(batch.ids * batch.is_text))
        if batch.bert is None:
            text = text + self.bert_projection.bias
        else:
            text = text + self.bert_projection(batch.bert.to(text.dtype))
        speech = self.embedding_dropout(self.semantic(batch.ids * ~batch.is_text))
        speech = self._hide(speech, batch)
        text = text + self.text_position(batch.position)
        speech = speech + self.semantic_position(batch.position)
        columns = torch.where(is_text, text, speech)
        if self.role is not None:
            columns = columns + self.role(batch.role)
        out: Tensor = self.dropout(columns)
        return out

    def _hide(self, speech: Tensor, batch: ColumnBatch) -> Tensor:
        """Training: wipes out a share of the tokens (B, N, D) behind which one is learnt."""
        if not (self.training and self.token_dropout):
            return speech
        drawn = torch.rand(batch.ids.shape, device=speech.device) < self.token_dropout
        return speech * ~(drawn & (batch.target != IGNORE))[..., None]
