"""Activation functions of `nn.functional`: elementwise, floating point only."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from math import pi, sqrt
from typing import Any, Final

import numpy as np
from scipy import special

from refgrad.dtypes import Array
from refgrad.op import FLOAT, Facts, op
from refgrad.ops.arithmetic import where
from refgrad.ops.exponential import erfc, exp, sigmoid
from refgrad.ops.hyperbolic import tanh
from refgrad.ops.piecewise import clamp
from refgrad.public import check_tensor, public
from refgrad.record import apply

SQRT_HALF: Final = sqrt(0.5)
SQRT_TWO_PI: Final = sqrt(2 * pi)
ROOT_TWO_OVER_PI: Final = sqrt(2 / pi)
CUBIC: Final = 0.044715


@op(
    Facts("Piecewise((x, beta*x > threshold), (log1p(exp(beta*x))/beta, True))"),
    x=lambda g, x, beta, threshold: where(x * beta > threshold, g, g * sigmoid(x * beta)),
)
def softplus(x: Array, *, beta: float = 1, threshold: float = 20) -> Any:
    return np.where(x * beta > threshold, x, np.logaddexp(x * beta, 0) / beta)


@op(Facts("x*(1 + erf(x/sqrt(2)))/2"), x=lambda g, x, approximate: g * gelu_slope(x))
def gelu(x: Array, *, approximate: str = "none") -> Any:
    return x * special.ndtr(x)


@op(
    Facts("x*(1 + tanh(sqrt(2/pi)*(x + 44715*x**3/1000000)))/2"),
    x=lambda g, x: g * gelu_tanh_slope(x),
    node="GeluBackward0",
)
def gelu_tanh(x: Array) -> Any:
    return 0.5 * x * (1 + np.tanh(ROOT_TWO_OVER_PI * (x + CUBIC * x * x * x)))


@op(Facts("x/(1 + exp(-x))"), x=lambda g, x: g * silu_slope(x))
def silu(x: Array) -> Any:
    return x * special.expit(x)


@op(
    Facts("Piecewise((x, x > 0), (negative_slope*x, True))", kinks={"x": (0,)}),
    x=lambda g, x, negative_slope: where(x > 0, g, g * negative_slope),  # at the kink: as below it
)
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Any:
    return np.where(x > 0, x, x * negative_slope)


@op(
    x=lambda g, x, alpha: where(x > 0, g, g * alpha * exp(clamp(x, max=0.0))),  # at the kink: as below
    dtypes=FLOAT,
)
def elu(x: Array, *, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(x))


def gelu_slope(x: Any) -> Any:
    """The normal distribution up to x, plus x times its density."""
    return 0.5 * erfc(x * -SQRT_HALF) + x * (exp(-0.5 * (x * x)) / SQRT_TWO_PI)


def gelu_tanh_slope(x: Any) -> Any:
    """The slope of half of x times 1 + tanh(u), for u the polynomial in x."""
    t = tanh(ROOT_TWO_OVER_PI * (x + CUBIC * x * x * x))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (ROOT_TWO_OVER_PI * (1 + 3 * CUBIC * x * x))


def silu_slope(x: Any) -> Any:
    """s*(1 + x*(1 - s)) for s the sigmoid of x."""
    s = sigmoid(x)
    return s * (1 + x * (1 - s))


@public("nn.functional.softplus", softplus, method=False)
def _(input: Any, beta: float = 1, threshold: float = 20) -> Any:
    """log(1 + exp(beta*input))/beta, and input itself where beta*input exceeds threshold."""
    check_floating("softplus", input, "softplus_cpu")
    return apply(softplus, (input,), {"beta": beta, "threshold": threshold})


@public("nn.functional.gelu", gelu, gelu_tanh, method=False)
def _(input: Any, *, approximate: str = "none") -> Any:
    """Input times the normal distribution up to it, which approximate='tanh' takes from a hyperbolic tangent."""
    check_floating("gelu", input, "GeluKernelImpl")
    if approximate == "tanh":
        return apply(gelu_tanh, (input,))
    if approximate != "none":
        raise RuntimeError("approximate argument must be either none or tanh.")
    return apply(gelu, (input,), {"approximate": approximate})


@public("nn.functional.silu", silu, method=False)
def _(input: Any) -> Any:
    """Input times its sigmoid."""
    check_floating("silu", input, "silu_cpu")
    return apply(silu, (input,))


@public("nn.functional.leaky_relu", leaky_relu, method=False)
def _(input: Any, negative_slope: float = 0.01) -> Any:
    """Input, but negative_slope*input where it is not positive."""
    check_floating("leaky_relu", input, "leaky_relu_cpu")
    return apply(leaky_relu, (input,), {"negative_slope": negative_slope})


@public("nn.functional.elu", elu, judged=False, method=False)
def _(input: Any, alpha: float = 1.0) -> Any:
    """Input, but alpha*(exp(input) - 1) where it is not positive."""
    check_floating("elu", input, "elu_cpu")
    return apply(elu, (input,), {"alpha": alpha})


def check_floating(function: str, input: Any, kernel: str) -> None:
    """Raise as PyTorch does unless `input` is a tensor of floats."""
    check_tensor(function, input)
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{input.dtype.word}'")
