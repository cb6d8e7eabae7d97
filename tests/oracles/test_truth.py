"""The exact oracle against SymPy and mpmath, on whole programs: enclosures must contain what these say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb

import refgrad
from oracles.budget import blocks
from oracles.budget.rounded import Rounded, Rounding
from oracles.exact import lowering, tape
from oracles.exact.scalars import Truth
from oracles.generation.faces import faces_of_op
from oracles.generation.programs import Sample, alone, cases, composed
from oracles.program import Case, Step
from oracles.truth import Enclosed, Unknown, enclose, working_bits

from .building import case, drawn, step
from .whole import Large, derivatives, numbers_at, wrong_elements

POINTS = 3
ALONE_FLOOR = 100
COMPOSED_FLOOR = 300
COMPOSED_SEEDS = range(4)
OPS = tuple(refgrad.catalogue())
FACES = {
    op: [f for f in faces_of_op(op, public) if f != "bulk"] for op, public in refgrad.catalogue().items()
}


def checked(samples: Iterable[Sample]) -> tuple[int, list[str]]:
    """How many gradient elements were compared, and those whose enclosure misses SymPy's and mpmath's number."""
    count, wrong = 0, []
    for sample in samples:
        second = [c for c in cases(sample, ("float64",), POINTS) if c.order == 2]
        try:
            derived = derivatives(second[0])
        except Large:
            continue
        for one in second:
            found = enclose(one)
            if isinstance(found, Enclosed) and not found.at_kink:
                wrong += wrong_elements(found, numbers_at(derived, one))
                count += sum(len(a.truth) for name, a in found.arrays.items() if "gradient" in name)
    return count, wrong


def test_the_floors_add_up() -> None:
    """All tests here together compare at least 2,000 gradient elements."""
    assert ALONE_FLOOR * len(OPS) + COMPOSED_FLOOR * len(COMPOSED_SEEDS) >= 2000


@pytest.mark.parametrize("op", OPS)
def test_one_op_against_sympy(op: str) -> None:
    """On every face of an op the enclosure of each gradient, to second order, contains SymPy's derivative."""
    samples = [s for number, face in enumerate(FACES[op]) for s in drawn(alone(op, face), 2, number)]
    count, wrong = checked(samples)
    print(f"{op}: {count} gradient elements compared with sympy.diff by mpmath")
    assert not wrong
    assert count >= ALONE_FLOOR


@pytest.mark.parametrize("start", COMPOSED_SEEDS)
def test_composed_programs_against_sympy(start: int) -> None:
    """The same holds for programs of several ops, which SymPy differentiates as a whole."""
    cheap = tuple(op for op in OPS if op not in ("std", "linalg.solve", "softmax"))
    count, wrong = checked(drawn(composed(cheap), 30, start))
    print(f"composed, seed {start}: {count} gradient elements compared with sympy.diff by mpmath")
    assert not wrong
    assert count >= COMPOSED_FLOOR


@pytest.mark.parametrize("op", ["exp", "tanh", "softmax", "pow", "linalg.solve", "matmul", "mul"])
def test_a_wrong_partial_is_seen(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A derivative that is off by one part in 1e20 makes an enclosure that the comparison refuses."""
    original, mul, factors = lowering.Derived.__init__, Truth.mul, tape.Product._factors

    def spoilt(self: Any, *args: Any) -> None:
        original(self, *args)
        self.partials = tuple(map(_Scaled, self.partials))

    def wrong_mul(self: Any, a: Any, b: Any) -> Any:
        node = mul(self, a, b)
        block = self.blocks[-1]
        block.partials = tuple(p * _off() for p in block.partials)
        return node

    def wrong_factors(self: Any, second: bool) -> Any:
        (a, da), b = factors(self, second)
        return (a * _off() if self.results else a, da), b

    monkeypatch.setattr(lowering.Derived, "__init__", spoilt)
    monkeypatch.setattr(Truth, "mul", wrong_mul)
    monkeypatch.setattr(tape.Product, "_factors", wrong_factors)
    lowering.derive.cache_clear()
    try:
        _, wrong = checked(drawn(alone(op, "plain"), 4, 1))
    finally:
        lowering.derive.cache_clear()
    assert wrong


def _off() -> arb:
    """One and one part in 1e20, at the precision at work."""
    return 1 + arb(10) ** -20


class _Scaled:
    """A slope that is a little off, asked row by row."""

    def __init__(self, partial: lowering.Lowered) -> None:
        self.partial = partial

    def over(self, columns: Any) -> list[Any]:
        return [p * _off() for p in self.partial.over(columns)]


BY_HAND: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
    "add": (lambda a, b: a + b, (1.5, -0.3)),
    "sub": (lambda a, b: a - b, (1.5, -0.3)),
    "mul": (lambda a, b: a * b, (1.5, -0.3)),
    "div": (lambda a, b: a / b, (1.5, -0.3)),
    "pow": (lambda a, b: mpmath.power(a, b), (1.7, 2.3)),
    "neg": (lambda x: -x, (0.7,)),
    "exp": (mpmath.exp, (-1.3,)),
    "log": (mpmath.log, (0.3,)),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), (2.3,)),
    "tanh": (mpmath.tanh, (1.1,)),
    "reciprocal": (lambda x: 1 / x, (-0.7,)),
    "relu": (lambda x: max(x, mpmath.mpf(0)), (0.9,)),
    "floor": (mpmath.floor, (-0.7,)),
    "ceil": (mpmath.ceil, (-0.7,)),
    "trunc": (lambda x: mpmath.sign(x) * mpmath.floor(abs(x)), (-0.7,)),
    "round": (mpmath.nint, (-0.7,)),
}


@pytest.mark.parametrize("op", BY_HAND)
def test_elementwise_ops_against_mpmath(op: str) -> None:
    """Numerical differentiation of the op as written by hand here gives numbers close to the enclosures'.

    This shares neither SymPy nor a meaning with the oracle.
    """
    function, point = BY_HAND[op]
    names = "ab"[: len(point)]
    count = 0
    for shift in np.linspace(0, 2, 9):
        xs = [p * (1 + float(shift)) for p in point]
        one = case(
            dict(zip(names, xs, strict=True)),
            [step(op, *range(len(xs)))],
            [1.0],
            order=2,
            seconds=[1.0] + [0.0] * (len(xs) - 1),
        )
        found = enclose(one)
        assert isinstance(found, Enclosed)
        with mpmath.workprec(400):
            given = [mpmath.mpf(float(a.numpy())) for a in one.inputs]
            for k, name in enumerate(names):
                first = tuple(int(j == k) for j in range(len(xs)))
                second = tuple(int(j == k) + int(j == 0) for j in range(len(xs)))
                for label, orders in (
                    (f"gradient of {name}", first),
                    (f"second-order gradient of {name}", second),
                ):
                    expected = (
                        mpmath.diff(function, tuple(given), orders)
                        if len(xs) > 1
                        else mpmath.diff(function, given[0], orders[0])
                    )
                    number = mpmath.mpf(found.arrays[label].truth[0].mid().str(60, radius=False))
                    assert abs(number - expected) <= mpmath.mpf(10) ** -40 * (1 + abs(expected)), label
                    count += 1
    assert count == 18 * len(names)


def test_cancellation_does_not_stop_at_a_wide_ball() -> None:
    """A gradient that cancels down to a tiny part of its terms is still enclosed to 30 digits or to its budget."""
    x = 1e8 + 1.0
    one = case({"x": x}, [step("mul", 0, 0), step("mul", 1, 0), step("sub", 2, 1)], [1.0])
    found = enclose(one)
    assert isinstance(found, Enclosed)
    (ball,) = found.arrays["gradient of x"].truth
    exact = 3 * int(x) ** 2 - 2 * int(x)
    assert ball.contains(exact)
    assert ball.rad() < arb(exact) * arb(10) ** -30


def test_outside_the_domain_there_is_no_truth() -> None:
    """Where the derivative does not exist the oracle says that it cannot tell, and why."""
    for op, x in (("log", -1.0), ("reciprocal", 0.0)):
        found = enclose(case({"x": x}, [step(op, 0)], [1.0]))
        assert isinstance(found, Unknown)
        assert found.reason
        assert not found.unsupported


def test_an_unknown_op_is_unsupported() -> None:
    """A program with an op that has no meaning is not judged, and the reason names the op."""
    found = enclose(case({"x": 1.0}, [Step("frobnicate", step("exp", 0).operands)], [1.0]))
    assert isinstance(found, Unknown)
    assert found.unsupported
    assert "frobnicate" in found.reason


def test_possible_overflow_has_no_budget() -> None:
    """What may overflow the dtype is not judged there, and is in a wider dtype."""
    given: dict[str, Any] = {"x": 100.0}
    narrow = enclose(case(given, [step("exp", 0)], [1.0], dtype="float32"))
    assert isinstance(narrow, Unknown)
    assert "overflow" in narrow.reason
    assert isinstance(enclose(case(given, [step("exp", 0)], [1.0])), Enclosed)


ALONG: dict[str, Any] = {"dim": 0}
BLOCKS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("softmax", "logsumexp", "cumprod", "log_softmax"), ALONG),
    **{
        op: {}
        for op in ("std", "var", "prod", "linalg.vector_norm", "linalg.inv", "linalg.det", "linalg.solve")
    },
}
SCALAR_BLOCKS: dict[str, dict[str, Any]] = {
    "einsum": {"equation": "i,i->"},
    "nn.functional.gelu": {},
    "nn.functional.silu": {},
}
"""Blocks that are not attached jointly."""


def block_case(op: str, dtype: str = "float64", order: int = 1) -> Case:
    """A few numbers through one op that is modelled as a block."""
    if op == "linalg.solve":
        A, b = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, -1.0])
        seconds = [A + 1, b + 1] if order == 2 else []
        return case(
            {"x": A, "b": b}, [step(op, 0, 1)], [[2.0, -1.0]], dtype=dtype, order=order, seconds=seconds
        )
    x = np.array([0.5, -1.25, 2.0])
    ones: Any = (
        [2.0, -1.0, 0.5] if op.startswith("nn") or op in ("softmax", "cumprod", "log_softmax") else 2.0
    )
    if op in ("linalg.inv", "linalg.det"):
        x, ones = (
            np.array([[0.5, -1.25], [2.0, 3.0]]),
            [[2.0, -1.0], [0.5, 3.0]] if op == "linalg.inv" else 2.0,
        )
    return case(
        {"x": x},
        [step(op, *(0, 0)[: 2 if op == "einsum" else 1], **(BLOCKS | SCALAR_BLOCKS)[op])],
        [ones],
        dtype=dtype,
        order=order,
        seconds=[x + 1][: order - 1],
    )


@pytest.mark.parametrize("op", BLOCKS)
def test_a_wrong_block_is_noticed(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block whose pull is off by one part in a million misses the truth, and the oracle distrusts itself."""
    assert {*BLOCKS, *SCALAR_BLOCKS} == set(blocks.BLOCKS)
    assert isinstance(enclose(block_case(op)), Enclosed)
    attach = Rounding.attach

    def wrong(self: Any, values: Any, parents: Any, pull: Any) -> list[Rounded]:
        def off(*args: Any) -> Any:
            return [None if g is None else g * (1 + 1e-6) for g in pull(*args)]

        return attach(self, values, parents, off)

    monkeypatch.setattr(Rounding, "attach", wrong)
    found = enclose(block_case(op))
    assert isinstance(found, Unknown)
    assert "a defect of this oracle" in found.reason


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("op", [*BLOCKS, *SCALAR_BLOCKS])
def test_blocks_contain_the_truth(op: str, dtype: str) -> None:
    """Each block's inflated balls contain the truth at both orders, with finite and positive budgets."""
    for order in (1, 2):
        found = enclose(block_case(op, dtype, order))
        assert isinstance(found, Enclosed)
        assert all(0 <= b < np.inf for a in found.arrays.values() for b in a.budget)
        assert any(b > 0 for b in found.arrays["gradient of x"].budget)


def test_working_bits_are_put_back() -> None:
    """The precision of ball arithmetic is restored, also after an error."""

    def digits() -> int:
        return len(str((arb(1) / 3).mid().man_exp()[0]))

    def fail() -> None:
        with working_bits(333):
            assert digits() > 90
            raise ValueError("on purpose")

    with working_bits(60):
        with pytest.raises(ValueError, match="on purpose"):
            fail()
        assert digits() < 30
