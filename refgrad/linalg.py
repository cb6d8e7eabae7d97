"""Linear algebra under PyTorch's names."""

from refgrad.ops import matrices, products, totals  # noqa: F401 (publish)
from refgrad.ops.linear import LinAlgError
from refgrad.public import offered

__all__ = ["LinAlgError", "det", "inv", "solve", "vector_norm"]

det, inv, solve, vector_norm = (offered(f"linalg.{name}") for name in ("det", "inv", "solve", "vector_norm"))
