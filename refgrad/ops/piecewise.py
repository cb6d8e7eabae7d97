"""Magnitudes, steps, bounds and the larger of two: elementwise, integers stay integers."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import COMMON, ZERO, Facts, Op, op
from refgrad.ops.arithmetic import where, widened
from refgrad.public import both_tensors, broadcast, check_tensor, public, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor

WHOLE = {"x": (0.0, 1.0, -1.0, 2.0)}
HALVES = {"x": (0.0, 0.5, 1.5, -0.5, 2.5)}


@op(Facts("Abs(x)", kinks={"x": (0,)}), x=lambda g, x: g * signum(x), dtypes=COMMON)
def abs_(x: Array) -> Any:  # at the kink: 0
    return np.abs(x)


@op(x=ZERO, dtypes=COMMON, node="SgnBackward0")
def signum(x: Array) -> Any:
    """The sign of a real number, recorded as that of any number, as PyTorch's formula of abs does."""
    return np.sign(x)


@op(Facts("Piecewise((1, x > 0), (-1, x < 0), (0, True))", kinks={"x": (0,)}), x=ZERO, dtypes=COMMON)
def sign(x: Array) -> Any:
    return x.copy() if x.dtype.kind == "b" else np.sign(x)


@op(Facts("floor(x)", kinks=WHOLE), x=ZERO, dtypes=COMMON)
def floor(x: Array) -> Any:
    return stepped(np.floor, x)


@op(Facts("ceiling(x)", kinks=WHOLE), x=ZERO, dtypes=COMMON)
def ceil(x: Array) -> Any:
    return stepped(np.ceil, x)


@op(Facts("trunc(x)", kinks=WHOLE), x=ZERO, dtypes=COMMON)
def trunc(x: Array) -> Any:
    return stepped(np.trunc, x)


@op(Facts("round(x)", kinks=HALVES), x=ZERO, dtypes=COMMON)
def round_(x: Array) -> Any:  # halves go to the even neighbour
    return stepped(np.rint, x)


# Note [ties are shared]: where a == b each side receives g/2, since maximum(a, a) must give g.
@op(
    Facts("Max(a, b)"),
    a=lambda g, a, b: where(a < b, 0.0, where(a == b, g / 2, g)),
    b=lambda g, a, b: where(b < a, 0.0, where(a == b, g / 2, g)),
    dtypes=COMMON,
)
def maximum(a: Array, b: Array) -> Any:
    return np.maximum(a, b)


@op(
    Facts("Min(a, b)"),
    a=lambda g, a, b: where(a > b, 0.0, where(a == b, g / 2, g)),
    b=lambda g, a, b: where(b > a, 0.0, where(a == b, g / 2, g)),
    dtypes=COMMON,
)
def minimum(a: Array, b: Array) -> Any:
    return np.minimum(a, b)


@op(
    Facts("Max(a, b)"),
    # a tie, and what stands beside a nan, goes to the first, as PyTorch: no subgradient of least norm
    a=lambda g, a, b: where(a >= b, g, where(b != b, g, 0.0)),
    b=lambda g, a, b: where(a >= b, 0.0, where(b != b, 0.0, g)),
    dtypes=COMMON,
)
def fmax(a: Array, b: Array) -> Any:
    return np.fmax(a, b)


@op(
    Facts("Min(a, b)"),
    a=lambda g, a, b: where(a <= b, g, where(b != b, g, 0.0)),  # as fmax
    b=lambda g, a, b: where(a <= b, 0.0, where(b != b, 0.0, g)),
    dtypes=COMMON,
)
def fmin(a: Array, b: Array) -> Any:
    return np.fmin(a, b)


@op(
    Facts("Piecewise((max, (x > max) | (min > max)), (min, x < min), (x, True))", kinks={"x": (0,)}),
    x=lambda g, x, min, max: between(g, x, min, max),  # noqa: A006 - PyTorch's names
    dtypes=COMMON,
    node="ClampBackward1",
)
def clamp(x: Array, *, min: float | None = None, max: float | None = None) -> Any:
    return np.clip(x, min, max)


@op(
    Facts("Piecewise((max, (x > max) | (min > max)), (min, x < min), (x, True))"),
    x=lambda g, x, min, max: between(g, x, min, max),  # noqa: A006 - PyTorch's names
    min=lambda g, x, min, max: where(min < max, where(x < min, g, 0.0), 0.0),  # noqa: A006
    max=lambda g, x, min, max: where(max < min, g, where(x > max, g, 0.0)),  # noqa: A006
    dtypes=COMMON,
    node="ClampBackward0",
)
def clamp_tensor(x: Array, min: Array, max: Array) -> Any:
    return np.clip(x, min, max)


def between(g: Any, x: Any, low: float | None, high: float | None) -> Any:
    """`g` where `x` lies within its bounds, which belong to the inside; else 0, also for nan."""
    g = g if low is None else where(x >= low, g, 0.0)
    return g if high is None else where(x <= high, g, 0.0)


def stepped(function: Callable[[Array], Any], x: Array) -> Any:
    """`function` of floats; integers are their own floor."""
    return function(x) if x.dtype.kind == "f" else x.copy()


@public("maximum", maximum)
def _(input: Any, other: Any) -> Any:
    """The larger of the two, elementwise; both are tensors."""
    both_tensors("maximum", input, other)
    return apply(maximum, (input, other))


@public("minimum", minimum)
def _(input: Any, other: Any) -> Any:
    """The smaller of the two, elementwise; both are tensors."""
    both_tensors("minimum", input, other)
    return apply(minimum, (input, other))


@public("fmax", fmax)
def _(input: Any, other: Any) -> Any:
    """The larger of the two, and a number rather than a nan, elementwise; both are tensors."""
    both_tensors("fmax", input, other)
    return apply(fmax, (input, other))


@public("fmin", fmin)
def _(input: Any, other: Any) -> Any:
    """The smaller of the two, and a number rather than a nan, elementwise; both are tensors."""
    both_tensors("fmin", input, other)
    return apply(fmin, (input, other))


@public("clamp", clamp, clamp_tensor)
def _(input: Any, min: Any = None, max: Any = None) -> Any:
    """Input within [min, max], numbers or tensors of which one may be None; RuntimeError where both are."""
    check_tensor("clamp", input)
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if type(min) is Tensor or type(max) is Tensor:
        return within(input, min, max)
    for name, position, bound in (("min", 2, min), ("max", 3, max)):
        if bound is None:
            continue
        if not isinstance(bound, bool | int | float):
            raise wrong_type("clamp", name, position, bound, "Number")
        input = widened(input, bound)
    return apply(clamp, (input,), {"min": min, "max": max})


def within(input: Tensor, low: Any, high: Any) -> Any:
    """Input between bounds that are tensors; of two, PyTorch takes both or neither as tensors."""
    for name, position, bound in (("min", 2, low), ("max", 3, high)):
        if bound is not None:
            check_tensor("clamp", bound, name, position)
            broadcast(input._array.shape, bound._array.shape)
    return apply(clamp_tensor, (input, -inf if low is None else low, inf if high is None else high))


def without_booleans(name: str, op: Op, kernel: str) -> None:
    """Publish a function of one tensor that PyTorch refuses for booleans, by its kernel's name."""

    def function(input: Any) -> Any:
        check_tensor(name, input)
        if input._array.dtype.kind == "b":
            raise NotImplementedError(f"\"{kernel}\" not implemented for 'Bool'")
        return apply(op, (input,))

    function.__doc__ = f"{op.facts.meaning}, elementwise; NotImplementedError for booleans."
    public(name, op)(function)


without_booleans("abs", abs_, "abs_cpu")
without_booleans("floor", floor, "floor_vml_cpu")
without_booleans("ceil", ceil, "ceil_vml_cpu")
without_booleans("trunc", trunc, "trunc_vml_cpu")


def definition_of_rounding(x: Any, decimals: int) -> Any:
    """The nearest multiple of a power of ten."""
    ten = 10.0 ** abs(decimals)
    return round_(x * ten) / ten if decimals > 0 else round_(x / ten) * ten


@op(Facts(definition_of_rounding), x=ZERO, node="RoundBackward1", dtypes=COMMON)
def round_decimals(x: Array, *, decimals: int) -> Any:
    return definition_of_rounding(x, decimals)


@public("round", round_, round_decimals)
def _(input: Any, *, decimals: int | None = None) -> Any:
    """round(x), or the nearest multiple of 10**-decimals, elementwise; NotImplementedError for booleans."""
    check_tensor("round", input)
    if input._array.dtype.kind == "b":
        raise NotImplementedError("\"round_vml_cpu\" not implemented for 'Bool'")
    if decimals is None:
        return apply(round_, (input,))
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"\"round_cpu\" not implemented for '{input.dtype.word}'")
    return apply(round_decimals, (input,), {"decimals": decimals})
