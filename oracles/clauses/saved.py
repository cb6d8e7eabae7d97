"""Clauses on hooks for saved tensors."""

from __future__ import annotations

import threading
from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

HOOKS = "torch.autograd.graph.saved_tensors_hooks"
NOTES = "notes/autograd › Hooks for saved tensors"


@clause("SH-1", HOOKS)
def packs_and_unpacks(torch: Any, claim: Claim) -> None:
    """pack runs once for every tensor saved in the context, unpack at each read of what was saved."""
    x = torch.tensor(2.0, requires_grad=True)
    y = torch.tensor(3.0, requires_grad=True)
    seen = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: (seen.append(("pack", t.item())), t)[1], lambda t: (seen.append(("unpack", t.item())), t)[1]
    ):
        z = x * y
    claim.equal(sorted(seen), [("pack", 2.0), ("pack", 3.0)])
    z.backward(retain_graph=True)
    z.backward()
    claim.equal(sorted(seen)[2:], [("unpack", 2.0), ("unpack", 2.0), ("unpack", 3.0), ("unpack", 3.0)])
    claim.equal(x.grad, 6.0)


@clause("SH-2", NOTES)
def packs_anything(torch: Any, claim: Claim) -> None:
    """pack may return any object; unpack must return a tensor, or TypeError is raised."""
    x = torch.tensor(2.0, requires_grad=True)
    kept = {}

    def pack(t: Any) -> str:
        kept["x"] = t
        return "x"

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda name: kept[name]):
        y = x.sin()
    y.backward()
    claim.equal(x.grad, torch.tensor(2.0).cos())
    with torch.autograd.graph.saved_tensors_hooks(lambda t: "x", lambda name: name):
        y = x.sin()
    with claim.raises(TypeError, "Output of saved tensor unpack_hook expected to be a Tensor"):
        y.backward()


@clause("SH-3", HOOKS)
def innermost(torch: Any, claim: Claim) -> None:
    """Where contexts are nested, only the innermost pair applies."""
    x = torch.tensor(2.0, requires_grad=True)
    seen = []
    graph = torch.autograd.graph
    with (
        graph.saved_tensors_hooks(lambda t: (seen.append("outer"), t)[1], lambda t: t),
        graph.saved_tensors_hooks(lambda t: (seen.append("inner"), t)[1], lambda t: t),
    ):
        x.sin()
    claim.equal(seen, ["inner"])


@clause("SH-4", NOTES)
def no_writing(torch: Any, claim: Claim) -> None:
    """A pack hook that writes into its input raises."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    with (
        torch.autograd.graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t),
        claim.raises(RuntimeError, "A saved tensor pack hook is modifying its input in place"),
    ):
        y.sin()


@clause("SH-5", NOTES)
def content_suffices(torch: Any, claim: Claim) -> None:
    """What unpack returns need only have the same content: through a detached copy, double backward works."""
    x = torch.tensor(2.0, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        y = x * x * x
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    claim.equal(g, 12.0)
    (h,) = torch.autograd.grad(g, x)
    claim.equal(h, 12.0)
    z = torch.tensor(0.0, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        y = z.exp()
    (g,) = torch.autograd.grad(y, z, create_graph=True)
    claim.equal(torch.autograd.grad(g, z), [1.0])


@clause("SH-6", "notes/autograd › Hooks for saved tensors (note)")
def not_recorded(torch: Any, claim: Claim) -> None:
    """Pack hooks run with recording off."""
    x = torch.tensor(2.0, requires_grad=True)
    seen = []

    def pack(t: Any) -> Any:
        seen.append((torch.is_grad_enabled(), (t * 2).requires_grad))
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        x.sin()
    claim.equal(seen, [(False, False)])


@clause("SH-7", "torch.autograd.graph.disable_saved_tensors_hooks")
def disabled(torch: Any, claim: Claim) -> None:
    """Within disable_saved_tensors_hooks installing hooks raises its message; entering it under hooks raises too."""
    graph = torch.autograd.graph
    with graph.disable_saved_tensors_hooks("not here"), claim.raises(RuntimeError, "not here"):
        graph.saved_tensors_hooks(lambda t: t, lambda t: t).__enter__()
    with (
        graph.saved_tensors_hooks(lambda t: t, lambda t: t),
        claim.raises(RuntimeError, "not here either"),
    ):
        graph.disable_saved_tensors_hooks("not here either").__enter__()


@clause("SH-8", "notes/autograd › Registering hooks for a saved tensor")
def registered_on_one(torch: Any, claim: Claim) -> None:
    """_raw_saved_*.register_hooks packs at once; a second registration raises, and one after freeing does."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x.sin()
    seen = []
    raw = y.grad_fn._raw_saved_self
    raw.register_hooks(lambda t: (seen.append("pack"), t)[1], lambda t: (seen.append("unpack"), t)[1])
    claim.equal(seen, ["pack"])
    with claim.raises(RuntimeError, "already been set"):
        raw.register_hooks(lambda t: t, lambda t: t)
    y.backward()
    claim.equal(seen, ["pack", "unpack"])
    with claim.raises(RuntimeError, "freed"):
        raw.register_hooks(lambda t: t, lambda t: t)


@clause("SH-9", "torch.autograd.graph.save_on_cpu")
def on_the_cpu(torch: Any, claim: Claim) -> None:
    """save_on_cpu is such a pair of hooks, and leaves results as they are."""
    x = torch.tensor(2.0, requires_grad=True)
    with torch.autograd.graph.save_on_cpu():
        y = x * x
    claim.different(y.grad_fn._saved_self, x)
    y.backward()
    claim.equal(x.grad, 4.0)


@clause("SH-10", "notes/autograd › Registering default hooks")
def per_thread(torch: Any, claim: Claim) -> None:
    """The hooks are those of the thread that set them."""
    x = torch.tensor(2.0, requires_grad=True)
    seen = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (seen.append(t), t)[1], lambda t: t):
        other = threading.Thread(target=lambda: x.sin())
        other.start()
        other.join()
        claim.equal(len(seen), 0)
        x.sin()
    claim.equal(len(seen), 1)


@clause("SH-11", "behaviour")
def numbers_and_functions(torch: Any, claim: Claim) -> None:
    """A Python number that stands for a tensor passes no hook; what a custom Function saves does."""

    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    x = torch.tensor(2.0, requires_grad=True)
    seen = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (seen.append(t), t)[1], lambda t: t):
        x * 3
        claim.equal(len(seen), 0)
        Double.apply(x)
    claim.equal(len(seen), 1)


@clause("SH-12", "notes/autograd › Registering default hooks (note)")
def no_reuse(torch: Any, claim: Claim) -> None:
    """Under hooks a saved input is no longer the very tensor, but another one with its content."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        y = x * x
    claim.different(y.grad_fn._saved_self, x)
    claim.different(y.grad_fn._saved_self, y.grad_fn._saved_other)
    claim.equal(y.grad_fn._saved_self.data_ptr(), x.data_ptr())
