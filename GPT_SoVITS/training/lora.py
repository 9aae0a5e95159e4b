"""LoRA in both trainings: which voices get an adapter, what is frozen, which files come out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from GPT_SoVITS.adapters.file import Adapter, AdapterHeader, fingerprint, save_adapter
from GPT_SoVITS.adapters.lora import activate, extract, inject
from GPT_SoVITS.adapters.options import LoraOptions, adapter_name
from GPT_SoVITS.adapters.rows import PHONEME_TABLES, TrainableRows, train_rows
from GPT_SoVITS.text import SymbolTable
from GPT_SoVITS.training.prepared import DataError
from GPT_SoVITS.training.warm_start import Start

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tuning:
    """The adapters of a run on one base."""

    kind: str
    options: LoraOptions
    start: Start
    symbols: SymbolTable
    adapters: dict[str, str]
    """adapter -> speaker; an empty speaker is everyone"""

    @classmethod
    def of(
        cls,
        options: LoraOptions,
        kind: str,
        start: Start | None,
        symbols: SymbolTable,
        speakers: Sequence[str],
    ) -> Tuning | None:
        """What the options ask for, None where they ask for no adapter. Raises `DataError`."""
        if not options.rank:
            return None
        if start is None:
            raise DataError("lora: name the base model with run.init_from (a talker folder)")
        _check_symbols(start.symbols, symbols)
        return cls(kind, options, start, symbols, choose_voices(options, speakers))

    def labels(self, speakers: Iterable[str]) -> list[str | None]:
        """The adapter of every sample, None where no adapter learns it."""
        everyone = next((name for name, speaker in self.adapters.items() if not speaker), None)
        of_speaker = {speaker: name for name, speaker in self.adapters.items()}
        return [of_speaker.get(speaker, everyone) for speaker in speakers]

    def attach(self, model: nn.Module) -> None:
        """Freeze the model but for its adapters and the rows of new symbols. Raises `DataError`."""
        inject(model, self.options, kind=self.kind, names=list(self.adapters))
        first, n = len(self.start.symbols), len(self.symbols) - len(self.start.symbols)
        if n:
            train_rows(model, self.kind, first, n)
        learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
        if not learning:
            raise DataError("lora: no targets and no new symbols; there is nothing to train")
        log.info("lora: %d adapters, %d numbers learn", len(self.adapters), learning)

    def adapters_of(
        self, model: nn.Module, extra: Mapping[str, Any] | None = None
    ) -> dict[str, Adapter]:
        """{name: adapter} as they are now."""
        table = model.get_submodule(PHONEME_TABLES[self.kind])
        rows = {"rows": table.rows.detach()} if isinstance(table, TrainableRows) else {}
        base = fingerprint(self.start.tensors)
        found = {}
        for name, speaker in self.adapters.items():
            header = AdapterHeader(
                kind=self.kind,
                name=name,
                scale=self.options.alpha / self.options.rank,
                base=base,
                symbols=self.symbols.version,
                tags=self.symbols.tags,
                first_row=len(self.start.symbols) if rows else 0,
                speaker=speaker,
                extra=extra or {},
            )
            found[name] = Adapter(header, extract(model, name) | rows)
        return found

    def save(self, model: nn.Module, folder: Path, *, extra: dict[str, Any]) -> Path:
        """`<folder>/<adapter>/<kind>.safetensors` for every adapter; returns the folder."""
        for name, adapter in self.adapters_of(model, extra).items():
            path = folder / name / f"{self.kind}.safetensors"
            save_adapter(path, adapter)
            log.info("wrote %s (%d numbers)", path, adapter.n_parameters)
        return folder


def choose_voices(options: LoraOptions, speakers: Sequence[str]) -> dict[str, str]:
    """One adapter, or one per wanted speaker; an unknown speaker is an error that lists all."""
    if not options.speakers:
        return {adapter_name(options.name): ""}
    known = sorted(set(speakers))
    wanted = known if options.speakers == ("*",) else options.speakers
    unknown = [speaker for speaker in wanted if speaker not in known]
    if unknown:
        raise DataError(f"lora.speakers {unknown}: the corpus has {', '.join(known)}")
    return {adapter_name(speaker): speaker for speaker in wanted}


def labels_of(tuning: Tuning | None, speakers: Sequence[str]) -> list[str | None] | None:
    """Labels for a loader, None where the whole model learns."""
    return None if tuning is None else tuning.labels(speakers)


def _check_symbols(old: SymbolTable, new: SymbolTable) -> None:
    """The base's symbols must come first in the corpus's table."""
    if new.names[: len(old)] != old.names:
        raise DataError(
            f"lora: the corpus's symbols {new!r} do not begin with the base's {old!r}; prepare it "
            "with the same symbols and with the base's tags first"
        )


class LoraSteps:
    """Mixin before a Lightning module: every `Labelled` batch meets its own adapter."""

    model: Any

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        """One step of the batch's adapter."""
        activate(self.model, batch.label)
        return super().training_step(batch.batch, batch_idx)  # type: ignore[misc]

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        """With the batch's adapter."""
        activate(self.model, batch.label)
        return super().validation_step(batch.batch, batch_idx)  # type: ignore[misc]

    def probe(self, batch: Any) -> Any:
        """With the batch's adapter."""
        activate(self.model, batch.label)
        return super().probe(batch.batch)  # type: ignore[misc]
