"""Columns of rounded scalars: the same budgets as scalars one by one, at a cost that grows as the elements do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flint import arb

from oracles.arrayed import lane
from oracles.arrays import Array
from oracles.budget import rounded, scalars, sums
from oracles.budget.accuracy import precision
from oracles.budget.blocks import BLOCKS
from oracles.budget.rounded import Rounding
from oracles.exact import tape
from oracles.generation.programs import alone, cases
from oracles.program import Case, Input, Program, Ref, Step
from oracles.truth import Enclosed, Unknown, enclose

from ..building import drawn  # noqa: TID252

OPS = (
    "div",
    "abs",
    "pow",
    "tanh",
    "nn.functional.gelu",
    "where",
    "cat",
    "softmax",
    "std",
    "linalg.vector_norm",
)
EVER = 10**9


@pytest.mark.parametrize("op", OPS)
def test_a_column_has_the_budgets_of_its_scalars(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged with columns only and with scalars only, every case has one outcome and, but for rounding, one budget."""
    monkeypatch.setattr(lane, "ABLE", False)
    compared = 0
    for face in ("plain", "bulk", "ties", "zero"):
        for case in cases_of(op, face):
            with monkeypatch.context() as patched:
                patched.setattr(rounded, "FEW", EVER)
                one_by_one = enclose(case)
                patched.setattr(rounded, "FEW", 0)
                as_columns = enclose(case)
            if isinstance(one_by_one, Unknown) or isinstance(as_columns, Unknown):
                assert one_by_one == as_columns
                continue
            for name, found in one_by_one.arrays.items():
                np.testing.assert_allclose(
                    as_columns.arrays[name].budget, found.budget, rtol=1e-6, atol=1e-300
                )
                compared += len(found.budget)
    print(f"{op}: {compared} budgets compared")
    assert compared > 100


def cases_of(op: str, face: str) -> list[Case]:
    """Four draws of an op on a face, as cases in the finest dtype and the coarsest."""
    return [c for s in drawn(alone(op, face), 4, 1) for c in cases(s, ("float64", "bfloat16"))]


def program(op: str, n: int, **settings: Any) -> Case:
    """An op on vectors of n elements, or on matrices of about n elements, at order 2."""
    shape = (round(n**0.5), round(n**0.5)) if op == "matmul" else (n,)
    names = "ab" if op in ("matmul", "mul") else "a"
    inputs = tuple(Input(name, shape, "float64") for name in names)
    made = Program(inputs, (Step(op, tuple(map(Ref, range(len(names)))), settings),), (len(names),))
    rng = np.random.default_rng(0)

    def numbers(shape: tuple[int, ...]) -> Array:
        return Array.of(rng.normal(size=shape))

    out = () if op in ("sum", "std") else shape
    weights = tuple(numbers(shape) for _ in names)
    return Case(made, tuple(numbers(shape) for _ in names), (numbers(out),), "float64", 2, weights)


@pytest.mark.parametrize(
    ("op", "settings"),
    [
        ("tanh", {}),
        ("mul", {}),
        ("sum", {}),
        ("cumsum", {"dim": 0}),
        ("cumprod", {"dim": 0}),
        ("softmax", {"dim": 0}),
        ("std", {}),
        ("matmul", {}),
    ],
)
def test_ten_times_the_elements_make_ten_times_the_scalars(
    op: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scalars, nodes and the edges between them grow as the elements do, in truth and budget, at order 2.

    A matrix product's inner products are no scalars of their own, so its scalars grow as the elements of its result.
    """
    monkeypatch.setattr(lane, "ABLE", False)
    counted = 0

    def counting(owner: Any) -> None:
        original = owner.__init__

        def init(self: Any, *args: Any, **more: Any) -> None:
            nonlocal counted
            original(self, *args, **more)
            parents = getattr(self, "parents", ())
            counted += 1 + sum(len(x.balls) if type(x) is scalars.Column else 1 for x in parents)

        monkeypatch.setattr(owner, "__init__", init)

    for owner in (scalars.Rounded, scalars.Column, rounded.Block, tape.Node, tape.Weighted):
        counting(owner)
    totals = []
    for n in (25, 250, 2500):
        counted = 0
        assert isinstance(enclose(program(op, n, **settings)), Enclosed)
        totals.append(counted)
    print(f"{op}: {totals} scalars and edges for 25, 250 and 2,500 elements")
    assert totals[1] < 11 * totals[0]
    assert totals[2] < 11 * totals[1]


def test_a_program_too_large_for_balls_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past so many scalar operations the oracle says that it cannot tell, and with how many; it does not begin."""
    monkeypatch.setattr(rounded, "MOST_STEPS", 1000)
    assert isinstance(enclose(program("tanh", 900)), Enclosed)
    for op, n in (("tanh", 1100), ("sum", 1100), ("matmul", 400)):
        found = enclose(program(op, n))
        assert isinstance(found, Unknown)
        assert not found.unsupported
        assert "more than 1,000 scalar operations" in found.reason


def test_sums_that_arrive_together_may_be_taken_in_any_order() -> None:
    """What two sums add to is no surer than one sum of all their terms: a library may fold the two into one."""
    arena = Rounding(precision("float32"), BLOCKS)
    terms = [arb(k) / 7 for k in range(1, 9)]
    parts = [terms[:3], terms[3:]]
    sizes = [sum(p, arb(0)) for p in parts]
    totals = [sums.total(arena, *p) for p in parts]
    pairs = zip(totals, parts, sizes, strict=True)
    folded = sums.together([(total, len(p), size) for total, p, size in pairs], arena.u)
    assert float(folded.rad()) >= float(sums.total(arena, *terms).rad())
    assert float(folded.rad()) <= (len(terms) - 1) * arena.u * float(sum(sizes, arb(0))) * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 4), (4, 20, 4)])
def test_a_matrix_product_has_the_budget_of_its_inner_products(shape: tuple[int, int, int]) -> None:
    """Going back, the ball of every element holds that of its products and their sum; in a small one it is that."""
    n, k, m = shape
    rng = np.random.default_rng(2)
    arena = Rounding(precision("float32"), BLOCKS)
    a, b = ([arena.leaf(float(v)) for v in rng.normal(size=n)] for n in (n * k, k * m))
    arena.forward = False
    made = arena.matmul(a, b, shape)
    expected = [arena.dot(a[i * k : i * k + k], b[j::m]) for i in range(n) for j in range(m)]
    for y, x in zip(made, expected, strict=True):
        assert y.ball.overlaps(x.ball)
        assert float(y.ball.rad()) >= float(x.ball.rad()) * (1 - 1e-6)
        if n * k * m <= sums.SMALL:
            assert float(y.ball.rad()) == pytest.approx(float(x.ball.rad()), rel=1e-6)
