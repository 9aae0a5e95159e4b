"""Which check a file of vectors asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from torch import Tensor

from tests.vectors import optimiser, s1, s1_more, s2, s2_more, s2_parts, speaker
from tests.vectors.compare import Row, compare
from tests.vectors.folder import Folder, Vectors

Check = Callable[[Vectors], dict[str, Tensor]]
BY_KIND: dict[str, Check] = {
    "s1": s1_more.utterance,
    "s1_dialogue": s1_more.dialogue,
    "s1_ckpt": s1_more.checkpoint,
    "s2_ckpt": s2_more.checkpoint,
    "s2_whole": s2_more.whole,
    "s2_components": s2_parts.components,
    "s2_discriminator": s2_more.discriminators,
    "s2_losses_mel": s2_more.losses,
    "eres2netv2": speaker.network,
    "scaled_adam": optimiser.scaled_adam,
}


def check_of(v: Vectors) -> Check:
    """By the metadata's kind (nn_more), else by manifest and inputs (nn)."""
    if "kind" in v.config:
        return BY_KIND[v.config["kind"]]
    manifest = str(v.meta.get("manifest", ""))
    if manifest.startswith("s1"):
        return s1.utterance if v.get("phoneme_ids") is not None else s1.dialogue
    if manifest.startswith("s2g"):
        return s2.synthesiser
    if manifest.startswith("s2d"):
        return s2.discriminators
    if manifest.startswith("eres2net"):
        return speaker.network
    if v.names("in/grad_"):
        return optimiser.scaled_adam
    if v.get("wav") is not None:
        return s2.spectrograms
    raise KeyError(f"{v.path.name}: no check for manifest {manifest!r} with {v.names('in/')[:4]}")


def rows(folder: Folder, *, only: Sequence[str] | None = None) -> Iterator[Row]:
    """The whole table of a folder, file by file; a check that fails is a miss, not an end."""
    files = [path for path in folder.files() if only is None or path.stem in only]
    if not files:
        raise FileNotFoundError(f"{folder.root}: no vectors/*.safetensors in it")
    for path in files:
        vectors = Vectors.read(path, folder)
        try:
            ours = check_of(vectors)(vectors)
        except Exception as error:  # noqa: BLE001 - the table says which file and why
            yield Row(path.stem, "*", float("inf"), 0.0, False, f"{type(error).__name__}: {error}")
            continue
        yield from compare(vectors, ours)


def misses(root: Path, name: str) -> list[str]:
    """The lines that did not pass in one file; an absent file is a miss too."""
    found = list(rows(Folder(root), only=[name]))
    return [str(row) for row in found if not row.passed]
