"""Hooks on what custom Functions save, and on their nodes: run on torch and on refgrad."""

import importlib

from .beside import attempt, function, leaf, scenarios

scenario, test_the_same_on_torch = scenarios()


def noting(told):
    """A pair of hooks that notes what passes."""

    def pack(t):
        told.append(["pack", t, t.grad_fn is None])
        return "packed", t

    def unpack(packed):
        told.append(["unpack", packed[1].detach()])
        return packed[1] * 1

    return pack, unpack


def saving(ctx, x, w):
    """A forward that saves inputs, nothing, and its output."""
    y = x * w
    ctx.save_for_backward(x, None, y, w)
    return y


@scenario
def hooks_on_what_is_saved(torch):  # SH-11
    """Default hooks see every tensor, and what they give back is what backward reads."""
    x, w = leaf(torch, 1, 2), torch.tensor([3.0, 4.0], dtype=torch.float64)
    told, read = [], []

    def backward(ctx, g):
        read.append([ctx.saved_tensors, [t is not None and t.grad_fn is not None for t in ctx.saved_tensors]])
        return g * ctx.saved_tensors[3], None

    hooks = importlib.import_module(f"{torch.__name__}.autograd.graph").saved_tensors_hooks
    with hooks(*noting(told)):
        y = function(torch, saving, backward).apply(x, w)
        with torch.no_grad():
            function(torch, saving, backward).apply(x, w)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True, retain_graph=True)
    yield g, told, read
    y.sum().backward()
    yield x.grad, read
    with hooks(lambda t: t, lambda t: 3):
        y = function(torch, saving, backward).apply(x, w)
    yield attempt(lambda: y.sum().backward())


@scenario
def hooks_on_one_saved_tensor(torch):
    """Once, on a tensor, while it is there."""
    x, w = leaf(torch, 1, 2), torch.tensor([3.0, 4.0], dtype=torch.float64)
    told = []
    y = function(torch, saving, lambda ctx, g: (g * ctx.saved_tensors[3], None)).apply(x, w)
    raw = y.grad_fn._raw_saved_tensors
    yield len(raw)
    for place in (1, 0, 0, 2, 3):
        yield attempt(lambda place=place: raw[place].register_hooks(*noting(told)))
    yield attempt(lambda: raw[2].register_hooks(3, 4)) is not None
    y.sum().backward()
    yield x.grad, told
    yield attempt(lambda: y.grad_fn._raw_saved_tensors)


@scenario
def hooks_on_the_node(torch):
    """Before and after a custom Function, registered on it or in its forward."""
    x = leaf(torch, 1, 2)
    told = []

    def forward(ctx, x):
        return x * 2, x * 3, 7

    y, *_ = function(torch, forward, lambda ctx, g, h, k: g * 2 + h * 3).apply(x)
    y.register_hook(lambda g: told.append(["tensor", g]))
    y.grad_fn.register_prehook(lambda gs: told.append(["before", gs]))
    y.grad_fn.register_hook(lambda given, gs: told.append(["after", given, gs]))
    y.grad_fn.metadata["a"] = 1
    (y * 2).sum().backward()
    yield told, x.grad, y.grad_fn.metadata
