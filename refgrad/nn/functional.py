"""Activation functions under PyTorch's names."""

from refgrad.ops import activations, arithmetic, exponential, hyperbolic, totals  # noqa: F401 (publish)
from refgrad.public import FUNCTIONS, publish_elementwise

__all__ = ["gelu", "relu", "sigmoid", "silu", "softmax", "softplus", "tanh"]

publish_elementwise()
relu, sigmoid, softmax, tanh = (FUNCTIONS[name] for name in ("relu", "sigmoid", "softmax", "tanh"))
gelu, silu, softplus = (FUNCTIONS[f"nn.functional.{name}"] for name in ("gelu", "silu", "softplus"))
