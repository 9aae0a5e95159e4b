"""Chinese text -> hanzi and the pause marks `! ? … , . -`: dates, times, units, numbers in words.

Every rule is a pattern and a reading; they run in the order of RULES, because an early rule takes
the digits a later one would misread (a date before an arithmetic minus, a version before decimals).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from GPT_SoVITS.text.chinese import units
from GPT_SoVITS.text.chinese.cardinals import cardinal, decimal, spell
from GPT_SoVITS.text.once import once

Reading = Callable[[re.Match[str]], str]
NUMBER = r"\d+(?:\.\d+)?"

# Which pause a written mark makes. Quotes and brackets make none.
PAUSES = {
    **dict.fromkeys("，、：；·,:;", ","),
    **dict.fromkeys("。．.\n", "."),
    **dict.fromkeys("！!", "!"),
    **dict.fromkeys("？?", "?"),
    **dict.fromkeys("…～~", "…"),
    **dict.fromkeys("—–―-", ","),
    "/": ",",
}
# Hanzi that have no phonemes of their own, and the circle zero.
REPLACED = str.maketrans({"嗯": "恩", "呣": "母", "〇": "零"})


@once
def _simplifier() -> Any:
    from opencc import OpenCC

    return OpenCC("t2s")


@lru_cache(maxsize=4096)
def simplify(text: str) -> str:
    """Traditional -> simplified, by phrases."""
    return str(_simplifier().convert(text))


def is_hanzi(char: str) -> bool:
    """Whether the character is a Chinese one."""
    return (
        "\u4e00" <= char <= "\u9fff"
        or "\u3400" <= char <= "\u4dbf"
        or "\U00020000" <= char <= "\U000323af"
        or char == "〇"
    )


def _year(match: re.Match[str]) -> str:
    return spell(match["year"]) + "年"


def _date(match: re.Match[str]) -> str:
    words = spell(match["year"]) + "年" + cardinal(match["month"]) + "月"
    return words + cardinal(match["day"]) + "日"


def _day(match: re.Match[str]) -> str:
    return cardinal(match["n"]) + match["unit"]


def clock(hour: str, minute: str, second: str | None = None) -> str:
    """8:30 -> 八点半, 9:05 -> 九点零五分, 3:00 -> 三点."""
    words = ("两" if int(hour) == 2 else cardinal(hour)) + "点"
    if int(minute) == 30 and second is None:
        return words + "半"
    if int(minute) or second is not None:
        words += ("零" if 0 < int(minute) < 10 else "") + cardinal(minute) + "分"
    if second is not None and int(second):
        words += ("零" if int(second) < 10 else "") + cardinal(second) + "秒"
    return words


def _time(match: re.Match[str]) -> str:
    first = clock(match["h"], match["m"], match["s"])
    if match["h2"] is None:
        return first
    return first + "至" + clock(match["h2"], match["m2"], match["s2"])


def _temperature(match: re.Match[str]) -> str:
    unit = {"摄氏度": "摄氏度", "℉": "华氏度", "°F": "华氏度"}.get(match["unit"], "度")
    return ("零下" if match["minus"] else "") + decimal(match["n"]) + unit


def _unit(match: re.Match[str]) -> str:
    return _counted(match["n"], "") + units.LETTERS[match["unit"]]


def _unit_range(match: re.Match[str]) -> str:
    return match["first"] + "至"


def _power(match: re.Match[str]) -> str:
    return match["base"] + "的" + cardinal(units.SUPERSCRIPT[match["n"]]) + "次方"


def _fraction(match: re.Match[str]) -> str:
    minus = "负" if match["minus"] else ""
    return minus + cardinal(match["below"]) + "分之" + cardinal(match["above"])


def _percent(match: re.Match[str]) -> str:
    of = {"%": "百分之", "％": "百分之", "‰": "千分之"}[match["sign"]]
    return ("负" if match["minus"] else "") + of + decimal(match["n"])


def _money(match: re.Match[str]) -> str:
    """¥5999.00 -> 五千九百九十九元; 美元$50 names the currency once."""
    name = units.MONEY[match["sign"]]
    if match.string[: match.start()].endswith(name):
        name = ""
    return decimal(re.sub(r"\.0+$", "", match["n"])) + (match["scale"] or "") + name


def _telephone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match.group())
    if len(groups) == 1 or groups[0] == "86":
        return spell("".join(groups), one="幺")
    return ",".join(spell(group, one="幺") for group in groups)


def _expression(match: re.Match[str]) -> str:
    """3+5=8, 10-4=6: what joins the numbers is arithmetic."""
    words = ""
    for part in re.findall(rf"{NUMBER}|[^\d\s]", match.group()):
        words += decimal(part) if part[0].isdigit() else units.OPERATORS[part]
    return words


def _range(match: re.Match[str]) -> str:
    return decimal(match["first"]) + "到" + match["second"]


def _years(match: re.Match[str]) -> str:
    return spell(match["first"]) + "到"


def _ratio(match: re.Match[str]) -> str:
    return cardinal(match["n"]) + "比" + cardinal(match["other"])


def _blood_pressure(match: re.Match[str]) -> str:
    return f"{match['what']}{cardinal(match['n'])},{cardinal(match['other'])}"


def _negative(match: re.Match[str]) -> str:
    return "负" + decimal(match["n"])


def _version(match: re.Match[str]) -> str:
    return "点".join(spell(part) for part in match.group().split("."))


def _decimal(match: re.Match[str]) -> str:
    return decimal(match.group())


def _counted(number: str, more: str) -> str:
    """A number before a measure word: 2 -> 两."""
    if "." in number:
        return decimal(number)
    return ("两" if number == "2" and not more else cardinal(number)) + more


def _measure(match: re.Match[str]) -> str:
    more = match["more"].replace("+", "多")
    if match["ordinal"]:
        return match["ordinal"] + cardinal(match["n"]) + more
    return _counted(match["n"], more)


def _digits(match: re.Match[str]) -> str:
    """What no rule took: years and long numbers digit by digit, short ones as cardinals."""
    number = match.group()
    if len(number) == 4 and number[:2] in {"18", "19", "20"}:
        return spell(number)
    if number.endswith("00") and number[0] != "0":
        return cardinal(number)
    if len(number) > 2:
        return spell(number, one="幺")
    return spell(number) if number.startswith("0") and len(number) > 1 else cardinal(number)


_CLOCK = r"(?<![\d:.])(?P<h>[01]?\d|2[0-4])[:：](?P<m>[0-5]\d)(?:[:：](?P<s>[0-5]\d))?"
_CLOCK_TO = r"(?:\s*[-~～—至到]\s*(?P<h2>[01]?\d|2[0-4])[:：](?P<m2>[0-5]\d)"
_CLOCK_TO += r"(?:[:：](?P<s2>[0-5]\d))?)?(?![\d:])"
_SHORT_YEAR = r"(?:[5-9]\d年|\d\d年(?=\d{1,2}月|[一二三四五六七八九十]{1,3}月|出生|毕业|入学))"

RULES: tuple[tuple[re.Pattern[str], Reading], ...] = tuple(
    (re.compile(pattern), reading)
    for pattern, reading in (
        (r"\d{25,}", lambda match: spell(match.group(), one="幺")),
        (r"(?<=\d),(?=\d{3}(?:,\d{3})*(?!\d))(?<!\d{4},)", lambda match: ""),
        (r"(?<=\d)\.0+(?=[元块]|美元|欧元|英镑)", lambda match: ""),
        (r"(?<=\d[日号年月天岁元块度点分秒层楼])\s*[-−~～–—]+\s*(?=\d)", lambda match: "到"),
        (r"(?<!\d)(?P<first>\d{4})\s*[-−~～–—至到]+\s*(?=\d{4}年)", _years),
        (r"(?P<what>血压[是为：:]?)(?P<n>\d{2,3})/(?P<other>\d{2,3})", _blood_pressure),
        (
            r"(?:(?<=比分)|(?<=比分[是为])|(?<=以))(?P<n>\d{1,3})\s*[-−–—]\s*(?P<other>\d{1,3})(?!\d)",
            _ratio,
        ),
        (
            r"(?<!\d)(?P<year>\d{4})(?P<sep>[-/.])(?P<month>0?[1-9]|1[0-2])(?P=sep)"
            r"(?P<day>0?[1-9]|[12]\d|3[01])(?![\d.])",
            _date,
        ),
        (r"(?<!\d)(?P<year>\d{4})年", _year),
        (rf"(?<!\d)(?=(?:{_SHORT_YEAR}))(?P<year>\d\d)年", _year),
        (r"(?<!\d)(?P<n>1[0-2]|0?[1-9])(?P<unit>月)(?!\d*球)", _day),
        (r"(?<=月)(?P<n>3[01]|[12]\d|0?[1-9])(?P<unit>[日号])", _day),
        (_CLOCK + _CLOCK_TO, _time),
        (r"(?<![\d:：.])(?P<n>\d{1,4})[:：](?P<other>\d{1,4})(?![\d:：.])", _ratio),
        (
            rf"(?P<first>{NUMBER}\s?(?:[%℃度]|°C|{units.PATTERN}))\s*[~～\-—至到]\s*(?={NUMBER})",
            _unit_range,
        ),
        (
            rf"(?P<minus>(?<!\d)[-−])?(?P<n>{NUMBER})\s*(?P<unit>°[CcFf]|℃|℉|摄氏度)",
            _temperature,
        ),
        (rf"(?P<minus>(?<!\d)[-−])(?P<n>{NUMBER})(?P<unit>度)", _temperature),
        (rf"(?P<sign>[{units.SIGNS}])\s*(?P<n>{NUMBER})(?P<scale>[万亿]*)", _money),
        (rf"(?P<n>{NUMBER})(?P<scale>[万亿]*)(?P<sign>[$€£￥¥])", _money),
        (rf"(?P<n>{NUMBER})\s*(?P<unit>{units.PATTERN})(?![A-Za-z])", _unit),
        (rf"(?P<base>{NUMBER}|[A-Za-z])(?P<n>[{units.SUPERSCRIPTS}])", _power),
        (
            r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)|"
            r"(?<!\d)[48]00[- ]?\d{3,4}[- ]?\d{3,4}(?!\d)|"
            r"(?<!\d)0\d{2,3}-\d{7,8}(?:-\d{1,5})?(?!\d)|(?<!\d)\d{3,4}-\d{4}(?!\d)",
            _telephone,
        ),
        (rf"{NUMBER}(?:\s*[-−+×÷]\s*{NUMBER})*(?:\s*[=＝]\s*{NUMBER})", _expression),
        (rf"{NUMBER}(?:\s*[+×÷*]\s*{NUMBER})+", _expression),
        (r"(?P<minus>(?<!\d)[-−])?(?P<above>\d+)/(?P<below>\d+)(?![/\d])", _fraction),
        (rf"(?P<minus>(?<!\d)[-−])?(?P<n>{NUMBER})(?P<sign>[%％‰])", _percent),
        (rf"(?<![\d.])(?P<first>{NUMBER})\s*[-−~～—]+\s*(?P<second>{NUMBER})(?![\d-])", _range),
        (rf"(?<![\dA-Za-z])[-−](?P<n>{NUMBER})", _negative),
        (r"\d+(?:\.\d+){2,}", _version),
        (r"\d*\.\d+", _decimal),
        (
            rf"(?P<ordinal>第)?(?<!\d)(?P<n>[1-9]\d*|0)(?P<more>[多余几+]?)(?={units.MEASURES})",
            _measure,
        ),
        (r"\d+", _digits),
    )
)


def numbers(text: str) -> str:
    """All digits in words."""
    for pattern, reading in RULES:
        text = pattern.sub(reading, text)
    return text


@lru_cache(maxsize=4096)
def normalize(text: str) -> str:
    """Hanzi and pause marks only."""
    text = re.sub(r"(?<=\d)[ \u3000]+(?=\d)", "、", _joined_telephone(simplify(text)))
    text = re.sub(r"[ \t\u3000]+", "", text)
    text = numbers(text)
    text = "".join(units.NAMES.get(char, char) for char in text)
    return punctuate(text)


def _joined_telephone(text: str) -> str:
    """138 1234 5678 is one number."""
    return re.sub(r"(?<!\d)(1[3-9]\d) (\d{4}) (\d{4})(?!\d)", r"\1\2\3", text)


def punctuate(text: str) -> str:
    """Marks become pauses; of a run of marks the first stays; the rest is hanzi."""
    text = text.replace("...", "…").translate(REPLACED)
    kept = (char if is_hanzi(char) else PAUSES.get(char, "") for char in text)
    return re.sub(r"([!?….,\-])[!?….,\-]+", r"\1", "".join(kept))
