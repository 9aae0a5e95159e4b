"""What this machine can do, measured: the limits the other benchmarks compare themselves with.

Probes run before and after a measurement; where they disagree, somebody else used the machine.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

NOISY = 0.15
CPU_FLAGS = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "VNNI"}
CPU_FLAGS |= {"avx512_bf16": "AVX-512 BF16", "amx_tile": "AMX", "amx_bf16": "AMX BF16"}


def seconds(run: Callable[[], Any], *, repeats: int) -> list[float]:
    """Wall time of each repeat, after one that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def read_bandwidth(*, megabytes: int = 320, repeats: int = 7) -> float:
    """GB/s at which this process reads memory (a sum over fp32, median)."""
    values = torch.ones(megabytes * 1_000_000 // 4)
    return megabytes / 1000 / statistics.median(seconds(values.sum, repeats=repeats))


def gemm_peak(*, dtype: torch.dtype = torch.float32, size: int = 1024, repeats: int = 7) -> float:
    """GFLOP/s of a square matrix product (median)."""
    a, b = torch.randn(2, size, size, dtype=dtype)
    return 2 * size**3 / 1e9 / statistics.median(seconds(lambda: a @ b, repeats=repeats))


def noisy(before: float, after: float) -> bool:
    """Whether two probes of one limit differ by more than NOISY of the larger."""
    return abs(before - after) > NOISY * max(before, after)


def peak_memory() -> float:
    """Largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def cpu() -> dict[str, Any]:
    """The processor, threads, and the instruction sets that decide the speed of these networks."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = [line.split(":", 1) for line in file if ":" in line]
    except OSError:
        lines = []
    found = {key.strip(): value.strip() for key, value in reversed(lines)}
    have = found.get("flags", "").split()
    return {
        "cpu": f"{found.get('model name', 'unknown')}, family {found.get('cpu family', '?')}",
        "threads": torch.get_num_threads(),
        "cpu_flags": [name for flag, name in CPU_FLAGS.items() if flag in have],
        "torch": torch.__version__,
    }
