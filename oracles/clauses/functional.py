"""Clauses on forward mode and on `autograd.functional`."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

LEVEL = "torch.autograd.forward_ad.dual_level"
DUAL = "torch.autograd.forward_ad.make_dual"


@clause("FW-1", LEVEL)
def within_the_level(torch: Any, claim: Claim) -> None:
    """Tangents exist within the level alone: after it unpack_dual has none."""
    ad = torch.autograd.forward_ad
    with ad.dual_level():
        x = ad.make_dual(torch.tensor([2.0]), torch.tensor([5.0]))
        y = x * x
        claim.equal(ad.unpack_dual(y).tangent, [20.0])
    claim.none(ad.unpack_dual(y).tangent)


@clause("FW-2", LEVEL)
def no_nesting(torch: Any, claim: Claim) -> None:
    """Levels do not nest, and outside of one make_dual raises."""
    ad = torch.autograd.forward_ad
    with claim.raises(RuntimeError, "Trying to create a dual Tensor for forward AD but no level exists"):
        ad.make_dual(torch.tensor([2.0]), torch.tensor([5.0]))
    with (
        ad.dual_level(),
        claim.raises(RuntimeError, "Nested forward mode AD is not supported"),
        ad.dual_level(),
    ):
        pass


@clause("FW-3", DUAL)
def storage_shared(torch: Any, claim: Claim) -> None:
    """A dual shares its primal's storage; the tangent is taken as it is where its layout fits."""
    ad = torch.autograd.forward_ad
    x, t = torch.tensor([2.0]), torch.tensor([5.0])
    with ad.dual_level():
        dual = ad.make_dual(x, t)
        claim.equal(dual.data_ptr(), x.data_ptr())
        claim.equal(ad.unpack_dual(dual).tangent.data_ptr(), t.data_ptr())


@clause("FW-4", DUAL)
def fitting(torch: Any, claim: Claim) -> None:
    """Primal and tangent must be floating, else ValueError, and of one size, else RuntimeError."""
    ad = torch.autograd.forward_ad
    with ad.dual_level():
        with claim.raises(ValueError, "Expected primal to be floating point or complex"):
            ad.make_dual(torch.tensor([2]), torch.tensor([5.0]))
        with claim.raises(RuntimeError, "different size than that of the original Tensor"):
            ad.make_dual(torch.tensor([2.0]), torch.tensor([5.0, 6.0]))


@clause("FW-5", "torch.autograd.forward_ad.unpack_dual")
def unpacked(torch: Any, claim: Claim) -> None:
    """unpack_dual returns (primal, tangent) by name, and backward goes through both."""
    ad = torch.autograd.forward_ad
    x = torch.tensor([3.0], requires_grad=True)
    with ad.dual_level():
        y = ad.make_dual(x, torch.tensor([5.0])) ** 3
        primal, tangent = ad.unpack_dual(y)
        claim.same(ad.unpack_dual(y)._fields, ad.unpack_dual(y)._fields)
        claim.equal(ad.unpack_dual(y)._fields, ("primal", "tangent"))
        claim.equal([primal, tangent], [[27.0], [135.0]])
        claim.equal(torch.autograd.grad(tangent, x, torch.tensor([1.0]))[0], [90.0])


@clause("FW-6", "behaviour")
def without_formula(torch: Any, claim: Claim) -> None:
    """A function without a forward formula raises NotImplementedError when it is given a dual."""

    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    ad = torch.autograd.forward_ad
    with ad.dual_level(), claim.raises((NotImplementedError, RuntimeError), "jvp"):
        Doubled.apply(ad.make_dual(torch.tensor([2.0]), torch.tensor([5.0])))


@clause("FW-7", "behaviour")
def in_place(torch: Any, claim: Claim) -> None:
    """A write in place brings the tangent up to date too, and views see it."""
    ad = torch.autograd.forward_ad
    with ad.dual_level():
        x = ad.make_dual(torch.tensor([2.0, 3.0]), torch.tensor([5.0, 7.0]))
        y = x * 1
        view = y[0]
        y.mul_(10)
        claim.equal(ad.unpack_dual(y).tangent, [50.0, 70.0])
        claim.equal(ad.unpack_dual(view).tangent, 50.0)
        z = torch.tensor([1.0, 1.0])
        z.add_(x)
        claim.equal(ad.unpack_dual(z).tangent, [5.0, 7.0])


@clause("FN-1", "torch.autograd.functional.jacobian")
def jacobian(torch: Any, claim: Claim) -> None:
    """jacobian has the output's shape followed by the input's; for tuples, tuples of those."""
    functional = torch.autograd.functional
    x = torch.tensor([1.0, 2.0, 3.0])
    claim.equal(functional.jacobian(lambda x: x[:2] * 5, x), [[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    y = torch.tensor(4.0)
    found = functional.jacobian(lambda x, y: (x * y, y * 2), (x[:1], y))
    claim.equal(found, [[[[4.0]], [1.0]], [[0.0], 2.0]])


@clause("FN-2", "torch.autograd.functional.hessian")
def hessian(torch: Any, claim: Claim) -> None:
    """hessian has the input's shape twice, and needs a function of one value."""
    functional = torch.autograd.functional
    x = torch.tensor([1.0, 2.0])
    claim.equal(functional.hessian(lambda x: (x**3).sum() + x[0] * x[1], x), [[6.0, 1.0], [1.0, 12.0]])
    with claim.raises(RuntimeError, "single element"):
        functional.hessian(lambda x: x * 2, x)


@clause("FN-3", "torch.autograd.functional.jacobian")
def strict(torch: Any, claim: Claim) -> None:
    """strict=True raises where an output does not depend on an input; else there are zeros."""
    functional = torch.autograd.functional
    x, y = torch.tensor([1.0, 2.0]), torch.tensor(3.0)
    claim.equal(functional.jacobian(lambda x, y: y * 5, (x, y)), [[0.0, 0.0], 5.0])
    with claim.raises(RuntimeError, "independent of input 0"):
        functional.jacobian(lambda x, y: y * 5, (x, y), strict=True)


@clause("FN-4", "torch.autograd.functional.vjp/jvp/hvp")
def products(torch: Any, claim: Claim) -> None:
    """vjp, jvp and hvp return the outputs and the product, which require grad only with create_graph."""
    functional = torch.autograd.functional
    x, v = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([10.0, 100.0])
    for product, function, expected in (
        (functional.vjp, lambda x: x**2, [20.0, 400.0]),
        (functional.jvp, lambda x: x**2, [20.0, 400.0]),
        (functional.hvp, lambda x: (x**3).sum(), [60.0, 1200.0]),
    ):
        outputs, found = product(function, x, v)
        claim.equal(outputs, function(x))
        claim.equal(found, expected)
        claim.true(not found.requires_grad, "the product does not require grad")
        claim.true(not outputs.requires_grad, "nor do the outputs")
        claim.true(product(function, x, v, create_graph=True)[1].requires_grad, "with create_graph it does")
