"""Activation functions under PyTorch's names."""

from refgrad.ops import activations, arithmetic, exponential, hyperbolic, totals  # noqa: F401 (publish)
from refgrad.public import offered, publish_elementwise

__all__ = ["gelu", "relu", "sigmoid", "silu", "softmax", "softplus", "tanh"]

publish_elementwise()
relu, sigmoid, softmax, tanh = (offered(name) for name in ("relu", "sigmoid", "softmax", "tanh"))
gelu, silu, softplus = (offered(f"nn.functional.{name}") for name in ("gelu", "silu", "softplus"))
