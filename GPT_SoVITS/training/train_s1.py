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

log = logging.getLogger(__name__)
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
        "source": f"trained on {data.meta.get('name', 'a prepared corpus')}",
        "extra": {"steps": trainer.max_steps, "seed": options.run.seed},
    }
    save_model(target, module.model, kind="s1", config=config, header=header)
    log.info("wrote %s", target)
    return target
