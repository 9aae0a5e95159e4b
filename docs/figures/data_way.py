"""Draws docs/figures/data_way.svg, the README's figure: `python docs/figures/data_way.py`.

Plain SVG text written by hand-placed boxes, so that the same input always gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 980, 400
BLUE, GREEN, AMBER, GREY, INK = "#dbeafe", "#dcfce7", "#fef3c7", "#f1f5f9", "#0f172a"


def box(x: int, y: int, w: int, h: int, lines: list[str], *, fill: str) -> str:
    """A rounded box with centred lines; the first is bold."""
    top = y + h / 2 - (len(lines) - 1) * 9 + 5
    parts = [
        f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="8" fill="{fill}" stroke="{INK}"/>'
    ]
    for index, line in enumerate(lines):
        weight = "bold" if index == 0 else "normal"
        place = f'x="{x + w / 2:g}" y="{top + 18 * index:g}"'
        parts.append(
            f'<text {place} font-weight="{weight}" text-anchor="middle">{escape(line)}</text>'
        )
    return "\n".join(parts)


def arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    """A straight arrow."""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{INK}" marker-end="url(#head)"/>'


def note(x: int, y: int, text: str) -> str:
    """A small grey remark."""
    return f'<text x="{x}" y="{y}" fill="#475569" font-size="12">{escape(text)}</text>'


def draw() -> str:
    """The whole figure as SVG text."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="13" fill="{INK}">',
        '<defs><marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
        f'<path d="M0,0 L9,4 L0,8 z" fill="{INK}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        note(20, 26, "prepare_datasets: five steps, once per corpus"),
    ]
    steps = [
        ["recordings", "dialogues", "of two speakers"],
        ["1 dialogues", "turns in order,", "who speaks"],
        ["2 text", "phonemes", "(en, zh)"],
        ["3 speech", "32 kHz audio,", "50 Hz features"],
        ["4 semantic", "25 codes", "per second"],
        ["5 sequences", "s1 and s2", "train / valid"],
    ]
    for index, lines in enumerate(steps):
        x = 20 + 160 * index
        parts.append(box(x, 40, 136, 76, lines, fill=GREY if index == 0 else BLUE))
        if index:
            parts.append(arrow(x - 24, 78, x - 2, 78))
    parts += [
        note(20, 160, "the history, oldest turn first, then the text to be spoken"),
        box(20, 174, 96, 52, ["text 1"], fill=GREY),
        box(116, 174, 96, 52, ["speech 1"], fill=GREEN),
        box(212, 174, 96, 52, ["text 2"], fill=GREY),
        box(308, 174, 96, 52, ["speech 2"], fill=GREEN),
        box(404, 174, 110, 52, ["response text"], fill=GREY),
        arrow(514, 200, 556, 200),
        box(558, 166, 170, 68, ["s1  semantic GPT", "train_s1.py"], fill=AMBER),
        arrow(728, 200, 770, 200),
        box(772, 174, 188, 52, ["response speech", "semantic tokens, 25 / s"], fill=GREEN),
        arrow(866, 226, 866, 290),
        box(558, 292, 402, 68, ["s2  conversational VITS", "train_s2.py"], fill=AMBER),
        box(20, 300, 232, 52, ["speaker reference", "style history"], fill=GREY),
        arrow(252, 326, 556, 326),
        note(270, 318, "timbre, and how the others spoke"),
        arrow(558, 382, 520, 382),
        note(330, 386, "32 kHz waveform of the reply"),
        f'<path d="M759,360 L759,382 L556,382" fill="none" stroke="{INK}"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
