"""How many codes a small corpus gets: as many as asked, fewer where `quantizer.shrink` says so."""

from __future__ import annotations

from dataclasses import replace

from GPT_SoVITS.checkpoints.tokenizer_file import TokenizerHeader, load_tokenizer
from GPT_SoVITS.s2_vits.semantic_tokenizer import SemanticTokenizer
from prepare_datasets.config import PrepareConfig
from prepare_datasets.fitting import TOKENIZER, open_tokenizer
from prepare_datasets.pipeline import log


def sized(config: PrepareConfig, vectors: int) -> PrepareConfig:
    """The config with a table that so many vectors can fill: a power of two, two vectors a code."""
    asked = config.quantizer.n_codes
    if not config.quantizer.shrink or vectors >= asked:
        return config
    fewer = max(2, 2 ** ((vectors // 2).bit_length() - 1)) if vectors > 3 else 2
    log.warning("quantizer.n_codes is %d, %d vectors can fill %d", asked, vectors, fewer)
    return replace(config, quantizer=replace(config.quantizer, n_codes=fewer))


def open_frozen(config: PrepareConfig) -> tuple[SemanticTokenizer, TokenizerHeader]:
    """The frozen tokenizer, of the size its corpus allowed."""
    path = config.folder / "4_semantic" / TOKENIZER
    if config.quantizer.shrink and path.is_file():
        fitted_on = int(load_tokenizer(path)[1].extra.get("vectors", config.quantizer.n_codes))
        config = sized(config, fitted_on)
    return open_tokenizer(config)
