"""PyTorch's functions over order: medians, quantiles, extremes together; signatures, checks, result types."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from collections import namedtuple
from typing import Any, Final

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import COMMON, Op, op
from refgrad.ops import sorting
from refgrad.ops.arithmetic import where
from refgrad.ops.extremes import tally, tied
from refgrad.ops.filling import transpose_in_place, unsqueeze_in_place
from refgrad.ops.picking import gather
from refgrad.ops.reductions import sum_all
from refgrad.ops.shaping import Shape, restore, squeeze_in_place
from refgrad.public import check_tensor, public, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor, normal_dim


def evenly(g: Any, x: Any, y: Any) -> Any:
    """The cotangent of the one element that was chosen, shared evenly among all that equal it."""
    return where(tied(x, y), g / max(int(sum_all(tied(x, y))), 1), 0.0)


@op(x=lambda g, x, y: evenly(g, x, y), node="MedianBackward0")
def median_all(x: Array) -> Any:
    return middle(x.reshape(-1), x)


@op(x=lambda g, x, y: evenly(g, x, y), node="NanmedianBackward0")
def nanmedian_all(x: Array) -> Any:
    return middle(x[x == x], x)


def middle(counted: Array, x: Array) -> Any:
    """The lower of the middle elements among those that count, a nan if there is one; of nothing nan."""
    if not counted.size:
        return np.asarray(np.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).min, x.dtype)
    return (
        np.asarray(counted[(counted != counted).argmax()]) if (counted != counted).any() else lower(counted)
    )


def lower(counted: Array) -> Any:
    """The lower of the middle elements."""
    return np.asarray(np.sort(counted)[(counted.size - 1) // 2])


@op(
    x=lambda g_min, g_max, x, min, max, dim, keepdim: (  # noqa: A006 - PyTorch's names
        share(g_min, x, min, dim) + share(g_max, x, max, dim)
    ),
    outputs=("min", "max"),
)
def aminmax(x: Array, *, dim: int | None = None, keepdim: bool = False) -> Any:
    axis = None if dim is None or not x.ndim else dim
    return np.min(x, axis=axis, keepdims=keepdim), np.max(x, axis=axis, keepdims=keepdim)


def share(g: Any, x: Any, y: Any, dim: int | None) -> Any:
    """The cotangent of each extreme, shared evenly; where it is nan, which nothing equals, nan."""
    over: Shape = tuple(range(len(x.shape))) if dim is None else (dim,)
    mask = x == restore(y, x.shape, over)
    return restore(g, x.shape, over) * mask / tally(mask, g, dim=over if x.shape else ())


@op(
    x=lambda g, weight: g * (1 - weight),
    end=lambda g, weight: g * weight,
    weight=lambda g, x, end: g * (end - x),
    dtypes=COMMON,
    node="LerpBackward1",
)
def lerp(x: Array, end: Array, weight: Array) -> Any:
    """The point so far along from x to the end, reckoned from the nearer of the two."""
    return np.where(weight < 0.5, x + weight * (end - x), end - (end - x) * (1 - weight))


def result_type(name: str, *fields: str) -> Any:
    """What PyTorch returns for several results: a tuple with names, which it prints."""

    def text(self: Any) -> str:
        said = ",\n".join(f"{field}={value!r}" for field, value in zip(fields, self, strict=True))
        return f"torch.return_types.{name}(\n{said})"

    return type(name, (namedtuple(name, fields),), {"__repr__": text, "__slots__": ()})


RESULTS: Final = {
    name: result_type(name, "values", "indices")
    for name in ("sort", "topk", "kthvalue", "median", "nanmedian", "mode", "cummax", "cummin")
}
AMINMAX: Final = result_type("aminmax", "min", "max")


def result(name: str, op: Op, input: Any, **settings: Any) -> Any:
    """What an op makes of the input: values and indices."""
    return RESULTS[name](*apply(op, (input,), settings))


def line(name: str, input: Any, dim: int, *, some: bool = True) -> int:
    """The dimension counted from the front; IndexError if there is no such, or where it has to have an element."""
    check_tensor(name, input)
    place = normal_dim(dim, input._array.ndim)
    if some and input._array.ndim and not input._array.shape[place]:
        raise IndexError(f"{name}(): Expected reduction dim {place} to have non-zero size.")
    return place


@public("sort", sorting.sort, judged=False)
def _(input: Any, dim: int = -1, descending: bool = False, *, stable: bool | None = None) -> Any:
    """The elements in order along `dim`, and where they stood; equal elements keep theirs, a nan counts as largest."""
    op = sorting.sort if stable is None else sorting.sort_stable
    return result("sort", op, input, dim=line("sort", input, dim, some=False), descending=descending)


@public("argsort", sorting.sort, judged=False)
def _(input: Any, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Any:
    """Where the elements stood that `sort` returns."""
    place = line("argsort", input, dim, some=False)
    return apply(sorting.sort, (input,), {"dim": place, "descending": descending})[1]


@public("msort", sorting.sort, judged=False)
def _(input: Any) -> Any:
    """The elements in order along the first dimension."""
    return apply(sorting.sort, (input,), {"dim": line("msort", input, 0, some=False)})[0]


@public("topk", sorting.topk, judged=False)
def _(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest or smallest elements along `dim`, in order, and where they stood; RuntimeError if too few."""
    place = line("topk", input, dim, some=False)
    if not 0 <= k <= (input._array.shape[place] if input._array.ndim else 1):
        raise RuntimeError("selected index k out of range")
    return result("topk", sorting.topk, input, k=k, dim=place, largest=largest)


@public("kthvalue", sorting.kthvalue, judged=False)
def _(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest element along `dim`, counted from 1, and where it stands; RuntimeError if they are fewer."""
    place = line("kthvalue", input, dim)
    if not 1 <= k <= (input._array.shape[place] if input._array.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {place}")
    return result("kthvalue", sorting.kthvalue, input, k=k, dim=place, keepdim=keepdim)


@public("median", median_all, judged=False)
def _(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower of the middle elements, or along `dim` those and where they stand; a nan is the median."""
    return middle_of("median", median_all, sorting.median_dim, input, dim, keepdim)


@public("nanmedian", nanmedian_all, judged=False)
def _(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The same of what is not nan."""
    return middle_of("nanmedian", nanmedian_all, sorting.nanmedian_dim, input, dim, keepdim)


def middle_of(name: str, of_all: Op, along: Op, input: Any, dim: int | None, keepdim: bool) -> Any:
    """What both medians share."""
    check_tensor(name, input)
    if input._array.dtype.kind == "b":
        raise NotImplementedError("\"median_cpu\" not implemented for 'Bool'")
    if dim is None:
        return apply(of_all, (input,))
    return result(name, along, input, dim=line(name, input, dim), keepdim=keepdim)


@public("mode", sorting.mode, judged=False)
def _(input: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element along `dim`, of several the smallest, and where it stands last."""
    return result("mode", sorting.mode, input, dim=line("mode", input, dim), keepdim=keepdim)


@public("cummax", sorting.cummax, judged=False)
def _(input: Any, dim: int) -> Any:
    """The largest element so far along `dim`, and where it stood last."""
    return result("cummax", sorting.cummax, input, dim=line("cummax", input, dim, some=False))


@public("cummin", sorting.cummin, judged=False)
def _(input: Any, dim: int) -> Any:
    """The smallest element so far along `dim`, and where it stood last."""
    return result("cummin", sorting.cummin, input, dim=line("cummin", input, dim, some=False))


@public("aminmax", aminmax, judged=False)
def _(input: Any, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element, or those along `dim`; ties share the gradient."""
    check_tensor("aminmax", input)
    place = None if dim is None else normal_dim(dim, input._array.ndim)
    if not input._array.size:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."
        )
    return AMINMAX(*apply(aminmax, (input,), {"dim": place, "keepdim": keepdim}))


WAYS: Final = ("linear", "lower", "higher", "midpoint", "nearest")


@public("quantile", lerp, judged=False)
def _(
    input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """The q-quantiles of all elements, or along `dim`, between the two elements next to each; composed as PyTorch does.

    Of a vector `q` the result has its length as its first dimension. RuntimeError for numbers outside [0, 1].
    """
    check_tensor("quantile", input)
    parts = parts_of(input, q)
    if interpolation not in WAYS:
        raise RuntimeError(
            f"quantile() interpolation must be one of {', '.join(WAYS[:-1])} or {WAYS[-1]}, but got {interpolation}"
        )
    shape, ndim = input._array.shape, input._array.ndim
    if dim is None:
        lines, kept = input.flatten(), (1,) * ndim if keepdim else ()
    else:
        place = normal_dim(dim, ndim)
        lines = input if place == max(ndim - 1, 0) else input.unsqueeze(-1).transpose(place, -1)
        kept = tuple(1 if i == place else n for i, n in enumerate(shape) if keepdim or i != place)
    (ordered, _), size = lines.sort(), lines.shape[-1] if lines.ndim else 1
    made = interpolated(ordered.view((*kept, size)), parts.reshape(-1), interpolation)
    if parts.ndim:
        made = apply(unsqueeze_in_place, (made,), {"dim": 0})
        made = apply(transpose_in_place, (made,), {"dim0": 0, "dim1": made.ndim - 1})
    return apply(squeeze_in_place, (made,), {"dim": made.ndim - 1})


def parts_of(input: Tensor, q: Any) -> Array:
    """The numbers between 0 and 1, as an array of no dimensions or of one; RuntimeError in PyTorch's words."""
    if not isinstance(q, float | int) and type(q) is not Tensor:
        raise wrong_type("quantile", "q", 2, q)
    kind = input._array.dtype
    parts = q._array if type(q) is Tensor else np.asarray(q, kind)
    if parts.ndim > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if not input._array.size:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if input.dtype.name not in ("float32", "float64"):
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if parts.dtype != kind:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if not np.all((parts >= 0) & (parts <= 1)):
        said = f" but got {q:g}" if type(q) is not Tensor else ""
        raise RuntimeError(f"quantile() q {'values ' * (not said)}must be in the range [0, 1]{said}")
    return parts


def interpolated(lines: Tensor, parts: Array, way: str) -> Tensor:
    """For each ordered line, along its last dimension, the numbers so far along it; a line with a nan has its nan."""
    last = lines._array.shape[-1] - 1
    ranks = np.broadcast_to(parts * parts.dtype.type(last), (*lines._array.shape[:-1], parts.size))
    ranks = np.where(np.isnan(lines._array).any(axis=-1, keepdims=True), last, ranks).astype(parts.dtype)
    along = {"dim": lines.ndim - 1}
    rounding = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}.get(way)
    if rounding is not None:
        return apply(gather, (lines, Tensor(rounding(ranks).astype(np.int64))), along)  # type: ignore[no-any-return]
    below, above = np.floor(ranks), np.ceil(ranks)
    weight = ranks - below if way == "linear" else np.full_like(ranks, 0.5)
    low, high = (apply(gather, (lines, Tensor(end.astype(np.int64))), along) for end in (below, above))
    return apply(lerp, (low, high, Tensor(weight)))  # type: ignore[no-any-return]
