"""Long chains, leaves used often, wide and deep graphs: linear, without recursion, and freed without the collector."""

import gc
import sys

import pytest

import refgrad as torch


@pytest.fixture(autouse=True)
def _without_the_collector():
    """A cycle would stay, and growing graphs are not searched again and again."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def leaf(*values):
    """A float64 leaf that requires grad."""
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def chain(x, length):
    """A chain of ops that save their outputs."""
    for _ in range(length):
        x = x.tanh()
    return x


def freed(make):
    """The blocks of memory that `make` leaves behind each time; what the interpreter keeps for later, it keeps once."""
    left = sys.maxsize
    for _ in range(8):
        before = sys.getallocatedblocks()
        make()
        left = min(left, sys.getallocatedblocks() - before)
        if left < FEW:
            break
    return left


LENGTH = 10_000  # ten times the depth at which Python gives up recursion
FEW = 100


def dropped():
    """A chain that is never run."""
    chain(leaf(0.5), LENGTH)


def run():
    """A chain with one pass."""
    chain(leaf(0.5), LENGTH).sum().backward()


def kept():
    """A chain that keeps what it saved, and is dropped then."""
    chain(leaf(0.5), LENGTH).sum().backward(retain_graph=True)


def again():
    """A graph of a pass, and a pass through that."""
    x = leaf(0.5)
    (g,) = torch.autograd.grad(chain(x, LENGTH // 10).sum(), x, create_graph=True)
    g.sum().backward()


def again_dropped():
    """A graph of a pass that is never run."""
    x = leaf(0.5)
    torch.autograd.grad(chain(x, LENGTH // 10).sum(), x, create_graph=True)


def hooked():
    """A chain with hooks of three kinds on every node."""
    y = leaf(0.5)
    for _ in range(LENGTH // 10):
        y = y.tanh()
        y.register_hook(lambda g: g)
        y.grad_fn.register_hook(lambda sent, got: None)
        y.retain_grad()
    y.sum().backward()


def packed():
    """A chain whose saved tensors are packed."""
    x = leaf(0.5)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
        y = chain(x, LENGTH // 10)
    y.sum().backward()


def traced():
    """A chain with the traceback of each op."""
    with torch.autograd.set_detect_anomaly(True):
        chain(leaf(0.5), LENGTH // 20).sum().backward()


@pytest.mark.parametrize(
    "make", [dropped, run, kept, again, again_dropped, hooked, packed, traced], ids=lambda make: make.__name__
)
def test_graphs_are_freed(make):
    """Nothing of some ten thousand objects stays, but for what the interpreter keeps for later."""
    assert freed(make) < FEW


def test_a_cycle_would_be_noticed():
    """A graph that holds itself stays, and is counted."""

    def cyclic():
        y = chain(leaf(0.5), 1000)
        y.grad_fn.metadata["self"] = y

    assert freed(cyclic) > 1000
    gc.collect()


def test_a_gradient_that_nothing_else_holds_is_not_copied(monkeypatch):
    """The array that a formula made becomes the gradient; one that a hook keeps, or the caller, is copied."""
    copied = []
    monkeypatch.setattr("refgrad.accumulate.store", lambda holder, g, create: copied.append(g))
    x, kept = leaf(1.0, 2.0), []
    (x * 2).sum().backward()
    assert not copied
    x.backward(torch.ones(2, dtype=torch.float64))
    leaf(1.0).backward()
    x.grad = None
    x.register_hook(kept.append)
    (x * 2).sum().backward()
    assert len(copied) == 2
    assert copied[-1] is kept[0].numpy()


def test_a_leaf_used_ten_thousand_times():
    """All of its gradient arrives, once."""
    x, seen = leaf(0.5), []
    x.register_hook(lambda g: seen.append(g.item()))
    y = x
    for _ in range(10_000):
        y = y + x
    y.sum().backward()
    assert x.grad.tolist() == [10_001.0]
    assert seen == [10_001.0]


@pytest.mark.parametrize("create", [False, True])
def test_as_wide_as_deep(create):
    """Each node waits for both that use it: the gradient of the middle is a row of binomial coefficients' sums."""
    width, depth = 100, 40
    x = leaf(1.0)
    row = [x * 1 for _ in range(width)]
    for _ in range(depth):
        row = [row[i] + row[i - 1] for i in range(width)]
    (g,) = torch.autograd.grad(sum(row[1:], row[0]).sum(), x, create_graph=create)
    assert g.tolist() == [width * 2.0**depth]


def test_a_chain_of_a_hundred_thousand_in_every_pass():
    """`grad`, `backward` with inputs, and a graph of the pass do not recurse."""
    x = leaf(0.5)
    y = x
    for _ in range(100_000):
        y = -y
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    y.sum().backward(inputs=[x], retain_graph=True)
    assert g.tolist() == x.grad.tolist() == [1.0]
