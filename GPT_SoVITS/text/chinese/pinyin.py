"""Written pinyin -> (initial, final + tone), the units the weights learned: two a hanzi.

zhang4 -> zh ang4     zi3 -> z i03     ju2 -> j v2     er2 -> EE er2     yan2 -> y En2
"""

from __future__ import annotations

from functools import lru_cache

INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")
FINALS = frozenset(
    "E En a ai an ang ao e ei en eng er i i0 ia ian iang iao ie in ing iong ir iu o ong ou u ua "
    "uai uan uang ui un uo v van ve vn".split()
)
ZERO_INITIAL = {"a": "AA", "e": "EE", "o": "OO"}
RETROFLEX, SIBILANT, PALATAL = ("zh", "ch", "sh", "r"), ("z", "c", "s"), ("j", "q", "x", "y")
EXCEPTIONS = {"yan": ("y", "En"), "ye": ("y", "E")}
# Syllabic nasals have no symbols of their own; the nearest ones (嗯 -> 恩, 呣 -> 母).
NASALS = {"n": "en", "ng": "en", "m": "mu", "hm": "hen", "hng": "heng"}


@lru_cache(maxsize=4096)
def split_syllable(syllable: str) -> tuple[str, str] | None:
    """`zhang4` -> (`zh`, `ang4`); None for what is no syllable of the table. ü is written v."""
    base, tone = syllable[:-1], syllable[-1:]
    if tone not in set("12345"):
        return None
    base = NASALS.get(base, base)
    if base in EXCEPTIONS:
        initial, final = EXCEPTIONS[base]
        return initial, final + tone
    initial = next((name for name in INITIALS if base.startswith(name)), "")
    final = base[len(initial) :]
    if not initial:
        initial = ZERO_INITIAL.get(base[:1], "")
    elif initial in RETROFLEX and final == "i":
        final = "ir"
    elif initial in SIBILANT and final == "i":
        final = "i0"
    elif initial in PALATAL and final.startswith("u"):
        final = "v" + final[1:]
    if not initial or final not in FINALS:
        return None
    return initial, final + tone
