"""Readers: a folder of recordings -> turns, and an entry for each file that is no usable turn."""

from prepare_datasets.readers.turn import Found, RawTurn

__all__ = ["Found", "RawTurn"]
