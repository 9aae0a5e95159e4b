"""What may leave a machine inside a model file: numbers and names, never local paths or texts of
users."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PATH_KEYS = re.compile(r"(dir|path|folder|file|pretrained|ckpt|weights?_)", re.IGNORECASE)
_PATH_VALUE = re.compile(r"[/\\]|^[A-Za-z]:|^~")


def scrubbed(value: Any) -> Any:
    """``value`` without entries that hold, or by their name would hold, a local path."""
    if isinstance(value, Mapping):
        return {str(k): scrubbed(v) for k, v in value.items() if not _is_path(str(k), v)}
    if isinstance(value, (list, tuple)):
        return [scrubbed(v) for v in value if not _is_path("", v)]
    return value


def _is_path(name: str, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    return bool(_PATH_VALUE.search(value)) or bool(value and _PATH_KEYS.search(name))
