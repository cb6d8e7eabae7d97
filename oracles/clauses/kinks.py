"""Clauses on gradients where there is no derivative: the rules. What they come to, op by op, is in `edges`."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

RULES = "notes/autograd › Gradients for non-differentiable functions"
DIVISION = "notes/autograd › Division by Zero in Autograd"


def slopes(torch: Any, function: Callable[..., Any], *points: Any) -> list[Any]:
    """The gradient of the sum of the function's elements, one for each point; by grad where there is no backward."""
    leaves = [torch.tensor(point, requires_grad=True) for point in points]
    y = function(*leaves).sum()
    if not hasattr(y, "backward"):
        return list(torch.autograd.grad(y, leaves))
    y.backward()
    return [leaf.grad for leaf in leaves]


@clause("ND-1", RULES)
def true_derivative(torch: Any, claim: Claim) -> None:
    """Where an op is differentiable, its gradient is its derivative, on either side of a kink too."""
    claim.equal(slopes(torch, lambda x: x * x * x, [2.0]), [[12.0]])
    claim.equal(slopes(torch, lambda x: x.abs(), [-3.0, 3.0]), [[-1.0, 1.0]])
    claim.equal(slopes(torch, lambda x: x.exp(), [0.0]), [[1.0]])
    claim.equal(slopes(torch, torch.maximum, [1.0, 5.0], [2.0, 3.0]), [[0.0, 1.0], [1.0, 0.0]])


@clause("ND-2", RULES)
def least_subgradient(torch: Any, claim: Claim) -> None:
    """At a kink of a convex op the gradient is the subgradient of least norm: 0 for relu and abs at 0."""
    claim.equal(slopes(torch, lambda x: x.relu(), [0.0]), [[0.0]])
    claim.equal(slopes(torch, lambda x: x.abs(), [0.0]), [[0.0]])


@clause("ND-3", RULES)
def least_supergradient(torch: Any, claim: Claim) -> None:
    """At a kink of a concave op it is the supergradient of least norm: 1/2 for each side where minimum ties."""
    claim.equal(slopes(torch, lambda x: -x.abs(), [0.0]), [[0.0]])
    claim.equal(slopes(torch, torch.minimum, [1.0], [1.0]), [[0.5], [0.5]])


@clause("ND-4", RULES)
def one_joint_space(torch: Any, claim: Claim) -> None:
    """The tensor arguments form one input space, so where maximum ties each side receives 1/2."""
    claim.equal(slopes(torch, torch.maximum, [1.0, 2.0], [1.0, 3.0]), [[0.5, 0.0], [0.5, 1.0]])


@clause("ND-5", RULES)
def asked_or_not(torch: Any, claim: Claim) -> None:
    """What requires grad selects what is computed and changes none of it: at a tie x receives 1/2 beside a constant."""
    x = torch.tensor([1.0], requires_grad=True)
    torch.maximum(x, torch.tensor([1.0])).sum().backward()
    claim.equal(x.grad, [0.5])


@clause("ND-6", RULES)
def by_continuity(torch: Any, claim: Claim) -> None:
    """Where no subgradient exists but the op is defined, the gradient is the limit, which may be infinite."""
    claim.equal(slopes(torch, lambda x: x.sqrt(), [0.0, 4.0]), [[inf, 0.25]])


@clause("ND-7", RULES)
def outside_the_domain(torch: Any, claim: Claim) -> None:
    """Outside its domain an op's gradient is arbitrary; it spoils no neighbour's that is inside."""
    x = torch.tensor([-1.0, 4.0], requires_grad=True)
    (x.sqrt() + x.log()).sum().backward()
    claim.equal(x.grad[1], 0.5)


@clause("ND-8", RULES)
def not_a_number(torch: Any, claim: Claim) -> None:
    """A NaN as input is outside every domain: the gradient there is arbitrary, and its neighbours' are not."""
    x = torch.tensor([nan, 2.0, -2.0], requires_grad=True)
    (torch.maximum(x, torch.tensor([0.0, 0.0, 0.0])) + x.abs()).sum().backward()
    claim.equal(x.grad[1:], [2.0, -1.0])


@clause("ND-9", RULES)
def incoming_nan(torch: Any, claim: Claim) -> None:
    """A NaN that comes in as gradient goes through every contribution that is used."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x.abs() * 3).backward(torch.tensor([nan, 1.0]))
    claim.equal(x.grad, [nan, 3.0])


@clause("ND-10", RULES)
def not_selected(torch: Any, claim: Claim) -> None:
    """What where() does not select receives zero, even if the gradient that comes in for the other is NaN."""
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    b = torch.tensor([3.0, 4.0], requires_grad=True)
    torch.where(torch.tensor([True, False]), a, b).backward(torch.tensor([nan, 1.0]))
    claim.equal(a.grad, [nan, 0.0])
    claim.equal(b.grad, [0.0, 1.0])


@clause("ND-11", DIVISION)
def left_out_after(torch: Any, claim: Claim) -> None:
    """Leaving out an infinite quotient after the division saves nothing: its gradient is 0/0, which is NaN."""
    x = torch.tensor([1.0, 1.0], requires_grad=True)
    y = x / torch.tensor([0.0, 1.0])
    y[1:].sum().backward()
    claim.equal(x.grad, [nan, 1.0])


@clause("ND-12", DIVISION)
def left_out_before(torch: Any, claim: Claim) -> None:
    """Leaving out the element before the division gives it a clean zero."""
    x = torch.tensor([1.0, 1.0], requires_grad=True)
    (x[1:] / torch.tensor([0.0, 2.0])[1:]).sum().backward()
    claim.equal(x.grad, [0.0, 0.5])


@clause("ND-13", "torch.amax, torch.max")
def ties_of_extremes(torch: Any, claim: Claim) -> None:
    """amax, amin, and max and min of everything share among ties; max and min along a dim pick one place."""
    tied = [1.0, 0.0, 1.0, 0.0]
    claim.equal(slopes(torch, lambda x: x.max(), tied), [[0.5, 0.0, 0.5, 0.0]])
    claim.equal(slopes(torch, lambda x: x.min(), tied), [[0.0, 0.5, 0.0, 0.5]])
    claim.equal(slopes(torch, lambda x: x.amax(0), tied), [[0.5, 0.0, 0.5, 0.0]])
    claim.equal(slopes(torch, lambda x: x.amin(0), tied), [[0.0, 0.5, 0.0, 0.5]])
    claim.equal(slopes(torch, lambda x: x.max(0)[0], tied), [[1.0, 0.0, 0.0, 0.0]])
    claim.equal(slopes(torch, lambda x: x.min(0)[0], tied), [[0.0, 1.0, 0.0, 0.0]])


@clause("ND-14", RULES)
def steps(torch: Any, claim: Claim) -> None:
    """floor, ceil, round, trunc and sign have the gradient 0 everywhere, and leave a node."""
    for name in ("floor", "ceil", "round", "trunc", "sign"):
        x = torch.tensor([0.5, 1.0], requires_grad=True)
        y = getattr(x, name)()
        claim.true(y.requires_grad, f"{name} leaves a result that requires grad")
        (y * 3).sum().backward()
        claim.equal(x.grad, [0.0, 0.0])


@clause("ND-15", "torch.linalg.vector_norm")
def norm_of_nothing(torch: Any, claim: Claim) -> None:
    """The 2-norm at the zero vector has the gradient 0, not NaN."""
    claim.equal(slopes(torch, lambda x: torch.linalg.vector_norm(x), [0.0, 0.0]), [[0.0, 0.0]])
    claim.equal(slopes(torch, lambda x: torch.linalg.vector_norm(x), [0.0, 2.0]), [[0.0, 1.0]])


@clause(
    "ND-16",
    RULES,
    withdrawn="PyTorch 2.13 answers zeros for several random ops (ND-41), where its page promises an error",
)
def at_random(torch: Any, claim: Claim) -> None:
    """Ops that draw at random are not differentiable: backward through them raises."""
    p = torch.tensor([0.5], requires_grad=True)
    with claim.raises(RuntimeError):
        torch.bernoulli(p).sum().backward()


@clause(
    "ND-17",
    RULES,
    withdrawn="PyTorch 2.13 gives 1 at either kind of bound (ND-19, ND-20), where its page's rules give 0 and 1/2",
)
def overload_first(torch: Any, claim: Claim) -> None:
    """A number as bound is fixed, a tensor is an input: at its bound clamp has the gradient 0, or 1/2 for each."""
    claim.equal(slopes(torch, lambda x: x.clamp(min=0.0), [0.0]), [[0.0]])
    claim.equal(slopes(torch, lambda x, low: x.clamp(min=low), [0.0], [0.0]), [[0.5], [0.5]])
