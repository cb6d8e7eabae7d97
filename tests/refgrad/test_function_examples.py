"""Custom Functions as people write them, run on torch and on refgrad, to second order."""

import importlib

import numpy as np
import pytest

from .beside import check


def kit(torch):
    """The names that such code imports."""
    name = torch.__name__
    return (
        importlib.import_module(f"{name}.autograd").Function,
        importlib.import_module(f"{name}.autograd.function").once_differentiable,
        torch.autograd.gradcheck,
        torch.autograd.gradgradcheck,
    )


def numbers(torch, *shape, step=0.37):
    """A leaf of float64 numbers between -0.5 and 1.2."""
    count = int(np.prod(shape))
    return torch.from_numpy((np.arange(count) * step % 1.7 - 0.5).reshape(shape)).requires_grad_()


def affine(torch):
    """A linear layer whose bias may be None, with the context apart."""
    base, _, gradcheck, gradgradcheck = kit(torch)

    class Affine(base):
        @staticmethod
        def forward(x, weight, bias=None):
            y = x.mm(weight.t())
            return y if bias is None else y + bias

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            x, weight, bias = ctx.saved_tensors
            needs = ctx.needs_input_grad
            return (
                g.mm(weight) if needs[0] else None,
                g.t().mm(x) if needs[1] else None,
                g.sum(0) if bias is not None and needs[2] else None,
            )

    x, weight, bias = numbers(torch, 4, 3), numbers(torch, 2, 3, step=0.91), numbers(torch, 2, step=0.53)
    for inputs in ((x, weight, bias), (x, weight, None), (x.detach(), weight, bias), (x, weight.detach())):
        for fast_mode in (False, True):
            yield gradcheck(Affine.apply, inputs, fast_mode=fast_mode)
            yield gradgradcheck(Affine.apply, inputs, fast_mode=fast_mode)


def derivative_as_an_output(torch):
    """What forward computed for backward is returned, so that it is differentiated too."""
    base, _, gradcheck, gradgradcheck = kit(torch)

    class FourthPower(base):
        @staticmethod
        def forward(ctx, x):
            slope = 4 * x * x * x
            ctx.save_for_backward(x, slope)
            return x * x * x * x, slope

        @staticmethod
        def backward(ctx, g, g_slope):
            x, slope = ctx.saved_tensors
            return g * slope + g_slope * 12 * x * x

    class Forgetful(base):
        @staticmethod
        def forward(ctx, x):
            ctx.slope = 4 * x * x * x
            return x * x * x * x

        @staticmethod
        def backward(ctx, g):
            return g * ctx.slope

    x = numbers(torch, 5)
    yield gradcheck(lambda x: FourthPower.apply(x)[0], x), gradgradcheck(lambda x: FourthPower.apply(x)[0], x)
    yield gradcheck(Forgetful.apply, x), gradgradcheck(Forgetful.apply, x, raise_exception=False)
    functional = importlib.import_module(f"{torch.__name__}.autograd.functional")
    corner = torch.tensor([0.5, -2.0], dtype=torch.float64)
    yield functional.hessian(lambda x: FourthPower.apply(x)[0].sum(), corner)
    yield functional.jvp(lambda x: FourthPower.apply(x)[0], corner, corner)


def straight_through(torch):
    """Rounding whose gradient is that of the identity, and a reversal of gradients."""
    base, _, _, _ = kit(torch)

    class Rounded(base):
        @staticmethod
        def forward(ctx, x):
            return x.round()

        @staticmethod
        def backward(ctx, g):
            return g

    class Reversed(base):
        @staticmethod
        def forward(ctx, x, strength):
            ctx.strength = strength
            return x.view(x.shape)

        @staticmethod
        def backward(ctx, g):
            return -g * ctx.strength, None

    x = numbers(torch, 3)
    Rounded.apply(x * 2).sum().backward()
    yield x.grad
    y = Reversed.apply(x, 0.5)
    (y * y).sum().backward()
    yield x.grad, y


def clamped(torch):
    """A backward that writes over a copy of its gradient, and is differentiable once."""
    base, once_differentiable, gradcheck, gradgradcheck = kit(torch)

    class Positive(base):
        @staticmethod
        def forward(ctx, x):
            ctx.mask = x < 0
            return x.clamp(min=0)

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            g = g.clone()
            g[ctx.mask] = 0
            return g

    x = numbers(torch, 6)
    Positive.apply(x).sum().backward()
    yield x.grad, gradcheck(Positive.apply, x), gradgradcheck(Positive.apply, x, raise_exception=False)


@pytest.mark.parametrize("each", [affine, derivative_as_an_output, straight_through, clamped])
def test_the_same_on_torch(each):
    """Values, gradients and verdicts."""
    check(each)
