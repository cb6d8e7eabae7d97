"""Scripts of the kind that tutorials of PyTorch's autograd show: run unchanged, they print the same."""

import contextlib
import io
import re
import sys
import types
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")


SCRIPTS = {
    "a scalar": """
        import torch
        x = torch.tensor(3.0, requires_grad=True)
        print(x, x.grad, x.is_leaf, x.grad_fn)
        y = x ** 2
        print(y, y.grad_fn is None, y.requires_grad)
        y.backward()
        print(x.grad)
        print(f"dy/dx = {x.grad.item()} {x.grad:.2f} {y}", x.grad.dtype, x.grad.shape)
    """,
    "a polynomial and its second derivative": """
        import torch
        x = torch.tensor(2.0, requires_grad=True)
        y = 3 * x**3 - 2 * x**2 + x / 4 - 1
        (first,) = torch.autograd.grad(y, x, create_graph=True)
        print(first)
        (second,) = torch.autograd.grad(first, x)
        print(y, second)
        z = 5 / x + x.sqrt() - 2 ** x
        z.backward()
        print(z, x.grad)
    """,
    "a curve and its slope": """
        import math
        import torch
        import matplotlib.pyplot as plt
        a = torch.linspace(0., 2. * math.pi, steps=25, requires_grad=True)
        print(a)
        b = torch.sin(a)
        plt.plot(a.detach(), b.detach())
        print(b)
        c = 2 * b
        print(c)
        d = c + 1
        print(d)
        out = d.sum()
        print(out)
        out.backward()
        print(a.grad)
        plt.plot(a.detach(), a.grad.detach())
        try:
            plt.plot(a, b)
        except RuntimeError as error:
            print(error)
    """,
    "a chain of nodes": """
        import torch
        a = torch.ones(3, requires_grad=True)
        d = torch.sin(a) * 2 + 1
        print('d:', type(d.grad_fn).__name__, d.grad_fn.name())
        fn = d.grad_fn
        while fn is not None:
            print(fn.name(), [n and type(n).__name__ for n, _ in fn.next_functions], [i for _, i in fn.next_functions])
            fn = fn.next_functions[0][0] if fn.next_functions else None
        leaf = d.grad_fn.next_functions[0][0].next_functions[0][0].next_functions[0][0]
        print(leaf.variable is a, leaf.next_functions, a.grad_fn)
    """,
    "one neuron by hand": """
        import torch
        x = torch.ones(5)
        y = torch.zeros(3)
        w = torch.tensor([[0.1, -0.2, 0.3], [0.4, 0.5, -0.6], [0.7, 0.8, 0.9], [-1.0, 1.1, 1.2], [0.0, 0.25, 0.5]],
                         requires_grad=True)
        b = torch.tensor([0.5, -0.5, 0.25], requires_grad=True)
        z = torch.matmul(x, w) + b
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
        print(z, loss)
        loss.backward()
        print(w.grad)
        print(b.grad)
        z = torch.matmul(x, w) + b
        print(z.requires_grad)
        with torch.no_grad():
            z = torch.matmul(x, w) + b
        print(z.requires_grad, z.detach().requires_grad)
    """,
    "a cotangent for many outputs": """
        import torch
        inp = torch.eye(4, 5, requires_grad=True)
        out = (inp + 1).pow(2).t()
        out.backward(torch.ones_like(out), retain_graph=True)
        print(f"First call\\n{inp.grad}")
        out.backward(torch.ones_like(out), retain_graph=True)
        print(f"\\nSecond call\\n{inp.grad}")
        inp.grad.zero_()
        out.backward(torch.ones_like(out), retain_graph=True)
        print(f"\\nCall after zeroing gradients\\n{inp.grad}")
        x = torch.arange(5., requires_grad=True)
        (x * x).backward(gradient=torch.ones(5))
        print(x.grad)
        try:
            (x * x).backward()
        except RuntimeError as error:
            print(error)
    """,
    "binary cross-entropy by hand": """
        import torch
        def cross_entropy(x, w, b, y):
            p = torch.sigmoid(w * x + b)
            p = torch.clamp(p, min=1e-8, max=1 - 1e-8)
            return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
        x = torch.tensor([6.7, -1.5, 0.25])
        y = torch.tensor([0.0, 1.0, 1.0])
        w = torch.tensor(1.0, requires_grad=True)
        b = torch.tensor(0.0, requires_grad=True)
        loss = cross_entropy(x, w, b, y)
        print(loss)
        loss.backward()
        print(w.grad, b.grad)
        by_grad = torch.autograd.grad(cross_entropy(x, w, b, y), [w, b])
        print(by_grad)
        print(torch.nn.functional.binary_cross_entropy(torch.sigmoid(w * x + b), y))
    """,
    "switches": """
        import torch
        a = torch.ones(2, 3, requires_grad=True)
        a.requires_grad = False
        b = 2 * a
        print(a, b, sep="\\n")
        a.requires_grad_(True)
        with torch.no_grad():
            c = a + b
        print(c, torch.is_grad_enabled())
        @torch.no_grad()
        def doubled(x):
            return x * 2
        print(doubled(a).requires_grad, torch.sum(a).requires_grad)
        a.requires_grad_(False)
        print(a.requires_grad, a.grad)
        with torch.set_grad_enabled(False):
            print((a * 1).requires_grad, torch.is_grad_enabled())
        try:
            torch.tensor([1, 2], requires_grad=True)
        except RuntimeError as error:
            print(error)
    """,
    "adding up and zeroing": """
        import torch
        w = torch.tensor([1.0, -2.0], requires_grad=True)
        for epoch in range(3):
            (w * torch.tensor([3.0, 4.0])).sum().backward()
            print(epoch, w.grad)
        w.grad.zero_()
        print(w.grad)
        w.grad = None
        (w ** 2).sum().backward()
        print(w.grad)
    """,
    "regression by hand": """
        import torch
        x = torch.tensor([1.0, 2.0, 3.0, 4.0])
        y = torch.tensor([2.1, 3.9, 6.2, 7.8])
        w = torch.zeros(1, requires_grad=True)
        b = torch.zeros(1, requires_grad=True)
        lr = 0.02
        for step in range(5):
            loss = ((w * x + b - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
                b -= lr * b.grad
            print(f"step {step}: loss {loss.item():.4f} w {w.item():.4f} b {b.item():.4f} grad {w.grad}")
            w.grad.zero_()
            b.grad.zero_()
        print(w, b)
    """,
    "a sine fitted by a cubic": """
        import math
        import torch
        dtype = torch.float
        device = torch.device("cpu")
        x = torch.linspace(-math.pi, math.pi, 200, device=device, dtype=dtype)
        y = torch.sin(x)
        torch.manual_seed(4)
        a = torch.randn((), device=device, dtype=dtype, requires_grad=True)
        b = torch.randn((), device=device, dtype=dtype, requires_grad=True)
        c = torch.randn((), device=device, dtype=dtype, requires_grad=True)
        d = torch.randn((), device=device, dtype=dtype, requires_grad=True)
        print(a, b, c, d)
        learning_rate = 1e-5
        for t in range(100):
            y_pred = a + b * x + c * x ** 2 + d * x ** 3
            loss = (y_pred - y).pow(2).sum()
            if t % 25 == 24:
                print(t, f"{loss.item():.2f}")
            loss.backward()
            with torch.no_grad():
                a -= learning_rate * a.grad
                b -= learning_rate * b.grad
                c -= learning_rate * c.grad
                d -= learning_rate * d.grad
                a.grad = None
                b.grad = None
                c.grad = None
                d.grad = None
        print(f'Result: y = {a.item():.3f} + {b.item():.3f} x + {c.item():.3f} x^2 + {d.item():.3f} x^3')
    """,
    "random numbers": """
        import torch
        torch.manual_seed(42)
        print(torch.rand(2, 3))
        print(torch.randn(5), torch.randn(()))
        print(torch.randint(0, 10, (4,)), torch.randperm(6))
        x = torch.rand(3, requires_grad=True)
        print(x, torch.rand_like(x), torch.randn(2, 2, dtype=torch.float64))
        g = torch.Generator().manual_seed(7)
        print(torch.rand(2, generator=g), torch.initial_seed(), g.initial_seed())
        print(torch.randn(4, 8))
    """,
    "freed graphs": """
        import torch
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = (x.exp() * x).sum()
        y.backward()
        try:
            y.backward()
        except RuntimeError as error:
            print(error)
        y = (x.exp() * x).sum()
        y.backward(retain_graph=True)
        y.backward()
        print(x.grad)
        z = x * 2
        z.retain_grad()
        z.pow(2).sum().backward()
        print(z.grad, z.is_leaf, x.is_leaf)
    """,
    "jacobian row by row": """
        import torch
        x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
        y = torch.stack([x[0] * x[1], x[1] ** 2, x.sum()])
        print(y)
        rows = [torch.autograd.grad(y, x, v, retain_graph=True)[0] for v in torch.eye(3, dtype=torch.float64)]
        print(torch.stack(rows))
        print(torch.autograd.grad(y[0], x, allow_unused=True, retain_graph=True))
        print(x.max(), x.argmax(), (x > 1.5).all(), (x > 1.5).any(), x[x > 1.5])
    """,
    "printing": """
        import torch
        print(torch.tensor([1.5, 2.25, -3.0]), torch.arange(20), torch.zeros(2, 0), sep="\\n")
        print(torch.arange(1200.).reshape(30, 40))
        print(torch.tensor([1e-9, 1.0]), torch.tensor([float('nan'), float('inf'), 1.0]))
        print(torch.tensor([[True, False]]), torch.tensor(7), torch.tensor([1], dtype=torch.uint8))
        torch.set_printoptions(precision=2, sci_mode=False)
        print(torch.tensor([1e-9, 1.0, 123.456]))
        torch.set_printoptions(profile="default")
        x = torch.ones(2, requires_grad=True)
        print([x, x + 1], {"a": x.sum()}, (x.shape, x.dtype, x.device), x.size(), x.numel())
        print("%s and %.3f" % (x, x.sum()), str(x * 2), f"{x.mean():>8.3f}|{x.sum().item()}")
    """,
}


class Recorder(types.ModuleType):
    """Stands where matplotlib.pyplot would: it prints what it is given, as arrays."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args):
            print(name, *(np.array2string(np.asarray(a), precision=4, suppress_small=True) for a in args))

        return call


def for_refgrad(script):
    """The script with its imports of torch turned into imports of refgrad, and nothing else changed."""
    script = re.sub(r"^(\s*)import torch$", r"\1import refgrad as torch", script, flags=re.MULTILINE)
    return re.sub(r"^(\s*)(import|from) torch\b", r"\1\2 refgrad", script, flags=re.MULTILINE)


def printed(script, monkeypatch):
    """What the script prints, line by line."""
    pyplot = Recorder("matplotlib.pyplot")
    home = types.ModuleType("matplotlib")
    home.pyplot = pyplot
    monkeypatch.setitem(sys.modules, "matplotlib", home)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", pyplot)
    lines = script.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    source = "\n".join(line[margin:] for line in lines)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(source, "<script>", "exec"), {"__name__": "__main__"})
    return out.getvalue().splitlines()


def same_output(script, monkeypatch):
    """Check that both libraries print the same lines for a script, and at least one."""
    theirs = printed(script, monkeypatch)
    ours = printed(for_refgrad(script), monkeypatch)
    assert theirs
    assert ours == theirs


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_prints_what_it_prints_with_torch(script, monkeypatch):
    """Every line, number for number and word for word."""
    same_output(script, monkeypatch)


def test_another_line_is_noticed(monkeypatch):
    """A script that prints what depends on the library does not pass."""
    with pytest.raises(AssertionError):
        same_output("import torch\nprint(torch.__name__)", monkeypatch)


def test_only_imports_are_turned():
    """Words of the script other than its imports stay."""
    script = (
        "import torch\nimport torch.nn as nn\nfrom torch import optim\nx = 'import torch'\nimport torchlike"
    )
    assert for_refgrad(script) == (
        "import refgrad as torch\nimport refgrad.nn as nn\nfrom refgrad import optim\n"
        "x = 'import torch'\nimport torchlike"
    )
