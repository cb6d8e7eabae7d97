"""Wrongdoers on complex numbers, which the engine leaves out, and on batches of vectors: made of PyTorch."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from .wrongdoers_kit import Wrongdoer, swapped, wrongdoer

made_of_torch = partial(wrongdoer, library="torch")
BACKWARD, GRAD, MUL = Tensor.backward, torch.autograd.grad, Tensor.__mul__
HELD, REAL = Tensor.grad, Tensor.real


def seeded(self: Tensor, gradient: Tensor | None = None, *args: Any, **settings: Any) -> None:
    """backward() that seeds a complex root with 1."""
    if gradient is None and self.is_complex():
        gradient = torch.ones_like(self)
    BACKWARD(self, gradient, *args, **settings)


def added_up(
    outputs: Any, inputs: Any, given: Any = None, is_grads_batched: bool = False, **settings: Any
) -> Any:
    """grad() that adds up the vectors of a batch."""
    return GRAD(outputs, inputs, given.sum(0) if is_grads_batched else given, **settings)


class Modulus(torch.autograd.Function):
    """A product whose real factor receives the modulus of what its gradient would be."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        """The product."""
        ctx.save_for_backward(y)
        return MUL(x, y)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        """The modulus."""
        (y,) = ctx.saved_tensors
        return MUL(g, y.conj()).abs(), None


def to_the_modulus(x: Tensor, y: Any) -> Tensor:
    """The product, by `Modulus` where a real tensor meets a complex one."""
    mixed = isinstance(y, Tensor) and y.is_complex() and not x.is_complex()
    return Modulus.apply(x, y) if mixed else MUL(x, y)


class Halved(torch.autograd.Function):
    """The real part, with half its gradient."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        """The real part."""
        return REAL.__get__(z).clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        """Wirtinger's derivative, without the factor that PyTorch's convention has."""
        return torch.complex(g / 2, torch.zeros_like(g))


def conjugated(self: Tensor) -> Tensor | None:
    """What .grad holds, conjugated where it is complex."""
    held = HELD.__get__(self)
    return held.conj().resolve_conj() if held is not None and held.is_complex() else held


BEYOND: tuple[Wrongdoer, ...] = (
    made_of_torch(
        "complex-roots-seeded",
        "a complex root of one element is seeded with 1",
        swapped(Tensor, backward=seeded),
        breaks="BW-17",
    ),
    made_of_torch(
        "batch-added-up",
        "is_grads_batched adds the vectors of the batch up",
        swapped(torch.autograd, grad=added_up),
        breaks="GR-11",
    ),
    made_of_torch(
        "gradients-conjugated",
        "complex gradients are conjugated, which is JAX's convention",
        swapped(Tensor, grad=property(conjugated, HELD.__set__, HELD.__delete__)),
        breaks="CX-1 CX-2",
    ),
    made_of_torch(
        "modulus-for-real",
        "a real input receives the modulus of a complex gradient, and not its real part",
        swapped(Tensor, __mul__=to_the_modulus),
        breaks="CX-3",
    ),
    made_of_torch(
        "wirtinger-halves",
        "the real part of a complex number has half its gradient, which is Wirtinger's derivative",
        swapped(Tensor, real=property(Halved.apply)),
        breaks="CX-1 CX-4",
    ),
)
