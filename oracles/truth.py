"""The exact oracle: for a case, every element of its answer enclosed, and the budget of each.

Two evaluations of the same program, which share no derivative: `oracles.exact` follows SymPy's derivatives in balls
narrow enough to be called the truth; `oracles.budget` follows a sound implementation in balls as wide as its rounding
errors. The inflated balls must contain the truth; if one does not, the oracle distrusts itself and cannot tell.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, ctx

from oracles.answers import labels
from oracles.budget.accuracy import CORRECT, precision
from oracles.budget.blocks import BLOCKS
from oracles.budget.forms import variants
from oracles.budget.rounded import Overflow, Rounded, Rounding
from oracles.exact.evaluate import NoMeaning, evaluate
from oracles.exact.objects import Objects, objects
from oracles.exact.scalars import Truth
from oracles.program import Case

START_BITS = 160
MOST_BITS = 10_240
NARROW = 1e-3
"""A truth is narrow enough when its radius is under this part of the budget."""
MANY_KINKS = 24
"""With more undecided kinks than this, the hull of their branches says too little."""


@dataclass(frozen=True)
class Enclosure:
    """One array of the true answer, flat in row-major order.

    `truth` are balls (at kinks: the contract's choice), `budget` the error that a sound implementation may make, and
    `hull`, where rounding may take more than one branch, balls over all that a sound implementation may then answer.
    """

    argument: str
    shape: tuple[int, ...]
    truth: list[arb]
    budget: list[float]
    hull: list[arb] | None = None


@dataclass(frozen=True)
class Unknown:
    """Why the exact oracle cannot tell."""

    reason: str
    unsupported: bool = False


@dataclass(frozen=True)
class Enclosed:
    """The true answer to a case, array by array, under the names that records use."""

    arrays: dict[str, Enclosure]
    bits: int
    at_kink: bool = False
    near_kink: bool = False


@contextlib.contextmanager
def working_bits(bits: int) -> Iterator[None]:
    """Ball arithmetic with this many bits."""
    before, ctx.prec = ctx.prec, bits
    try:
        yield
    finally:
        ctx.prec = before


def enclose(case: Case) -> Enclosed | Unknown:
    """Enclose the true answer to a case and derive its budget."""
    try:
        with working_bits(START_BITS):
            models = _models(case)
    except Overflow as error:
        return Unknown(str(error))
    except NoMeaning as error:
        return Unknown(str(error), unsupported=True)
    model = models[0]
    if model.touched > MANY_KINKS:
        return Unknown(f"rounding may decide {model.touched} kinks either way")
    bits = START_BITS
    while bits <= MOST_BITS:
        with working_bits(bits):
            truth, kinks = _truth(case)
            if not all(b.is_finite() for b in _flat(truth)):
                if bits == START_BITS:
                    bits *= 4
                    continue
                return Unknown("the derivative does not exist here: outside the domain, or at its edge")
            budget = _budgets(models, truth, free=model.touched > 0 or kinks > 0)
            if budget is None:
                return Unknown(
                    "the error model and the truth disagree: a defect of this oracle, please report it"
                )
            if _narrow(truth, budget):
                return _enclosed(case, truth, budget, _hull(case) if model.touched else None, bits, kinks)
        bits *= 2
    return Unknown(f"not decided with {MOST_BITS} bits")


def _models(case: Case) -> list[_Model]:
    """The case in each variant of the forms; the first must exist, a later one excuses nothing where it overflows."""
    return [_Model(case, variant=v) for v in range(variants(step.op for step in case.program.steps))]


def _budgets(models: list[_Model], truth: Answerlike, free: bool) -> dict[str, list[float]] | None:
    """Per element, what a sound implementation may be off by, whichever forms it uses; None if a model disagrees.

    Several ops with several forms may be mixed freely; to first order the mixture's error is under the models' sum.
    """
    found = [m.budgets(truth, free) for m in models]
    if any(f is None for f in found):
        return None
    steps = [s.op for s in models[0].case.program.steps]
    together = sum if sum(variants([op]) > 1 for op in steps) > 1 else max
    rows = {name: [f[name] for f in found if f is not None] for name in truth}
    return {name: [together(column) for column in zip(*row, strict=True)] for name, row in rows.items()}


def _hull(case: Case) -> Answerlike:
    with working_bits(START_BITS):
        return _Model(case, wide=True).answer


Answerlike = dict[str, tuple[tuple[int, ...], list[Any]]]


def _flat(answer: Answerlike) -> Iterator[Any]:
    for _, values in answer.values():
        yield from values


def _narrow(truth: Answerlike, budget: dict[str, list[float]]) -> bool:
    for name, (_, balls) in truth.items():
        for ball, allowed in zip(balls, budget[name], strict=True):
            radius = float(ball.rad())
            if radius and radius > NARROW * allowed and radius > 1e-30 * abs(float(ball.mid())):
                return False
    return True


def _enclosed(
    case: Case,
    truth: Answerlike,
    budget: dict[str, list[float]],
    hull: Answerlike | None,
    bits: int,
    kinks: int,
) -> Enclosed:
    arrays = {
        name: Enclosure(name, shape, balls, budget[name], hull[name][1] if hull is not None else None)
        for name, (shape, balls) in truth.items()
    }
    return Enclosed(arrays, bits, kinks > 0, hull is not None)


def _numbers(array: Any) -> np.ndarray[Any, Any]:
    values = array.numpy()
    floating = values.dtype.kind == "f" or values.dtype.name == "bfloat16"
    return np.asarray(values, dtype=np.float64) if floating else values


def _leaves(
    case: Case, algebra: Any, weights: Sequence[np.ndarray[Any, Any]]
) -> tuple[list[Any], list[Objects]]:
    """The program's inputs in the algebra, and those of them that are differentiated (weighted as tangents)."""
    values: list[Any] = []
    leaves: list[Objects] = []
    tangents = iter(weights)
    for spec, array in zip(case.program.inputs, case.inputs, strict=True):
        numbers = _numbers(array)
        if spec.requires_grad:
            tangent = next(tangents, np.zeros(numbers.shape))
            pairs = zip(numbers.flat, tangent.flat, strict=True)
            leaf = objects((algebra.leaf(float(v), float(t)) for v, t in pairs), numbers.shape)
            leaves.append(leaf)
            values.append(leaf)
        elif numbers.dtype.kind == "f":
            values.append(objects((algebra.constant(float(v)) for v in numbers.flat), numbers.shape))
        else:
            values.append(numbers)
    return values, leaves


def _truth(case: Case) -> tuple[Answerlike, int]:
    """The answer in balls of the working precision, and how many kinks the program stands on."""
    algebra = Truth(case.order)
    weights = [_numbers(w) for w in case.seconds]
    values, leaves = _leaves(case, algebra, weights)
    known = evaluate(case.program, algebra, values)
    outputs: list[Objects] = [known[n] for n in case.program.outputs]
    cotangents = [_numbers(c) for c in case.cotangents]
    nodes = [n for out in outputs for n in out.flat]
    algebra.sweep(nodes, [float(g) for c in cotangents for g in c.flat])
    answer: Answerlike = {}
    for name, out in zip(labels(case, "outputs"), outputs, strict=True):
        answer[name] = (out.shape, [n.value for n in out.flat])
    for name, leaf in zip(labels(case, "gradients"), leaves, strict=True):
        answer[name] = (leaf.shape, [_or_zero(n.adjoint) for n in leaf.flat])
    if case.order == 2:
        for name, leaf in zip(labels(case, "seconds"), leaves, strict=True):
            answer[name] = (leaf.shape, [n.adjoint_tangent for n in leaf.flat])
        for name, out in zip(labels(case, "second_cotangents"), outputs, strict=True):
            answer[name] = (out.shape, [n.tangent for n in out.flat])
    return answer, algebra.at_kink


def _or_zero(ball: arb | None) -> arb:
    return arb(0) if ball is None else ball


class _Model:
    """A sound implementation's answer to a case, as balls, with the decisions that rounding may take either way."""

    def __init__(self, case: Case, wide: bool = False, variant: int = 0) -> None:
        self.case = case
        self.mixed = len({i.dtype for i in case.program.inputs if i.requires_grad}) > 1
        algebra = Rounding(precision(case.dtype), BLOCKS, wide, variant)
        values, leaves = _leaves(case, algebra, ())
        known = evaluate(case.program, algebra, values)
        outputs: list[Objects] = [known[n] for n in case.program.outputs]
        self.answer = self._sweeps(algebra, leaves, outputs)
        self.touched = algebra.touched

    def _sweeps(self, algebra: Rounding, leaves: list[Objects], outputs: list[Objects]) -> Answerlike:
        case, second = self.case, self.case.order == 2
        flat_outputs = [n for out in outputs for n in out.flat]
        numbers = [float(g) for c in case.cotangents for g in _numbers(c).flat]
        cotangents = [algebra.leaf(g) if second else algebra.constant(g) for g in numbers]
        flat_leaves = [n for leaf in leaves for n in leaf.flat]
        algebra.recording = second
        first = algebra.sweep(flat_outputs, cotangents, flat_leaves)
        answer = self._part("outputs", outputs, flat_outputs) | self._part("gradients", leaves, first)
        if second:
            algebra.recording = False
            weights = [algebra.constant(float(w)) for s in case.seconds for w in _numbers(s).flat]
            pairs = [(g, w) for g, w in zip(first, weights, strict=True) if g is not None]
            again = algebra.sweep([g for g, _ in pairs], [w for _, w in pairs], [*flat_leaves, *cotangents])
            answer |= self._part("seconds", leaves, again[: len(flat_leaves)])
            answer |= self._part("second_cotangents", outputs, again[len(flat_leaves) :])
        return answer

    def _part(self, part: str, arrays: list[Objects], scalars: Sequence[Rounded | None]) -> Answerlike:
        answer: Answerlike = {}
        rest = iter(scalars)
        for name, array in zip(labels(self.case, part), arrays, strict=True):
            balls = [self._ball(s) for _, s in zip(range(array.size), rest, strict=False)]
            answer[name] = (array.shape, balls)
        return answer

    def _ball(self, scalar: Rounded | None) -> arb:
        """A scalar's ball; where dtypes are mixed, every array is cast once more at the end."""
        if scalar is None:
            return arb(0)
        return (
            scalar.arena.make(scalar.ball, CORRECT, (), lambda g, y: ()).ball if self.mixed else scalar.ball
        )

    def budgets(self, truth: Answerlike, free: bool) -> dict[str, list[float]] | None:
        """How far from the truth each ball reaches. None if one misses its truth, which only kinks excuse (`free`)."""
        found: dict[str, list[float]] = {}
        for name, (_, balls) in truth.items():
            row = []
            for exact, model in zip(balls, self.answer[name][1], strict=True):
                if not model.is_finite():
                    row.append(0.0)
                    continue
                if not free and not model.overlaps(exact):
                    return None
                row.append(_above(model.rad() if free else abs(model - exact.mid())))
            found[name] = row
        return found


def _above(ball: arb) -> float:
    """A float no smaller than the ball."""
    return math.nextafter(float(arb(ball).abs_upper()), math.inf) if not ball.is_zero() else 0.0
