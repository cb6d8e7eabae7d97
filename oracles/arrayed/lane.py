"""A case on arrays: its truth and budget, where both can be had without deciding anything element by element.

Whatever is not decided here (a kink that rounding may touch, a value that may overflow, an op that is known for scalars
only, a truth too wide beside its budget) is left to `oracles.truth`, whose answer is the same: a test compares the two.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import ctx

from oracles.answers import labels
from oracles.arrayed.balls import OUT, Balls, Undecided, extended
from oracles.arrayed.chain import Chain, Fixed, Values
from oracles.arrayed.errorfree import LONG, Numbers, some
from oracles.arrayed.rounding import Field, Fields
from oracles.arrayed.steps import BLOCKS, LEFT, STRUCTURE
from oracles.budget import rounded
from oracles.budget.accuracy import precision
from oracles.budget.forms import variants
from oracles.exact.evaluate import evaluate
from oracles.program import Case

FEW = 6
"""A case that has fewer elements than this in every input takes no longer as scalars, if it is alone."""
NARROW = 1e-3
ABLE = extended()


@dataclass(frozen=True)
class Told:
    """An array's true numbers as balls, and its budgets in float64."""

    truth: Balls
    budget: Numbers


Answers = dict[int, dict[str, Told]]
"""By order, under the names of records."""
Parts = dict[str, Sequence[Any]]
"""By part of an answer, its arrays."""


def told(cases: Sequence[Case]) -> list[Answers | None]:
    """The answers to cases of one program and dtype, at each order up to theirs; None where arrays do not decide."""
    if not ABLE or not _fitting(cases[0], len(cases)):
        return [None] * len(cases)
    with np.errstate(all="ignore"), _bits():
        try:
            return _told(cases)
        except Undecided:
            return [None] if len(cases) == 1 else [answer for case in cases for answer in told([case])]


@contextlib.contextmanager
def _bits() -> Iterator[None]:
    """Constants of formulas, such as pi, with more bits than a midpoint has."""
    before, ctx.prec = ctx.prec, 128
    try:
        yield
    finally:
        ctx.prec = before


def _fitting(case: Case, count: int) -> bool:
    """Whether the cases are of floats of one dtype, and of a size that arrays are good for."""
    inputs, steps = case.program.inputs, case.program.steps
    sizes = [math.prod(i.shape) for i in inputs]
    size = max(sizes, default=0)
    return (
        (count > 1 or size >= FEW)
        and 0 not in sizes
        and 0 < size * len(steps) <= rounded.MOST_STEPS  # what the scalars refuse is refused
        and all(i.dtype == case.dtype for i in inputs)
        and not any(step.index or step.op in LEFT for step in steps)
    )


def _told(cases: Sequence[Case]) -> list[Answers | None]:
    case, order = cases[0], cases[0].order
    inputs = _stacked([c.inputs for c in cases])
    cotangents = _stacked([c.cotangents for c in cases])
    seconds = _stacked([c.seconds for c in cases]) if order == 2 else []
    count = variants(step.op for step in case.program.steps)
    models = [_rounded(case, v, inputs, cotangents, seconds) for v in range(count)]
    truth = _true(case, inputs, cotangents, seconds)
    together = sum if sum(variants([s.op]) > 1 for s in case.program.steps) > 1 else _widest
    decided = np.ones(len(cases), dtype=bool)
    found: dict[str, Told] = {}
    for part, balls in truth.items():
        for k, name in enumerate(labels(case, part)):
            found[name] = _weighed(balls[k], [m[part][k] for m in models], together, decided)
    named = {n: {name for part in PARTS[n] for name in labels(case, part)} for n in range(1, order + 1)}
    return [
        {n: {name: _of_case(t, at) for name, t in found.items() if name in named[n]} for n in named}
        if sure
        else None
        for at, sure in enumerate(decided.tolist())
    ]


PARTS = {1: ("outputs", "gradients"), 2: ("outputs", "gradients", "seconds", "second_cotangents")}
"""By order, the parts of an answer."""


def _of_case(told: Told, at: int) -> Told:
    return Told(told.truth.moved(lambda a: a[..., at]), told.budget[..., at])


def _stacked(arrays: Sequence[Sequence[Any]]) -> list[Balls]:
    """Each array of the cases, with the cases along its last axis."""
    found = []
    for column in zip(*arrays, strict=True):
        numbers = [a.seen() for a in column]
        mid = np.stack(numbers, -1) if len(numbers) > 1 else numbers[0][..., None]
        found.append(Balls(mid.astype(LONG)))
    return found


def _widest(budgets: Sequence[Numbers]) -> Numbers:
    return budgets[0] if len(budgets) == 1 else np.maximum.reduce(list(budgets))


def _weighed(truth: Balls, models: list[Balls | None], together: Any, decided: Numbers) -> Told:
    """The truth with its budget. Where it is too wide beside that, or a model misses it, a case is not `decided`."""
    rad = 0.0 if truth.rad is None else truth.rad
    budgets: list[Numbers] = []
    for model in models:
        if model is None:  # no path leads there
            budgets.append(np.zeros(truth.shape))
            continue
        away = abs((model.mid - truth.mid).astype(np.float64)) * OUT
        radius = 0.0 if model.rad is None else model.rad
        _drop(decided, away <= radius + rad)
        budgets.append((away + radius) * OUT)
    budget = together(budgets)
    _drop(decided, rad <= NARROW * budget)
    return Told(truth, budget)


def _drop(decided: Numbers, right: Numbers) -> None:
    """Leave out the cases in which something is not right."""
    if some(~right):
        decided &= np.logical_and.reduce(right.reshape(-1, right.shape[-1]), 0)


def _rounded(
    case: Case, variant: int, inputs: list[Balls], cotangents: list[Balls], seconds: list[Balls]
) -> Parts:
    """A sound implementation's answers, as balls."""
    arena = Fields(precision(case.dtype), BLOCKS, STRUCTURE, variant, cotangents[0].shape[-1])
    values = [arena.field(x, spec.requires_grad) for x, spec in zip(inputs, case.program.inputs, strict=True)]
    leaves = [v for v in values if v.needs]
    known = evaluate(case.program, arena, values)
    outputs: list[Field] = [known[n] for n in case.program.outputs]
    gs = [arena.field(g, case.order == 2) for g in cotangents]
    arena.recording = case.order == 2
    gradients = arena.sweep(outputs, gs, leaves)
    parts: Parts = {"outputs": _balls(outputs), "gradients": _balls(gradients)}
    if case.order == 2:
        arena.recording = False
        pairs = [(g, arena.field(w)) for g, w in zip(gradients, seconds, strict=True) if g is not None]
        again = arena.sweep([g for g, _ in pairs], [w for _, w in pairs], [*leaves, *gs])
        parts["seconds"] = _balls(again[: len(leaves)])
        parts["second_cotangents"] = _balls(again[len(leaves) :])
    arena.blocks.clear()
    return parts


def _balls(fields: Sequence[Field | None]) -> list[Balls | None]:
    return [None if f is None else f.balls for f in fields]


def _true(case: Case, inputs: list[Balls], cotangents: list[Balls], seconds: list[Balls]) -> Parts:
    """The true answers."""
    chain = Chain(case.order, {}, STRUCTURE, cotangents[0].shape[-1])
    tangents = iter(seconds)
    values: list[Values] = []
    for x, spec in zip(inputs, case.program.inputs, strict=True):
        values.append(Values(x, next(tangents, None)) if spec.requires_grad else Fixed(x))
    leaves = [v for v in values if type(v) is Values]
    known = evaluate(case.program, chain, values)
    outputs: list[Values] = [known[n] for n in case.program.outputs]
    chain.sweep(outputs, cotangents)
    parts: Parts = {
        "outputs": [y.value for y in outputs],
        "gradients": [_or_zeros(x.adjoint(), x) for x in leaves],
    }
    if case.order == 2:
        parts["seconds"] = [_or_zeros(x.adjoint_tangent(), x) for x in leaves]
        parts["second_cotangents"] = [_or_zeros(y.tangent, y) for y in outputs]
    chain.blocks.clear()
    return parts


def _or_zeros(balls: Balls | None, x: Values) -> Balls:
    """What has arrived, in every place that it stands for."""
    if balls is None:
        return Balls(np.zeros(x.value.shape, LONG))
    return balls if balls.shape == x.value.shape else balls.moved(lambda a: np.broadcast_to(a, x.value.shape))
