"""Calls of every public function, as text that refgrad and torch both run, with the shapes of their operands.

An operand is named by a letter and made by `operand`: positive, distinct, reproducible numbers.
"""

import zlib

import numpy as np

CASES: dict[str, list[tuple[str, dict[str, tuple[int, ...]]]]] = {
    "add": [
        ("a + b", {"a": (2, 3), "b": (2, 3)}),
        ("torch.add(a, b, alpha=2)", {"a": (2, 1), "b": (3,)}),
        ("a + 2", {"a": (3,)}),
        ("2 + a", {"a": ()}),
        ("a + a", {"a": (2,)}),
    ],
    "sub": [
        ("a - b", {"a": (2, 3), "b": (3,)}),
        ("torch.sub(a, b, alpha=3)", {"a": (), "b": (3,)}),
        ("a - 2", {"a": (3,)}),
        ("2 - a", {"a": (3,)}),
    ],
    "mul": [
        ("a * b", {"a": (2, 3), "b": (2, 1)}),
        ("a * 2.5", {"a": (3,)}),
        ("2 * a", {"a": ()}),
        ("a * a", {"a": (2, 2)}),
        ("a * b", {"a": (0, 3), "b": (3,)}),
    ],
    "div": [
        ("a / b", {"a": (2, 3), "b": (3,)}),
        ("a / 2", {"a": (3,)}),
        ("2 / a", {"a": (3,)}),
        ("a / b", {"a": (3,), "b": ()}),
    ],
    "pow": [
        ("a ** b", {"a": (2, 3), "b": (3,)}),
        ("a ** 2", {"a": (3,)}),
        ("a ** 0", {"a": (3,)}),
        ("a ** 3", {"a": (3,)}),
        ("(-a) ** 3", {"a": (3,)}),
        ("a ** -0.5", {"a": ()}),
        ("2 ** a", {"a": (3,)}),
    ],
    "neg": [("-a", {"a": (2, 3)})],
    "exp": [("a.exp()", {"a": (2, 3)}), ("torch.exp(a)", {"a": ()})],
    "log": [("a.log()", {"a": (2, 3)}), ("a.log()", {"a": (0,)})],
    "sigmoid": [("a.sigmoid()", {"a": (2, 3)})],
    "tanh": [("a.tanh()", {"a": (2, 3)}), ("torch.nn.functional.tanh(a)", {"a": ()})],
    "relu": [("(a - 1).relu()", {"a": (2, 3)}), ("torch.relu(a - a)", {"a": (2,)})],
    "reciprocal": [("a.reciprocal()", {"a": (3,)})],
    "where": [
        ("torch.where(a > 1, a, b)", {"a": (2, 3), "b": (3,)}),
        ("torch.where(a > 1, a, 0.0)", {"a": (2, 3)}),
        ("torch.where(a > 1, 2.0, a)", {"a": ()}),
    ],
    "max": [
        ("a.max()", {"a": (2, 3)}),
        ("torch.cat([a, a]).max()", {"a": (3,)}),
        ("a.max(1)[0]", {"a": (2, 3)}),
        ("a.max(-2, keepdim=True).values", {"a": (2, 3, 2)}),
        ("a.max(0)[0]", {"a": ()}),
    ],
    "cat": [
        ("torch.cat([a, b, a], 0)", {"a": (2, 3), "b": (1, 3)}),
        ("torch.cat((a, b), dim=-1)", {"a": (2, 3), "b": (2, 1)}),
        ("torch.cat([a, b])", {"a": (0,), "b": (2, 2)}),
    ],
    "getitem": [
        ("a[0]", {"a": (2, 3)}),
        ("a[-1, 1:]", {"a": (2, 3)}),
        ("a[:, ::2]", {"a": (2, 3)}),
        ("a[...]", {"a": (2, 3)}),
        ("a[..., None, 0]", {"a": (2, 3)}),
        ("a[a > 1]", {"a": (2, 3)}),
        ("a[[0, 0, 1]]", {"a": (2, 3)}),
        ("a[:, torch.tensor([0, 2, 0])]", {"a": (2, 3)}),
        ("a[torch.tensor([1, 0]), torch.tensor([-1, 2])]", {"a": (2, 3)}),
        ("a[0, :, torch.tensor([1, 1])]", {"a": (2, 3, 2)}),
        ("a[torch.tensor([0, 1]), :, torch.tensor([1, 1])]", {"a": (2, 3, 2)}),
        ("a[torch.tensor([[0, 1]]), 1:]", {"a": (2, 3)}),
        ("a[torch.tensor(1)]", {"a": (2, 3)}),
        ("a[True]", {"a": (2, 3)}),
        ("a[0:2]", {"a": (2, 3)}),
        ("a[0:]", {"a": (2, 3)}),
        ("a[5:]", {"a": (2, 3)}),
        ("a[None]", {"a": ()}),
    ],
    "sum": [
        ("a.sum()", {"a": (2, 3)}),
        ("a.sum(0)", {"a": (2, 3)}),
        ("a.sum((0, -1), True)", {"a": (2, 3, 2)}),
        ("a.sum(0)", {"a": ()}),
        ("a.sum(1)", {"a": (2, 0)}),
    ],
    "mean": [
        ("a.mean()", {"a": (2, 3)}),
        ("a.mean(0, keepdim=True)", {"a": (2, 3)}),
        ("a.mean((0, 1))", {"a": (2, 3)}),
        ("a.mean()", {"a": ()}),
    ],
    "std": [
        ("a.std()", {"a": (2, 3)}),
        ("a.std(0)", {"a": (3, 2)}),
        ("a.std(1, unbiased=False)", {"a": (2, 3)}),
        ("a.std((0, 1), correction=0, keepdim=True)", {"a": (2, 3)}),
        ("a.std(dim=-1, correction=2)", {"a": (2, 4)}),
    ],
    "logsumexp": [
        ("a.logsumexp(1)", {"a": (2, 3)}),
        ("a.logsumexp((0, 1), True)", {"a": (2, 3)}),
        ("torch.logsumexp(a * 800, 0)", {"a": (3,)}),
        ("a.logsumexp(0)", {"a": ()}),
    ],
    "softmax": [
        ("a.softmax(1)", {"a": (2, 3)}),
        ("torch.softmax(a * 300, -2)", {"a": (2, 3)}),
        ("a.softmax(0)", {"a": ()}),
    ],
    "cumprod": [
        ("a.cumprod(1)", {"a": (2, 3)}),
        ("a.cumprod(-2)", {"a": (3, 2)}),
        ("a.cumprod(0)", {"a": ()}),
        ("(a * torch.tensor([1.0, 0.0, 1.0, 1.0])).cumprod(0)", {"a": (4,)}),
        ("(a * torch.tensor([1.0, 0.0, 0.0, 1.0])).cumprod(1)", {"a": (2, 4)}),
    ],
    "reshape": [
        ("a.reshape(3, 2)", {"a": (2, 3)}),
        ("a.reshape(-1)", {"a": ()}),
        ("a.T.reshape(6)", {"a": (2, 3)}),
        ("a[:, 0].reshape(2, 2)", {"a": (4, 3)}),
        ("a.view(6)", {"a": (2, 3)}),
        ("a.flatten(1)", {"a": (2, 3, 2)}),
        ("a.t().flatten()", {"a": (2, 3)}),
        ("a.unsqueeze(-1).squeeze(-1)", {"a": (2, 3)}),
        ("a.squeeze()", {"a": (2, 1, 3)}),
        ("a.squeeze((0, 1))", {"a": (2, 1, 3)}),
        ("a.t().clone()", {"a": (2, 3)}),
        ("a.t().contiguous()", {"a": (2, 3)}),
        ("a.float()", {"a": (2, 3)}),
    ],
    "transpose": [
        ("a.transpose(0, 1)", {"a": (2, 3)}),
        ("a.transpose(-1, 0)", {"a": (2, 3, 4)}),
        ("a.T", {"a": (2, 3)}),
        ("a.mT", {"a": (2, 3, 4)}),
        ("a.t()", {"a": (3,)}),
        ("a.permute(2, 0, 1)", {"a": (2, 3, 4)}),
    ],
    "expand": [("a.expand(2, -1, 3)", {"a": (2, 1)}), ("a.expand(3)", {"a": ()}), ("a.expand(0, 2)", {"a": (2,)})],
    "matmul": [
        ("a @ b", {"a": m, "b": n})
        for m, n in [
            ((2, 3), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((3,), (3, 2)), ((5, 2, 3), (3, 4)),
            ((5, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,)), ((2, 3), (5, 3, 4)), ((3,), (5, 3, 4)),
            ((1, 5, 2, 3), (5, 3, 4)), ((2, 5, 2, 3), (5, 3, 4)), ((2, 1, 2, 3), (3, 3, 4)), ((1, 2, 3), (5, 3, 4)),
            ((5, 2, 3), (1, 3, 4)), ((3,), (2, 2, 3, 2)), ((2, 2, 3, 4), (4,)), ((0, 3), (3, 2)), ((2, 0), (0, 2)),
        ]
    ] + [
        ("a.T @ b", {"a": (2, 3), "b": (2, 3)}),
        ("a.mT @ b", {"a": (5, 2, 3), "b": (5, 2, 2)}),
        ("a @ b.T", {"a": (5, 2, 3), "b": (4, 3)}),
    ],
    "linalg.solve": [
        ("torch.linalg.solve(a, b)", {"a": (3, 3), "b": (3,)}),
        ("torch.linalg.solve(a, b)", {"a": (3, 3), "b": (3, 2)}),
        ("torch.linalg.solve(a, b)", {"a": (2, 3, 3), "b": (2, 3)}),
        ("torch.linalg.solve(a, b)", {"a": (3, 3), "b": (2, 3, 4)}),
        ("torch.linalg.solve(a, b)", {"a": (2, 3, 3), "b": (3,)}),
        ("torch.linalg.solve(a, b)", {"a": (2, 3, 3), "b": (3, 2)}),
        ("torch.linalg.solve(a, b, left=False)", {"a": (3, 3), "b": (2, 3)}),
        ("torch.linalg.solve(a, b, left=False)", {"a": (2, 3, 3), "b": (2, 2, 3)}),
    ],
}  # fmt: skip

EVERY = [(name, text, shapes) for name, cases in CASES.items() for text, shapes in cases]


def operand(letter: str, shape: tuple[int, ...], text: str = "") -> np.ndarray:
    """Distinct numbers between 0.3 and 2.3, the same for the same letter, shape and text."""
    seed = zlib.crc32(f"{letter}{shape}{text}".encode())
    return np.asarray(np.random.default_rng(seed).random(shape) * 2 + 0.3)


def tensors(torch, shapes, text="", dtype=np.float64, needs=None):
    """The operands as leaves of `torch`, which is either library, by letter."""
    made = {}
    for i, (letter, shape) in enumerate(shapes.items()):
        leaf = torch.from_numpy(np.asarray(operand(letter, shape, text), dtype))
        made[letter] = leaf.requires_grad_() if needs is None or needs[i] else leaf
    return made


def call(torch, text, made):
    """The value of `text` with the operands and the library in scope."""
    return eval(text, {"torch": torch, **made})
