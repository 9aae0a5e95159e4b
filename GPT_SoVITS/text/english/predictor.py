"""Pronunciation of unknown English words: g2p_en's recurrent network, run with numpy.

The weights are read from the installed g2p_en package (Apache-2.0, Kyubyong Park) without importing
it: importing it needs nltk data and tries to download them.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from GPT_SoVITS.text.once import once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float32]

LETTERS = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
PHONEMES = tuple(
    "<pad> <unk> <s> </s> AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 "
    "B CH D DH EH0 EH1 EH2 ER0 ER1 ER2 EY0 EY1 EY2 F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG "
    "OW0 OW1 OW2 OY0 OY1 OY2 P R S SH T TH UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH".split()
)
START, END = PHONEMES.index("<s>"), PHONEMES.index("</s>")
LONGEST = 20


def package_folder() -> Path:
    """Where g2p_en is installed. Raises `ImportError`."""
    spec = find_spec("g2p_en")
    if spec is None or spec.origin is None:
        raise ImportError("g2p_en is not installed: pip install g2p-en")
    return Path(spec.origin).parent


@once
def _weights() -> dict[str, Array]:
    import numpy as np

    with np.load(package_folder() / "checkpoint20.npz") as archive:
        return {name: archive[name] for name in archive.files}


def _cell(x: Array, state: Array, weights: dict[str, Array], side: str) -> Array:
    """One GRU step: x (E,), state (H,) -> (H,)."""
    import numpy as np

    from_input = weights[f"{side}_w_ih"] @ x + weights[f"{side}_b_ih"]  # (3H,)
    from_state = weights[f"{side}_w_hh"] @ state + weights[f"{side}_b_hh"]  # (3H,)
    size = state.shape[0]
    gates = 1 / (1 + np.exp(-(from_input[: 2 * size] + from_state[: 2 * size])))
    reset, keep = gates[:size], gates[size:]
    candidate = np.tanh(from_input[2 * size :] + reset * from_state[2 * size :])
    result: Array = (1 - keep) * candidate + keep * state
    return result


@lru_cache(maxsize=20_000)
def predict(word: str) -> tuple[str, ...]:
    """ARPAbet of a lower-case word, at most 20 phonemes."""
    import numpy as np

    weights = _weights()
    state = np.zeros(weights["enc_w_hh"].shape[1], np.float32)
    for letter in (*word, "</s>"):
        index = LETTERS.index(letter) if letter in LETTERS else LETTERS.index("<unk>")
        state = _cell(weights["enc_emb"][index], state, weights, "enc")
    result: list[str] = []
    token = START
    for _ in range(LONGEST):
        state = _cell(weights["dec_emb"][token], state, weights, "dec")
        token = int(np.argmax(weights["fc_w"] @ state + weights["fc_b"]))
        if token == END:
            break
        name = PHONEMES[token]
        if name[0] != "<" and name != "UW":
            result.append(name)
    return tuple(result)
