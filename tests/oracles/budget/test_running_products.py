"""Running products with a 0 among their factors: the budget follows how libraries pull back twice there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from oracles.judge import Bench
from oracles.program import Case
from oracles.remote import Remote

from ..building import case, step  # noqa: TID252

TINY = -(2.0**-22)
"""Subnormal in float16: a product with it has few digits, and PyTorch divides such a product by it again."""


@pytest.fixture(scope="module", params=["torch", "refgrad"])
def bench(request: Any) -> Iterator[Bench]:
    """A subject whose cumprod is judged."""
    if request.param == "torch":
        pytest.importorskip("torch")
    with Remote(request.param, ops=("cumprod",)) as worker:
        yield Bench(worker, None)


def cumprod(x: Any, cotangent: Any, weights: Any, order: Any = 2) -> Case:
    """The case in float16."""
    seconds = [weights] if order == 2 else []
    return case(
        {"a": x}, [step("cumprod", 0, dim=0)], [cotangent], dtype="float16", order=order, seconds=seconds
    )


@pytest.mark.parametrize(
    ("x", "cotangent", "weights"),
    [
        ([0.0, TINY, 0.6475, -1.0], [-0.7, 1.0, -1.0, -0.7], [1.5, 1.0, 1.5, -0.7]),
        ([0.0, 0.5, TINY / 2], [-1.0, 0.3, 2.0], [0.3, 0.5, 3.0]),
        ([0.0, 52 * 2.0**-24, 0.0], [3.0, -1.0, 0.3], [0.3, 3.0, 3.0]),
        (
            [1.627, 0.0, -3 * 2.0**-24, -2.996, -1.172, -1.0],
            [-1.0, -0.7, 1.0, 0.3, 1.0, 3.0],
            [3, -0.7, 1, -2, 2, 3],
        ),
    ],
)
def test_what_underflows_on_the_way_is_no_fault(bench: Bench, x: Any, cotangent: Any, weights: Any) -> None:
    """A product that has lost its digits is divided out again, in the parts before and after a 0 too."""
    judgement = bench.judge(cumprod(x, cotangent, weights), witnesses=False)
    assert judgement.fault == ""
    assert judgement.judged


def test_what_overflows_on_the_way_is_pytorch_s_fault_alone(bench: Bench) -> None:
    """A recorded gradient of PyTorch multiplies all the others first, which is listed; unrecorded it is right."""
    given = ([0.25, 1000.0, 100.0, 0.0], [1.0, 0.5, 0.5, 0.25], [0.0, 2.0, 0.0, 0.0])
    assert bench.judge(cumprod(*given, order=1), witnesses=False).fault == ""
    found = bench.judge(cumprod(*given), witnesses=False)
    assert found.fault == ("infinite" if bench.subject.ready.name == "torch" else "")


def test_where_nothing_underflows_the_budget_is_narrow(bench: Bench) -> None:
    """Beside a 0 it is two percent at most, of a second order whose parts are a few roundings each."""
    judgement = bench.judge(
        cumprod([2.0, 0.0, 3.0, -1.5], [1.0, 1.0, 0.5, 2.0], [1.0, -1.0, 2.0, 0.5]), witnesses=False
    )
    assert judgement.fault == ""
    enclosure = judgement.truth.arrays["second-order gradient of a"]  # type: ignore[union-attr]
    for truth, budget in zip(enclosure.truth, enclosure.budget, strict=True):
        assert budget < 0.02 * (1 + abs(float(truth.mid())))
