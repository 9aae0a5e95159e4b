"""Training of both stages on Lightning: data, modules, exact resume, export of a talker."""

import os

# Read by the OpenMP runtime when torch loads. Without it a waiting thread spins, and two processes
# that share the cores slow each other down far beyond half (measured: 13 times instead of 4).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
