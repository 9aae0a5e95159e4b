"""An optional part-of-speech tagger for homographs: nltk's averaged perceptron, from its JSON data.

The folder is nltk_data's taggers/averaged_perceptron_tagger_eng. Nothing is downloaded, and nltk is
imported only when the folder is given; without it the neighbours of a word decide.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from GPT_SoVITS.text.errors import TextError

FILES = tuple(
    f"averaged_perceptron_tagger_eng.{part}.json" for part in ("weights", "tagdict", "classes")
)


@lru_cache(maxsize=2)
def load(folder: str) -> Any:
    """nltk's tagger with the data of a folder; an error that names what is missing."""
    missing = [name for name in FILES if not (Path(folder) / name).is_file()]
    if missing:
        raise TextError(f"english_tagger {folder} lacks {', '.join(missing)}")
    from nltk.tag.perceptron import PerceptronTagger

    tagger = PerceptronTagger(load=False)
    parameters = ((Path(folder) / name).read_text(encoding="utf-8") for name in FILES)
    tagger.decode_json_params(json.loads(text) for text in parameters)
    return tagger


@lru_cache(maxsize=1024)
def tags(words: tuple[str, ...], folder: str) -> tuple[str, ...]:
    """Penn tags of the words, in order."""
    return tuple(tag for _, tag in load(folder).tag(list(words)))
