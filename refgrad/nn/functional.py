"""Functions of neural networks under PyTorch's names."""

import warnings
from typing import Any

from refgrad.ops import (  # noqa: F401 (publish)
    activations,
    arithmetic,
    exponential,
    hyperbolic,
    losses,
    margins,
    pairwise,
    pooling,
    thresholds,
    totals,
)
from refgrad.public import FUNCTIONS, check_tensor, offered, publish_elementwise

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_similarity",
    "cross_entropy",
    "elu",
    "gelu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "l1_loss",
    "leaky_relu",
    "linear",
    "log_softmax",
    "margin_ranking_loss",
    "max_pool1d",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pdist",
    "prelu",
    "relu",
    "relu6",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "softshrink",
    "tanh",
    "threshold",
]

publish_elementwise()
sigmoid, tanh = offered("sigmoid"), offered("tanh")
_softmax, _log_softmax, _relu = offered("softmax"), offered("log_softmax"), offered("relu")
elu, gelu, leaky_relu, silu, softplus = (
    offered(f"nn.functional.{name}") for name in ("elu", "gelu", "leaky_relu", "silu", "softplus")
)
binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, l1_loss, mse_loss, nll_loss = (
    offered(f"nn.functional.{name}")
    for name in (
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "cross_entropy",
        "l1_loss",
        "mse_loss",
        "nll_loss",
    )
)

relu6, hardtanh, hardsigmoid, hardswish, hardshrink, softshrink, threshold, prelu = (
    offered(f"nn.functional.{name}")
    for name in (
        "relu6",
        "hardtanh",
        "hardsigmoid",
        "hardswish",
        "hardshrink",
        "softshrink",
        "threshold",
        "prelu",
    )
)
cosine_similarity, pdist, max_pool1d = (
    offered(f"nn.functional.{name}") for name in ("cosine_similarity", "pdist", "max_pool1d")
)
smooth_l1_loss, huber_loss, hinge_embedding_loss, margin_ranking_loss = (
    offered(f"nn.functional.{name}")
    for name in ("smooth_l1_loss", "huber_loss", "hinge_embedding_loss", "margin_ranking_loss")
)


def relu(input: Any, inplace: bool = False) -> Any:
    """The larger of input and 0; with `inplace` written over the input."""
    return input.relu_() if inplace else _relu(input)


def softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Any:
    """Exponentials along `dim`, scaled to sum to 1; without `dim` along one that PyTorch chooses, with its warning."""
    return _softmax(input, _chosen_dim("softmax", input, dim), dtype=dtype)


def log_softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Any:
    """The logarithm of softmax along `dim`."""
    return _log_softmax(input, _chosen_dim("log_softmax", input, dim), dtype=dtype)


def _chosen_dim(function: str, input: Any, dim: int | None) -> int:
    """`dim`, or the second or first dimension, as PyTorch chooses where it is left out."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {function} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        UserWarning,
        stacklevel=3,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """input @ weight.T + bias over the last dimension; composed as PyTorch composes it."""
    check_tensor("linear", input)
    check_tensor("linear", weight, "weight", 2)
    if bias is None:
        return FUNCTIONS["matmul"](input, weight.t())
    check_tensor("linear", bias, "bias", 3)
    shape = input._array.shape
    if len(shape) == 2:
        return FUNCTIONS["addmm"](bias, input, weight.t())
    if shape and input.is_contiguous() and bias._array.ndim and bias.is_contiguous():
        rows = FUNCTIONS["addmm"](bias, input.view(-1, shape[-1]), weight.t())
        return rows.view(*shape[:-1], weight._array.shape[0])
    return FUNCTIONS["matmul"](input, weight.t()) + bias


def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """For each class number a row of zeros with a 1 at its place; as many classes as needed unless told."""
    import numpy as np

    from refgrad.tensor import Tensor

    check_tensor("one_hot", tensor)
    names = tensor._array
    if names.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if names.size and names.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1 and not names.size:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    classes = int(names.max()) + 1 if num_classes == -1 else num_classes
    if names.size and names.max() >= classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return Tensor((names[..., None] == np.arange(classes)).astype(np.int64))
