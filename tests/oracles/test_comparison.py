"""One array of an answer beside its enclosure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from flint import arb

from oracles.comparison import FAULTS, compare, decimal, ulp
from oracles.truth import Enclosure


def enclosure(truth: list[float], budget: list[float], hull: list[arb] | None = None) -> Enclosure:
    """An enclosure of exact numbers."""
    return Enclosure("gradient of x", (len(truth),), [arb(t) for t in truth], budget, hull)


@pytest.mark.parametrize(
    ("got", "fault", "worst"),
    [
        ([1.0, -2.0, 0.0], "", 0),
        ([1.1, -2.0, 0.0], "", 0),
        ([1.0, -1.5, 0.0], "wrong value", 1),
        ([1.0, 2.0, 0.0], "wrong value", 1),
        ([1.0, -2.0, 1e-300], "wrong value", 2),
        ([1.0, np.nan, 0.0], "nan", 1),
        ([1.0, -np.inf, 0.0], "infinite", 1),
        ([5.0, np.inf, np.nan], "nan", 1),
        ([9.0, np.inf, 0.0], "infinite", 1),
    ],
)
def test_faults(got: list[float], fault: str, worst: int) -> None:
    """Inside its budget every element is right; outside, the most telling fault names the array."""
    compared = compare(enclosure([1.0, -2.0, 0.0], [0.11, 0.25, 0.0]), np.array(got), "float64")
    assert compared.fault == fault
    assert (compared.worst == worst) or not fault
    assert compared.argument == "gradient of x"


def test_an_infinite_truth_wants_its_infinity() -> None:
    """Any finite number is a fault there, NaN says nothing false, and the other infinity is wrong."""
    infinite = Enclosure("gradient of x", (2,), [arb("-inf"), arb(1)], [0.0, 0.0])
    for got, fault in (
        (-np.inf, ""),
        (np.nan, ""),
        (np.inf, "infinite"),
        (-65504.0, "finite where infinite"),
        (0.0, "finite where infinite"),
    ):
        assert compare(infinite, np.array([got, 1.0]), "float16").fault == fault
    assert compare(infinite, None, "float16").fault == "no gradient"
    assert decimal(infinite.truth[0]) == "-inf"


def test_an_infinite_budget_allows_anything() -> None:
    """Of an element that nothing can be told of, nothing is a fault; the rest of its array is judged."""
    open_ = Enclosure("gradient of x", (2,), [arb(1), arb(1)], [math.inf, 0.0])
    for got in (np.nan, np.inf, -7.0):
        assert compare(open_, np.array([got, 1.0]), "float64").fault == ""
        assert compare(open_, np.array([got, 2.0]), "float64").fault == "wrong value"


def test_an_overflow_may_spread() -> None:
    """Where one element overflows on a way of several steps, NaN may reach others; infinity and wrong numbers not."""
    numbers = [arb("inf"), arb(1)]
    near = Enclosure("gradient of x", (2,), numbers, [0.0, 0.0], spread=True)
    for got, fault in (
        ([np.inf, 1.0], ""),
        ([-np.inf, np.nan], ""),
        ([np.inf, np.inf], "infinite"),
        ([np.inf, 2.0], "wrong value"),
        ([3.0, 1.0], "finite where infinite"),
    ):
        assert compare(near, np.array(got), "float64").fault == fault
    alone = Enclosure("gradient of x", (2,), numbers, [0.0, 0.0])
    assert compare(alone, np.array([np.inf, np.nan]), "float64").fault == "nan"


def test_a_branch_that_may_overflow_allows_anything() -> None:
    """A ball of the hull that is not finite excuses even NaN, for that element alone."""
    either = Enclosure("gradient of x", (2,), [arb(1), arb(1)], [0.0, 0.0], [arb("nan"), arb(1, 0.5)])
    assert compare(either, np.array([np.nan, 1.25]), "float64").elsewhere == 2
    assert compare(either, np.array([1.0, np.nan]), "float64").fault == "nan"


def test_the_sign_of_a_zero_is_no_fault() -> None:
    """-0.0 and 0.0 are the same answer."""
    for truth in (0.0, -0.0):
        for got in (0.0, -0.0):
            assert compare(enclosure([truth], [0.0]), np.array([got]), "float64").fault == ""


def test_no_gradient_stands_for_zeros() -> None:
    """None is right where every element is within budget of 0, and a fault of its own where one is not."""
    assert compare(enclosure([0.0, 1e-9], [0.0, 1e-8]), None, "float64").fault == ""
    assert compare(enclosure([0.0, 1.0], [0.0, 1e-8]), None, "float64").fault == "no gradient"


def test_ratios_and_ulps_measure_the_distance() -> None:
    """An error of two budgets has ratio 2, and one of four ulps has ulps 4."""
    off = 4 * math.ulp(1.0)
    compared = compare(enclosure([1.0], [off / 2]), np.array([1.0 + off]), "float64")
    assert compared.ratios == [2.0]
    assert compared.ulps == [4.0]
    assert compare(enclosure([1.0], [0.0]), np.array([1.0 + off]), "float64").ratios == [math.inf]
    assert compare(enclosure([1.0], [0.0]), np.array([1.0]), "float64").ratios == [0.0]


def test_a_balls_own_width_excuses_no_more_than_itself() -> None:
    """An element inside the ball of the truth is right, and the distance counts from its edge."""
    wide = Enclosure("gradient of x", (1,), [arb(1, 0.5)], [0.0])
    assert compare(wide, np.array([1.25]), "float64").fault == ""
    assert compare(wide, np.array([1.75]), "float64").fault == "wrong value"


def test_the_hull_excuses_what_rounding_may_do() -> None:
    """Off the contract but inside the hull is elsewhere; outside the hull, or not finite, is a fault."""
    hull = [arb(0.5, 0.5)]
    for got, fault, elsewhere in (
        (0.75, "", 1),
        (2.0, "wrong value", 0),
        (np.nan, "nan", 0),
        (np.inf, "infinite", 0),
    ):
        compared = compare(enclosure([0.0], [0.0], hull), np.array([got]), "float64")
        assert (compared.fault, compared.elsewhere) == (fault, elsewhere)


def test_a_budget_as_large_as_the_answer_says_little() -> None:
    """Agreement within a quarter of the answer's size is uninformative, unless one element is sharp."""
    assert compare(enclosure([1.0, 1e-9], [0.3, 0.5]), np.array([1.0, 0.0]), "float64").uninformative
    assert not compare(enclosure([1.0, 1e-9], [0.3, 1e-12]), np.array([1.0, 0.0]), "float64").uninformative
    assert not compare(enclosure([0.0], [0.3]), np.array([0.0]), "float64").uninformative


@pytest.mark.parametrize(
    ("dtype", "eps"),
    [("float64", 2.0**-52), ("float32", 2.0**-23), ("float16", 2.0**-10), ("bfloat16", 2.0**-7)],
)
def test_ulps_are_the_dtypes(dtype: str, eps: float) -> None:
    """The distance between neighbours at 1, at 2 and just below 1, in each dtype."""
    assert ulp(1.0, dtype) == eps
    assert ulp(-2.0, dtype) == 2 * eps
    assert ulp(0.75, dtype) == eps / 2
    assert ulp(0.0, dtype) > 0


def test_decimals_read_back() -> None:
    """The decimals of a midpoint are those of the number."""
    assert float(decimal(arb(0.1))) == 0.1
    assert decimal(arb(-3)) == "-3.0000000000000000000"
    assert set(FAULTS) >= {"nan", "infinite", "wrong value", "no gradient"}


def test_an_empty_array_has_nothing_wrong() -> None:
    """Without elements there is no fault, no ratio and a worst position of 0."""
    compared: Any = compare(enclosure([], []), np.zeros(0), "float64")
    assert (compared.fault, compared.ratios, compared.worst) == ("", [], 0)
