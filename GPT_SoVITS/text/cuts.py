"""Cutting long text into chunks that are spoken one by one: pure functions, text in, texts out.

    none        the text as it is                       (published name: cut0)
    clauses     every four clauses                      (cut1)
    length      chunks of about fifty characters        (cut2)
    chinese     at 。                                    (cut3)
    english     at a full stop not between digits       (cut4)
    marks       at every mark                           (cut5)
    meaning     our default: whole sentences, joined while short, cut at clauses when long

`published` also prepares the chunks as the published pipeline does: short ones glued, each with
a mark at its end. `meaning` loses no character: its chunks concatenate to the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from GPT_SoVITS.text.errors import TextError

SPLITTERS = frozenset("，。？！,.?!~:：—…")
MARKS = frozenset(",.;?!、，。？！：…")
SILENT = frozenset("!?….,- ")
SHORT, LONG, LONGEST = 5, 50, 510
LONGEST_PIECE = 80
"""Of our own method, in hanzi."""

# A sentence ends here; a stop inside a number or after an initial does not end one.
_SENTENCE_END = re.compile(
    r"(?:[。！？!?…]+|(?<![A-Z])(?<!\bMr)(?<!\bDr)(?<!\bMrs)(?<!\bMs)(?<!\bSt)\.(?!\d)|\.{3})"
    r"[”’」』）)\"']*\s*|\n+"
)
_CLAUSE_END = re.compile(r"[，、；：,;:—]+[”’」』）)\"']*\s*")


def weight(text: str) -> int:
    """How long a text is to speak, in hanzi: a Latin letter counts for a third."""
    return (
        sum(1 if ord(char) > 0x2E80 else 0 for char in text)
        + (sum(char.isascii() and char.isalnum() for char in text) + 2) // 3
    )


def by_meaning(
    text: str, *, target: int = LONGEST_PIECE // 2, longest: int = LONGEST_PIECE
) -> list[str]:
    """Whole sentences up to `target` hanzi together; a longer one is cut at its clauses."""
    chunks: list[str] = []
    for sentence in _split_after(text, _SENTENCE_END):
        parts = [sentence]
        if weight(sentence) > longest:
            parts = _balanced(_split_after(sentence, _CLAUSE_END), target)
        for part in parts:
            fits = chunks and weight(chunks[-1]) + weight(part) <= target
            apart = "\n" in chunks[-1][-2:] if chunks else True
            if fits and not apart or not _has_word(part) and chunks:
                chunks[-1] += part
            elif chunks and not _has_word(chunks[-1]):
                chunks[-1] += part
            else:
                chunks.append(part)
    return [piece for chunk in chunks for piece in _bounded(chunk, 4 * longest)]


def _split_after(text: str, ends: re.Pattern[str]) -> list[str]:
    """Pieces that end with a match; they concatenate to the text."""
    pieces: list[str] = []
    last = 0
    for match in ends.finditer(text):
        if match.end() > last:
            pieces.append(text[last : match.end()])
            last = match.end()
    return [*pieces, text[last:]] if text[last:] else pieces


def _balanced(clauses: list[str], target: int) -> list[str]:
    """Clauses joined while they stay under the target."""
    chunks: list[str] = []
    for clause in clauses:
        if chunks and weight(chunks[-1]) + weight(clause) <= target:
            chunks[-1] += clause
        else:
            chunks.append(clause)
    return chunks


def _bounded(text: str, longest: int) -> list[str]:
    """Text without any mark is cut at spaces, else by length."""
    pieces: list[str] = []
    while len(text) > longest:
        space = text.rfind(" ", longest // 2, longest)
        cut = space + 1 if space > 0 else longest
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text] if text else pieces


def _has_word(text: str) -> bool:
    return any(char.isalnum() for char in text)


def _long_marks(text: str) -> str:
    """…… counts as 。 and —— as ，."""
    return text.replace("……", "。").replace("——", "，")


def _clauses(text: str) -> list[str]:
    """Clauses with the mark that ends them."""
    text = _long_marks(text)
    if text and text[-1] not in SPLITTERS:
        text += "。"
    found = re.findall(rf"[^{''.join(SPLITTERS)}]*[{''.join(SPLITTERS)}]", text)
    return [clause for clause in found if clause]


def _cut0(text: str) -> list[str]:
    return [text]


def _cut1(text: str) -> list[str]:
    """Every four clauses; what is left over joins the last group."""
    text = text.strip("\n")
    clauses = _clauses(text)
    starts = list(range(0, len(clauses), 4))[:-1]
    if len(starts) < 2:
        return [_long_marks(text)]
    ends = [*starts[1:], len(clauses)]
    return ["".join(clauses[start:end]) for start, end in zip(starts, ends)]


def _cut2(text: str) -> list[str]:
    """A new chunk after more than fifty characters; a short last one joins the one before."""
    text = text.strip("\n")
    clauses = _clauses(text)
    if len(clauses) < 2:
        return [text]
    chunks: list[str] = []
    chunk = ""
    for clause in clauses:
        chunk += clause
        if len(chunk) > LONG:
            chunks.append(chunk)
            chunk = ""
    if chunk:
        chunks.append(chunk)
    if len(chunks) > 1 and len(chunks[-1]) < LONG:
        chunks[-2:] = [chunks[-2] + chunks[-1]]
    return chunks


def _cut3(text: str) -> list[str]:
    return text.strip("\n").strip("。").split("。")


def _cut4(text: str) -> list[str]:
    return re.split(r"(?<!\d)\.(?!\d)", text.strip("\n").strip("."))


def _cut5(text: str) -> list[str]:
    """After each mark; a full stop between digits is none. Marks alone are dropped."""
    chunks: list[str] = []
    chunk = ""
    text = text.strip("\n")
    for index, char in enumerate(text):
        chunk += char
        inside = char == "." and text[index - 1 : index].isdigit()
        inside = inside and text[index + 1 : index + 2].isdigit()
        if char in MARKS and not inside:
            chunks.append(chunk)
            chunk = ""
    return [chunk for chunk in (*chunks, chunk) if not set(chunk) <= MARKS]


METHODS: dict[str, Callable[[str], list[str]]] = {
    "cut0": _cut0,
    "cut1": _cut1,
    "cut2": _cut2,
    "cut3": _cut3,
    "cut4": _cut4,
    "cut5": _cut5,
}


def raw_cut(text: str, method: str) -> str:
    """The published method alone: its chunks joined by newlines, those of pure marks dropped.

    Raises `TextError`.
    """
    if method not in METHODS:
        raise TextError(f"unknown cut {method!r}; there are meaning, {', '.join(METHODS)}")
    chunks = METHODS[method](text)
    return "\n".join(chunk for chunk in chunks if not set(chunk) <= SILENT)


def published(text: str, method: str, *, language: str = "zh") -> list[str]:
    """The chunks the published pipeline speaks; an error when none can be."""
    stop = "." if language == "en" else "。"
    text = re.sub(r"([!?…,.\-])[!?…,.\-]+", r"\1", text).strip("\n")
    if not text:
        raise TextError("the text is empty")
    first = re.split(rf"[{''.join(SPLITTERS)}]", text, maxsplit=1)[0]
    if text[0] not in SPLITTERS and len(first) < 4:
        text = stop + text
    lines = [line for line in raw_cut(text, method).split("\n") if line.strip()]
    if not lines:
        raise TextError("nothing in the text can be spoken")
    result: list[str] = []
    for chunk in _glued(lines):
        if not _has_word(chunk):
            continue
        if chunk[-1] not in SPLITTERS:
            chunk += stop
        result += _split_long(chunk)
    return result


def _glued(lines: list[str]) -> list[str]:
    """Chunks under five characters join the following ones, a last one the one before."""
    if len(lines) < 2:
        return lines
    result: list[str] = []
    held = ""
    for line in lines:
        held += line
        if len(held) >= SHORT:
            result.append(held)
            held = ""
    if held and result:
        result[-1] += held
    elif held:
        result.append(held)
    return result


def _split_long(chunk: str) -> list[str]:
    """Chunks over 510 characters are cut at marks."""
    if len(chunk) <= LONGEST:
        return [chunk]
    result = [""]
    for clause in re.findall(rf"[^{''.join(SPLITTERS)}]*[{''.join(SPLITTERS)}]|.+", chunk):
        if result[-1] and len(result[-1]) + len(clause) > LONGEST:
            result.append("")
        result[-1] += clause
    return [piece for part in result for piece in _bounded(part, LONGEST)]


def cut(
    text: str, method: str = "meaning", *, language: str = "zh", longest: int = LONGEST_PIECE
) -> list[str]:
    """Chunks by our default, of which `longest` is an option, or by a published method."""
    if method == "meaning":
        return by_meaning(text, target=(longest + 1) // 2, longest=longest)
    return published(text, method, language=language)
