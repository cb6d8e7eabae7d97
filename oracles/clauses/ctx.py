"""Clauses on ctx: what a custom function keeps for its backward, and what it says of its outputs."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause
from oracles.clauses.functions import NOTES, leaf, made

CTX = "torch.autograd.function.FunctionCtx"


@clause("CF-5", f"{CTX}.save_for_backward")
def saves_tensors(torch: Any, claim: Claim) -> None:
    """Only tensors and None can be saved, and None comes back as None; anything else raises TypeError."""
    seen = []

    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x, None)
        return x * 2

    def backward(ctx: Any, g: Any) -> Any:
        seen.append(ctx.saved_tensors[1])
        return g * 2

    x = leaf(torch, 1.0)
    made(torch, forward, backward).apply(x).sum().backward()
    claim.equal(seen, [None])

    def wrong(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward("text")
        return x * 2

    with claim.raises(TypeError, "save_for_backward can only save variables"):
        made(torch, wrong, backward).apply(x)


@clause("CF-6", f"{CTX}.save_for_backward")
def versions_checked(torch: Any, claim: Claim) -> None:
    """Reading saved_tensors raises if one was written to since it was saved."""

    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * 2

    x = leaf(torch, 1.0)
    t = x * 1
    y = made(torch, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(t)
    t.add_(1)
    with claim.raises(RuntimeError, "modified by an inplace operation"):
        y.sum().backward()

    def of_its_result(ctx: Any, x: Any) -> Any:
        y = x * 2
        ctx.save_for_backward(y)
        return y

    y = made(torch, of_its_result, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x)
    y.add_(1)
    with claim.raises(RuntimeError, "modified by an inplace operation"):
        y.sum().backward()


@clause("CF-7", NOTES)
def freed(torch: Any, claim: Claim) -> None:
    """After a pass that frees, saved_tensors are gone: a second backward raises."""

    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * 2

    x = leaf(torch, 1.0)
    y = made(torch, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x).sum()
    y.backward()
    with claim.raises(RuntimeError, "second time"):
        y.backward()


@clause("CF-8", f"{CTX}.mark_dirty")
def dirty(torch: Any, claim: Claim) -> None:
    """An input that forward writes to must be marked dirty and returned: apply returns it, at a later version."""

    def forward(ctx: Any, x: Any) -> Any:
        x.mul_(3)
        ctx.mark_dirty(x)
        return x

    x = leaf(torch, 1.0)
    t = x * 1
    y = made(torch, forward, lambda ctx, g: g * 3).apply(t)
    claim.same(y, t)
    claim.true(t._version > 0, "its version is later")
    y.sum().backward()
    claim.equal(x.grad, [3.0])


@clause("CF-9", f"{CTX}.mark_dirty")
def dirty_wrongly(torch: Any, claim: Claim) -> None:
    """Marking dirty what is not returned raises, and so does a leaf that requires grad."""

    def unreturned(ctx: Any, x: Any) -> Any:
        x.mul_(3)
        ctx.mark_dirty(x)
        return x * 2

    def returned(ctx: Any, x: Any) -> Any:
        x.mul_(3)
        ctx.mark_dirty(x)
        return x

    x = leaf(torch, 1.0)
    with claim.raises(RuntimeError, "marked as dirty during the forward method were not returned as output"):
        made(torch, unreturned, lambda ctx, g: g).apply(x * 1)
    with claim.raises(RuntimeError, "a leaf Variable that requires grad"):
        made(torch, returned, lambda ctx, g: g).apply(x)


@clause("CF-10", f"{CTX}.mark_non_differentiable")
def non_differentiable(torch: Any, claim: Claim) -> None:
    """An output marked non-differentiable does not require grad; backward gets zeros for it."""
    seen = []

    def forward(ctx: Any, x: Any) -> Any:
        y = x * 3
        ctx.mark_non_differentiable(y)
        return x * 2, y

    def backward(ctx: Any, a: Any, b: Any) -> Any:
        seen.append(b.tolist())
        return a * 2

    x = leaf(torch, 1.0)
    a, b = made(torch, forward, backward).apply(x)
    claim.true(a.requires_grad, "the first output requires grad")
    claim.true(not b.requires_grad, "the marked output does not require grad")
    a.sum().backward()
    claim.equal(seen, [[0.0]])


@clause("CF-12", f"{CTX}.set_materialize_grads")
def materialised(torch: Any, claim: Claim) -> None:
    """A gradient that never arrives reaches backward as zeros; after set_materialize_grads(False) as None."""
    seen = []

    def forward(materialize: bool) -> Any:
        def run(ctx: Any, x: Any) -> Any:
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3

        return run

    def backward(ctx: Any, a: Any, b: Any) -> Any:
        seen.append(None if b is None else b.tolist())
        return a * 2

    x = leaf(torch, 1.0)
    for materialize in (True, False):
        made(torch, forward(materialize), backward).apply(x)[0].sum().backward()
    claim.equal(seen, [[0.0], None])


@clause("CF-15", "notes/extending (note on ctx attributes)")
def attributes_carry_nothing(torch: Any, claim: Claim) -> None:
    """A tensor computed in forward and kept as an attribute of ctx carries no gradient into double backward."""

    def forward(ctx: Any, x: Any) -> Any:
        ctx.twice = x * 2
        return x * x

    x = leaf(torch, 3.0)
    y = made(torch, forward, lambda ctx, g: g * ctx.twice).apply(x)
    (g,) = torch.autograd.grad(y, x, leaf(torch, 1.0), create_graph=True)
    claim.equal(g, [6.0])
    claim.none(torch.autograd.grad(g, x, torch.tensor([1.0]), allow_unused=True)[0])


@clause("CF-25", NOTES)
def cleared_on_access(torch: Any, claim: Claim) -> None:
    """With clear_saved_tensors_on_access a class's saved tensors are freed when they are first read."""

    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        with claim.raises(RuntimeError):
            _ = ctx.saved_tensors
        return g * 2 * x

    x = leaf(torch, 3.0)
    made(torch, forward, backward, clear_saved_tensors_on_access=True).apply(x).sum().backward()
    claim.equal(x.grad, [6.0])


@clause("CF-27", f"{CTX}.save_for_forward")
def saved_for_forward(torch: Any, claim: Claim) -> None:
    """save_for_forward makes tensors available to jvp as saved_tensors, whatever save_for_backward holds."""

    def forward(ctx: Any, x: Any, y: Any) -> Any:
        ctx.save_for_backward(x, y)
        ctx.save_for_forward(y)
        return x * y

    def rule(ctx: Any, tangent: Any, _: Any) -> Any:
        (y,) = ctx.saved_tensors
        return tangent * y

    product = made(torch, forward, lambda ctx, g: (g, g), jvp=staticmethod(rule))
    forward_ad = torch.autograd.forward_ad
    with forward_ad.dual_level():
        x = forward_ad.make_dual(torch.tensor([2.0]), torch.tensor([1.0]))
        y = product.apply(x, torch.tensor([7.0]))
        claim.equal(forward_ad.unpack_dual(y).tangent, [7.0])
