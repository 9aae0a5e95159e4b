"""Statistics and quantizer of a corpus: fitted once on a seeded sample of its train split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from GPT_SoVITS.checkpoints.talker_folder import copy_atomic
from GPT_SoVITS.checkpoints.tokenizer_file import (
    TokenizerHeader,
    load_tokenizer,
    save_tokenizer,
)
from GPT_SoVITS.features.statistics import FeatureStatistics
from GPT_SoVITS.features.store import FeatureStore
from GPT_SoVITS.s2_vits.semantic_tokenizer import SemanticTokenizer
from prepare_datasets.config import PrepareConfig
from prepare_datasets.errors import PrepareError
from prepare_datasets.features import FeatureRecipe, feature_recipe
from prepare_datasets.jsonl import Record
from prepare_datasets.pipeline import log
from prepare_datasets.splits import place

TOKENIZER = "tokenizer.safetensors"


def open_tokenizer(config: PrepareConfig) -> tuple[SemanticTokenizer, TokenizerHeader]:
    """The frozen tokenizer, if it is what the config asks for. Raises `PrepareError`."""
    path = config.folder / "4_semantic" / TOKENIZER
    if not path.is_file():
        raise PrepareError(f"{path} is missing; run --steps 4 first")
    tokenizer, header = load_tokenizer(path)
    asked = {"feature": feature_recipe(config).header(), "n_codes": config.quantizer.n_codes}
    frozen = {"feature": dict(header.feature), "n_codes": header.config["n_codes"]}
    if config.quantizer.tokenizer:
        asked["n_codes"] = frozen["n_codes"]  # the table that was given decides
    different = [key for key in asked if asked[key] != frozen[key]]
    if different:
        raise PrepareError(
            f"{path} was fitted with another {' and '.join(different)}: {frozen}, the config says "
            f"{asked}; add --refit true to fit it again (every token changes) or another --output"
        )
    return tokenizer, header


def take_tokenizer(config: PrepareConfig) -> None:
    """Copy the tokenizer `quantizer.tokenizer` names; never over another one without --refit.

    Raises `PrepareError`.
    """
    source = Path(config.quantizer.tokenizer)
    source = source / TOKENIZER if source.is_dir() else source
    if not source.is_file():
        raise PrepareError(
            f"quantizer.tokenizer: {source} is missing; give a tokenizer or a talker"
        )
    target = config.folder / "4_semantic" / TOKENIZER
    if target.is_file():
        given, frozen = (load_tokenizer(path)[1].quantizer_id for path in (source, target))
        if given == frozen:
            return
        if not config.refit:
            raise PrepareError(
                f"{target} is another tokenizer ({frozen}) than {source} ({given}); add "
                "--refit true to encode anew (every token changes), or use another --output"
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    copy_atomic(source, target)


def fit_tokenizer(
    config: PrepareConfig,
    recipe: FeatureRecipe,
    dialogues: dict[str, list[Record]],
    store: FeatureStore,
) -> None:
    """Fit on training dialogues taken in an order the seed decides, and write the file.

    With another seed other dialogues come first; a corpus smaller than the sample is used whole.

    Raises `PrepareError`.
    """
    settings = config.quantizer
    order = sorted(dialogues, key=lambda name: place(name, settings.seed))
    sampled, frames = [], 0
    for name in order:
        sampled.append([turn for turn in dialogues[name]])
        frames += sum(store.shape(turn["id"])[0] for turn in dialogues[name])
        if frames // 2 >= settings.sample:
            break
    if not frames:
        raise PrepareError(
            "the train split has no features to fit the quantizer on; with split.by speaker every "
            "dialogue may have a voice that was chosen to validate: take a smaller split.valid"
        )
    statistics = None
    if recipe.kind == "logmel":
        statistics = FeatureStatistics.fit(store[turn["id"]] for one in sampled for turn in one)
    dim = store.shape(sampled[0][0]["id"])[1]
    kind = SemanticTokenizer.stacking if recipe.kind == "logmel" else SemanticTokenizer.averaging
    tokenizer = kind(dim, settings.n_codes)
    pieces = _projected(recipe, statistics, tokenizer, sampled, store)
    vectors = torch.cat(list(pieces))  # (M, semantic_dim)
    if len(vectors) < settings.n_codes:
        raise PrepareError(
            f"{len(vectors)} vectors of the train split cannot fit quantizer.n_codes "
            f"{settings.n_codes}; take fewer codes or more recordings"
        )
    if len(vectors) > settings.sample:
        chosen = np.random.default_rng(settings.seed).permutation(len(vectors))[: settings.sample]
        vectors = vectors[torch.from_numpy(np.sort(chosen))]
    report = tokenizer.fit(vectors, seed=settings.seed, iterations=settings.iterations)
    identity = tokenizer.quantizer_id(recipe.header())
    used = report.codes_used
    save_tokenizer(
        config.folder / "4_semantic" / TOKENIZER,
        tokenizer,
        feature=recipe.header(),
        statistics=statistics,
        extra={"corpus": config.source.corpus, "vectors": len(vectors), "codes_used": used},
    )
    log.info(
        "quantizer %s fitted on %d vectors: %d of %d codes used, perplexity %.1f",
        *(identity, len(vectors), used, settings.n_codes, report.perplexity),
    )


def _projected(
    recipe: FeatureRecipe,
    statistics: FeatureStatistics | None,
    tokenizer: SemanticTokenizer,
    dialogues: list[list[Record]],
    store: FeatureStore,
) -> Iterator[torch.Tensor]:
    """(F // 2, semantic_dim) of each turn, in dialogue order as in encoding."""
    encoder = recipe.encoder(statistics)
    for turns in dialogues:
        state = encoder.start()
        for turn in turns:
            features, state = encoder.advance(store[turn["id"]], turn["speaker"], state)
            if len(features) > 1:
                yield tokenizer.project(torch.from_numpy(features.T[None].copy()))[0].T
