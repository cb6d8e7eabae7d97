"""Losses with a knee: squared near the target and straight beyond, or nothing beyond a margin."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import COMMON, op
from refgrad.ops.arithmetic import sub, where
from refgrad.ops.losses import check_reduction, each, reduced_array, same_size
from refgrad.public import FUNCTIONS, check_tensor, public
from refgrad.record import apply


def clipped(g: Any, gap: Any, knee: float, outside: float) -> Any:
    """The slope of a loss that is square up to the knee: `outside` from there on, in proportion to the gap before."""
    return where(gap <= -knee, -g * outside, where(gap >= knee, g * outside, g * gap * (outside / knee)))


@op(
    x=lambda g, x, target, beta, reduction: clipped(each(g, x.shape, reduction), x - target, beta, 1.0),
    target=lambda g, x, target, beta, reduction: -clipped(each(g, x.shape, reduction), x - target, beta, 1.0),
    dtypes=COMMON,
    node="SmoothL1LossBackward0",
)
def smooth_l1_loss(x: Array, target: Array, *, beta: float = 1.0, reduction: str = "mean") -> Any:
    gap = np.abs(x - target)
    return reduced_array(np.where(gap < beta, 0.5 * gap * gap / beta, gap - 0.5 * beta), reduction)


@op(
    x=lambda g, x, target, delta, reduction: clipped(each(g, x.shape, reduction), x - target, delta, delta),
    target=lambda g, x, target, delta, reduction: (
        -clipped(each(g, x.shape, reduction), x - target, delta, delta)
    ),
    dtypes=COMMON,
)
def huber_loss(x: Array, target: Array, *, delta: float = 1.0, reduction: str = "mean") -> Any:
    gap = np.abs(x - target)
    return reduced_array(np.where(gap <= delta, 0.5 * gap * gap, delta * (gap - 0.5 * delta)), reduction)


@op(
    x=lambda g, x: where(x >= 0, g, 0.0),  # at the margin: 1, as clamp's
    dtypes=COMMON,
    node="ClampMinBackward0",
)
def at_least_zero(x: Array) -> Any:
    return np.maximum(x, 0)


@op(x=lambda g: g, dtypes=COMMON, node="AddBackward1")
def raised(x: Array, *, other: float) -> Any:
    """A sum with a number of the library's own."""
    return x + other


def mean_or_sum(loss: Any, reduction: str) -> Any:
    """Each loss, or the mean or sum of all."""
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


@public("nn.functional.smooth_l1_loss", smooth_l1_loss, judged=False, method=False)
def _(input: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Any:
    """gap**2/(2*beta) where the gap is smaller than beta, else gap - beta/2; of beta 0, l1_loss."""
    input, target = same_size("smooth_l1_loss", input, target)
    check_reduction(reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return FUNCTIONS["nn.functional.l1_loss"](input, target, reduction=reduction)
    if not (input.is_floating_point() or target.is_floating_point()):
        raise NotImplementedError(f"\"smooth_l1_cpu\" not implemented for '{input.dtype.word}'")
    return apply(smooth_l1_loss, (input, target), {"beta": beta, "reduction": reduction})


@public("nn.functional.huber_loss", huber_loss, judged=False, method=False)
def _(input: Any, target: Any, *, reduction: str = "mean", delta: float = 1.0) -> Any:
    """gap**2/2 where the gap does not exceed delta, else delta*(gap - delta/2)."""
    input, target = same_size("huber_loss", input, target)
    check_reduction(reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if not (input.is_floating_point() or target.is_floating_point()):
        raise NotImplementedError(f"\"huber_cpu\" not implemented for '{input.dtype.word}'")
    return apply(huber_loss, (input, target), {"delta": delta, "reduction": reduction})


def hinge_embedding(input: Any, target: Any, margin: float = 1.0, *, reduction: str = "mean") -> Any:
    """Input where the target is 1, and what it lacks of the margin where the target is -1."""
    check_tensor("hinge_embedding_loss", input)
    check_tensor("hinge_embedding_loss", target, "target", 2)
    check_reduction(reduction)
    lacking = apply(at_least_zero, (apply(sub, (margin, input)),))
    near = FUNCTIONS["where"](target != 1, lacking, 0.0)
    return mean_or_sum(near + FUNCTIONS["where"](target != -1, input, 0.0), reduction)


def margin_ranking(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, *, reduction: str = "mean"
) -> Any:
    """What -target*(input1 - input2) + margin exceeds 0 by; RuntimeError unless all have as many dimensions."""
    for n, (name, x) in enumerate((("input1", input1), ("input2", input2), ("target", target)), 1):
        check_tensor("margin_ranking_loss", x, name, n)
    check_reduction(reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    turned = FUNCTIONS["mul"](-target, input1 - input2)
    return mean_or_sum(apply(at_least_zero, (apply(raised, (turned,), {"other": margin}),)), reduction)


for _name, _function in (("hinge_embedding_loss", hinge_embedding), ("margin_ranking_loss", margin_ranking)):
    public(f"nn.functional.{_name}", at_least_zero, judged=False, method=False)(_function)
