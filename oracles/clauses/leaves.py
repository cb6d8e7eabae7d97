"""Clauses on requires_grad, leaves and detach."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

SETTING = "notes/autograd › Setting requires_grad"


@clause("RG-1", SETTING)
def off_by_default(torch: Any, claim: Claim) -> None:
    """What factories make does not require grad unless asked to; an nn.Parameter does."""
    claim.true(not torch.tensor([1.0, 2.0]).requires_grad, "a tensor made of data requires no grad")
    claim.true(not torch.ones(2).requires_grad, "nor does one made of ones")
    claim.true(torch.nn.Parameter(torch.ones(2)).requires_grad, "a parameter requires grad")


@clause("RG-2", SETTING)
def recorded_if_needed(torch: Any, claim: Claim) -> None:
    """An op is recorded only if an input requires grad; otherwise its result has no grad_fn."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = torch.tensor([3.0, 4.0], requires_grad=False)
    y = a * a
    claim.true(not y.requires_grad, "a product of constants requires no grad")
    claim.true((x * a).requires_grad, "a product with a leaf requires grad")
    claim.none(y.grad_fn)
    claim.true((x * a).grad_fn is not None, "what is recorded has a grad_fn")


@clause("RG-3", SETTING)
def results_require_grad(torch: Any, claim: Claim) -> None:
    """What was recorded requires grad, and so does all that is computed from it, constants beside it or not."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = torch.tensor([3.0, 4.0], requires_grad=False)
    y = (a + x) * a
    claim.true(y.requires_grad, "the result requires grad")
    claim.true(y.grad_fn is not None, "the result has a grad_fn")


@clause("RG-4", "torch.Tensor.is_leaf")
def leaves(torch: Any, claim: Claim) -> None:
    """What requires no grad is a leaf, however it came about; what requires grad is one if the user made it."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = torch.tensor([3.0, 4.0], requires_grad=False)
    claim.true(x.is_leaf, "a tensor that the user made is a leaf")
    claim.true((a * 2).is_leaf, "a result that requires no grad is a leaf")
    claim.true(not (x * 2).is_leaf, "a result that requires grad is none")


@clause("RG-5", SETTING)
def only_leaves_are_filled(torch: Any, claim: Claim) -> None:
    """backward fills .grad of the leaves that require grad, and of nothing else."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = torch.tensor([3.0, 4.0], requires_grad=False)
    y = x * a
    y.sum().backward()
    claim.equal(x.grad, [3.0, 4.0])
    claim.none(a.grad)
    claim.none(y.grad)


@clause("RG-6", "torch.Tensor.is_leaf, torch.Tensor.retain_grad")
def grad_of_a_result(torch: Any, claim: Claim) -> None:
    """Reading .grad of a result that does not retain it gives None and warns."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.sum().backward()
    with claim.warns(UserWarning, "leaf"):
        claim.none(y.grad)
    with claim.silent():
        claim.equal(x.grad, [2.0, 2.0])


@clause("RG-7", SETTING)
def off_on_leaves_alone(torch: Any, claim: Claim) -> None:
    """requires_grad is turned off on leaves alone: on a result it raises, and detach() is the remedy."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    with claim.raises(RuntimeError, "you can only change requires_grad flags of leaf"):
        y.requires_grad = False
    with claim.raises(RuntimeError, "you can only change requires_grad flags of leaf"):
        y.requires_grad_(False)
    claim.true(y.requires_grad, "the result still requires grad")
    claim.true(not y.detach().requires_grad, "what was detached requires no grad")
    x.requires_grad_(False)
    claim.true(not x.requires_grad, "the leaf requires no grad")


@clause("RG-8", "torch.Tensor.requires_grad")
def floating_alone(torch: Any, claim: Claim) -> None:
    """Floating-point and complex tensors alone can require grad: of integers or bools it raises."""
    with claim.raises(RuntimeError, "floating point"):
        torch.tensor([1, 2], requires_grad=True)
    n = torch.tensor([1, 2])
    with claim.raises(RuntimeError, "floating point"):
        n.requires_grad_()
    claim.true(not n.requires_grad, "integers require no grad")
    with claim.raises(RuntimeError, "floating point"):
        torch.tensor([True, False]).requires_grad_()


@clause("RG-9", "torch.Tensor.requires_grad_")
def set_in_place(torch: Any, claim: Claim) -> None:
    """requires_grad_ sets the flag of the tensor itself and returns it."""
    x = torch.tensor([1.0, 2.0])
    claim.same(x.requires_grad_(), x)
    claim.true(x.requires_grad, "it requires grad")
    claim.same(x.requires_grad_(False), x)
    claim.true(not x.requires_grad, "it requires none")


@clause("RG-10", "torch.Tensor.detach")
def detached(torch: Any, claim: Claim) -> None:
    """detach() gives a tensor without history that requires no grad and shares the memory."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    d = y.detach()
    claim.true(not d.requires_grad, "what was detached requires no grad")
    claim.true(y.requires_grad, "what it was detached from still does")
    claim.different(d, y)
    (x * d).sum().backward()
    claim.equal(x.grad, [2.0, 4.0])
    claim.none(d.grad_fn)
    d[0] = 5.0
    claim.equal(y, [5.0, 4.0])


@clause("RG-11", "torch.Tensor.detach")
def written_through_an_alias(torch: Any, claim: Claim) -> None:
    """Writing through what was detached counts as writing: backward notices that a saved value changed."""
    x = torch.tensor([0.0, 0.0], requires_grad=True)
    y = x.exp()
    y.detach().add_(1.0)
    with claim.raises(RuntimeError, "modified by an inplace operation"):
        y.sum().backward()


@clause("RG-12", "torch.Tensor.detach_")
def detached_in_place(torch: Any, claim: Claim) -> None:
    """detach_() makes a leaf of a result; of a view it raises."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    claim.same(y.detach_(), y)
    claim.true(y.is_leaf, "it is a leaf now")
    claim.true(not y.requires_grad, "it requires no grad")
    view = (x * 2)[:1]
    with claim.raises(RuntimeError, "view"):
        view.detach_()


@clause("RG-13", "torch.Tensor.detach")
def detached_from_the_tangent(torch: Any, claim: Claim) -> None:
    """detach() leaves the tangent of forward mode behind too."""
    forward = torch.autograd.forward_ad
    with forward.dual_level():
        dual = forward.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
        claim.equal(forward.unpack_dual(dual * 2).tangent, [6.0, 8.0])
        claim.none(forward.unpack_dual(dual.detach()).tangent)


@clause("RG-14", SETTING)
def frozen(torch: Any, claim: Claim) -> None:
    """A leaf that was frozen by requires_grad_(False) keeps the .grad it had, and backward adds nothing to it."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    (w * x).sum().backward()
    w.requires_grad_(False)
    (w * x).sum().backward()
    claim.equal(w.grad, [1.0, 2.0])
    claim.equal(x.grad, [6.0, 8.0])


@clause("RG-15", "autograd › Variable (deprecated)")
def past_the_history(torch: Any, claim: Claim) -> None:
    """x.data shares the memory outside of history: writing there counts no version, and backward notices nothing."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    x.data[0] = 5.0
    claim.equal(x, [5.0, 2.0])
    claim.true(not x.data.requires_grad, "x.data requires no grad")
    y.sum().backward()
    claim.equal(x.grad, [10.0, 4.0])
    claim.equal(x._version, 0)


@clause("RG-16", "torch.no_grad")
def factories_in_no_grad(torch: Any, claim: Claim) -> None:
    """A factory that is asked for requires_grad=True makes a leaf that requires grad even within no_grad."""
    with torch.no_grad():
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        z = torch.ones(2, requires_grad=True)
    claim.true(x.requires_grad, "it requires grad")
    claim.true(z.requires_grad, "ones do as well")
    (x * z).sum().backward()
    claim.equal(x.grad, [1.0, 1.0])


@clause("RG-17", "torch.Tensor.numpy")
def not_to_numpy(torch: Any, claim: Claim) -> None:
    """What requires grad refuses numpy() and points at detach().numpy()."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with claim.raises(RuntimeError, "detach().numpy()"):
        x.numpy()
    claim.equal(x.detach().numpy(), [1.0, 2.0])
