"""Ops that move elements and change shapes. A view of the operand stays one."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import F64, Array, dtype, to_numpy
from refgrad.layout import kept_order
from refgrad.op import MOVES, op

Shape = tuple[int, ...]


@op(x=lambda g, x_shape: view(g, shape=x_shape), dtypes=MOVES, view=True)
def view(x: Array, *, shape: Shape) -> Any:
    return np.reshape(x, shape)


@op(x=lambda g, x_shape: view(g, shape=x_shape), dtypes=MOVES)
def unsafe_view(x: Array, *, shape: Shape) -> Any:
    return np.reshape(x, shape)


@op(x=lambda g, x_shape: view(g, shape=x_shape), dtypes=MOVES, view=True)
def reshape_alias(x: Array, *, shape: Shape) -> Any:
    return np.reshape(x, shape)


@op(x=lambda g: g, dtypes=MOVES, view=True)
def alias(x: Array) -> Any:
    return x[...]


@op(x=lambda g: g, dtypes=MOVES)
def clone(x: Array, *, contiguous: bool = False) -> Any:
    return np.array(x, order="C" if contiguous else kept_order(x))


@op(x=lambda g: g, dtypes=MOVES)
def to_copy(x: Array, *, dtype: dtype) -> Any:
    if x.dtype.kind == "c" and dtype.kind not in "cb":
        raise NotImplementedError(
            f"a complex tensor is not converted to {dtype} here, which would drop its imaginary part: use .real"
        )
    return x.astype(to_numpy(dtype), order=kept_order(x))


@op(x=lambda g, dim0, dim1: transpose(g, dim0=dim0, dim1=dim1), dtypes=MOVES, view=True)
def transpose(x: Array, *, dim0: int, dim1: int) -> Any:
    return np.swapaxes(x, dim0, dim1) if np.ndim(x) else x


@op(x=lambda g: t(g), dtypes=MOVES, view=True)
def t(x: Array) -> Any:
    return np.transpose(x)


@op(x=lambda g, dims: permute(g, dims=inverse(dims)), dtypes=MOVES, view=True)
def permute(x: Array, *, dims: Shape) -> Any:
    return np.transpose(x, dims)


@op(x=lambda g: g, dtypes=MOVES, view=True)  # the walk sums over what was broadcast
def expand(x: Array, *, shape: Shape) -> Any:
    if x.ndim or x.dtype is not F64:
        return np.broadcast_to(x, shape)
    made = np.ndarray(shape, F64, x, 0, (0,) * len(shape))  # the same, many times faster for small arrays
    made.flags.writeable = False
    return made


@op(x=lambda g, dim: squeeze_dim(g, dim=dim), dtypes=MOVES, view=True)
def unsqueeze(x: Array, *, dim: int) -> Any:
    return np.expand_dims(x, dim)


@op(x=lambda g, x_shape: view(g, shape=x_shape), dtypes=MOVES, view=True)
def squeeze(x: Array) -> Any:
    return np.squeeze(x)


@op(x=lambda g, x_shape, dim: view(g, shape=x_shape), dtypes=MOVES, view=True, node="SqueezeBackward1")
def squeeze_dim(x: Array, *, dim: int) -> Any:
    return without(x, (dim,))


@op(x=lambda g, x_shape, dim: view(g, shape=x_shape), dtypes=MOVES, view=True, node="SqueezeBackward2")
def squeeze_dims(x: Array, *, dim: Shape) -> Any:
    return without(x, dim)


@op(x=lambda g, x_shape, dim: view(g, shape=x_shape), dtypes=MOVES, node="SqueezeBackward4")
def squeeze_in_place(x: Array, *, dim: int) -> Any:
    """Of what nothing else holds: no view."""
    return without(x, (dim,))


@op(x=lambda g, dims: flip(g, dims=dims), dtypes=MOVES)
def flip(x: Array, *, dims: Shape) -> Any:
    return np.array(np.flip(x, dims if np.ndim(x) else ()))


@op(tensors=lambda g, tensors_shapes, dim: parts(g, tensors_shapes, dim), dtypes=MOVES)
def cat(*tensors: Array, dim: int) -> Any:
    return np.concatenate([x for x in tensors if x.shape != (0,)] or tensors, axis=dim)


def parts(g: Any, shapes: tuple[Shape, ...], dim: int) -> list[Any]:
    """The pieces of `g` that operands of these shapes became; an empty 1-d operand became nothing."""
    pieces, start = [], 0
    for shape in shapes:
        size = 0 if shape == (0,) else shape[dim]
        piece = slice_(g, dim=dim, start=start, end=start + size, step=1)
        pieces.append(view(piece, shape=shape) if shape == (0,) else piece)
        start += size
    return pieces


@op(
    x=lambda g, x_shape, dim, start, end, step: slice_backward(
        g, shape=x_shape, dim=dim, start=start, end=end, step=step
    ),
    dtypes=MOVES,
    view=True,
)
def slice_(x: Array, *, dim: int, start: int, end: int, step: int) -> Any:
    return np.asarray(x)[(slice(None),) * dim + (slice(start, end, step),)]


@op(x=lambda g, dim, start, end, step: slice_(g, dim=dim, start=start, end=end, step=step), dtypes=MOVES)
def slice_backward(x: Array, *, shape: Shape, dim: int, start: int, end: int, step: int) -> Any:
    out = np.zeros(shape, x.dtype)
    out[(slice(None),) * dim + (slice(start, end, step),)] = x
    return out


def without(x: Array, dim: Shape) -> Any:
    """`x` without those of the dimensions `dim` whose size is 1."""
    return np.squeeze(x, tuple(d for d in dim if np.ndim(x) and x.shape[d] == 1))


def inverse(dims: Shape) -> Shape:
    """The permutation that undoes `dims`."""
    return tuple(int(i) for i in np.argsort(dims))


def restore(x: Any, shape: Shape, dim: Shape) -> Any:
    """A reduced `x` with the dimensions `dim` of the original `shape` back, at size 1."""
    return view(x, shape=tuple(1 if i in dim else size for i, size in enumerate(shape)))
