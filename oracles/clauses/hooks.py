"""Clauses on hooks: of tensors, of nodes, after accumulation, and over several tensors."""

from __future__ import annotations

from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

ORDER = "notes/autograd › The order in which the different hooks are fired"
FIRED = "notes/autograd › Whether a particular hook will be fired"


@clause("HK-1", "torch.Tensor.register_hook")
def replaces(torch: Any, claim: Claim) -> None:
    """A tensor's hook is called with its gradient; a tensor that it returns replaces it, None leaves it."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    (y * 3).sum().backward()
    claim.equal(seen, [[3.0, 3.0]])
    claim.equal(x.grad, [60.0, 60.0])


@clause("HK-2", "torch.Tensor.register_hook")
def removed(torch: Any, claim: Claim) -> None:
    """Registering returns a handle; its remove() takes the hook away, and may be called twice."""
    x = torch.tensor(2.0, requires_grad=True)
    handle = x.register_hook(lambda g: g * 10)
    handle.remove()
    handle.remove()
    (x * 3).backward()
    claim.equal(x.grad, 3.0)


@clause("HK-3", ORDER)
def in_order(torch: Any, claim: Claim) -> None:
    """Hooks of one kind run in the order of registration, and later ones see what earlier ones changed."""
    x = torch.tensor(2.0, requires_grad=True)
    seen = []
    x.register_hook(lambda g: (seen.append(g.item()), g + 1)[1])
    x.register_hook(lambda g: (seen.append(g.item()), g * 2)[1])
    (x * 3).backward()
    claim.equal(seen, [3.0, 4.0])
    claim.equal(x.grad, 8.0)


@clause("HK-4", ORDER)
def order_at_a_leaf(torch: Any, claim: Claim) -> None:
    """At a leaf: its hooks, pre-hooks of its node, accumulation, hooks after accumulation, post-hooks of its node."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    node = y.grad_fn.next_functions[0][0]
    seen = []
    node.register_hook(lambda gi, go: seen.append(("post", x.grad is not None)))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(("accumulated", p.grad is not None)))
    node.register_prehook(lambda go: seen.append(("pre", x.grad is not None)))
    x.register_hook(lambda g: seen.append(("tensor", x.grad is not None)))
    y.backward()
    claim.equal(seen, [("tensor", False), ("pre", False), ("accumulated", True), ("post", True)])


@clause("HK-5", ORDER)
def retained_last(torch: Any, claim: Claim) -> None:
    """retain_grad stores what all of the tensor's hooks leave, whenever it was called; node pre-hooks come after it."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    y.retain_grad()
    y.register_hook(lambda g: g * 10)
    y.grad_fn.register_prehook(lambda go: (go[0] * 7,))
    (y * 1).backward()
    claim.equal(y.grad, 10.0)
    claim.equal(x.grad, 210.0)


@clause("HK-6", "torch.Tensor.register_post_accumulate_grad_hook")
def after_accumulation(torch: Any, claim: Claim) -> None:
    """A hook after accumulation gets the leaf itself once .grad is set; on a tensor that is no leaf it is refused."""
    x = torch.tensor(2.0, requires_grad=True)
    seen = []
    x.register_post_accumulate_grad_hook(lambda p: seen.append((p is x, p.grad.item())))
    y = x * 3
    y.backward()
    claim.equal(seen, [(True, 3.0)])
    with claim.raises(RuntimeError, "post accumulate grad hooks cannot be registered on non-leaf tensors"):
        y.register_post_accumulate_grad_hook(lambda p: None)


@clause("HK-7", "torch.Tensor.register_post_accumulate_grad_hook")
def without_recording(torch: Any, claim: Claim) -> None:
    """Hooks run with grad mode off, unless create_graph is asked for."""
    x = torch.tensor(2.0, requires_grad=True)
    seen = []
    x.register_hook(lambda g: seen.append(torch.is_grad_enabled()))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(torch.is_grad_enabled()))
    (x * x).backward()
    (x * x).backward(create_graph=True)
    claim.equal(seen, [False, False, True, True])


@clause("HK-8", "torch.autograd.graph.Node.register_hook")
def node_hook(torch: Any, claim: Claim) -> None:
    """A node's hook gets the gradients of its inputs and of its outputs, and may return others for its inputs."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    seen = []

    def hook(inputs: Any, outputs: Any) -> Any:
        seen.append((inputs[0].item(), outputs[0].item()))
        return (inputs[0] * 10, *inputs[1:])

    y.grad_fn.register_hook(hook)
    y.backward(torch.tensor(5.0))
    claim.equal(seen, [(15.0, 5.0)])
    claim.equal(x.grad, 150.0)


@clause("HK-9", "torch.autograd.graph.Node.register_prehook")
def node_prehook(torch: Any, claim: Claim) -> None:
    """A node's pre-hook gets the gradients of its outputs, and may return others before the node runs."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    y.grad_fn.register_prehook(lambda outputs: (outputs[0] + 1,))
    y.backward(torch.tensor(5.0))
    claim.equal(x.grad, 18.0)


@clause("HK-10", FIRED)
def not_executed(torch: Any, claim: Claim) -> None:
    """grad(inputs=t) fires the hooks of t, but none of t's own node, which does not run."""
    x = torch.tensor(2.0, requires_grad=True)
    t = x * 3
    seen = []
    t.register_hook(lambda g: seen.append("tensor"))
    t.grad_fn.register_prehook(lambda go: seen.append("pre"))
    t.grad_fn.register_hook(lambda gi, go: seen.append("post"))
    torch.autograd.grad(t * 2, t)
    claim.equal(seen, ["tensor"])


@clause("HK-11", FIRED)
def executed(torch: Any, claim: Claim) -> None:
    """backward(inputs=[leaf]) runs the leaf's node, so hooks of every kind fire."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    node = y.grad_fn.next_functions[0][0]
    seen = []
    x.register_hook(lambda g: seen.append("tensor"))
    node.register_prehook(lambda go: seen.append("pre"))
    node.register_hook(lambda gi, go: seen.append("post"))
    x.register_post_accumulate_grad_hook(lambda p: seen.append("accumulated"))
    y.backward(inputs=[x])
    claim.equal(seen, ["tensor", "pre", "accumulated", "post"])


@clause("HK-12", "notes/autograd › Behavior of Tensor hooks when Tensor is modified in-place")
def stays_with_its_node(torch: Any, claim: Claim) -> None:
    """A hook registered before an in-place op sees the gradient with respect to the value before it."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    seen = []
    y.register_hook(lambda g: seen.append(("before", g.item())))
    y.mul_(10)
    y.register_hook(lambda g: seen.append(("after", g.item())))
    y.backward()
    claim.equal(seen, [("after", 1.0), ("before", 10.0)])


@clause("HK-13", "torch.autograd.graph.register_multi_grad_hook")
def all_gradients(torch: Any, claim: Claim) -> None:
    """register_multi_grad_hook calls once per backward, when every gradient is there; None for one not involved."""
    x, y, z = (torch.tensor(v, requires_grad=True) for v in (2.0, 3.0, 4.0))
    seen = []
    torch.autograd.graph.register_multi_grad_hook(
        (x, y, z), lambda gs: seen.append([None if g is None else g.item() for g in gs])
    )
    (x * y).backward()
    claim.equal(seen, [[3.0, 2.0, None]])
    (x * y * z).backward()
    claim.equal(seen[1:], [[12.0, 8.0, 6.0]])


@clause("HK-14", "torch.autograd.graph.register_multi_grad_hook")
def any_gradient(torch: Any, claim: Claim) -> None:
    """With mode="any" it calls once per backward, with the first gradient; other modes raise ValueError."""
    x, y = (torch.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    seen = []
    torch.autograd.graph.register_multi_grad_hook((x, y), lambda g: seen.append(g.item()), mode="any")
    (x * y).backward()
    claim.equal(len(seen), 1)
    claim.true(seen[0] in (3.0, 2.0), "the gradient of one of the two")
    (x * y).backward()
    claim.equal(len(seen), 2)
    with claim.raises(ValueError, "mode"):
        torch.autograd.graph.register_multi_grad_hook((x, y), lambda g: None, mode="first")


@clause("HK-15", "torch.Tensor.register_hook (behaviour)")
def needs_grad(torch: Any, claim: Claim) -> None:
    """Registering a hook on a tensor that does not require grad raises."""
    x = torch.tensor(2.0)
    with claim.raises(RuntimeError, "cannot register a hook on a tensor that doesn't require gradient"):
        x.register_hook(lambda g: None)


@clause("HK-16", "torch.Tensor.retain_grad")
def retains(torch: Any, claim: Claim) -> None:
    """retain_grad keeps .grad of a tensor that is no leaf; twice is as once, a leaf has it anyway, passes add up."""
    x = torch.tensor(2.0, requires_grad=True)
    x.retain_grad()
    y = x * 3
    y.retain_grad()
    y.retain_grad()
    z = y * 5
    z.backward(retain_graph=True)
    z.backward()
    claim.equal(y.grad, 10.0)
    claim.true(y.retains_grad, "y.retains_grad is True")
    claim.true(not x.retains_grad, "x.retains_grad is False: a leaf")


@clause("HK-17", "torch.Tensor.retain_grad (behaviour)")
def retain_follows(torch: Any, claim: Claim) -> None:
    """After a write in place, retained .grad is with respect to the tensor's latest value."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    y.retain_grad()
    y.mul_(10)
    (y * 1).backward()
    claim.equal(y.grad, 1.0)
    claim.equal(x.grad, 30.0)


@clause("HK-18", "torch.Tensor.register_hook (behaviour)")
def rubbish(torch: Any, claim: Claim) -> None:
    """A hook that returns another shape or no tensor raises; an exception in a hook ends the backward as it is."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    handle = x.register_hook(lambda g: torch.tensor([1.0, 2.0, 3.0]))
    with claim.raises(RuntimeError, "has changed the size of value"):
        (x * 3).sum().backward()
    handle.remove()
    handle = x.register_hook(lambda g: "rubbish")
    with claim.raises(TypeError, "expected Variable, but hook returned 'str'"):
        (x * 3).sum().backward()
    handle.remove()
    x.register_hook(lambda g: 1 // 0)
    with claim.raises(ZeroDivisionError):
        (x * 3).sum().backward()
    claim.none(x.grad)


@clause("HK-19", "behaviour")
def sees_the_total(torch: Any, claim: Claim) -> None:
    """A leaf's hook sees the sum over all of its uses, once per backward."""
    x = torch.tensor(2.0, requires_grad=True)
    seen = []
    x.register_hook(lambda g: seen.append(g.item()))
    (x * 3 + x * 4 + x * x).backward()
    (x * 3 + x * 4 + x * x).backward(create_graph=True)
    claim.equal(seen, [11.0, 11.0])
