"""Clauses on what accumulates in `.grad`: its values, its layout and dtype, and how it is zeroed."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

LAYOUTS = "autograd › Default gradient layouts"


@clause("AC-1", LAYOUTS)
def strides_of_the_leaf(torch: Any, claim: Claim) -> None:
    """The first gradient of a leaf that is dense and overlaps nowhere has the leaf's strides."""
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).t().requires_grad_()
    (x * 2).sum().backward()
    claim.equal(x.grad.stride(), x.stride())
    claim.equal(x.grad.stride(), (1, 3))


@clause("AC-2", LAYOUTS)
def strides_of_a_sparse_leaf(torch: Any, claim: Claim) -> None:
    """The first gradient of a leaf with gaps in memory is contiguous, row by row."""
    x = torch.zeros(3, 4).t()[::2].requires_grad_()
    (x * 2).sum().backward()
    claim.equal(x.stride(), (2, 4))
    claim.equal(x.grad.stride(), (3, 1))


@clause("AC-3", LAYOUTS)
def updated_in_place(torch: Any, claim: Claim) -> None:
    """Without create_graph an existing .grad is updated in place: the object stays the same."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    first = x.grad
    (x * 4).sum().backward()
    claim.same(x.grad, first)
    claim.equal(first, [7.0, 7.0])


@clause("AC-4", LAYOUTS)
def replaced_with_a_graph(torch: Any, claim: Claim) -> None:
    """With create_graph an existing .grad gives way to a new tensor, the sum; the old object keeps its values."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    first = x.grad
    (x * 4).sum().backward(create_graph=True)
    claim.different(x.grad, first)
    claim.equal(first, [3.0, 3.0])
    claim.equal(x.grad, [7.0, 7.0])


@clause("AC-5", "autograd › Manual gradient layouts")
def strides_of_the_user(torch: Any, claim: Claim) -> None:
    """A .grad that the user assigned keeps its strides, and its identity, when gradients are added to it."""
    x = torch.zeros(2, 3, requires_grad=True)
    mine = torch.zeros(3, 2).t()
    x.grad = mine
    (x * 2).sum().backward()
    claim.same(x.grad, mine)
    claim.equal(x.grad.stride(), (1, 2))
    claim.equal(x.grad, [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]])


@clause("AC-6", "torch.Tensor.grad")
def none_at_first(torch: Any, claim: Claim) -> None:
    """.grad is None until the first backward reaches the leaf."""
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    claim.none(x.grad)
    y.backward()
    claim.equal(x.grad, 3.0)
    claim.none(w.grad)


@clause("AC-7", "torch.Tensor.grad (behaviour)")
def assigned(torch: Any, claim: Claim) -> None:
    """.grad takes None and tensors of the leaf's shape and dtype: anything else raises, and so does the leaf itself."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    given = torch.tensor([5.0, 6.0])
    x.grad = given
    claim.same(x.grad, given)
    with claim.raises(TypeError, "got grad of type float"):
        x.grad = 1.0
    with claim.raises(RuntimeError, "size"):
        x.grad = torch.tensor([1.0])
    with claim.raises(RuntimeError, "dtype"):
        x.grad = torch.tensor([1.0, 2.0], dtype=torch.float64)
    with claim.raises(RuntimeError, "own grad"):
        x.grad = x
    claim.same(x.grad, given)
    x.grad = None
    claim.none(x.grad)


@clause("AC-8", "torch.optim.Optimizer.zero_grad, torch.nn.Module.zero_grad")
def set_to_none(torch: Any, claim: Claim) -> None:
    """zero_grad() of modules and optimizers leaves None in .grad."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for zeroing in (model, optimizer):
        model(torch.ones(3, 2)).sum().backward()
        claim.equal(model.weight.grad, [[3.0, 3.0]])
        zeroing.zero_grad()
        claim.none(model.weight.grad)


@clause("AC-9", "torch.optim.Optimizer.zero_grad")
def set_to_zero(torch: Any, claim: Claim) -> None:
    """zero_grad(set_to_none=False) fills the .grad that there is with zeros, and cuts it off its history."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward(create_graph=True)
    first = x.grad
    torch.optim.SGD([x], lr=0.5).zero_grad(set_to_none=False)
    claim.same(x.grad, first)
    claim.equal(first, [0.0, 0.0])
    claim.none(first.grad_fn)
    claim.true(not first.requires_grad, "it requires no grad")


@clause("AC-10", "torch.optim.Optimizer.zero_grad")
def skipped_by_optimizers(torch: Any, claim: Claim) -> None:
    """After that None, a parameter that the next pass does not reach keeps it, and the step leaves the parameter."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    optimizer = torch.optim.SGD([x, w], lr=0.5, momentum=0.5)
    (x * w).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    (x * 2).sum().backward()
    optimizer.step()
    claim.none(w.grad)
    claim.equal(w, [2.5, 3.0])
    claim.equal(x, [-2.25, -2.0])


@clause("AC-11", "torch.Tensor.grad_dtype")
def dtype_of_the_gradient(torch: Any, claim: Claim) -> None:
    """grad_dtype is the leaf's dtype, to which gradients are cast; None leaves theirs; results have no such thing."""

    class Widened(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g.double() * 2

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    claim.equal(x.grad_dtype, torch.float32)
    Widened.apply(x).sum().backward()
    claim.equal(x.grad.dtype, torch.float32)
    x.grad = None
    x.grad_dtype = torch.float64
    (x * 2).sum().backward()
    claim.equal(x.grad.dtype, torch.float64)
    x.grad = None
    x.grad_dtype = None
    claim.none(x.grad_dtype)
    Widened.apply(x).sum().backward()
    claim.equal(x.grad.dtype, torch.float64)
    with claim.raises(RuntimeError, "leaf"):
        (x * 2).grad_dtype = torch.float64


@clause("AC-12", "behaviour")
def shape_of_the_leaf(torch: Any, claim: Claim) -> None:
    """A gradient has its leaf's shape: it is summed over what was broadcast, and empty where the leaf is."""
    x = torch.tensor([[1.0], [2.0]], requires_grad=True)
    s = torch.tensor(3.0, requires_grad=True)
    e = torch.zeros(0, 3, requires_grad=True)
    (x * torch.tensor([1.0, 10.0, 100.0]) * s).sum().backward()
    claim.equal(x.grad, [[333.0], [333.0]])
    claim.equal(s.grad, 333.0)
    (e * 2).sum().backward()
    claim.equal(tuple(e.grad.shape), (0, 3))


@clause("AC-13", "torch.autograd.backward (behaviour)")
def gradients_without_a_graph(torch: Any, claim: Claim) -> None:
    """Without create_graph a .grad does not require grad and has no history."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    claim.equal(x.grad, [2.0, 4.0])
    claim.true(not x.grad.requires_grad, "the gradient requires no grad")
    claim.none(x.grad.grad_fn)
