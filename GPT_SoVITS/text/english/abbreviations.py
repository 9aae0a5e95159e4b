"""English abbreviations read in full; their full stop is no pause."""

from __future__ import annotations

import re
from collections.abc import Callable

from GPT_SoVITS.text.english.cardinals import cardinal, ordinal

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
    "Mx": "mix",
    "Ft": "fort",
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
    "Mon": "Monday",
    "Tue": "Tuesday",
    "Tues": "Tuesday",
    "Wed": "Wednesday",
    "Thu": "Thursday",
    "Thur": "Thursday",
    "Thurs": "Thursday",
    "Fri": "Friday",
}
BEFORE_NUMBERS = {
    "vol": "volume",
    "fig": "figure",
    "ch": "chapter",
    "p": "page",
    "pp": "pages",
    "est": "established",
    "apt": "apartment",
    "bldg": "building",
    "fl": "floor",
    "hwy": "highway",
    "ext": "extension",
}
IN_FULL = {
    "w/o": "without",
    "w/": "with",
    "b/c": "because",
    "'n'": "and",
    "24/7": "twenty-four seven",
    "9/11": "nine eleven",
}
# Those whose number is an ordinal: Henry VIII is the eighth, Rocky II is two.
MONARCHS = (
    "Henry|Louis|Elizabeth|George|Charles|William|James|Edward|Richard|Philip|Catherine|Frederick|"
    "Napoleon|Ivan|Nicholas|Alexander|Leopold|Francis|Ferdinand|Paul|Pius|Benedict|Gregory|Leo|"
    "Clement|Innocent|Ramses|Ptolemy"
)
ROMAN = dict(zip("I II III IV V VI VII VIII IX X XI XII XIII XIV XV".split(), NUMBERED))


def _roman(match: re.Match[str]) -> str:
    return f"{match['what']} {ROMAN[match['n']]}"


def _numbered_name(match: re.Match[str]) -> str:
    """Rocky II -> Rocky two, Louis XIV -> Louis the fourteenth."""
    number = str(_roman_value(match["n"]))
    if re.fullmatch(MONARCHS, match["name"]):
        return f"{match['name']} the {ordinal(number)}"
    return f"{match['name']} {cardinal(number)}"


def _roman_value(numeral: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10, "L": 50}[char] for char in numeral]
    return sum(
        -value if value < max(values[place:]) else value for place, value in enumerate(values)
    )


def _before_number(match: re.Match[str]) -> str:
    return BEFORE_NUMBERS[match["short"].lower()] + " "


def _in_full(match: re.Match[str]) -> str:
    return f" {IN_FULL[match.group().lower()]} "


def _drive(match: re.Match[str]) -> str:
    """A street; before a name Dr. is a doctor."""
    return f"{match['street']} drive" + ("." if match["end"] is not None else "")


def _before_name(match: re.Match[str]) -> str:
    return BEFORE_NAMES[match["short"]] + " "


def _anywhere(match: re.Match[str]) -> str:
    """The stop also ends the sentence when nothing but a capital, or nothing, follows."""
    return ANYWHERE[match["short"]] + ("." if match["end"] is not None else "")


def _initials(match: re.Match[str]) -> str:
    """U.S. -> U S; a stop at the end of the text stays."""
    letters = " ".join(re.findall("[A-Za-z]", match.group().upper()))
    return letters + ("." if match.end() == len(match.string.rstrip()) else "")


WEEKEND = {"Sat": "Saturday", "Sun": "Sunday"}
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
    (r"(?<![\w.])(?!(?i:[ap]\.m\.))(?:[a-z]\.){2,}(?!\w)", _initials),
    (r"\bPh\.? ?D\b\.?", lambda match: "P H D"),
    (r"\bN[Oo]\. ?(?=\d)", lambda match: "number "),
    (rf"\b(?i:(?P<short>{'|'.join(BEFORE_NUMBERS)}))\. ?(?=\d)", _before_number),
    (
        r"(?<![\w/])(?i:w/o|w/(?=\s)|b/c|24/7|9/11)(?![\w/])|(?<!\w)'n'(?!\w)",
        _in_full,
    ),
    (
        r"\b(?P<name>(?!(?:The|An?|My|Your|His|Her|This|That)\b)[A-Z][a-z]+) "
        r"(?P<n>(?!(?:X+|XL)\b)(?=[XVIL]{2})(?:XL|X{0,3})(?:IX|IV|V?I{0,3}))(?![\w'])",
        _numbered_name,
    ),
    (
        r"\b(?P<street>(?!The\b)[A-Z][a-z]+) Dr\.(?P<end>(?=\s*$))?(?=\s*$|[,;)]|\s+[a-z])",
        _drive,
    ),
    (r"\b(?P<short>Sat|Sun)\.(?=,|\s+\d)", lambda match: WEEKEND[match["short"]]),
    (r"\b(?:ft|feat)\. (?=[A-Z])", lambda match: "featuring "),
    (rf"\b(?P<short>{_SHORT_BEFORE})\. ?(?=[A-Z][a-z'])", _before_name),
    (r"\b(?P<short>Mr|Mrs|Ms|Mx|Dr|Prof)(?:\. ?(?=(?!I\b)[A-Z]\b)| (?=[A-Z][a-z']))", _before_name),
    (rf"\b(?P<short>{_SHORT_ANY})\.(?P<end>(?=\s*$|\s+[A-Z]))?", _anywhere),
    (r"\b(?:[A-Z]\.){2,}|\b(?:[A-Z]\. ){1,}[A-Z]\.(?= [A-Z][a-z])|\b[AaPp]\.[Mm]\.", _initials),
)
