"""Readers: a folder of recordings -> turns, and an entry for each file that is no usable turn."""

from prepare_datasets.readers.turn import Piece, RawTurn

__all__ = ["Piece", "RawTurn"]
