"""Clauses on `autograd.grad()`."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

PAGE = "torch.autograd.grad"


@clause("GR-1", PAGE)
def fills_nothing(torch: Any, claim: Claim) -> None:
    """grad returns the gradients, as a tuple in the order of the inputs, and no leaf's .grad is touched."""
    x = torch.tensor([2.0], requires_grad=True)
    w = torch.tensor([3.0], requires_grad=True)
    found = torch.autograd.grad((x * x * w).sum(), (w, x))
    claim.true(isinstance(found, tuple), "a tuple")
    claim.equal(found, [[4.0], [12.0]])
    claim.none(x.grad)
    claim.none(w.grad)


@clause("GR-2", PAGE)
def out_of_reach(torch: Any, claim: Claim) -> None:
    """An input that the outputs do not depend on is an error."""
    x = torch.tensor([2.0], requires_grad=True)
    w = torch.tensor([3.0], requires_grad=True)
    with claim.raises(RuntimeError, "appears to not have been used in the graph"):
        torch.autograd.grad((x * x).sum(), (x, w))


@clause("GR-3", PAGE)
def allowed_out_of_reach(torch: Any, claim: Claim) -> None:
    """With allow_unused=True such an input has None for a gradient."""
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(3.0, requires_grad=True)
    to_x, to_w = torch.autograd.grad(x * x, (x, w), allow_unused=True)
    claim.equal(to_x, 4.0)
    claim.none(to_w)


@clause("GR-4", PAGE)
def zeros_out_of_reach(torch: Any, claim: Claim) -> None:
    """With materialize_grads=True it has zeros of its shape, and allow_unused need not be said."""
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    found = torch.autograd.grad(x * x, (x, w), materialize_grads=True)
    claim.equal(found, [4.0, [0.0, 0.0]])


@clause("GR-5", PAGE)
def zeros_or_an_error(torch: Any, claim: Claim) -> None:
    """materialize_grads=True together with allow_unused=False is a ValueError."""
    x = torch.tensor(2.0, requires_grad=True)
    with claim.raises(ValueError, "allow_unused"):
        torch.autograd.grad(x * x, x, materialize_grads=True, allow_unused=False)


@clause("GR-6", PAGE)
def by_name(torch: Any, claim: Claim) -> None:
    """For a dict of inputs the gradients are a dict with its keys."""
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(3.0, requires_grad=True)
    found = torch.autograd.grad(x * x * w, {"w": w, "x": x})
    claim.equal(list(found), ["w", "x"])
    claim.equal([found["w"], found["x"]], [4.0, 12.0])


@clause("GR-7", "torch.autograd.grad (behaviour)")
def of_nothing(torch: Any, claim: Claim) -> None:
    """No inputs at all raise."""
    x = torch.tensor(2.0, requires_grad=True)
    with claim.raises(RuntimeError, "cannot be empty"):
        torch.autograd.grad(x * x, [])


@clause("GR-8", "torch.autograd.grad (behaviour)")
def of_a_constant(torch: Any, claim: Claim) -> None:
    """An input that does not require grad raises."""
    x = torch.tensor(2.0, requires_grad=True)
    a = torch.tensor(3.0, requires_grad=False)
    with claim.raises(RuntimeError, "does not require grad"):
        torch.autograd.grad(x * a, (x, a))


@clause("GR-9", PAGE)
def of_a_result(torch: Any, claim: Claim) -> None:
    """A result may be an input, though it does not retain its gradient; its .grad is not filled."""
    x = torch.tensor([2.0], requires_grad=True)
    y = x * 3
    claim.equal(torch.autograd.grad((y * y).sum(), y), [[12.0]])
    claim.none(y.grad)


@clause("GR-10", PAGE)
def of_gradients(torch: Any, claim: Claim) -> None:
    """With create_graph=True one call after another gives higher orders, through broadcasting and writes too."""
    x = torch.tensor([2.0], requires_grad=True)
    (first,) = torch.autograd.grad((x * x * x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = torch.autograd.grad(second.sum(), x)
    claim.equal([first, second, third], [[12.0], [12.0], [6.0]])
    z = torch.tensor([0.0], requires_grad=True)
    (first,) = torch.autograd.grad(z.exp().sum(), z, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), z)
    claim.equal([first, second], [[1.0], [1.0]])
    wide = torch.tensor([1.0, 10.0, 100.0])
    claim.equal(torch.autograd.grad((x * x * wide).sum(), x, create_graph=True), [[444.0]])
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = w * w
    y[:1].mul_(w[1:])
    (first,) = torch.autograd.grad(y.sum(), w, create_graph=True)
    (second,) = torch.autograd.grad(first[:1].sum(), w)
    claim.equal([first, second], [[4.0, 5.0], [4.0, 2.0]])
    claim.true(not third.requires_grad, "without create_graph the last requires no grad")


@clause("GR-11", PAGE)
def of_a_batch(torch: Any, claim: Claim) -> None:
    """is_grads_batched=True takes vectors stacked along a first dimension: of an identity, the Jacobian's rows."""
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    y = x * x.flip(0)
    identity = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    (rows,) = torch.autograd.grad(y, x, identity, is_grads_batched=True)
    claim.equal(rows, [[3.0, 2.0], [3.0, 2.0]])


@clause("GR-12", PAGE)
def only_inputs_ignored(torch: Any, claim: Claim) -> None:
    """only_inputs is deprecated and ignored: False warns, and no .grad is filled all the same."""
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(3.0, requires_grad=True)
    with claim.warns(FutureWarning, "only_inputs"):
        found = torch.autograd.grad(x * w, x, only_inputs=False)
    claim.equal(found, [3.0])
    claim.none(w.grad)


@clause("GR-13", "torch.autograd.graph.get_gradient_edge")
def of_an_edge(torch: Any, claim: Claim) -> None:
    """An edge stands for the tensor as it was: after a write in place it still leads to the old node."""
    x = torch.tensor([2.0], requires_grad=True)
    y = x * 3
    edge = torch.autograd.graph.get_gradient_edge(y)
    claim.equal(torch.autograd.grad((y * 5).sum(), edge), [[5.0]])
    y.mul_(10)
    to_old, to_new = torch.autograd.grad(y.sum(), (edge, y))
    claim.equal([to_old, to_new], [[10.0], [1.0]])


@clause("GR-14", PAGE)
def of_several(torch: Any, claim: Claim) -> None:
    """The products of several outputs add up; there are as many vectors as outputs, of their shapes."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y, z = x * 3, x.sum()
    found = torch.autograd.grad(
        [y, z], x, [torch.tensor([1.0, 10.0]), torch.tensor(100.0)], retain_graph=True
    )
    claim.equal(found, [[103.0, 130.0]])
    with claim.raises(RuntimeError, "2 tensors and 1 gradients"):
        torch.autograd.grad([y, z], x, [torch.tensor([1.0, 10.0])], retain_graph=True)
    with claim.raises(RuntimeError, "mismatch in shape"):
        torch.autograd.grad(y, x, torch.tensor([1.0]))
