"""Addition to powers, selection, and comparison: elementwise, integers stay integers."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from math import inf
from typing import Any

import numpy as np

from refgrad.dtypes import Array, Number, is_continuous, result_type
from refgrad.op import COMMON, NO_GRADIENT, REGISTRY, ZERO, Facts, op
from refgrad.ops.constants import zeros_like
from refgrad.ops.exponential import log
from refgrad.ops.shaping import to_copy
from refgrad.public import broadcast, check_tensor, operands, public, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor


@op(Facts("a + alpha*b"), a=lambda g: g, b=lambda g, alpha: times(g, alpha), dtypes=COMMON)
def add(a: Array, b: Array, *, alpha: float = 1) -> Any:
    return np.add(a, b) if alpha == 1 else a + b * alpha


@op(Facts("a - alpha*b"), a=lambda g: g, b=lambda g, alpha: -times(g, alpha), dtypes=COMMON)
def sub(a: Array, b: Array, *, alpha: float = 1) -> Any:
    return np.subtract(a, b) if alpha == 1 else a - b * alpha


@op(Facts("other - alpha*x"), x=lambda g, alpha: -times(g, alpha), dtypes=COMMON, node="RsubBackward1")
def rsub(x: Array, *, other: float, alpha: float = 1) -> Any:
    return other - x if alpha == 1 else other - x * alpha


@op(Facts("a*b"), a=lambda g, b: g * b, b=lambda g, a: g * a, dtypes=COMMON)
def mul(a: Array, b: Array) -> Any:
    return np.multiply(a, b)


@op(
    Facts("a/b", poles={"b": (0,)}),
    a=lambda g, b: g / b,
    b=lambda g, a, b: -g * ((a / b) / b),  # not a/(b*b): b*b may overflow
)
def div(a: Array, b: Array) -> Any:
    return np.true_divide(a, b)


@op(
    Facts(lambda a, b: REGISTRY["trunc"](div(a, b)), poles={"b": (0,)}),
    a=lambda g, b: zeros_like(g),  # flat, but PyTorch saves the operands
    b=lambda g, a, b: zeros_like(g),
    dtypes=COMMON,
    node="DivBackward2",
)
def div_trunc(a: Array, b: Array) -> Any:
    if a.dtype.kind == "f":
        return np.trunc(np.true_divide(a, b))
    return np.floor_divide(np.abs(a), np.abs(b)) * np.sign(a) * np.sign(b)


@op(
    Facts(lambda a, b: REGISTRY["floor"](div(a, b)), poles={"b": (0,)}),
    a=lambda g, b: zeros_like(g),
    b=lambda g, a, b: zeros_like(g),
    dtypes=COMMON,
    node="DivBackward2",
)
def div_floor(a: Array, b: Array) -> Any:
    return np.floor_divide(a, b)


@op(Facts("1/x", poles={"x": (0,)}), x=lambda g, y: -g * (y * y))
def reciprocal(x: Array) -> Any:
    return np.reciprocal(x)


@op(Facts("-x"), x=lambda g: -g, dtypes=COMMON)
def neg(x: Array) -> Any:
    return np.negative(x)


@op(Facts("Max(x, 0)", kinks={"x": (0,)}), x=lambda g, y: threshold_backward(g, y), dtypes=COMMON)
def relu(x: Array) -> Any:  # at the kink: 0
    return np.maximum(x, 0)


@op(
    Facts(),
    grad=lambda g, result: threshold_backward(g, result),
    result=ZERO,
    node="ThresholdBackwardBackward0",
)
def threshold_backward(grad: Array, result: Array) -> Any:
    """The gradient of relu; an op of its own, as in PyTorch, where it requires grad because `result` does."""
    return np.where(result <= 0, grad.dtype.type(0), grad)  # not grad * (result > 0): infinity and nan pass


@op(Facts("x**exponent"), x=lambda g, x, exponent: slope(g, x, exponent), dtypes=COMMON, node="PowBackward0")
def pow_scalar(x: Array, *, exponent: float) -> Any:
    return power(x, exponent)


@op(
    Facts("a**exponent", domain={"a": (0, inf)}),
    a=lambda g, a, exponent, y: by_base(g, a, exponent),  # y: as PyTorch
    exponent=lambda g, a, exponent, y: by_exponent(g, a, exponent, y),
    dtypes=COMMON,
    node="PowBackward1",
)
def pow(a: Array, exponent: Array) -> Any:
    return np.power(a, exponent)


@op(
    Facts("base**exponent"),
    exponent=lambda g, base, exponent, y: by_exponent_of_number(g, base, exponent, y),
    dtypes=COMMON,
    node="PowBackward2",
)
def rpow(exponent: Array, *, base: float) -> Any:
    return np.power(exponent.dtype.type(base), exponent)


@op(
    Facts("Piecewise((x, condition), (other, True))"),
    condition=NO_GRADIENT,
    x=lambda g, condition: where(condition, g, 0.0),
    other=lambda g, condition: where(condition, 0.0, g),
    dtypes=COMMON,
)
def where(condition: Array, x: Array, other: Array) -> Any:
    return np.where(condition, x, other)


@op(a=NO_GRADIENT, b=NO_GRADIENT, dtypes=COMMON)
def gt(a: Array, b: Array) -> Any:
    return np.greater(a, b)


@op(a=NO_GRADIENT, b=NO_GRADIENT, dtypes=COMMON)
def ge(a: Array, b: Array) -> Any:
    return np.greater_equal(a, b)


@op(a=NO_GRADIENT, b=NO_GRADIENT, dtypes=COMMON)
def lt(a: Array, b: Array) -> Any:
    return np.less(a, b)


@op(a=NO_GRADIENT, b=NO_GRADIENT, dtypes=COMMON)
def le(a: Array, b: Array) -> Any:
    return np.less_equal(a, b)


@op(a=NO_GRADIENT, b=NO_GRADIENT, dtypes=COMMON)
def eq(a: Array, b: Array) -> Any:
    return np.equal(a, b)


@op(a=NO_GRADIENT, b=NO_GRADIENT, dtypes=COMMON)
def ne(a: Array, b: Array) -> Any:
    return np.not_equal(a, b)


def times(g: Any, alpha: float) -> Any:
    """`g` scaled by a setting that is nearly always 1."""
    return g if alpha == 1 else g * alpha


def by_base(g: Any, a: Any, exponent: Any) -> Any:
    """The cotangent of the base; at 0**0 it is 0, PyTorch's convention.

    PyTorch masks every exponent of 0, and so loses the slope that this slope has there: 1/a.
    """
    ct = g * (exponent * pow(a, exponent - 1))
    return where(exponent == 0, where(a == 0, 0.0, ct), ct)


def power(x: Array, exponent: float) -> Any:
    """x**exponent, by multiplication and roots where these are exact or nearly so."""
    if x.dtype.kind == "b":
        return x | (not exponent)
    if exponent == 2:
        return x * x
    if exponent == 3:
        return x * x * x
    if exponent == 0.5:
        return np.sqrt(x)
    if exponent == -0.5:
        return 1 / np.sqrt(x)
    return np.power(x, exponent)


def slope(g: Any, x: Any, exponent: float) -> Any:
    """The cotangent through x**exponent; a constant, x**0, has none even at x = 0."""
    if exponent == 0:
        return zeros_like(g)
    return g * (exponent * pow_scalar(x, exponent=exponent - 1))


def by_exponent(g: Any, a: Any, exponent: Any, y: Any) -> Any:
    """The cotangent of the exponent; 0**e is constantly 0 for e > 0, and by convention so at e = 0."""
    return where(a == 0, where(exponent >= 0, 0.0, g * (y * log(a))), g * (y * log(a)))


def by_exponent_of_number(g: Any, base: float, exponent: Any, y: Any) -> Any:
    """The same where the base is a number."""
    slope = g * (y * log_of_number(base))
    return where(exponent >= 0, 0.0, slope) if base == 0 else slope


def log_of_number(base: float) -> float:
    """The logarithm of a Python number: of zero minus infinity, of a negative number nan."""
    return float(np.log(base)) if base > 0 else -inf if base == 0 else float("nan")


@public("add", add)
def _(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """Input + alpha*other."""
    operands("add", input, other)
    check_alpha(alpha, input, other)
    return apply(add, (input, other), {} if alpha == 1 else {"alpha": alpha})


@public("sub", sub, rsub)
def _(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """Input - alpha*other."""
    operands("sub", input, other)
    check_alpha(alpha, input, other)
    check_no_booleans(input, other)
    return apply(sub, (input, other), {} if alpha == 1 else {"alpha": alpha})


@public("neg", neg)
def _(input: Any) -> Any:
    """-input; RuntimeError for booleans."""
    check_tensor("neg", input)
    if input._array.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
            "mask, use the `~` or `logical_not()` operator instead."
        )
    return apply(neg, (input,))


@public("relu", relu)
def _(input: Any) -> Any:
    """The larger of input and 0; RuntimeError for booleans."""
    check_tensor("relu", input)
    if input._array.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    return apply(relu, (input,))


@public("div", div, div_trunc, div_floor)
def _(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Input / other, in floating point; made whole by `rounding_mode` "trunc" or "floor", of integers in integers."""
    operands("div", input, other)
    if rounding_mode is None:
        return apply(div, (input, other), {})
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
        )
    return apply(div_trunc if rounding_mode == "trunc" else div_floor, (input, other), {})


@public("pow", pow, pow_scalar, rpow)
def _(input: Any, exponent: Any) -> Any:
    """input**exponent, where one of them may be a number; RuntimeError for integers to a negative power."""
    if type(exponent) is Tensor:
        if type(input) is Tensor:
            operands("pow", input, exponent)
            if input._array.dtype.kind == exponent._array.dtype.kind == "b":
                raise NotImplementedError("\"pow\" not implemented for 'Bool'")
            return apply(pow, (input, exponent), {})
        if isinstance(input, bool) and exponent._array.dtype.kind == "b":
            raise NotImplementedError("\"pow\" not implemented for 'Bool'")
        base = float(input) if not isinstance(input, complex) and exponent.dtype.is_floating_point else input
        exponent = widened(exponent, base)
        return apply(rpow, (exponent,), {"base": complex(base) if exponent.is_complex() else base})
    check_tensor("pow", input)
    if not isinstance(exponent, Number):
        raise wrong_type("pow", "exponent", 2, exponent)
    if input._array.dtype.kind in "iu" and isinstance(exponent, int) and exponent < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return apply(pow_scalar, (widened(input, exponent),), {"exponent": exponent})


@public("square", pow_scalar, facts=Facts("x**2"))
def _(input: Any) -> Any:
    """input**2."""
    check_tensor("square", input)
    return apply(pow_scalar, (widened(input, 2),), {"exponent": 2})


@public("where", where)
def _(condition: Any, input: Any, other: Any) -> Any:
    """Input where condition, else other; RuntimeError unless condition is boolean."""
    check_tensor("where", condition, "condition")
    if condition._array.dtype.kind != "b":
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{condition.dtype.word}"
        )
    operands("where", input, other)
    shape = broadcast(shape_of(input), shape_of(other))
    broadcast(condition._array.shape, shape)
    return apply(where, (condition, input, other), {})


@public("rsub", rsub, judged=False, method="__rsub__")
def _(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """Other - alpha*input, for a number `other`."""
    check_tensor("rsub", input)
    check_no_booleans(input, other)
    if not isinstance(other, Number):
        raise wrong_type("rsub", "other", 2, other, "Number")
    return apply(rsub, (widened(input, other),), {"other": other, "alpha": alpha})


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a tensor, or of a number."""
    return x._array.shape if type(x) is Tensor else ()


def widened(x: Tensor, number: Number) -> Tensor:
    """`x` in the dtype that it and a Python number are computed in together."""
    kind = result_type([x._array, number])
    return x if kind is x.dtype else apply(to_copy, (x,), {"dtype": kind})


def check_no_booleans(*operands: Any) -> None:
    """RuntimeError, in PyTorch's words, for a difference with a boolean."""
    booleans = [isinstance(x, bool) or (type(x) is Tensor and x._array.dtype.kind == "b") for x in operands]
    if all(booleans):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead."
        )
    if any(booleans):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a "
            "mask, use the `~` or `logical_not()` operator instead."
        )


def check_alpha(alpha: float, *operands: Any) -> None:
    """RuntimeError, in PyTorch's words, for a fractional multiple of integers, or a complex one of real numbers."""
    if isinstance(alpha, complex):
        if not any(isinstance(x, complex) or (type(x) is Tensor and x.is_complex()) for x in operands):
            raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")
        return
    if isinstance(alpha, float) and not any(
        isinstance(x, float | complex) or (type(x) is Tensor and is_continuous(x._array.dtype))
        for x in operands
    ):
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
