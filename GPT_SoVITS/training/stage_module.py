"""What the Lightning modules of both stages have in common."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch

from GPT_SoVITS.training.checkpointing import check_fits


class StageModule(pl.LightningModule):
    """A stage in training: its checkpoints are checked, its batches move themselves."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A checkpoint of another network is told in a sentence. (FSDP has read the weights.)"""
        if "state_dict" in checkpoint:
            check_fits(self, checkpoint["state_dict"])

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Our batches move themselves."""
        return batch.to(device)
