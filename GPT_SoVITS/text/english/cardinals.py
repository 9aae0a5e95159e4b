"""Numbers as English words: cardinals, ordinals, years, money. Big ones pause at commas."""

from __future__ import annotations

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
GROUPS = ["", "thousand", "million", "billion", "trillion", "quadrillion"]
IRREGULAR = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def _below_hundred(number: int) -> str:
    if number < 20:
        return ONES[number]
    tens, ones = divmod(number, 10)
    return TENS[tens] + (f"-{ONES[ones]}" if ones else "")


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = f"{ONES[hundreds]} hundred" if hundreds else ""
    if rest or not hundreds:
        words = f"{words} {_below_hundred(rest)}".strip()
    return words


def spell(digits: str) -> str:
    """Digit by digit."""
    return " ".join(ONES[int(digit)] for digit in digits)


def cardinal(digits: str) -> str:
    """1234567 -> one million, two hundred thirty-four thousand, five hundred sixty-seven."""
    number = digits.lstrip("0")
    if not number:
        return ONES[0]
    if len(number) > 3 * len(GROUPS):
        return spell(digits)
    groups: list[str] = []
    for power in range((len(number) - 1) // 3, -1, -1):
        end = len(number) - 3 * power
        value = int(number[max(0, end - 3) : end])
        if value:
            groups.append(f"{_below_thousand(value)} {GROUPS[power]}".strip())
    if len(groups) > 1 and int(number[-3:]) and int(number[-3:]) < 100:
        return ", ".join(groups[:-1]) + " " + groups[-1]
    return ", ".join(groups)


def ordinal(digits: str) -> str:
    """21 -> twenty-first."""
    words = cardinal(digits)
    head, last = words[: -len(words.split()[-1])], words.split()[-1]
    ten, hyphen, one = last.rpartition("-")
    one = IRREGULAR.get(one) or (one[:-1] + "ieth" if one.endswith("y") else one + "th")
    return head + ten + hyphen + one


def year(digits: str) -> str:
    """1995 -> nineteen ninety-five, 1905 -> nineteen oh five, 2008 -> two thousand eight."""
    number = int(digits)
    if not 1000 < number < 3000:
        return cardinal(digits)
    if 2000 <= number < 2010:
        return "two thousand" + (f" {ONES[number - 2000]}" if number > 2000 else "")
    century, rest = divmod(number, 100)
    if rest == 0:
        return f"{_below_hundred(century)} hundred"
    return f"{_below_hundred(century)} {'oh ' if rest < 10 else ''}{_below_hundred(rest)}"


def decimal(number: str) -> str:
    """3.14 -> three point one four; a whole number as a cardinal."""
    whole, _, fraction = number.partition(".")
    words = cardinal(whole or "0")
    return f"{words} point {spell(fraction)}" if fraction else words


def fraction(above: str, below: str) -> str:
    """3/4 -> three fourths."""
    count = cardinal(above)
    if int(below) == 1:
        return count
    one = int(above) == 1
    if int(below) == 2:
        return f"{count} {'half' if one else 'halves'}"
    return f"{count} {ordinal(below)}{'' if one else 's'}"


def money(number: str, unit: tuple[str, str, str, str]) -> str:
    """12.50 -> twelve dollars and fifty cents; `unit` is (one, many, one part, many parts)."""
    whole, _, part = number.partition(".")
    if len(part) > 2 or (part and not unit[2]):
        return f"{decimal(number)} {unit[1]}"
    units = f"{cardinal(whole or '0')} {unit[0] if int(whole or 0) == 1 else unit[1]}"
    parts = int(part.ljust(2, "0")) if part else 0
    if not parts:
        return units
    cents = f"{_below_hundred(parts)} {unit[2] if parts == 1 else unit[3]}"
    return cents if whole and int(whole) == 0 else f"{units} and {cents}"
