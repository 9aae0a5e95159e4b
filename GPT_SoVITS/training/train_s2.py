"""What `train_s2.py` runs: config, data, module, fit, export of the talker's second stage."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from GPT_SoVITS.checkpoints.format import save_model
from GPT_SoVITS.checkpoints.talker_folder import write_talker
from GPT_SoVITS.checkpoints.tokenizer_file import load_tokenizer
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.training.config import DataConfig, RunConfig, TrainerConfig
from GPT_SoVITS.training.fit import parse, resume_path, run
from GPT_SoVITS.training.prepared import DataError, PreparedData
from GPT_SoVITS.training.s2_data import (
    S2BatchConfig,
    reference_clips,
    train_loader,
    valid_loader,
)
from GPT_SoVITS.training.s2_module import S2Module, S2OptimizerConfig

log = logging.getLogger(__name__)
GROUPS: dict[str, type] = {
    "data": DataConfig,
    "run": RunConfig,
    "model": S2Config,
    "batch": S2BatchConfig,
    "optimizer": S2OptimizerConfig,
    "trainer": TrainerConfig,
}


def main(arguments: list[str] | None = None) -> Path:
    """Train and export; returns the exported file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parse(__doc__.splitlines()[0], GROUPS, arguments)
    data = PreparedData(options.data.folder)
    if data.tokenizer is None:
        raise DataError(
            f"{data.folder}: no 4_semantic/tokenizer.safetensors; stage 2 trains on the codebook "
            "that step 4 fitted (imported codes alone serve stage 1 only)"
        )
    tokenizer, facts = load_tokenizer(data.tokenizer)
    if facts.quantizer_id != data.meta["quantizer_id"]:
        raise DataError(f"{data.folder}: the tokenizer is not the one the sequences were made with")
    config = dataclasses.replace(
        options.model,
        n_symbols=int(data.meta["n_symbols"]),
        **{k: int(v) for k, v in facts.config.items()},
    )
    trainer: TrainerConfig = options.trainer
    pl.seed_everything(options.run.seed, verbose=False)
    module = S2Module(config, options.optimizer, seed=options.run.seed)
    with torch.no_grad():
        module.model.quantizer.load_state_dict(tokenizer.quantizer.state_dict())
        module.model.semantic_projection.load_state_dict(tokenizer.projection.state_dict())
    folder = Path(options.run.folder) / "s2"
    history_turns = config.history_turns if config.hears_history else 0

    def loader(start: int) -> Any:
        return train_loader(
            data,
            options.data,
            options.batch,
            history_turns=history_turns,
            seed=options.run.seed,
            steps=trainer.max_steps,
            start=start,
        )

    run(
        module,
        folder,
        trainer,
        train=loader,
        valid=valid_loader(data, options.batch, history_turns=history_turns),
        resume=resume_path(options.resume, folder),
        optimizers=2,
        clip=False,
    )
    talker = write_talker(
        Path(options.run.folder) / "talker",
        tokenizer=data.tokenizer,
        settings={"symbols": data.meta["symbols"], "tags": list(data.meta.get("tags", []))},
        speakers=reference_clips(data),
    )
    header = {
        "symbols": data.meta["symbols"],
        "tags": list(data.meta.get("tags", [])),
        "feature": data.meta["feature"],
        "quantizer_id": data.meta["quantizer_id"],
        "source": f"trained on {data.meta.get('name', 'a prepared corpus')}",
        "extra": {"steps": trainer.max_steps, "seed": options.run.seed},
    }
    target = talker / "s2.safetensors"
    save_model(target, module.model, kind="s2", config=config, header=header)
    log.info("wrote %s", target)
    return target
