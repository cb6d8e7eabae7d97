"""Products with logarithms, log-odds, and the sine divided by its argument: elementwise, integers become float32."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from math import inf, nan, pi
from typing import Any

import numpy as np
from scipy import special

from refgrad.dtypes import Array
from refgrad.op import FLOAT, Facts, op
from refgrad.ops.arithmetic import where
from refgrad.ops.exponential import log
from refgrad.ops.trigonometric import cos, sin
from refgrad.public import check_tensor, operands, public, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor


@op(
    Facts("x*log(other)", domain={"other": (0, inf)}),
    # at 0*log(y) with y <= 0: 0, where log has no value
    x=lambda g, x, other: where(x == 0, where(other <= 0, 0.0, xlogy(g, other)), xlogy(g, other)),
    other=lambda g, x, other: g * x / other,
)
def xlogy(x: Array, other: Array) -> Any:
    return special.xlogy(x, other)


@op(
    Facts("x*log(other)"),
    x=lambda g, x, other: (
        xlogy_number(g, other=other) if other > 0 else where(x == 0, 0.0, xlogy_number(g, other=other))
    ),
    node="XlogyBackward2",
)
def xlogy_number(x: Array, *, other: float) -> Any:
    return special.xlogy(x, x.dtype.type(other))


@op(
    Facts("multiple*log(other)", domain={"other": (0, inf)}),
    other=lambda g, other, multiple: g * multiple / other,
    node="XlogyBackward1",
)
def xlogy_of_number(other: Array, *, multiple: float) -> Any:
    return special.xlogy(other.dtype.type(multiple), other)


@op(
    Facts("-x*log(x)", domain={"x": (0, inf)}), x=lambda g, x: -g * (1 + log(x)), node="SpecialEntrBackward0"
)  # at 0: infinity
def entr(x: Array) -> Any:
    return special.entr(x)


@op(Facts("log(x/(1 - x))", domain={"x": (0, 1)}), x=lambda g, x, eps: logit_backward(g, x, eps))
def logit(x: Array, *, eps: float | None = None) -> Any:
    return special.logit(x if eps is None else np.where(x < eps, eps, np.where(x > 1 - eps, 1 - eps, x)))


def logit_backward(g: Any, x: Any, eps: float | None) -> Any:
    """The cotangent through log(x/(1 - x)): at an eps, as inside; beyond it 0, and beyond 0 and 1 nan."""
    low, high, beyond = (0.0, 1.0, nan) if eps is None or eps < 0 else (eps, 1.0 - eps, 0.0)
    return where(x < low, beyond, where(x > high, beyond, g / (x * (1.0 - x))))


@op(x=lambda g, x: g * where(x == 0, 0.0, sinc_slope(x)), dtypes=FLOAT)  # at 0, of 0/0: 0, the true slope
def sinc(x: Array) -> Any:
    return np.sinc(x)


def sinc_slope(x: Any) -> Any:
    """The slope of sin(pi*x)/(pi*x), as PyTorch writes it: the difference cancels where x is small."""
    turn = x * pi
    return (turn * cos(turn) - sin(turn)) / (x * turn)


@public("xlogy", xlogy, xlogy_number, xlogy_of_number)
def _(input: Any, other: Any) -> Any:
    """input*log(other), and 0 where input is 0 and other no nan; one of them may be a number."""
    if type(input) is not Tensor and type(other) is not Tensor:
        raise wrong_type("xlogy", "input", 1, input)
    operands("xlogy", input, other)
    if type(other) is not Tensor:
        return apply(xlogy_number, (input,), {"other": float(other)})
    if type(input) is not Tensor:
        return apply(xlogy_of_number, (other,), {"multiple": float(input)})
    return apply(xlogy, (input, other))


@public("special.entr", entr, method=False)
def _(input: Any) -> Any:
    """-input*log(input), 0 at 0 and minus infinity below."""
    check_tensor("special_entr", input)
    return apply(entr, (input,))


@public("logit", logit, judged=False)
def _(input: Any, eps: float | None = None) -> Any:
    """log(input/(1 - input)), of the input within [eps, 1 - eps] where an eps is given."""
    check_tensor("logit", input)
    return apply(logit, (input,), {"eps": eps})


@public("sinc", sinc, judged=False)
def _(input: Any) -> Any:
    """sin(pi*input)/(pi*input), and 1 at 0."""
    check_tensor("sinc", input)
    return apply(sinc, (input,))
