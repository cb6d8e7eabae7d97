"""Activation functions under PyTorch's names."""

from refgrad.ops import arithmetic, exponential, totals  # noqa: F401 (publish)
from refgrad.public import FUNCTIONS, publish_elementwise

__all__ = ["relu", "sigmoid", "softmax", "tanh"]

publish_elementwise()
relu, sigmoid, softmax, tanh = (FUNCTIONS[name] for name in __all__)
