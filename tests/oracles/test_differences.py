"""Central differences: right on smooth functions, honest about their error, silent near kinks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from oracles.differences import MARGIN, NOISE, STEPS, Estimate, estimate, judge_by_differences
from oracles.program import Case
from oracles.records import Verdict

from .answering import Answering
from .building import case, right_answer, step, with_gradient

FUNCTIONS: dict[str, tuple[Callable[[float], float], Callable[[Any], Any]]] = {
    "(1 - cos x)/x**2": (lambda x: (1 - math.cos(x)) / x**2, lambda x: (1 - mpmath.cos(x)) / x**2),
    "x sin(1/x)": (lambda x: x * math.sin(1 / x), lambda x: x * mpmath.sin(1 / x)),
    "exp": (math.exp, mpmath.exp),
    "tanh": (math.tanh, mpmath.tanh),
    "log": (math.log, mpmath.log),
    "sqrt": (math.sqrt, mpmath.sqrt),
    "|x - 1|**1.5": (lambda x: abs(x - 1) ** 1.5, lambda x: abs(x - 1) ** mpmath.mpf("1.5")),
    "exp(-1/x**2)": (lambda x: math.exp(-1 / x**2), lambda x: mpmath.exp(-1 / x**2)),
    "1/(1 + 25 x**2)": (lambda x: 1 / (1 + 25 * x * x), lambda x: 1 / (1 + 25 * x * x)),
    "sin(40 x)": (lambda x: math.sin(40 * x), lambda x: mpmath.sin(40 * x)),
}
POINTS = [float(x) for x in np.geomspace(1e-3, 30, 60)]


def estimated(function: Callable[[float], float], x: float, w: float) -> Estimate:
    """The estimate of the slope along w, with the noise that a forward function of this size has."""
    plus, minus = [function(x + h * w) for h in STEPS], [function(x - h * w) for h in STEPS]
    middle = function(x)
    return estimate(plus, minus, middle, NOISE * max(abs(v) for v in (*plus, *minus, middle)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_claimed_error_is_honest(name: str) -> None:
    """The true error is never more than the margin times what is claimed, unless the estimate calls itself poor."""
    function, exact = FUNCTIONS[name]
    told = 0
    for x in POINTS:
        found = estimated(function, x, x)
        with mpmath.workprec(300):
            true = float(mpmath.diff(exact, mpmath.mpf(x)) * x)
        scale = max(abs(true), abs(found.value))
        if found.kink or not math.isfinite(found.value) or found.error > 1e-3 * scale:
            continue
        told += 1
        assert abs(found.value - true) <= MARGIN * found.error + 1e-13 * scale, x
    print(f"{name}: {told} of {len(POINTS)} estimates claim to be good")
    assert told >= 15


def test_there_are_enough_points() -> None:
    """Honesty is tried at 500 points and more."""
    assert len(FUNCTIONS) * len(POINTS) >= 500


def test_a_kink_is_noticed() -> None:
    """At a kink, and within reach of the steps beside one, the two sides are seen to differ."""
    for x in (0.0, 1e-6):
        assert estimated(abs, x, 1.0).kink
    assert not estimated(abs, 1.0, 1.0).kink
    assert not estimated(math.exp, 0.0, 1.0).kink


def test_noise_widens_the_claim() -> None:
    """A noisy forward function has a wider claim than a clean one."""
    plus, minus = [math.exp(h) for h in STEPS], [math.exp(-h) for h in STEPS]
    assert estimate(plus, minus, 1.0, 1e-6).error > 100 * estimate(plus, minus, 1.0, 1e-16).error


X, G = np.array([0.5, 1.25, 2.0]), np.array([1.0, 2.0, -3.0])


def exponential(order: int = 1, dtype: str = "float64") -> Case:
    """exp at three places."""
    return case({"x": X}, [step("exp", 0)], [G], order=order, seconds=[G + 5][: order - 1], dtype=dtype)


def wiggling(x: Any) -> Any:
    """Smooth, the same on both sides of X, and with waves as narrow as the shortest step."""
    return np.sin(9e3 * (x - X)) + 1e3 * (x - X)


def verdict(given: Case, gradient: Any, forward: Callable[..., Any] | None = np.exp, **more: Any) -> Verdict:
    """What differences say of this first gradient, on this forward function."""
    answer = with_gradient(right_answer(given), gradient)
    remote: Any = Answering(answer, forward, **more)
    return judge_by_differences(given, answer, remote)


def test_a_right_gradient_agrees_and_a_wrong_one_differs() -> None:
    """The slope of the subject's own forward function decides; factors of 1 + 1e-6 and signs are seen."""
    assert verdict(exponential(), G * np.exp(X)).outcome == "agrees"
    for wrong in (-G * np.exp(X), G * np.exp(X) * (1 + 1e-6), G * np.exp(X) * [1, 1, 1.001], None):
        found = verdict(exponential(), wrong)
        assert found.outcome == "differs"
        assert float(found.ratio) > 1
        assert "along a direction the slope is" in found.reason


def test_what_is_finer_than_the_steps_is_not_overlooked() -> None:
    """At 1e6 every step leaps over a thousand of ceil's own, and its slope looks like 1."""
    given = case({"x": [1e6 + 0.25]}, [step("ceil", 0)], [[1.0]])
    answer = right_answer(given)
    found = judge_by_differences(given, answer, Answering(answer, np.ceil))  # type: ignore[arg-type]
    assert (found.outcome, found.reason) == ("cannot tell", "finer steps show another slope")


def test_it_judges_the_subjects_own_function() -> None:
    """A gradient that is right for exp is wrong for a subject that computes something else."""
    assert verdict(exponential(), G * np.exp(X), forward=np.sinh).outcome == "differs"


@pytest.mark.parametrize(
    ("given", "gradient", "forward", "said"),
    [
        (exponential(dtype="float32"), (G * np.exp(X)).astype("float32"), np.exp, "too coarse"),
        (exponential(), G[:2], np.exp, "another shape"),
        (exponential(), G * np.nan, np.exp, "not finite"),
        (exponential(), G * np.exp(X), None, "no finite value nearby"),
        (exponential(), G * np.exp(X), lambda x: x * np.nan, "no finite value nearby"),
        (exponential(), G * np.exp(X), lambda x: x[:2], "no finite value nearby"),
        (exponential(), G * np.exp(X), lambda x: np.abs(x - X), "kink"),
        (exponential(), G * np.exp(X), wiggling, "poor"),
    ],
)
def test_it_says_when_it_cannot_tell(given: Case, gradient: Any, forward: Any, said: str) -> None:
    """Coarse dtypes, wrong shapes, values that are not finite, kinks and poor estimates give no verdict."""
    found = verdict(given, gradient, forward)
    assert found.outcome == "cannot tell"
    assert said in found.reason


def test_second_order_differences_the_subjects_gradient() -> None:
    """At order 2 the first gradient of the subject is differenced against its second."""
    given = exponential(2)
    answer = right_answer(given)
    remote: Any = Answering(answer, backward=lambda x: (G * np.exp(x),))
    assert judge_by_differences(given, answer, remote).outcome == "agrees"
    wrong: Any = Answering(answer, backward=lambda x: (G * np.exp(x) * x,))
    assert judge_by_differences(given, answer, wrong).outcome == "differs"


def test_no_gradient_of_a_constant_agrees() -> None:
    """A forward function that does not change has slope 0, and None says just that."""
    assert verdict(exponential(), None, forward=lambda x: np.ones(3)).outcome == "agrees"
