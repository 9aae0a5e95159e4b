"""English dates, times of day and decades as words: patterns and readings, in their order."""

from __future__ import annotations

import re
from collections.abc import Callable

from GPT_SoVITS.text.english import units
from GPT_SoVITS.text.english.cardinals import cardinal, ordinal, year

Reading = Callable[[re.Match[str]], str]

_NAMES = "|".join(units.MONTHS)
_MONTH = r"(?P<month>1[0-2]|0?[1-9])"
_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])"
_YEAR = r"(?P<year>[12]\d{3})"
_CLOCK = r"\d{1,2}(?::\d\d)?"
_HALF = r"\s?[AaPp]\.?[Mm]\b\.?"


def _day(match: re.Match[str]) -> str:
    return f"{units.MONTHS[int(match['month']) - 1]} {ordinal(match['day'])}"


def _date(match: re.Match[str]) -> str:
    return f"{_day(match)}, {year(match['year'])}"


def _month_day(match: re.Match[str]) -> str:
    return f"{match['month']} {ordinal(match['day'])}{match['after']}"


def _month_days(match: re.Match[str]) -> str:
    return f"{match['month']} {ordinal(match['first'])} to {ordinal(match['last'])}"


def _day_month(match: re.Match[str]) -> str:
    """5 May 2024 -> the fifth of May 2024."""
    return f"{match['lead'] or ''}the {ordinal(match['day'])} of {match['month']}"


def _time(match: re.Match[str]) -> str:
    """9:05 -> nine oh five, 3:00 -> three o'clock, 3 pm -> three P M, 17:40 -> five forty P M."""
    hour, minute = int(match["hour"]), int(match["minute"])
    half = (match["half"] or ("p" if hour > 12 else "")).upper()
    words = [cardinal(str(hour - 12) if hour > 12 else match["hour"])]
    if minute:
        words.append(_minutes(minute))
    elif not match["half"]:
        words.append("o'clock")
    if half:
        words.append(f"{half} M")
    return " ".join(words)


def _minutes(minute: int) -> str:
    return f"oh {cardinal(str(minute))}" if minute < 10 else cardinal(str(minute))


def _half_day(match: re.Match[str]) -> str:
    return f"{cardinal(match['hour'])} {match['half'][0].upper()} M"


def _stopwatch(match: re.Match[str]) -> str:
    """27:35 is no time of day, but minutes and seconds."""
    return f"{cardinal(match['hour'])} {_minutes(int(match['minute']))}"


def _decade(match: re.Match[str]) -> str:
    words = year(match["n"]) if len(match["n"]) == 4 else cardinal(match["n"])
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


DATES: tuple[tuple[str, Reading], ...] = (
    (rf"(?<![\d/]){_MONTH}/{_DAY}/(?P<year>\d{{4}})(?![\d/])", _date),
    (rf"(?<![\d-]){_MONTH}-{_DAY}-{_YEAR}(?![\d-])", _date),
    (rf"(?<![\d/-]){_YEAR}(?P<between>[-/]){_MONTH}(?P=between){_DAY}(?![\d/-])", _date),
    (rf"(?<![\d.]){_DAY}\.{_MONTH}\.{_YEAR}(?![\d.])", _date),
    (r"(?<![\d/])(?P<month>1[0-2]|[1-9])/(?P<day>1[3-9]|2\d|3[01])(?![\d/])", _day),
    (
        rf"\b(?P<month>{_NAMES}) (?P<first>[12]?\d|3[01])(?:st|nd|rd|th)?\s?[–-]\s?"
        r"(?P<last>[12]\d|3[01]|[1-9])(?:st|nd|rd|th)?(?![\d:/-])",
        _month_days,
    ),
    (
        rf"\b(?P<month>{_NAMES}) (?P<day>[12]\d|3[01]|[1-9])(?P<after>,|(?![\d:A-Za-z]|\.\d))",
        _month_day,
    ),
    (
        r"(?P<lead>\b(?:[Oo]n|[Ff]rom|[Tt]o|[Bb]y|[Ss]ince|[Uu]ntil|[Bb]efore|[Aa]fter) )?"
        r"(?<![\d.:/])(?P<day>[12]\d|3[01]|[1-9])(?:st|nd|rd|th)? "
        rf"(?P<month>{_NAMES})\b(?(lead)|(?=,? [12]\d{{3}}\b|[.,;!?]|$))",
        _day_month,
    ),
)
# What lies between two times is no minus: 9am-5pm, 8:00-9:30.
TIMES: tuple[tuple[str, Reading], ...] = (
    (
        rf"(?<![\d:])(?P<first>{_CLOCK}{_HALF}|\d{{1,2}}:\d\d)\s?[–—-]\s?"
        rf"(?={_CLOCK}(?:{_HALF})?(?![\d:]))",
        lambda match: f"{match['first']} to ",
    ),
    (
        r"(?<![\d:])(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?![\d:])"
        r"(?:\s?(?P<half>[AaPp])\.?[Mm]\b\.?)?",
        _time,
    ),
    (r"\b(?P<hour>1[0-2]|[1-9])\s?(?P<half>[AaPp])\.?[Mm]\b\.?", _half_day),
    (r"(?<![\d:])(?P<hour>\d{1,3}):(?P<minute>[0-5]\d)(?![\d:])", _stopwatch),
)
DECADES: tuple[tuple[str, Reading], ...] = (
    (r"(?<!\w)'0(?P<n>\d)\b(?!')", lambda match: f"oh {cardinal(match['n'])}"),
    (r"\b(?P<n>(?:1[0-9]|20)\d0)'?s\b", _decade),
    (
        r"(?:'|(?<=\b[Tt]he )|(?<=\b(?:his|her|our|mid|low) )|(?<=\bmy )|(?<=\btheir )|"
        r"(?<=\b(?:late|high) )|(?<=\bearly )|(?<=\bmid-))(?P<n>[2-9]0)'?s\b",
        _decade,
    ),
)
