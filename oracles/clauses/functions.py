"""Clauses on custom functions: what forward, backward and ctx may do."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

NOTES = "notes/extending"


def made(torch: Any, forward: Any, backward: Any, **more: Any) -> Any:
    """A Function with these two static methods, and whatever else its class should have."""
    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward), **more}
    return type("Made", (torch.autograd.Function,), methods)


def leaf(torch: Any, *values: float) -> Any:
    """A leaf of these values that requires grad."""
    return torch.tensor(list(values), requires_grad=True)


@clause("CF-1", NOTES)
def one_node(torch: Any, claim: Claim) -> None:
    """Within forward nothing is recorded, and apply() leaves one node."""
    seen = []

    def forward(ctx: Any, x: Any) -> Any:
        y = x * 2
        seen.append((torch.is_grad_enabled(), y.requires_grad))
        return y + 1

    x = leaf(torch, 1.0, 2.0)
    y = made(torch, forward, lambda ctx, g: g * 2).apply(x)
    claim.equal(seen, [(False, False)])
    claim.equal(y.grad_fn.name(), "MadeBackward")
    claim.equal(type(y.grad_fn.next_functions[0][0]).__name__, "AccumulateGrad")


@clause("CF-2", NOTES)
def one_gradient_each(torch: Any, claim: Claim) -> None:
    """backward gets a gradient for each output and returns one for each argument of forward, None for a number."""
    seen = []

    def backward(ctx: Any, a: Any, b: Any) -> Any:
        seen.append((a.tolist(), b.tolist()))
        return a * 2 + b * 3, None

    x = leaf(torch, 1.0)
    a, b = made(torch, lambda ctx, x, k: (x * 2, x * k), backward).apply(x, 3)
    (a * 10 + b * 100).sum().backward()
    claim.equal(seen, [([10.0], [100.0])])
    claim.equal(x.grad, [320.0])
    wrong = made(torch, lambda ctx, x, k: x * k, lambda ctx, g: (g, g))
    with claim.raises(RuntimeError, "returned a gradient different than None at position 2"):
        wrong.apply(x, 3).sum().backward()


@clause("CF-3", NOTES)
def count_of_gradients(torch: Any, claim: Claim) -> None:
    """More gradients than arguments are accepted where the rest are None; fewer raise."""
    x = leaf(torch, 1.0)
    made(torch, lambda ctx, x: x * 2, lambda ctx, g: (g * 2, None, None)).apply(x).sum().backward()
    claim.equal(x.grad, [2.0])
    few = made(torch, lambda ctx, x, y: x * y, lambda ctx, g: g)
    with claim.raises(RuntimeError, "returned an incorrect number of gradients (expected 2, got 1)"):
        few.apply(x, x).sum().backward()


@clause("CF-4", NOTES)
def needs_input_grad(torch: Any, claim: Claim) -> None:
    """ctx.needs_input_grad has a bool for each argument; a gradient for one that needs none does no harm."""
    seen = []

    def backward(ctx: Any, g: Any) -> Any:
        seen.append(ctx.needs_input_grad)
        return g * 2, g * 3, None

    x, y = leaf(torch, 1.0), torch.tensor([1.0])
    made(torch, lambda ctx, x, y, k: x * 2 + y * k, backward).apply(x, y, 3).sum().backward()
    claim.equal(seen, [(True, False, False)])
    claim.equal(x.grad, [2.0])
    claim.none(y.grad)


@clause("CF-11", NOTES)
def integral_output(torch: Any, claim: Claim) -> None:
    """An output of integers never requires grad."""
    x = leaf(torch, 2.0)
    a, b = made(torch, lambda ctx, x: (x * 2, x.long()), lambda ctx, a, b: a * 2).apply(x)
    claim.true(a.requires_grad, "the floating output requires grad")
    claim.true(not b.requires_grad, "the integral output does not require grad")


@clause("CF-13", "torch.autograd.function.once_differentiable")
def once(torch: Any, claim: Claim) -> None:
    """once_differentiable runs backward without recording; differentiating what it answered raises."""
    seen = []

    def backward(ctx: Any, g: Any) -> Any:
        seen.append(torch.is_grad_enabled())
        return g * 2

    once_differentiable = torch.autograd.function.once_differentiable
    x = leaf(torch, 1.0)
    y = made(torch, lambda ctx, x: x * 2, once_differentiable(backward)).apply(x)
    seed = leaf(torch, 1.0)
    (g,) = torch.autograd.grad(y, x, seed, create_graph=True)
    claim.equal(seen, [False])
    with claim.raises(RuntimeError, "marked with @once_differentiable"):
        g.sum().backward()


@clause("CF-14", NOTES)
def recorded_backward(torch: Any, claim: Claim) -> None:
    """Without it, backward is itself recorded under create_graph, and inputs that were saved carry gradient."""

    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    x = leaf(torch, 3.0)
    y = made(torch, forward, lambda ctx, g: g * 2 * ctx.saved_tensors[0]).apply(x)
    (g,) = torch.autograd.grad(y, x, torch.tensor([1.0]), create_graph=True)
    claim.equal(g, [6.0])
    claim.equal(torch.autograd.grad(g, x, torch.tensor([1.0]))[0], [2.0])


@clause("CF-16", "notes/extending › Combined or separate forward")
def setup_context(torch: Any, claim: Claim) -> None:
    """forward without ctx and setup_context are as good as one forward; defaults are among its inputs."""
    seen = []

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(x: Any, k: float = 3.0) -> Any:
            return x * k

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            seen.append((len(inputs), inputs[1], output.tolist()))
            ctx.k = inputs[1]

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.k, None

    x = leaf(torch, 2.0)
    Scaled.apply(x).sum().backward()
    claim.equal(seen, [(2, 3.0, [6.0])])
    claim.equal(x.grad, [3.0])


@clause("CF-17", "torch.autograd.Function.backward")
def vjp_or_backward(torch: Any, claim: Claim) -> None:
    """vjp is another name of backward; both together raise, and neither raises once it is needed."""
    function = torch.autograd.Function
    x = leaf(torch, 2.0)
    forward = staticmethod(lambda ctx, x: x * 2)
    rule = staticmethod(lambda ctx, g: g * 2)
    type("Vjp", (function,), {"forward": forward, "vjp": rule}).apply(x).sum().backward()
    claim.equal(x.grad, [2.0])
    y = type("Both", (function,), {"forward": forward, "vjp": rule, "backward": rule}).apply(x)
    with claim.raises(RuntimeError, "Implementing both 'backward' and 'vjp'"):
        y.sum().backward()
    y = type("Neither", (function,), {"forward": forward}).apply(x)
    with claim.raises(NotImplementedError, "must implement either the backward or vjp"):
        y.sum().backward()


@clause("CF-18", "torch.autograd.Function.jvp")
def jvp(torch: Any, claim: Claim) -> None:
    """jvp gets a tangent for each argument of forward, None for a number, and answers for the outputs."""
    seen = []

    def rule(ctx: Any, tangent: Any, number: Any) -> Any:
        seen.append(number)
        return tangent * 3

    scaled = made(torch, lambda ctx, x, k: x * k, lambda ctx, g: (g * 3, None), jvp=staticmethod(rule))
    forward_ad = torch.autograd.forward_ad
    with forward_ad.dual_level():
        y = scaled.apply(forward_ad.make_dual(torch.tensor([2.0]), torch.tensor([5.0])), 3.0)
        claim.equal(forward_ad.unpack_dual(y).tangent, [15.0])
    claim.equal(seen, [None])


@clause("CF-19", NOTES)
def direct_arguments(torch: Any, claim: Claim) -> None:
    """Only tensors that are arguments themselves are tracked; one within a list is not."""
    x = leaf(torch, 2.0)
    y = made(torch, lambda ctx, xs: xs[0] * 2, lambda ctx, g: None).apply([x])
    claim.true(not y.requires_grad, "the result does not require grad")


@clause("CF-20", "notes/extending (behaviour)")
def input_returned(torch: Any, claim: Claim) -> None:
    """An input returned as it is counts as a view of it: another tensor, whose gradient comes from its own uses."""
    x = leaf(torch, 2.0)
    y = made(torch, lambda ctx, x: x, lambda ctx, g: g * 10).apply(x)
    claim.different(y, x)
    (x * 3 + y * 5).sum().backward()
    claim.equal(x.grad, [53.0])


@clause("CF-21", "torch.autograd.Function.forward (behaviour)")
def other_outputs(torch: Any, claim: Claim) -> None:
    """An output that is no tensor passes through apply, and gets None in backward."""
    seen = []

    def backward(ctx: Any, a: Any, b: Any) -> Any:
        seen.append(b)
        return a * 2

    x = leaf(torch, 2.0)
    a, b = made(torch, lambda ctx, x: (x * 2, "text"), backward).apply(x)
    claim.equal(b, "text")
    a.sum().backward()
    claim.equal(seen, [None])


@clause("CF-22", "behaviour")
def shape_of_gradient(torch: Any, claim: Claim) -> None:
    """A gradient of a larger shape that broadcasts is summed to the input's; one of an incompatible shape raises."""
    x = leaf(torch, 2.0)
    wide = torch.tensor([[1.0], [2.0], [3.0]])
    made(torch, lambda ctx, x: x * 2, lambda ctx, g: wide).apply(x).sum().backward()
    claim.equal(x.grad, [6.0])
    y = leaf(torch, 1.0, 2.0)
    with claim.raises(RuntimeError, "expected shape compatible with [2]"):
        made(torch, lambda ctx, x: x * 2, lambda ctx, g: torch.tensor([1.0, 2.0, 3.0])).apply(
            y
        ).sum().backward()


@clause("CF-23", "behaviour")
def no_gradient(torch: Any, claim: Claim) -> None:
    """None for an input that needs a gradient means that there is none: .grad stays None."""
    x = leaf(torch, 2.0)
    made(torch, lambda ctx, x: x * 2, lambda ctx, g: None).apply(x).sum().backward()
    claim.none(x.grad)


@clause("CF-24", "behaviour")
def legacy(torch: Any, claim: Claim) -> None:
    """Calling an instance of a Function, the legacy way, raises; making one warns."""

    class Legacy(torch.autograd.Function):
        def forward(self, x: Any) -> Any:
            return x * 2

        def backward(self, g: Any) -> Any:
            return g * 2

    with claim.raises(RuntimeError, "Legacy autograd function with non-static forward method is deprecated"):
        Legacy()(leaf(torch, 2.0))
    with claim.warns(DeprecationWarning, "should not be instantiated"):
        Legacy()


@clause("CF-26", NOTES)
def boxed(torch: Any, claim: Claim) -> None:
    """With boxed_grads_call backward gets all gradients in one list, which it may empty."""
    seen = []

    def backward(ctx: Any, grads: Any) -> Any:
        seen.append((type(grads), len(grads)))
        a, b = grads
        grads.clear()
        return a * 2 + b * 3

    x = leaf(torch, 1.0)
    a, b = made(torch, lambda ctx, x: (x * 2, x * 3), backward, boxed_grads_call=True).apply(x)
    (a + b).sum().backward()
    claim.equal(seen, [(list, 2)])
    claim.equal(x.grad, [5.0])


@clause("CF-28", "behaviour")
def not_recorded(torch: Any, claim: Claim) -> None:
    """Under no_grad apply() returns plain tensors without a node."""
    x = leaf(torch, 2.0)
    with torch.no_grad():
        y = made(torch, lambda ctx, x: x * 2, lambda ctx, g: g * 2).apply(x)
    claim.none(y.grad_fn)
    claim.true(not y.requires_grad, "the result does not require grad")
