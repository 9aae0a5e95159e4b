"""English words whose reading depends on their part of speech: record, live, close, read.

g2p_en's table (Apache-2.0) says which reading belongs to which part of speech. The part of speech
is judged from the neighbours: what stands before a verb, what stands before a noun.
"""

from __future__ import annotations

from functools import lru_cache

from GPT_SoVITS.text.english.predictor import package_folder
from GPT_SoVITS.text.english.tagger import tags

Pronunciation = tuple[str, ...]

BEFORE_VERBS = frozenset(
    "to will would can could should must may might shall not cannot don't doesn't didn't won't "
    "can't couldn't shouldn't wouldn't i you we they who please let's let do does did i'll you'll "
    "he'll she'll we'll they'll it'll never always often just".split()
)
BEFORE_NOUNS = frozenset(
    "a an the this that these those my your his her its our their some any no every each of in on "
    "at for with by from new old own good bad big small".split()
)
BEFORE_ADJECTIVES = frozenset("is are was were be am been very so too how".split())
DETERMINERS = frozenset(
    "the a an my your his her its our their this that it them me him us".split()
)
PAST_SIGNS = frozenset(
    "yesterday had has have having been was were ago last already once i've you've we've".split()
)
AFTER_NOUNS = frozenset(
    "is are was were be been has have had will would can could and or but of in on at for with by "
    "from to that who which as than if when because so yet then not".split()
)
MOSTLY_VERBS = frozenset(
    "affect articulate aspirate associate collect combine compress confine convert converse "
    "convict degenerate dictate discard discharge duplicate elaborate exploit impress incorporate "
    "initiate insert invite learned misuse overcharge overlap overwork process proceed purport "
    "recall refresh refuse regenerate rehash reject resume rethink rewrite subcontract "
    "surmise underestimate underline upset used processing relaying recapped recapping".split()
)
# Nouns a live thing stands before; otherwise "live" is a verb.
LIVE_NOUNS = frozenset(
    "music concert show broadcast stream band audience performance recording tv event video "
    "album wire animals coverage chat streaming t television".split()
)
# The table gives these verbs the noun's stress.
SWAPPED = frozenset(
    "exploit exploits fragment imprint mandate object rebel segment torment".split()
)
BY_MEANING = {
    # word: (reading, the words around it that call for it), otherwise the first entry.
    "tear": ("T IH1 R", frozenset("eye eyes cheek cheeks cry crying shed wept".split())),
    "bow": ("B OW1", frozenset("arrow arrows violin tie ribbon hair rainbow".split())),
    "bass": ("B AE1 S", frozenset("fish fishing caught lake".split())),
    "wind": ("W AY1 N D", frozenset("clock watch".split())),
}


@lru_cache(maxsize=1)
def table() -> dict[str, tuple[Pronunciation, Pronunciation, str]]:
    """Word -> (reading as that part of speech, the other reading, the part of speech)."""
    result = {}
    for line in (package_folder() / "homographs.en").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            word, first, second, pos = line.strip().split("|")
            if word.lower() in SWAPPED:
                first, second = second, first
            result[word.lower()] = (tuple(first.split()), tuple(second.split()), pos)
    return result


def part_of_speech(words: list[str], index: int) -> str:
    """V, N or J for the word at `index` (lower case), from its neighbours."""
    word = words[index]
    before = words[index - 1] if index else ""
    after = words[index + 1] if index + 1 < len(words) else ""
    if before in BEFORE_VERBS:
        return "V"
    if before in BEFORE_ADJECTIVES:
        return "J"
    if before in BEFORE_NOUNS or before.endswith("'s"):
        return "J" if after.isalpha() and after not in AFTER_NOUNS else "N"
    if after in DETERMINERS:
        return "V"
    return "V" if word in MOSTLY_VERBS or word.removesuffix("s") in MOSTLY_VERBS else "N"


def reading(words: list[str], index: int, *, tagger: str | None = None) -> Pronunciation | None:
    """The reading of a homograph among its neighbours; None for other words."""
    word = words[index]
    if word in BY_MEANING:
        sound, signs = BY_MEANING[word]
        if signs & set(words[max(0, index - 6) : index + 7]):
            return tuple(sound.split())
    if word in _SPECIAL:
        return _SPECIAL[word](words, index)
    entry = table().get(word)
    if entry is None:
        return None
    as_listed, otherwise, listed = entry
    if tagger is None:
        pos = part_of_speech(words, index)
    else:
        pos = tags(tuple(words), tagger)[index][:1]
    return as_listed if pos == _SHORT.get(listed, listed[:1]) else otherwise


_SHORT = {"ADJ": "J", "VBD": "V", "VBN": "V"}


def _read(words: list[str], index: int) -> Pronunciation:
    before = set(words[max(0, index - 2) : index])
    helped = {"to", "will", "can", "could", "should", "must", "did", "do", "don't", "didn't"}
    past = bool(before & {"have", "has", "had", "been", "was", "were", "is", "are", "be"})
    later = any(word in PAST_SIGNS for word in words[index + 1 : index + 6])
    third = bool(index) and words[index - 1] in {"he", "she", "it"}
    if not before & helped and (past or later or third):
        return ("R", "EH1", "D")
    return ("R", "IY1", "D")


def _live(words: list[str], index: int) -> Pronunciation:
    after = words[index + 1] if index + 1 < len(words) else ""
    adjective = after in LIVE_NOUNS or (index > 0 and words[index - 1] in {"a", "the"})
    return ("L", "AY1", "V") if adjective else ("L", "IH1", "V")


def _lead(words: list[str], index: int) -> Pronunciation:
    metal = {"pipe", "pipes", "poisoning", "pencil", "metal", "paint", "heavy", "made", "acid"}
    near = set(words[max(0, index - 3) : index + 3])
    return ("L", "EH1", "D") if near & metal else ("L", "IY1", "D")


def _wind(words: list[str], index: int) -> Pronunciation:
    verb = index > 0 and words[index - 1] in {"to", "will", "i", "you", "we", "they", "please"}
    after = words[index + 1] if index + 1 < len(words) else ""
    verb = verb or after in {"up", "down"}
    return ("W", "AY1", "N", "D") if verb else ("W", "IH1", "N", "D")


def _close(words: list[str], index: int) -> Pronunciation:
    before = words[index - 1] if index else ""
    after = words[index + 1] if index + 1 < len(words) else ""
    verb = (after in DETERMINERS or before in BEFORE_VERBS) and before not in BEFORE_ADJECTIVES
    return ("K", "L", "OW1", "Z") if verb else ("K", "L", "OW1", "S")


def _used(words: list[str], index: int) -> Pronunciation:
    after = words[index + 1] if index + 1 < len(words) else ""
    return ("Y", "UW1", "S", "T") if after == "to" else ("Y", "UW1", "Z", "D")


def _closer(words: list[str], index: int) -> Pronunciation:
    return ("K", "L", "OW1", "S", "ER0")


_SPECIAL = {
    "read": _read,
    "live": _live,
    "lead": _lead,
    "wind": _wind,
    "close": _close,
    "closer": _closer,
    "used": _used,
}
