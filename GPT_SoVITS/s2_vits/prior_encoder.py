"""Prior encoder: semantic tokens meet phonemes (MRTE) and become the prior's mean and spread."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.nn.attention import AttentionEncoder, CrossAttention
from GPT_SoVITS.s2_vits.config import S2Config


class TokenTextFusion(nn.Module):
    """MRTE: tokens query the phonemes; their sum with the condition is the agent's style."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()
        wide, hidden = config.mrte_channels, config.hidden_channels
        self.c_pre = nn.Conv1d(hidden, wide, 1)
        self.text_pre = nn.Conv1d(hidden, wide, 1)
        self.cross_attention = CrossAttention(wide, config.mrte_heads)
        self.c_post = nn.Conv1d(wide, hidden, 1)

    def forward(
        self, tokens: Tensor, token_mask: Tensor, text: Tensor, text_mask: Tensor, condition: Tensor
    ) -> Tensor:
        """tokens (B, H, T), text (B, H, X), condition (B, mrte, 1) -> (B, H, T)."""
        pairs = (token_mask[:, :, :, None] * text_mask[:, :, None, :]) > 0  # (B, 1, T, X)
        speech = self.c_pre(tokens * token_mask)
        memory = self.text_pre(text * text_mask)
        attended = self.cross_attention(speech * token_mask, memory * text_mask, pairs)
        out: Tensor = self.c_post((attended + speech + condition) * token_mask)
        return out


class GatedHistoryText(nn.Module):
    """Response phoneme states attend to history phoneme states; zero until trained."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()
        self.attention = CrossAttention(config.hidden_channels, config.n_heads)
        nn.init.zeros_(self.attention.conv_o.weight)
        assert self.attention.conv_o.bias is not None
        nn.init.zeros_(self.attention.conv_o.bias)

    def forward(self, text: Tensor, text_mask: Tensor, past: Tensor, past_mask: Tensor) -> Tensor:
        """text (B, H, X), past (B, H, P) -> (B, H, X)."""
        pairs = (text_mask[:, :, :, None] * past_mask[:, :, None, :]) > 0
        present = past_mask.amax(dim=2, keepdim=True)  # rows without history add nothing
        out: Tensor = text + self.attention(text, past, pairs) * text_mask * present
        return out


@dataclass(frozen=True)
class Window:
    """Which frames of a growing reply are wanted (spec: s2 §9).

    latent   . . . . . . . . . . . . . .
                     |result     |padding      the overlap fades into result's first frames
    """

    result: int | None = None
    """Frames kept at the end; None keeps all."""
    padding: int = 0
    """Frames cut from the end: they were there only to be heard by the ones before."""
    overlap: Tensor | None = None
    """(B, H, O) end of the chunk before."""

    def cut(self, latent: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Latent (B, H, T) after the last encoder and mask (B, 1, T) -> the kept frames.

        Raises `ValueError`.
        """
        if self.result is not None:
            latent, mask = latent[..., -self.result :], mask[..., -self.result :]
        if self.overlap is None:
            return latent, mask
        n = self.overlap.shape[2]
        if n > latent.shape[2]:
            raise ValueError(f"an overlap of {n} frames is longer than the chunk")
        step = torch.arange(2 * n, device=latent.device, dtype=latent.dtype)
        rise, fall = torch.sin(math.pi * step / (2 * n)).chunk(2)  # published: they sum to > 1
        faded = rise * latent[..., :n] + fall * self.overlap
        return torch.cat([faded, latent[..., n:]], dim=2), mask


WHOLE = Window()


class PriorEncoder(nn.Module):
    """Quantised features and phonemes -> (latent, mean, log spread, mask)."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()
        hidden = config.hidden_channels

        def encoder(layers: int) -> AttentionEncoder:
            return AttentionEncoder(
                hidden,
                config.filter_channels,
                config.n_heads,
                layers,
                config.kernel_size,
                config.p_dropout,
            )

        self.ssl_proj = nn.Conv1d(config.semantic_dim, hidden, 1)
        self.encoder_ssl = encoder(config.n_layers // 2)
        self.text_embedding = nn.Embedding(config.n_symbols, hidden)
        self.encoder_text = encoder(config.n_layers)
        self.mrte = TokenTextFusion(config)
        self.encoder2 = encoder(config.n_layers // 2)
        self.proj = nn.Conv1d(hidden, 2 * config.inter_channels, 1)
        self.history_text = GatedHistoryText(config) if config.text == "gated" else None

    def encode_text(self, phoneme_ids: Tensor, mask: Tensor) -> Tensor:
        """(B, X), mask (B, 1, X) -> (B, H, X)."""
        out: Tensor = self.encoder_text(
            self.text_embedding(phoneme_ids).transpose(1, 2) * mask, mask
        )
        return out

    def text_states(
        self, phoneme_ids: Tensor, mask: Tensor, history: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """What the tokens hear of the text: (B, X), mask (B, 1, X) -> (B, H, X)."""
        text = self.encode_text(phoneme_ids, mask)
        if self.history_text is None or history is None or not history[0].shape[1]:
            return text
        out: Tensor = self.history_text(text, mask, self.encode_text(*history), history[1])
        return out

    def token_states(
        self,
        quantized: Tensor,
        mask: Tensor,
        text: Tensor,
        text_mask: Tensor,
        condition: Tensor,
        padding: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """quantized (B, S, T), text states (B, H, X) -> (B, H, T - padding) and their mask."""
        y = self.encoder_ssl(self.ssl_proj(quantized * mask) * mask, mask)
        y = self.mrte(y, mask, text, text_mask, condition)
        if padding:
            y, mask = y[..., :-padding], mask[..., :-padding]
        return self.encoder2(y * mask, mask), mask

    def forward(
        self,
        quantized: Tensor,
        mask: Tensor,
        phoneme_ids: Tensor,
        text_mask: Tensor,
        condition: Tensor,
        *,
        history: tuple[Tensor, Tensor] | None = None,
        speed: float = 1.0,
        window: Window = WHOLE,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """quantized (B, S, T), phoneme_ids (B, X), condition (B, mrte, 1).

        `history`: phoneme ids (B, P) and mask (B, 1, P) of earlier turns (text: gated). Returns
        latent (B, H, T) before speed, mean and log spread (B, inter, T'), mask (B, 1, T').
        """
        text = self.text_states(phoneme_ids, text_mask, history)
        y, mask = self.token_states(quantized, mask, text, text_mask, condition, window.padding)
        y, mask = window.cut(y, mask)
        latent = y
        if speed != 1.0:
            frames = int(y.shape[2] / speed) + 1
            y = F.interpolate(y, size=frames, mode="linear")
            mask = F.interpolate(mask, size=frames, mode="nearest")
        mean, log_spread = (self.proj(y) * mask).chunk(2, dim=1)
        return latent, mean, log_spread, mask
