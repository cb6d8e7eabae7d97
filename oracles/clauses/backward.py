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


@clause("BW-3", "torch.Tensor.backward")
def vector_fits(torch: Any, claim: Claim) -> None:
    """The vector has the root's shape: any other raises, and no gradient is left."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    with claim.raises(RuntimeError, "mismatch in shape"):
        y.backward(torch.tensor([1.0]))
    with claim.raises(RuntimeError, "mismatch in shape"):
        y.backward(torch.tensor(1.0))
    claim.none(x.grad)
    y.backward(torch.tensor([1.0, 10.0]))
    claim.equal(x.grad, [3.0, 30.0])


@clause("BW-4", "torch.autograd.backward")
def accumulates(torch: Any, claim: Claim) -> None:
    """Gradients are added to what .grad holds from earlier calls."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    (x * 4).sum().backward()
    claim.equal(x.grad, [7.0, 7.0])


@clause("BW-5", "torch.autograd.backward")
def nothing_to_differentiate(torch: Any, claim: Claim) -> None:
    """backward on what requires no grad and has no grad_fn raises."""
    a = torch.tensor(2.0, requires_grad=False)
    with claim.raises(RuntimeError, "does not require grad"):
        (a * 3).backward()
    claim.none(a.grad)


@clause("BW-6", "torch.autograd.backward")
def several_roots(torch: Any, claim: Claim) -> None:
    """Several roots are seeded together and their contributions add up; a root named twice counts twice."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * x
    torch.autograd.backward([y * 3, y * 5])
    claim.equal(x.grad, 32.0)
    x.grad = None
    z = x * x
    torch.autograd.backward([z, z])
    claim.equal(x.grad, 8.0)


@clause("BW-7", "torch.autograd.backward")
def as_many_vectors_as_roots(torch: Any, claim: Claim) -> None:
    """There is a vector for each root, fewer raise, and None stands for the seed of a root of one element."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with claim.raises(RuntimeError, "2 tensors and 1 gradients"):
        torch.autograd.backward([x.sum(), x.sum()], [None])
    torch.autograd.backward([x.sum(), x * 3], [None, torch.tensor([1.0, 10.0])])
    claim.equal(x.grad, [4.0, 31.0])


@clause("BW-8", "torch.autograd.backward")
def freed(torch: Any, claim: Claim) -> None:
    """A pass frees what nodes saved, so a second one over a node that saved tensors raises and names retain_graph."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * x
    y.backward()
    with claim.raises(RuntimeError, "retain_graph=True"):
        y.backward()
    claim.equal(x.grad, 4.0)


@clause("BW-9", "torch.autograd.backward (behaviour)")
def nothing_to_free(torch: Any, claim: Claim) -> None:
    """A graph whose nodes saved nothing may be walked twice, retained or not; each pass adds the same."""
    x = torch.tensor(2.0, requires_grad=True)
    y = (x + x) + x
    y.backward()
    y.backward()
    claim.equal(x.grad, 6.0)


@clause("BW-10", "torch.autograd.backward")
def retained_with_create_graph(torch: Any, claim: Claim) -> None:
    """retain_graph is what create_graph is, unless it is given."""
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    y = (x * x).sum()
    y.backward(create_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    claim.equal(x.grad, [12.0, 18.0])
    with claim.raises(RuntimeError, "retain_graph=True"):
        y.backward()
    z = (x * x).sum()
    z.backward(retain_graph=False, create_graph=True)
    with claim.raises(RuntimeError, "retain_graph=True"):
        z.backward()


@clause("BW-11", "torch.autograd.backward")
def gradients_with_a_graph(torch: Any, claim: Claim) -> None:
    """With create_graph=True the gradients are recorded, so that they can be differentiated."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * x * x).sum().backward(create_graph=True)
    first = x.grad
    claim.equal(first, [3.0, 12.0])
    x.grad = None
    first.sum().backward()
    claim.equal(x.grad, [6.0, 12.0])
    claim.true(first.requires_grad, "the first gradient requires grad")


@clause("BW-12", "torch.autograd.backward")
def cycle_warned_of(torch: Any, claim: Claim) -> None:
    """backward(create_graph=True) warns of the cycle between a leaf and its .grad; autograd.grad makes none."""
    x = torch.tensor(2.0, requires_grad=True)
    with claim.silent():
        torch.autograd.grad(x * x, x, create_graph=True)
        (x * x).backward()
    with claim.warns(UserWarning, "reference cycle"):
        (x * x).backward(create_graph=True)


@clause("BW-13", "torch.autograd.backward")
def some_inputs_alone(torch: Any, claim: Claim) -> None:
    """inputs= says which tensors receive a gradient; every other leaf is left alone."""
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(3.0, requires_grad=True)
    (x * w).backward(inputs=[w])
    claim.none(x.grad)
    claim.equal(w.grad, 2.0)


@clause("BW-14", "torch.autograd.backward")
def results_as_inputs(torch: Any, claim: Claim) -> None:
    """inputs= may name a result, whose .grad is then filled though it does not retain it."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    (y * y).backward(inputs=[y])
    claim.equal(y.grad, 12.0)
    claim.none(x.grad)


@clause("BW-15", "torch.autograd.backward")
def forms_of_inputs(torch: Any, claim: Claim) -> None:
    """inputs= takes a tensor, a sequence, or a dict of them; no inputs at all raise."""
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(3.0, requires_grad=True)
    y = x * w
    y.backward(inputs=w, retain_graph=True)
    y.backward(inputs=(w,), retain_graph=True)
    y.backward(inputs={"w": w}, retain_graph=True)
    claim.equal(w.grad, 6.0)
    claim.none(x.grad)
    with claim.raises(RuntimeError, "cannot be empty"):
        y.backward(inputs=[])


@clause("BW-16", "torch.autograd.backward (behaviour)")
def inputs_out_of_reach(torch: Any, claim: Claim) -> None:
    """What inputs= names and the root does not depend on is passed over: its .grad stays None."""
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(3.0, requires_grad=True)
    (x * x).backward(inputs=[x, w])
    claim.none(w.grad)
    claim.equal(x.grad, 4.0)


@clause("BW-17", "notes/autograd › Autograd for Complex Numbers")
def no_seed_for_complex(torch: Any, claim: Claim) -> None:
    """A complex root has no seed by default, even one of a single element; a real root takes no complex vector."""
    z = torch.tensor(1.0 + 2.0j, requires_grad=True)
    with claim.raises(RuntimeError, "grad can be implicitly created only for real scalar outputs"):
        (z * 2).backward()
    (z * 2).backward(torch.tensor(1.0 + 0.0j))
    claim.equal(z.grad, 2.0 + 0.0j)
    x = torch.tensor(2.0, requires_grad=True)
    with claim.raises(RuntimeError, "required to have the same dtype"):
        (x * 3).backward(torch.tensor(1.0 + 1.0j))


@clause("BW-18", "torch.autograd.backward")
def given_vectors_are_left(torch: Any, claim: Claim) -> None:
    """What the caller gave as vector is never written into, not by what is later added to .grad either."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    seed = torch.tensor([1.0, 10.0])
    (x + 0).backward(seed)
    (x + x).backward(seed)
    claim.equal(seed, [1.0, 10.0])
    claim.equal(x.grad, [3.0, 30.0])


@clause("BW-19", "torch.autograd.backward")
def edges_for_tensors(torch: Any, claim: Claim) -> None:
    """A GradientEdge may stand for a root, and for an input."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * x
    edge_of = torch.autograd.graph.get_gradient_edge
    torch.autograd.backward([edge_of(y)], inputs=[edge_of(x)])
    claim.equal(x.grad, 4.0)


@clause("BW-20", "notes/autograd › How autograd encodes the history")
def rebuilt_each_time(torch: Any, claim: Claim) -> None:
    """The graph is what was run: control flow may take another way each time."""
    x = torch.tensor(2.0, requires_grad=True)
    found = []
    for times in (1, 3, 0):
        y = x * 1
        for _ in range(times):
            y = y * x
        x.grad = None
        y.backward()
        found.append(x.grad)
    claim.equal(found, [4.0, 32.0, 1.0])
