"""NumPy's functions in terms of PyTorch's, for references that are written in NumPy.

Each takes the trace, NumPy's arguments, and says what PyTorch's function is called with. What is composed here is
composed as NumPy documents it, because the budget follows the composition.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

NumPy = Callable[..., Any]


class Untraceable(TypeError):
    """A reference does what a program of the catalogue cannot say; the message names it and what to write instead."""


def same(name: str) -> NumPy:
    """A function that takes the same operands under another name."""
    return lambda trace, *operands, **settings: trace.call(name, operands, settings)


def _axes(axis: Any, ndim: int) -> Any:
    return tuple(range(ndim)) if axis is None else axis


def along(name: str) -> NumPy:
    """A reduction over `axis`, one, several or all, which may keep its dimensions."""

    def function(trace: Any, a: Any, axis: Any = None, keepdims: bool = False, **rest: Any) -> Any:
        idle(rest)
        given = (
            {} if axis is None and not keepdims else {"dim": _axes(axis, a.ndim), "keepdim": bool(keepdims)}
        )
        return trace.call(name, (a,), given)

    return function


def idle(rest: dict[str, Any]) -> None:
    """Refuse settings that are not left at what NumPy has for them.

    Raises:
        Untraceable: one says something.
    """
    for name, value in rest.items():
        silent = value is None or value is np._NoValue or (name, value) in (("where", True), ("order", "C"))
        if not silent:
            raise Untraceable(f"a reference cannot use the setting {name} of this NumPy function")


def reduce(name: str) -> NumPy:
    """The same as a method of a ufunc or a function, whose first axis is the default of the method alone."""
    return lambda trace, a, axis=None, dtype=None, out=None, keepdims=False, **rest: along(name)(
        trace, a, axis, keepdims, dtype=dtype, out=out, **rest
    )


def _prod(
    trace: Any,
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    **rest: Any,
) -> Any:
    idle({"dtype": dtype, "out": out, **rest})
    keep = keepdims is True
    if axis is None:
        total = trace.call("prod", (a,), {})
        return total.reshape((1,) * a.ndim) if keep else total
    for each in sorted((i % a.ndim for i in np.atleast_1d(axis)), reverse=True):
        a = trace.call("prod", (a,), {"dim": int(each), "keepdim": keep})
    return a


def _spread(name: str) -> NumPy:
    def function(
        trace: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False,
        **rest: Any,
    ) -> Any:  # fmt: skip
        correction = rest.pop("correction", ddof)
        idle({"dtype": dtype, "out": out, **rest})
        given = {"dim": _axes(axis, a.ndim), "correction": correction, "keepdim": keepdims is True}
        return trace.call(name, (a,), given)

    return function


def _running(name: str) -> NumPy:
    def function(trace: Any, a: Any, axis: Any = None, **rest: Any) -> Any:
        idle(rest)
        flat = a.reshape(-1) if axis is None else a
        return trace.call(name, (flat,), {"dim": 0 if axis is None else axis})

    return function


def _reshape(trace: Any, a: Any, shape: Any, order: str = "C", **rest: Any) -> Any:
    idle({"order": order, **rest})
    return a.reshape(*((shape,) if isinstance(shape, int) else shape))


def _transpose(trace: Any, a: Any, axes: Any = None) -> Any:
    return trace.call("permute", (a, tuple(axes if axes is not None else reversed(range(a.ndim)))), {})


def _moveaxis(trace: Any, a: Any, source: Any, destination: Any) -> Any:
    order = np.moveaxis(np.empty(range(2, 2 + a.ndim)), source, destination).shape
    return _transpose(trace, a, [n - 2 for n in order])


def _expand_dims(trace: Any, a: Any, axis: Any) -> Any:
    axes = (axis,) if isinstance(axis, int) else axis
    shape = np.expand_dims(np.empty(tuple(a.shape)), axes).shape
    return a.reshape(*shape) if shape else a


def _broadcast_to(trace: Any, a: Any, shape: Any, subok: bool = False) -> Any:
    return trace.call("expand", (a, (shape,) if isinstance(shape, int) else tuple(shape)), {})


def _concatenate(trace: Any, arrays: Any, axis: Any = 0, **rest: Any) -> Any:
    idle({k: v for k, v in rest.items() if k != "casting"})
    if axis is None:
        arrays, axis = [a.reshape(-1) for a in arrays], 0
    return trace.call("cat", (list(arrays),), {"dim": axis})


def _stack(trace: Any, arrays: Any, axis: int = 0, **rest: Any) -> Any:
    idle({k: v for k, v in rest.items() if k != "casting"})
    return trace.call("stack", (list(arrays),), {"dim": axis})


def _where(trace: Any, condition: Any, *values: Any) -> Any:
    if len(values) != 2:
        raise Untraceable("np.where of a condition alone gives places, which depend on computed values")
    if not any(hasattr(v, "trace") for v in values):
        return np.where(condition, *values)
    return trace.call("where", (np.asarray(condition).astype(bool), *values), {})


def _clip(trace: Any, a: Any, a_min: Any = None, a_max: Any = None, **rest: Any) -> Any:
    low, high = rest.pop("min", a_min), rest.pop("max", a_max)
    idle(rest)
    given = {"min": low, "max": high}
    return trace.call(
        "clamp", (a,), {k: v for k, v in given.items() if v is not None and v is not np._NoValue}
    )


def _dot(trace: Any, a: Any, b: Any, **rest: Any) -> Any:
    idle(rest)
    if 0 in (np.ndim(a), np.ndim(b)):
        return trace.call("mul", (a, b), {})
    if np.ndim(b) > 2:
        raise Untraceable("np.dot of many dimensions is not in the catalogue; use np.einsum or np.matmul")
    return trace.call("matmul", (a, b), {})


def _split(trace: Any, a: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    if isinstance(indices_or_sections, int):
        sizes = [a.shape[axis] // indices_or_sections] * indices_or_sections
    else:
        ends = [0, *indices_or_sections, a.shape[axis]]
        sizes = [j - i for i, j in pairwise(ends)]
    return list(trace.call("split", (a, tuple(sizes)), {"dim": axis}))


def _take(trace: Any, a: Any, indices: Any, axis: Any = None, **rest: Any) -> Any:
    idle({k: v for k, v in rest.items() if (k, v) != ("mode", "raise")})
    flat, axis = (a.reshape(-1), 0) if axis is None else (a, axis % a.ndim)
    return flat[(slice(None),) * axis + (np.asarray(indices),)]


def _take_along_axis(trace: Any, arr: Any, indices: Any, axis: Any = -1) -> Any:
    return trace.call("gather", (arr,), {"dim": axis % arr.ndim, "index": np.asarray(indices)})


def _norm(trace: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002
    matrix = x.ndim == 2 if axis is None else not isinstance(axis, int)
    if ord is not None and matrix:
        raise Untraceable(
            "np.linalg.norm with an order is a matrix norm here; take a vector's, along one axis"
        )
    given = {"ord": 2 if ord is None else ord, "dim": axis, "keepdim": keepdims}
    return trace.call("linalg.vector_norm".rpartition(".")[2], (x,), given)


def _flip(trace: Any, m: Any, axis: Any = None) -> Any:
    axes = _axes(axis, m.ndim)
    return trace.call("flip", (m, (axes,) if isinstance(axes, int) else tuple(axes)), {})


def _roll(trace: Any, a: Any, shift: Any, axis: Any = None) -> Any:
    return trace.call("roll", (a, shift), {} if axis is None else {"dims": axis})


def _diagonal(trace: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return trace.call("diagonal", (a,), {"offset": offset, "dim1": axis1, "dim2": axis2})


def _einsum(trace: Any, equation: str, *operands: Any, **rest: Any) -> Any:
    idle({k: v for k, v in rest.items() if k != "optimize"})
    return trace.call("einsum", (equation.replace(" ", ""), *operands), {})


def _round(trace: Any, a: Any, decimals: int = 0, out: Any = None) -> Any:
    idle({"decimals": decimals or None, "out": out})
    return trace.call("round", (a,), {})


def _filled(number: float) -> NumPy:
    return lambda trace, a, *_, **__: np.full(tuple(a.shape), number)


ALIKE = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "square", "reciprocal", "sin", "cos", "tan",
    "sinh", "cosh", "tanh", "maximum", "minimum", "sign", "floor", "ceil", "trunc", "matmul", "erf", "erfc",
)  # fmt: skip
"""The ufuncs that are called as PyTorch calls them."""
UFUNCS: dict[str, NumPy] = {
    **{name: same(name) for name in ALIKE},
    "add": same("add"), "subtract": same("sub"), "multiply": same("mul"), "divide": same("div"), "power": same("pow"),
    "float_power": same("pow"), "negative": same("neg"), "absolute": same("abs"), "fabs": same("abs"),
    "arcsin": same("asin"), "arccos": same("acos"), "arctan": same("atan"), "arctan2": same("atan2"),
    "arcsinh": same("asinh"), "arccosh": same("acosh"), "arctanh": same("atanh"), "rint": same("round"),
    "fmax": same("maximum"), "fmin": same("minimum"), "expit": same("sigmoid"),
    "positive": lambda trace, x: x,
    "logaddexp": lambda trace, a, b: trace.call("stack", (list(_spread_out(a, b)),), {}).logsumexp(0),
}  # fmt: skip
"""By a ufunc's name, what it is."""


def _spread_out(a: Any, b: Any) -> Any:
    """Both operands under their common shape."""
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    return (x.expand(*shape) if hasattr(x, "trace") else np.broadcast_to(x, shape) for x in (a, b))


REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
"""By the name of a ufunc, the function that its `reduce` is."""
FUNCTIONS: dict[str, NumPy] = {
    "sum": reduce("sum"),
    "mean": reduce("mean"),
    "max": reduce("amax"),
    "amax": reduce("amax"),
    "min": reduce("amin"),
    "amin": reduce("amin"),
    "prod": _prod,
    "std": _spread("std"),
    "var": _spread("var"),
    "cumsum": _running("cumsum"),
    "cumprod": _running("cumprod"),
    "reshape": _reshape,
    "ravel": lambda trace, a, order="C": _reshape(trace, a, (-1,), order),
    "transpose": _transpose,
    "permute_dims": _transpose,
    "swapaxes": lambda trace, a, axis1, axis2: trace.call("transpose", (a, axis1, axis2), {}),
    "moveaxis": _moveaxis,
    "squeeze": lambda trace, a, axis=None: trace.call("squeeze", (a,), {} if axis is None else {"dim": axis}),
    "expand_dims": _expand_dims,
    "broadcast_to": _broadcast_to,
    "concatenate": _concatenate,
    "stack": _stack,
    "split": _split,
    "where": _where,
    "clip": _clip,
    "dot": _dot,
    "outer": lambda trace, a, b, out=None: trace.call("outer", (a, b), {}),
    "einsum": _einsum,
    "diagonal": _diagonal,
    "trace": lambda trace, a, offset=0, axis1=0, axis2=1: _diagonal(trace, a, offset, axis1, axis2).sum(-1),
    "tril": lambda trace, m, k=0: trace.call("tril", (m, k), {}),
    "triu": lambda trace, m, k=0: trace.call("triu", (m, k), {}),
    "flip": _flip,
    "roll": _roll,
    "tile": lambda trace, A, reps: trace.call(
        "tile", (A, (reps,) if isinstance(reps, int) else tuple(reps)), {}
    ),
    "take": _take,
    "take_along_axis": _take_along_axis,
    "round": _round,
    "linalg.inv": lambda trace, a: trace.call("inv", (a,), {}),
    "linalg.det": lambda trace, a: trace.call("det", (a,), {}),
    "linalg.solve": lambda trace, a, b: trace.call("solve", (a, b), {}),
    "linalg.norm": _norm,
    "shape": lambda trace, a: tuple(a.shape),
    "ndim": lambda trace, a: a.ndim,
    "size": lambda trace, a, axis=None: a.numel() if axis is None else a.shape[axis],
    "zeros_like": _filled(0.0),
    "ones_like": _filled(1.0),
}
"""By a NumPy function's name (linear algebra under `linalg.`), what it is."""
