"""Factors in any order: an answer that is not finite is excused where some order overflows."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from oracles.budget.accuracy import precision
from oracles.budget.orders import AnyOrder
from oracles.judge import Judgement
from oracles.program import Case
from oracles.truth import Enclosed, enclose

from ..answering import judged  # noqa: TID252 - tests have no name to import
from ..building import case, right_answer, rounded, step, with_gradient  # noqa: TID252 - tests have no name to import

SECOND_OF_B = "second-order gradient of b"
FACTORS = st.lists(st.tuples(st.floats(2.0**-9, 2.0**9), st.booleans()), min_size=1, max_size=7)


def quotient(*bs: float, dtype: str = "float16") -> Case:
    """b/b by another b, with the cotangent 5 and the weight 1/128 for one of them: 5 / b / b / 128 is in the answer."""
    n = len(bs)
    return case(
        {"a": np.array(bs), "b": np.array(bs)},
        [step("div", 0, 1)],
        [np.full(n, 5.0)],
        order=2,
        dtype=dtype,
        seconds=[np.full(n, 2.0**-7), np.zeros(n)],
    )


def answered(given: Case, *values: float) -> Judgement:
    """The right answer but for the second-order gradient of b."""
    right = right_answer(given)
    assert right.seconds
    seconds = (right.seconds[0], rounded(values, (len(values),), given.dtype))
    return judged(given, msgspec.structs.replace(right, seconds=seconds))


def exactly(judgement: Judgement) -> str:
    """What the exact oracle says."""
    return judgement.verdicts[0].outcome


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_an_overflow_on_the_way_is_excused(value: float) -> None:
    """5/b**2 is 185,000, more than float16 has; a 128th of it is not. In float32 there is room for both."""
    truth = enclose(quotient(0.0052))
    assert isinstance(truth, Enclosed)
    assert truth.arrays[SECOND_OF_B].budget[0] < 20
    assert exactly(answered(quotient(0.0052), value)) == "agrees"
    assert answered(quotient(0.0052, dtype="float32"), value).argument == SECOND_OF_B


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_an_overflow_in_no_order_is_a_fault(value: float) -> None:
    """5/b**2 is 20."""
    assert answered(quotient(0.5), value).argument == SECOND_OF_B


def test_a_finite_number_keeps_its_budget() -> None:
    """What does not overflow must be right, whatever else might have."""
    assert exactly(answered(quotient(0.0052), -1443.0)) == "agrees"
    assert answered(quotient(0.0052), -1500.0).fault == "wrong value"


def test_each_element_is_excused_by_its_own_factors() -> None:
    """But NaN, which masks make of infinities, by any."""
    for second, said in (
        (-0.15625, "agrees"),
        (math.nan, "agrees"),
        (-math.inf, "differs"),
        (-0.2, "differs"),
    ):
        assert exactly(answered(quotient(0.0052, 0.5), -math.inf, second)) == said


def chained(*factors: float) -> Case:
    """A number times these, one after the other, with the cotangent 300 in float16."""
    steps = [step("mul", k, f) for k, f in enumerate(factors)]
    return case({"a": np.ones(1)}, steps, [np.full(1, 300.0)], dtype="float16")


def test_what_a_step_hands_on_is_one_number() -> None:
    """300 * (0.003 * 300) overflows in no order within a step, though 300 * 300 would."""
    given = chained(300.0, 0.003)
    assert isinstance(enclose(given), Enclosed)
    wrong = with_gradient(right_answer(given), rounded([math.inf], (1,), "float16"))
    assert judged(given, wrong).fault == "infinite"


def test_first_order_too() -> None:
    """The slope of ldexp by b is y*ln 2: 20,000 times a cotangent of 4 overflows, and times ln 2 first does not."""
    given = case(
        {"a": np.full(1, 2.0), "b": np.full(1, 13.2877)},
        [step("ldexp", 0, 1)],
        [np.full(1, 4.0)],
        dtype="float16",
    )
    for value, said in ((math.inf, "agrees"), (-math.inf, "agrees"), (1.0, "differs")):
        wrong = with_gradient(right_answer(given), rounded([value], (1,), "float16"), 1)
        assert exactly(judged(given, wrong)) == said


@given(FACTORS)
def test_no_product_of_factors_is_beyond_the_reach(factors: list[tuple[float, bool]]) -> None:
    """A term is lost just where the product of its factors that are larger than 1 is beyond the range."""
    arena = AnyOrder(precision("float16"), {})
    arena.forward, arena.phase = False, 1
    made, reach = arena.constant(1.0), 1.0
    for number, divided in factors:
        factor = arena.constant(arb(number))
        made = made / factor if divided else -(factor * made)
        reach *= max(1.0, 1 / number if divided else number)
    lost = not made.ball.is_finite()
    if not 0.9 < reach / 65504 < 1.1:
        assert lost == (reach > 65504)


def test_a_sum_may_be_multiplied_out() -> None:
    """(a - a) * b may be a*b - a*b."""
    arena = AnyOrder(precision("float16"), {})
    arena.forward, arena.phase = False, 1
    a, b = arena.constant(300.0), arena.constant(300.0)
    assert not ((a - a) * b).ball.is_finite()
    assert ((a - a) * arena.constant(30.0)).ball.is_finite()
