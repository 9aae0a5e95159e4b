"""What `train_s1.py` runs: config, data, module, fit, export."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from GPT_SoVITS.adapters.options import S1LoraOptions
from GPT_SoVITS.checkpoints.format import save_model
from GPT_SoVITS.checkpoints.talker_folder import feature_folders
from GPT_SoVITS.dialogue.history import HistoryDropout
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.training.config import DataConfig, RunConfig, S1TrainerConfig
from GPT_SoVITS.training.dry_run import Budget
from GPT_SoVITS.training.facts import write_facts
from GPT_SoVITS.training.fit import parse, resume_path, run, trial_of
from GPT_SoVITS.training.listening import listening_to
from GPT_SoVITS.training.lora import LoraSteps, Tuning, labels_of
from GPT_SoVITS.training.prepared import PreparedData
from GPT_SoVITS.training.s1_data import BatchConfig, S1Dataset, train_loader, valid_loader
from GPT_SoVITS.training.s1_module import S1Module, S1OptimizerConfig
from GPT_SoVITS.training.warm_start import Start, open_start, warm_start

log = logging.getLogger(__name__)
DROPOUT = ("dropout", "embedding_dropout", "token_dropout")
OUR_CHOICE = (*DROPOUT, "use_roles", "max_turn_distance")
GROUPS: dict[str, type] = {
    "data": DataConfig,
    "run": RunConfig,
    "model": S1Config,
    "layout": LayoutConfig,
    "history_dropout": HistoryDropout,
    "batch": BatchConfig,
    "optimizer": S1OptimizerConfig,
    "lora": S1LoraOptions,
    "trainer": S1TrainerConfig,
}


def main(arguments: list[str] | None = None) -> Path:
    """Train and export; returns the exported file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parse(__doc__.splitlines()[0], GROUPS, arguments)
    data = PreparedData(options.data.folder)
    config = dataclasses.replace(options.model, phoneme_vocab_size=int(data.meta["n_symbols"]))
    start_from = open_start(options.run.init_from, "s1") if options.run.init_from else None
    if start_from is not None:
        ours = DROPOUT if options.lora.rank else OUR_CHOICE
        config = sizes_of(start_from, config, ours)
        data.check_tokens(start_from, adapters=bool(options.lora.rank))
    pl.seed_everything(options.run.seed, verbose=False)
    bert = data.bert(options.data.bert)
    begun = options.run.init_from
    if bert is None and begun and "bert" in feature_folders(begun, seen_from=Path()):
        log.warning(
            "%s has no BERT features, which %s has learnt to expect of Chinese text: run "
            "`python -m prepare_datasets.bert_features --folder %s --bert DIR`",
            data.folder,
            begun,
            data.folder,
        )
    dataset = S1Dataset(
        data.manifest("s1", "train"),
        options.layout,
        dropout=options.history_dropout,
        bert=bert,
        seed=options.run.seed,
    )
    held_out = S1Dataset(data.manifest("s1", "valid"), options.layout, bert=bert)
    tuning = Tuning.of(options.lora, "s1", start_from, data.symbols, dataset.speakers)
    trainer: S1TrainerConfig = options.trainer
    trial = trial_of(options, Budget("batch.max_columns", options.batch.max_columns))
    module = (LoraS1Module if tuning else S1Module)(
        config,
        options.optimizer,
        mask=options.layout.mask,
        total_steps=trainer.max_steps,
        seed=options.run.seed,
        accumulate=trainer.accumulate,
    )
    folder = Path(options.run.folder) / ("s1_lora" if tuning else "s1")
    if start_from is not None:
        record = None if trial else folder / "warm_start.json"
        warm_start(module.model, start_from, symbols=data.symbols, record=record)
    if tuning:
        tuning.attach(module.model)
    resume = resume_path(options.resume, folder)
    if trial is None:
        groups = {name: options[name] for name in GROUPS}
        write_facts(folder, groups, data, resumed=resume is not None)
    trained = run(
        module,
        folder,
        trainer,
        seed=options.run.seed,
        train=lambda plan: train_loader(
            dataset, options.data, options.batch, plan, labels=labels_of(tuning, dataset.speakers)
        ),
        valid=valid_loader(held_out, options.batch, labels=labels_of(tuning, held_out.speakers)),
        resume=resume,
        fine_tuning=start_from is not None,
        listening=listening_to(options.run.init_from, "s1", tuning.adapters_of if tuning else None),
        trial=trial,
        gradient_clip=trainer.gradient_clip,
    )
    if trial is not None:
        return folder
    talker = Path(options.run.folder) / "talker"
    model: Any = trained.model
    extra = {"steps": trainer.max_steps, "seed": options.run.seed}
    if tuning:
        return tuning.save(model, talker / "adapters", extra=extra)
    target = talker / "s1.safetensors"
    layout = dataclasses.asdict(options.layout)
    header = data.header(start_from) | {"layout": layout, "extra": extra}
    save_model(target, model, kind="s1", config=config, header=header)
    log.info("wrote %s", target)
    return target


class LoraS1Module(LoraSteps, S1Module):
    """Stage 1 whose adapters learn."""


def sizes_of(start: Start, wanted: S1Config, ours: Sequence[str]) -> S1Config:
    """The sizes of the model to start from, with `ours` of the config's values."""
    values = {name: getattr(wanted, name) for name in ours}
    rows = max(start.config.phoneme_vocab_size, wanted.phoneme_vocab_size)
    config: S1Config = dataclasses.replace(start.config, phoneme_vocab_size=rows, **values)
    return config
