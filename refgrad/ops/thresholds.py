"""Activations made of straight and square pieces: what lies between bounds, what exceeds a threshold, what shrinks."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import COMMON, FLOAT, Facts, op
from refgrad.ops.activations import check_floating
from refgrad.ops.arithmetic import where
from refgrad.public import check_tensor, public
from refgrad.record import apply


@op(
    Facts("Piecewise((min_val, x <= min_val), (max_val, x >= max_val), (x, True))"),
    # at a bound: 0, the outer slope, unlike clamp's
    x=lambda g, x, min_val, max_val: where(x <= min_val, 0.0, where(x >= max_val, 0.0, g)),
    dtypes=COMMON,
)
def hardtanh(x: Array, *, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    return np.clip(x, min_val, max_val).astype(x.dtype)


@op(
    x=lambda g, x: where(x > -3, where(x < 3, g / 6, 0.0), 0.0),  # at a knee, and of nan: 0
    dtypes=FLOAT,
)
def hardsigmoid(x: Array) -> Any:
    return np.clip(x + 3, 0, 6) / 6


@op(
    Facts("Piecewise((x*(x + 3)/6, (x > -3) & (x < 3)), (x, x > 0), (0, True))", kinks={"x": (-3, 3)}),
    # at -3 the outer slope, 0; at 3 the outer slope too, 1
    x=lambda g, x: where(x <= -3, 0.0, where(x < 3, g * (x / 3 + 0.5), g)),
)
def hardswish(x: Array) -> Any:
    return x * np.clip(x + 3, 0, 6) / 6


@op(
    Facts("Piecewise((x - lambd, x > lambd), (x + lambd, x < -lambd), (0, True))", kinks={"x": (0.5, -0.5)}),
    x=lambda g, x, lambd: where(x >= -lambd, where(x <= lambd, 0.0, g), g),  # at a knee: 0, the inner slope
)
def softshrink(x: Array, *, lambd: float = 0.5) -> Any:
    return np.where(x > lambd, x - lambd, np.where(x < -lambd, x + lambd, x * 0))


@op(
    x=lambda g, x, lambd: where(x >= -lambd, where(x <= lambd, 0.0, g), g),  # at a step: 0, the inner slope
    dtypes=FLOAT,
)
def hardshrink(x: Array, *, lambd: float = 0.5) -> Any:
    return np.where((x >= -lambd) & (x <= lambd), 0, x)


@op(
    x=lambda g, x, threshold: where(x <= threshold, 0.0, g),  # at the threshold: 0, as below it
    dtypes=COMMON,
)
def threshold_(x: Array, *, threshold: float, value: float) -> Any:
    return np.where(x <= threshold, value, x).astype(x.dtype)


@op(
    x=lambda g, x, weight: where(x > 0, g, g * weight),  # at the kink: as below it
    weight=lambda g, x, weight: where(x > 0, 0.0, g * x),  # weight: as PyTorch
    dtypes=COMMON,
)
def prelu_kernel(x: Array, weight: Array) -> Any:
    return np.where(x > 0, x, x * weight)


@public(
    "nn.functional.relu6",
    hardtanh,
    facts=Facts("Piecewise((x, (x > 0) & (x < 6)), (6, x > 0), (0, True))", kinks={"x": (0, 6)}),
    method=False,
)
def _(input: Any) -> Any:
    """Input within [0, 6]."""
    check_tensor("relu6", input)
    return apply(hardtanh, (input,), {"min_val": 0, "max_val": 6})


@public("nn.functional.hardtanh", hardtanh, judged=False, method=False)
def _(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """Input within [min_val, max_val]; ValueError where the bounds are crossed."""
    check_tensor("hardtanh", input)
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return apply(hardtanh, (input,), {"min_val": min_val, "max_val": max_val})


@public("nn.functional.hardsigmoid", hardsigmoid, judged=False, method=False)
def _(input: Any) -> Any:
    """(input + 3)/6 within [0, 1]."""
    check_floating("hardsigmoid", input, "hardsigmoid_cpu")
    return apply(hardsigmoid, (input,))


@public("nn.functional.hardswish", hardswish, method=False)
def _(input: Any) -> Any:
    """Input times its hardsigmoid."""
    check_floating("hardswish", input, "hardswish_cpu")
    return apply(hardswish, (input,))


@public("nn.functional.softshrink", softshrink, method=False)
def _(input: Any, lambd: float = 0.5) -> Any:
    """Input closer to 0 by lambd, and 0 within it; RuntimeError for a negative one."""
    check_floating("softshrink", input, "softshrink_check")
    if lambd < 0:
        raise RuntimeError(
            f"lambda must be in range [0, {np.finfo(input._array.dtype).max:g}] for input dtype "
            f"{input.dtype.word}, but found {lambd:g}"
        )
    return apply(softshrink, (input,), {"lambd": lambd})


def shrunk_hard(input: Any, lambd: float = 0.5) -> Any:
    """Input, but 0 within lambd of 0."""
    check_floating("hardshrink", input, "hardshrink_cpu")
    return apply(hardshrink, (input,), {"lambd": lambd})


def thresholded(input: Any, threshold: float, value: float) -> Any:
    """Input, but `value` where it does not exceed the threshold; NotImplementedError for booleans."""
    check_tensor("threshold", input)
    if input._array.dtype.kind == "b":
        raise NotImplementedError("\"threshold_cpu\" not implemented for 'Bool'")
    return apply(threshold_, (input,), {"threshold": threshold, "value": value})


def with_slopes(input: Any, weight: Any) -> Any:
    """Input, but where it is not positive times `weight`: one number, or one for each channel, the second dimension.

    RuntimeError where the numbers of weights and channels, or the dtypes, differ.
    """
    check_tensor("prelu", input)
    check_tensor("prelu", weight, "weight", 2)
    if input.dtype is not weight.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {input.dtype.word} and {weight.dtype.word}"
        )
    shape, count = input._array.shape, weight._array.size
    if weight._array.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight._array.ndim}"
        )
    channels = shape[1] if len(shape) > 1 else 1
    if count not in (1, channels):
        raise RuntimeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {count} and channel "
            f"size = {channels}."
        )
    if len(shape) != weight._array.ndim:
        weight = weight.reshape([count if i == 1 else 1 for i in range(len(shape))])
    return apply(prelu_kernel, (input, weight))


for _name, _op, _function in (
    ("hardshrink", hardshrink, shrunk_hard),
    ("threshold", threshold_, thresholded),
    ("prelu", prelu_kernel, with_slopes),
):  # PyTorch offers these in both places
    public(f"nn.functional.{_name}", _op, judged=False, method=False)(_function)
    public(_name, _op, judged=False, method=_name != "threshold")(_function)
