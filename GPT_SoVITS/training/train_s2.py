"""What `train_s2.py` runs: config, data, module, fit, export of the talker's second stage."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from GPT_SoVITS.adapters.options import S2LoraOptions
from GPT_SoVITS.checkpoints.format import load_speaker, save_model
from GPT_SoVITS.checkpoints.talker_folder import (
    SPEAKER_FILE,
    copy_atomic,
    feature_folders,
    write_talker,
)
from GPT_SoVITS.checkpoints.tokenizer_file import load_tokenizer
from GPT_SoVITS.features.speaker import SpeakerFeatures
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.discriminators import PERIODS
from GPT_SoVITS.training.conditions import attach_conditions
from GPT_SoVITS.training.config import DataConfig, RunConfig, S2TrainerConfig
from GPT_SoVITS.training.dry_run import Budget
from GPT_SoVITS.training.facts import write_facts
from GPT_SoVITS.training.fit import parse, resume_path, run, trial_of
from GPT_SoVITS.training.listening import listening_to
from GPT_SoVITS.training.lora import LoraSteps, Tuning, labels_of
from GPT_SoVITS.training.prepared import DataError, PreparedData
from GPT_SoVITS.training.s2_data import (
    S2BatchConfig,
    S2Dataset,
    train_loader,
    valid_loader,
)
from GPT_SoVITS.training.s2_module import S2Module, S2OptimizerConfig
from GPT_SoVITS.training.voices import reference_clips
from GPT_SoVITS.training.warm_start import Start, open_start, warm_start

log = logging.getLogger(__name__)
OF_TRAINING = ("p_dropout", "segment_frames", "freeze_quantizer")
OUR_CHOICE = (*OF_TRAINING, "style", "text", "history_turns", "generator")
OF_THE_TOKENS = ("ssl_dim", "semantic_dim", "n_codes")
TOKEN_PARTS = ("semantic_projection.", "quantizer.")
GROUPS: dict[str, type] = {
    "data": DataConfig,
    "run": RunConfig,
    "model": S2Config,
    "batch": S2BatchConfig,
    "optimizer": S2OptimizerConfig,
    "lora": S2LoraOptions,
    "trainer": S2TrainerConfig,
}


def main(arguments: list[str] | None = None) -> Path:
    """Train and export; returns the exported file. Raises `DataError`."""
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
        ours = OF_TRAINING if options.lora.rank else OUR_CHOICE
        config = sizes_of(start_from, config, ours)
        optimizer = dataclasses.replace(optimizer, periods=PERIODS[config.version])
    trainer: S2TrainerConfig = options.trainer
    trial = trial_of(options, Budget("batch.max_frames", options.batch.max_frames))
    pl.seed_everything(options.run.seed, verbose=False)
    turns = config.history_turns if config.hears_history else 0
    speaker = speaker_file(config, options.run.init_from)
    voice = SpeakerFeatures(load_speaker(speaker)[0]) if speaker else None
    dataset, held_out = (
        S2Dataset(data, split, options.batch, history_turns=turns, voice=voice, seed=seed)
        for split, seed in (("train", options.run.seed), ("valid", 0))
    )
    tuning = Tuning.of(options.lora, "s2", start_from, data.symbols, dataset.speaker_of)
    module = (LoraS2Module if tuning else S2Module)(
        config, optimizer, seed=options.run.seed, accumulate=trainer.accumulate
    )
    folder = Path(options.run.folder) / ("s2_lora" if tuning else "s2")
    if start_from is not None:
        own_table = start_from.header.quantizer_id != data.meta["quantizer_id"]
        leave = TOKEN_PARTS if own_table else ()
        if tuning and own_table:
            raise DataError(
                f"lora: {data.folder} has another quantizer than {start_from.path}; prepare it "
                "with the base's tokenizer"
            )
        record = None if trial else folder / "warm_start.json"
        warm_start(module.model, start_from, symbols=data.symbols, leave=leave, record=record)
        judges = Path(options.run.init_from) / "s2d.safetensors"
        if judges.is_file():
            begin = open_start(str(judges), "s2d")
            warm_start(module.discriminator, begin, symbols=data.symbols)
    with torch.no_grad():
        module.model.quantizer.load_state_dict(tokenizer.quantizer.state_dict())
        module.model.semantic_projection.load_state_dict(tokenizer.projection.state_dict())
    if tuning:
        if options.lora.condition:
            attach_conditions(module.model, dataset, tuning.adapters)
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
            dataset, options.data, options.batch, plan, labels=labels_of(tuning, dataset.speaker_of)
        ),
        valid=valid_loader(held_out, options.batch, labels=labels_of(tuning, held_out.speaker_of)),
        resume=resume,
        fine_tuning=start_from is not None,
        listening=listening_to(options.run.init_from, "s2", tuning.adapters_of if tuning else None),
        trial=trial,
        optimizers=2,
    )
    if trial is not None:
        return folder
    talker = Path(options.run.folder) / "talker"
    model: Any = trained.model
    extra = {"steps": trainer.max_steps, "seed": options.run.seed}
    if tuning:
        return tuning.save(model, talker / "adapters", extra=extra)
    settings = {"symbols": data.meta["symbols"], "tags": list(data.meta.get("tags", []))}
    if start_from is not None:  # it hears with the HuBERT its codebook was made for
        settings |= feature_folders(options.run.init_from, seen_from=talker)
    write_talker(
        talker,
        tokenizer=data.tokenizer,
        settings=settings,
        speakers=reference_clips(data),
    )
    if speaker:
        copy_atomic(speaker, talker / SPEAKER_FILE)
    header = data.header(start_from) | {"extra": extra}
    target = talker / "s2.safetensors"
    save_model(target, model, kind="s2", config=config, header=header)
    log.info("wrote %s", target)
    return target


class LoraS2Module(LoraSteps, S2Module):
    """Stage 2 whose adapters learn."""


def speaker_file(config: S2Config, init_from: str) -> Path | None:
    """The speaker network a Pro version takes its vectors from; None for the others.

    Raises `DataError`.
    """
    if not config.is_pro:
        return None
    path = Path(init_from) / SPEAKER_FILE
    if not init_from or not path.is_file():
        raise DataError(
            f"{path}: {config.version} needs the speaker network; import the published file into "
            "the folder of run.init_from: python -m GPT_SoVITS import-checkpoint FILE --output DIR"
        )
    return path


def sizes_of(start: Start, wanted: S2Config, ours: Sequence[str]) -> S2Config:
    """The sizes of the model to start from, with the corpus's tokens and `ours` of the config."""
    values = {name: getattr(wanted, name) for name in (*ours, *OF_THE_TOKENS)}
    rows = max(start.config.n_symbols, wanted.n_symbols)
    config: S2Config = dataclasses.replace(start.config, n_symbols=rows, **values)
    return config
