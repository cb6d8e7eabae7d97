"""Clauses on complex numbers."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

PAGE = "notes/autograd › Autograd for Complex Numbers"


@clause("CX-1", f"{PAGE} + notes/gradcheck")
def twice_the_conjugate(torch: Any, claim: Claim) -> None:
    """For a real loss the gradient is dL/dRe + i dL/dIm: |z|**2 has the gradient 2z."""
    z = torch.tensor(3.0 + 4.0j, requires_grad=True)
    (z * z.conj()).real.backward()
    claim.equal(z.grad, 6.0 + 8.0j)


@clause("CX-2", "notes/autograd › complex formulas")
def holomorphic(torch: Any, claim: Claim) -> None:
    """For a holomorphic function the product is the cotangent times the conjugate of f'."""
    z = torch.tensor(1.0 + 2.0j, requires_grad=True)
    (z * z).backward(torch.tensor(3.0 + 1.0j))
    claim.equal(z.grad, (3.0 + 1.0j) * (2.0 - 4.0j))


@clause("CX-3", "notes/autograd › cross-domain functions")
def real_input(torch: Any, claim: Claim) -> None:
    """A real input of an op with a complex value gets a real gradient."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * torch.tensor(1.0 + 3.0j)
    y.backward(torch.tensor(1.0 + 1.0j))
    claim.equal(x.grad, 4.0)
    claim.equal(str(x.grad.dtype).rpartition(".")[2], "float32")


@clause("CX-4", PAGE)
def complex_within(torch: Any, claim: Claim) -> None:
    """A real function that is complex within has the gradient of its real form."""
    x = torch.tensor(3.0, requires_grad=True)
    ((x * (1.0 + 2.0j)) * (x * (1.0 - 2.0j))).real.backward()
    claim.equal(x.grad, 30.0)
