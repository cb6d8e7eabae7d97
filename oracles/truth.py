"""The exact oracle: for a case, every element of its answer enclosed, and the budget of each.

Two evaluations of the same program, which share no derivative: `oracles.exact` follows SymPy's derivatives in balls
narrow enough to be called the truth; `oracles.budget` follows a sound implementation in balls as wide as its rounding
errors. The inflated balls must contain the truth; if one does not, the oracle distrusts itself and cannot tell.
"""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from flint import arb, ctx

from oracles.answers import Answer, labels
from oracles.arrayed.lane import Answers, told
from oracles.budget import infinities
from oracles.budget.accuracy import precision
from oracles.budget.forms import variants
from oracles.budget.infinities import LACKS, LEAVES, Answerlike, Budgets
from oracles.budget.model import Model, Swept
from oracles.budget.rounded import TooLarge
from oracles.enclosures import Enclosed, Enclosure, Unknown
from oracles.exact.evaluate import NoMeaning, evaluate
from oracles.exact.leaves import leaves, numbers
from oracles.exact.objects import Objects, scalars
from oracles.exact.scalars import Truth
from oracles.exact.tape import steep_unseen
from oracles.program import Case

__all__ = ["Enclosed", "Enclosure", "Model", "Truths", "Unknown", "enclose", "working_bits"]

START_BITS = 160
LONG_BITS = 64
"""The precision of truths that are found on arrays."""
MOST_BITS = 10_240
NARROW = 1e-3
"""A truth is narrow enough when its radius is under this part of the budget."""
MANY_KINKS = 24
"""With more undecided kinks than this, the hull of their branches says too little."""


@contextlib.contextmanager
def working_bits(bits: int) -> Iterator[None]:
    """Ball arithmetic with this many bits."""
    before, ctx.prec = ctx.prec, bits
    try:
        yield
    finally:
        ctx.prec = before


@contextlib.contextmanager
def collector_at_rest() -> Iterator[None]:
    """No search for cycles meanwhile: a tape is one large live heap, and walking it over and over is not linear."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def enclose(case: Case) -> Enclosed | Unknown:
    """Enclose the true answer to a case and derive its budget."""
    return Truths(case).at(case)


def in_any_order(case: Case, truth: Enclosed, answer: Answer) -> Enclosed | Unknown:
    """The same, telling nothing of an element that is not finite in the answer if another order may overflow there.

    Other elements keep their budgets: see `oracles.budget.orders`.
    """
    try:
        with working_bits(START_BITS), collector_at_rest():
            model = Model(case, any_order=True).at(case.order).answer
    except TooLarge:
        return truth
    balls = {name: (e.shape, e.truth) for name, e in truth.arrays.items()}
    budget = {name: list(e.budget) for name, e in truth.arrays.items()}
    for name, array in answer.labelled(case).items():
        if array is not None and name in budget:
            for n in np.flatnonzero(~np.isfinite(array.seen().ravel())):
                if not model[name][1][n].is_finite():
                    budget[name][n] = math.inf
    if not infinities.tells(case, budget):
        return Unknown(LEAVES)
    hidden = any(e.spread for e in truth.arrays.values())
    spread = infinities.spreads(case, balls, budget, hidden)
    arrays = {
        name: Enclosure(name, e.shape, e.truth, budget[name], e.hull, spread)
        for name, e in truth.arrays.items()
    }
    return replace(truth, arrays=arrays)


class _Group:
    """Cases of one program whose answers are asked of arrays at once, when the first of them is."""

    def __init__(self, case: Case) -> None:
        self.cases = [case]
        self._told: dict[int, Answers | None] | None = None

    def takes(self, case: Case) -> bool:
        """Whether a case differs from these in its numbers alone."""
        own = self.cases[0]
        return (own.dtype, own.order) == (case.dtype, case.order) and own.program == case.program

    def answers(self, case: Case) -> Answers | None:
        """What arrays tell of one of the cases."""
        if self._told is None:
            self._told = dict(zip(map(id, self.cases), told(self.cases), strict=True))
        return self._told[id(case)]


class Truths:
    """The truth of a case and, if it is of order 2, of the same case at order 1, on the way to which it lies.

    It is found on arrays where those decide, and else on scalars. Cases of one program and dtype are best asked for
    `together`: what an operation on an array costs hardly depends on how many cases the array is of.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self._balls: dict[int, _Balls] = {}
        self._group = _Group(case)

    @classmethod
    def together(cls, cases: Sequence[Case]) -> list[Truths]:
        """The truths of several cases, found at once for those that differ in their numbers alone."""
        made: list[Truths] = []
        groups: list[_Group] = []
        for case in cases:
            truths = cls(case)
            found = next((g for g in groups if g.takes(case)), None)
            if found is None:
                groups.append(truths._group)
            else:
                truths._group = found
                found.cases.append(case)
            made.append(truths)
        return made

    def at(self, case: Case) -> Enclosed | Unknown:
        """The truth of a case that is this one, or this one at a lower order."""
        answers = self._group.answers(self.case)
        if answers is not None:
            arrays = {name: Enclosure.of_arrays(name, t) for name, t in answers[case.order].items()}
            return Enclosed(arrays, LONG_BITS)
        with collector_at_rest():
            return self._at(case)

    def _at(self, case: Case) -> Enclosed | Unknown:
        try:
            budgeted = [m.at(case.order) for m in self._models]
        except TooLarge as error:
            return Unknown(str(error))
        except NoMeaning as error:
            return Unknown(str(error), unsupported=True)
        model = budgeted[0]
        if model.touched > MANY_KINKS:
            return Unknown(f"rounding may decide {model.touched} kinks either way")
        bits = START_BITS
        while bits <= MOST_BITS:
            with working_bits(bits):
                balls = self._truth(bits)
                truth = balls.answers[case.order]
                exists = all(b.is_finite() or infinities.infinite(b) for b in infinities.balls_of(truth))
                exists = exists and not balls.lost
                if not exists and bits == START_BITS:
                    bits *= 4
                    continue
                if balls.lost:  # what a mask hides is nan times 0 to a library
                    return Unknown(LACKS)
                budget = _budgets(case, budgeted, truth, free=model.touched > 0 or balls.kinks > 0)
                if budget is None:
                    return Unknown(
                        "the error model and the truth disagree: a defect of this oracle, please report it"
                    )
                if _narrow(truth, budget):
                    truth, budget = self._beyond(case, truth, budget)
                    if not infinities.tells(case, budget):
                        return Unknown(LEAVES if exists else LACKS)
                    try:
                        hull = self._wide.at(case.order).answer if model.touched else None
                    except TooLarge as error:
                        return Unknown(f"on a branch that rounding may take, {error}")
                    hidden = self._models[0].overflows or balls.unseen
                    return _enclosed(case, truth, budget, hull, bits, balls.kinks, hidden)
            bits *= 2
        return Unknown(f"not decided with {MOST_BITS} bits")

    def _beyond(self, case: Case, truth: Answerlike, budget: Budgets) -> tuple[Answerlike, Budgets]:
        """The same, with the infinities that answers must be; not where they may be in a dtype of wider range."""
        if infinities.all_told(budget) or infinities.mixed(case):
            return truth, budget
        with working_bits(START_BITS):
            free = Model(case, endless=True).at(case.order).answer
        return infinities.ended(truth, budget, free, precision(case.dtype))

    def _truth(self, bits: int) -> _Balls:
        if bits not in self._balls:
            self._balls[bits] = _truth(self.case)
        return self._balls[bits]

    @cached_property
    def _models(self) -> list[Model]:
        """One for each variant of the forms; where a later one overflows, it excuses nothing."""
        with working_bits(START_BITS):
            count = variants(step.op for step in self.case.program.steps)
            return [Model(self.case, variant=v) for v in range(count)]

    @cached_property
    def _wide(self) -> Model:
        """The model that takes every branch which rounding may take."""
        with working_bits(START_BITS):
            return Model(self.case, wide=True)


def _budgets(case: Case, models: list[Swept], truth: Answerlike, free: bool) -> Budgets | None:
    """Per element, what a sound implementation may be off by, whichever forms it uses; None if a model disagrees.

    Several ops with several forms may be mixed freely; to first order the mixture's error is under the models' sum.
    """
    found = [m.budgets(truth, free, 0.0 if n else math.inf) for n, m in enumerate(models)]
    if any(f is None for f in found):
        return None
    steps = [s.op for s in case.program.steps]
    together = sum if sum(variants([op]) > 1 for op in steps) > 1 else max
    rows = {name: [f[name] for f in found if f is not None] for name in truth}
    return {name: [together(column) for column in zip(*row, strict=True)] for name, row in rows.items()}


def _narrow(truth: Answerlike, budget: Budgets) -> bool:
    for name, (_, balls) in truth.items():
        for ball, allowed in zip(balls, budget[name], strict=True):
            radius = float(ball.rad())
            if radius and radius > NARROW * allowed and radius > 1e-30 * abs(float(ball.mid())):
                return False
    return True


def _enclosed(
    case: Case,
    truth: Answerlike,
    budget: Budgets,
    hull: Answerlike | None,
    bits: int,
    kinks: int,
    hidden: bool,
) -> Enclosed:
    spread = infinities.spreads(case, truth, budget, hidden)
    arrays = {
        name: Enclosure(name, shape, balls, budget[name], hull[name][1] if hull is not None else None, spread)
        for name, (shape, balls) in truth.items()
    }
    return Enclosed(arrays, bits, kinks > 0, hull is not None)


@dataclass(frozen=True)
class _Balls:
    """The true answers to a case, by order, in balls of one precision, and how many kinks the program stands on.

    lost: whether some result on the way has no value. unseen: whether a slope has none within the dtype's range, where
    no adjoint comes.
    """

    answers: dict[int, Answerlike]
    kinks: int
    lost: bool
    unseen: bool


def _truth(case: Case) -> _Balls:
    """The case's answers, at its order and below it."""
    algebra = Truth(case.order, edges=infinities.elementwise(case) and not _signed_zeros(case))
    weights = [numbers(w) for w in case.seconds]
    values, inputs = leaves(case, algebra, weights)
    known = evaluate(case.program, algebra, values)
    outputs: list[Objects] = [known[n] for n in case.program.outputs]
    cotangents = [numbers(c) for c in case.cotangents]
    nodes = [n for out in outputs for n in out.flat]
    algebra.sweep(nodes, [float(g) for c in cotangents for g in c.flat])
    answer: Answerlike = {}
    for name, out in zip(labels(case, "outputs"), outputs, strict=True):
        answer[name] = (out.shape, [n.value for n in out.flat])
    for name, leaf in zip(labels(case, "gradients"), inputs, strict=True):
        answer[name] = (leaf.shape, [_or_zero(n.adjoint) for n in leaf.flat])
    answers = {1: answer}
    if case.order == 2:
        answer = dict(answer)
        for name, leaf in zip(labels(case, "seconds"), inputs, strict=True):
            answer[name] = (leaf.shape, [n.adjoint_tangent for n in leaf.flat])
        for name, out in zip(labels(case, "second_cotangents"), outputs, strict=True):
            answer[name] = (out.shape, [n.tangent for n in out.flat])
        answers[2] = answer
    between = [known[n] for n in range(len(values), len(known)) if n not in case.program.outputs]
    unseen = steep_unseen(algebra.blocks, precision(case.dtype).big)
    return _Balls(answers, algebra.at_kink, _lost(between), unseen)


def _lost(results: Sequence[Objects]) -> bool:
    """Whether a result on the way has no value: an operand was outside of its domain."""
    return any(n.value.is_nan() for n in scalars(results))


def _signed_zeros(case: Case) -> bool:
    """Whether an input is -0.0, from which a slope may go to the other infinity."""
    floats = [numbers(a) for a in case.inputs]
    return any(bool(np.any((a == 0) & np.signbit(a))) for a in floats if a.dtype.kind == "f")


def _or_zero(ball: arb | None) -> arb:
    return arb(0) if ball is None else ball
