"""What simple probes read from the codes: is the style of a turn in them, are its phones?

style   logistic regression on mean and spread of a turn's table rows, 5-fold by dialogue
phones  the most frequent phone of each code, learned on 4/5 of the dialogues, asked on 1/5;
        phones are laid evenly over a turn, which is rough: compare with `phones_chance`
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any

import numpy as np

from prepare_datasets.jsonl import Record

FOLDS = 5


def probe(
    records: list[Record],
    turns: dict[str, Record],
    phonemes: dict[str, list[str]],
    *,
    n_codes: int,
    table: np.ndarray | None,
) -> dict[str, Any]:
    """Usage of the codes, and the two probes where there is enough to learn from.

    `table` (n_codes, D) holds the quantizer's rows; without it codes are counted.
    """
    counts = np.zeros(n_codes)
    for record in records:
        counts += np.bincount(record["codes"], minlength=n_codes)
    share = counts[counts > 0] / counts.sum()
    found: dict[str, Any] = {
        "turns": len(records),
        "codes": int(counts.sum()),
        "codes_used": int((counts > 0).sum()),
        "n_codes": n_codes,
        "perplexity": round(float(np.exp(-(share * np.log(share)).sum())), 1),
    }
    dialogues = sorted({turns[record["id"]]["dialogue"] for record in records})
    if len(dialogues) < FOLDS:
        return found
    fold_of = {name: number % FOLDS for number, name in enumerate(dialogues)}
    folds = np.array([fold_of[turns[record["id"]]["dialogue"]] for record in records])
    found |= _phones(records, phonemes, folds == 0)
    labels = [(turns[r["id"]].get("style") or {}).get("name") for r in records]
    labelled = np.array([label is not None for label in labels])
    if len({label for label in labels if label}) > 1 and labelled.sum() >= 4 * FOLDS:
        rows = np.eye(n_codes, dtype=np.float32) if table is None else table
        points = np.stack([_summary(rows[r["codes"]]) for r in records])
        found["style_probe"] = _style(
            points[labelled], np.array([label for label in labels if label]), folds[labelled]
        )
    return found


def _summary(rows: np.ndarray) -> np.ndarray:
    """(N, D) table rows of one turn -> (2 D,) mean and spread."""
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0)])


def _style(points: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    right = 0
    for fold in range(FOLDS):
        held_out = folds == fold
        if not held_out.any() or len(set(labels[~held_out])) < 2:
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        model.fit(points[~held_out], labels[~held_out])
        right += int((model.predict(points[held_out]) == labels[held_out]).sum())
    return round(right / len(labels), 4)


def _phones(
    records: list[Record], phonemes: dict[str, list[str]], held_out: np.ndarray
) -> dict[str, float]:
    by_code: dict[int, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    right = chance = total = 0
    for known in (True, False):
        for record, held in zip(records, held_out):
            if held == known:
                continue
            for code, phone in _laid_out(record["codes"], phonemes[record["id"]]):
                if known:
                    by_code[code][phone] += 1
                    overall[phone] += 1
                    continue
                total += 1
                likely = overall.most_common(1)[0][0]
                guess = by_code[code].most_common(1)[0][0] if by_code.get(code) else likely
                right, chance = right + (guess == phone), chance + (likely == phone)
    scale = max(1, total)
    return {
        "phones_probe": round(right / scale, 4),
        "phones_chance": round(chance / scale, 4),
    }


def _laid_out(codes: list[int], names: list[str]) -> list[tuple[int, str]]:
    """Each code with the phone that lies over it when phones are spread evenly; no stress, tone."""
    spoken = [re.sub(r"\d", "", name) for name in names if re.search(r"\w", name)]
    if not spoken:
        return []
    return [(code, spoken[i * len(spoken) // len(codes)]) for i, code in enumerate(codes)]
