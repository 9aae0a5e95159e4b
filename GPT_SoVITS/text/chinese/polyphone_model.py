"""An optional context model for polyphones: g2pW's ONNX folder, run where it is present.

A folder holds the FILES below; POLYPHONIC_CHARS.txt has lines such as `长<TAB>ㄔㄤ2`. The weights
could not be had where this was written: the reader is tested with a stand-in session, file names
and inputs are those of g2pW's description (Apache-2.0).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from GPT_SoVITS.text.chinese.pinyin import split_syllable
from GPT_SoVITS.text.errors import TextError

CONTEXT = 16  # characters on each side the model sees
FILES = ("g2pW.onnx", "POLYPHONIC_CHARS.txt", "bopomofo_to_pinyin_wo_tune_dict.json", "vocab.txt")


class PolyphoneModel:
    """Readings of polyphonic characters from the text around them."""

    def __init__(self, folder: Path, session: Any) -> None:
        lines = (folder / FILES[1]).read_text(encoding="utf-8").split("\n")
        pairs = [line.split("\t") for line in lines if "\t" in line]
        plain = json.loads((folder / FILES[2]).read_text(encoding="utf-8"))
        vocabulary = (folder / FILES[3]).read_text(encoding="utf-8").split("\n")
        labels = sorted({sound for _, sound in pairs})
        self.pinyin = [plain.get(sound[:-1], "") + sound[-1] for sound in labels]
        self.choices: dict[str, list[int]] = {}
        for char, sound in pairs:
            self.choices.setdefault(char, []).append(labels.index(sound))
        self.chars = {char: index for index, char in enumerate(sorted(self.choices))}
        self.tokens = {token: index for index, token in enumerate(vocabulary)}
        self.session = session
        self.lock = threading.Lock()

    def readings(self, text: str, places: Sequence[int]) -> dict[int, str]:
        """Place -> pinyin, for those places the model knows."""
        known = [place for place in places if text[place] in self.choices]
        found = {place: self.pinyin[self._label(text, place)] for place in known}
        return {place: pinyin for place, pinyin in found.items() if split_syllable(pinyin)}

    def _label(self, text: str, place: int) -> int:
        import numpy as np

        start = max(0, place - CONTEXT)
        window = text[start : place + CONTEXT + 1]
        unknown = self.tokens["[UNK]"]
        ids = [self.tokens.get(token, unknown) for token in ("[CLS]", *window, "[SEP]")]
        allowed = np.zeros((1, len(self.pinyin)), np.float32)
        allowed[0, self.choices[text[place]]] = 1
        inputs = {
            "input_ids": np.array([ids], np.int64),  # (1, T)
            "token_type_ids": np.zeros((1, len(ids)), np.int64),
            "attention_mask": np.ones((1, len(ids)), np.int64),
            "phoneme_mask": allowed,  # (1, labels)
            "char_ids": np.array([self.chars[text[place]]], np.int64),
            "position_ids": np.array([place - start + 1], np.int64),
        }
        with self.lock:
            probabilities = self.session.run([], inputs)[0]  # (1, labels)
        return int(np.argmax(np.where(allowed[0] > 0, probabilities[0], -np.inf)))


@lru_cache(maxsize=2)
def load(folder: str) -> PolyphoneModel:
    """The model of a folder; an error that names what is missing."""
    missing = [name for name in FILES if not (Path(folder) / name).is_file()]
    if missing:
        raise TextError(f"polyphone_model {folder} lacks {', '.join(missing)}")
    try:
        import onnxruntime
    except ImportError as error:
        raise TextError("polyphone_model needs onnxruntime: pip install onnxruntime") from error
    session = onnxruntime.InferenceSession(
        str(Path(folder) / FILES[0]), providers=["CPUExecutionProvider"]
    )
    return PolyphoneModel(Path(folder), session)
