"""Calls of every public function, as text that refgrad and torch both run, with the shapes of their operands.

An operand is named by a letter and made by `operand`: positive, distinct, reproducible numbers.
"""

import zlib

import numpy as np

import refgrad

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
        ("torch.div(a, b, rounding_mode='trunc')", {"a": (2, 3), "b": (3,)}),
        ("torch.div(-a, b, rounding_mode='floor')", {"a": (2, 3), "b": (3,)}),
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
    "exp2": [
        ("a.exp2()", {"a": (2, 3)}),
        ("torch.exp2(a)", {"a": ()}),
    ],
    "expm1": [
        ("a.expm1()", {"a": (2, 3)}),
        ("torch.expm1(a)", {"a": ()}),
    ],
    "log1p": [
        ("a.log1p()", {"a": (2, 3)}),
        ("torch.log1p(a)", {"a": ()}),
    ],
    "log2": [
        ("a.log2()", {"a": (2, 3)}),
        ("torch.log2(a)", {"a": ()}),
    ],
    "log10": [
        ("a.log10()", {"a": (2, 3)}),
        ("torch.log10(a)", {"a": ()}),
    ],
    "sqrt": [
        ("a.sqrt()", {"a": (2, 3)}),
        ("torch.sqrt(a)", {"a": ()}),
    ],
    "rsqrt": [
        ("a.rsqrt()", {"a": (2, 3)}),
        ("torch.rsqrt(a)", {"a": ()}),
    ],
    "square": [
        ("a.square()", {"a": (2, 3)}),
        ("torch.square(a)", {"a": ()}),
    ],
    "erf": [
        ("a.erf()", {"a": (2, 3)}),
        ("torch.erf(a)", {"a": ()}),
    ],
    "erfc": [
        ("a.erfc()", {"a": (2, 3)}),
        ("torch.erfc(a)", {"a": ()}),
    ],
    "sin": [
        ("a.sin()", {"a": (2, 3)}),
        ("torch.sin(a)", {"a": ()}),
        ("(a - 1).sin()", {"a": (2, 3)}),
    ],
    "cos": [
        ("a.cos()", {"a": (2, 3)}),
        ("torch.cos(a)", {"a": ()}),
        ("(a - 1).cos()", {"a": (2, 3)}),
    ],
    "tan": [
        ("a.tan()", {"a": (2, 3)}),
        ("torch.tan(a)", {"a": ()}),
        ("(a - 1).tan()", {"a": (2, 3)}),
    ],
    "atan": [
        ("a.atan()", {"a": (2, 3)}),
        ("torch.atan(a)", {"a": ()}),
        ("(a - 1).atan()", {"a": (2, 3)}),
    ],
    "sinh": [
        ("a.sinh()", {"a": (2, 3)}),
        ("torch.sinh(a)", {"a": ()}),
        ("(a - 1).sinh()", {"a": (2, 3)}),
    ],
    "cosh": [
        ("a.cosh()", {"a": (2, 3)}),
        ("torch.cosh(a)", {"a": ()}),
        ("(a - 1).cosh()", {"a": (2, 3)}),
    ],
    "asinh": [
        ("a.asinh()", {"a": (2, 3)}),
        ("torch.asinh(a)", {"a": ()}),
        ("(a - 1).asinh()", {"a": (2, 3)}),
    ],
    "asin": [
        ("((a - 1.3) * 0.9).asin()", {"a": (2, 3)}),
        ("torch.asin(a * 0.4)", {"a": ()}),
    ],
    "acos": [
        ("((a - 1.3) * 0.9).acos()", {"a": (2, 3)}),
        ("torch.acos(a * 0.4)", {"a": ()}),
    ],
    "atanh": [
        ("((a - 1.3) * 0.9).atanh()", {"a": (2, 3)}),
        ("torch.atanh(a * 0.4)", {"a": ()}),
    ],
    "acosh": [
        ("(a + 1).acosh()", {"a": (2, 3)}),
        ("torch.acosh(a + 1)", {"a": ()}),
    ],
    "abs": [
        ("(a - 1).abs()", {"a": (2, 3)}),
        ("abs(-a)", {"a": ()}),
        ("torch.abs(a)", {"a": (0, 2)}),
    ],
    "sign": [
        ("(a - 1).sign()", {"a": (2, 3)}),
        ("torch.sign(a) * a", {"a": (3,)}),
    ],
    "floor": [
        ("(a - 1).floor()", {"a": (2, 3)}),
        ("torch.floor(a) * a", {"a": (3,)}),
    ],
    "ceil": [
        ("(a - 1).ceil()", {"a": (2, 3)}),
        ("torch.ceil(a) * a", {"a": (3,)}),
    ],
    "trunc": [
        ("(a - 1).trunc()", {"a": (2, 3)}),
        ("torch.trunc(a) * a", {"a": (3,)}),
    ],
    "round": [
        ("(a - 1).round()", {"a": (2, 3)}),
        ("torch.round(a) * a", {"a": (3,)}),
        ("torch.round(a, decimals=1) * a", {"a": (3,)}),
        ("(100 * a).round(decimals=-1)", {"a": (3,)}),
    ],
    "maximum": [
        ("torch.maximum(a, b)", {"a": (2, 3), "b": (3,)}),
        ("a.maximum(b)", {"a": (), "b": (2, 1)}),
        ("torch.maximum(a, a)", {"a": (2,)}),
    ],
    "minimum": [
        ("torch.minimum(a, b)", {"a": (2, 3), "b": (3,)}),
        ("a.minimum(b)", {"a": (), "b": (2, 1)}),
        ("torch.minimum(a, a)", {"a": (2,)}),
    ],
    "atan2": [
        ("torch.atan2(a, b)", {"a": (2, 3), "b": (3,)}),
        ("(a - 1).atan2(b - 1)", {"a": (2, 3), "b": (2, 3)}),
    ],
    "clamp": [
        ("a.clamp(0.5, 1.5)", {"a": (2, 3)}),
        ("torch.clamp(a, min=1)", {"a": (2, 3)}),
        ("a.clamp(max=1.0)", {"a": ()}),
        ("a.clamp(2.0, 1.0)", {"a": (2, 3)}),
        ("a.clamp(b, 1.5 * b)", {"a": (2, 3), "b": (3,)}),
    ],
    "nn.functional.softplus": [
        ("torch.nn.functional.softplus(a - 1)", {"a": (2, 3)}),
        ("torch.nn.functional.softplus(a, 2, 3)", {"a": (2, 3)}),
        ("torch.nn.functional.softplus(a, beta=-0.5, threshold=20)", {"a": ()}),
    ],
    "nn.functional.gelu": [
        ("torch.nn.functional.gelu(a - 1)", {"a": (2, 3)}),
        ("torch.nn.functional.gelu(a)", {"a": ()}),
        ("torch.nn.functional.gelu(a - 1, approximate='tanh')", {"a": (2, 3)}),
    ],
    "nn.functional.silu": [
        ("torch.nn.functional.silu(a - 1)", {"a": (2, 3)}),
        ("torch.nn.functional.silu(a)", {"a": ()}),
    ],
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
    "prod": [
        ("a.prod()", {"a": (2, 3)}),
        ("a.prod()", {"a": ()}),
        ("a.prod()", {"a": (0,)}),
        ("a.prod(1)", {"a": (2, 3)}),
        ("a.prod(-2, keepdim=True)", {"a": (2, 3, 2)}),
        ("a.prod(0)", {"a": ()}),
        ("(a * torch.tensor([1.0, 0.0, 1.0])).prod(1)", {"a": (2, 3)}),
        ("(a * torch.tensor([1.0, 0.0, 0.0, 1.0])).prod(0)", {"a": (4,)}),
        ("(a * torch.tensor([0.0, 1.0, 1.0])).prod()", {"a": (3,)}),
    ],
    "cumsum": [
        ("a.cumsum(1)", {"a": (2, 3)}),
        ("torch.cumsum(a, dim=-2)", {"a": (2, 3)}),
        ("a.cumsum(0)", {"a": ()}),
    ],
    "amax": [
        ("a.amax()", {"a": (2, 3)}),
        ("a.amax(1)", {"a": (2, 3)}),
        ("torch.cat([a, a]).amax((0, -1), keepdim=True)", {"a": (2, 3)}),
        ("a.amax(0)", {"a": ()}),
    ],
    "amin": [
        ("a.amin()", {"a": (2, 3)}),
        ("torch.stack([a, a, a]).amin(0)", {"a": (3,)}),
        ("a.amin((1, 0))", {"a": (2, 3)}),
    ],
    "min": [
        ("a.min()", {"a": (2, 3)}),
        ("torch.cat([a, a]).min()", {"a": (3,)}),
        ("a.min(1)[0]", {"a": (2, 3)}),
        ("a.min(-2, keepdim=True).values", {"a": (2, 3, 2)}),
        ("a.min(0)[0]", {"a": ()}),
    ],
    "var": [
        ("a.var()", {"a": (2, 3)}),
        ("a.var(0)", {"a": (3, 2)}),
        ("a.var(1, unbiased=False)", {"a": (2, 3)}),
        ("a.var((0, 1), correction=2, keepdim=True)", {"a": (2, 3)}),
    ],
    "linalg.vector_norm": [
        ("torch.linalg.vector_norm(a)", {"a": (2, 3)}),
        ("torch.linalg.vector_norm(a - 1, 1, dim=1)", {"a": (2, 3)}),
        ("torch.linalg.vector_norm(a - 1, float('inf'), dim=(0, -1), keepdim=True)", {"a": (2, 3)}),
        ("torch.linalg.vector_norm(torch.cat([a, -a]), float('inf'), dim=0)", {"a": (2, 3)}),
        ("torch.linalg.vector_norm(a - 1, dim=0, keepdim=True)", {"a": (2, 3)}),
        ("torch.linalg.vector_norm(a)", {"a": ()}),
        ("torch.linalg.vector_norm(a - 1, 3, dim=1)", {"a": (2, 3)}),
        ("torch.linalg.vector_norm(a - 1, 1.5, dim=0, keepdim=True)", {"a": (2, 3)}),
        ("torch.linalg.vector_norm(a - 1, 0.5)", {"a": (2, 3)}),
        ("torch.linalg.vector_norm(a - 1, -2, dim=(1,))", {"a": (2, 3)}),
        ("torch.linalg.vector_norm(torch.cat([a, -a]), -float('inf'), dim=0)", {"a": (2, 3)}),
        ("a.norm()", {"a": (2, 3)}),
        ("a.norm(1, dim=-1)", {"a": (2, 3)}),
    ],
    "log_softmax": [
        ("a.log_softmax(1)", {"a": (2, 3)}),
        ("torch.log_softmax(a * 300, -2)", {"a": (2, 3)}),
        ("a.log_softmax(0)", {"a": ()}),
    ],
    "mm": [("a.mm(b)", {"a": (2, 3), "b": (3, 2)}), ("torch.mm(a, b.t())", {"a": (2, 3), "b": (2, 3)})],
    "bmm": [("torch.bmm(a, b)", {"a": (2, 2, 3), "b": (2, 3, 1)})],
    "mv": [("torch.mv(a, b)", {"a": (2, 3), "b": (3,)})],
    "dot": [("torch.dot(a, b)", {"a": (3,), "b": (3,)}), ("a.dot(a)", {"a": (3,)})],
    "outer": [
        ("torch.outer(a, b)", {"a": (2,), "b": (3,)}),
        ("a[::2].outer(a)", {"a": (3,)}),
    ],
    "addmm": [
        ("torch.addmm(a, b, b.t())", {"a": (2, 2), "b": (2, 3)}),
        ("torch.addmm(a, b.t(), b, beta=2, alpha=-0.5)", {"a": (3,), "b": (2, 3)}),
        ("b.addmm(a, b)", {"a": (2, 2), "b": (2, 3)}),
    ],
    "view": [
        ("a.view(6)", {"a": (2, 3)}),
        ("a.view((3, -1))", {"a": (2, 3)}),
        ("a.t().view(3, 2, 1)", {"a": (2, 3)}),
        ("a.view(size=(1, 1))", {"a": ()}),
    ],
    "flatten": [
        ("a.flatten(1)", {"a": (2, 3, 2)}),
        ("torch.flatten(a, 0, -2)", {"a": (2, 3, 2)}),
        ("a.t().flatten()", {"a": (2, 3)}),
        ("a.flatten()", {"a": ()}),
    ],
    "permute": [
        ("a.permute(2, 0, 1)", {"a": (2, 3, 4)}),
        ("torch.permute(a, (-1, 0))", {"a": (2, 3)}),
        ("a.permute(dims=(1, 0))", {"a": (2, 3)}),
    ],
    "unsqueeze": [("a.unsqueeze(-1)", {"a": (2, 3)}), ("torch.unsqueeze(a, 0)", {"a": ()})],
    "squeeze": [
        ("a.squeeze()", {"a": (2, 1, 3)}),
        ("a.squeeze(-2)", {"a": (2, 1, 3)}),
        ("a.squeeze(0)", {"a": (2, 1, 3)}),
        ("torch.squeeze(a, dim=(0, 1))", {"a": (2, 1, 3)}),
        ("a.squeeze(())", {"a": (2, 1, 3)}),
    ],
    "stack": [
        ("torch.stack([a, b, a])", {"a": (2, 3), "b": (2, 3)}),
        ("torch.stack((a, b), -1)", {"a": (2,), "b": (2,)}),
        ("torch.stack([a, b])", {"a": (), "b": ()}),
    ],
    "split": [
        ("a.split(1)[1]", {"a": (2, 3)}),
        ("torch.split(a, 2, -1)[1]", {"a": (2, 3)}),
        ("a.split([1, 0, 2], 1)[2]", {"a": (2, 3)}),
        ("torch.split(a, (1, 2), dim=1)[0] * torch.split(a, (2, 1), dim=1)[1]", {"a": (2, 3)}),
        ("(lambda p: p[2] * p[0])(a.split(1, 1))", {"a": (2, 3)}),
    ],
    "chunk": [("a.chunk(2, 1)[0]", {"a": (2, 3)}), ("torch.chunk(a, 3)[1]", {"a": (0, 3)})],
    "flip": [("torch.flip(a, (0, -1))", {"a": (2, 3)}), ("torch.flip(a, [1])", {"a": (2, 3)})],
    "roll": [
        ("a.roll(1)", {"a": (2, 3)}),
        ("a.roll(-2, 1)", {"a": (2, 3)}),
        ("torch.roll(a, (1, 4), (0, -1))", {"a": (2, 3)}),
        ("torch.roll(a, (1, 1), (1, 1))", {"a": (2, 3)}),
    ],
    "gather": [
        ("a.gather(0, torch.tensor([[0, 1, 0]]))", {"a": (2, 3)}),
        ("torch.gather(a, -1, torch.tensor([[2, 2, 2, 0]]))", {"a": (2, 3)}),
        ("a.gather(0, torch.tensor([1, 1]))", {"a": (3,)}),
        ("a.gather(0, torch.tensor(0))", {"a": ()}),
    ],
    "scatter_add": [
        ("a.scatter_add(0, torch.tensor([[0, 1, 0], [0, 0, 0]]), b)", {"a": (2, 3), "b": (2, 3)}),
        ("torch.scatter_add(a, 1, torch.tensor([[2, 2]]), b)", {"a": (2, 3), "b": (1, 2)}),
    ],
    "index_select": [
        ("a.index_select(1, torch.tensor([2, 0, 2]))", {"a": (2, 3)}),
        ("torch.index_select(a, -2, torch.tensor([1]))", {"a": (2, 3, 2)}),
        ("a.index_select(0, torch.tensor([0]))", {"a": ()}),
    ],
    "masked_fill": [
        ("a.masked_fill(a > 1, 2.0)", {"a": (2, 3)}),
        ("torch.masked_fill(a, torch.tensor([True, False, True]), b)", {"a": (2, 3), "b": ()}),
        ("a.masked_fill(torch.tensor([[True, False, False], [True, True, False]]), -1)", {"a": (3,)}),
    ],
    "tril": [("a.tril()", {"a": (3, 2)}), ("torch.tril(a, -1)", {"a": (2, 3, 3)})],
    "triu": [("a.triu()", {"a": (2, 3)}), ("torch.triu(a, diagonal=1)", {"a": (2, 3, 3)})],
    "diagonal": [
        ("a.diagonal()", {"a": (2, 3)}),
        ("torch.diagonal(a, -1, 0, -1)", {"a": (3, 2, 3)}),
        ("a.diagonal(1, 2, 1)", {"a": (2, 3, 3)}),
    ],
    "repeat": [
        ("a.repeat(2, 1, 3)", {"a": (2, 3)}),
        ("a.repeat((2,))", {"a": ()}),
        ("a.repeat(0, 2)", {"a": (2, 3)}),
    ],
    "tile": [("a.tile(2)", {"a": (2, 3)}), ("torch.tile(a, (2, 1, 2))", {"a": (2, 3)})],
    "einsum": [
        ("torch.einsum('ij,jk->ik', a, b)", {"a": (2, 3), "b": (3, 2)}),
        ("torch.einsum('ij,jk', a, b)", {"a": (2, 3), "b": (3, 2)}),
        ("torch.einsum('i...->...', a)", {"a": (3, 3)}),
        ("torch.einsum('...ik,...j->ij', a, b)", {"a": (1, 2, 3), "b": (3,)}),
        ("torch.einsum('...ij,...jk', a, b)", {"a": (2, 1, 3, 4), "b": (5, 4, 2)}),
        ("torch.einsum('ij,kj->ki', a, b)", {"a": (2, 3), "b": (4, 3)}),
        ("torch.einsum('ij,ij->i', a, b)", {"a": (2, 3), "b": (2, 3)}),
        ("torch.einsum('ij,ij->', a, b)", {"a": (2, 3), "b": (2, 3)}),
        ("torch.einsum('i,j->ij', a, b)", {"a": (2,), "b": (3,)}),
        ("torch.einsum('bij,bjk->bki', a, b)", {"a": (2, 2, 3), "b": (2, 3, 2)}),
        ("torch.einsum('ii->i', a)", {"a": (3, 3)}),
        ("torch.einsum('ii->', a)", {"a": (3, 3)}),
        ("torch.einsum('iji->ji', a)", {"a": (3, 2, 3)}),
        ("torch.einsum('ij->ji', a)", {"a": (2, 3)}),
        ("torch.einsum('ij->j', a)", {"a": (2, 3)}),
        ("torch.einsum('ij,k->k', a, b)", {"a": (2, 3), "b": (2,)}),
        ("torch.einsum('i,ij,j->', a, b, a[:1])", {"a": (2,), "b": (2, 1)}),
        ("torch.einsum('ij,jk,kl->il', a, b, a)", {"a": (2, 3), "b": (3, 2)}),
    ],
    "nn.functional.leaky_relu": [
        ("torch.nn.functional.leaky_relu(a - 1)", {"a": (2, 3)}),
        ("torch.nn.functional.leaky_relu(a - 1, 0.3)", {"a": (2, 3)}),
        ("torch.nn.functional.leaky_relu(a - a, negative_slope=-2.0)", {"a": ()}),
    ],
    "nn.functional.elu": [
        ("torch.nn.functional.elu(a - 1)", {"a": (2, 3)}),
        ("torch.nn.functional.elu(a - 1, alpha=0.5)", {"a": (2, 3)}),
    ],
    "nn.functional.mse_loss": [
        ("torch.nn.functional.mse_loss(a, b)", {"a": (2, 3), "b": (2, 3)}),
        ("torch.nn.functional.mse_loss(a, a * b, reduction='sum')", {"a": (3,), "b": (3,)}),
        ("torch.nn.functional.mse_loss(a, b, reduction='none')", {"a": (2, 3), "b": (2, 3)}),
        ("torch.nn.functional.mse_loss(a, b)", {"a": (), "b": ()}),
        ("torch.nn.functional.mse_loss(a, b, reduction='sum')", {"a": (0, 2), "b": (0, 2)}),
    ],
    "nn.functional.binary_cross_entropy": [
        ("torch.nn.functional.binary_cross_entropy(a / 3, b / 3)", {"a": (2, 3), "b": (2, 3)}),
        ("torch.nn.functional.binary_cross_entropy(a / 3, b / 3, reduction='sum')", {"a": (3,), "b": (3,)}),
        (
            "torch.nn.functional.binary_cross_entropy(a / 3, b / 3, torch.tensor([1.0, 2.0, 0.5]).double(), "
            "reduction='none')",
            {"a": (2, 3), "b": (2, 3)},
        ),
        ("torch.nn.functional.binary_cross_entropy(a / 3, b / 3)", {"a": (), "b": ()}),
    ],
    "nn.functional.binary_cross_entropy_with_logits": [
        ("torch.nn.functional.binary_cross_entropy_with_logits(a - 1, b / 3)", {"a": (2, 3), "b": (2, 3)}),
        (
            "torch.nn.functional.binary_cross_entropy_with_logits(50 * (a - 1), b, reduction='none')",
            {"a": (2, 3), "b": (2, 3)},
        ),
        (
            "torch.nn.functional.binary_cross_entropy_with_logits(a - 1, b, torch.tensor([1.0, 2.0, 0.5]).double(), "
            "pos_weight=torch.tensor([3.0]).double(), reduction='sum')",
            {"a": (2, 3), "b": (2, 3)},
        ),
    ],
    "nn.functional.nll_loss": [
        ("torch.nn.functional.nll_loss(a, torch.tensor([2, 0]))", {"a": (2, 3)}),
        ("torch.nn.functional.nll_loss(a, torch.tensor([2, 0]), reduction='sum')", {"a": (2, 3)}),
        (
            "torch.nn.functional.nll_loss(a, torch.tensor([2, -100]), torch.tensor([1.0, 2.0, 0.5]).double(), "
            "reduction='none')",
            {"a": (2, 3)},
        ),
        (
            "torch.nn.functional.nll_loss(a, torch.tensor([2, 1, 0]), torch.tensor([1.0, 2.0, 0.5]).double(), "
            "ignore_index=1)",
            {"a": (3, 3)},
        ),
        ("torch.nn.functional.nll_loss(a, torch.tensor(1))", {"a": (3,)}),
        ("torch.nn.functional.nll_loss(a, torch.tensor([[1, 0], [2, -100]]))", {"a": (2, 3, 2)}),
        (
            "torch.nn.functional.nll_loss(a, torch.tensor([[1, 0], [2, 2]]), torch.tensor([1.0, 2.0, 0.5]).double(), "
            "reduction='none')",
            {"a": (2, 3, 2)},
        ),
        (
            "torch.nn.functional.nll_loss(a, torch.tensor([[[1], [0]]]), torch.tensor([1.0, 2.0, 0.5]).double())",
            {"a": (1, 3, 2, 1)},
        ),
        ("torch.nn.functional.cross_entropy(a, torch.tensor([[[1], [0]]]), reduction='sum')", {"a": (1, 3, 2, 1)}),
        ("torch.nn.functional.cross_entropy(a, torch.tensor([2, 0]))", {"a": (2, 3)}),
        ("torch.nn.functional.cross_entropy(a, b)", {"a": (2, 3), "b": (2, 3)}),
        ("torch.nn.functional.cross_entropy(a, torch.tensor(1))", {"a": (3,)}),
        ("torch.nn.functional.l1_loss(a, b)", {"a": (2, 3), "b": (2, 3)}),
    ],
    "nn.functional.linear": [
        ("torch.nn.functional.linear(a, b, a[:1, 0])", {"a": (2, 3), "b": (4, 3)}),
        ("torch.nn.functional.linear(a, b)", {"a": (2, 2, 3), "b": (4, 3)}),
        ("torch.nn.functional.linear(a, b, b[:, 0])", {"a": (2, 2, 3), "b": (4, 3)}),
        ("torch.nn.functional.linear(a, b, b[:, 0])", {"a": (3,), "b": (4, 3)}),
        ("torch.nn.functional.linear(a, b)", {"a": (3,), "b": (4, 3)}),
    ],
    "expand_as": [("a.expand_as(torch.ones(4, 2, 3))", {"a": (2, 1)})],
    "view_as": [("a.view_as(torch.ones(3, 2))", {"a": (2, 3)})],
    "ravel": [("a.ravel()", {"a": (2, 3)}), ("torch.ravel(a.t())", {"a": (2, 3)})],
    "swapaxes": [("a.swapaxes(0, -1)", {"a": (2, 3, 4)})],
    "movedim": [
        ("a.movedim(0, -1)", {"a": (2, 3, 4)}),
        ("torch.movedim(a, (0, 1), (2, 0))", {"a": (2, 3, 4)}),
    ],
    "select": [("a.select(1, -1)", {"a": (2, 3)}), ("torch.select(a, 0, 1)", {"a": (2, 3)})],
    "narrow": [("a.narrow(1, 0, 2)", {"a": (2, 3)}), ("torch.narrow(a, 0, -1, 1)", {"a": (2, 3)})],
    "hstack": [
        ("torch.hstack([a, b])", {"a": (2, 3), "b": (2, 1)}),
        ("torch.hstack((a, b))", {"a": (2,), "b": (3,)}),
        ("torch.hstack([a, b])", {"a": (), "b": (3,)}),
    ],
    "vstack": [
        ("torch.vstack([a, b])", {"a": (2, 3), "b": (3,)}),
        ("torch.vstack([a, a])", {"a": (3,)}),
    ],
    "meshgrid": [
        ("(lambda m: m[0] * m[1])(torch.meshgrid(a, b, indexing='ij'))", {"a": (2,), "b": (3,)}),
        ("(lambda m: m[0] / m[1])(torch.meshgrid(a, b, indexing='xy'))", {"a": (2,), "b": (3,)}),
        ("(lambda m: m[0] * m[1] + m[2])(torch.meshgrid([a, b, a], indexing='xy'))", {"a": (2,), "b": (3,)}),
    ],
    "linalg.inv": [
        ("torch.linalg.inv(a)", {"a": (3, 3)}),
        ("a.inverse()", {"a": (2, 2, 2)}),
        ("torch.linalg.inv(a)", {"a": (0, 0)}),
    ],
    "linalg.det": [
        ("torch.linalg.det(a)", {"a": (3, 3)}),
        ("a.det()", {"a": (2, 2, 2)}),
        ("torch.linalg.det(a)", {"a": (1, 1)}),
    ],
    "nn.functional.relu6": [
        ("torch.nn.functional.relu6(4 * (a - 0.5))", {"a": (2, 3)}),
        ("torch.nn.functional.relu6(a)", {"a": ()}),
    ],
    "nn.functional.hardtanh": [
        ("torch.nn.functional.hardtanh(a - 1)", {"a": (2, 3)}),
        ("torch.nn.functional.hardtanh(a, 0.5, max_val=1.5)", {"a": (2, 3)}),
    ],
    "nn.functional.hardswish": [
        ("torch.nn.functional.hardswish(4 * (a - 1.3))", {"a": (2, 3)}),
        ("torch.nn.functional.hardswish(a)", {"a": ()}),
    ],
    "nn.functional.softshrink": [
        ("torch.nn.functional.softshrink(a - 1)", {"a": (2, 3)}),
        ("torch.nn.functional.softshrink(a - 1, 0.2)", {"a": (2, 3)}),
        ("torch.nn.functional.softshrink(a, lambd=0)", {"a": ()}),
    ],
    "hardshrink": [
        ("torch.nn.functional.hardshrink(a - 1)", {"a": (2, 3)}),
        ("(a - 1).hardshrink(0.2)", {"a": (2, 3)}),
    ],
    "threshold": [
        ("torch.nn.functional.threshold(a, 1.0, 20.0)", {"a": (2, 3)}),
        ("torch.threshold(a - 1, threshold=0, value=-1)", {"a": (2, 3)}),
    ],
    "prelu": [
        ("torch.nn.functional.prelu(a - 1, b)", {"a": (2, 3), "b": (3,)}),
        ("(a - 1).prelu(b)", {"a": (2, 3, 2), "b": (1,)}),
        ("torch.prelu(a - 1, b)", {"a": (3,), "b": ()}),
        ("torch.prelu(a - 3, b)", {"a": (), "b": (1,)}),
    ],
    "fmax": [
        ("torch.fmax(a, b)", {"a": (2, 3), "b": (3,)}),
        ("a.fmax(a)", {"a": (2,)}),
    ],
    "fmin": [
        ("torch.fmin(a, b)", {"a": (2, 3), "b": (2, 1)}),
        ("a.fmin(b)", {"a": (), "b": (2,)}),
    ],
    "frac": [
        ("a.frac()", {"a": (2, 3)}),
        ("torch.frac(a - 1) * a", {"a": (3,)}),
    ],
    "fmod": [
        ("torch.fmod(10 * (a - 1), b)", {"a": (2, 3), "b": (3,)}),
        ("(5 * a).fmod(-1.5)", {"a": (2, 3)}),
        ("torch.fmod(a, b)", {"a": (), "b": (2,)}),
    ],
    "remainder": [
        ("torch.remainder(10 * (a - 1), b)", {"a": (2, 3), "b": (3,)}),
        ("torch.remainder(5 * a, -b)", {"a": (2, 3), "b": (2, 3)}),
        ("(5 * a).remainder(-1.5)", {"a": (2, 3)}),
    ],
    "copysign": [
        ("torch.copysign(a - 1, b - 1)", {"a": (2, 3), "b": (3,)}),
        ("(a - 1).copysign(-2.0)", {"a": (2, 3)}),
    ],
    "nextafter": [("torch.nextafter(a, b)", {"a": (2, 3), "b": (3,)})],
    "ldexp": [
        ("torch.ldexp(a, b)", {"a": (2, 3), "b": (3,)}),
        ("a.ldexp(torch.tensor([1, 3, 0]))", {"a": (2, 3)}),
    ],
    "nan_to_num": [
        ("a.nan_to_num()", {"a": (2, 3)}),
        ("torch.nan_to_num(a.log() * a, 1.0, posinf=2.0, neginf=-3.0)", {"a": (2, 3)}),
    ],
    "xlogy": [
        ("torch.xlogy(a - 1, b)", {"a": (2, 3), "b": (3,)}),
        ("a.xlogy(2)", {"a": (2, 3)}),
        ("torch.xlogy(a, 0.5)", {"a": ()}),
        ("torch.xlogy(2.5, a)", {"a": (2, 3)}),
        ("torch.special.xlogy(a, b)", {"a": (3,), "b": ()}),
    ],
    "special.entr": [("torch.special.entr(a)", {"a": (2, 3)})],
    "logit": [
        ("torch.logit(a / 3)", {"a": (2, 3)}),
        ("(a / 3).logit(0.25)", {"a": (2, 3)}),
        ("torch.special.logit(a / 3, eps=1e-6)", {"a": ()}),
    ],
    "sinc": [("(a - 1).sinc()", {"a": (2, 3)}), ("torch.sinc(a)", {"a": ()})],
    "sort": [
        ("a.sort()[0]", {"a": (2, 3)}),
        ("torch.sort(a, 0, True)[0] ** 2", {"a": (3, 2)}),
        ("torch.sort(a, dim=1, stable=True).values", {"a": (2, 3)}),
        ("a.sort()[0]", {"a": ()}),
        ("a.msort()", {"a": (3, 2)}),
        ("a.gather(1, a.argsort(1, True))", {"a": (2, 3)}),
    ],
    "topk": [
        ("a.topk(2)[0]", {"a": (2, 3)}),
        ("torch.topk(a, 1, 0, largest=False).values", {"a": (2, 3)}),
        ("a.topk(0)[0]", {"a": (3,)}),
        ("a.topk(1)[0]", {"a": ()}),
    ],
    "kthvalue": [
        ("a.kthvalue(2)[0]", {"a": (2, 3)}),
        ("torch.kthvalue(a, 1, 0, keepdim=True).values", {"a": (2, 3)}),
    ],
    "median": [
        ("a.median()", {"a": (2, 3)}),
        ("torch.cat([a, a, a]).median()", {"a": (3,)}),
        ("a.median(1)[0]", {"a": (2, 4)}),
        ("torch.median(a, 0, keepdim=True).values", {"a": (3, 2)}),
        ("a.nanmedian()", {"a": (2, 3)}),
        ("torch.nanmedian(a, -1)[0]", {"a": (2, 3)}),
    ],
    "mode": [
        ("a.mode()[0]", {"a": (2, 3)}),
        ("torch.cat([a, b, a]).mode(0)[0]", {"a": (2, 3), "b": (1, 3)}),
        ("a.mode(0, keepdim=True).values", {"a": (2, 3)}),
    ],
    "cummax": [
        ("a.cummax(1)[0]", {"a": (2, 3)}),
        ("torch.cummax(torch.cat([a, a]), 0).values", {"a": (3,)}),
        ("a.cummax(0)[0]", {"a": ()}),
        ("(a * a).cummin(-1)[0]", {"a": (2, 4)}),
    ],
    "aminmax": [
        ("a.aminmax().max", {"a": (2, 3)}),
        ("(lambda m: m[0] * m[1])(torch.cat([a, a]).aminmax(dim=0))", {"a": (2, 3)}),
        ("torch.aminmax(a, dim=1, keepdim=True).min", {"a": (2, 3)}),
    ],
    "quantile": [
        ("a.quantile(0.3)", {"a": (2, 3)}),
        ("torch.quantile(a, 0.7, 0)", {"a": (3, 2)}),
        ("a.quantile(0.25, dim=-1, keepdim=True)", {"a": (2, 3)}),
        ("a.quantile(torch.tensor([0.2, 0.9], dtype=a.dtype), 1, True)", {"a": (2, 3)}),
        ("a.quantile(torch.tensor([0.2, 0.9, 0.5], dtype=a.dtype))", {"a": (4,)}),
        ("a.quantile(0.4, interpolation='lower')", {"a": (4,)}),
        ("a.quantile(0.4, interpolation='higher')", {"a": (4,)}),
        ("a.quantile(0.4, interpolation='nearest')", {"a": (4,)}),
        ("a.quantile(0.4, interpolation='midpoint')", {"a": (4,)}),
        ("a.quantile(0.5)", {"a": ()}),
    ],
    "cosine_similarity": [
        ("torch.cosine_similarity(a, b)", {"a": (2, 3), "b": (2, 3)}),
        ("torch.nn.functional.cosine_similarity(a, b, dim=0)", {"a": (2, 3), "b": (2, 3)}),
        ("torch.cosine_similarity(a, b, dim=-1)", {"a": (2, 3), "b": (3,)}),
    ],
    "nn.functional.max_pool1d": [
        ("torch.nn.functional.max_pool1d(a, 2)", {"a": (2, 5)}),
        ("torch.nn.functional.max_pool1d(a, 3, stride=1, padding=1)", {"a": (2, 2, 4)}),
        ("torch.nn.functional.max_pool1d(a, (2,), 2, 0, 2, ceil_mode=True)", {"a": (1, 2, 6)}),
        ("torch.nn.functional.max_pool1d(a, 2, ceil_mode=True)", {"a": (2, 5)}),
        ("torch.nn.functional.max_pool1d(a - 3, 2, 2, 1)", {"a": (2, 5)}),
    ],
    "scatter_reduce": [
        (f"a.scatter_reduce({dim}, torch.tensor({index}), b, '{reduce}', include_self={included})", shapes)
        for reduce in ("sum", "mean", "amax", "amin")
        for included in (True, False)
        for dim, index, shapes in (
            (0, [[0, 1, 0], [0, 0, 1]], {"a": (3, 3), "b": (2, 3)}),
            (1, [[2, 2]], {"a": (2, 3), "b": (1, 2)}),
            (0, [1, 1, 0], {"a": (3,), "b": (3,)}),
        )
    ],
    "nn.functional.smooth_l1_loss": [
        ("torch.nn.functional.smooth_l1_loss(a, b)", {"a": (2, 3), "b": (2, 3)}),
        ("torch.nn.functional.smooth_l1_loss(a, b, beta=0.3, reduction='sum')", {"a": (2, 3), "b": (2, 3)}),
        ("torch.nn.functional.smooth_l1_loss(a, b, beta=2.0, reduction='none')", {"a": (3,), "b": (3,)}),
        ("torch.nn.functional.smooth_l1_loss(a, b, beta=0.0)", {"a": (3,), "b": (3,)}),
    ],
    "nn.functional.huber_loss": [
        ("torch.nn.functional.huber_loss(a, b)", {"a": (2, 3), "b": (2, 3)}),
        ("torch.nn.functional.huber_loss(a, b, delta=0.3, reduction='sum')", {"a": (2, 3), "b": (2, 3)}),
        ("torch.nn.functional.huber_loss(a, b, reduction='none', delta=2.0)", {"a": (3,), "b": (3,)}),
    ],
    "nn.functional.hinge_embedding_loss": [
        ("torch.nn.functional.hinge_embedding_loss(a, torch.tensor([1, -1, 2]))", {"a": (2, 3)}),
        (
            "torch.nn.functional.hinge_embedding_loss(a, torch.tensor([1.0, -1.0, -1.0]), 1.5, reduction='sum')",
            {"a": (2, 3)},
        ),
    ],
    "nn.functional.margin_ranking_loss": [
        ("torch.nn.functional.margin_ranking_loss(a, b, torch.tensor([1.0, -1, 1]).double())", {"a": (3,), "b": (3,)}),
        (
            "torch.nn.functional.margin_ranking_loss(a, b, torch.tensor([[1, -1, 1]]), margin=0.5, reduction='none')",
            {"a": (2, 3), "b": (2, 3)},
        ),
    ],
    "bernoulli": [
        ("torch.bernoulli(a * 0 + 1) * a", {"a": (2, 3)}),
        ("(a * 0).bernoulli() + a", {"a": ()}),
    ],
    "poisson": [("torch.poisson(a * 0) + a", {"a": (2, 3)})],
    "normal": [
        ("torch.normal(a, 0.0) * a", {"a": (2, 3)}),
        ("torch.normal(2.0, b * 0) * b", {"b": (2, 3)}),
        ("torch.normal(a, b * 0) + b", {"a": (2, 3), "b": (3,)}),
    ],
}  # fmt: skip

for _name, _entry in refgrad.catalogue().items():
    _free = all(low <= 0.3 and high >= 2.3 for low, high in _entry.facts.domain.values())
    if (
        isinstance(_entry.facts.meaning, str) and _free and _name not in CASES
    ):  # what follows from the declaration
        _letters = ("a", "b")[: len(_entry.inputs)]
        _shapes = [((2, 3), (3,)), ((), ()), ((0, 3), (0, 1))]
        _text = f"torch.{_name}({', '.join(_letters)})"
        CASES[_name] = [(_text, dict(zip(_letters, shapes, strict=False))) for shapes in _shapes]

UNJUDGED = {
    *("nn.functional.binary_cross_entropy", "nn.functional.linear"),
    *("nn.functional.elu", "nn.functional.hardtanh", "hardshrink", "threshold", "prelu"),
    *("fmod", "remainder", "copysign", "nextafter", "nan_to_num"),
    *("sinc", "logit"),
    *("sort", "topk", "kthvalue", "median", "mode", "cummax", "aminmax", "quantile"),
    *("cosine_similarity", "nn.functional.max_pool1d", "scatter_reduce"),
    *("nn.functional.smooth_l1_loss", "nn.functional.huber_loss"),
    *("nn.functional.hinge_embedding_loss", "nn.functional.margin_ranking_loss"),
    *("bernoulli", "poisson", "normal"),
    *(
        "expand_as",
        "view_as",
        "ravel",
        "swapaxes",
        "movedim",
        "select",
        "narrow",
        "hstack",
        "vstack",
        "meshgrid",
    ),
}
"""Functions that are compared with PyTorch's alone: their slopes are cut off by convention, or they are composed."""

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
