"""A small CTC phone recogniser of our own, English and Mandarin, frozen before it judges.

    16 kHz -> a room -> 40 log-mel bands, 100/s -> conv / 2 -> 2 x BiGRU -> phones + blank, 50/s

Its file is written by `python -m GPT_SoVITS.evaluation.asr.train_phones` from recordings alone and
says on what it was trained and its error on held-out recordings; `identity` holds the hash of the
file, and the report shows it. Errors are phone errors; compare with those of the ground truth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from GPT_SoVITS.checkpoints.container import read_safetensors, write_safetensors
from GPT_SoVITS.evaluation.asr.interface import (
    RATE,
    AsrConfig,
    Transcript,
    check_samples,
    local_model,
)
from GPT_SoVITS.evaluation.asr.room import in_a_room
from GPT_SoVITS.evaluation.metrics.spectrum import BANDS, log_mel, resampled

BLANK = 0
KIND = "phone_recognizer_in_a_room"


@dataclass(frozen=True)
class PhoneNetConfig:
    """Sizes of the network."""

    phones: tuple[str, ...]
    """What it may write; id 0 is the blank, phone k has id k + 1."""
    hidden: int = 128
    """Width of the recurrent layers, each way."""
    layers: int = 2
    """Recurrent layers."""
    channels: int = 96
    """Channels of the convolutions before them."""


class PhoneNet(nn.Module):
    """Log-mel frames to phone probabilities."""

    def __init__(self, config: PhoneNetConfig) -> None:
        super().__init__()
        self.config = config
        c = config.channels
        self.front = nn.Sequential(
            nn.Conv1d(BANDS, c, 5, padding=2), nn.GELU(), nn.Conv1d(c, c, 5, stride=2, padding=2)
        )  # run in two halves: what lies behind an utterance's end must stay zero between them
        self.recurrent = nn.GRU(
            c,
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=True,
            dropout=0.1 if config.layers > 1 else 0.0,
        )
        self.head = nn.Linear(2 * config.hidden, len(config.phones) + 1)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """frames (B, F, 40), lengths (B,) -> log-probabilities (B, F', P + 1), lengths (B,)."""
        valid = (torch.arange(frames.shape[1]) < lengths[:, None].cpu()).to(frames)[:, None]
        x = self.front[1](self.front[0](frames.transpose(1, 2))) * valid  # (B, C, F)
        x = nn.functional.gelu(self.front[2](x)).transpose(1, 2)  # (B, F', C)
        short = (lengths + 1) // 2
        packed = nn.utils.rnn.pack_padded_sequence(
            x, short.cpu(), batch_first=True, enforce_sorted=False
        )
        out, _ = nn.utils.rnn.pad_packed_sequence(
            self.recurrent(packed)[0], batch_first=True, total_length=x.shape[1]
        )
        return self.head(out).log_softmax(-1), short


def normalised_frames(samples: np.ndarray, *, sample_rate: int) -> np.ndarray:
    """(T,) -> (F, 40): log-mel, each band with mean 0 and spread 1 over the utterance."""
    frames = log_mel(in_a_room(resampled(samples, sample_rate, RATE)), sample_rate=RATE)
    values: np.ndarray = ((frames - frames.mean(0)) / (frames.std(0) + 1e-3)).astype(np.float32)
    return values


def collapse(ids: Sequence[int]) -> list[int]:
    """Best path -> phone ids: repeats joined, blanks dropped."""
    kept = [k for before, k in zip([BLANK, *ids], ids) if k != before]
    return [k for k in kept if k != BLANK]


def save_recognizer(path: Path, network: PhoneNet, facts: dict[str, Any]) -> str:
    """Write the file -> its SHA-256."""
    header = {"kind": KIND, "config": asdict(network.config), "facts": facts}
    write_safetensors(path, network.state_dict(), header=header)
    return hashlib.sha256(path.read_bytes()).hexdigest()


class PhoneRecognizer:
    """Greedy phones of English and Mandarin speech."""

    unit = "phones"

    def __init__(self, config: AsrConfig, *, domain_texts: Sequence[str] = ()) -> None:
        path = local_model(config, "a file of GPT_SoVITS.evaluation.asr.train_phones")
        tensors, header = read_safetensors(path)
        if header.get("kind") != KIND:
            raise ValueError(
                f"{path}: not a phone recogniser of this release; train one with "
                "python -m GPT_SoVITS.evaluation.asr.train_phones"
            )
        values = header["config"]
        self.network = PhoneNet(PhoneNetConfig(**{**values, "phones": tuple(values["phones"])}))
        self.network.load_state_dict(tensors)
        self.network.eval()
        self.facts: dict[str, Any] = header["facts"]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.identity = f"phones {digest[:16]}"

    def languages(self) -> tuple[str, ...]:
        """Both."""
        return ("en", "zh")

    @torch.inference_mode()
    def transcribe(self, samples: np.ndarray, *, sample_rate: int, language: str) -> Transcript:
        """(T,) -> phones."""
        frames = normalised_frames(check_samples(samples), sample_rate=sample_rate)
        batch, lengths = torch.from_numpy(frames)[None], torch.tensor([len(frames)])
        best = self.network(batch, lengths)[0][0].argmax(-1).tolist()
        names = tuple(self.network.config.phones[k - 1] for k in collapse(best))
        return Transcript(" ".join(names), names)
