"""How each op is usually called where its gradient is tested: shapes, settings, and random numbers in its domain."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import refgrad

Draw = Callable[[np.random.Generator], list[Any]]
SIDE = (3, 4)


@dataclass(frozen=True)
class Call:
    """One call: how its operands are drawn, and its settings."""

    operands: Draw
    settings: dict[str, Any] = field(default_factory=dict)


def normal(*shapes: tuple[int, ...], **settings: Any) -> Call:
    """Operands of these shapes with normal elements."""
    return Call(lambda rng: [rng.normal(size=shape) for shape in shapes], settings)


def solvable(*shapes: tuple[int, ...], **settings: Any) -> Call:
    """The first operand a matrix that can be inverted."""

    def draw(rng: np.random.Generator) -> list[Any]:
        first, *rest = (rng.normal(size=shape) for shape in shapes)
        return [first + 3 * np.eye(shapes[0][-1]), *rest]

    return Call(draw, settings)


def indexed(shape: tuple[int, ...], index: tuple[int, ...], *after: tuple[int, ...], **settings: Any) -> Call:
    """A tensor, indices along its axis of size 4, and further tensors."""

    def draw(rng: np.random.Generator) -> list[Any]:
        return [rng.normal(size=shape), rng.integers(0, 3, index), *(rng.normal(size=s) for s in after)]

    return Call(draw, settings)


def masked(*rest: Any) -> Call:
    """A tensor, a mask, and a number or a tensor of no dimensions."""

    def draw(rng: np.random.Generator) -> list[Any]:
        more = [rng.normal(size=()) if x == "tensor" else x for x in rest]
        return [rng.normal(size=SIDE), rng.integers(0, 2, SIDE).astype(bool), *more]

    return Call(draw)


def chosen(rng: np.random.Generator) -> list[Any]:
    return [rng.integers(0, 2, SIDE).astype(bool), rng.normal(size=SIDE), rng.normal(size=SIDE)]


def powers() -> list[Call]:
    base = lambda rng: rng.uniform(0.5, 2, SIDE)
    return [
        Call(lambda rng: [base(rng), rng.normal(size=SIDE)]),
        Call(lambda rng: [base(rng), 3.0]),
        Call(lambda rng: [2.0, rng.normal(size=SIDE)]),
    ]


def along(**settings: Any) -> list[Call]:
    return [normal(SIDE), normal(SIDE, dim=1), normal(SIDE, **{"dim": 0, "keepdim": True, **settings})]


LINE = [normal(SIDE, dim=1), normal(SIDE, dim=0)]
USUAL: dict[str, list[Call]] = {
    **{name: along() for name in ("sum", "mean", "prod", "max", "min", "amax", "amin")},
    **{name: along(correction=0) for name in ("std", "var")},
    **dict.fromkeys(("softmax", "log_softmax", "cumsum", "cumprod", "logsumexp"), LINE),
    "linalg.vector_norm": [*along(), normal(SIDE, ord=1), normal(SIDE, ord=math.inf)],
    "sub": [normal(SIDE, SIDE), Call(lambda rng: [2.0, rng.normal(size=SIDE)])],
    "pow": powers(),
    "square": [normal(SIDE)],
    "where": [Call(chosen)],
    "clamp": [normal(SIDE, min=-0.5, max=0.5)],
    "flip": [normal(SIDE, dims=(1,))],
    "roll": [normal(SIDE, shifts=1, dims=1)],
    "tril": [normal(SIDE)],
    "triu": [normal(SIDE)],
    "diagonal": [normal(SIDE)],
    "repeat": [normal(SIDE, repeats=(2, 1))],
    "tile": [normal(SIDE, dims=(2, 1))],
    "view": [normal(SIDE, size=(4, 3))],
    "reshape": [normal(SIDE, shape=(4, 3))],
    "flatten": [normal(SIDE)],
    "transpose": [normal(SIDE, dim0=0, dim1=1)],
    "permute": [normal((2, 3, 4), dims=(2, 0, 1))],
    "expand": [normal((3, 1), size=(3, 4))],
    "unsqueeze": [normal(SIDE, dim=1)],
    "squeeze": [normal((3, 1, 4)), normal((3, 1, 4), dim=1), normal((1, 3, 1), dim=(0, 2))],
    "cat": [normal(SIDE, SIDE, dim=1)],
    "stack": [normal(SIDE, SIDE, dim=1)],
    "split": [
        normal((3, 4), split_size_or_sections=2, dim=1),
        normal(SIDE, split_size_or_sections=(1, 3), dim=1),
    ],
    "chunk": [normal(SIDE, chunks=2, dim=1)],
    "einsum": [normal((3, 4), (4, 2), equation="ij,jk->ik")],
    "getitem": [
        normal(SIDE, index=1),
        normal(SIDE, index=slice(1, 3)),
        normal(SIDE, index=[0, 2, 2]),
        normal(SIDE, index=...),
    ],
    "linalg.inv": [solvable((3, 3))],
    "linalg.det": [solvable((3, 3))],
    "linalg.solve": [solvable((3, 3), (3, 2)), solvable((3, 3), (3,))],
    "outer": [normal((3,), (4,))],
    "addmm": [normal((3, 2), (3, 4), (4, 2)), normal((3, 2), (3, 4), (4, 2), beta=0.5, alpha=2.0)],
    "gather": [indexed(SIDE, (3, 2), dim=1)],
    "scatter_add": [indexed(SIDE, (3, 2), (3, 2), dim=1)],
    "index_select": [indexed(SIDE, (2,), dim=1)],
    "masked_fill": [masked("tensor"), masked(2.0)],
    "mm": [normal((3, 4), (4, 2))],
    "mv": [normal((3, 4), (4,))],
    "dot": [normal((4,), (4,))],
    "bmm": [normal((2, 3, 4), (2, 4, 2))],
    "matmul": [
        normal((3, 4), (4, 2)),
        normal((2, 3, 4), (2, 4, 2)),
        normal((3, 4), (4,)),
        normal((4,), (4, 2)),
    ],
}
"""What is not elementwise, or has several forms."""


def usual_calls(op: str) -> list[Call]:
    """The calls of an op; an elementwise one is called on full tensors in its domain."""
    if op in USUAL:
        return USUAL[op]
    public = refgrad.catalogue()[op]
    if not isinstance(public.facts.meaning, str):
        raise LookupError(f"{op} is not elementwise and has no usual call in benchmarks/wrong_rules/usual.py")
    inside = [interval(public.facts, name) for name in public.inputs]
    return [Call(lambda rng: [draw(rng) for draw in inside])]


def interval(facts: Any, name: str) -> Callable[[np.random.Generator], Any]:
    """Numbers in the domain of one operand."""
    low, high = facts.domain.get(name, (-math.inf, math.inf))
    if math.isfinite(low) and math.isfinite(high):
        return lambda rng: rng.uniform(low + 0.1, high - 0.1, SIDE)
    if math.isfinite(low):
        return lambda rng: low + rng.uniform(0.5, 2.5, SIDE)
    if name in facts.poles:
        return lambda rng: rng.uniform(0.5, 2.0, SIDE) * rng.choice([-1, 1], SIDE)
    return lambda rng: rng.normal(size=SIDE)
