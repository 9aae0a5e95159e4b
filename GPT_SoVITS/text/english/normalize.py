"""English text -> words and the pause marks `! ? … , . -`: numbers, money, times, units in words.

Every rule is a pattern and a reading; they run in the order of RULES.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from GPT_SoVITS.text.english import abbreviations, calendar, cardinals, units
from GPT_SoVITS.text.english.cardinals import cardinal, decimal, money, ordinal, spell, year

Reading = Callable[[re.Match[str]], str]
NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)"
PAUSES = str.maketrans(
    {
        **dict.fromkeys("，、；：·;:", ","),
        **dict.fromkeys("。．\n", "."),
        "！": "!",
        "？": "?",
        **dict.fromkeys("～~", "…"),
        **dict.fromkeys("—―", ","),
    }
)


def _web(match: re.Match[str]) -> str:
    """john.doe@mail.com -> john dot doe at mail dot com."""
    address = re.sub(r"^https?://", "", match.group()).rstrip("/")
    for sign, word in ((".", "dot"), ("@", "at"), ("/", "slash"), ("-", "dash"), ("_", "_")):
        address = address.replace(sign, f" {word} ")
    address = re.sub(r"\bwww\b", "w w w", address, flags=re.IGNORECASE)
    return " " + address.replace("_", "underscore") + " "


def _listed(match: re.Match[str]) -> str:
    return f"{ordinal(match['n'])}, "


def _unit(match: re.Match[str]) -> str:
    one, many = units.UNITS[match["unit"]]
    return f" {decimal(match['n'])} {one if match['n'] in {'1', '-1'} else many} "


def _measured_fraction(match: re.Match[str]) -> str:
    """3/4 tsp -> three fourths teaspoon, 2 1/2 tbsp -> two and a half tablespoons."""
    one, many = units.UNITS[match["unit"]]
    return f" {_fraction(match)} {many if match['whole'] else one} "


def _feet(match: re.Match[str]) -> str:
    """6'2" -> six foot two, 5'0" -> five feet."""
    inches = cardinal(match["inch"])
    return f"{cardinal(match['feet'])} " + ("feet" if inches == "zero" else f"foot {inches}")


def _money(match: re.Match[str]) -> str:
    country = units.COUNTRIES.get(match.groupdict().get("country") or "", "")
    one, many, *parts = units.MONEY[match["sign"]]
    if match["scale"]:
        scale = units.SCALES.get(match["scale"].strip().lower(), match["scale"].strip())
        return f" {decimal(match['n'])} {scale} {country}{many} "
    return f" {money(match['n'], (country + one, country + many, parts[0], parts[1]))} "


def _fraction(match: re.Match[str]) -> str:
    above, below = match["above"], match["below"]
    words = cardinals.fraction(above, below)
    if match["whole"]:
        return (
            f"{cardinal(match['whole'].strip())} and {'a half' if words == 'one half' else words}"
        )
    return words


def _telephone(match: re.Match[str]) -> str:
    words = ", ".join(spell(group) for group in re.findall(r"\d+", match.group()))
    return ("plus " if match.group().startswith("+") else "") + words


def _ratio(match: re.Match[str]) -> str:
    return f"{cardinal(match['n'])} to {cardinal(match['other'])}"


def _version(match: re.Match[str]) -> str:
    return " point ".join(cardinal(part) for part in match.group().split("."))


def _integer(match: re.Match[str]) -> str:
    digits = match.group()
    if digits.startswith("0") and len(digits) > 1:
        return f" {spell(digits)} "
    return f" {year(digits) if len(digits) == 4 else cardinal(digits)} "


def _read(words: str) -> Reading:
    return lambda match: words


def _compiled(*rules: tuple[str, Reading]) -> tuple[tuple[re.Pattern[str], Reading], ...]:
    return tuple((re.compile(pattern), reading) for pattern, reading in rules)


def _to(match: re.Match[str]) -> str:
    return f"{match['first']} to "


_FRACTION = r"(?P<whole>(?<![\d.])\d+ )?(?<![\d./])(?P<above>\d+)/(?P<below>[1-9]\d*)"

WORDING = _compiled(
    (
        r"(?:https?://|www\.)[\w./-]*\w|[\w.-]+@[\w-]+(?:\.[\w-]+)+|"
        r"\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|io|ai)\b(?:/[\w./-]*\w)?",
        _web,
    ),
    (r"(?:^|(?<=[.!?\n] )|(?<=\n))(?P<n>\d{1,2})\. (?=\S)", _listed),
    (r"(?<=\w)\.(?=(?:" + units.FILE_ENDINGS + r")\b)", _read(" dot ")),
    *abbreviations.RULES,
)
NUMBERS = _compiled(
    (r"\d{25,}", lambda match: f" {spell(match.group())} "),
    (r"(?<=\d),(?=\d{3}(?!\d))", _read("")),
    (
        r"(?<![\d-])(?:\+?\d{1,3}[- ])?(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}(?![\d-])|"
        r"\+\d{1,3}(?:[ -]\(?\d{1,4}\)?){2,5}(?![\d-])|"
        r"(?<![\d.-])(?:\d{3} \d{3} \d{4}|\d{3}\.\d{3}\.\d{4}|\d{3}-\d\d-\d{4})(?![\d.-]\d)|"
        r"(?<![\d-])\d{3}-\d{4}(?![\d-])",
        _telephone,
    ),
    *calendar.DATES,
    *calendar.TIMES,
    (r"(?<![\d:.])(?P<n>\d{1,4}):(?P<other>\d{1,4})(?![\d:])", _ratio),
    (r"(?<![\w'])(?P<feet>[2-8])'(?P<inch>1[01]|\d)(?:\"|'')?(?![\w'])", _feet),
    (rf"(?P<first>[{units.SIGNS}]\d[\d.]*[KMBkmb]?)\s?[–—-]\s?(?=[{units.SIGNS}]?\d)", _to),
    (
        rf"(?:(?<![A-Za-z])(?P<country>{'|'.join(units.COUNTRIES)}))?"
        rf"(?P<sign>[{units.SIGNS}])\s?(?P<n>{NUMBER})"
        r"(?P<scale>\s?(?:million|billion|trillion)\b|[KMBkmb]\b)?",
        _money,
    ),
    (rf"(?P<n>{NUMBER})\s?(?P<sign>[{units.SIGNS}])(?P<scale>)", _money),
    (r"(?<=\d) ?[-−] ?(?=\d+ ?=)", _read(" minus ")),
    (r"(?<=\d)\s*[*×]\s*(?=\d)|(?<=\d) ?x ?(?=\d+ ?=)", _read(" times ")),
    (r"(?<=\d) ?x ?(?=\d)", _read(" by ")),
    (r"(?<=[\dA-Za-z)]) ?\^ ?(?=-?\d)", _read(" to the power of ")),
    (r"(?<=\d) ?\+ ?(?=\d)", _read(" plus ")),
    (r"(?<=\w) \+ (?=\w)", _read(" plus ")),
    (r"(?<=\w) - (?=\d)|(?<=\d) - (?=\w)|(?<=[\d ])−(?=[\d ])", _read(" minus ")),
    (r"(?<=\d) ?÷ ?(?=\d)|(?<=\d) / (?=\d)", _read(" divided by ")),
    (r" ?= ?", _read(" equals ")),
    (r"(?:(?<=\s)|^)[-−](?=\.?\d)", _read("negative ")),
    (r"\d+(?:\.\d+){2,}", _version),
    *calendar.DECADES,
    (r"(?<=[A-Za-z])(?P<n>\d)s\b", lambda match: f" {cardinal(match['n'])}s "),
    (rf"{_FRACTION}\s?(?P<unit>{units.PATTERN})(?![A-Za-z0-9/²³°])", _measured_fraction),
    (
        rf"(?<![A-Za-z\d.])(?P<n>{NUMBER})\s?(?P<unit>{units.PATTERN})(?![A-Za-z0-9/²³°])",
        _unit,
    ),
    (rf"(?P<n>{NUMBER}) ?%", lambda match: f"{decimal(match['n'])} percent"),
    (rf"{_FRACTION}(?![\d/])", _fraction),
    (r"(?P<n>\d+)(?:st|nd|rd|th|ST|ND|RD|TH)\b", lambda match: f"{ordinal(match['n'])} "),
    (r"(?<=\d)\s?[–-]\s?(?=\d)", _read(" to ")),
    (r"\d*\.\d+", lambda match: f" {decimal(match.group())} "),
    (r"(?<=[A-Za-z])\d{2,}(?![A-Za-z\d])", lambda match: f" {_glued(match.group())} "),
    (r"\d+", _integer),
)


def _glued(digits: str) -> str:
    """Digits after letters: T60 -> sixty, abc123 -> one two three."""
    return cardinal(digits) if len(digits) == 2 and digits[0] != "0" else spell(digits)


SIGNS = {
    "%": "percent",
    "&": "and",
    "+": "plus",
    "@": "at",
    "#": "number",
    "=": "equals",
    "×": "times",
    "÷": "divided by",
    "°": "degrees",
    "℃": "degrees celsius",
    "℉": "degrees fahrenheit",
    "±": "plus or minus",
    "≈": "approximately",
    "≤": "at most",
    "≥": "at least",
    "≠": "not equal to",
    "²": "squared",
    "³": "cubed",
    "㎡": "square meters",
    "√": "root",
    "∞": "infinity",
    "‰": "per mille",
    "¢": "cents",
    "/": "slash",
    **{sign: name for sign, (_, name, _, _) in units.MONEY.items()},
    **{sign: f"to the {cardinal(str(n))}" for sign, n in zip("⁰¹⁴⁵⁶⁷⁸⁹", (0, 1, 4, 5, 6, 7, 8, 9))},
    **units.GREEK,
}


@lru_cache(maxsize=4096)
def normalize(text: str) -> str:
    """Words, apostrophes, hyphens inside words, pause marks."""
    text = re.sub(r"\s*\n\s*", "\n", text)
    for pattern, reading in WORDING + NUMBERS:
        text = pattern.sub(reading, text)
    text = _signs(text).replace("...", ".").translate(PAUSES)
    text = re.sub(r"\s+[–-]+(?:\s+|$)|--+|–", ", ", text)
    text = re.sub(r"(?<![A-Za-z])-|-(?![A-Za-z])", " ", text)
    text = _apostrophes(re.sub(r"[^A-Za-z' .,?!…\-]", " ", text))
    text = re.sub(r" (?=[.,?!…])", "", re.sub(r"\s+", " ", text))
    return re.sub(r"([.,?!…])[.,?!…]+", r"\1", text).strip()


@lru_cache(maxsize=4096)
def normalize_as_gpttalker(text: str) -> str:
    """What GPT-Talker's weights learned: each mark is a pause of its own, hyphens too, after
    abbreviations too; ellipses and quotes are none."""
    for pattern, reading in NUMBERS:
        text = pattern.sub(reading, text)
    text = _signs(text).replace("…", " ").translate(PAUSES)
    text = _apostrophes(re.sub(r"[^A-Za-z' .,?!\-]", " ", text))
    return re.sub(r"\s+", " ", text.replace("-", " - ")).strip()


def _signs(text: str) -> str:
    """Symbols as words."""
    text = re.sub(r"\b([A-G])#(?!\w)", r"\1 sharp", text)
    text = re.sub(r"#(?=[A-Za-z])", "", text)
    text = re.sub(r"(?<=[A-Za-z])/(?=[A-Za-z])", " ", text)
    return "".join(f" {SIGNS[char]} " if char in SIGNS else char for char in text)


def _apostrophes(text: str) -> str:
    """Only those inside words and of plural possessives stay; the others are quotes."""
    text = re.sub(r"(?<![A-Za-z])'(?=[A-Za-z])(?!(?:em|til|cause|tis|twas)\b)", " ", text)
    return re.sub(r"(?<![A-Za-z])'(?![A-Za-z])|(?<![sS])'(?![A-Za-z])", " ", text)
