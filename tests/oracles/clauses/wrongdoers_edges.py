"""Wrongdoers at points without a derivative, made of PyTorch: functions that the engine does not have.

A fault is another way to compute the same values, or values straight through, whose gradients are another convention.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .wrongdoers_kit import Install, Wrongdoer, swapped, wrongdoer

made_of_torch = partial(wrongdoer, library="torch")


class StraightThrough(torch.autograd.Function):
    """Any function of one tensor, differentiated as if it were the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """The function's value."""
        return function(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        """What came in."""
        return g, None


def straight_through(where: Any, name: str) -> Install:
    """The fault of differentiating a function of one tensor as if it were the identity."""
    right = getattr(where, name)
    return swapped(where, **{name: lambda x: StraightThrough.apply(x, right)})


def with_constant(where: Any, name: str, place: int) -> Install:
    """The fault of taking one argument of a function for a constant."""
    right = getattr(where, name)

    def wrong(*args: Any, **settings: Any) -> Any:
        return right(*(a.detach() if i == place else a for i, a in enumerate(args)), **settings)

    return swapped(where, **{name: wrong})


def sorted_median(x: Tensor, *dim: int) -> Any:
    """The median of everything as the middle of what was sorted; along a dimension as it is."""
    return MEDIAN(x, *dim) if dim else x.flatten().sort(stable=True)[0][(x.numel() - 1) // 2]


MEDIAN, UNIFORM = torch.Tensor.median, torch.Tensor.uniform_
LOGIT, HUBER = torch.logit, functional.huber_loss


def greatest_so_far(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """cummax as a column of maxima, which share among ties."""
    return torch.stack([x[: k + 1].amax(dim) for k in range(len(x))]), torch.cummax(x, dim)[1]


def naive_distances(a: Tensor, b: Tensor) -> Tensor:
    """The root of the sum of squares."""
    return ((a[:, None] - b[None]) ** 2).sum(-1).sqrt()


def windowed_maximum(x: Tensor, size: int) -> Tensor:
    """The maximum over windows that follow each other, shared among ties."""
    return x.unfold(-1, size, size).amax(-1)


def naive_sinc(x: Tensor) -> Tensor:
    """sin(pi x) / (pi x), and 1 selected at 0."""
    return torch.where(x == 0, 1.0, torch.sin(math.pi * x) / (math.pi * x))


def margin_by_relu(a: Tensor, b: Tensor, sign: Tensor) -> Tensor:
    """The mean of relu, whose gradient is 0 at the knee."""
    return (-sign * (a - b)).relu().mean()


KNEES: dict[str, Callable[..., Tensor]] = {
    "relu6": lambda x: x.clamp(0.0, 6.0),
    "hardtanh": lambda x: x.clamp(-1.0, 1.0),
    "hardsigmoid": lambda x: (x / 6 + 0.5).clamp(0.0, 1.0),
    "hardswish": lambda x: x * (x / 6 + 0.5).clamp(0.0, 1.0),
    "softshrink": lambda x, width: torch.where(x.abs() >= width, x - x.sign() * width, 0.0),
    "hardshrink": lambda x, width: torch.where(x.abs() >= width, x, 0.0),
    "threshold": lambda x, knee, value: torch.where(x >= knee, x, value),
    "leaky_relu": lambda x, slope: torch.where(x >= 0, x, slope * x),
    "elu": lambda x, alpha: torch.where(x >= 0, x, alpha * x.expm1()),
    "prelu": lambda x, weight: torch.where(x >= 0, x, weight * x),
}
"""Activations with the same values, whose slope at a knee is that of the other side."""

EDGES: tuple[Wrongdoer, ...] = (
    *(
        made_of_torch(
            f"{name}-other-side",
            f"{name} has the slope of the other side at a knee",
            swapped(functional, **{name: wrong}),
            breaks="ND-18",
        )
        for name, wrong in KNEES.items()
    ),
    made_of_torch(
        "fmax-shares",
        "fmax is maximum, which shares ties, wherever neither argument is NaN",
        swapped(torch, fmax=lambda a, b: torch.where(b != b, a, torch.maximum(a, b))),
        breaks="ND-21",
    ),
    made_of_torch(
        "median-picks",
        "the median of everything goes to one of the elements that tie",
        swapped(torch.Tensor, median=sorted_median),
        breaks="ND-23",
    ),
    made_of_torch(
        "cummax-shares",
        "cummax shares among ties though it returns places",
        swapped(torch.Tensor, cummax=greatest_so_far),
        breaks="ND-24",
    ),
    made_of_torch(
        "xlogy-multiplies",
        "xlogy is x times log(y), also where x is 0",
        swapped(torch, xlogy=lambda x, y: x * y.log()),
        breaks="ND-27",
    ),
    made_of_torch(
        "cdist-of-the-same",
        "cdist takes the root of 0 between points that coincide",
        swapped(torch, cdist=naive_distances),
        breaks="ND-33",
    ),
    made_of_torch(
        "fmod-constant-divisor",
        "fmod takes its divisor for a constant",
        with_constant(torch, "fmod", 1),
        breaks="ND-34",
    ),
    made_of_torch(
        "frac-flat-at-integers",
        "frac has the gradient 0 where it jumps",
        swapped(torch, frac=lambda x: torch.where(x == x.trunc(), 0.0 * x, x - x.trunc())),
        breaks="ND-34",
    ),
    made_of_torch(
        "heaviside-of-zeros",
        "heaviside has a gradient of zeros instead of none",
        swapped(torch, heaviside=lambda x, values: 0 * x + (x > 0) + (x == 0) * values),
        breaks="ND-35",
    ),
    made_of_torch(
        "copysign-straight-through",
        "copysign has the slope 1 where its argument is 0",
        swapped(torch, copysign=lambda x, y: torch.where(x == 0, x, x.abs() * y.sign())),
        breaks="ND-36",
    ),
    made_of_torch(
        "ldexp-of-a-constant",
        "ldexp takes its first argument for a constant",
        with_constant(torch, "ldexp", 0),
        breaks="ND-36",
    ),
    made_of_torch(
        "nan-to-num-straight-through",
        "nan_to_num passes gradients on to what it has replaced",
        straight_through(torch, "nan_to_num"),
        breaks="ND-37",
    ),
    made_of_torch(
        "margin-by-relu",
        "a margin loss has the slope 0 at its knee, that of relu",
        swapped(functional, margin_ranking_loss=margin_by_relu),
        breaks="ND-39",
    ),
    made_of_torch(
        "l1-by-maximum",
        "l1_loss has a slope where its arguments are the same",
        swapped(functional, l1_loss=lambda a, b: torch.where(a >= b, a - b, b - a).mean()),
        breaks="ND-39",
    ),
    made_of_torch(
        "pool-shares",
        "a maximum over windows is shared among the elements that tie",
        swapped(functional, max_pool1d=windowed_maximum),
        breaks="ND-40",
    ),
    made_of_torch(
        "bernoulli-of-constants",
        "what bernoulli draws leaves no node",
        swapped(torch, bernoulli=lambda p: (torch.rand_like(p) < p) * 1.0),
        breaks="ND-41",
    ),
    made_of_torch(
        "poisson-straight-through",
        "what poisson draws has the gradient of its rate",
        straight_through(torch, "poisson"),
        breaks="ND-41",
    ),
    made_of_torch(
        "scatter-forgets-what-was-there",
        "scatter_reduce gives nothing to what was there before",
        with_constant(torch.Tensor, "scatter_reduce", 0),
        breaks="ND-42",
    ),
    made_of_torch(
        "sinc-of-zero",
        "sinc selects its value at 0 after dividing by 0",
        swapped(torch, sinc=naive_sinc),
        breaks="ND-43",
    ),
    made_of_torch(
        "fmin-to-the-second",
        "fmin gives ties to its second argument",
        swapped(torch, fmin=lambda a, b: torch.where((a < b) | (b != b), a, b)),
        breaks="ND-21",
    ),
    made_of_torch(
        "quantile-of-one",
        "a quantile between two elements goes to the lower one",
        swapped(torch.Tensor, quantile=lambda x, q: x.sort()[0][int(q * (len(x) - 1))]),
        breaks="ND-23",
    ),
    made_of_torch(
        "topk-shares",
        "topk shares among ties though it returns places",
        swapped(torch.Tensor, topk=lambda x, k: (x.amax().expand(k), x.argmax().expand(k))),
        breaks="ND-24",
    ),
    made_of_torch(
        "logit-open-at-eps",
        "logit has the gradient 0 where its argument is its eps",
        swapped(torch, logit=lambda x, eps=None: LOGIT(x if eps is None else x.where(x != eps, eps))),
        breaks="ND-27",
    ),
    made_of_torch(
        "entr-multiplies",
        "entr is minus x times log(x), also where x is 0",
        swapped(torch.special, entr=lambda x: -x * x.log()),
        breaks="ND-27",
    ),
    made_of_torch(
        "pdist-of-the-same",
        "pdist takes the root of 0 between points that coincide",
        swapped(torch, pdist=lambda x: naive_distances(x, x)[torch.triu_indices(len(x), len(x), 1).unbind()]),
        breaks="ND-33",
    ),
    made_of_torch(
        "remainder-constant-divisor",
        "remainder takes its divisor for a constant",
        with_constant(torch, "remainder", 1),
        breaks="ND-34",
    ),
    made_of_torch(
        "nextafter-of-constants",
        "what nextafter returns leaves no gradient to its first argument",
        with_constant(torch, "nextafter", 0),
        breaks="ND-36",
    ),
    made_of_torch(
        "huber-flat-at-the-knee",
        "huber_loss takes what lies at the knee for constant",
        swapped(functional, huber_loss=lambda a, b: HUBER(a.where((a - b).abs() != 1, a.detach()), b)),
        breaks="ND-39",
    ),
    made_of_torch(
        "hinge-by-relu",
        "hinge_embedding_loss has the slope 0 at its knee, that of relu",
        swapped(functional, hinge_embedding_loss=lambda x, sign: (1 - x).relu().mean()),
        breaks="ND-39",
    ),
    made_of_torch(
        "normal-reparametrised",
        "what normal draws has the gradient of its mean",
        swapped(torch, normal=lambda mean, std: mean + std * torch.randn_like(mean)),
        breaks="ND-41",
    ),
    made_of_torch(
        "uniform-keeps-the-gradient",
        "overwriting with uniform_ leaves the gradient of what was there",
        swapped(
            torch.Tensor,
            uniform_=lambda x, *bounds, **more: UNIFORM(x, *bounds, **more) if bounds else x.add_(1),
        ),
        breaks="ND-41",
    ),
)
