"""Stage 2 data: turns with sound, a reference in the same voice, and the history's turns."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from GPT_SoVITS.audio.constants import HOP_LENGTH, N_FFT
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.dialogue.layout import roles, user_of
from GPT_SoVITS.features.speaker import SpeakerFeatures
from GPT_SoVITS.s2_vits.batch import S2Batch
from GPT_SoVITS.s2_vits.history import PastTurn, collate_history
from GPT_SoVITS.training.config import ConfigError, DataConfig
from GPT_SoVITS.training.loaders import Labels, pass_loader, step_loader
from GPT_SoVITS.training.prepared import DataError, PreparedData, read_line
from GPT_SoVITS.training.samplers import StepPlan
from GPT_SoVITS.training.voices import medoids

VECTORS_KEPT = 2048
REFERENCES = ("self", "other_turn", "medoid", "mix", "other_voice")


@dataclass(frozen=True)
class S2BatchConfig:
    """Size of a stage 2 batch and where the voice comes from."""

    max_frames: int = 2400
    """Longest turn x turns in a batch, in frames (50 per second)."""
    max_turns: int = 8
    """Turns in a batch, at most."""
    reference: Literal["self", "other_turn", "medoid", "mix", "other_voice"] = "other_turn"
    """self: the target's own sound (upstream); other_turn: the speaker's latest turn in the
    history, else any other; medoid: its latest turn, else the one speakers.json names, as inference
    does; mix: self or other_turn, by a coin. other_voice: a turn of someone else, so that an
    adapter learns to carry its voice whatever the reference."""
    max_reference_frames: int = 300
    """Frames (50 per second) of a reference, at most."""
    cache_seconds: float = 1800.0
    """Decoded sound kept in memory by each loader."""

    def __post_init__(self) -> None:
        for name in ("max_frames", "max_turns", "max_reference_frames"):
            if getattr(self, name) < 1:
                raise ConfigError(f"batch.{name} is {getattr(self, name)}; use 1 or more")
        if self.reference not in REFERENCES:
            raise ConfigError(f"batch.reference is {self.reference!r}: {', '.join(REFERENCES)}")


@dataclass(frozen=True)
class S2Item:
    """One turn: wave (640 F,), codes (F / 2,), phonemes (X,), reference wave (R,), past turns."""

    wave: np.ndarray
    codes: np.ndarray
    phonemes: np.ndarray
    reference: np.ndarray
    history: tuple[PastTurn, ...] = ()
    vector: np.ndarray | None = None
    """Speaker vector (20480,) of the reference; Pro versions only."""
    learnt: bool = True
    """False: a row that only fills a rank's empty batch; collated with length 0."""


class S2Dataset(Dataset[Any]):
    """Turns of the manifest; the reference of a sample is drawn from hash(seed, epoch, id)."""

    def __init__(
        self,
        data: PreparedData,
        split: str,
        config: S2BatchConfig,
        *,
        history_turns: int = 0,
        voice: SpeakerFeatures | None = None,
        seed: int = 0,
    ) -> None:
        self.folder, self.config, self.seed = data.folder, config, seed
        self.history_turns, self.voice = history_turns, voice
        self.manifest = data.manifest("s2", split)
        self.offsets: list[int] = []
        self.speakers: dict[str, list[int]] = {}
        self.speaker_of: list[str] = []
        self.index_of: dict[str, int] = {}
        lengths, offset = [], 0
        with self.manifest.open("rb") as file:
            for line in file:
                record = _parsed(line)
                self.speakers.setdefault(record["speaker"], []).append(len(self.offsets))
                self.speaker_of.append(record["speaker"])
                self.index_of[record["id"]] = len(self.offsets)
                self.offsets.append(offset)
                lengths.append(2 * len(record["codes"]))
                offset += len(line)
        self.lengths = np.asarray(lengths, dtype=np.int64)
        # Turns that are only referred to have the places behind those of the manifest.
        found = medoids(data) if config.reference == "medoid" else {}
        self.apart = list(found.values())
        self.medoid_of = {name: len(self) + place for place, name in enumerate(found)}
        self._cache: OrderedDict[str, np.ndarray] = OrderedDict()
        self._cached_samples = 0
        self._vectors: OrderedDict[int, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return len(self.offsets)

    def record(self, index: int) -> dict[str, Any]:
        """The manifest's line."""
        if index >= len(self):
            return self.apart[index - len(self)]
        return read_line(self.manifest, self.offsets[index])

    def wave(self, record: dict[str, Any]) -> np.ndarray:
        """Sound of a turn (T,), exactly 1280 samples per code; a missing file is an error."""
        name = record["audio"]
        if name in self._cache:
            self._cache.move_to_end(name)
            return self._cache[name]
        samples = load_audio(self.folder / name)
        wanted = 2 * HOP_LENGTH * len(record["codes"])
        if len(samples) < wanted - 4 * HOP_LENGTH:
            raise DataError(f"{self.folder / name}: shorter than its {len(record['codes'])} codes")
        samples = np.pad(samples[:wanted], (0, max(0, wanted - len(samples))))
        self._cache[name] = samples
        self._cached_samples += len(samples)
        while self._cached_samples > self.config.cache_seconds * 32000 and len(self._cache) > 1:
            self._cached_samples -= len(self._cache.popitem(last=False)[1])
        return samples

    def __getitem__(self, key: tuple[int, int] | int) -> S2Item:
        epoch, place = key if isinstance(key, tuple) else (0, key)
        index = place if place >= 0 else -1 - place
        record = self.record(index)
        wave = self.wave(record)
        past = [self.index_of[turn] for turn in record["history"] if turn in self.index_of]
        other = self._reference_of(index, past, epoch)
        reference = wave if other == index else self.wave(self.record(other))
        if len(reference) < N_FFT:
            other, reference = index, wave
        reference = reference[: self.config.max_reference_frames * HOP_LENGTH]
        return S2Item(
            wave=wave,
            codes=np.asarray(record["codes"], dtype=np.int64),
            phonemes=np.asarray(record["phonemes"], dtype=np.int64),
            reference=reference,
            history=self._history_of(index, past),
            vector=None if self.voice is None else self._vector(other, reference),
            learnt=place >= 0,
        )

    def _vector(self, index: int, reference: np.ndarray) -> np.ndarray:
        """Speaker vector of a turn's reference; the latest ones are kept (80 KB each)."""
        assert self.voice is not None
        if index not in self._vectors:
            self._vectors[index] = self.voice(reference)
            while len(self._vectors) > VECTORS_KEPT:
                self._vectors.popitem(last=False)
        self._vectors.move_to_end(index)
        return self._vectors[index]

    def _history_of(self, index: int, past: list[int]) -> tuple[PastTurn, ...]:
        """The latest turns before one, with the roles the session would give them."""
        latest = past[len(past) - min(self.history_turns, len(past)) :]
        agent, names = self.speaker_of[index], [self.speaker_of[i] for i in latest]
        user = user_of([self.speaker_of[i] for i in past], agent)
        turns = []
        for distance, i, role in zip(
            range(len(latest), 0, -1), latest, roles(names, agent, user=user)
        ):
            record = self.record(i)
            phonemes = np.asarray(record["phonemes"], dtype=np.int64)
            turns.append(PastTurn(phonemes, self.wave(record), role, distance))
        return tuple(turns)

    def _reference_of(self, index: int, past: list[int], epoch: int) -> int:
        """The speaker's latest earlier turn, else the medoid or another (itself if none)."""
        digest = hashlib.blake2b(f"{self.seed}:{epoch}:{index}".encode(), digest_size=8).digest()
        draw = int.from_bytes(digest, "big")
        if self.config.reference == "self" or (self.config.reference == "mix" and draw & 1):
            return index
        if self.config.reference == "other_voice":
            return self._other_voice(index, draw)
        own = [i for i in past if self.speaker_of[i] == self.speaker_of[index]]
        if own:
            return own[-1]
        medoid = self.medoid_of.get(self.speaker_of[index])
        if medoid is not None and self.record(medoid)["id"] != self.record(index)["id"]:
            return medoid
        others = [i for i in self.speakers[self.speaker_of[index]] if i != index]
        return others[(draw >> 1) % len(others)] if others else index

    def _other_voice(self, index: int, draw: int) -> int:
        """A turn of someone else; the turn itself where there is only one voice."""
        if len(self.speakers) == 1:
            return index
        place = draw % len(self)
        while self.speaker_of[place] == self.speaker_of[index]:
            draw = (draw * 6364136223846793005 + 1442695040888963407) % 2**64  # Knuth's MMIX
            place = (draw >> 17) % len(self)
        return place


def collate_turns(items: list[S2Item]) -> S2Batch:
    """Pad with zeros; spectrograms are computed from the padded waves where the model is.

    `spectrogram` and `reference` hold waves (B, T) here; `S2Module` turns them into spectrograms.
    """
    wave = _pad([item.wave for item in items])
    reference = _mirrored([item.reference for item in items], least=N_FFT)
    vectors = [item.vector for item in items if item.vector is not None]
    return S2Batch(
        spectrogram=_mirrored([item.wave for item in items]),
        spectrogram_lengths=torch.tensor([i.learnt * len(i.wave) // HOP_LENGTH for i in items]),
        phoneme_ids=_pad([item.phonemes for item in items]),
        phoneme_lengths=torch.tensor([len(i.phonemes) for i in items]),
        codes=_pad([item.codes for item in items]),
        wave=wave,
        reference=reference,
        reference_lengths=torch.tensor([len(i.reference) // HOP_LENGTH for i in items]),
        speaker_vectors=torch.from_numpy(np.stack(vectors)) if vectors else None,
        history=collate_history([item.history for item in items]),
    )


def _pad(arrays: list[np.ndarray], least: int = 1) -> Tensor:
    size = max(least, max(len(a) for a in arrays))
    out = np.zeros((len(arrays), size), dtype=arrays[0].dtype)
    for row, array in zip(out, arrays):
        row[: len(array)] = array
    return torch.from_numpy(out)


def _mirrored(waves: list[np.ndarray], least: int = 1) -> Tensor:
    """Padded with the mirror image of each end first, as the spectrogram of the row alone would be.

    row alone   a b c d | c b     batch   a b c d c b 0 0     frames of a row never depend on the
                                          e f g h i j k l     rows beside it
    """
    out = _pad(waves, least)
    for row, wave in zip(out, waves):
        room = min(N_FFT, len(row) - len(wave), len(wave) - 1)
        if room > 0:
            row[len(wave) : len(wave) + room] = torch.from_numpy(wave[-2 : -2 - room : -1].copy())
    return out


def _parsed(line: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(line)
    return fields


def train_loader(
    dataset: S2Dataset,
    config: DataConfig,
    batch: S2BatchConfig,
    plan: StepPlan,
    *,
    labels: Labels | None = None,
) -> DataLoader[Any]:
    """Batches for the plan's steps."""
    return step_loader(
        dataset,
        collate_turns,
        plan,
        lengths=lambda epoch: dataset.lengths,
        budget=batch.max_frames,
        max_batch=batch.max_turns,
        workers=config.num_workers,
        labels=labels,
    )


def valid_loader(
    dataset: S2Dataset, batch: S2BatchConfig, *, labels: Labels | None = None
) -> DataLoader[Any]:
    """Every validation turn once, in order."""
    return pass_loader(dataset, collate_turns, size=min(4, batch.max_turns), labels=labels)
