"""One form for what was to be said and what was heard, so that the two can be compared.

"I'll be there at 9." -> i'll be there at nine          words of English
"我９点到。"            -> 我 九 点 到                      every Chinese character is a word

Numbers are read out as the frontend reads them, width is folded (NFKC), case and punctuation fall
away, the apostrophe stays (Seed-TTS-eval's rule; it does not read numbers).
"""

from __future__ import annotations

import re
import unicodedata

from GPT_SoVITS.text.chinese.normalize import normalize as chinese
from GPT_SoVITS.text.chinese.normalize import simplify
from GPT_SoVITS.text.english.normalize import normalize as english

HAN = "\u3400-\u4dbf\u4e00-\u9fff"


def language_of(text: str) -> str:
    """zh where a Chinese character occurs, else en."""
    return "zh" if re.search(f"[{HAN}]", text) else "en"


def spoken_form(text: str, language: str = "auto") -> str:
    """Read out, lower case, no punctuation, single spaces; ``language`` is en, zh or auto."""
    text = unicodedata.normalize("NFKC", text).replace("’", "'")
    if language == "auto":
        language = language_of(text)
    read = _mixed(simplify(text)) if language == "zh" else english(text)
    read = unicodedata.normalize("NFKC", read).lower().replace("’", "'")
    read = re.sub(r"[^\w'\s]|_", " ", read)
    read = re.sub(f"([{HAN}])", r" \1 ", read)
    read = re.sub(r"(?<!\w)'|'(?!\w)", " ", read)  # quotes fall away, apostrophes stay
    return " ".join(read.split())


def _mixed(text: str) -> str:
    """Chinese text read out; Latin words in it stay words (the Chinese rules drop them)."""
    parts = re.split(r"([A-Za-z][A-Za-z']*)", text)
    return " ".join(part if k % 2 else chinese(part) for k, part in enumerate(parts) if part)
