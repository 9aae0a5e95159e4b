"""Columns to vectors: phoneme and semantic tables, BERT projection, sine positions, roles."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.config import S1Config

N_ROLES = 3


class SinePosition(nn.Module):
    """alpha * pe(position); pe[t, 2j] = sin(t w_j), pe[t, 2j+1] = cos(t w_j) (spec: s1 §3)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))
        self.dim = dim

    def forward(self, position: Tensor) -> Tensor:
        """position (B, N) -> (B, N, D)."""
        pairs = torch.arange(0, self.dim, 2, device=position.device, dtype=torch.float32)
        angle = position.float()[..., None] * torch.exp(pairs * (-math.log(10000.0) / self.dim))
        table = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)  # (B, N, D)
        return self.alpha * table


class ColumnEmbedding(nn.Module):
    """Sum of token, BERT (text only), position and role embeddings."""

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
        self.token_dropout = nn.Dropout(config.embedding_dropout)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, batch: ColumnBatch) -> Tensor:
        """(B, N) columns -> (B, N, D)."""
        is_text = batch.is_text[..., None]
        zero = torch.zeros_like(batch.ids)
        text = self.text(torch.where(batch.is_text, batch.ids, zero))
        semantic = self.semantic(torch.where(batch.is_text, zero, batch.ids))
        token = self.token_dropout(torch.where(is_text, text, semantic))
        bert = self.bert_projection.bias
        if batch.bert is not None:
            bert = self.bert_projection(batch.bert.to(token.dtype))
        position = torch.where(
            is_text, self.text_position(batch.position), self.semantic_position(batch.position)
        )
        x = token + torch.where(is_text, bert, 0.0) + position
        if self.role is not None:
            x = x + self.role(batch.role)
        return self.dropout(x.to(token.dtype))
