"""Normalised English -> phonemes: dictionary, homographs, inflections, letters, predictor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from GPT_SoVITS.text.english import dictionary, homographs
from GPT_SoVITS.text.english.capitals import capitals, is_shouting
from GPT_SoVITS.text.english.predictor import predict

Sounds = tuple[str, ...]

VOICELESS = frozenset("P T K F TH HH CH SH S".split())
SIBILANTS = frozenset("S Z SH ZH CH JH".split())
CONTRACTED: dict[str, Sounds] = {
    "ve": ("AH0", "V"),
    "d": ("AH0", "D"),
    "ll": ("AH0", "L"),
    "re": ("ER0",),
}
STUTTERS = 4  # parts of I-I-I-I-I'm looked ahead for the word that is tried
VOWELS = re.compile("[aeiou]|[^y]y")
# Three letters that are said as a syllable, though no dictionary has them: jax, fam, qiu.
SYLLABLE = re.compile("[b-df-hj-np-tv-xz][aeiou][a-ehik-pr-z]")
SPELLED_SYLLABLES = frozenset("pov dob fov wip cio roi gui nod kol".split())
PREFIXES: dict[str, Sounds] = {"re": ("R", "IY0"), "de": ("D", "IY0")}
TOKEN = re.compile(r"[A-Za-z]+(?:['\-][A-Za-z]+)*'?|'[A-Za-z]+|[!?….,\-]")


@dataclass(frozen=True)
class Word:
    """A word or mark and its phonemes; `source` says which rule found them."""

    text: str
    phonemes: Sounds
    source: str


def letters(word: str, words: dictionary.Pronunciations) -> Sounds:
    """Letter by letter."""
    return tuple(
        sound for char in word for sound in (("EY1",) if char == "a" else words.get(char, ()))
    )


def plural(stem: Sounds) -> Sounds:
    """The stem's sounds with s."""
    if not stem:
        return stem
    if stem[-1] in SIBILANTS:
        return (*stem, "AH0", "Z")
    return (*stem, "S" if stem[-1] in VOICELESS else "Z")


def past(stem: Sounds) -> Sounds:
    """The stem's sounds with ed."""
    if stem[-1] in {"T", "D"}:
        return (*stem, "AH0", "D")
    return (*stem, "T" if stem[-1] in VOICELESS else "D")


def inflected(word: str, words: dictionary.Pronunciations) -> Sounds | None:
    """A form of a dictionary word: blogs, googled, chatting, vlogger."""
    for ending, sounds in (
        ("s", plural),
        ("ed", past),
        ("ing", lambda stem: (*stem, "IH0", "NG")),
        ("er", lambda stem: (*stem, "ER0")),
        ("ly", lambda stem: (*stem, "L", "IY0")),
        ("less", lambda stem: (*stem, "L", "AH0", "S")),
        ("ness", lambda stem: (*stem, "N", "AH0", "S")),
    ):
        if not word.endswith(ending) or len(word) - len(ending) < 3:
            continue
        stem = word[: -len(ending)]
        stems = [stem] if ending != "s" or not word.endswith("es") else [stem, word[:-2]]
        if ending in {"ed", "ing", "er"}:
            stems += [stem + "e"] + ([stem[:-1]] if stem[-1:] == stem[-2:-1] else [])
        for candidate in stems:
            if candidate in words and VOWELS.search(candidate):
                return sounds(words[candidate])
    return None


def compound(word: str, words: dictionary.Pronunciations) -> Sounds | None:
    """Two dictionary words written as one: chatbot, livestream; the evener split is taken."""
    best: tuple[int, int] | None = None
    for cut in range(3, len(word) - 2):
        left, right = word[:cut], word[cut:]
        shorter = min(cut, len(word) - cut)
        known = left in words and (right in words or inflected(right, words))
        if known and max(cut, len(word) - cut) > 3 and (best is None or shorter > best[0]):
            best = (shorter, cut)
    if best is None:
        return None
    right = word[best[1] :]
    return words[word[: best[1]]] + (words.get(right) or inflected(right, words) or ())


def unstretched(word: str, words: dictionary.Pronunciations) -> Sounds | None:
    """sooooo -> so, yesss -> yes, hahahaha -> haha: letters repeated for effect."""
    if re.fullmatch("h{3,}", word):
        return ("HH", "AA1", "HH", "AA1")
    laugh = re.fullmatch(r"(?:b?[wm]?ha|ah)+h?|(?:he){2,}|(?:hi){2,}", word)
    if laugh and len(word) > 2:
        vowel = {"a": "AA1", "e": "EH1", "i": "IY1"}[re.findall("[aei]", word)[0]]
        return ("HH", vowel) * min(len(re.findall("[aei]", word)), 6)
    if not re.search(r"(.)\1\1", word):
        return None
    for repeat in (r"\1", r"\1\1"):
        shorter = re.sub(r"(.)\1{2,}", repeat, word)
        if shorter in words:
            return words[shorter]
    return None


@lru_cache(maxsize=20_000)
def lookup(word: str, edition: str) -> tuple[Sounds, str]:
    """One lower-case word, apostrophes and hyphens included -> its phonemes and their source."""
    words = dictionary.load(edition)
    if word in words:
        return words[word], "dictionary"
    if len(word) == 1:
        return letters(word, words), "letter"
    if word.endswith("'s"):
        return plural(lookup(word[:-2], edition)[0]), "possessive"
    if word.endswith("s'"):
        return lookup(word[:-1], edition)[0], "possessive"
    if "-" in word:
        return _hyphenated([part for part in word.split("-") if part], edition), "hyphenated"
    if "'" in word:
        bare = word.replace("'", "")
        if bare in words:
            return words[bare], "dictionary"
        stem, _, ending = word.rpartition("'")
        if ending in CONTRACTED:
            return (*lookup(stem, edition)[0], *CONTRACTED[ending]), "contraction"
        parts = [lookup(part, edition)[0] for part in word.split("'") if part]
        return tuple(sound for part in parts for sound in part), "parts"
    found = unstretched(word, words)
    if found is not None:
        return found, "stretched"
    syllable = SYLLABLE.fullmatch(word) and word not in SPELLED_SYLLABLES
    if (len(word) <= 3 and not syllable) or not VOWELS.search(word):
        return letters(word, words), "letters"
    if word.endswith("in") and len(word) > 3:
        whole = words.get(word + "g") or inflected(word + "g", words)
        if whole is not None:
            return (*whole[:-1], "N"), "dropped g"
    for rule in (inflected, compound):
        found = rule(word, words)
        if found is not None:
            return found, rule.__name__
    return predict(word), "predicted"


def _hyphenated(parts: list[str], edition: str) -> Sounds:
    """well-known; a stutter (b-but, I-I-I) says the first sound of what it tries."""
    sounds: list[str] = []
    for index, part in enumerate(parts):
        rest = parts[index + 1 : index + 1 + STUTTERS]
        whole = next((other for other in rest if len(other) > len(part)), "")
        if whole.startswith(part) and len(part) <= 2 and part not in {"a", "i", "in", "re"}:
            sounds += lookup(whole, edition)[0][:1]
        elif index == 0 and rest and part in PREFIXES:
            sounds += PREFIXES[part]
        else:
            sounds += lookup(part, edition)[0]
    return tuple(sounds)


@lru_cache(maxsize=4096)
def pronounce(
    normalized: str, *, edition: str = "cmudict", tagger: str | None = None
) -> tuple[Word, ...]:
    """Words and marks of normalised text, in order; `tagger`: a folder that decides homographs."""
    tokens = TOKEN.findall(normalized)
    shouting = is_shouting(tokens, edition)
    spoken: list[tuple[str, str]] = []  # what is said, what is written
    for token in tokens:
        if not re.search("[A-Za-z]", token):
            spoken.append((token, token))
            continue
        token = token if token[-2:].lower() == "s'" else token.strip("'")
        if token == "A":
            spoken.append(("A", token))
        else:
            spoken += [(part, part) for part in capitals(token, edition, shouting)]
    words = [said for said, _ in spoken]
    result: list[Word] = []
    for index, (said, written) in enumerate(spoken):
        if not re.search("[A-Za-z]", said):
            result.append(Word(written, (said,), "mark"))
        elif said == "A":
            result.append(Word("A", ("EY1",), "letter"))
        else:
            chosen = None
            if edition == "cmudict":
                chosen = homographs.reading(words, index, tagger=tagger)
            sounds, source = (chosen, "homograph") if chosen else lookup(said, edition)
            result.append(Word(said, sounds, source))
    return tuple(result)
