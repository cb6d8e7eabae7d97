"""Clauses on graph objects: nodes, their edges, and what they saved."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause


@clause("NO-1", "autograd (package page) › Autograd graph")
def grad_fn(torch: Any, claim: Claim) -> None:
    """A recorded result has a node in grad_fn; a leaf, and what is not recorded, has None."""
    x = torch.tensor(2.0, requires_grad=True)
    claim.none(x.grad_fn)
    claim.none((torch.tensor(2.0) * 3).grad_fn)
    claim.true(isinstance((x * 3).grad_fn, torch.autograd.graph.Node), "grad_fn is an autograd.graph.Node")


@clause("NO-2", "torch.autograd.graph.Node.next_functions")
def next_functions(torch: Any, claim: Claim) -> None:
    """next_functions has a pair for each differentiable input: a leaf's AccumulateGrad, or (None, 0) without grad."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x.exp()
    z = y * torch.tensor(3.0)
    claim.equal(z.grad_fn.next_functions, ((y.grad_fn, 0), (None, 0)))
    ((end, number),) = y.grad_fn.next_functions
    claim.equal(type(end).__name__, "AccumulateGrad")
    claim.equal(number, 0)
    claim.same(end.variable, x)


@clause("NO-3", "torch.autograd.graph.Node.name / metadata")
def named(torch: Any, claim: Claim) -> None:
    """A node has a name() such as MulBackward0, and a dict called metadata that keeps what is put there."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    claim.equal(y.grad_fn.name(), "MulBackward0")
    y.grad_fn.metadata["mine"] = 1
    claim.equal(y.grad_fn.metadata["mine"], 1)


@clause("NO-4", "notes/autograd › Saved tensors")
def saved(torch: Any, claim: Claim) -> None:
    """What a node saved shows as _saved_*: an input is the very tensor, an output another one over the same storage."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    z = x.sin()
    claim.same(z.grad_fn._saved_self, x)
    claim.different(y.grad_fn._saved_result, y)
    claim.equal(y.grad_fn._saved_result.data_ptr(), y.data_ptr())


@clause("NO-5", "behaviour")
def saved_is_freed(torch: Any, claim: Claim) -> None:
    """After a pass that frees, reading _saved_* raises."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x.exp()
    y.backward()
    with claim.raises(RuntimeError, "after they have already been freed"):
        _ = y.grad_fn._saved_result


@clause("NO-6", "behaviour")
def output_number(torch: Any, claim: Claim) -> None:
    """The outputs of one op share one node; output_nr says which each of them is, and one alone will do."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    a, b, c = x.split(1)
    claim.same(a.grad_fn, b.grad_fn)
    claim.equal([a.output_nr, b.output_nr, c.output_nr], [0, 1, 2])
    (b * 5).sum().backward()
    claim.equal(x.grad, [0.0, 5.0, 0.0])
