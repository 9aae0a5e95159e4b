"""English abbreviations read in full; their full stop is no pause."""

from __future__ import annotations

import re
from collections.abc import Callable

Reading = Callable[[re.Match[str]], str]

NUMBERED = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
).split()
# Title or word + "." -> what is said. Those before a name need a capital after them.
BEFORE_NAMES = {
    "Mr": "mister",
    "Mrs": "missus",
    "Ms": "miz",
    "Dr": "doctor",
    "Prof": "professor",
    "St": "saint",
    "Gen": "general",
    "Col": "colonel",
    "Capt": "captain",
    "Sgt": "sergeant",
    "Lt": "lieutenant",
    "Gov": "governor",
    "Sen": "senator",
    "Rep": "representative",
    "Rev": "reverend",
    "Hon": "honorable",
    "Mt": "mount",
}
ANYWHERE = {
    "Inc": "incorporated",
    "Ltd": "limited",
    "Corp": "corporation",
    "Co": "company",
    "Jr": "junior",
    "Sr": "senior",
    "St": "street",
    "Ave": "avenue",
    "Blvd": "boulevard",
    "Rd": "road",
    "Dept": "department",
    "dept": "department",
    "approx": "approximately",
    "etc": "etcetera",
    "vs": "versus",
    "Jan": "January",
    "Feb": "February",
    "Aug": "August",
    "Sept": "September",
    "Oct": "October",
    "Nov": "November",
    "Dec": "December",
}


ROMAN = dict(zip("I II III IV V VI VII VIII IX X XI XII XIII XIV XV".split(), NUMBERED))


def _roman(match: re.Match[str]) -> str:
    return f"{match['what']} {ROMAN[match['n']]}"


def _before_name(match: re.Match[str]) -> str:
    return BEFORE_NAMES[match["short"]] + " "


def _anywhere(match: re.Match[str]) -> str:
    """The stop also ends the sentence when nothing but a capital, or nothing, follows."""
    return ANYWHERE[match["short"]] + ("." if match["end"] is not None else "")


def _initials(match: re.Match[str]) -> str:
    """U.S. -> U S; a stop at the end of the text stays."""
    letters = " ".join(re.findall("[A-Za-z]", match.group().upper()))
    return letters + ("." if match.end() == len(match.string.rstrip()) else "")


_SHORT_BEFORE = "|".join(BEFORE_NAMES)
_SHORT_ANY = "|".join(sorted(ANYWHERE, key=len, reverse=True))

_NUMBERED_THINGS = "War|Part|Chapter|Act|Volume|Book|Type|Phase|Stage|Episode|Section|Level|Class"

RULES: tuple[tuple[str, Reading], ...] = (
    (
        rf"\b(?P<what>{_NUMBERED_THINGS}) (?P<n>{'|'.join(sorted(ROMAN, key=len, reverse=True))})"
        r"(?![\w'])",
        _roman,
    ),
    (r"\bi\.e\.(?!\w)", lambda match: "that is"),
    (r"\be\.g\.(?!\w)", lambda match: "for example"),
    (r"\bPh\.? ?D\b\.?", lambda match: "P H D"),
    (r"\bNo\. ?(?=\d)", lambda match: "number "),
    (rf"\b(?P<short>{_SHORT_BEFORE})\. ?(?=[A-Z][a-z])", _before_name),
    (r"\b(?P<short>Mr|Mrs|Ms|Dr|Prof) (?=[A-Z][a-z])", _before_name),
    (rf"\b(?P<short>{_SHORT_ANY})\.(?P<end>(?=\s*$|\s+[A-Z]))?", _anywhere),
    (r"\b(?:[A-Z]\.){2,}|\b(?:[A-Z]\. ){1,}[A-Z]\.(?= [A-Z][a-z])|\b[AaPp]\.[Mm]\.", _initials),
)
