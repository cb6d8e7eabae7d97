"""TH: several threads, with leaves and graphs in common."""

import sys
import threading
from collections import Counter

import pytest

import refgrad as torch


@pytest.fixture(autouse=True)
def _restless():
    """Threads take turns as often as the interpreter lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(function, threads=8):
    """Run `function(i)` in several threads at once; what each returned or raised."""
    ready, found = threading.Barrier(threads), [None] * threads

    def run(i):
        ready.wait()
        try:
            found[i] = function(i)
        except Exception as error:  # it is looked at by the test
            found[i] = error

    started = [threading.Thread(target=run, args=(i,)) for i in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return found


def leaf(*values):
    """A float64 leaf that requires grad."""
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_graphs_of_their_own_over_common_leaves():
    """TH-1: `grad` gives each thread the gradient of its own graph."""

    def work(i):
        y = x
        for _ in range(50):
            y = y * w + i
        return [g.tolist() for g in torch.autograd.grad(y.sum(), [x, w])]

    for _ in range(5):
        x, w = leaf(1.0, 0.5), leaf(0.9, 1.1)
        expected = [work(i) for i in range(8)]
        x, w = leaf(1.0, 0.5), leaf(0.9, 1.1)
        assert together(work) == expected


def test_a_leaf_has_one_node_however_many_threads_use_it_first():
    """Two nodes for one leaf would split its gradient."""
    for _ in range(200):
        x = leaf(1.0)
        nodes = together(lambda i, x=x: (x * 2).grad_fn.next_functions[0][0])
        assert len({id(node) for node in nodes}) == 1


def test_a_common_graph_is_freed_once():
    """TH-2: of the passes that free what was saved one gets through; the others raise as a second pass does."""
    for _ in range(50):
        x = leaf(1.0, 2.0)
        shared = x.exp().sin().exp()
        answers = together(lambda i, shared=shared, x=x: torch.autograd.backward(shared.sum()))
        kinds = Counter(type(a) for a in answers)
        assert kinds == {type(None): 1, RuntimeError: 7}
        assert all("Trying to backward through the graph a second time" in str(a) for a in answers if a)


def test_one_pass_after_the_other_over_a_common_part():
    """TH-2: a thread that comes later finds the common part freed, and its own part not."""
    x = leaf(1.0, 2.0)
    shared = x.exp()
    ends = [(shared * i).sin().sum() for i in range(1, 4)]
    together(lambda i: ends[0].backward(), threads=1)
    (error,) = together(lambda i: ends[1].backward(), threads=1)
    assert isinstance(error, RuntimeError)
    assert "retain_graph=True" in str(error)


def test_a_retained_graph_serves_all():
    """With `retain_graph` every thread gets its gradient."""
    x = leaf(1.0, 2.0)
    y = (x.exp() * x).sum()
    expected = torch.autograd.grad(y, x, retain_graph=True)[0].tolist()
    found = together(lambda i: torch.autograd.grad(y, x, retain_graph=True)[0].tolist())
    assert found == [expected] * 8


def test_hooks_and_modes_belong_to_their_threads():
    """Each thread packs with its own hooks, in its own mode, and gathers its own gradients."""

    def work(i):
        packed = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(i) or t.detach(), lambda t: t):
            y = x * x
        with torch.no_grad():
            quiet = (x * x).requires_grad
        return packed, quiet, torch.autograd.grad(y.sum(), x)[0].tolist()

    x = leaf(1.0, 2.0)
    assert together(work) == [([i, i], False, [2.0, 4.0]) for i in range(8)]


def test_a_hook_for_several_gathers_by_pass():
    """HK-13: gradients of passes that run at once are not mixed."""
    a, b = leaf(1.0), leaf(2.0)
    seen = []
    torch.autograd.graph.register_multi_grad_hook((a, b), lambda gs: seen.append([g.item() for g in gs]))

    def work(i):
        for _ in range(20):
            torch.autograd.backward((a * i + b * (i * 10)).sum())

    together(work)
    assert Counter(map(tuple, seen)) == {(float(i), float(i * 10)): 20 for i in range(8)}
