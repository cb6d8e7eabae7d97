"""Which dimensions a drawn step works along."""

from __future__ import annotations

from oracles.generation.drawing import Drawing


def one_dim(d: Drawing, ndim: int) -> int:
    """One dimension; a negative one where the face is about settings."""
    rank = max(ndim, 1)
    dim = d.integer(0, rank - 1)
    return dim - rank if d.face == "negative dim" else dim


def some_dims(d: Drawing, ndim: int) -> int | tuple[int, ...]:
    """One dimension, or a tuple of them where the face asks for it."""
    if d.face == "tuple dim" and ndim > 1:
        several: tuple[int, ...] = d.one_of(tuple(range(ndim)), (0, ndim - 1), (-1, 0))
        return several
    return one_dim(d, ndim)
