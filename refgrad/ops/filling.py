"""What only writes in place leave in the graph: zeros, numbers, other tensors, elements at places, other shapes."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any, Final

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import COMMON, MOVES, OWN, ZERO, Op, op
from refgrad.ops.indexing import Indices, index, places
from refgrad.ops.reductions import sum_all
from refgrad.ops.shaping import squeeze_dim, t, transpose, view


@op(x=ZERO, dtypes=MOVES)
def zero(x: Array) -> Any:
    return np.zeros_like(x)


@op(x=ZERO, dtypes=MOVES, node="FillBackward2")
def fill_number(x: Array, *, value: float) -> Any:
    return np.full_like(x, value)


@op(x=ZERO, value=lambda g: sum_all(g), dtypes=OWN, node="FillBackward3")
def fill(x: Array, value: Array) -> Any:
    check_parts(x, value)
    return np.full(x.shape, value).astype(x.dtype)


@op(x=ZERO, src=lambda g: g, dtypes=OWN, node="torch::autograd::CopyBackwards")
def copy(x: Array, src: Array) -> Any:
    check_parts(x, src)
    return np.broadcast_to(src, x.shape).astype(x.dtype)


def check_parts(x: Array, src: Array) -> None:
    """NotImplementedError where complex numbers would be written over real ones."""
    if src.dtype.kind == "c" and x.dtype.kind != "c":
        raise NotImplementedError(
            "complex numbers are not written to real tensors here, which would drop their imaginary parts: use .real"
        )


@op(
    x=lambda g, indices, accumulate: g if accumulate else index_put(g, 0.0, indices=indices),
    values=lambda g, indices: index(g, indices=indices),
    dtypes=OWN,
)
def index_put(x: Array, values: Array, *, indices: Indices, accumulate: bool = False) -> Any:
    out = np.array(x)
    if accumulate:
        np.add.at(out, places(indices), values)
    else:
        out[places(indices)] = values
    return out


@op(x=lambda g: t(g), dtypes=MOVES, view=True, node="TBackward1")
def t_in_place(x: Array) -> Any:
    return np.transpose(x)


@op(
    x=lambda g, dim0, dim1: transpose(g, dim0=dim0, dim1=dim1),
    dtypes=MOVES,
    view=True,
    node="TransposeBackward1",
)
def transpose_in_place(x: Array, *, dim0: int, dim1: int) -> Any:
    return np.swapaxes(x, dim0, dim1) if np.ndim(x) else x


@op(x=lambda g, dim: squeeze_dim(g, dim=dim), dtypes=MOVES, view=True, node="UnsqueezeBackward1")
def unsqueeze_in_place(x: Array, *, dim: int) -> Any:
    return np.expand_dims(x, dim)


@op(x=lambda g, x_shape: view(g, shape=x_shape), dtypes=MOVES, view=True, node="SqueezeBackward3")
def squeeze_all_in_place(x: Array) -> Any:
    return np.squeeze(x)


def _comparing(name: str, *, number: bool) -> Op:
    """The op that a comparison in place leaves behind: its result depends on nothing smoothly."""
    compare, node = COMPARISONS[name], f"{name.capitalize()}Backward{int(not number)}"

    def with_number(a: Array, *, b: float) -> Any:
        return compare(a, b).astype(a.dtype)

    def with_tensor(a: Array, b: Array) -> Any:
        return compare(a, b).astype(a.dtype)

    if number:
        with_number.__name__ = f"{name}_in_place_number"
        return op(a=ZERO, dtypes=OWN, node=node)(with_number)
    with_tensor.__name__ = f"{name}_in_place"
    return op(a=ZERO, b=ZERO, dtypes=COMMON, node=node)(with_tensor)


COMPARISONS: Final = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
COMPARED_NUMBER: Final = {name: _comparing(name, number=True) for name in COMPARISONS}
COMPARED: Final = {name: _comparing(name, number=False) for name in COMPARISONS}
