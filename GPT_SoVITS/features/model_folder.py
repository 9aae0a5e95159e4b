"""A local folder of a transformers model: checked before loading, loaded whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class ModelFolderError(ValueError):
    """A model folder that is absent, incomplete or of another kind; names the file and the fix."""


def check_folder(folder: str | Path, *, model_type: str, name: str) -> dict[str, Any]:
    """config.json of `folder`; an error that says what is missing where something is.

    `name` is the published model a user would put there.
    """
    folder = Path(folder)
    fix = f"put {name} there (config.json and {' or '.join(WEIGHTS)}); nothing is downloaded"
    if not folder.is_dir():
        raise ModelFolderError(f"{folder}: no such folder; {fix}")
    path = folder / "config.json"
    if not path.is_file():
        raise ModelFolderError(f"{path} is missing; {fix}")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelFolderError(f"{path}: not JSON: {error}") from None
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != model_type:
        raise ModelFolderError(f"{path}: model_type is {found!r}, wanted {model_type!r}; {fix}")
    present = [folder / weights for weights in WEIGHTS if (folder / weights).is_file()]
    if not present:
        raise ModelFolderError(f"{folder}: no weights; {fix}")
    with present[0].open("rb") as file:
        if file.read(20).startswith(b"version https://git"):
            raise ModelFolderError(f"{present[0]}: a git-lfs pointer, not the weights; {fix}")
    return config


def load_complete(model_class: Any, folder: str | Path, *, may_miss: tuple[str, ...] = ()) -> Any:
    """An fp32 transformers model in eval mode; missing weights are an error, never random ones.

    `may_miss` are parts of names that the features do not use.
    """
    import torch

    model, info = model_class.from_pretrained(
        str(folder), local_files_only=True, dtype=torch.float32, output_loading_info=True
    )
    missing = sorted(n for n in info["missing_keys"] if not any(part in n for part in may_miss))
    wrong = [str(entry) for entry in info.get("mismatched_keys", ())]
    if missing or wrong:
        raise ModelFolderError(
            f"{folder}: the weights lack {missing[:5]} and have other shapes for {wrong[:5]}; "
            "the file is not of the model its config.json names"
        )
    return model.eval()
