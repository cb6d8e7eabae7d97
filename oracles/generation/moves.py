"""How ops that move elements are drawn: shapes, pieces, places and masks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.generation.axes import one_dim
from oracles.generation.drawing import Drawing
from oracles.program import Ref, Refs, Scalar


def view(d: Drawing, op: str, public: Any) -> int:
    """Another shape where the elements lie row by row; else one that every layout can take."""
    x = d.operand()
    size, shape = d.values[x].size, d.values[x].shape
    options: list[tuple[int, ...]] = [(*shape, 1), (1, *shape), shape]
    if x in d.inputs and d.inputs[x].layout == "contiguous":
        options = [(size,), shape[::-1], (1, size), *([(-1,), (-1, 1)] if size else []), *options]
    return d.apply(op, Ref(x), settings={"size": d.one_of(*options)})


def flatten(d: Drawing, op: str, public: Any) -> int:
    """Neighbouring dimensions as one; a number becomes one element."""
    x = d.operand(least=1 if d.face in ("settings", "negative dim") else 0)
    rank = max(1, d.values[x].ndim)
    first = d.integer(0, rank - 1)
    last = d.integer(first, rank - 1)
    if d.face not in ("settings", "negative dim") and d.integer(0, 1) == 0:
        return d.apply(op, Ref(x))
    back = rank if d.face == "negative dim" else 0
    return d.apply(op, Ref(x), settings={"start_dim": first - back, "end_dim": last - back})


def permute(d: Drawing, op: str, public: Any) -> int:
    """Any order of the dimensions, counted from either end."""
    x = d.operand()
    left = list(range(d.values[x].ndim))
    order = [left.pop(d.integer(0, len(left) - 1)) for _ in range(len(left))]
    back = len(order) if d.face == "negative dim" else 0
    return d.apply(op, Ref(x), settings={"dims": tuple(n - back for n in order)})


def unsqueeze(d: Drawing, op: str, public: Any) -> int:
    """A new dimension anywhere, the end included."""
    x = d.operand(most=2)
    rank = d.values[x].ndim + 1
    dim = d.integer(0, rank - 1)
    return d.apply(op, Ref(x), settings={"dim": dim - rank if d.face == "negative dim" else dim})


def squeeze(d: Drawing, op: str, public: Any) -> int:
    """All dimensions of size 1, or one, or several, among which some may be longer."""
    x = d.operand()
    ndim = d.values[x].ndim
    if d.face == "tuple dim" and ndim > 1:
        return d.apply(op, Ref(x), settings={"dim": d.one_of((0, -1), tuple(range(ndim)), (0,))})
    if d.face == "negative dim" or d.integer(0, 1):
        return d.apply(op, Ref(x), settings={"dim": one_dim(d, ndim)})
    return d.apply(op, Ref(x))


def stack(d: Drawing, op: str, public: Any) -> int:
    """One to three tensors of one shape along a new dimension; perhaps the same one twice."""
    first = d.operand(most=2)
    shape = d.values[first].shape
    others = [first] if d.face == "same twice" else []
    others += [d.new(shape) for _ in range(d.integer(0 if others else 1, 2))]
    rank = len(shape) + 1
    dim = d.integer(0, rank - 1) - (rank if d.face == "negative dim" else 0)
    return d.apply(op, Refs((first, *others)), settings={"dim": dim})


def _divisible(d: Drawing) -> tuple[int, int]:
    """A value with dimensions, and one of these that is longer than 1, counted from either end."""
    x = d.operand(least=1)
    shape = d.values[x].shape
    if max(shape) < 2:
        x = d.new((3, *shape[1:]))
        shape = d.values[x].shape
    long = [i for i, n in enumerate(shape) if n > 1]
    dim = d.one_of(*long)
    return x, dim - len(shape) if d.face == "negative dim" else dim


def split(d: Drawing, op: str, public: Any) -> int:
    """At least two pieces: of one size, or of sizes among which one may be 0. Every piece may be an output."""
    x, dim = _divisible(d)
    n = d.values[x].shape[dim]
    if d.face == "settings" or d.integer(0, 1):
        first = d.integer(0, n - 1)
        sizes = (first, n - first) if d.integer(0, 2) else (first, 0, n - first)
        return _pieces(d, op, x, {"split_size_or_sections": sizes, "dim": dim}, len(sizes))
    size = d.integer(1, n - 1)
    return _pieces(d, op, x, {"split_size_or_sections": size, "dim": dim}, -(-n // size))


def chunk(d: Drawing, op: str, public: Any) -> int:
    """At least two pieces, perhaps fewer than asked for."""
    x, dim = _divisible(d)
    n = d.values[x].shape[dim]
    chunks = d.integer(2, n + 1)
    return _pieces(d, op, x, {"chunks": chunks, "dim": dim}, -(-n // -(-n // chunks)))


def _pieces(d: Drawing, op: str, x: int, settings: dict[str, Any], count: int) -> int:
    first = d.apply(op, Ref(x), settings=settings, outputs=count)
    chosen = first + d.integer(0, count - 1)
    d.also = [n for n in range(first, first + count) if n != chosen and d.integer(0, 1)]
    return chosen


def flip(d: Drawing, op: str, public: Any) -> int:
    """One dimension turned over, or several."""
    x = d.operand(least=1)
    ndim = d.values[x].ndim
    if d.face == "tuple dim" and ndim > 1:
        return d.apply(op, Ref(x), settings={"dims": d.one_of(tuple(range(ndim)), (0, -1))})
    return d.apply(op, Ref(x), settings={"dims": (one_dim(d, ndim),)})


def roll(d: Drawing, op: str, public: Any) -> int:
    """All elements in a row, one dimension, or several; by more than there are, and backwards."""
    x = d.operand(least=1)
    ndim = d.values[x].ndim
    if d.face == "tuple dim" and ndim > 1:
        shifts, dims = (d.one_of(1, -1, 4), d.one_of(2, -1)), d.one_of((0, 1), (1, 1), (-1, 0))
        return d.apply(op, Ref(x), settings={"shifts": shifts, "dims": dims})
    by = d.one_of(1, -1, 2, 5, 0)
    if d.face == "settings" or (d.face != "negative dim" and d.integer(0, 1) == 0):
        return d.apply(op, Ref(x), settings={"shifts": by})
    return d.apply(op, Ref(x), settings={"shifts": by, "dims": one_dim(d, ndim)})


def triangle(d: Drawing, op: str, public: Any) -> int:
    """The main diagonal as the border, or another."""
    x = d.operand(least=2)
    if d.face == "settings" or d.integer(0, 2) == 2:
        return d.apply(op, Ref(x), settings={"diagonal": d.one_of(1, -1, 2, -3)})
    return d.apply(op, Ref(x))


def diagonal(d: Drawing, op: str, public: Any) -> int:
    """The main diagonal of the first two dimensions, or another of any two."""
    x = d.operand(least=2)
    ndim = d.values[x].ndim
    if d.face not in ("settings", "negative dim"):
        return d.apply(op, Ref(x))
    back = ndim if d.face == "negative dim" else 0
    first = d.integer(0, ndim - 1)
    second = d.one_of(*(i for i in range(ndim) if i != first))
    offset = d.one_of(1, -1, 0)
    return d.apply(op, Ref(x), settings={"offset": offset, "dim1": first - back, "dim2": second - back})


def repeat(d: Drawing, op: str, public: Any) -> int:
    """Copies along every dimension and perhaps a new one; none at all where the face is empty."""
    x = d.operand(most=2)
    ndim = d.values[x].ndim
    counts = tuple(d.one_of(2, 1, 3) for _ in range(ndim + d.integer(0, 1)))
    if d.face == "empty" and counts:
        counts = (0, *counts[1:])
    if op == "tile":
        return d.apply(op, Ref(x), settings={"dims": counts[: d.integer(0, len(counts))]})
    return d.apply(op, Ref(x), settings={"repeats": counts})


def _index(d: Drawing, shape: tuple[int, ...], size: int) -> np.ndarray[Any, Any]:
    """An array of places in a dimension of this size; all the same where the face asks for repeats."""
    if d.face == "repeated index":
        return np.full(shape, d.integer(0, size - 1))
    count = math.prod(shape)
    return np.array([d.integer(0, size - 1) for _ in range(count)], dtype=np.int64).reshape(shape)


def _indexable(d: Drawing) -> tuple[int, int]:
    """A value with elements, and a dimension of it, counted from either end."""
    x = d.operand(least=1 if d.face in ("negative dim", "repeated index") else 0, most=2)
    if 0 in d.values[x].shape:
        x = d.new(tuple(n or 1 for n in d.values[x].shape))
    return x, one_dim(d, d.values[x].ndim)


def gather(d: Drawing, op: str, public: Any) -> int:
    """Places along one dimension, more or fewer than it has, and in the others no more than there are."""
    x, dim = _indexable(d)
    shape = list(d.values[x].shape)
    if not shape:
        return d.apply(op, Ref(x), Ref(d.given(np.array(0))), settings={"dim": dim})
    size = shape[dim]
    sides = [d.integer(1, n) if d.integer(0, 2) == 2 else n for n in shape]
    sides[dim] = 0 if d.face == "empty" else d.one_of(2, 1, 3)
    index = d.given(_index(d, tuple(sides), size))
    return d.apply(op, Ref(x), Ref(index), settings={"dim": dim})


def scatter_add(d: Drawing, op: str, public: Any) -> int:
    """As gather; what is added has the index's shape, which PyTorch's backward asks for."""
    x, dim = _indexable(d)
    shape = list(d.values[x].shape)
    size = shape[dim] if shape else 1
    sides = [d.integer(1, n) if d.integer(0, 2) == 2 else n for n in shape]
    if sides:
        sides[dim] = 0 if d.face == "empty" else d.one_of(2, 1, 3)
    index = d.given(_index(d, tuple(sides), size))
    again = d.face == "same twice" and tuple(sides) == tuple(shape)
    src = x if again else d.new(tuple(sides))
    return d.apply(op, Ref(x), Ref(index), Ref(src), settings={"dim": dim})


def index_select(d: Drawing, op: str, public: Any) -> int:
    """Slices along one dimension: more or fewer than there are, repeated, or none."""
    x, dim = _indexable(d)
    shape = d.values[x].shape
    count = 1 if not shape else 0 if d.face == "empty" else d.one_of(2, 1, 3)
    index = d.given(_index(d, (count,), shape[dim] if shape else 1))
    return d.apply(op, Ref(x), Ref(index), settings={"dim": dim})


def masked_fill(d: Drawing, op: str, public: Any) -> int:
    """A mask that broadcasts, and a number or a tensor of no dimensions."""
    x = d.operand()
    shape = d.values[x].shape
    masked = shape[1:] if shape and d.face == "mixed ranks" else shape
    count = math.prod(masked)
    picks = [d.one_of(True, False) for _ in range(count)] if count < 9 else [i % 3 < 2 for i in range(count)]
    mask = d.given(np.array(picks, dtype=bool).reshape(masked))
    if d.face == "scalar" or d.integer(0, 1):
        return d.apply(op, Ref(x), Ref(mask), Scalar.of(d.one_of(0.5, 2.0, 0, -1)))
    return d.apply(op, Ref(x), Ref(mask), Ref(d.new(())))


MOVES: dict[str, Callable[[Drawing, str, Any], int]] = {
    "chunk": chunk,
    "diagonal": diagonal,
    "flatten": flatten,
    "flip": flip,
    "gather": gather,
    "index_select": index_select,
    "masked_fill": masked_fill,
    "permute": permute,
    "repeat": repeat,
    "roll": roll,
    "scatter_add": scatter_add,
    "split": split,
    "squeeze": squeeze,
    "stack": stack,
    "tile": repeat,
    "tril": triangle,
    "triu": triangle,
    "unsqueeze": unsqueeze,
    "view": view,
}
