"""Where the work of a step runs: here, or in local processes; results come in the order asked."""

from prepare_datasets.executors.local import run_local

__all__ = ["run_local"]
