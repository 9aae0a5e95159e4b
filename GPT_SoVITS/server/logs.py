"""One JSON object per line on stderr; what users wrote is in none of them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

log = logging.getLogger("GPT_SoVITS.server")


class JsonLines(logging.Formatter):
    """Records as JSON in ASCII: no text can start a new line or colour a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


def start_logging(stream: TextIO | None = None) -> None:
    """Send this package's and uvicorn's records out as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"


def event(name: str, *, level: int = logging.INFO, error: Any = None, **fields: Any) -> None:
    """Log one event with its fields."""
    log.log(level, name, extra={"fields": fields}, exc_info=error)
