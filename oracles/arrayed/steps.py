"""The ops that are no elementwise functions, on arrays, in either algebra, and the blocks of the budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.arrayed.balls import Balls, Undecided
from oracles.arrayed.rounding import Field, Fields
from oracles.arrayed.shapes import keeping, lines, shaped
from oracles.budget.blocks import BLOCKS as SCALARS
from oracles.exact.lowering import derive
from oracles.exact.objects import Dim, dims
from oracles.exact.structure import STRUCTURE as OBJECTS


def total(algebra: Any, x: Any, *, dim: Dim = None, keepdim: bool = False) -> list[Any]:
    """Sums along `dim`."""
    axes = dims(dim, x.ndim)
    return [_dropped(algebra, algebra.total(x, axes), axes, keepdim)]


def mean(algebra: Any, x: Any, *, dim: Dim = None, keepdim: bool = False) -> list[Any]:
    """Means along `dim`."""
    axes = dims(dim, x.ndim)
    count = int(np.prod([x.shape[i] for i in axes], dtype=int))
    return [_dropped(algebra, algebra.div(algebra.total(x, axes), algebra.lift(count)), axes, keepdim)]


def _dropped(algebra: Any, x: Any, axes: tuple[int, ...], keepdim: bool) -> Any:
    """The array without these axes, each of which has one place."""
    if keepdim or not axes:
        return x
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return algebra.move(x, shaped(shape), shaped(x.shape))


def cumsum(algebra: Any, x: Any, *, dim: int) -> list[Any]:
    """Running sums along one dimension."""
    if not x.ndim or not x.shape[dim]:
        raise Undecided("no line")
    return [algebra.running(x, dim % x.ndim)]


def matmul(algebra: Any, a: Any, b: Any) -> list[Any]:
    """The product of two matrices; a vector is a matrix of one row, or of one column."""
    if not (1 <= a.ndim <= 2 and 1 <= b.ndim <= 2):
        raise Undecided("no two matrices")
    left = a if a.ndim == 2 else _shaped(algebra, a, (1, *a.shape))
    right = b if b.ndim == 2 else _shaped(algebra, b, (*b.shape, 1))
    made = algebra.matmul(left, right)
    return [_shaped(algebra, made, (*a.shape[:-1], *b.shape[1:]))]


def outer(algebra: Any, a: Any, b: Any) -> list[Any]:
    """Every element of a vector times every element of another."""
    column, row = _shaped(algebra, a, (*a.shape, 1)), _shaped(algebra, b, (1, *b.shape))
    return [algebra.each("mul", derive("a*b", ("a", "b")), (column, row))]


def _shaped(algebra: Any, x: Any, shape: tuple[int, ...]) -> Any:
    """The same numbers in row-major order under another shape."""
    return x if x.shape == shape else algebra.move(x, shaped(shape), shaped(x.shape))


def expand(algebra: Any, x: Any, **settings: Any) -> list[Any]:
    """The same numbers in more places."""
    (found,) = OBJECTS["expand"](None, np.empty(x.shape), **settings)
    return [algebra.spread(x, (*found.shape, algebra.cases))]


def norm(algebra: Any, x: Any, *, ord: float | str = 2, dim: Dim = None, keepdim: bool = False) -> list[Any]:  # noqa: A002
    """The 2-norm, of lines that are not all zeros."""
    axes = dims(dim, x.ndim)
    if float(ord) != 2:
        raise Undecided("another norm")
    length = algebra.call("sqrt", derive("sqrt(x)", ("x",)), algebra.total(algebra.mul(x, x), axes))
    return [_dropped(algebra, length, axes, keepdim)]


def mover(name: str) -> Callable[..., list[Any]]:
    """An op that puts each element into another place: where, the same op on the places says."""

    def moved(algebra: Any, x: Any, **settings: Any) -> list[Any]:
        count = int(np.prod(x.shape, dtype=int))
        places = np.arange(count).reshape(x.shape)
        (found,) = OBJECTS[name](None, places, **settings)
        order, shape, before = found.ravel(), found.shape, x.shape
        if order.size != count:
            raise Undecided("not each element once")
        there, back, flat = shaped(shape), shaped(before), shaped((count,))
        again = np.argsort(order)
        return [algebra.move(x, lambda a: there(flat(a)[order]), lambda a: back(flat(a)[again]))]

    return moved


MOVERS = ("flatten", "flip", "permute", "reshape", "roll", "squeeze", "transpose", "unsqueeze", "view")


def left(*_: Any, **__: Any) -> list[Any]:
    """An op that is known on scalars alone."""
    raise Undecided("an op of scalars")


STRUCTURE: dict[str, Callable[..., list[Any]]] = {
    **dict.fromkeys(OBJECTS, left),
    "cumsum": cumsum,
    "expand": expand,
    "linalg.vector_norm": norm,
    **dict.fromkeys(("dot", "matmul", "mm", "mv"), matmul),
    "outer": outer,
    "mean": mean,
    "sum": total,
    **{name: mover(name) for name in MOVERS},
}
"""By op of the catalogue, what it is in either algebra."""


def _exp(x: Any) -> Any:
    return x.arena.call("exp", derive("exp(x)", ("x",)), x)


def _peak(arena: Fields, x: Field, axes: tuple[int, ...]) -> Field:
    """The elements that a library subtracts so that nothing overflows: constants as far as slopes go."""
    if x.balls.rad is None:
        return Field(arena, Balls(np.maximum.reduce(x.balls.mid, axes, keepdims=True)), False)
    there, kept = lines(axes), keeping(x.shape, axes)
    top = np.argmax(there(x.balls.mid), 0)[None]
    return Field(arena, x.balls.moved(lambda a: kept(np.take_along_axis(there(a), top, 0))), False)


def _filled(x: Field, axes: tuple[int, ...]) -> tuple[int, ...]:
    if not axes or 0 in x.shape:
        raise Undecided("no lines")
    return axes


def logsumexp(arena: Fields, x: Field, *, dim: Dim, keepdim: bool = False) -> list[Field]:
    """As `blocks.logsumexp`: peak + log(sum(exp(x - peak))); back: g * exp(x - y), from the rounded y."""
    axes = _filled(x, dims(dim, x.ndim))

    def value() -> Field:
        peak = _peak(arena, x, axes)
        made: Field = peak + arena.total(_exp(x - peak), axes).log()
        return made

    made = arena.attach(arena.silently(value), (x,), lambda g, y, x: (g * _exp(x - y),))
    return [_dropped(arena, made, axes, keepdim)]


def softmax(arena: Fields, x: Field, *, dim: int) -> list[Field]:
    """As `blocks.softmax`: exp(x - peak) / sum of the same; back: g*y - y*sum(g*y)."""
    axes = _filled(x, dims(dim, x.ndim))

    def value() -> Field:
        powers = _exp(x - _peak(arena, x, axes))
        made: Field = powers / arena.total(powers, axes)
        return made

    def pull(g: Field, y: Field, x: Field) -> tuple[Field]:
        whole = g * y
        return (whole - y * arena.total(whole, axes),)

    return [arena.attach(arena.silently(value), (x,), pull)]


def log_softmax(arena: Fields, x: Field, *, dim: int) -> list[Field]:
    """As `blocks.log_softmax`: (x - peak) - log(sum(exp(x - peak))); back: g - exp(y)*sum(g)."""
    axes = _filled(x, dims(dim, x.ndim))

    def value() -> Field:
        off = x - _peak(arena, x, axes)
        made: Field = off - arena.total(_exp(off), axes).log()
        return made

    def pull(g: Field, y: Field, x: Field) -> tuple[Field]:
        return (g - _exp(y) * arena.total(g, axes),)

    return [arena.attach(arena.silently(value), (x,), pull)]


def rounded_norm(
    arena: Fields,
    x: Field,
    *,
    ord: float | str = 2,  # noqa: A002 - PyTorch's name
    dim: Dim = None,
    keepdim: bool = False,
) -> list[Field]:
    """As `norms.norm`: sqrt(sum(x*x)); back: g * x/y, from the rounded y."""
    axes = _filled(x, dims(dim, x.ndim))
    if float(ord) != 2:
        raise Undecided("another norm")
    value = arena.silently(lambda: arena.total(x * x, axes).sqrt())
    made = arena.attach(value, (x,), lambda g, y, x: (g * (x / y),))
    return [_dropped(arena, made, axes, keepdim)]


def rounded_mean(arena: Fields, x: Field, *, dim: Dim = None, keepdim: bool = False) -> list[Field]:
    """As `means.mean`: sum(x)/n; back: g/n to each by itself."""
    axes = _filled(x, dims(dim, x.ndim)) if x.ndim else ()
    count = arena.lift(int(np.prod([x.shape[i] for i in axes], dtype=int)))

    def pull(g: Field, y: Field, x: Field) -> tuple[Field]:
        return (arena.spread(g, x.balls.shape) / count,)

    made = arena.attach(arena.silently(lambda: arena.total(x, axes) / count), (x,), pull)
    return [_dropped(arena, made, axes, keepdim)]


def silu(arena: Fields, x: Field) -> list[Field]:
    """As `blocks.silu`: x * sigmoid(x); back: g * (s * (1 + x*(1 - s)))."""

    def pull(g: Field, y: Field, x: Field) -> tuple[Field]:
        s = x.sigmoid()
        return (g * (s * (1 + x * (1 - s))),)

    return [arena.attach(arena.silently(lambda: x * x.sigmoid()), (x,), pull)]


BLOCKS: dict[str, Callable[..., list[Any]]] = {
    **dict.fromkeys(SCALARS, left),
    "linalg.vector_norm": rounded_norm,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "mean": rounded_mean,
    "nn.functional.silu": silu,
    "softmax": softmax,
}
"""By op, the block of `oracles.budget.blocks` on arrays."""
LEFT = {name for table in (STRUCTURE, BLOCKS) for name, function in table.items() if function is left}
"""The ops that are known on scalars alone."""
