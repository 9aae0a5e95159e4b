"""Draws docs/figures/layout.svg, the dialogue layout: `python docs/figures/layout.py`.

Columns, targets and mask are not drawn by hand: they are what `GPT_SoVITS/dialogue/layout.py` and
`GPT_SoVITS/nn/masks.py` make of two turns and a response, so the figure cannot say anything else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from GPT_SoVITS.dialogue.layout import (
    EOS,
    IGNORE,
    Columns,
    EncodedTurn,
    LayoutConfig,
    build_sequence,
)
from GPT_SoVITS.nn.masks import dialogue_mask

CELL, LEFT, TOP = 26, 120, 58
INK, GREY, TEXT, SPEECH, SEEN, SELF = (
    "#0f172a",
    "#64748b",
    "#dbeafe",
    "#dcfce7",
    "#fde68a",
    "#fbbf24",
)
TURNS = [
    EncodedTurn("user", phonemes=[1, 2], codes=[11, 12, 13], turn=0),
    EncodedTurn("agent", phonemes=[3, 4], codes=[14, 15], turn=1),
]
RESPONSE = EncodedTurn("agent", phonemes=[5, 6], codes=[16, 17, 18], turn=2)


def text(
    x: float, y: float, said: str, *, size: int = 12, fill: str = INK, anchor: str = ""
) -> str:
    """One line of text."""
    place = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}"{place}>{said}</text>'


def cell(x: float, y: float, fill: str, said: str = "") -> str:
    """One square."""
    box = f'<rect x="{x:g}" y="{y:g}" width="{CELL}" height="{CELL}" fill="{fill}" stroke="{INK}"/>'
    return box + (text(x + CELL / 2, y + 17, said, size=11, anchor="middle") if said else "")


def draw() -> str:
    """The whole figure as SVG text."""
    columns = build_sequence(TURNS, RESPONSE, LayoutConfig()).columns()
    n = len(columns.ids)
    width, height = LEFT + n * CELL + 30, TOP + 4 * CELL + 60 + n * CELL + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" fill="{INK}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    parts += sequence_rows(columns)
    parts += mask_rows(columns, TOP + 4 * CELL + 60)
    return "\n".join([*parts, "</svg>"]) + "\n"


def sequence_rows(columns: Columns) -> list[str]:
    """Segments, ids, positions and targets of every column."""
    parts = []
    for index in range(len(columns.ids)):
        x, speech = LEFT + index * CELL, not columns.is_text[index]
        first = index == 0 or columns.segment[index] != columns.segment[index - 1]
        if first:
            parts.append(text(x, TOP - 26, segment_name(columns, index), size=11))
        parts.append(cell(x, TOP - 18, SPEECH if speech else TEXT, "c" if speech else "p"))
        parts.append(cell(x, TOP - 18 + CELL, "white", str(int(columns.position[index]))))
        target = int(columns.target[index])
        said = "" if target == IGNORE else "EOS" if target == EOS else "c"
        parts.append(cell(x, TOP - 18 + 2 * CELL, SEEN if said else "white", said))
    for row, name in enumerate(("ids", "position", "target")):
        parts.append(text(LEFT - 10, TOP - 1 + row * CELL, name, anchor="end"))
    notes = ("p phoneme · c semantic token", "loss_on: response: from the last text column to EOS")
    for row, note in enumerate(notes):
        parts.append(text(LEFT, TOP + 3 * CELL + 16 * row, note, fill=GREY))
    return parts


def segment_name(columns: Columns, index: int) -> str:
    """`speech 1`, `text r` …"""
    last = int(columns.turn[-1])
    turn = int(columns.turn[index])
    kind = "text" if columns.is_text[index] else "speech"
    return f"{kind} {'r' if turn == last else turn + 1}"


def may_attend(columns: Columns) -> np.ndarray:
    """(N, N) bool: row may attend to column."""
    segment, is_text = (torch.from_numpy(x)[None] for x in (columns.segment, columns.is_text))
    valid = torch.ones_like(is_text)
    mask = dialogue_mask(
        rule="block_causal",
        query_segment=segment,
        query_is_text=is_text,
        key_segment=segment,
        key_valid=valid,
        key_hidden=~valid,
    )
    return mask[0].numpy()


def mask_rows(columns: Columns, top: float) -> list[str]:
    """Who may attend to whom."""
    note = "block_causal: a row may attend to the filled columns"
    parts = [text(LEFT, top - 10, note, fill=GREY)]
    mask, n = may_attend(columns), len(columns.ids)
    for query in range(n):
        if query == 0 or columns.segment[query] != columns.segment[query - 1]:
            name = segment_name(columns, query)
            parts.append(text(LEFT - 10, top + query * CELL + 17, name, anchor="end"))
        for key in range(n):
            own = columns.segment[key] == columns.segment[query]
            fill = (SELF if own else SEEN) if mask[query, key] else "white"
            parts.append(cell(LEFT + key * CELL, top + query * CELL, fill))
    return parts


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
