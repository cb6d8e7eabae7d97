"""Conventions: which gradient a subject chooses at each kink, tie and end of a domain, and what that choice is called.

Where the derivative does not exist several answers are sound. Each probe is an op at such a point, as small as shows
it, with a cotangent of ones. The name comes from the subject's own answer: at a kink beside the slopes of its two
sides, which the truth says, and at a tie by how the tied share. PyTorch's choice is the mark, as measured on 2.13;
another one inside the allowed set is a difference of convention, and the `exact` oracle's verdict says whether it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

import refgrad
from oracles.answers import Answer
from oracles.arrays import DTYPES, Array
from oracles.judge import Bench, Judgement
from oracles.program import Case, DType, Input, Operand, Program, Ref, Scalar, Setting, Step
from oracles.records import Convention
from oracles.truth import Enclosed, enclose

INF, NAN = math.inf, math.nan
ASIDE = 2.0**-10
"""How far from a kink its sides are asked: the sides that PyTorch takes are straight, so that any distance would do."""


@dataclass(frozen=True)
class Probe:
    """An op at one point, and PyTorch's gradient there: of all inputs, one after the other.

    kind: what the point is. "end": of a domain, or of the finite slopes. "tip": all slopes of a ball, or any at all.
    at: the point in words. whole: whether all elements meet in one result. tied: the places of what is tied.
    """

    op: str
    at: str
    kind: Literal["kink", "step", "end", "tip", "tie"]
    inputs: tuple[tuple[float, ...], ...]
    mark: tuple[float, ...]
    settings: dict[str, Setting] = field(default_factory=dict)
    exponent: float | None = None
    whole: bool = False
    tied: tuple[int, ...] = (0, 1)

    def case(self, dtype: DType, aside: float = 0.0) -> Case:
        """The probe as a case; `aside` moves every input."""
        public = refgrad.catalogue()[self.op]
        arrays = [(np.array(x) + aside).astype(DTYPES[dtype]) for x in self.inputs]
        names = public.inputs if len(public.inputs) >= len(arrays) else ("x", "y")
        inputs = tuple(Input(n, a.shape, dtype) for n, a in zip(names, arrays, strict=False))
        operands: list[Operand] = [Ref(n) for n in range(len(arrays))]
        if self.exponent is not None:
            operands.append(Scalar.of(self.exponent))
        indexed = self.op in ("max", "min") and "dim" in self.settings
        step = Step(self.op, tuple(operands), self.settings, (), 2 if indexed else 1)
        ones = np.ones(() if self.whole else arrays[0].shape, DTYPES[dtype])
        return Case(
            Program(inputs, (step,), (len(inputs),)), tuple(map(Array.of, arrays)), (Array.of(ones),), dtype
        )


def _end(op: str, at: str, x: float, mark: float, exponent: float | None = None) -> Probe:
    return Probe(op, at, "end", ((x,),), (mark,), exponent=exponent)


def _step(op: str, at: str, x: float) -> Probe:
    return Probe(op, at, "step", ((x,),), (0.0,))


def _line(
    op: str, x: tuple[float, ...], mark: tuple[float, ...], tied: tuple[int, ...], **settings: Setting
) -> Probe:
    """Elements of one line tied for its result."""
    return Probe(op, "two tied elements", "tie", (x,), mark, settings, whole=True, tied=tied)


HALVES, HIGH, LOW = (0.5, 0.0, 0.5), (1.0, 0.0, 1.0), (0.0, 1.0, 0.0)
PROBES = (
    Probe("relu", "0", "kink", ((0.0,),), (0.0,)),
    Probe("abs", "0", "kink", ((0.0,),), (0.0,)),
    Probe("clamp", "its lower bound", "kink", ((0.0,),), (1.0,), {"min": 0.0}),
    Probe("clamp", "its upper bound", "kink", ((0.0,),), (1.0,), {"max": 0.0}),
    Probe("clamp", "the upper of two bounds", "kink", ((1.0,),), (1.0,), {"min": 0.0, "max": 1.0}),
    Probe("nn.functional.leaky_relu", "0", "kink", ((0.0,),), (0.01,)),
    Probe("nn.functional.relu6", "0", "kink", ((0.0,),), (0.0,)),
    Probe("nn.functional.relu6", "6", "kink", ((6.0,),), (0.0,)),
    Probe("nn.functional.hardswish", "-3", "kink", ((-3.0,),), (0.0,)),
    Probe("nn.functional.hardswish", "3", "kink", ((3.0,),), (1.0,)),
    Probe("nn.functional.softshrink", "0.5", "kink", ((0.5,),), (0.0,)),
    Probe("linalg.vector_norm", "0, of order 1", "kink", ((0.0,),), (0.0,), {"ord": 1}, whole=True),
    _step("sign", "0", 0.0),
    Probe("frac", "1", "step", ((1.0,),), (1.0,)),
    _step("floor", "1", 1.0),
    _step("ceil", "1", 1.0),
    _step("trunc", "1", 1.0),
    _step("round", "0.5", 0.5),
    _end("sqrt", "0", 0.0, INF),
    _end("rsqrt", "0", 0.0, -INF),
    _end("pow", "0, to the power 0.5", 0.0, INF, 0.5),
    _end("reciprocal", "0", 0.0, -INF),
    _end("log", "0", 0.0, INF),
    _end("log2", "0", 0.0, INF),
    _end("log10", "0", 0.0, INF),
    _end("log1p", "-1", -1.0, INF),
    _end("asin", "1", 1.0, INF),
    _end("acos", "1", 1.0, -INF),
    _end("acosh", "1", 1.0, INF),
    _end("atanh", "1", 1.0, INF),
    Probe("pow", "0 to the power 0", "tip", ((0.0,), (0.0,)), (0.0, 0.0)),
    Probe("atan2", "0 and 0", "tip", ((0.0,), (0.0,)), (0.0, 0.0)),
    Probe("hypot", "0 and 0", "tip", ((0.0,), (0.0,)), (NAN, NAN)),
    Probe("linalg.vector_norm", "zeros", "tip", ((0.0, 0.0),), (0.0, 0.0), whole=True),
    Probe("std", "equal elements", "tip", ((1.0, 1.0),), (0.0, 0.0), whole=True),
    Probe("maximum", "equal operands", "tie", ((1.0,), (1.0,)), (0.5, 0.5)),
    Probe("minimum", "equal operands", "tie", ((1.0,), (1.0,)), (0.5, 0.5)),
    Probe("fmax", "equal operands", "tie", ((1.0,), (1.0,)), (1.0, 0.0)),
    Probe("fmin", "equal operands", "tie", ((1.0,), (1.0,)), (1.0, 0.0)),
    _line("max", HIGH, HALVES, (0, 2)),
    _line("min", LOW, HALVES, (0, 2)),
    _line("amax", HIGH, HALVES, (0, 2)),
    _line("amin", LOW, HALVES, (0, 2)),
    Probe(
        "max",
        "two tied elements, along a dimension",
        "tie",
        (HIGH,),
        (1.0, 0.0, 0.0),
        {"dim": 0},
        whole=True,
        tied=(0, 2),
    ),
    Probe(
        "min",
        "two tied elements, along a dimension",
        "tie",
        (LOW,),
        (1.0, 0.0, 0.0),
        {"dim": 0},
        whole=True,
        tied=(0, 2),
    ),
    Probe(
        "linalg.vector_norm",
        "two tied elements, of order inf",
        "tie",
        ((1.0, 1.0),),
        (0.5, 0.5),
        {"ord": "inf"},
        whole=True,
    ),
)
"""What is not PyTorch's table is its rule: piecewise constant functions have slope 0, and the limit may be infinite."""


def conventions(
    bench: Bench, ops: Sequence[str], dtype: DType, stopped: Callable[[], bool]
) -> Iterator[Convention]:
    """A record for each probe of these ops that the subject answers with an array for each input."""
    for probe in PROBES:
        case = probe.case(dtype)
        if probe.op not in ops or bench.given_up(case):
            continue
        if stopped():
            return
        judgement = bench.judge(case, witnesses=False)
        answer = judgement.answer
        if isinstance(answer, Answer):
            got = [
                v
                for a in answer.gradients
                for v in ([0.0] if a is None else a.seen().astype(float).ravel().tolist())
            ]
            if len(got) == len(probe.mark):
                yield _record(probe, judgement, got, dtype)


def _record(probe: Probe, judgement: Judgement, got: Sequence[float], dtype: DType) -> Convention:
    sides = _sides(probe, dtype)
    exact = next(v for v in judgement.verdicts if v.oracle == "exact")
    return Convention(
        probe.op,
        probe.at,
        judgement.case,
        named(probe, got, sides),
        tuple(map(repr, got)),
        named(probe, probe.mark, sides),
        tuple(map(repr, probe.mark)),
        exact.outcome,
        exact.reason,
    )


def _sides(probe: Probe, dtype: DType) -> tuple[float, float]:
    """The slopes to the left and to the right of a kink; of no use elsewhere."""
    if probe.kind != "kink":
        return NAN, NAN
    truths = [enclose(probe.case(dtype, aside)) for aside in (-ASIDE, ASIDE)]
    slopes = [
        t.arrays[f"gradient of {probe.case(dtype).program.inputs[0].name}"]
        for t in truths
        if isinstance(t, Enclosed)
    ]
    left, right = (float(s.truth[0].mid()) for s in slopes)
    return left, right


def named(probe: Probe, got: Sequence[float], sides: tuple[float, float] = (NAN, NAN)) -> str:
    """What a choice of gradients at a probe is called; `sides` are the slopes beside a kink."""
    if any(map(math.isnan, got)):
        return "nan"
    if any(map(math.isinf, got)):
        return "minus infinity" if -INF in got else "infinity"
    if probe.kind == "kink":
        return _at_a_kink(got[0], *sides)
    if probe.kind == "tie":
        return _at_a_tie(got, probe.tied)
    return "another slope" if any(got) else "zero"


def _at_a_kink(slope: float, left: float, right: float) -> str:
    """The rule that gives this slope: of several that do, the one that PyTorch states."""
    least = 0.0 if min(left, right) <= 0 <= max(left, right) else min(left, right, key=abs)
    rules = {
        "minimum norm": least,
        "left derivative": left,
        "right derivative": right,
        "halfway": (left + right) / 2,
    }
    return next((name for name, value in rules.items() if value == slope), "another slope")


def _at_a_tie(got: Sequence[float], tied: tuple[int, ...]) -> str:
    shares = [got[n] for n in tied]
    if any(g for n, g in enumerate(got) if n not in tied):
        return "not the tied alone"
    if not any(shares):
        return "zero"
    if len(set(shares)) == 1:
        even = math.isclose(sum(shares), 1.0)
        return (
            "shared evenly"
            if even
            else "each in full"
            if shares[0] == 1
            else "shared evenly, but not one whole"
        )
    alone = [n for n, share in enumerate(shares) if share]
    if alone == [0]:
        return "first of the tied"
    return "last of the tied" if alone == [len(shares) - 1] else "shared unevenly"
