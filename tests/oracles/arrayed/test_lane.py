"""Cases on arrays beside the same cases on scalars: one truth, and one budget but for some thousandths."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from oracles.arrayed import functions, lane, rounding
from oracles.arrayed.balls import Balls, scattered
from oracles.arrayed.errorfree import LONG
from oracles.arrays import Array
from oracles.comparison import compare
from oracles.generation.programs import alone, composed, pairs
from oracles.program import Case, Input, Program, Ref, Step
from oracles.truth import Enclosed, Enclosure, Truths

from ..building import drawn  # noqa: TID252

OPS = (
    *("add", "sub", "mul", "div", "hypot", "pow", "sqrt", "rsqrt", "abs", "relu", "neg", "square"),
    *("exp", "exp2", "log", "log2", "sin", "tan", "tanh", "cosh", "sigmoid", "erf", "nn.functional.silu"),
    *(
        "sum",
        "mean",
        "cumsum",
        "matmul",
        "mm",
        "mv",
        "dot",
        "outer",
        "softmax",
        "log_softmax",
        "logsumexp",
        "linalg.vector_norm",
    ),
    *("expand", "permute", "flip", "roll", "reshape"),
)
FACES = ("plain", "bulk")
TIGHT, WIDE = 0.9999, 1.01
"""A rounding to 64 bits is a two-thousandth of one to 53, and there are several on the way to a result."""

pytestmark = pytest.mark.skipif(not lane.ABLE, reason="this machine has no 64-bit extended numbers")


def cases_of(op: str, dtypes: tuple[str, ...] = ("float64", "float16")) -> list[Case]:
    """Some draws of an op, at order 2."""
    samples = [s for face in FACES for s in drawn(alone(op, face), 6, 1)]
    return [pair[-1] for s in samples for pair in pairs(s, dtypes, 2)]


def on_scalars(case: Case, order: int) -> Enclosed | None:
    """The same case on scalars alone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lane, "ABLE", False)
        seconds = case.seconds if order == 2 else ()
        found = Truths(msgspec.structs.replace(case, order=order, seconds=seconds))
        answer = found.at(found.case)
    return answer if isinstance(answer, Enclosed) else None


def beside(case: Case, answers: lane.Answers) -> tuple[int, float, float]:
    """How many truths miss the scalars', and the least and the largest ratio of their budgets."""
    missed, least, most = 0, 1.0, 1.0
    for order, arrays in answers.items():
        right = on_scalars(case, order)
        assert right is not None
        assert not right.at_kink
        assert arrays.keys() == right.arrays.keys()
        for name, told in arrays.items():
            expected = right.arrays[name]
            assert told.truth.shape == told.budget.shape == expected.shape
            pairs = zip(scattered(told.truth), expected.truth, strict=True)
            missed += sum(not mine.overlaps(other) for mine, other in pairs)
            budgets = np.array(expected.budget).reshape(expected.shape)
            small = (told.budget < 1e-300) & (budgets < 1e-300)
            ratios = np.divide(told.budget, budgets, out=np.ones(budgets.shape), where=~small)
            least, most = min(least, ratios.min(initial=1.0)), max(most, ratios.max(initial=1.0))
    return missed, least, most


@pytest.mark.parametrize("op", ["outer", "mul"])
def test_what_meets_an_empty_array_is_left_to_the_scalars(op: str) -> None:
    """The gradient of what is broadcast over no elements is a sum of nothing, which no array decides."""
    shapes = ((0,), (3,)) if op == "outer" else ((0, 1), (1, 3))
    program = Program(
        tuple(Input(n, s, "float64") for n, s in zip("ab", shapes, strict=True)),
        (Step(op, (Ref(0), Ref(1))),),
        (2,),
    )
    arrays = tuple(Array.of(np.ones(s)) for s in shapes)
    cases = [Case(program, arrays, (Array.of(np.ones((0, 3))),), "float64") for _ in range(2)]
    for case, truths in zip(cases, Truths.together(cases), strict=True):
        found = truths.at(case)
        assert isinstance(found, Enclosed)
        assert [float(t) for t in found.arrays["gradient of b"].truth] == [0.0, 0.0, 0.0]


def test_what_is_spread_twice_is_summed_over_both() -> None:
    """An array that is expanded, and broadcast again, has the gradient that the scalars say."""
    inputs = (Input("a", (3,), "float64"), Input("b", (4, 2, 3), "float64"))
    steps = (Step("expand", (Ref(0),), {"size": (2, 3)}), Step("mul", (Ref(2), Ref(1))))
    program, rng = Program(inputs, steps, (3,)), np.random.default_rng(1)
    for order in (1, 2):
        numbers = [Array.of(rng.normal(size=s)) for s in ((3,), (4, 2, 3), (4, 2, 3), (3,), (4, 2, 3))]
        one = Case(
            program,
            tuple(numbers[:2]),
            (numbers[2],),
            "float64",
            order,
            tuple(numbers[3:][: 2 * (order - 1)]),
        )
        (answers,) = lane.told([one])
        assert answers is not None
        missed, least, most = beside(one, answers)
        assert missed == 0
        assert least > TIGHT
        assert most < WIDE


@pytest.mark.parametrize("op", OPS)
def test_arrays_tell_what_scalars_tell(op: str) -> None:
    """Truth by truth and budget by budget; an op that arrays never decide is no test."""
    decided = 0
    for case in cases_of(op):
        answers, _ = lane.told([case, case])
        if answers is not None:
            decided += 1
            missed, least, most = beside(case, answers)
            assert not missed
            assert least > TIGHT
            assert most < WIDE
    print(f"{op}: {decided} cases decided")
    assert decided


def test_composed_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several steps, at every order of the case, with the cases of a program together.

    With Arb's cosh, whose radius is wider than the slope asks for, so that the budgets can be compared.
    """
    monkeypatch.setitem(functions.OWN, "cosh", lambda x: functions.by_arb(x, lambda ball: ball.cosh()))
    decided = 0
    for sample in drawn(composed(("mul", "tanh", "sum", "exp", "matmul", "softmax", "mean", "sub")), 40, 3):
        cases = [pair[-1] for pair in pairs(sample, ("float64",), 3)]
        for case, answers in zip(cases, lane.told(cases), strict=True):
            if answers is not None:
                decided += 1
                missed, least, most = beside(case, answers)
                assert not missed
                assert least > TIGHT
                assert most < WIDE
    print(f"{decided} cases decided")
    assert decided > 30


def vectors(op: str, n: int, count: int) -> list[Case]:
    """Cases of an op on a vector."""
    rng = np.random.default_rng(0)
    program = Program((Input("x", (n,), "float64"),), (Step(op, (Ref(0),)),), (1,))

    def numbers() -> Array:
        return Array.of(rng.normal(size=n))

    return [Case(program, (numbers(),), (numbers(),), "float64", 2, (numbers(),)) for _ in range(count)]


def test_a_class_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With half the class of exp the budgets of arrays are no longer those of scalars."""
    (case,) = vectors("exp", 10, 1)
    monkeypatch.setattr(rounding, "CLASSES", {**rounding.CLASSES, "exp": 4})
    (answers,) = lane.told([case])
    assert answers is not None
    assert beside(case, answers)[1] < 0.6


def test_a_wrong_function_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sine off by a hundred units of 64 bits gives another truth than the scalars'."""
    right = functions.OWN["sin"]
    wrong = lambda x: Balls(right(x).mid * (1 + 100 * LONG(2) ** -64), right(x).rad)
    monkeypatch.setitem(functions.OWN, "sin", wrong)
    (case,) = vectors("sin", 10, 1)
    (answers,) = lane.told([case])
    assert answers is not None
    assert beside(case, answers)[0] > 0


def test_cases_together_and_alone() -> None:
    """A case has one answer whatever stands beside it; one at a kink is left to the scalars, and it alone."""
    cases = vectors("relu", 8, 4)
    zero = msgspec.structs.replace(cases[2], inputs=(Array.of(np.zeros(8)),))
    group = [*cases[:2], zero, cases[3], *vectors("exp", 8, 1)]
    found = [t.at(t.case) for t in Truths.together(group)]
    for case, together in zip(group, found, strict=True):
        single = Truths(case).at(case)
        assert isinstance(together, Enclosed)
        assert isinstance(single, Enclosed)
        assert together.bits == single.bits == (160 if case is zero else 64)
        for name, enclosure in together.arrays.items():
            np.testing.assert_allclose(enclosure.budget, single.arrays[name].budget, rtol=1e-9)


@pytest.mark.parametrize("factor", [0.0, 0.4, 3.0, 1e6, np.nan, np.inf])
def test_an_answer_is_weighed_as_by_scalars(factor: float) -> None:
    """The same ratios, ulps and faults, whether an array is compared whole or element by element."""
    (case,) = vectors("tanh", 12, 1)
    found = Truths(case).at(case)
    assert isinstance(found, Enclosed)
    for name, whole in found.arrays.items():
        assert whole.told is not None
        listed = Enclosure(name, whole.shape, whole.truth, whole.budget)
        got = whole.told.truth.mid.astype(np.float64)
        got[3] += factor * whole.budget[3]
        one, other = (compare(e, got, "float64") for e in (whole, listed))
        assert one.fault == other.fault == ("" if factor < 1 else one.fault)
        assert bool(one.fault) == (not factor < 1)
        assert one.uninformative == other.uninformative
        np.testing.assert_allclose(one.ratios, other.ratios, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(one.ulps, other.ulps, rtol=1e-6, atol=1e-9)


def test_an_error_may_be_without_end_in_ulps() -> None:
    """What cancels to 0 may be off by its terms' rounding, which no last place of 0 measures; that is no warning."""
    steps = (Step("mul", (Ref(0), Ref(1))), Step("sum", (Ref(2),)))
    program = Program(tuple(Input(n, (8,), "float64") for n in "ab"), steps, (3,))
    a, b = np.tile([1e300, 1.0], 4), np.tile([1.0, -1e300], 4)
    one = Case(program, (Array.of(a), Array.of(b)), (Array.of(np.array(1.0)),), "float64")
    (answers,) = lane.told([one])
    assert answers is not None
    found = compare(Enclosure.of_arrays("output 0", answers[1]["output 0"]), np.array(1e284), "float64")
    assert found.fault == ""
    assert found.ulps == [math.inf]
