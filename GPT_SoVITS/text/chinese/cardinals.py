"""Numbers as Chinese words: 12045 -> 一万二千零四十五, digit by digit, decimals."""

from __future__ import annotations

DIGITS = "零一二三四五六七八九"
TENS = ("", "十", "百", "千")
GROUPS = ("", "万", "亿", "万亿", "亿亿")


def spell(digits: str, *, one: str = "一") -> str:
    """Digit by digit; `one` is 幺 in telephone and room numbers."""
    words = DIGITS[0] + one + DIGITS[2:]
    return "".join(words[int(digit)] for digit in digits)


def cardinal(digits: str) -> str:
    """A whole number by 万 and 亿; more than 16 digits are spelled."""
    digits = digits.lstrip("0")
    if not digits:
        return DIGITS[0]
    if len(digits) > 16:
        return spell(digits)
    groups: list[str] = []
    while digits:
        digits, group = digits[:-4], digits[-4:]
        groups.append(group)
    words = ""
    for power in range(len(groups) - 1, -1, -1):
        group = groups[power]
        spoken = _below_ten_thousand(group)
        if not spoken:
            continue
        if words and (group.startswith("0") or words.endswith(DIGITS[0])):
            words = words.rstrip(DIGITS[0]) + DIGITS[0]
        words += spoken + GROUPS[power]
    return words.removeprefix("一") if words.startswith("一十") else words


def _below_ten_thousand(group: str) -> str:
    """0305 -> 三百零五; leading zeros are the caller's business."""
    words, gap = "", False
    for index, digit in enumerate(group):
        if digit == "0":
            gap = bool(words)
            continue
        words += (DIGITS[0] if gap else "") + DIGITS[int(digit)] + TENS[len(group) - 1 - index]
        gap = False
    return words


def decimal(number: str) -> str:
    """3.14 -> 三点一四; trailing zeros collapse to one; .5 -> 零点五."""
    whole, _, fraction = number.partition(".")
    words = cardinal(whole or "0")
    if not fraction:
        return words
    kept = fraction.rstrip("0")
    return words + "点" + spell(kept + "0" * (len(kept) < len(fraction)))
