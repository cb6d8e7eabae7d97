"""Scripts that measure and print, each run as `python -m benchmarks.NAME`, on one thread: set before NumPy loads."""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
