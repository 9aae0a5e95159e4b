"""Bytes of a transcript -> one line of text, with the encoding stated, never guessed in silence."""

from __future__ import annotations

import re

from prepare_datasets.source import Encoding

# GB18030 decodes nearly everything; only these characters make its answer believable.
ORDINARY = re.compile(
    r"[\x09-\x0d\x20-\x7e\u00b7\u2010-\u2027\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e]*"
)
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class TranscriptError(ValueError):
    """Bytes that are not text in the encoding asked for; `seems` names the likely one."""

    def __init__(self, seems: str) -> None:
        super().__init__(f"not valid text; it seems to be {seems}: set source.encoding or convert")
        self.seems = seems


def decode_transcript(data: bytes, encoding: Encoding) -> tuple[str, str]:
    """-> (text on one line, encoding it was in); a byte order mark is no text.

    Raises `TranscriptError`.
    """
    if data.startswith(UTF16_MARKS):
        raise TranscriptError("utf-16")
    if encoding != "gb18030":
        text = _decoded(data, "utf-8-sig")
        if text is not None:
            return " ".join(text.split()), "utf-8"
    chinese = _decoded(data, "gb18030")
    likely = chinese is not None and ORDINARY.fullmatch(chinese) is not None
    if chinese is not None and (encoding == "gb18030" or (encoding == "auto" and likely)):
        return " ".join(chinese.split()), "gb18030"
    raise TranscriptError("gb18030" if likely else "neither utf-8 nor gb18030")


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None
