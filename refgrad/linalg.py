"""Linear algebra under PyTorch's names."""

from refgrad.ops import products  # noqa: F401 (publishes)
from refgrad.ops.linear import LinAlgError
from refgrad.public import FUNCTIONS

__all__ = ["LinAlgError", "solve"]

solve = FUNCTIONS["linalg.solve"]
