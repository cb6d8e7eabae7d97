"""Clauses on `gradcheck` and `gradgradcheck`."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

CHECK = "torch.autograd.gradcheck"
NOTES = "notes/gradcheck"


def squared(torch: Any, factor: float, calls: Any = None) -> Any:
    """x*x as a custom function whose gradient is `factor` times the right one; `calls` collects its arguments."""

    class Squared(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            if calls is not None:
                calls.append(x.tolist())
            return x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2 * ctx.saved_tensors[0] * factor

    return Squared.apply


def double(torch: Any, *values: float) -> Any:
    """A leaf of these values in double precision."""
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True)


@clause("GC-1", CHECK)
def answers(torch: Any, claim: Claim) -> None:
    """gradcheck returns True; for a wrong gradient it raises a RuntimeError, or returns False if asked not to."""
    gradcheck = torch.autograd.gradcheck
    x = double(torch, 1.0, 2.0)
    claim.same(gradcheck(squared(torch, 1.0), (x,)), True)
    with claim.raises(RuntimeError, "Jacobian mismatch"):
        gradcheck(squared(torch, 1.5), (x,))
    claim.same(gradcheck(squared(torch, 1.5), (x,), raise_exception=False), False)


@clause("GC-2", CHECK)
def needs_an_input(torch: Any, claim: Claim) -> None:
    """It needs an input that requires grad, and says so with a ValueError whatever raise_exception is."""
    x = torch.tensor([1.0], dtype=torch.float64)
    with claim.raises(ValueError, "expects at least one input tensor to require gradient"):
        torch.autograd.gradcheck(lambda x: x * 2, (x,), raise_exception=False)


@clause("GC-3", CHECK)
def double_precision(torch: Any, claim: Claim) -> None:
    """An input of less than double precision is warned of."""
    x = torch.tensor([1.0], requires_grad=True)
    with claim.warns(UserWarning, "not a double precision floating point"):
        torch.autograd.gradcheck(lambda x: x * 2, (x,), raise_exception=False)


@clause("GC-4", CHECK)
def no_overlap(torch: Any, claim: Claim) -> None:
    """An input whose elements share memory is refused."""
    x = torch.tensor([1.0], dtype=torch.float64).expand(3).requires_grad_()
    with claim.raises(RuntimeError, "only supports inputs that are non-overlapping"):
        torch.autograd.gradcheck(lambda x: x * 2, (x,))


@clause("GC-5", NOTES)
def central(torch: Any, claim: Claim) -> None:
    """The numerical side is a central difference with a step of eps, 1e-6 by default, in each input element."""
    calls: list[list[float]] = []
    torch.autograd.gradcheck(squared(torch, 1.0, calls), (double(torch, 1.0, 2.0),))
    for point in ([1.0 + 1e-6, 2.0], [1.0 - 1e-6, 2.0], [1.0, 2.0 + 1e-6], [1.0, 2.0 - 1e-6]):
        near = [c for c in calls if all(abs(a - b) < 1e-12 for a, b in zip(c, point, strict=True))]
        claim.true(len(near) > 0, f"the function is evaluated at {point}")


@clause("GC-6", NOTES)
def fast(torch: Any, claim: Claim) -> None:
    """Fast mode compares one projection: how often it evaluates the function does not grow with the input."""
    counts = []
    for size in (2, 50):
        calls: list[list[float]] = []
        x = double(torch, *[1.0 + k / size for k in range(size)])
        claim.same(torch.autograd.gradcheck(squared(torch, 1.0, calls), (x,), fast_mode=True), True)
        counts.append(len(calls))
    claim.equal(counts[1], counts[0])
    with claim.raises(RuntimeError):
        torch.autograd.gradcheck(squared(torch, 1.5), (double(torch, 1.0, 2.0),), fast_mode=True)


@clause("GC-7", CHECK)
def reentrant(torch: Any, claim: Claim) -> None:
    """A backward that answers differently each time fails as not reentrant, unless nondet_tol allows the spread."""
    turn = [0.0]

    class Drifting(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            turn[0] = 1e-7 - turn[0]
            return g * (2 + turn[0])

    x = double(torch, 1.0)
    with claim.raises(RuntimeError, "not reentrant"):
        torch.autograd.gradcheck(Drifting.apply, (x,))
    claim.same(torch.autograd.gradcheck(Drifting.apply, (x,), nondet_tol=1e-6), True)


@clause("GC-8", CHECK)
def undefined_gradients(torch: Any, claim: Claim) -> None:
    """check_undefined_grad sees whether gradients that are not there count as zeros."""

    class Careless(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.set_materialize_grads(False)
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return torch.tensor([7.0], dtype=torch.float64) if g is None else g * 2

    x = double(torch, 1.0)
    with claim.raises(RuntimeError, "when all output grads are undefined"):
        torch.autograd.gradcheck(Careless.apply, (x,))
    claim.same(torch.autograd.gradcheck(Careless.apply, (x,), check_undefined_grad=False), True)


@clause("GC-9", NOTES)
def second_order(torch: Any, claim: Claim) -> None:
    """gradgradcheck asks the same of the gradient: a backward that is wrong only when differentiated fails there."""

    class Cut(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2 * ctx.saved_tensors[0].detach()

    x = double(torch, 1.0)
    claim.same(torch.autograd.gradgradcheck(squared(torch, 1.0), (x,)), True)
    claim.same(torch.autograd.gradcheck(Cut.apply, (x,)), True)
    with claim.raises(RuntimeError):
        torch.autograd.gradgradcheck(Cut.apply, (x,))
