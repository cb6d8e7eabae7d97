"""Clauses on what accumulates in `.grad`."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause


@clause("AC-3", "autograd › Default gradient layouts")
def updated_in_place(torch: Any, claim: Claim) -> None:
    """Without create_graph an existing .grad is updated in place: the object stays the same."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    first = x.grad
    (x * 4).sum().backward()
    claim.same(x.grad, first)
    claim.equal(first, [7.0, 7.0])


@clause("AC-6", "torch.Tensor.grad")
def none_at_first(torch: Any, claim: Claim) -> None:
    """.grad is None until the first backward reaches the leaf."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (x * 3).sum()
    claim.none(x.grad)
    y.backward()
    claim.equal(x.grad, [3.0, 3.0])
