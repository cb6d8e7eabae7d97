"""Clauses on writing in place: versions, views, and what backward notices."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

CHECKS = "notes/autograd › In-place correctness checks"


@clause("IP-1", CHECKS)
def versions(torch: Any, claim: Claim) -> None:
    """A tensor counts the writes into it."""
    a = torch.tensor([1.0, 2.0])
    claim.equal(a._version, 0)
    a.add_(1)
    a.mul_(2)
    claim.equal(a._version, 2)
    a[0] = 7.0
    claim.equal(a._version, 3)
    a * 2
    claim.equal(a._version, 3)


@clause("IP-2", CHECKS)
def changed_since_saved(torch: Any, claim: Claim) -> None:
    """Backward through a value that was written into since it was saved raises, and leaves no gradient."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = torch.tensor([3.0, 4.0])
    y = (x * a).sum()
    a.add_(1)
    with claim.raises(RuntimeError, "modified by an inplace operation"):
        y.backward()
    y = (x * 1).exp_()
    y.add_(1)
    with claim.raises(RuntimeError, "modified by an inplace operation"):
        y.sum().backward()
    claim.none(x.grad)


@clause("IP-3", CHECKS)
def noticed_when_used(torch: Any, claim: Claim) -> None:
    """The write itself is no error: a backward that does not come by the saved value succeeds."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor([5.0, 6.0], requires_grad=True)
    a = torch.tensor([3.0, 4.0])
    y, z = x * a, w * 2
    a.add_(1)
    claim.equal(torch.autograd.grad((y + z).sum(), w, retain_graph=True), [[2.0, 2.0]])
    with claim.raises(RuntimeError, "modified by an inplace operation"):
        torch.autograd.grad((y + z).sum(), x)


@clause("IP-4", "behaviour")
def nobody_needs_it(torch: Any, claim: Claim) -> None:
    """Writing into what no backward needs is harmless: a sum saves nothing."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = torch.tensor([3.0, 4.0])
    y = x + a
    a.mul_(10)
    y.mul_(2)
    y.sum().backward()
    claim.equal(x.grad, [2.0, 2.0])


@clause("IP-5", "behaviour")
def input_or_output(torch: Any, claim: Claim) -> None:
    """exp, tanh, sigmoid and sqrt save their result, sin, square and log their input; a write there alone counts."""
    for name in ("exp", "tanh", "sigmoid", "sqrt", "sin", "square", "log"):
        for written in ("input", "output"):
            x = torch.tensor([1.0, 4.0], requires_grad=True)
            given = x * 1
            result = getattr(given, name)()
            with torch.no_grad():
                (given if written == "input" else result).add_(1.0)
            if (written == "output") == (name in ("exp", "tanh", "sigmoid", "sqrt")):
                with claim.raises(RuntimeError, "modified by an inplace operation"):
                    result.sum().backward()
            else:
                result.sum().backward()
                claim.true(x.grad is not None, f"{name} needs no {written}")


@clause("IP-6", "behaviour")
def versions_of_views(torch: Any, claim: Claim) -> None:
    """A view and its base count their writes together, whichever is written into."""
    base = torch.tensor([1.0, 2.0])
    view = base[:1]
    view.add_(1)
    claim.equal([base._version, view._version], [1, 1])
    base.add_(1)
    claim.equal([base._version, view._version], [2, 2])
    claim.equal(view, [3.0])


@clause("IP-7", "notes/autograd › In-place operations")
def history_goes_on(torch: Any, claim: Claim) -> None:
    """After a write in place, the tensor is differentiated through it."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    claim.same(y.mul_(x), y)
    claim.equal(y, [2.0, 8.0])
    y.sum().backward()
    claim.equal(x.grad, [4.0, 8.0])


@clause("IP-8", "behaviour")
def written_through_a_view(torch: Any, claim: Claim) -> None:
    """A write into a view is one into its base, which is differentiated through it, whether it required grad or not."""
    x = torch.tensor([3.0], requires_grad=True)
    base = torch.zeros(2)
    base[:1].add_(x * 2)
    claim.true(base.requires_grad, "the base requires grad")
    claim.equal(base, [6.0, 0.0])
    (base * torch.tensor([1.0, 10.0])).sum().backward()
    claim.equal(x.grad, [2.0])
    z = torch.tensor([1.0, 2.0], requires_grad=True)
    y = z * 1
    y[:1].mul_(5)
    y[:2][1:].mul_(7)
    y.sum().backward()
    claim.equal(z.grad, [5.0, 7.0])


@clause("IP-9", "behaviour")
def written_into_the_base(torch: Any, claim: Claim) -> None:
    """A write into a base is seen by the views taken of it before: they require grad and have a new grad_fn."""
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    base = torch.zeros(2)
    view = base[:1]
    claim.none(view.grad_fn)
    base.add_(x * 2)
    claim.true(view.requires_grad, "the view requires grad")
    former = view.grad_fn
    claim.true(former is not None, "the view has a grad_fn")
    base.mul_(3)
    claim.different(view.grad_fn, former)
    view.sum().backward()
    claim.equal(x.grad, [6.0, 0.0])


@clause("IP-10", "behaviour")
def leaves_are_not_written(torch: Any, claim: Claim) -> None:
    """In grad mode neither a leaf that requires grad nor a view of one can be written into."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with claim.raises(
        RuntimeError, "a leaf variable that requires grad is being used in an in-place operation"
    ):
        x.add_(1)
    with claim.raises(
        RuntimeError, "a view of a leaf variable that requires grad is being used in an in-place"
    ):
        x[:1].add_(1)
    with claim.raises(RuntimeError, "leaf variable that requires grad is being used in an in-place"):
        x[0] = 5.0
    claim.equal(x, [1.0, 2.0])


@clause("IP-11", "behaviour")
def several_views_at_once(torch: Any, claim: Claim) -> None:
    """What unbind, split and chunk return cannot be written into; what their unsafe variants return can."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    for views in ((x * 1).unbind(0), (x * 1).split(1), (x * 1).chunk(2)):
        with claim.raises(RuntimeError, "function that returns multiple views"):
            views[0].mul_(2)
    first, second = torch.unsafe_split(x * 3, 1)
    first.mul_(2)
    (first + second).sum().backward()
    claim.equal(x.grad, [6.0, 3.0])


@clause("IP-12", "behaviour")
def views_of_custom_functions(torch: Any, claim: Claim) -> None:
    """A view that a custom Function returns cannot be written into."""

    class Flat(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.view(-1)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = Flat.apply(x * 1)
    with claim.raises(RuntimeError, "view was created inside a custom function"):
        y.mul_(2)


@clause("IP-13", "behaviour")
def out_is_not_recorded(torch: Any, claim: Claim) -> None:
    """out= refuses tensors that require grad, be they inputs or the output, unless nothing is recorded."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    out = torch.zeros(2)
    with claim.raises(RuntimeError, "don't support automatic differentiation"):
        torch.add(x, x, out=out)
    with claim.raises(RuntimeError, "don't support automatic differentiation"):
        torch.add(out, out, out=x)
    with torch.no_grad():
        claim.same(torch.add(x, x, out=out), out)
    claim.equal(out, [2.0, 4.0])
    claim.true(not out.requires_grad, "it requires no grad")


@clause("IP-14", "torch.autograd.graph.increment_version")
def counted_by_hand(torch: Any, claim: Claim) -> None:
    """increment_version counts a write that autograd did not see; for an inference tensor it does nothing."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = torch.tensor([3.0, 4.0])
    y = x * a
    torch.autograd.graph.increment_version(a)
    claim.equal(a._version, 1)
    with claim.raises(RuntimeError, "modified by an inplace operation"):
        y.sum().backward()
    with torch.inference_mode():
        made = torch.ones(2)
    torch.autograd.graph.increment_version(made)


@clause("IP-15", "torch.autograd.graph.allow_mutation_on_saved_tensors")
def saved_before_the_write(torch: Any, claim: Claim) -> None:
    """Under allow_mutation_on_saved_tensors backward uses the value as it was saved; outside, and nested, it raises."""
    allowed = torch.autograd.graph.allow_mutation_on_saved_tensors
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with allowed():
        a = torch.tensor([3.0, 4.0])
        y, z = (x * a).sum(), (x * a).sum()
        a.add_(10)
        y.backward()
        claim.equal(x.grad, [3.0, 4.0])
        with claim.raises(RuntimeError, "cannot be nested"), allowed():
            pass
    with claim.raises(Exception, "context"):
        z.backward()


@clause("IP-16", "behaviour")
def detached_since_saved(torch: Any, claim: Claim) -> None:
    """detach_() of what an op saved as its input raises in backward."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    z = y * y
    y.detach_()
    with claim.raises(RuntimeError, "detached"):
        z.sum().backward()


@clause("IP-17", "behaviour")
def data_is_replaced(torch: Any, claim: Claim) -> None:
    """Assigning x.data keeps the count of x's writes, which the views taken before still share."""
    x = torch.tensor([1.0, 2.0])
    view = x[:1]
    x.add_(1)
    x.data = torch.tensor([5.0, 6.0])
    claim.equal(x, [5.0, 6.0])
    claim.equal([x._version, view._version], [1, 1])
    x.add_(1)
    claim.equal([x._version, view._version], [2, 2])
    claim.equal(view, [2.0])


@clause("IP-18", "behaviour")
def overwritten(torch: Any, claim: Claim) -> None:
    """y[index] = v takes the gradient of what it overwrites and gives it to v."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    v = torch.tensor(5.0, requires_grad=True)
    y = x * 2
    y[1] = v
    claim.equal(y, [2.0, 5.0, 6.0])
    (y * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    claim.equal(x.grad, [2.0, 0.0, 200.0])
    claim.equal(v.grad, 10.0)


@clause("IP-19", "behaviour")
def taken_twice(torch: Any, claim: Claim) -> None:
    """An element that indexing or gather takes more than once receives the sum of its gradients."""
    at = torch.tensor([0, 0, 1])
    weights = torch.tensor([1.0, 10.0, 100.0])
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x[at] * weights).sum().backward()
    claim.equal(x.grad, [11.0, 100.0])
    x.grad = None
    (x.gather(0, at) * weights).sum().backward()
    claim.equal(x.grad, [11.0, 100.0])
