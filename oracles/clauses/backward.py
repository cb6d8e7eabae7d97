"""Clauses on `backward()`."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause


@clause("BW-1", "torch.Tensor.backward")
def seed_of_one(torch: Any, claim: Claim) -> None:
    """For a root of one element the seed defaults to 1, whatever its shape."""
    x = torch.tensor([2.0], requires_grad=True)
    (x * 3).backward()
    claim.equal(x.grad, [3.0])


@clause("BW-2", "torch.autograd.backward")
def no_seed_for_many(torch: Any, claim: Claim) -> None:
    """A root of several elements needs a vector: without one, backward raises."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    with claim.raises(RuntimeError, "grad can be implicitly created only for scalar outputs"):
        y.backward()
    claim.none(x.grad)


@clause("BW-4", "torch.autograd.backward")
def accumulates(torch: Any, claim: Claim) -> None:
    """Gradients are added to what .grad holds from earlier calls."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    (x * 4).sum().backward()
    claim.equal(x.grad, [7.0, 7.0])


@clause("BW-8", "torch.autograd.backward")
def freed(torch: Any, claim: Claim) -> None:
    """A pass frees what nodes saved, so a second one over a node that saved tensors raises and names retain_graph."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * x
    y.backward()
    with claim.raises(RuntimeError, "retain_graph=True"):
        y.backward()
    claim.equal(x.grad, 4.0)
