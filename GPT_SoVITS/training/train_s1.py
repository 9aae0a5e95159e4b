"""What `train_s1.py` runs: config, data, module, fit, export."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from GPT_SoVITS.checkpoints.format import save_model
from GPT_SoVITS.dialogue.history import HistoryDropout
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.training.config import DataConfig, RunConfig, TrainerConfig
from GPT_SoVITS.training.fit import parse, resume_path, run
from GPT_SoVITS.training.prepared import PreparedData
from GPT_SoVITS.training.s1_data import BatchConfig, train_loader, valid_loader
from GPT_SoVITS.training.s1_module import S1Module, S1OptimizerConfig
from GPT_SoVITS.training.warm_start import Start, open_start, warm_start

log = logging.getLogger(__name__)
OUR_CHOICE = ("dropout", "embedding_dropout", "use_roles", "max_turn_distance")
GROUPS: dict[str, type] = {
    "data": DataConfig,
    "run": RunConfig,
    "model": S1Config,
    "layout": LayoutConfig,
    "history_dropout": HistoryDropout,
    "batch": BatchConfig,
    "optimizer": S1OptimizerConfig,
    "trainer": TrainerConfig,
}


def main(arguments: list[str] | None = None) -> Path:
    """Train and export; returns the exported file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parse(__doc__.splitlines()[0], GROUPS, arguments)
    data = PreparedData(options.data.folder)
    config = dataclasses.replace(options.model, phoneme_vocab_size=int(data.meta["n_symbols"]))
    start_from = open_start(options.run.init_from, "s1") if options.run.init_from else None
    if start_from is not None:
        config = sizes_of(start_from, config)
    pl.seed_everything(options.run.seed, verbose=False)
    trainer: TrainerConfig = options.trainer
    module = S1Module(
        config,
        options.optimizer,
        mask=options.layout.mask,
        total_steps=trainer.max_steps,
        seed=options.run.seed,
    )
    folder = Path(options.run.folder) / "s1"
    if start_from is not None:
        record = folder / "warm_start.json"
        warm_start(module.model, start_from, symbols=data.symbols, record=record)

    def loader(start: int) -> Any:
        return train_loader(
            data,
            options.data,
            options.batch,
            options.layout,
            options.history_dropout,
            seed=options.run.seed,
            steps=trainer.max_steps,
            start=start,
        )

    run(
        module,
        folder,
        trainer,
        train=loader,
        valid=valid_loader(data, options.batch, options.layout),
        resume=resume_path(options.resume, folder),
    )
    target = Path(options.run.folder) / "talker" / "s1.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "symbols": data.meta["symbols"],
        "tags": list(data.meta.get("tags", [])),
        "feature": data.meta["feature"],
        "quantizer_id": data.meta["quantizer_id"],
        "layout": dataclasses.asdict(options.layout),
        "source": data.source_of(start_from),
        "licence": start_from.header.licence if start_from else "",
        "extra": {"steps": trainer.max_steps, "seed": options.run.seed},
    }
    save_model(target, module.model, kind="s1", config=config, header=header)
    log.info("wrote %s", target)
    return target


def sizes_of(start: Start, wanted: S1Config) -> S1Config:
    """The sizes of the model to start from, with our dropout and conversation parts."""
    ours = {name: getattr(wanted, name) for name in OUR_CHOICE}
    rows = max(start.config.phoneme_vocab_size, wanted.phoneme_vocab_size)
    return dataclasses.replace(start.config, phoneme_vocab_size=rows, **ours)
