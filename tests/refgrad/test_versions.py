"""Versions, the gradients that tensors hold, and memory (contract: IP-14, AC-1 to AC-13)."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import refgrad
from refgrad.versions import KEPT, Version, increment_version, short_name
from tests.refgrad.twins import compare, each

SNIPPETS = {
    "AC-1 and AC-2 layouts": """
        for w in (
            torch.ones(2, 3).t().requires_grad_(), torch.ones(4)[::2].requires_grad_(),
            torch.ones(2, 3, 4).permute(2, 0, 1).requires_grad_(), torch.ones(1, 3).expand(2, 3).requires_grad_(),
        ):
            (w * 2).sum().backward()
            show(w.grad, w.grad.stride(), w.grad._is_view())
        """,
    "AC-3 in place": """
        w = leaf()
        (w * 2).sum().backward()
        g = w.grad
        (w * 2).sum().backward()
        show(g is w.grad, g, g._version)
        (w * 2).sum().backward()
        show(g is w.grad, g._version)
        """,
    "AC-4 with a graph": """
        w = leaf()
        (w * 2).sum().backward()
        g = w.grad
        (w * w).sum().backward(create_graph=True)
        show(g is w.grad, g, w.grad.requires_grad)
        """,
    "AC-5 a gradient that was assigned": """
        warnings.simplefilter("ignore")  # PyTorch says once that another layout may be slower
        w = leaf(2, 3)
        w.grad = g = torch.zeros(3, 2).t()
        (w * 2).sum().backward()
        show(w.grad is g, w.grad.stride(), w.grad)
        """,
    "AC-7 assigning": """
        w = leaf()
        def assign(value):
            w.grad = value
        fails(lambda: assign(w))
        fails(lambda: assign(3))
        fails(lambda: assign(torch.ones(2)))
        fails(lambda: assign(torch.ones(3, dtype=torch.float64)))
        fails(lambda: assign(None))
        assign(torch.ones(3))
        del w.grad
        show(w.grad)
        """,
    "AC-11 grad_dtype": """
        warnings.simplefilter("ignore")  # PyTorch looks at the .grad of what is no leaf, and warns itself of that
        w = leaf()
        show(w.grad_dtype, torch.ones(2, dtype=torch.int64).grad_dtype)
        w.grad_dtype = torch.float64
        (w * 2).sum().backward()
        show(w.grad, torch.autograd.grad((w * 2).sum(), w))
        def assign(value):
            w.grad = value
        def choose(t, kind):
            t.grad_dtype = kind
        fails(lambda: assign(torch.ones(3)))
        fails(lambda: choose(w, torch.float32))
        w.grad = None
        w.grad_dtype = None
        show(w.grad_dtype)
        (w * 2).sum().backward()
        show(w.grad.dtype)
        fails(lambda: assign(torch.ones(3, dtype=torch.float16)))
        y = w * 2
        fails(lambda: y.grad_dtype)
        fails(lambda: choose(y, torch.float64))
        fails(lambda: choose(w, 3))
        w = leaf()
        l = w.sum()
        w.grad_dtype = torch.float16
        l.backward()
        show(w.grad)
        """,
    "AC-6, AC-12 and AC-13": """
        w, b = leaf(), leaf(1)
        show(w.grad)
        (w + b).sum().backward()
        show(w.grad, b.grad, w.grad.requires_grad)
        """,
    "a gradient written to between passes": """
        w = leaf()
        (w * 2).sum().backward()
        w.grad.zero_()
        (w * 3).sum().backward()
        show(w.grad)
        w.grad.mul_(2)
        with torch.no_grad():
            w -= 0.5 * w.grad
        show(w, w._version)
        """,
    "a retained graph and versions": """
        x = leaf()
        y = x.exp()
        y.sum().backward(retain_graph=True)
        y.sum().backward(retain_graph=True)
        show(x.grad)
        y.add_(1)
        fails(lambda: y.sum().backward())
        show(x.grad)
        """,
}


MUTATIONS = {
    "IP-15 backward uses the values from before": """
        x = leaf()
        with allow():
            y = x * 2
            z = y.sin()
            y.add_(1)
            w = z * y
            y.mul_(0)
            w.sum().backward()
            show(x.grad)
            y = x * 2
            z = y.exp()
            y.add_(1)
            z.mul_(3)
            z[0] = 0
            z.sum().backward()
            show(x.grad)
            y = x * 2
            v = y[:2]
            z = v.sin()
            y.zero_()
            z.sum().backward(retain_graph=True)
            z.sum().backward()
            show(x.grad)
            c = torch.ones(3)
            z = x * c
            c.data.zero_()
            c.detach().add_(5)
            z.sum().backward()
            show(x.grad)
            z = x.sin()
            fails(lambda: x.add_(1))
            with torch.no_grad():
                x.add_(1)
            z.sum().backward()
            show(x.grad)
            y = x * 2
            z = y.sin()
            y.mul_(3)
            g, = torch.autograd.grad(z.sum(), x, create_graph=True)
            show(g, torch.autograd.grad(g.sum(), x))
        """,
    "IP-15 not outside": """
        x = leaf()
        with allow():
            y = x * 2
            z = y.sin()
            s = y + 1
            y.add_(1)
        fails(lambda: z.sum().backward())
        with allow():
            y = x * 2
            z = y.sin()
        fails(lambda: z.sum().backward())
        with allow():
            fails(lambda: z.sum().backward())
        s.sum().backward()
        show(x.grad)
        """,
    "IP-15 no nesting, and nothing from before": """
        x = leaf()
        y = x * 2
        z = y.sin()
        with allow():
            fails(lambda: allow().__enter__())
            y.add_(1)
            fails(lambda: z.sum().backward())
        y = x * 2
        z = y.sin()
        y.add_(1)
        fails(lambda: z.sum().backward())
        """,
}


@each(MUTATIONS)
def test_writing_over_what_was_saved(source: str) -> None:
    """Within the context both go back with the values from before the write."""
    compare(source)


@each(SNIPPETS)
def test_both_show_the_same(source: str) -> None:
    """Both libraries show the same, errors and their words included."""
    compare(source)


def test_increment_version() -> None:
    """IP-14: other writers are noticed; inference tensors are passed over."""
    n, x = refgrad.ones(3), refgrad.ones(3, requires_grad=True)
    product = (n * x).sum()
    increment_version(n)
    assert n._version == 1
    with pytest.raises(RuntimeError, match="is at version 1; expected version 0 instead"):
        product.backward()
    increment_version([n, n])
    assert n._version == 3
    with refgrad.inference_mode():
        t = refgrad.ones(3)
    increment_version(t)
    with pytest.raises(RuntimeError, match="increment_version expect a Iterable"):
        increment_version(3)  # type: ignore[arg-type]


def test_old_versions_are_not_made_up() -> None:
    """Past the stamps that are kept, the message says before which version, and the change is noticed all the same."""
    x, n = refgrad.ones(3, requires_grad=True), refgrad.ones(3)
    product = (x * n).sum()
    for _ in range(KEPT + 10):
        n.add_(1)
    with pytest.raises(
        RuntimeError, match=f"is at version {KEPT + 10}; expected a version before 10 instead"
    ):
        product.backward()


def test_versions_at_a_time() -> None:
    """A version knows what it was at a time."""
    version = Version()
    first = version.write()
    second = version.write()
    assert [version.at(n) for n in (first - 1, first, second)] == [0, 1, 2]
    assert version.changed_since(first)
    assert not version.changed_since(second)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("MulBackward0", "Mul"),
        ("MaskedFillBackward1", "MaskedFill1"),
        ("FBackward", "F"),
        ("torch::autograd::CopyBackwards", "torch::autograd::CopyBackwards"),
    ],
)
def test_names_in_messages(name: str, short: str) -> None:
    """Messages leave `Backward` out of names, and the number of the first overload."""
    assert short_name(name) == short


def plain(t: Any) -> Any:
    """A write that saves nothing."""
    y = t * 2
    y.mul_(3)
    return y


def saving(t: Any) -> Any:
    """Writes that save what they overwrite, and what they make."""
    y = t * 2
    y.mul_(t)
    y.exp_()
    return y


def through_views(t: Any) -> Any:
    """Writes through views, and to the base of them."""
    y = t * 2
    v, w = y[:2], y.view(3, 1)
    v.mul_(t[1:])
    w.sin_()
    y[0] = v[1]
    return w


def retaining(t: Any) -> Any:
    """A write to a view of what retains its gradient."""
    y = t * 2
    y.retain_grad()
    y[1:].exp_()
    return y


@pytest.mark.parametrize("history", [plain, saving, through_views, retaining])
@pytest.mark.parametrize("run", [False, True])
def test_memory_is_freed_without_a_collector(history: Callable[[Any], Any], run: bool) -> None:
    """No cycles: the graph, its views and what they saved go when the last reference goes."""
    gc.collect()
    gc.disable()
    try:
        x = refgrad.ones(3, requires_grad=True)
        y = history(x)
        if run:
            y.sum().backward()
        dead = [
            weakref.ref(y),
            *(weakref.ref(held()) for held in y._state.version.views if held() is not None),
        ]
        del y
        assert [ref() for ref in dead] == [None] * len(dead)
        leaf = weakref.ref(x)
        del x
        assert leaf() is None
    finally:
        gc.enable()
