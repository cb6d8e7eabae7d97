"""In-place operations, on PyTorch and on refgrad (contract: IP-1 to IP-19)."""

import pytest

from tests.refgrad.twins import compare, each, seen

SNIPPETS = {
    "IP-1 versions count writes": """
        x = torch.ones(3)
        show(x._version)
        x.add_(1)
        x.zero_()
        x[0] = 3
        show(x._version, x)
        """,
    "IP-2 a saved tensor that was changed": """
        w = leaf()
        y = w * 2
        z = y.sin()
        y.add_(1)
        fails(lambda: z.sum().backward())
        show(w.grad)
        """,
    "IP-2 a saved leaf that was changed": """
        x = leaf()
        z = x.sin()
        with torch.no_grad():
            x.add_(1)
        fails(lambda: z.sum().backward())
        """,
    "IP-2 a saved constant that was changed": """
        x, w = leaf(), torch.ones(3)
        z = x * w
        w.add_(1)
        fails(lambda: z.sum().backward())
        """,
    "IP-2 saved indices that were changed": """
        x, i = leaf(), torch.tensor([0, 1])
        z = x.index_select(0, i)
        i.add_(1)
        fails(lambda: z.sum().backward())
        v, i = leaf(3, 2).max(0)
        i.add_(1)
        fails(lambda: v.sum().backward())
        """,
    "IP-3 nothing is said when it is changed": """
        x = leaf()
        y = x * 2
        z = y.sin()
        y.add_(1)
        show(y, z, y.grad_fn)
        y.sum().backward()
        show(x.grad)
        """,
    "IP-4 what nobody saved may change": """
        x = leaf()
        y = x * 2
        z = y + 1
        y.mul_(3)
        z.sum().backward()
        show(x.grad)
        """,
    "IP-5 ops that save their output": """
        for name in ("exp", "tanh", "sigmoid", "sqrt", "rsqrt", "reciprocal", "relu"):
            x = leaf()
            y = getattr(x, name)()
            y.add_(1)
            fails(lambda: y.sum().backward())
        """,
    "IP-5 ops that save their input": """
        for name in ("sin", "log", "square", "cos", "abs", "erf"):
            x = leaf()
            y = x * 2
            z = getattr(y, name)()
            z.add_(1)
            z.sum().backward()
            y = x * 2
            z = getattr(y, name)()
            y.add_(1)
            fails(lambda: z.sum().backward())
        """,
    "IP-5 in place they save what they made or a copy of what they had": """
        for name in ("exp", "tanh", "sigmoid", "sqrt", "sin", "log", "square", "cos", "abs", "erf", "reciprocal"):
            x = leaf()
            y = x * 2
            getattr(y, name + "_")()
            show(name, y, y.grad_fn, y._version)
            y.sum().backward()
            show(x.grad)
            y = getattr(x * 2, name + "_")()
            y.add_(1)
            fails(lambda: y.sum().backward())
        """,
    "what an in-place op overwrites is kept as a copy": """
        x, w = leaf(), torch.full((3,), 3.0, requires_grad=True)
        y = x * 2
        y.mul_(w)
        show(y.grad_fn, y.grad_fn._saved_self, y.grad_fn._saved_self.grad_fn)
        y.sum().backward()
        show(x.grad, w.grad)
        """,
    "twice the same tensor": """
        x = leaf()
        y = x * 2
        y.mul_(y)
        fails(lambda: y.sum().backward())
        y = x * 2
        y.add_(y)
        y.sum().backward()
        show(x.grad)
        """,
    "second order through an overwritten value": """
        x = leaf()
        y = (x * 2).sin_()
        g, = torch.autograd.grad(y.sum(), x, create_graph=True)
        show(g)
        show(torch.autograd.grad(g.sum(), x))
        y = (x * 2).exp_()
        g, = torch.autograd.grad(y.sum(), x, create_graph=True)
        show(g, torch.autograd.grad(g.sum(), x))
        """,
    "IP-7 later uses differentiate through the op": """
        x = leaf()
        y = x * 2
        y.mul_(5)
        z = y * y
        show(z.grad_fn)
        z.sum().backward()
        show(x.grad)
        """,
    "operators": """
        x = leaf()
        y = x * 2
        same = y
        y += 1
        y -= 3
        y *= 2
        y /= 4
        y **= 2
        show(y is same, y, y.grad_fn, y._version)
        y.sum().backward()
        show(x.grad)
        """,
    "operators that refuse": """
        def run(source):
            names = {"x": leaf() * 2, "torch": torch}
            exec(source, names)
        for right in ("[1]", "'a'", "None"):
            for operator in ("+=", "-=", "*=", "/=", "**="):
                fails(lambda: run(f"x {operator} {right}"))
        """,
    "a tensor without grad takes part": """
        a, x = torch.ones(3), leaf()
        a.add_(x)
        show(a, a.grad_fn)
        a.mul_(x)
        a.sum().backward()
        show(x.grad)
        """,
    "IP-10 leaves": """
        x = leaf()
        fails(lambda: x.add_(1))
        fails(lambda: x.zero_())
        fails(lambda: x.add_(torch.ones(4)))
        fails(lambda: x[0].add_(1))
        fails(lambda: x.view(3, 1).mul_(2))
        def assign():
            x[0] = 1
        fails(assign)
        with torch.no_grad():
            x.add_(1)
            x[0] = 7
        show(x, x._version)
        """,
    "IP-16 detached in place": """
        x = leaf()
        y = x * 2
        z = y.sin()
        show(y.detach_() is y, y, y._version)
        fails(lambda: z.sum().backward())
        y = x * 2
        z = y.exp()
        z.detach_()
        show(z)
        """,
    "IP-18 assigned elements": """
        x, v = leaf(), torch.tensor(5.0, requires_grad=True)
        y = x * 2
        y[1] = v
        show(y, y.grad_fn, y._version)
        (y * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
        show(x.grad, v.grad)
        """,
    "IP-19 repeated indices": """
        x = leaf()
        i = torch.tensor([0, 0, 2])
        (x[i] * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
        show(x.grad)
        x.grad = None
        x.gather(0, i).sum().backward()
        show(x.grad)
        """,
    "dtypes": """
        long, half = torch.ones(3, dtype=torch.int64), torch.ones(3, dtype=torch.float16)
        fails(lambda: long.add_(1.5))
        fails(lambda: long.add_(torch.ones(3)))
        fails(lambda: torch.ones(3, dtype=torch.bool).add_(1))
        fails(lambda: long.div_(2))
        fails(lambda: long.exp_())
        fails(lambda: long.mul_(leaf()))
        fails(lambda: half.add_(torch.ones(3, dtype=torch.float64)))
        fails(lambda: torch.ones(3, dtype=torch.int8).add_(long))
        fails(lambda: torch.ones(3, dtype=torch.int8).copy_(torch.full((3,), 1.5)))
        fails(lambda: long.copy_(leaf()))
        fails(lambda: long.fill_(2.7))
        show(long, long._version)
        """,
    "dtypes and gradients": """
        for kind in (torch.float16, torch.bfloat16, torch.float64):
            x, w = leaf(), torch.full((3,), 0.3, dtype=torch.float64, requires_grad=True)
            y = x.to(kind)
            y.mul_(w)
            y.add_(w)
            y.exp_()
            show(y, y.grad_fn)
            y.sum().backward()
            show(x.grad, w.grad)
        """,
    "shapes": """
        x = torch.ones(3)
        fails(lambda: x.add_(torch.ones(2, 3)))
        fails(lambda: x.add_(torch.ones(4)))
        fails(lambda: x.copy_(torch.ones(2)))
        fails(lambda: x.copy_(torch.ones(2, 3)))
        fails(lambda: x.copy_(torch.ones(1, 3)))
        fails(lambda: x.fill_(torch.ones(2)))
        fails(lambda: x.fill_(torch.ones(1)))
        fails(lambda: (leaf() * 2).add_(torch.ones(2, 3)))
        fails(lambda: x.masked_fill_(torch.ones(2, dtype=torch.bool), 1.0))
        show(x, x._version)
        """,
    "types": """
        x = torch.ones(3)
        fails(lambda: x.add_("a"))
        fails(lambda: x.mul_([1]))
        fails(lambda: x.fill_("a"))
        """,
    "memory": """
        def wide():
            return torch.ones(1).expand(3)
        fails(lambda: wide().add_(1))
        fails(lambda: wide().fill_(2))
        fails(lambda: wide().clamp_(0, 1))
        fails(lambda: wide().copy_(torch.ones(3)))
        fails(lambda: wide().zero_())
        fails(lambda: wide().masked_fill_(torch.tensor([True, False, True]), 0.0))
        a = torch.tensor([1.0, 2.0, 3.0, 4.0])
        fails(lambda: a[1:].add_(a[:-1]))
        fails(lambda: a[1:].copy_(a[:-1]))
        fails(lambda: a.add_(a))
        fails(lambda: a.view(2, 2).t().add_(a.view(2, 2)))
        show(a)
        """,
    "zeros, numbers and copies": """
        x, w = leaf(), leaf()
        y = x * 2
        for act in (
            lambda: y.zero_(), lambda: y.fill_(2), lambda: y.fill_(torch.tensor(2.0)), lambda: y.copy_(torch.ones(3)),
            lambda: y.copy_(w), lambda: y.fill_(w.sum()), lambda: y.copy_(3), lambda: y.copy_(w.to(torch.float64)),
            lambda: y.copy_(w[:1]),
        ):
            show(act() is y, y, y.grad_fn.name(), [node is not None for node, _ in y.grad_fn.next_functions])
        y.sum().backward()
        show(x.grad, w.grad)
        """,
    "every op that saves": """
        x, w = leaf(2, 2), torch.full((2, 2), 0.5, requires_grad=True)
        mask = torch.tensor([[True, False], [False, True]])
        acts = {
            "abs": lambda y: y.abs_(), "clamp": lambda y: y.clamp_(0, 1.5), "clamp min": lambda y: y.clamp_(min=0.5),
            "clamp tensor": lambda y: y.clamp_(min=w), "div": lambda y: y.div_(w),
            "floor": lambda y: y.div_(w, rounding_mode="floor"), "pow": lambda y: y.pow_(2),
            "pow tensor": lambda y: y.pow_(w), "alpha": lambda y: y.add_(w, alpha=2),
            "sub": lambda y: y.sub_(w, alpha=3),
            "atan2": lambda y: y.atan2_(w), "hypot": lambda y: y.hypot_(w), "cumsum": lambda y: y.cumsum_(0),
            "cumprod": lambda y: y.cumprod_(1), "tril": lambda y: y.tril_(), "triu": lambda y: y.triu_(),
            "mask": lambda y: y.masked_fill_(mask, 3.0), "mask tensor": lambda y: y.masked_fill_(mask, w.sum()),
            "addmm": lambda y: y.addmm_(w, w), "round": lambda y: y.round_(), "sign": lambda y: y.sign_(),
            "square": lambda y: y.square_(), "neg": lambda y: y.neg_(), "log": lambda y: y.log_(),
            "scatter_add": lambda y: y.scatter_add_(0, torch.tensor([[0, 0]]), w[:1]),
            "put": lambda y: y.index_put_((torch.tensor([0]),), w[0]),
            "add up": lambda y: y.index_put_((torch.tensor([0, 0]),), w, accumulate=True),
        }
        for name, act in acts.items():
            y = x * 2
            show(name, act(y) is y, y, y.grad_fn, y._version)
            x.grad = w.grad = None
            y.sum().backward()
            show(x.grad, w.grad)
        """,
    "every op that saves, on a view": """
        x, w = leaf(3, 2), torch.full((2, 2), 0.5, requires_grad=True)
        mask = torch.tensor([[True, False], [False, True]])
        acts = {
            "abs": lambda y: y.abs_(), "clamp": lambda y: y.clamp_(0, 1.5), "clamp min": lambda y: y.clamp_(min=0.5),
            "clamp tensor": lambda y: y.clamp_(min=w), "div": lambda y: y.div_(w),
            "floor": lambda y: y.div_(w, rounding_mode="floor"), "pow": lambda y: y.pow_(2),
            "pow tensor": lambda y: y.pow_(w), "alpha": lambda y: y.add_(w, alpha=2),
            "sub": lambda y: y.sub_(w, alpha=3),
            "atan2": lambda y: y.atan2_(w), "hypot": lambda y: y.hypot_(w), "cumsum": lambda y: y.cumsum_(0),
            "cumprod": lambda y: y.cumprod_(1), "tril": lambda y: y.tril_(), "triu": lambda y: y.triu_(),
            "mask": lambda y: y.masked_fill_(mask, 3.0), "mask tensor": lambda y: y.masked_fill_(mask, w.sum()),
            "addmm": lambda y: y.addmm_(w, w), "round": lambda y: y.round_(), "sign": lambda y: y.sign_(),
            "square": lambda y: y.square_(), "neg": lambda y: y.neg_(), "log": lambda y: y.log_(),
            "scatter_add": lambda y: y.scatter_add_(0, torch.tensor([[0, 0]]), w[:1]),
            "put": lambda y: y.index_put_((torch.tensor([0]),), w[0]),
            "add up": lambda y: y.index_put_((torch.tensor([0, 0]),), w, accumulate=True),
        }
        for name, act in acts.items():
            y = x * 2
            v = y[1:]
            show(name, act(v) is v, v, v.grad_fn, y, y.grad_fn, y._version)
            x.grad = w.grad = None
            (y * y).sum().backward()
            show(x.grad, w.grad)
            y = torch.full((3, 2), 2.0)
            act(y[1:])
            if y.requires_grad:
                w.grad = None
                (y * y).sum().backward()
                show(name, y, w.grad)
        """,
    "comparisons": """
        x = leaf()
        for name in ("eq", "ne", "lt", "le", "gt", "ge"):
            y = x * 2
            getattr(y, name + "_")(x)
            show(y, y.grad_fn)
            y = x * 2
            getattr(y, name + "_")(1.0)
            show(y, y.grad_fn)
        y.sum().backward()
        show(x.grad)
        a = torch.ones(3, dtype=torch.int64)
        show(a.eq_(1.5), a.ge_(0), a._version)
        """,
    "functions": """
        x = leaf()
        y = x * 2
        show(torch.relu_(y) is y, torch.exp_(y) is y, torch.clamp_(y, 0, 1) is y, y.grad_fn)
        """,
    "changes of shape in place": """
        x = leaf(1, 3)
        for act in (
            lambda y: y.t_(), lambda y: y.transpose_(0, 1), lambda y: y.squeeze_(), lambda y: y.squeeze_(0),
            lambda y: y.unsqueeze_(0),
        ):
            y = x * 2
            show(act(y) is y, y, y.grad_fn, y._version)
            x.grad = None
            (y * 3).sum().backward()
            show(x.grad)
        """,
    "IP-13 out": """
        x, o = leaf(), torch.zeros(3)
        fails(lambda: torch.add(x, x, out=torch.ones(3)))
        fails(lambda: torch.exp(x, out=torch.ones(3)))
        fails(lambda: torch.mul(torch.ones(3), 2, out=leaf()))
        show(torch.exp(torch.ones(3), out=o) is o, o, o._version)
        v = o[1:]
        show(torch.add(torch.ones(2), 1, out=v) is v, o, o._version, torch.mul(v, v, out=v), v._version)
        fails(lambda: torch.exp(torch.ones(3), out=torch.ones(3, dtype=torch.int64)))
        fails(lambda: torch.exp(torch.ones(3), out=5))
        show(torch.exp(torch.ones(3), out=torch.ones(0)))
        with torch.no_grad():
            show(torch.add(x, 1, out=leaf()), torch.sin(x, out=o))
        y = x * o
        torch.neg(torch.ones(3), out=o)
        fails(lambda: y.sum().backward())
        fails(lambda: torch.neg(torch.ones(3), out=torch.ones(2)))
        """,
    "a training loop": """
        p = leaf()
        for _ in range(3):
            p.grad = None
            (p * p).sum().backward()
            with torch.no_grad():
                p -= 0.1 * p.grad
            show(p, p._version, p.grad)
        with torch.no_grad():
            p[0].mul_(2)
            p.view(3, 1).mul_(2)
        p.grad.zero_()
        p.data.clamp_(0, 1)
        (p * 3).sum().backward()
        show(p, p.grad)
        """,
    "filled row by row": """
        x, y = leaf(), leaf()
        z = torch.zeros(2, 3)
        z[0] = x * 2
        z[1] = y * 3
        w = z * z
        z = z.clone()
        for i in range(3):
            z[0, i] = x[i] * i
        show(z, z._version, z.grad_fn)
        (w.sum() + z.sum()).backward()
        show(x.grad, y.grad)
        """,
    "half width through views": """
        x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16, requires_grad=True)
        y = x * 2
        v = y[1:]
        v.mul_(torch.tensor([0.3, 0.7], dtype=torch.float64))
        v.pow_(2)
        y.view(3, 1).sin_()
        y[torch.tensor([0, 2])] = v
        show(y, y.grad_fn, v.grad_fn)
        y.sum().backward()
        show(x.grad)
        """,
    "HK-17 a retained gradient follows the tensor": """
        x = leaf()
        y = x * 2
        y.retain_grad()
        y.mul_(3)
        y.sum().backward()
        show(y.grad, y.retains_grad, x.grad)
        y = x * 2
        y.retain_grad()
        y[0] = 5
        y.mul_(2).sum().backward()
        show(y.grad)
        y = x * 2
        v = y[:2]
        v.retain_grad()
        y.mul_(2)
        (v * 3).sum().backward()
        show(v.grad)
        """,
}

ASSIGNED = {
    "a number": ("0", "1.0"),
    "a 0-d tensor": ("0", "torch.tensor(1.0)"),
    "one that requires grad": ("0", "torch.tensor(1.0, requires_grad=True)"),
    "all": (":", "torch.tensor(1.0, requires_grad=True)"),
    "the ellipsis": ("...", "5"),
    "all of a row": ("1, :", "torch.ones(2, requires_grad=True)"),
    "repeated places": ("torch.tensor([0, 0])", "torch.tensor(1.0, requires_grad=True)"),
    "places": ("torch.tensor([0, 2])", "1.0"),
    "places in columns": (":, torch.tensor([0, 0])", "1.0"),
    "places in a slice": ("1:, torch.tensor([0, 0])", "torch.ones(2, 2, requires_grad=True)"),
    "a mask": ("y > 1", "1.0"),
    "a mask of elements": ("y.detach() > 1", "torch.tensor([1.0, 2, 3, 4, 5, 6], requires_grad=True)"),
    "wrong shape": ("0", "torch.ones(3)"),
    "a word": ("0", "'a'"),
    "None": ("0", "None"),
    "an array": (":", "np.ones(2)"),
    "a NumPy number": ("0", "np.float32(2)"),
    "out of range": ("5", "1"),
    "leading ones": ("[0, 1]", "torch.ones(1, 1, 2)"),
    "leading ones in a row": ("0", "torch.ones(1, 1, 2, requires_grad=True)"),
    "a list": ("0", "[1, 2]"),
    "a new dimension": ("0, None", "1"),
    "True": ("True", "1"),
    "None as index": ("None", "1"),
    "one element": ("0, 0", "1"),
    "another dtype": ("0", "torch.ones((), dtype=torch.float64)"),
    "another dtype by places": ("torch.tensor([0])", "torch.ones(1, dtype=torch.float64)"),
    "wrong shape by places": ("torch.tensor([0, 1])", "torch.ones(3)"),
    "wrong shape by mask": ("y > 0", "torch.ones(4)"),
    "a step": ("::2", "torch.ones(2, 2, requires_grad=True)"),
    "broadcast": ("::2", "torch.ones(2, requires_grad=True)"),
    "True as value": ("0", "True"),
    "itself": (":1", "y[1:2]"),
    "an element of its own": ("0", "y[1]"),
}


@each(SNIPPETS)
def test_both_show_the_same(source: str) -> None:
    """Both libraries show the same, errors and their words included."""
    compare(source)


@pytest.mark.parametrize(("index", "value"), ASSIGNED.values(), ids=ASSIGNED.keys())
def test_assignments(index: str, value: str) -> None:
    """IP-18: what may stand at the left and at the right, and where the gradient goes."""
    compare(f"""
        x = leaf(3, 2)
        y = x * 2
        value = {value}
        def assign():
            y[{index}] = value
        fails(assign)
        show(y, y.grad_fn, y._version)
        fails(lambda: (y * y).sum().backward())
        show(x.grad, value.grad if isinstance(value, torch.Tensor) and value.is_leaf else 0)
        """)


@pytest.mark.parametrize(
    "kind", ["uint8", "int8", "int16", "int32", "int64", "bool", "float16", "bfloat16", "float32"]
)
@pytest.mark.parametrize("value", ["300", "-1", "-300", "1.7", "2 ** 40", "True", "float('nan')"])
def test_numbers_that_may_not_fit(kind: str, value: str) -> None:
    """Numbers beyond the dtype are refused, or wrap, as PyTorch has it."""
    compare(f"""
        y = torch.ones(2, dtype=torch.{kind})
        def assign():
            y[0] = {value}
        fails(assign)
        fails(lambda: y.fill_({value}))
        """)


def test_a_difference_is_seen() -> None:
    """The comparison itself notices what differs, and what shows nothing."""
    import refgrad

    assert seen(refgrad, "x = torch.ones(3); x.add_(1); show(x._version)") == [[1]]
    with pytest.raises(AssertionError):
        compare("show(torch.__name__)")
    with pytest.raises(AssertionError):
        compare("x = leaf()")
