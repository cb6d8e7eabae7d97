"""Jacobians as `gradcheck` compares them: from differences, from backward passes, and from tangents.

A Jacobian has a row for each element of an input and a column for each of an output. Lists of them go by output, then
by input; inputs are those that require grad.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from refgrad.backward import grad
from refgrad.forward_ad import dual_level, make_dual, unpack_dual
from refgrad.tensor import Tensor

Function = Callable[..., Any]
Array = np.ndarray[Any, np.dtype[Any]]


class GradcheckError(RuntimeError):
    """Gradients do not agree."""


def tensors_of(inputs: Sequence[Any]) -> list[Tensor]:
    """The inputs that require grad."""
    return [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]


def differentiable(returned: Any) -> tuple[Tensor, ...]:
    """The outputs that require grad."""
    return tuple(y for y in _outputs(returned) if y.requires_grad)


def _outputs(returned: Any) -> list[Tensor]:
    several = returned if isinstance(returned, tuple | list) else (returned,)
    return [y for y in several if isinstance(y, Tensor)]


def _values(func: Function, inputs: Sequence[Any], every: bool) -> list[Array]:
    """Copies of the outputs that require grad, or of every output."""
    returned = func(*inputs)
    return [y._array.copy() for y in (_outputs(returned) if every else differentiable(returned))]


def numerical(func: Function, inputs: Sequence[Any], eps: float, *, every: bool = False) -> list[list[Array]]:
    """The Jacobians by central differences, one element of an input at a time."""
    sizes = [y.size for y in _values(func, inputs, every)]
    found: list[list[Array]] = [[] for _ in sizes]
    for x in tensors_of(inputs):
        rows = []
        for place in np.ndindex(x._array.shape):
            before = x._array[place]
            ends = []
            try:
                for step in (-eps, eps):
                    x._array[place] = before + step
                    ends.append(_values(func, inputs, every))
            finally:
                x._array[place] = before
            rows.append([np.ravel((high - low) / (2 * eps)) for low, high in zip(*ends, strict=True)])
        for i, size in enumerate(sizes):
            found[i].append(np.array([row[i] for row in rows]).reshape(len(rows), size))
    return found


def numerical_along(
    func: Function, inputs: Sequence[Any], us: Sequence[Array], eps: float
) -> list[list[Array]]:
    """The Jacobians times the direction `u` of each input, by central differences: two evaluations an input."""
    by_input = []
    for x, u in zip(tensors_of(inputs), us, strict=True):
        before = x._array.copy()
        found = []
        try:
            for step in (-eps, eps):
                x._array[...] = before + step * u.reshape(before.shape)
                found.append(_values(func, inputs, False))
        finally:
            x._array[...] = before
        by_input.append([np.ravel((high - low) / (2 * eps)) for low, high in zip(*found, strict=True)])
    return [list(row) for row in zip(*by_input, strict=True)]


def directions(xs: Sequence[Tensor], ys: Sequence[Tensor]) -> tuple[list[Array], list[Array]]:
    """A random unit vector for each input and each output, the same at every call; no element is negative."""
    rng = np.random.default_rng(0)
    drawn = [rng.uniform(size=t.numel()).astype(t._array.dtype) for t in (*xs, *ys)]
    unit = [v / (np.linalg.norm(v) or 1) for v in drawn]
    return unit[: len(xs)], unit[len(xs) :]


def analytical(y: Tensor, xs: Sequence[Tensor], same_dtypes: bool) -> list[Array]:
    """The Jacobians of `y` by backward passes, one for each of its elements."""
    columns: list[list[Array]] = [[] for _ in xs]
    for element in range(y.numel()):
        v = np.zeros(y.numel(), y._array.dtype)
        v[element] = 1
        for column, g in zip(columns, pulled_back(y, xs, v, same_dtypes), strict=True):
            column.append(g)
    return [
        np.stack(column, -1) if column else np.zeros((x.numel(), 0), x._array.dtype)
        for column, x in zip(columns, xs, strict=True)
    ]


def pulled_back(y: Tensor, xs: Sequence[Tensor], v: Array, same_dtypes: bool) -> list[Array]:
    """What `y` pulls the cotangent `v` back to, flat, for each input; GradcheckError for a wrong dtype."""
    gs = grad(y, xs, Tensor(v.reshape(y._array.shape)), retain_graph=True, allow_unused=True)
    for g, x in zip(gs, xs, strict=True):
        if same_dtypes and g is not None and g._array.dtype != x._array.dtype:
            raise GradcheckError("Gradient has dtype mismatch")
    return [
        np.zeros(x.numel(), x._array.dtype) if g is None else g._array.reshape(-1)
        for g, x in zip(gs, xs, strict=True)
    ]


def by_tangents(func: Function, inputs: Sequence[Any], sizes: Sequence[int]) -> list[list[Array]]:
    """The Jacobians of the first outputs, of these sizes, by forward mode: one element of an input at a time."""
    found: list[list[Array]] = [[] for _ in sizes]
    for j, x in enumerate(tensors_of(inputs)):
        rows = []
        for element in range(x.numel()):
            u = np.zeros(x.numel(), x._array.dtype)
            u[element] = 1
            rows.append(_pushed(func, inputs, j, u, len(sizes)))
        for i, size in enumerate(sizes):
            found[i].append(np.array([row[i] for row in rows]).reshape(len(rows), size))
    return found


def pushed_along(
    func: Function, inputs: Sequence[Any], us: Sequence[Array], outputs: int
) -> list[list[Array]]:
    """The Jacobians times the direction `u` of each input, by forward mode."""
    by_input = [_pushed(func, inputs, j, u, outputs) for j, u in enumerate(us)]
    return [[row[i] for row in by_input] for i in range(outputs)]


def _pushed(func: Function, inputs: Sequence[Any], input: int, u: Array, outputs: int) -> list[Array]:
    """The tangents of the first outputs, flat, where one input has the tangent `u` and the others zeros."""
    with dual_level():
        ys = differentiable(func(*_duals(inputs, input, u)))
        pairs = [(y, unpack_dual(y).tangent) for y in ys[:outputs]]
        return [
            np.zeros(y.numel(), y._array.dtype) if t is None else t._array.reshape(-1).copy()
            for y, t in pairs
        ]


def _duals(inputs: Sequence[Any], input: int, u: Array) -> Iterator[Any]:
    """The inputs, those that require grad with tangents."""
    j = -1
    for x in inputs:
        if not isinstance(x, Tensor) or not x.requires_grad:
            yield x
            continue
        j += 1
        tangent = u.reshape(x._array.shape) if j == input else np.zeros_like(x._array)
        yield make_dual(x.detach(), Tensor(tangent)).requires_grad_()
