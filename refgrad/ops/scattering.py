"""Elements reduced into places: sums, means, the largest and the smallest of what is sent to each."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any, Final

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import NO_GRADIENT, OWN, op
from refgrad.ops.arithmetic import where
from refgrad.ops.picking import gather, grid, scatter_add, scattered_dim, zeros_of
from refgrad.public import check_tensor, public
from refgrad.record import apply

EXTREMES: Final = {"amax": (np.maximum, -1), "amin": (np.minimum, 1)}
"""What combines two elements, and of what sign the infinity is that it leaves alone."""


def sent(x: Any, index: Any, src: Any, dim: int) -> Any:
    """How many elements are sent to each place."""
    return scatter_add(zeros_of(x), index, zeros_of(src) + 1, dim=dim)


def counted(x: Any, index: Any, src: Any, dim: int, include_self: bool) -> Any:
    """How many elements each mean is of, at least 1."""
    count = sent(x, index, src, dim) + (1 if include_self else 0)
    return where(count == 0, 1.0, count)


def shared(g: Any, x: Any, index: Any, src: Any, y: Any, dim: int) -> tuple[Any, Any, Any]:
    """Each extreme's cotangent divided by how many elements equal it, and which of `x` and of `src` do, as 1 and 0.

    What was there before is counted even where it is not included, as PyTorch counts it.
    """
    one = zeros_of(x) + 1
    own = where(x == y, one, 0.0)
    theirs = where(src == gather(y, index, dim=dim), zeros_of(src) + 1, 0.0)
    return g / (own + scatter_add(zeros_of(x), index, theirs, dim=dim)), own, theirs


def back(g: Any, x: Any, index: Any, src: Any, y: Any, dim: int, reduce: str, include_self: bool) -> Any:
    """The cotangent of what was there before; 0 where it is replaced."""
    if reduce == "sum":
        own = g
    elif reduce == "mean":
        own = g / counted(x, index, src, dim, include_self)
    else:
        part, mine, _ = shared(g, x, index, src, y, dim)
        own = part * mine
    return own if include_self else where(sent(x, index, src, dim) == 0, own, 0.0)


def back_to_source(
    g: Any, x: Any, index: Any, src: Any, y: Any, dim: int, reduce: str, include_self: bool
) -> Any:
    """The cotangent of what is sent."""
    if reduce == "sum":
        return gather(g, index, dim=dim)
    if reduce == "mean":
        return gather(g / counted(x, index, src, dim, include_self), index, dim=dim)
    part, _, theirs = shared(g, x, index, src, y, dim)
    return theirs * gather(part, index, dim=dim)


@op(
    x=lambda g, x, index, src, y, dim, reduce, include_self: back(
        g, x, index, src, y, dim, reduce, include_self
    ),
    index=NO_GRADIENT,
    src=lambda g, x, index, src, y, dim, reduce, include_self: back_to_source(
        g, x, index, src, y, dim, reduce, include_self
    ),
    dtypes=OWN,
)
def scatter_reduce(
    x: Array, index: Array, src: Array, *, dim: int, reduce: str, include_self: bool = True
) -> Any:
    if not index.size:
        return x.copy()
    out, places = np.array(np.atleast_1d(x), order="C"), grid(index, dim)
    taken = np.atleast_1d(src)[tuple(slice(n) for n in np.atleast_1d(index).shape)]
    counts = np.full(out.shape, int(include_self))
    np.add.at(counts, places, 1)
    if reduce in EXTREMES:
        combine, side = EXTREMES[reduce]
        if not include_self:
            out[places] = side * np.inf if x.dtype.kind == "f" else farthest(x.dtype, side)
        combine.at(out, places, taken)
        return out.reshape(x.shape)
    if not include_self:
        out[places] = 0
    np.add.at(out, places, taken)
    if reduce == "mean":
        counts = np.maximum(counts, 1).astype(out.dtype)
        out = out / counts if x.dtype.kind == "f" else out // counts
    return out.reshape(x.shape)


def farthest(stored: np.dtype[Any], side: int) -> int:
    """The largest or smallest integer of a dtype."""
    limits = np.iinfo(stored)
    return limits.max if side > 0 else limits.min


@public("scatter_reduce", scatter_reduce, judged=False)
def _(input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """Input with the elements of `src` reduced, by "sum", "mean", "amax" or "amin", into the places of `index`.

    What was there before takes part, unless include_self says otherwise. NotImplementedError for "prod".
    """
    check_tensor("scatter_reduce", input)
    check_tensor("scatter_reduce", index, "index", 3)
    check_tensor("scatter_reduce", src, "src", 4)
    if reduce == "prod":
        raise NotImplementedError("scatter_reduce: reduce='prod' is not implemented")
    if reduce not in ("sum", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    dim = scattered_dim(input, dim, index, src)
    settings = {"dim": dim, "reduce": reduce, "include_self": include_self}
    return apply(scatter_reduce, (input, index, src), settings)
