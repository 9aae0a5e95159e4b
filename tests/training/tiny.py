"""Arguments of trainings that take a second: networks of a few thousand weights."""

from __future__ import annotations

from pathlib import Path

S1_MODEL = ["--model.hidden_dim=16", "--model.n_head=2", "--model.n_layer=1"]
S1_MODEL += ["--model.use_roles=true", "--model.max_turn_distance=2", "--batch.max_columns=1200"]
S2_MODEL = [
    "--model.inter_channels=16",
    "--model.hidden_channels=16",
    "--model.filter_channels=16",
    "--model.n_layers=2",
    "--model.mrte_channels=16",
    "--model.posterior_layers=1",
    "--model.flow_layers=1",
    "--model.gin_channels=16",
    "--model.reference_hidden=8",
    "--model.upsample_initial_channel=32",
    "--model.resblock_kernel_sizes=[3]",
    "--model.resblock_dilations=[1]",
    "--model.segment_frames=8",
    "--model.style=on",
    "--model.text=gated",
    "--optimizer.discriminator_width=0.03125",
    "--optimizer.periods=[2,3]",
    "--batch.max_turns=2",
]


def arguments(stage: str, data: Path, run: Path, steps: int) -> list[str]:
    """Everything a tiny training of `stage` needs."""
    common = ["--data.folder", str(data), "--run.folder", str(run), "--resume=auto"]
    common += [f"--trainer.max_steps={steps}", "--trainer.save_every=2", "--trainer.log_every=1"]
    common += [f"--trainer.validate_every={steps}", "--trainer.accelerator=cpu"]
    common += ["--trainer.max_valid_batches=1"]
    return common + (S1_MODEL if stage == "s1" else S2_MODEL)
