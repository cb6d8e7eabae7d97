"""Faces: the sides of an op on which gradients go wrong, how to lean a drawing towards each, and how to see one.

Leaning is a wish and seeing is a fact: what a report says was visited is read off the cases themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

import refgrad
from oracles.generation.losses import LOSSES
from oracles.generation.steps import BETWEEN, DRAWERS, large_numbers, settable, takes_numbers
from oracles.generation.values import REALS, offers
from oracles.program import Case, Dots, Int, NewAxis, Refs, Scalar, Step

NUMBERS = ("negative", "zero", "ties", "kink", "large", "tiny")
SHAPES = ("0-d", "empty", "non-square", "non-contiguous", "bulk")
CONSTANT = "constant operand"
PAIRS = ("size-1 axis", "mixed ranks", "same twice", "scalar", "mixed dtypes", CONSTANT)
NUMERIC = (
    *(("alpha", 1), ("beta", 1), ("threshold", 20), ("min", None), ("max", None)),
    *(("negative_slope", 0.01), ("lambd", 0.5)),
)
"""Numeric settings and their defaults."""
INDICES = ("index array", "repeated index", "mask")

REDUCES = {
    *("sum", "mean", "std", "var", "logsumexp", "amax", "amin", "linalg.vector_norm"),
    *("flip", "roll", "squeeze"),
}
"""Ops that take several dimensions."""
ONE_DIM = {
    *("max", "min", "prod", "cumprod", "cumsum", "softmax", "log_softmax", "cat", "stack", "split", "chunk"),
    *("gather", "scatter_add", "index_select", "transpose", "permute", "unsqueeze", "flatten", "diagonal"),
}
INVERTED = {"linalg.solve", "linalg.inv", "linalg.det"}
"""Ops of square matrices, which are drawn so that they can be inverted."""
PRODUCTS = {"matmul", "mm", "mv", "bmm", "dot", "outer", "addmm", "einsum"}
RANKED = {
    *("cat", "getitem", "transpose", "split", "chunk", "flip", "roll", "tril", "triu", "diagonal"),
    *PRODUCTS,
    *INVERTED,
    "nn.functional.nll_loss",
}
"""Ops whose operands have at least one dimension."""
TIED = {
    *("max", "min", "amax", "amin", "relu", "maximum", "minimum", "fmax", "fmin"),
    "linalg.vector_norm",
}
"""Ops that decide between elements, or between an element and a number."""
NEVER_EMPTY = {"mean", "std", "var", "max", "min", "amax", "amin", "logsumexp", *LOSSES}
SETTABLE = {
    *LOSSES,
    *("sum", "mean", "std", "var", "logsumexp", "max", "min", "amax", "amin", "prod", "linalg.vector_norm"),
    *("getitem", "linalg.solve", "flatten", "roll", "tril", "triu", "diagonal", "addmm"),
}
PAIRED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("matmul", "mm", "bmm", "dot", "einsum", "stack"), ("same twice", CONSTANT)),
    **dict.fromkeys((*INVERTED, "getitem"), ()),
    **dict.fromkeys(("linalg.solve", "mv"), (CONSTANT,)),
    **dict.fromkeys(LOSSES, ("same twice",)),
    "nn.functional.nll_loss": ("repeated index",),
    "cat": ("same twice", "mixed dtypes", CONSTANT),
    "outer": ("same twice", "mixed dtypes", CONSTANT),
    "addmm": ("size-1 axis", "mixed ranks", CONSTANT),
    "clamp": BETWEEN,
    "gather": ("repeated index",),
    "index_select": ("repeated index",),
    "scatter_add": ("repeated index", "same twice", CONSTANT),
    "masked_fill": ("mask", "scalar", "mixed ranks", CONSTANT),
}
"""Ops of several operands that do not broadcast as elementwise ones do, and what can happen between them."""


def faces_of_op(op: str, public: Any) -> tuple[str, ...]:
    """The faces that this op has, plain first."""
    facts = public.facts
    domains = [(*facts.domain.get(n, REALS), *facts.poles.get(n, ())) for n in public.inputs]
    found = ["plain", *(f for f in NUMBERS if any(offers(f, domain) for domain in domains))]
    found = [
        f for f in found if not (f == "kink" and not facts.kinks) and not (f == "ties" and op not in TIED)
    ]
    found += [
        f for f in SHAPES if not (f == "0-d" and op in RANKED) and not (f == "empty" and op in NEVER_EMPTY)
    ]
    if op in INVERTED:
        found = [f for f in found if f not in ("large", "tiny", "non-square")]
    if op in ("dot", "outer"):
        found.remove("non-square")
    if op in PAIRED:
        found += PAIRED[op]
    elif len(public.inputs) >= 2:
        found += [f for f in PAIRS if f != "scalar" or takes_numbers(op)]
    if isinstance(facts.meaning, str) and settable(public):
        found.append("settings")
    if op in SETTABLE:
        found.append("settings")
    if op in REDUCES or op in ONE_DIM or op == "getitem":
        found.append("negative dim")
    if op in REDUCES:
        found.append("tuple dim")
    if op == "getitem":
        found += INDICES
    zeros = ("zero cotangent",) if isinstance(facts.meaning, str) else ()  # an output of one element has none
    return (*dict.fromkeys(found), "cotangent of ones", *zeros)


def _floats(case: Case) -> Iterator[np.ndarray[Any, Any]]:
    for spec, array in zip(case.program.inputs, case.inputs, strict=True):
        if spec.requires_grad:
            yield array.seen().astype(np.float64, copy=False)


def _any_element(test: Callable[[Any], Any]) -> Callable[[Case], bool]:
    return lambda case: any(bool(np.any(test(a))) for a in _floats(case))


def _any_input(test: Callable[[np.ndarray[Any, Any]], bool]) -> Callable[[Case], bool]:
    return lambda case: any(test(a) for a in _floats(case))


def _any_step(test: Callable[[Step], bool]) -> Callable[[Case], bool]:
    return lambda case: any(test(s) for s in case.program.steps)


def _pair_shapes(case: Case) -> Iterator[tuple[tuple[int, ...], ...]]:
    """The shapes of the inputs that each step reads together."""
    for step in case.program.steps:
        shapes = [case.program.inputs[r].shape for r in step.refs() if r < len(case.program.inputs)]
        if len(shapes) > 1 and not any(isinstance(o, Refs) for o in step.operands) and step.op != "getitem":
            yield tuple(shapes)


def _ranks_mixed(case: Case) -> bool:
    return any(len({len(s) for s in shapes}) > 1 for shapes in _pair_shapes(case))


def _axis_of_one(case: Case) -> bool:
    return any(
        any(1 in side and max(side) > 1 for side in zip(*(s[::-1] for s in shapes), strict=False))
        for shapes in _pair_shapes(case)
    )


def _index_arrays(case: Case, kinds: str) -> Iterator[np.ndarray[Any, Any]]:
    """The inputs of these kinds that steps read: indices, masks."""
    for step in case.program.steps:
        for ref in step.refs():
            if ref < len(case.inputs) and case.inputs[ref].seen().dtype.kind in kinds:
                yield case.inputs[ref].seen()


def _repeats(case: Case) -> bool:
    return any(len(np.unique(a)) < a.size for a in _index_arrays(case, "iu"))


AWAY = (
    *(("keepdim", False), ("correction", 1), ("left", True), ("ord", 2), ("diagonal", 0), ("offset", 0)),
    ("reduction", "mean"),
    *(("start_dim", 0), ("end_dim", -1), *NUMERIC),
    *(("approximate", "none"), ("decimals", None), ("rounding_mode", None)),
)
"""Settings and their defaults."""


def _away(step: Step) -> bool:
    settings = any(step.settings.get(k, d) != d for k, d in AWAY)
    rolled = step.op == "roll" and "dims" not in step.settings
    return settings or rolled or any(isinstance(i, NewAxis | Dots) for i in step.index)


def _several_dims(step: Step) -> bool:
    along = step.settings.get("dims")
    several = step.op in ("flip", "roll") and isinstance(along, tuple) and len(along) > 1
    return several or isinstance(step.settings.get("dim"), tuple)


def _negative_dim(step: Step) -> bool:
    numbers = [v for k, v in step.settings.items() if k.startswith("dim") or k.endswith("_dim")]
    flat = [n for v in numbers for n in (v if isinstance(v, tuple) else (v,))]
    return any(isinstance(n, int) and n < 0 for n in flat) or any(
        isinstance(i, Int) and i.at < 0 for i in step.index
    )


def _kink(case: Case) -> bool:
    """Whether an input has an element at a kink of one of the ops, or is 0 where none has any."""
    facts = [refgrad.catalogue()[step.op].facts for step in case.program.steps]
    points = [point for fact in facts for kinks in fact.kinks.values() for point in kinks] or [0.0]
    return any(bool(np.any(np.isin(a, points))) for a in _floats(case))


LARGE = 1e3


@cache
def _large_for(op: str) -> float:
    """The number from which on an operand is large: LARGE, or the largest drawn that does not overflow this op."""
    public = refgrad.catalogue()[op]
    if op in DRAWERS or len(public.inputs) != 1:
        return LARGE
    (name,) = public.inputs
    domain = (*public.facts.domain.get(name, REALS), *public.facts.poles.get(name, ()))
    if not offers("large", domain):
        return LARGE
    return min(LARGE, max((abs(n) for n in large_numbers(public, domain)), default=LARGE))


def _large(case: Case) -> bool:
    """Whether a step reads an input with an element that is large for its op."""
    inputs = case.program.inputs
    return any(
        bool(np.any(np.abs(case.inputs[ref].seen().astype(np.float64)) >= _large_for(step.op)))
        for step in case.program.steps
        for ref in step.refs()
        if ref < len(inputs) and inputs[ref].requires_grad
    )


SEEN: dict[str, Callable[[Case], bool]] = {
    "plain": lambda case: True,
    "negative": _any_element(lambda a: a < 0),
    "zero": _any_element(lambda a: a == 0),
    "ties": _any_input(lambda a: a.size > 1 and len(np.unique(a)) < a.size),
    "kink": _kink,
    "large": _large,
    "tiny": _any_element(lambda a: (np.abs(a) <= 1e-3) & (a != 0)),
    "0-d": _any_input(lambda a: a.ndim == 0),
    "empty": _any_input(lambda a: a.size == 0),
    "non-square": _any_input(lambda a: a.ndim > 1 and len({*a.shape}) > 1),
    "non-contiguous": lambda case: any(i.layout != "contiguous" for i in case.program.inputs),
    "bulk": _any_input(lambda a: a.size >= 8),
    "size-1 axis": _axis_of_one,
    "mixed ranks": _ranks_mixed,
    "same twice": _any_step(lambda s: len(set(s.refs())) < len(s.refs())),
    "mixed dtypes": lambda case: len({i.dtype for i in case.program.inputs if i.requires_grad}) > 1,
    "scalar": _any_step(lambda s: any(isinstance(o, Scalar) for o in s.operands)),
    "settings": _any_step(_away),
    "negative dim": _any_step(_negative_dim),
    "tuple dim": _any_step(_several_dims),
    "index array": lambda case: any(True for _ in _index_arrays(case, "iu")),
    "repeated index": _repeats,
    "mask": lambda case: any(True for _ in _index_arrays(case, "b")),
    CONSTANT: lambda case: any(i.floating and not i.requires_grad for i in case.program.inputs),
    "zero cotangent": lambda case: any(bool(np.any(c.seen() == 0)) for c in case.cotangents),
    "cotangent of ones": lambda case: all(bool(np.all(c.seen() == 1)) for c in case.cotangents),
    "second order": lambda case: case.order == 2,
}


def faces_of_case(case: Case) -> tuple[str, ...]:
    """The faces that a case shows, "plain" aside."""
    return tuple(name for name, seen in SEEN.items() if name != "plain" and seen(case))


def faces_of_pair(first: Case, second: Case) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The faces of a case at order 1 and of the same at order 2, which differ in that alone."""
    faces = faces_of_case(first)
    return faces, (*faces, "second order")
