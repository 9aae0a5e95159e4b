"""Stage 1 at each precision asked for, and the histories encoded with it: made once, shared."""

from __future__ import annotations

import threading

from GPT_SoVITS.inference.batching import SharedDecoding
from GPT_SoVITS.inference.prefix_cache import PrefixCache
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.projections import choose_precision


class Decoders:
    """Decoders of one network; thread-safe."""

    def __init__(self, model: SemanticGPT) -> None:
        self._model = model
        self._made: dict[str, Decoder] = {}
        self._prefixes: dict[tuple[str, str], PrefixCache] = {}
        self._shared: dict[tuple[str, str], SharedDecoding] = {}
        self._lock = threading.Lock()

    def get(self, precision: str = "auto") -> Decoder:
        """The decoder of a precision; ``auto`` is the one chosen for this machine."""
        chosen = self._chosen(precision)
        with self._lock:
            if chosen not in self._made:
                self._made[chosen] = Decoder(self._model, precision=chosen)
            return self._made[chosen]

    def prefixes(self, precision: str, mask: str) -> PrefixCache:
        """Encoded histories: bf16 on CUDA has keys of its own, and so has each mask rule."""
        key = (self._chosen(precision), mask)
        with self._lock:
            return self._prefixes.setdefault(key, PrefixCache())

    def shared(self, precision: str, mask: str) -> SharedDecoding | None:
        """On CUDA the thread that steps all sessions' replies as CUDA graphs; else None."""
        if self._model.head.weight.device.type != "cuda":
            return None
        key, decoder = (self._chosen(precision), mask), self.get(precision)
        with self._lock:
            if key not in self._shared:
                self._shared[key] = SharedDecoding(decoder, mask=mask)
            return self._shared[key]

    def _chosen(self, precision: str) -> str:
        width = self._model.config.hidden_dim
        return choose_precision(precision, device=self._model.head.weight.device, width=width)
