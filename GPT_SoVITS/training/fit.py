"""One Lightning trainer for both stages, and the command line of the two scripts."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.strategies import DDPStrategy, FSDPStrategy

from GPT_SoVITS.s1_gpt.layer import Layer
from GPT_SoVITS.training.checkpointing import (
    AtomicCheckpointIO,
    SaveEvery,
    check_fits,
    newest,
    step_of,
)
from GPT_SoVITS.training.config import ConfigError, TrainerConfig
from GPT_SoVITS.training.dry_run import Budget, Estimate
from GPT_SoVITS.training.early_stop import EarlyStop
from GPT_SoVITS.training.ema import WeightAverage
from GPT_SoVITS.training.find_lr import FindLr
from GPT_SoVITS.training.learned import DidItLearn
from GPT_SoVITS.training.listening import Listening, ListeningSamples
from GPT_SoVITS.training.progress import MetricsFile, ProgressLine, quiet_lightning
from GPT_SoVITS.training.samplers import StepPlan
from GPT_SoVITS.training.stopping import StopWhenAsked

log = logging.getLogger(__name__)
Trial = Estimate | FindLr


def parse(description: str, groups: dict[str, type], arguments: list[str] | None) -> Namespace:
    """`--config FILE`, dotted overrides for every group, `--resume`; unknown keys are refused."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--config", action="config", help="YAML with differences from defaults")
    parser.add_argument(
        "--resume", default="auto", type=str, help="auto (newest whole), never, or a checkpoint"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="train a few batches, say memory and time, stop"
    )
    parser.add_argument(
        "--find-lr", action="store_true", help="train with a growing rate, suggest one, stop"
    )
    for name, group in groups.items():
        parser.add_argument(f"--{name}", type=group, default=group())
    try:
        parsed: Namespace = parser.instantiate(parser.parse_args(arguments))
    except ValueError as error:  # what a config says of its values
        raise ConfigError(str(error)) from error
    return parsed


def trial_of(options: Namespace, budget: Budget) -> Trial | None:
    """`--dry-run` or `--find-lr`; None for a training that is meant."""
    if options.find_lr:
        return FindLr(options.optimizer.lr)
    return Estimate(options.trainer.max_steps, budget) if options.dry_run else None


def resume_path(resume: str, folder: Path) -> Path | None:
    """What `--resume` means for a run folder. Raises `ConfigError`."""
    if resume == "never":
        return None
    if resume == "auto":
        return newest(folder / "checkpoints")
    path = Path(resume)
    if not path.is_file():
        raise ConfigError(f"--resume {path}: no such checkpoint; use auto, never or a file")
    return path


def start_step(path: Path | None) -> int:
    """Steps already done."""
    return 0 if path is None else step_of(path)


def strategy_of(config: TrainerConfig, gradient_clip: float = 0.0) -> Any:
    """One process, or DDP; a step may leave parameters out (adapters, discriminators)."""
    if config.strategy == "fsdp":
        return sharded(config, gradient_clip)
    if config.devices * config.num_nodes == 1 and config.strategy == "auto":
        return "auto"
    return DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)


def check_machine(config: TrainerConfig) -> None:
    """What the config asks of the machine must be there."""
    if config.accelerator == "cuda" and not torch.cuda.is_available():
        raise ConfigError("trainer.accelerator is cuda, but torch sees no CUDA device; use auto")
    if not config.compile:
        return
    known = torch.compiler.list_backends(exclude_tags=())
    if config.compile not in known:
        raise ConfigError(f"trainer.compile is {config.compile!r}; torch has {', '.join(known)}")


def sharded(config: TrainerConfig, gradient_clip: float) -> FSDPStrategy:
    """FSDP for an s1 too large for one GPU; a checkpoint still holds the whole state.

    Raises `ConfigError`.
    """
    if config.accelerator == "cpu" or not torch.cuda.is_available():
        raise ConfigError("trainer.strategy fsdp needs CUDA devices; use auto on a CPU")
    if gradient_clip:
        raise ConfigError("trainer.strategy fsdp: set trainer.gradient_clip 0 (norms are sharded)")
    if config.accumulate > 1:
        raise ConfigError("trainer.strategy fsdp: set trainer.accumulate 1, or use more devices")
    return FSDPStrategy(auto_wrap_policy={Layer}, state_dict_type="full")


def run(
    module: pl.LightningModule,
    folder: Path,
    config: TrainerConfig,
    *,
    seed: int,
    train: Callable[[StepPlan], Any],
    valid: Any,
    resume: Path | None,
    optimizers: int = 1,
    gradient_clip: float = 0.0,
    fine_tuning: bool = False,
    listening: Listening | None = None,
    trial: Trial | None = None,
) -> pl.LightningModule:
    """Fit to `max_steps` batches; `train(plan)` gives the loader of the steps of a plan.

    Returns the module whose weights are to be exported.
    A trial trains some batches, says what it found and writes nothing.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    check_machine(config)
    if config.compile:
        network: Any = module.get_submodule("model")
        network.compile(backend=config.compile, dynamic=True)  # names of the weights stay
    average = WeightAverage(config.ema) if config.ema else None
    start, steps = start_step(resume), config.max_steps
    if trial is not None:
        resume, start, steps = None, 0, trial.batches
    if start >= steps:
        log.info("%s: already at step %d of %d", folder, start, steps)
        _restore(module, resume, average)
        return module
    quiet_lightning()
    whole = copy.deepcopy(module) if config.strategy == "fsdp" else module
    saver = SaveEvery(folder / "checkpoints", config.save_every, start=start)
    trainer = pl.Trainer(
        accelerator={"cuda": "gpu"}.get(config.accelerator, config.accelerator),
        devices=config.devices,
        num_nodes=config.num_nodes,
        strategy=strategy_of(config, gradient_clip),
        precision=config.precision,  # type: ignore[arg-type]
        max_steps=steps * optimizers,
        max_epochs=1,
        val_check_interval=min(config.validate_every, steps),
        limit_val_batches=1 if trial else config.max_valid_batches,
        num_sanity_val_steps=0,
        gradient_clip_val=gradient_clip or None,
        log_every_n_steps=config.log_every,
        use_distributed_sampler=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        plugins=[AtomicCheckpointIO()],
        logger=False if trial else TensorBoardLogger(folder, name="", version="tensorboard"),
        callbacks=[trial, ProgressLine(folder.name)]
        if trial
        else [
            *([average] if average else []),
            *([DidItLearn(folder / "learned.json", valid)] if fine_tuning else []),
            *([ListeningSamples(folder / "samples", listening)] if listening else []),
            *([EarlyStop(config.patience)] if config.patience else []),
            # A step's line is written before its checkpoint: who resumes there finds it.
            MetricsFile(folder / "metrics.jsonl", config.log_every, start=start),
            saver,
            ProgressLine(folder.name),
            StopWhenAsked(saver),
        ],
    )
    if resume is not None:
        log.info("resuming from %s", resume)
    plan = StepPlan(
        seed, steps, start, trainer.global_rank, trainer.world_size, overfit=config.overfit
    )
    trainer.fit(
        module,
        train_dataloaders=train(plan),
        val_dataloaders=valid,
        ckpt_path=None if resume is None else str(resume),
        weights_only=True,
    )
    if config.strategy == "fsdp" and not trial:  # the module's own weights are shards now
        trainer.strategy.barrier()
        _restore(whole, newest(folder / "checkpoints"), average)
    return whole


def _restore(
    module: pl.LightningModule, checkpoint: Path | None, average: WeightAverage | None
) -> None:
    """The weights a finished run would export."""
    state = AtomicCheckpointIO().load_checkpoint(checkpoint)
    check_fits(module, state["state_dict"])
    module.load_state_dict(state["state_dict"])
    if average is not None:
        average.load_state_dict(state["callbacks"][average.state_key])
        average.put_into(module)
