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
from GPT_SoVITS.s2_vits.discriminators import PERIODS
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
from GPT_SoVITS.training.warm_start import Start, open_start, warm_start

log = logging.getLogger(__name__)
OUR_CHOICE = ("p_dropout", "segment_frames", "freeze_quantizer", "style", "text", "history_turns")
OF_THE_TOKENS = ("ssl_dim", "semantic_dim", "n_codes")
TOKEN_PARTS = ("semantic_projection.", "quantizer.")
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
    start_from = open_start(options.run.init_from, "s2") if options.run.init_from else None
    optimizer: S2OptimizerConfig = options.optimizer
    if start_from is not None:
        config = sizes_of(start_from, config)
        optimizer = dataclasses.replace(optimizer, periods=PERIODS[config.version])
    trainer: TrainerConfig = options.trainer
    pl.seed_everything(options.run.seed, verbose=False)
    module = S2Module(config, optimizer, seed=options.run.seed)
    if start_from is not None:
        own_table = start_from.header.quantizer_id != data.meta["quantizer_id"]
        leave = TOKEN_PARTS if own_table else ()
        record = Path(options.run.folder) / "s2" / "warm_start.json"
        warm_start(module.model, start_from, symbols=data.symbols, leave=leave, record=record)
        judges = Path(options.run.init_from) / "s2d.safetensors"
        if judges.is_file():
            begin = open_start(str(judges), "s2d")
            warm_start(module.discriminator, begin, symbols=data.symbols)
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
        "source": data.source_of(start_from),
        "licence": start_from.header.licence if start_from else "",
        "extra": {"steps": trainer.max_steps, "seed": options.run.seed},
    }
    target = talker / "s2.safetensors"
    save_model(target, module.model, kind="s2", config=config, header=header)
    log.info("wrote %s", target)
    return target


def sizes_of(start: Start, wanted: S2Config) -> S2Config:
    """The sizes of the model to start from, with the corpus's tokens and our conversation parts."""
    if start.config.is_pro:
        raise DataError(
            f"{start.path}: {start.config.version} needs a speaker vector for every turn, which "
            "prepared data does not hold; fine-tune v1 or v2"
        )
    ours = {name: getattr(wanted, name) for name in (*OUR_CHOICE, *OF_THE_TOKENS)}
    rows = max(start.config.n_symbols, wanted.n_symbols)
    return dataclasses.replace(start.config, n_symbols=rows, **ours)
