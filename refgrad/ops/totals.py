"""PyTorch's functions and methods over the ops along dimensions: signatures, checks, dtypes."""

from typing import Any, NamedTuple

from refgrad.dtypes import dtype, float32
from refgrad.ops.reductions import (
    cumprod,
    logsumexp,
    max_all,
    max_dim,
    mean_all,
    mean_dim,
    softmax,
    std,
    sum_all,
    sum_dim,
)
from refgrad.public import FUNCTIONS, check_tensor, dims, public, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor, normal_dim


@public("sum", sum_dim, sum_all)
def _(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Any:
    """The sum of all elements, or of those along `dim`; integers are summed as int64."""
    check_tensor("sum", input)
    if dtype is not None:
        input = FUNCTIONS["to"](input, dtype)
    if dim is None and not keepdim:
        return apply(sum_all, (input,), {})
    return apply(sum_dim, (input,), {"dim": dims("sum", dim, input._array.ndim), "keepdim": keepdim})


@public("mean", mean_dim, mean_all)
def _(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The mean of all elements, or of those along `dim`; RuntimeError for integers."""
    check_tensor("mean", input)
    if not input.is_floating_point():
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex "
            f"dtype. Got: {input.dtype.word}"
        )
    if dim is None and not keepdim:
        return apply(mean_all, (input,), {})
    return apply(mean_dim, (input,), {"dim": dims("mean", dim, input._array.ndim), "keepdim": keepdim})


@public("std", std)
def _(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Any:
    """The standard deviation over the count less `correction`, 1 unless told; RuntimeError for integers."""
    check_tensor("std", input)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if not input.is_floating_point():
        raise RuntimeError("std and var only support floating point and complex dtypes")
    if unbiased is not None and correction is not None:
        raise TypeError("std() takes unbiased or correction, not both")
    correction = int(unbiased) if unbiased is not None else 1 if correction is None else correction
    settings = {"dim": dims("std", dim, input._array.ndim), "correction": correction, "keepdim": keepdim}
    return apply(std, (input,), settings)


@public("logsumexp", logsumexp)
def _(input: Any, dim: Any, keepdim: bool = False) -> Any:
    """The logarithm of the sum of the exponentials along `dim`, without overflow."""
    check_tensor("logsumexp", input)
    if dim is None:
        raise wrong_type("logsumexp", "dim", 2, dim, "tuple of ints")
    settings = {"dim": dims("logsumexp", dim, input._array.ndim), "keepdim": keepdim}
    return apply(logsumexp, (floating(input),), settings)


@public("softmax", softmax)
def _(input: Any, dim: int, *, dtype: dtype | None = None) -> Any:
    """Exponentials along `dim`, scaled to sum to 1; NotImplementedError for integers."""
    check_tensor("softmax", input)
    if dtype is not None:
        input = FUNCTIONS["to"](input, dtype)
    if not input.is_floating_point():
        raise NotImplementedError(f"\"softmax_lastdim_kernel_impl\" not implemented for '{input.dtype.word}'")
    return apply(softmax, (input,), {"dim": normal_dim(dim, input._array.ndim)})


@public("cumprod", cumprod)
def _(input: Any, dim: int, *, dtype: dtype | None = None) -> Any:
    """The running product along `dim`; integers are multiplied as int64."""
    check_tensor("cumprod", input)
    if dtype is not None:
        input = FUNCTIONS["to"](input, dtype)
    return apply(cumprod, (input,), {"dim": normal_dim(dim, input._array.ndim)})


class MaxResult(NamedTuple):
    """The maxima along a dimension, and where each stands."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return f"torch.return_types.max(\nvalues={self.values!r},\nindices={self.indices!r})"


@public("max", max_dim, max_all)
def _(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element, or along `dim` the values and indices of the largest.

    RuntimeError or IndexError where there is none; TypeError for the maximum of two tensors.
    """
    check_tensor("max", input)
    if type(dim) is Tensor:
        raise TypeError("max(): the elementwise maximum of two tensors is not offered by refgrad")
    if dim is None:
        if not input._array.size:
            raise RuntimeError(
                "max(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
                "dim with the 'dim' argument."
            )
        return apply(max_all, (input,), {})
    dim = normal_dim(dim, input._array.ndim)
    if input._array.ndim and not input._array.shape[dim]:
        raise IndexError(f"max(): Expected reduction dim {dim} to have non-zero size.")
    return MaxResult(*apply(max_dim, (input,), {"dim": dim, "keepdim": keepdim}))


def floating(x: Tensor) -> Tensor:
    """`x`, or where it holds integers a float32 copy."""
    return x if x.is_floating_point() else FUNCTIONS["to"](x, float32)
