"""BERT phone features of Chinese text from a local folder (chinese-roberta-wwm-ext-large).

    normalised text  今 天 好 。        one row per character, hidden state -3
    word2ph          2  2  2  1
    phone features   ↓↓ ↓↓ ↓↓ ↓         a character's row repeated for its phonemes, (X, 1024)

Other languages have zeros. In mixed text every stretch is read alone, as published.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.features.model_folder import ModelFolderError, check_folder, load_complete
from GPT_SoVITS.text.sequence import PhonemeSequence

log = logging.getLogger(__name__)
LAYER = -3
"""Of the hidden states: the output of the layer before the last two."""
LONGEST = 510
"""Characters BERT reads at once, without its two marks."""
LANGUAGE = "zh"


class BertFeatures:
    """A phoneme sequence -> features (X, dim) float32."""

    def __init__(
        self,
        folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        half: bool | None = None,
    ) -> None:
        check_folder(folder, model_type="bert", name="chinese-roberta-wwm-ext-large")
        self._folder = Path(folder)
        self._vocabulary = read_vocabulary(self._folder)
        self._model, self._full = load_bert(self._folder), None
        if self._model.config.num_hidden_layers < 3:
            raise ModelFolderError(f"{folder}: the features need a model of at least 3 layers")
        self.dim = int(self._model.config.hidden_size)
        self.device = torch.device(device)
        self.half = self.device.type == "cuda" if half is None else half
        self._model.to(self.device, torch.float16 if self.half else torch.float32)

    def __call__(self, sequence: PhonemeSequence) -> np.ndarray:
        """Rows of every stretch in order; zeros for what is not Chinese."""
        rows = []
        for segment in sequence.segments:
            if segment.language == LANGUAGE and segment.word2ph is not None:
                rows.append(self.phones(segment.normalized, segment.word2ph))
            else:
                rows.append(np.zeros((len(segment.phonemes), self.dim), np.float32))
        features = np.concatenate(rows) if rows else np.zeros((0, self.dim), np.float32)
        if len(features) != len(sequence.ids):
            raise ValueError(
                f"{len(features)} feature rows for {len(sequence.ids)} phonemes of "
                f"{sequence.normalized!r}"
            )
        return features

    def phones(self, normalized: str, word2ph: Sequence[int]) -> np.ndarray:
        """Chinese text and phonemes per character -> (sum of word2ph, dim). Raises `ValueError`."""
        if len(word2ph) != len(normalized):
            raise ValueError(f"{len(word2ph)} word2ph entries for {len(normalized)} characters")
        return np.repeat(self.characters(normalized), word2ph, axis=0)

    def characters(self, text: str) -> np.ndarray:
        """text of N characters -> (N, dim); long texts are read in pieces."""
        return self.characters_of([text])[0]

    def characters_of(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Texts in order -> (N, dim) each; pieces of one length share a pass of the network."""
        pieces = [
            (place, text[i : i + LONGEST])
            for place, text in enumerate(texts)
            for i in range(0, len(text), LONGEST)
        ]
        by_length: dict[int, list[int]] = {}
        for number, (_, piece) in enumerate(pieces):
            by_length.setdefault(len(piece), []).append(number)
        read: dict[int, np.ndarray] = {}
        for numbers in by_length.values():
            read |= dict(zip(numbers, self._read([pieces[n][1] for n in numbers])))
        rows: list[list[np.ndarray]] = [[np.zeros((0, self.dim), np.float32)] for _ in texts]
        for number, (place, _) in enumerate(pieces):
            rows[place].append(read[number])
        return [np.concatenate(parts) for parts in rows]

    def _read(self, texts: Sequence[str]) -> np.ndarray:
        """Texts of one length -> (B, N, dim)"""
        known, unknown = self._vocabulary, self._vocabulary["[UNK]"]
        # A row per character, whatever the tokeniser would join (letters, digits).
        rows = [[known.get(c, known.get(c.lower(), unknown)) for c in text] for text in texts]
        marked = [[known["[CLS]"], *ids, known["[SEP]"]] for ids in rows]
        tokens = torch.tensor(marked, device=self.device)
        states = self._run(self._model, tokens)
        if self.half and not np.isfinite(states).all():
            log.warning("BERT overflowed in half precision on %d texts; again in fp32", len(texts))
            states = self._run(self._full_model(), tokens)
        if not np.isfinite(states).all():
            raise ValueError("BERT features are not finite, in fp32 too; check the model folder")
        return states

    @staticmethod
    def _run(model: Any, tokens: torch.Tensor) -> np.ndarray:
        """Token ids (B, N + 2) -> (B, N, dim) float32."""
        with torch.inference_mode():
            states = model(input_ids=tokens, output_hidden_states=True).hidden_states
        values: np.ndarray = states[LAYER][:, 1:-1].float().cpu().numpy()
        return values

    def _full_model(self) -> Any:
        """The weights as the file says, loaded when half precision first failed."""
        if self._full is None:
            self._full = load_bert(self._folder).to(self.device)
        return self._full


def load_bert(folder: Path) -> Any:
    """The network in fp32, on the CPU."""
    from transformers import BertModel

    model = load_complete(BertModel, folder, may_miss=("pooler.",))
    return model.requires_grad_(False)


def read_vocabulary(folder: Path) -> dict[str, int]:
    """Token -> row, from vocab.txt or tokenizer.json. Raises `ModelFolderError`."""
    lines, whole = folder / "vocab.txt", folder / "tokenizer.json"
    if lines.is_file():
        tokens = lines.read_text(encoding="utf-8").splitlines()
        vocabulary = {token: row for row, token in enumerate(tokens)}
    elif whole.is_file():
        vocabulary = json.loads(whole.read_text(encoding="utf-8"))["model"]["vocab"]
    else:
        raise ModelFolderError(f"{folder}: neither vocab.txt nor tokenizer.json is there")
    missing = [mark for mark in ("[CLS]", "[SEP]", "[UNK]") if mark not in vocabulary]
    if missing:
        raise ModelFolderError(f"{folder}: the vocabulary lacks {', '.join(missing)}")
    return vocabulary
