"""Why a run ends early; the command turns each kind into its exit code."""

from __future__ import annotations


class PrepareError(Exception):
    """The run cannot go on; the message says what to do. Exit code 2."""


class NothingUsable(PrepareError):
    """Every item is quarantined or dropped; the ledger says why. Exit code 3."""
