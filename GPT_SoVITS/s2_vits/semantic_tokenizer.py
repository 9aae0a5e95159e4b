"""`SemanticTokenizer`: content features (50 Hz) to semantic codes (25 Hz), fitted and frozen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from GPT_SoVITS.s2_vits.quantizer import Quantizer


@dataclass(frozen=True)
class FitReport:
    """How the codebook is used on the vectors it was fitted on."""

    n_vectors: int
    codes_used: int
    perplexity: float
    """exp of the entropy of code frequencies."""
    mean_squared_error: float


class SemanticTokenizer(nn.Module):
    """A fixed projection (kernel 2, stride 2) and a codebook."""

    def __init__(self, ssl_dim: int, semantic_dim: int, n_codes: int = 1024) -> None:
        super().__init__()
        self.ssl_dim, self.semantic_dim, self.n_codes = ssl_dim, semantic_dim, n_codes
        self.projection = nn.Conv1d(ssl_dim, semantic_dim, 2, stride=2)
        self.quantizer = Quantizer(n_codes, semantic_dim)

    @classmethod
    def stacking(cls, ssl_dim: int, n_codes: int = 1024) -> SemanticTokenizer:
        """A projection that only stacks two frames: semantic_dim = 2 ssl_dim."""
        tokenizer = cls(ssl_dim, 2 * ssl_dim, n_codes)
        eye = torch.eye(ssl_dim)
        with torch.no_grad():
            tokenizer.projection.weight.zero_()
            tokenizer.projection.bias.zero_()  # type: ignore[union-attr]
            tokenizer.projection.weight[:ssl_dim, :, 0] = eye
            tokenizer.projection.weight[ssl_dim:, :, 1] = eye
        return tokenizer

    @classmethod
    def averaging(cls, ssl_dim: int, n_codes: int = 1024) -> SemanticTokenizer:
        """A projection that averages two frames: semantic_dim = ssl_dim (own codes of HuBERT)."""
        tokenizer = cls(ssl_dim, ssl_dim, n_codes)
        with torch.no_grad():
            tokenizer.projection.bias.zero_()  # type: ignore[union-attr]
            tokenizer.projection.weight.copy_(torch.eye(ssl_dim)[..., None].repeat(1, 1, 2) / 2)
        return tokenizer

    @property
    def config(self) -> dict[str, int]:
        """Constructor values."""
        return {
            "ssl_dim": self.ssl_dim,
            "semantic_dim": self.semantic_dim,
            "n_codes": self.n_codes,
        }

    @torch.no_grad()
    def project(self, features: Tensor) -> Tensor:
        """features (B, D, F) -> (B, semantic_dim, F // 2)."""
        out: Tensor = self.projection(features)
        return out

    @torch.no_grad()
    def encode(self, features: Tensor) -> Tensor:
        """features (B, D, F) at 50 Hz -> codes (B, F // 2) at 25 Hz."""
        return self.quantizer.encode(self.project(features))

    def forward(self, features: Tensor) -> Tensor:
        """(B, D, F) -> (B, F // 2), as `encode`."""
        return self.encode(features)

    @torch.no_grad()
    def fit(self, vectors: Tensor, *, seed: int = 0, iterations: int = 50) -> FitReport:
        """k-means on projected vectors (M, semantic_dim)."""
        self.quantizer.fit(vectors, seed=seed, iterations=iterations)
        codes = self.quantizer.encode(vectors.T[None])[0]
        p = torch.bincount(codes, minlength=self.n_codes).double() / len(codes)
        used = p > 0
        error = (self.quantizer.embed[codes] - vectors).square().mean()
        return FitReport(
            n_vectors=len(vectors),
            codes_used=int(used.sum()),
            perplexity=float((-(p[used] * p[used].log()).sum()).exp()),
            mean_squared_error=float(error),
        )

    def quantizer_id(self, feature: Mapping[str, Any] | None = None) -> str:
        """16 hex digits: sha256 of projection, table and feature config."""
        digest = hashlib.sha256(json.dumps(dict(feature or {}), sort_keys=True).encode())
        tensors = (self.projection.weight, self.projection.bias, self.quantizer.embed)
        for tensor in tensors:
            if tensor is not None:
                values = tensor.detach().float().cpu().contiguous().numpy()
                digest.update(str(values.shape).encode())
                digest.update(values.tobytes())
        return digest.hexdigest()[:16]
