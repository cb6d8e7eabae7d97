"""Views, detach and data, on PyTorch and on refgrad (contract: RG-10 to RG-17, IP-6 to IP-12, IP-17)."""

import numpy as np
import pytest

import refgrad
from refgrad.op import REGISTRY
from refgrad.public import FUNCTIONS
from tests.refgrad.twins import compare, each

SNIPPETS = {
    "IP-6 a version is shared in both directions": """
        b = torch.ones(4)
        v = b[1:]
        w = v.view(3, 1)
        v.add_(1)
        show(b._version, v._version, w._version, b)
        b.mul_(2)
        w.zero_()
        show(b._version, v._version, w._version, b, v, w)
        show(v._is_view(), w._is_view(), b._is_view(), v._base is b, w._base is b, b._base)
        """,
    "IP-8 a write to a view": """
        x = leaf()
        y = x * 2
        v = y[:2]
        show(v.grad_fn)
        v.mul_(3)
        show(y, y.grad_fn, v.grad_fn, y._version)
        y.sum().backward()
        show(x.grad)
        """,
    "IP-8 a base that did not require grad": """
        b, x = torch.zeros(4), leaf(2)
        v = b[1:3]
        v.copy_(x)
        show(b, b.grad_fn, v, v.grad_fn)
        (b * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
        show(x.grad)
        b[0] = x[0]
        show(b.grad_fn, v.grad_fn)
        """,
    "IP-9 a write to the base": """
        x = leaf()
        y = x * 2
        v = y[:2]
        w = v[0:1]
        y.add_(1)
        show(v.grad_fn, w.grad_fn, v, w)
        with torch.no_grad():
            y.add_(1)
        show(v.grad_fn)
        v.mul_(3)
        show(y.grad_fn, v.grad_fn, w.grad_fn)
        (y.sum() + v.sum() * 10 + w.sum() * 100).backward()
        show(x.grad)
        """,
    "a view of a base that comes to require grad": """
        b = torch.zeros(3)
        v = b[:2]
        b.requires_grad_()
        show(v.requires_grad, v.grad_fn, v.is_leaf, (v * 2).grad_fn, (v + 1).requires_grad, v.sin().grad_fn)
        fails(lambda: v.add_(1))
        b.requires_grad_(False)
        show(v.requires_grad, (v * 2).requires_grad, v.add_(1))
        b = torch.zeros(3)
        v = b[:2]
        b.add_(1)
        b.requires_grad_()
        show(v.requires_grad, v.grad_fn, v.is_leaf)
        b, w = torch.zeros(3), leaf()
        v = b[:2]
        b.add_(w)
        show(v, v.grad_fn)
        v.sum().backward()
        show(w.grad)
        """,
    "a view that requires grad itself": """
        b = torch.zeros(3)
        v = b[:2].requires_grad_()
        show(v, b)
        (v * 3).sum().backward()
        show(v.grad, b.grad)
        fails(lambda: v.add_(1))
        """,
    "every view op": """
        x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
        acts = {
            "view": lambda y: y.view(3, 2), "reshape": lambda y: y.reshape(6), "transpose": lambda y: y.transpose(0, 1),
            "reshape of a transposed": lambda y: y.t().reshape(3, 2, 1), "t": lambda y: y.t(), "T": lambda y: y.T,
            "mT": lambda y: y.mT, "permute": lambda y: y.permute(1, 0), "unsqueeze": lambda y: y.unsqueeze(1),
            "squeeze": lambda y: y.squeeze(), "squeeze one": lambda y: y.squeeze(0), "select": lambda y: y[1],
            "element": lambda y: y[1, 2], "slice": lambda y: y[:, 1:], "steps": lambda y: y[:, ::2],
            "new": lambda y: y[None], "all": lambda y: y[:], "ellipsis": lambda y: y[...],
            "diagonal": lambda y: y.diagonal(), "off diagonal": lambda y: y.diagonal(1),
            "flatten": lambda y: y.flatten(), "expand": lambda y: y.expand(2, 3),
            "strided": lambda y: y.as_strided((2, 2), (3, 2)), "offset": lambda y: y.as_strided((2,), (2,), 1),
        }
        for name, act in acts.items():
            y = x * 2
            v = act(y)
            show(name, v._is_view(), v._base is y, v.grad_fn, v.stride(), v.storage_offset())
            v.mul_(3)
            show(y, y.grad_fn, v, v.grad_fn, y._version)
            x.grad = None
            (y * y).sum().backward()
            show(x.grad)
            y = x * 2
            v = act(y)
            y.exp_()
            show(v, v.grad_fn)
            x.grad = None
            (v * v).sum().backward()
            show(x.grad)
        """,
    "what is no view": """
        x = leaf(2, 3)
        for act in (
            lambda y: y.flip((0,)), lambda y: y.clone(), lambda y: y.t().reshape(6), lambda y: y[torch.tensor([0, 1])],
            lambda y: y.roll(1), lambda y: y.repeat(1, 1), lambda y: y.t().contiguous(), lambda y: y.tril(),
            lambda y: y.to(torch.float64), lambda y: y.detach(), lambda y: y.data, lambda y: y + 0,
        ):
            y = x * 2
            v = act(y)
            show(v._is_view(), v._base)
        y = torch.ones(2, 3)
        show(y.view(2, 3) is y, y.contiguous() is y, y.to(torch.float32) is y, y.flatten()._is_view())
        """,
    "a chain of writes": """
        x, w = leaf(4), leaf(2)
        y = x * 2
        a, b = y[:2], y[2:]
        a.mul_(b)
        b.add_(a)
        y.view(2, 2)[1].mul_(w)
        a.copy_(w * 3)
        show(y, y.grad_fn, a.grad_fn, b.grad_fn)
        (y * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
        show(x.grad, w.grad)
        """,
    "second order through a write to a view": """
        x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x * 2
        y[:2].mul_(x[1:])
        y[0].exp_()
        g, = torch.autograd.grad((y * y).sum(), x, create_graph=True)
        show(g)
        show(torch.autograd.grad((g * g).sum(), x))
        """,
    "second pass": """
        x = leaf()
        y = x * 2
        y[0] = 1
        y.sum().backward(retain_graph=True)
        y.sum().backward()
        show(x.grad)
        fails(lambda: y.sum().backward())
        """,
    "views by autograd.grad": """
        x = leaf()
        y = x * 2
        v = y[:2]
        v.mul_(3)
        show(torch.autograd.grad(y.sum(), x, retain_graph=True))
        show(torch.autograd.grad(v.sum(), x, retain_graph=True))
        fails(lambda: torch.autograd.grad(y.sum(), v))
        show(torch.autograd.grad(v.sum(), y))
        """,
    "version errors through views": """
        x = leaf()
        y = (x * 2)[:2]
        z = y.sin()
        y.add_(1)
        fails(lambda: z.sum().backward())
        y = x * 2
        z = y.sin()
        y[0] = 1
        fails(lambda: z.sum().backward())
        y = x.exp()
        y[:2].add_(1)
        fails(lambda: y.sum().backward())
        y = x.exp()
        y.detach().add_(1)
        fails(lambda: y.sum().backward())
        fails(lambda: y.grad_fn._saved_result)
        y = x * 2
        z = y.sin()
        y.copy_(x)
        fails(lambda: z.sum().backward())
        """,
    "IP-11 outputs of functions that return several views": """
        x = leaf()
        acts = {
            "split": lambda t: t.split(1), "chunk": lambda t: t.chunk(3), "sizes": lambda t: t.split([1, 2]),
            "unbind": lambda t: t.unbind(0),
        }
        for name, act in acts.items():
            for source in (x * 2, x, torch.ones(3)):
                o = act(source)
                show(name, o[0]._is_view(), o[0]._base is source, o[0].grad_fn)
                fails(lambda: o[0].add_(1))
                fails(lambda: o[0].add_(torch.ones((), requires_grad=True)))
            y = x * 2
            o = act(y)
            y.add_(1)
            fails(lambda: o[1].grad_fn)
            fails(lambda: o[0] * 2)
            fails(lambda: o[0].is_leaf)
            fails(lambda: torch.sin(o[0]))
            show(o[0].requires_grad)
            y = x * 2
            o = act(y)
            with torch.no_grad():
                o[0].add_(1)
                show((o[1] * 2).requires_grad)
            fails(lambda: o[1] * 2)
            y = x * 2
            p = act(y)[1].view(-1)
            show(p._base is y)
            fails(lambda: p.add_(1))
        q = (x * 2).view(3)
        o = q.unbind(0)
        q.add_(1)
        show(q.grad_fn)
        fails(lambda: o[0].grad_fn)
        """,
    "what is printed of an invalid view": """
        y = leaf() * 2
        o = y.unbind(0)
        v = y[:2]
        y.add_(1)
        show(repr(o[0]), repr(v), repr(y))
        """,
    "GM-17 views made in no_grad": """
        x = leaf()
        with torch.no_grad():
            v = x[:2]
        show(v.requires_grad, v.grad_fn, v.is_leaf, v._is_view(), v._base is x)
        show((v * 2).requires_grad)
        fails(lambda: v.add_(1))
        with torch.no_grad():
            v.add_(1)
            show((v * 2).requires_grad)
        show(x, v.requires_grad)
        fails(lambda: v.grad_fn)
        fails(lambda: v * 2)
        y = x * 2
        with torch.no_grad():
            v = y[:2]
            o = y.unbind(0)
        fails(lambda: v.add_(1))
        fails(lambda: o[0].add_(1))
        y.add_(1)
        fails(lambda: v.grad_fn)
        b = torch.ones(3)
        with torch.no_grad():
            v = b[:2]
        show(v.add_(1))
        fails(lambda: v.add_(x[:2]))
        """,
    "views of views made in every mode": """
        x = leaf(4)
        modes = (torch.enable_grad, torch.no_grad, torch.inference_mode)
        for first in modes:
            for second in modes:
                for several in (0, 1, 2, 3):
                    y = x * 2
                    with first():
                        v = y.split(2)[0] if several & 1 else y[:2]
                    with second():
                        w = v.split(1)[0] if several & 2 else v[:1]
                    fails(lambda: w.add_(1))
                    y.add_(1)
                    fails(lambda: w.grad_fn)
        """,
    "RG-10 detach": """
        x = leaf()
        y = x * 2
        d = y.detach()
        show(d, d.grad_fn, d._is_view(), d._version)
        d.add_(1)
        show(y, y._version)
        v = y[:2]
        show(v.detach()._is_view(), v.detach()._base, v.detach()[0]._is_view())
        """,
    "RG-11 a write through a detached alias is noticed": """
        x = leaf()
        y = x * 2
        z = y * y
        y.detach().zero_()
        fails(lambda: z.sum().backward())
        """,
    "RG-12 detach_": """
        x = leaf()
        y = x * 2
        show(y.detach_() is y, y, y._version)
        y = x * 2
        v = y[:2]
        fails(lambda: v.detach_())
        y.detach_()
        show(v.requires_grad, v.grad_fn, v._is_view())
        fails(lambda: v.mul_(2))
        fails(lambda: torch.ones(3)[:2].detach_())
        fails(lambda: x.detach_())
        show(x)
        """,
    "RG-14 a frozen leaf": """
        x, w = leaf(), leaf()
        (x * w).sum().backward()
        w.requires_grad_(False)
        (x * w).sum().backward()
        show(x.grad, w.grad)
        """,
    "RG-15 data is outside history": """
        x = leaf()
        y = x * 2
        z = y * y
        y.data.add_(1)
        show(y._version, y.data._version, y.data._is_view(), y.data)
        z.sum().backward()
        show(x.grad)
        """,
    "RG-16 factories": """
        with torch.no_grad():
            x = torch.ones(3, requires_grad=True)
        show(x)
        """,
    "RG-17 numpy": """
        x = leaf()
        fails(lambda: x.numpy())
        fails(lambda: (x * 2).numpy())
        x.detach().numpy()[0] = 5
        show(x, x._version)
        """,
    "IP-17 data that is set": """
        y = torch.ones(3)
        v = y[:2]
        y.add_(1)
        y.data = torch.zeros(4)
        show(y._version, v._version, y, v, v._is_view(), v._base is y)
        y.add_(1)
        show(y._version, v._version)
        w = leaf()
        w.data = torch.zeros(5, dtype=torch.float64)
        show(w)
        w.sum().backward()
        show(w.grad)
        def assign(t, value):
            t.data = value
        fails(lambda: assign(leaf(), torch.ones(3, dtype=torch.int64)))
        fails(lambda: assign(leaf(), 3))
        fails(lambda: assign(leaf(), None))
        w = torch.ones(3)
        assign(w, leaf(2))
        show(w)
        y = leaf() * 2
        assign(y, torch.zeros(2))
        show(y, y.grad_fn)
        def delete():
            del y.data
        fails(delete)
        """,
    "data that is set shares memory": """
        a, b = torch.zeros(3), torch.ones(3)
        a.data = b
        a.add_(1)
        show(a, b, a._version, b._version)
        b.mul_(2)
        show(a, b)
        """,
    "iterating": """
        x = leaf(2, 2)
        y = x * 2
        rows = list(y)
        show(rows[0].grad_fn, rows[0]._is_view())
        fails(lambda: rows[0].add_(1))
        """,
}


@each(SNIPPETS)
def test_both_show_the_same(source: str) -> None:
    """Both libraries show the same, errors and their words included."""
    compare(source)


@pytest.mark.parametrize("name", sorted(name for name, op in REGISTRY.items() if op.view))
def test_view_ops_are_declared(name: str) -> None:
    """An op that is declared a view takes one tensor."""
    assert len(REGISTRY[name].inputs) == 1


def test_a_view_dies_with_its_last_reference() -> None:
    """The base knows its views weakly, and forgets the dead."""
    base = refgrad.ones(3)
    for _ in range(1000):
        base[0]
    version = base._state.version  # type: ignore[union-attr]
    assert len(version.views) < 100


def test_only_views_share_memory() -> None:
    """No function shares memory between its result and its operands, but for views and what PyTorch calls unsafe."""
    a = refgrad.tensor([[2.0, 1.0], [0.5, 3.0]])
    sharing = set()
    for name, function in FUNCTIONS.items():
        for arguments in (
            (a,),
            (a, a),
            (a, 0),
            (a, (0,)),
            (a, (1, 1)),
            (a, 0, 1),
            (a, 1, 0),
            ((a,),),
            (a, (2, 2)),
        ):
            try:
                with np.errstate(all="ignore"):
                    made = function(*arguments)
            except (RuntimeError, TypeError, IndexError, ValueError, AttributeError):
                continue
            for out in made if isinstance(made, tuple) else (made,):
                tensor = isinstance(out, refgrad.Tensor) and out is not a
                if tensor and np.may_share_memory(out._array, a._array) and not out._is_view():
                    sharing.add(name)
    assert sharing <= {"unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk"}
