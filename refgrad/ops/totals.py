"""PyTorch's functions and methods over the ops along dimensions: signatures, checks, dtypes."""

from math import inf
from typing import Any, NamedTuple

from refgrad.dtypes import dtype, float32, is_continuous
from refgrad.op import Op
from refgrad.ops.extremes import amax, amin, max_all, max_dim, min_all, min_dim
from refgrad.ops.reductions import log_softmax, logsumexp, mean_all, mean_dim, softmax, sum_all, sum_dim
from refgrad.ops.running import cumprod, cumsum, prod_all, prod_dim
from refgrad.ops.spreads import std, var, vector_norm
from refgrad.public import FUNCTIONS, check_tensor, dims, public, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor, normal_dim


def cast(input: Tensor, dtype: dtype | None) -> Tensor:
    """The operand in the dtype that was asked for, if one was."""
    return input if dtype is None else FUNCTIONS["to"](input, dtype)


@public("sum", sum_dim, sum_all)
def _(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Any:
    """The sum of all elements, or of those along `dim`; integers are summed as int64."""
    check_tensor("sum", input)
    input = cast(input, dtype)
    if dim is None and not keepdim:
        return apply(sum_all, (input,), {})
    return apply(sum_dim, (input,), {"dim": dims("sum", dim, input._array.ndim), "keepdim": keepdim})


@public("mean", mean_dim, mean_all)
def _(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The mean of all elements, or of those along `dim`; RuntimeError for integers."""
    check_tensor("mean", input)
    if not is_continuous(input._array.dtype):
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
    return apply(std, (input,), spread_settings("std", input, dim, unbiased, keepdim, correction))


@public("var", var)
def _(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Any:
    """The variance over the count less `correction`, 1 unless told; RuntimeError for integers."""
    return apply(var, (input,), spread_settings("var", input, dim, unbiased, keepdim, correction))


def spread_settings(
    function: str, input: Any, dim: Any, unbiased: bool | None, keepdim: bool, correction: float | None
) -> dict[str, Any]:
    """The settings that std and var share, from either of PyTorch's signatures."""
    check_tensor(function, input)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if not is_continuous(input._array.dtype):
        raise RuntimeError("std and var only support floating point and complex dtypes")
    if unbiased is not None and correction is not None:
        raise TypeError(f"{function}() takes unbiased or correction, not both")
    correction = int(unbiased) if unbiased is not None else 1 if correction is None else correction
    return {"dim": dims(function, dim, input._array.ndim), "correction": correction, "keepdim": keepdim}


@public("linalg.vector_norm", vector_norm, method=False)
def _(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Any:
    """The norm of order `ord` of all elements, or of those along `dim`; of order 0, how many are not 0."""
    check_tensor("linalg_vector_norm", x, "x")
    if dtype is not None:
        x = FUNCTIONS["to"](x, dtype)
    if not is_continuous(x._array.dtype):
        raise RuntimeError(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {x.dtype.word}"
        )
    if not isinstance(ord, bool | int | float):
        raise wrong_type("linalg_vector_norm", "ord", 2, ord, "Number")
    over = dims("linalg_vector_norm", dim, x._array.ndim)
    if (ord < 0 or ord == inf) and any(not x._array.shape[d] for d in over if x._array.ndim):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord:g} norm on an empty tensor because the operation does "
            "not have an identity"
        )
    return apply(vector_norm, (x,), {"ord": ord, "dim": over, "keepdim": keepdim})


@public("norm", vector_norm, judged=False)
def _(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    """The vector norm of order `p`, "fro" for 2."""
    return FUNCTIONS["linalg.vector_norm"](input, 2 if p == "fro" else p, dim, keepdim)


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
    return _normalised(softmax, "softmax_lastdim_kernel_impl", input, dim, dtype)


@public("log_softmax", log_softmax)
def _(input: Any, dim: int, *, dtype: dtype | None = None) -> Any:
    """The logarithm of softmax along `dim`, without overflow; NotImplementedError for integers."""
    return _normalised(log_softmax, "log_softmax_kernel_impl", input, dim, dtype)


def _normalised(op: Op, kernel: str, input: Any, dim: int, kind: dtype | None) -> Any:
    """The checks of softmax and of its logarithm; `kernel` is what PyTorch calls it when it refuses integers."""
    check_tensor(op.name, input)
    input = cast(input, kind)
    if not input.is_floating_point():
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{input.dtype.word}'")
    return apply(op, (input,), {"dim": normal_dim(dim, input._array.ndim)})


@public("cumsum", cumsum)
def _(input: Any, dim: int, *, dtype: dtype | None = None) -> Any:
    """The running sum along `dim`; integers are summed as int64."""
    check_tensor("cumsum", input)
    input = cast(input, dtype)
    return apply(cumsum, (input,), {"dim": normal_dim(dim, input._array.ndim)})


@public("cumprod", cumprod)
def _(input: Any, dim: int, *, dtype: dtype | None = None) -> Any:
    """The running product along `dim`; integers are multiplied as int64."""
    check_tensor("cumprod", input)
    input = cast(input, dtype)
    return apply(cumprod, (input,), {"dim": normal_dim(dim, input._array.ndim)})


@public("prod", prod_dim, prod_all)
def _(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Any:
    """The product of all elements, or of those along one dimension; integers are multiplied as int64."""
    check_tensor("prod", input)
    input = cast(input, dtype)
    if dim is None:
        return apply(prod_all, (input,), {})
    return apply(prod_dim, (input,), {"dim": normal_dim(dim, input._array.ndim), "keepdim": keepdim})


class MaxResult(NamedTuple):
    """The maxima along a dimension, and where each stands."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return f"torch.return_types.max(\nvalues={self.values!r},\nindices={self.indices!r})"


class MinResult(NamedTuple):
    """The minima along a dimension, and where each stands."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return f"torch.return_types.min(\nvalues={self.values!r},\nindices={self.indices!r})"


@public("max", max_dim, max_all)
def _(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element, or along `dim` the values and indices of the largest.

    Of two tensors, their elementwise maximum. RuntimeError or IndexError where there is none.
    """
    return extreme("max", MaxResult, input, dim, keepdim)


@public("min", min_dim, min_all)
def _(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element, or along `dim` the values and indices of the smallest.

    Of two tensors, their elementwise minimum. RuntimeError or IndexError where there is none.
    """
    return extreme("min", MinResult, input, dim, keepdim)


def extreme(name: str, result: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    """What max and min share."""
    check_tensor(name, input)
    if type(dim) is Tensor:
        return FUNCTIONS[f"{name}imum"](input, dim)
    if dim is None:
        check_some(name, input, None)
        return apply(max_all if name == "max" else min_all, (input,), {})
    dim = normal_dim(dim, input._array.ndim)
    check_some(name, input, dim)
    return result(*apply(max_dim if name == "max" else min_dim, (input,), {"dim": dim, "keepdim": keepdim}))


@public("amax", amax)
def _(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """The largest element, or those along `dim`; ties share the gradient."""
    return apply(amax, (input,), extreme_settings("amax", input, dim, keepdim))


@public("amin", amin)
def _(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """The smallest element, or those along `dim`; ties share the gradient."""
    return apply(amin, (input,), extreme_settings("amin", input, dim, keepdim))


def extreme_settings(name: str, input: Any, dim: Any, keepdim: bool) -> dict[str, Any]:
    """What amax and amin share."""
    check_tensor(name, input)
    over = dims(name, dim, input._array.ndim)
    if dim in ((), []):
        check_some(name, input, None)
    for d in over:
        check_some(name, input, d)
    return {"dim": over, "keepdim": keepdim}


def check_some(name: str, input: Tensor, dim: int | None) -> None:
    """Raise as PyTorch does where there is no element to choose from, in all or along `dim`."""
    shape = input._array.shape
    if dim is None and not input._array.size:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
            "dim with the 'dim' argument."
        )
    if dim is not None and shape and not shape[dim]:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


def floating(x: Tensor) -> Tensor:
    """`x`, or where it holds integers a float32 copy."""
    return x if is_continuous(x._array.dtype) else FUNCTIONS["to"](x, float32)
