"""Load a network from our own file or from a published one; never runs what it reads.

model, header = load_s1("runs/demo/talker/s1.safetensors")
model, header = load_s2("s2G2333k.pth")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from GPT_SoVITS.checkpoints import format as own
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.header import ModelHeader
from GPT_SoVITS.checkpoints.import_ import Imported, import_file
from GPT_SoVITS.checkpoints.zip_check import HEADER_DIGITS

if TYPE_CHECKING:
    from GPT_SoVITS.nn.eres2net import ERes2NetV2
    from GPT_SoVITS.s1_gpt.model import SemanticGPT
    from GPT_SoVITS.s2_vits.discriminators import MultiPeriodDiscriminator
    from GPT_SoVITS.s2_vits.model import ConversationalVITS


def load_s1(path: str | Path) -> tuple[SemanticGPT, ModelHeader]:
    """The semantic GPT, in eval mode on the CPU."""
    return _published(path, kind="s1") if is_published(path) else own.load_s1(path)


def load_s2(path: str | Path) -> tuple[ConversationalVITS, ModelHeader]:
    """The synthesiser, in eval mode on the CPU."""
    return _published(path, kind="s2") if is_published(path) else own.load_s2(path)


def is_published(path: str | Path) -> bool:
    """Starts like a PyTorch zip, with "PK" or two digits; our own files start with a length.

    Raises `CheckpointError`.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    with path.open("rb") as file:
        start = file.read(4)
    return start[2:] == b"\x03\x04" and start[:2] in HEADER_DIGITS | {b"PK"}


def load_speaker(path: str | Path) -> tuple[ERes2NetV2, ModelHeader]:
    """The speaker network of v2Pro and v2ProPlus, in eval mode on the CPU."""
    return _published(path, kind="sv") if is_published(path) else own.load_speaker(path)


def load_discriminators(path: str | Path) -> tuple[MultiPeriodDiscriminator, ModelHeader]:
    """The discriminators that go on with a fine-tuning, in eval mode on the CPU."""
    return _published(path, kind="s2d") if is_published(path) else own.load_discriminators(path)


def _published(path: str | Path, *, kind: str) -> Any:
    found = import_file(path)
    if found.header.kind != kind:
        raise CheckpointError(f"{path}: holds an {found.header.kind} model where {kind} is wanted")
    return network_of(found, path=path), found.header


def network_of(found: Imported, *, path: str | Path) -> Any:
    """An imported file as a network in fp32, in eval mode."""
    model = own.build_model(found.header.kind, found.header.config, path=path)
    model.load_state_dict(found.tensors, strict=not found.header.absent)
    return model.eval()
