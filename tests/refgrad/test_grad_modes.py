"""Grad modes and inference mode, on PyTorch and on refgrad (contract: GM-1 to GM-20)."""

from tests.refgrad.twins import compare, each

SNIPPETS = {
    "GM-10 to GM-13 inference tensors": """
        x = leaf()
        with torch.inference_mode():
            t = torch.ones(3)
            show(t.is_inference(), torch.is_inference(t), torch.is_inference_mode_enabled(), torch.is_grad_enabled())
            y = x * 2
            show(y, y.is_inference(), (x.sum()).is_inference(), torch.tensor(1.0).is_inference())
            v = x[:2]
            show(v.is_inference(), v.requires_grad, v._is_view())
            t.add_(1)
            fails(lambda: t._version)
            show(x.detach().is_inference(), t.detach().is_inference(), x.data.is_inference())
            with torch.enable_grad():
                show(torch.is_grad_enabled(), (x * 2).requires_grad, (x * 2).is_inference())
            with torch.inference_mode(False):
                show(torch.is_grad_enabled(), (x * 2).requires_grad, (x * 2).is_inference())
                show(torch.ones(2).is_inference(), torch.is_inference_mode_enabled())
            with torch.no_grad():
                with torch.inference_mode(False):
                    show(torch.is_grad_enabled())
                show(torch.is_grad_enabled(), torch.is_inference_mode_enabled())
            show(torch.ones(3, requires_grad=True))
        show(torch.is_grad_enabled(), torch.is_inference_mode_enabled())
        fails(lambda: v.add_(1))
        fails(lambda: v * 2)
        fails(lambda: t * x)
        fails(lambda: x * t)
        fails(lambda: (x * 2).mul_(t))
        show((t + x).grad_fn)
        show((t * 2).is_inference(), t[0].is_inference(), t.view(3).is_inference(), t.clone().is_inference(), t.sin())
        show(t._is_view(), t[0]._is_view(), t.sum().is_inference(), (t * t).is_inference())
        fails(lambda: t.requires_grad_())
        fails(lambda: t.view(3)._version)
        fails(lambda: t[0].add_(1))
        fails(lambda: (x * 2).copy_(t).grad_fn)
        fails(lambda: (x * 2).add_(t).grad_fn)
        """,
    "GM-12 a write to an inference tensor": """
        with torch.inference_mode():
            t = torch.ones(3)
        fails(lambda: t.add_(1))
        show(t)
        def assign():
            t[0] = 5
        fails(assign)
        show(t)
        fails(lambda: t.zero_())
        fails(lambda: t.t_())
        """,
    "GM-14 a normal tensor written to in inference mode": """
        x, n = leaf(), torch.ones(3)
        s = x * n
        with torch.inference_mode():
            n.add_(1)
            show(n._version, n.is_inference())
        fails(lambda: s.sum().backward())
        """,
    "GM-15 views made in inference mode": """
        x = leaf()
        y = x * 2
        with torch.inference_mode():
            v = y[:2]
            o = y.unbind(0)
        fails(lambda: v.add_(1))
        fails(lambda: o[0].add_(1))
        show(v.requires_grad, v.grad_fn, v.is_inference())
        n = torch.ones(3)
        with torch.inference_mode():
            v = n[:2]
        show(v.add_(1), n, n._version)
        fails(lambda: v.add_(x[:2]))
        """,
    "GM-16 to GM-18": """
        x = leaf()
        with torch.no_grad():
            x.sub_(0.5)
            show(x, x._version)
            y = x * 2
            y.add_(x)
            show(y, y._version)
        y.mul_(x)
        show(y, y.grad_fn)
        """,
    "GM-19 a decorated class": """
        @torch.no_grad()
        class A:
            def __init__(self):
                self.enabled = torch.is_grad_enabled()
        show(A().enabled, torch.is_grad_enabled())
        """,
    "decorators": """
        @torch.inference_mode
        def f():
            return torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        @torch.inference_mode()
        def g():
            return torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        @torch.inference_mode(False)
        def h():
            return torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        @torch.set_grad_enabled(False)
        def k():
            return torch.is_grad_enabled()
        @torch.enable_grad()
        def m():
            return torch.is_grad_enabled()
        show(f(), g(), h(), k(), torch.is_grad_enabled())
        with torch.no_grad():
            show(m(), torch.is_grad_enabled())
        with torch.inference_mode():
            show(f(), h(), m())
        show(f.__name__)
        """,
    "arguments": """
        fails(lambda: torch.set_grad_enabled("a"))
        fails(lambda: torch.set_grad_enabled(1))
        fails(lambda: torch.set_grad_enabled())
        show(repr(torch.set_grad_enabled(True)), torch.is_grad_enabled())
        """,
    "GM-8 generators": """
        @torch.no_grad()
        def steps():
            got = []
            try:
                while True:
                    try:
                        got.append((yield torch.is_grad_enabled()))
                    except KeyError:
                        got.append("error")
            finally:
                show(torch.is_grad_enabled(), got)
        g = steps()
        show(next(g), torch.is_grad_enabled(), g.send(5), g.throw(KeyError("x")), torch.is_grad_enabled())
        g.close()
        @torch.inference_mode()
        def more():
            yield torch.is_inference_mode_enabled()
            return
        show(list(more()), torch.is_inference_mode_enabled())
        """,
    "GM-6 threads": """
        import threading
        seen = []
        with torch.inference_mode():
            t = threading.Thread(
                target=lambda: seen.append((torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
            )
            t.start()
            t.join()
        show(seen)
        """,
    "GM-7 exceptions": """
        for mode in (torch.no_grad, torch.inference_mode, lambda: torch.set_grad_enabled(False)):
            try:
                with mode():
                    raise KeyError
            except KeyError:
                pass
            show(torch.is_grad_enabled(), torch.is_inference_mode_enabled())
        """,
    "GM-20 what comes of inference tensors": """
        with torch.inference_mode():
            t = torch.ones(3)
        u = t * 2
        show(u.is_inference(), u._version, t.view(3, 1).is_inference(), t.detach().is_inference())
        u.requires_grad_()
        (u * 3).sum().backward()
        show(u.grad)
        """,
    "set_grad_enabled": """
        torch.set_grad_enabled(False)
        show(torch.is_grad_enabled())
        torch.set_grad_enabled(True)
        with torch.set_grad_enabled(False):
            show(torch.is_grad_enabled())
        show(torch.is_grad_enabled())
        with torch.inference_mode():
            torch.set_grad_enabled(True)
            show(torch.is_grad_enabled(), (leaf() * 2).requires_grad)
        show(torch.is_grad_enabled())
        """,
}


@each(SNIPPETS)
def test_both_show_the_same(source: str) -> None:
    """Both libraries show the same, errors and their words included."""
    compare(source)
