"""The bound on erf by a polynomial in float32 holds for that polynomial, needs each of its parts, and is no wider."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flint import arb

from oracles.arrays import Array
from oracles.budget import polynomial_erf
from oracles.budget.polynomial_erf import COEFFICIENTS, PUBLISHED, SCALE, U, reach
from oracles.program import Case, Input, Program, Ref, Step
from oracles.truth import Enclosed, enclose

NumPy = np.ndarray[Any, Any]
POINTS = np.concatenate([np.linspace(0, 6, 20_001), np.logspace(-9, 0, 5_001)]).astype(np.float32)


def fused(a: NumPy, b: NumPy, c: NumPy) -> NumPy:
    """a*b + c in float32 with one rounding, but for a double one now and then."""
    return np.asarray((a.astype(np.float64) * b + c).astype(np.float32))


def as_pytorch_does(z: NumPy) -> NumPy:
    """erf at z >= 0, operation by operation as `Vectorized<float>::erf`, with a correctly rounded exponential."""
    one = np.float32(1)
    t = one / fused(np.float32(SCALE), z, one)
    c = [np.float32(k) for k in COEFFICIENTS]
    power = np.full_like(z, c[4])
    for k in reversed(c[:4]):
        power = fused(power, t, k)
    decay = np.exp(-(z * z).astype(np.float64)).astype(np.float32)
    return fused(-(decay * t), power, one)


def errors() -> list[float]:
    """How far off that is at each point, from Arb's erf."""
    got = as_pytorch_does(POINTS)
    return [abs(float(arb(float(g)) - arb(float(z)).erf())) for z, g in zip(POINTS, got, strict=True)]


def bounds() -> list[float]:
    """What the model allows at each point."""
    return [float(reach(arb(float(z))).abs_upper()) for z in POINTS]


def test_it_bounds_the_evaluation_in_float32_and_little_more() -> None:
    """No point is beyond it, the worst of a stretch comes within a factor of five, and 1.5e-7 alone is not enough."""
    found, allowed = np.array(errors()), np.array(bounds())
    assert np.all(found <= allowed)
    for low, high in ((0, 0.01), (0.01, 0.1), (0.1, 0.5), (0.5, 1), (1, 2), (2, 3)):
        here = (low <= POINTS) & (high > POINTS)
        assert allowed[here].max() < 5 * found[here].max(), (low, high)
    assert found.max() > 2.5 * PUBLISHED


@pytest.mark.parametrize("left_out", ["U", "PUBLISHED"])
def test_both_parts_are_needed(left_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the published bound nor the rounding covers the evaluation by itself."""
    monkeypatch.setattr(polynomial_erf, left_out, 0.0)
    assert np.any(np.array(errors()) > np.array(bounds()))


def test_the_published_bound_is_that_of_exact_arithmetic() -> None:
    """The formula, evaluated in balls, is within 1.5e-7 of erf, and not much nearer."""
    worst = 0.0
    for z in np.linspace(0, 6, 3001):
        x = arb(float(z))
        t = 1 / (1 + arb(str(SCALE)) * x)
        series = sum((arb(str(c)) * t ** (k + 1) for k, c in enumerate(COEFFICIENTS)), arb(0))
        worst = max(worst, float(abs(1 - series * (-x * x).exp() - x.erf()).abs_upper()))
    assert 0.9 * PUBLISHED < worst < PUBLISHED


def test_a_wide_ball_is_covered_throughout() -> None:
    """The bound of a ball is at least that of every point in it."""
    whole = float(reach(arb(0.5, 0.25)).abs_upper())
    assert whole >= max(float(reach(arb(z)).abs_upper()) for z in np.linspace(0.25, 0.75, 51).tolist())


def test_gelu_has_it_at_float32_and_below_alone() -> None:
    """The budget of gelu's gradient is some u wider there, and that of float64 is not."""

    def in_u(dtype: Any) -> float:
        gelu = Program((Input("x", (1,), dtype),), (Step("nn.functional.gelu", (Ref(0),)),), (1,))
        one = Array.of(np.ones(1, dtype))
        truth = enclose(Case(gelu, (Array.of(np.full(1, 2.0**-7, dtype)),), (one,), dtype))
        assert isinstance(truth, Enclosed)
        return truth.arrays["gradient of x"].budget[0] / float(np.finfo(dtype).eps / 2)

    half_of_it = float(reach(arb(2.0**-7 / 2**0.5)).mid()) / U / 2
    assert in_u("float32") - in_u("float64") == pytest.approx(half_of_it, rel=0.02)
    assert (
        in_u("float16") - in_u("float64") < 1 < half_of_it
    )  # there a float16 underflows long before a float64 does
