"""Losses: elementwise, and their mean or sum in the same op, as PyTorch has them."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

import warnings
from math import prod
from typing import Any, Final

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import COMMON, NO_GRADIENT, OWN, Facts, op
from refgrad.ops.arithmetic import mul, where
from refgrad.ops.constants import chosen, class_dim, named
from refgrad.ops.exponential import exp, log, log1p, sigmoid
from refgrad.ops.piecewise import abs_, clamp
from refgrad.ops.reductions import sum_dim
from refgrad.ops.shaping import Shape, unsqueeze
from refgrad.public import FUNCTIONS, broadcast, check_tensor, public
from refgrad.record import apply
from refgrad.tensor import Tensor

LOWEST_LOG: Final = -100.0
"""Below this PyTorch's cross-entropy takes no logarithm of a probability."""
LEAST_SPREAD: Final = 1e-12
"""Nor divides its gradient by less than this for x*(1 - x)."""


def reduced(loss: Any, reduction: str) -> Any:
    """The mean of all losses, their sum, or each."""
    if reduction == "none":
        return loss
    total = sum_dim(loss, dim=tuple(range(len(loss.shape))), keepdim=False)
    return total / prod(loss.shape) if reduction == "mean" else total


def reduced_array(loss: Array, reduction: str) -> Any:
    """The same of arrays, where the mean of nothing is nan without a warning."""
    if reduction == "mean":
        with np.errstate(invalid="ignore"):
            return np.sum(loss) / np.asarray(loss.size, loss.dtype)
    return np.sum(loss) if reduction == "sum" else loss


def each(g: Any, shape: Shape, reduction: str) -> Any:
    """The cotangent of each loss, from that of what they were reduced to."""
    count: int = prod(shape)
    return g / count if reduction == "mean" else g


@op(
    Facts(lambda x, target, reduction="mean": reduced((x - target) * (x - target), reduction)),
    x=lambda g, x, target, reduction: 2 * (x - target) * each(g, x.shape, reduction),
    target=lambda g, x, target, reduction: 2 * (target - x) * each(g, x.shape, reduction),
    dtypes=COMMON,
)
def mse_loss(x: Array, target: Array, *, reduction: str = "mean") -> Any:
    return reduced_array((x - target) * (x - target), reduction)


def cross_entropy_of_probability(x: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """-(target*log(x) + (1 - target)*log(1 - x)), weighted."""
    loss = (target - 1) * log1p(0 - x) - target * log(x)
    return reduced(weighted(loss, weight), reduction)


def weighted(g: Any, weight: Any) -> Any:
    """The cotangent times the weight, if there is one."""
    return g if weight is None else mul(g, weight)


@op(
    Facts(cross_entropy_of_probability, domain={"x": (0, 1)}),
    x=lambda g, x, target, weight, reduction: weighted(
        each(g, x.shape, reduction) * (x - target) / clamp((1 - x) * x, min=LEAST_SPREAD), weight
    ),
    target=lambda g, x, target, weight, reduction: weighted(  # target: as PyTorch
        each(g, x.shape, reduction) * (clamp(log1p(-x), min=LOWEST_LOG) - clamp(log(x), min=LOWEST_LOG)),
        weight,
    ),
    dtypes=COMMON,
)
def binary_cross_entropy(x: Array, target: Array, *, weight: Any = None, reduction: str = "mean") -> Any:
    with np.errstate(divide="ignore"):  # the logarithm of 0 is cut off
        low, high = np.maximum(np.log(x), LOWEST_LOG), np.maximum(np.log1p(-x), LOWEST_LOG)
    loss = (target - 1) * high - target * low
    return reduced_array(weighted(loss, weight).astype(loss.dtype), reduction)


def cross_entropy_of_logit(
    x: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: str = "mean"
) -> Any:
    """(1 - target)*x + log(1 + exp(-x)), where pos_weight counts the second term of a target 1 so often."""
    loss = (1 - target) * x + log1p(exp(0 - x)) * confidence(target, pos_weight)
    return reduced(weighted(loss, weight), reduction)


def confidence(target: Any, pos_weight: Any) -> Any:
    """1, or where positive examples have a weight, 1 + (pos_weight - 1)*target."""
    return 1 if pos_weight is None else 1 + mul(target, pos_weight - 1)


def logit_slope(x: Any, target: Any, pos_weight: Any) -> Any:
    """The slope of one loss: how far the sigmoid lies above the target."""
    if pos_weight is None:
        return sigmoid(x) - target
    return sigmoid(x) * confidence(target, pos_weight) - mul(target, pos_weight)


def logit_target_slope(x: Any, pos_weight: Any) -> Any:
    """The slope of one loss by its target."""
    return -x if pos_weight is None else mul(log1p_exp_minus(x), pos_weight - 1) - x


def log1p_exp_minus(x: Any) -> Any:
    """log(1 + exp(-x)), without overflow."""
    return log1p(exp(-abs_(x))) + clamp(-x, min=0.0)


@op(
    Facts(cross_entropy_of_logit),
    x=lambda g, x, target, weight, pos_weight, reduction: weighted(
        logit_slope(x, target, pos_weight) * each(g, x.shape, reduction), weight
    ),
    target=lambda g, x, target, weight, pos_weight, reduction: weighted(  # target: as PyTorch
        logit_target_slope(x, pos_weight) * each(g, x.shape, reduction), weight
    ),
    dtypes=COMMON,
)
def binary_cross_entropy_with_logits(
    x: Array, target: Array, *, weight: Any = None, pos_weight: Any = None, reduction: str = "mean"
) -> Any:
    tail = np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)
    loss = (1 - target) * x + tail * confidence(target, pos_weight)
    return reduced_array(weighted(loss, weight).astype(x.dtype), reduction)


def minus_the_chosen(
    x: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    """Minus the element that the target names along the classes, weighted."""
    places = named(x.shape, target, ignore_index)
    for _ in x.shape[2:] if weight is not None else ():
        weight = unsqueeze(weight, dim=len(weight.shape))
    minus = mul(x, -1.0 if weight is None else 0 - weight)
    loss = sum_dim(where(places, minus, 0.0), dim=(class_dim(x.shape),), keepdim=False)
    if reduction == "none":
        return loss
    whole = sum_dim(loss, dim=tuple(range(len(loss.shape))), keepdim=False)
    if reduction == "sum":
        return whole
    if weight is None:
        return whole / float(places.sum())
    return whole / sum_dim(where(places, weight, 0.0), dim=tuple(range(len(x.shape))), keepdim=False)


@op(
    Facts(minus_the_chosen),
    x=lambda g, x, target, weight, total_weight, ignore_index, reduction: nll_loss_backward(  # x: as PyTorch
        g, target, shape=x.shape, weight=weight, ignore_index=ignore_index, reduction=reduction
    ),
    target=NO_GRADIENT,
    aux=("total_weight",),
    dtypes=OWN,
)
def nll_loss(
    x: Array, target: Array, *, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    scale, total = chosen(x.shape, target, weight, ignore_index)
    total_weight = np.asarray(total, x.dtype)
    loss = np.sum(np.where(scale == 0, x.dtype.type(0), x * scale.astype(x.dtype)), axis=class_dim(x.shape))
    if reduction == "none":
        return loss, np.zeros((), x.dtype)
    with np.errstate(invalid="ignore"):  # the mean of nothing: 0/0
        return (np.sum(loss) / total_weight if reduction == "mean" else np.sum(loss)), total_weight


@op(
    Facts(minus_the_chosen),
    x=lambda g, x, target, weight, total_weight, ignore_index, reduction: nll_loss_backward(  # as above
        g, target, shape=x.shape, weight=weight, ignore_index=ignore_index, reduction=reduction
    ),
    target=NO_GRADIENT,
    aux=("total_weight",),
    dtypes=OWN,
    node="NllLoss2DBackward0",
)
def nll_loss2d(
    x: Array, target: Array, *, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    """The same of images: a class for each place."""
    return nll_loss.evaluate(x, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


@op(
    x=lambda g, target, weight, ignore_index, reduction: nll_loss(
        g, target, weight=weight, ignore_index=ignore_index, reduction=reduction
    ),
    target=NO_GRADIENT,
    dtypes=OWN,
)
def nll_loss_backward(
    x: Array, target: Array, *, shape: Shape, weight: Any, ignore_index: int, reduction: str
) -> Any:
    """The cotangent at the class of each row, times minus its weight; elsewhere 0."""
    scale, total = chosen(shape, target, weight, ignore_index)
    each = np.expand_dims(x, class_dim(shape)) if reduction == "none" else x
    each = each / total.astype(x.dtype) if reduction == "mean" else each
    return np.where(scale == 0, x.dtype.type(0), each * scale.astype(x.dtype))


@op(x=lambda g, other: divided(g, other=other), node="DivBackward1")
def divided(x: Array, *, other: float) -> Any:
    """A quotient by a number of the library's own."""
    return x / other


@public("nn.functional.mse_loss", mse_loss, method=False)
def _(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """(input - target)**2, or the mean or sum of all; sizes that differ are broadcast, with PyTorch's warning."""
    input, target = same_size("mse_loss", input, target)
    check_reduction(reduction)
    if not (input.is_floating_point() or target.is_floating_point()):
        raise NotImplementedError(f"\"mse_cpu\" not implemented for '{input.dtype.word}'")
    return apply(mse_loss, (input, target), {"reduction": reduction})


@public("nn.functional.l1_loss", abs_, judged=False, method=False)
def _(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """abs(input - target), or the mean or sum of all; sizes that differ are broadcast, with PyTorch's warning."""
    input, target = same_size("l1_loss", input, target)
    check_reduction(reduction)
    loss = (input - target).abs()
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


@public("nn.functional.binary_cross_entropy", binary_cross_entropy, judged=False, method=False)
def _(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    """-(target*log(input) + (1 - target)*log(1 - input)), or its mean or sum, with logarithms of at least -100.

    ValueError unless both have one size, RuntimeError unless input lies in [0, 1].
    """
    check_tensor("binary_cross_entropy", input)
    check_tensor("binary_cross_entropy", target, "target", 2)
    check_reduction(reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    if not input.is_floating_point():
        raise NotImplementedError(f"\"binary_cross_entropy\" not implemented for '{input.dtype.word}'")
    if input.dtype is not target.dtype:
        raise RuntimeError(f"Found dtype {target.dtype.word} but expected {input.dtype.word}")
    if not np.all((input._array >= 0) & (input._array <= 1)):
        raise RuntimeError("all elements of input should be between 0 and 1")
    spread = None if weight is None else weight.expand(broadcast(target._array.shape, weight._array.shape))
    return apply(binary_cross_entropy, (input, target), {"weight": plain(spread), "reduction": reduction})


@public("nn.functional.binary_cross_entropy_with_logits", binary_cross_entropy_with_logits, method=False)
def _(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None) -> Any:
    """The binary cross-entropy of sigmoid(input), without overflow; ValueError unless both have one size."""
    check_tensor("binary_cross_entropy_with_logits", input)
    check_tensor("binary_cross_entropy_with_logits", target, "target", 2)
    check_reduction(reduction)
    if input.shape != target.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    settings = {"weight": plain(weight), "pos_weight": plain(pos_weight), "reduction": reduction}
    return apply(binary_cross_entropy_with_logits, (input, target), settings)


@public("nn.functional.nll_loss", nll_loss, nll_loss2d, method=False)
def _(
    input: Any, target: Any, weight: Any = None, ignore_index: int = -100, *, reduction: str = "mean"
) -> Any:
    """Minus input at the class that target names, or its sum or weighted mean; input is (C) or (N, C, ...).

    ValueError or RuntimeError for shapes and dtypes that do not fit, IndexError for a class that is not there.
    """
    check_tensor("nll_loss_nd", input)
    check_tensor("nll_loss_nd", target, "target", 2)
    check_reduction(reduction)
    check_classes(input, target, weight, ignore_index)
    shape, names = input._array.shape, target._array
    settings = {"weight": plain(weight), "ignore_index": ignore_index, "reduction": reduction}
    if len(shape) < 3:
        if len(shape) == 1 and names.ndim:
            target = Tensor(names.reshape(()))
        return apply(nll_loss, (input, target), settings)
    if len(shape) == 4:
        return apply(nll_loss2d, (input, target), settings)
    flat = input.reshape(shape[0], shape[1], 1, -1)
    loss = apply(nll_loss2d, (flat, target.reshape(shape[0], 1, -1)), settings)
    return loss.view(shape[:1] + shape[2:]) if reduction == "none" else loss


def check_classes(input: Any, target: Any, weight: Any, ignore_index: int) -> None:
    """Raise as PyTorch does unless the target names a class of the input for each of its rows."""
    shape, names = input._array.shape, target._array
    if not shape:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if len(shape) > 1 and names.ndim and shape[0] != names.shape[0]:
        raise ValueError(
            f"Expected input batch_size ({shape[0]}) to match target batch_size ({names.shape[0]})."
        )
    if len(shape) == 4 and names.ndim != 3:
        raise RuntimeError(
            f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {names.ndim}"
        )
    if len(shape) == 4 and shape[2:] != names.shape[1:]:
        raise RuntimeError(f"size mismatch (got input: {list(shape)} , target: {list(names.shape)}")
    if len(shape) > 2 and shape[2:] != names.shape[1:]:
        wanted = [shape[0], *shape[2:]]
        raise RuntimeError(f"Expected target size {wanted}, got {list(names.shape)}")
    if names.dtype.kind not in "iu" or names.dtype.itemsize not in (1, 8):
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {target.dtype.word}")
    if len(shape) < 3 and names.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if len(shape) == 1 and names.size != 1:
        raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {names.size}")
    if len(shape) == 2 and shape[:1] != names.shape:
        raise ValueError(f"Expected input batch_size ({shape[0]}) to match target batch_size ({names.size}).")
    if not input.is_floating_point():
        raise NotImplementedError(f"\"nll_loss_out_frame\" not implemented for '{input.dtype.word}'")
    classes = shape[class_dim(shape)]
    if weight is not None and weight._array.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight "
            f"tensor of shape: {list(weight._array.shape)}"
        )
    for name in names[(names != ignore_index) & ((names < 0) | (names >= classes))].reshape(-1).tolist():
        raise IndexError(f"Target {name} is out of bounds.")


@public("nn.functional.cross_entropy", nll_loss, judged=False, method=False)
def _(
    input: Any, target: Any, weight: Any = None, ignore_index: int = -100, *, reduction: str = "mean"
) -> Any:
    """The cross-entropy of softmax(input) and a target: the numbers of classes, or a probability for each."""
    check_tensor("cross_entropy_loss", input)
    check_tensor("cross_entropy_loss", target, "target", 2)
    logs = FUNCTIONS["log_softmax"](input, min(1, max(0, input.ndim - 1)))
    if input.shape != target.shape:
        return FUNCTIONS["nn.functional.nll_loss"](logs, target, weight, ignore_index, reduction=reduction)
    check_reduction(reduction)
    if not target.is_floating_point():
        raise RuntimeError(
            f"Expected floating point type for target with class probabilities, got {target.dtype.word}"
        )
    terms = logs * target if weight is None else logs * target * weight
    if reduction == "none":
        return -terms.sum(min(1, max(0, input.ndim - 1)))
    loss = -terms.sum()
    if reduction == "sum":
        return loss
    return apply(divided, (loss,), {"other": input.numel() // input.shape[min(1, input.ndim - 1)]})


def check_reduction(reduction: str) -> None:
    """ValueError, in PyTorch's words, unless it is one of the three."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def same_size(function: str, input: Any, target: Any) -> tuple[Any, ...]:
    """Both operands in one shape, to which PyTorch broadcasts them with a warning."""
    check_tensor(function, input)
    check_tensor(function, target, "target", 2)
    if input.shape == target.shape:
        return input, target
    warnings.warn(
        f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely "
        "lead to incorrect results due to broadcasting. Please ensure they have the same size.",
        UserWarning,
        stacklevel=3,
    )
    shape = broadcast(input._array.shape, target._array.shape)
    return tuple(x if x._array.shape == shape else x.expand(*shape) for x in (input, target))


def plain(weight: Any) -> Any:
    """The array of a weight, which is no operand; None stays None."""
    return weight._array if type(weight) is Tensor else weight
