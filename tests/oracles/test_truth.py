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
from oracles.comparison import compare
from oracles.exact import lowering, tape
from oracles.exact.scalars import Truth
from oracles.generation.faces import faces_of_op
from oracles.generation.programs import Sample, alone, cases, composed
from oracles.program import Case, Ref, Slice, Step
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
            if isinstance(found, Enclosed) and found.everywhere and not found.at_kink:
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
    """A slope that is a little off, asked row by row; one that decides, so that no array is asked for it."""

    def __init__(self, partial: lowering.Lowered) -> None:
        self.partial = partial
        self.columnwise = False
        self.used = {*partial.used, "choose"}

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
    """Where the function has no value the oracle says that it cannot tell, and why: 1/x is no slope of log at -1."""
    for op, x in (("log", -1.0), ("sqrt", -4.0), ("atanh", 2.0)):
        found = enclose(case({"x": x}, [step(op, 0)], [1.0]))
        assert isinstance(found, Unknown)
        assert "does not exist" in found.reason
        assert not found.unsupported


def test_an_element_outside_the_domain_hides_no_other() -> None:
    """The other elements of the case are judged, and of this one nothing is said."""
    found = enclose(case({"x": [-1.0, 2.0]}, [step("log", 0)], [[1.0, 1.0]]))
    assert isinstance(found, Enclosed)
    assert not found.everywhere
    gradient = found.arrays["gradient of x"]
    assert gradient.budget[0] == np.inf
    assert gradient.budget[1] < 1e-15
    assert compare(gradient, np.array([np.nan, 0.5]), "float64").fault == ""
    assert compare(gradient, np.array([np.nan, 0.6]), "float64").fault == "wrong value"


EDGES = [
    ("sqrt", 0.0, np.inf), ("log", 0.0, np.inf), ("log1p", -1.0, np.inf), ("asin", -1.0, np.inf),
    ("acos", 1.0, -np.inf), ("acosh", 1.0, np.inf), ("atanh", 1.0, np.inf), ("rsqrt", 0.0, -np.inf),
    ("reciprocal", 0.0, -np.inf),
]  # fmt: skip


@pytest.mark.parametrize(("op", "x", "slope"), EDGES)
def test_an_infinite_slope_is_told(op: str, x: float, slope: float) -> None:
    """At the edge of a domain a slope that goes to infinity is that infinity, and a finite answer is a fault."""
    found = enclose(case({"x": [x]}, [step(op, 0)], [[2.0]]))
    assert isinstance(found, Enclosed)
    gradient = found.arrays["gradient of x"]
    assert float(gradient.truth[0]) == slope
    for got, fault in ((slope, ""), (np.nan, ""), (1e300, "finite where infinite"), (-slope, "infinite")):
        assert compare(gradient, np.array([got]), "float64").fault == fault


def test_an_edge_that_rounding_may_miss_is_not_told() -> None:
    """Past the first step an operand is no longer exact, and a -0.0 has a slope of its own sign."""
    steps = [step("mul", 0, 0.5), step("sub", 1, 2.5), step("sqrt", 2)]
    assert isinstance(enclose(case({"x": [5.0]}, steps, [[1.0]])), Unknown)
    assert isinstance(enclose(case({"x": [-0.0]}, [step("reciprocal", 0)], [[1.0]])), Unknown)


def test_an_unknown_op_is_unsupported() -> None:
    """A program with an op that has no meaning is not judged, and the reason names the op."""
    found = enclose(case({"x": 1.0}, [Step("frobnicate", step("exp", 0).operands)], [1.0]))
    assert isinstance(found, Unknown)
    assert found.unsupported
    assert "frobnicate" in found.reason


def test_certain_overflow_is_infinite() -> None:
    """What is beyond the dtype's range, whichever way it is computed, is infinite there and a number in a wider one."""
    given: dict[str, Any] = {"x": [100.0, -100.0]}
    narrow = enclose(case(given, [step("exp", 0)], [[-1.0, 1.0]], dtype="float32"))
    assert isinstance(narrow, Enclosed)
    assert float(narrow.arrays["output 0"].truth[0]) == np.inf
    gradient = narrow.arrays["gradient of x"]
    assert float(gradient.truth[0]) == -np.inf
    assert compare(gradient, np.float32([-np.inf, 0]), "float32").fault == ""
    assert compare(gradient, np.float32([-3e38, 0]), "float32").fault == "finite where infinite"
    wide = enclose(case(given, [step("exp", 0)], [[-1.0, 1.0]]))
    assert isinstance(wide, Enclosed)
    assert all(t.is_finite() for a in wide.arrays.values() for t in a.truth)


def test_possible_overflow_has_no_budget() -> None:
    """What may overflow, or may not, and what comes from it, is not judged: 300*300 is no float16, 300*300/300 is."""
    beyond = [step("mul", 0, 0), step("div", 1, 300.0)]
    found = enclose(case({"x": [300.0]}, beyond, [[1.0]], dtype="float16"))
    assert isinstance(found, Enclosed)
    assert found.arrays["output 0"].budget == [np.inf]
    assert found.arrays["gradient of x"].budget[0] < 1
    borderline = enclose(case({"x": [11.09]}, [step("exp", 0)], [[1.0]], dtype="float16"))
    assert isinstance(borderline, Unknown)
    assert "overflow" in borderline.reason


ALONG: dict[str, Any] = {"dim": 0}
BLOCKS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("softmax", "logsumexp", "cumprod", "log_softmax"), ALONG),
    **{
        op: {}
        for op in (
            "mean",
            "std",
            "var",
            "prod",
            "linalg.vector_norm",
            "linalg.inv",
            "linalg.det",
            "linalg.solve",
        )
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
    others = {"einsum", "nn.functional.mse_loss", "nn.functional.binary_cross_entropy_with_logits"}
    assert {*BLOCKS, *SCALAR_BLOCKS, *others} == set(
        blocks.BLOCKS
    )  # the others pull back as their definitions do
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


def test_three_operands_are_contracted_in_any_order() -> None:
    """b*c leaves float16's range although a*b*c and (a*b)*c do not: what may come from it is not told."""
    given: dict[str, Any] = {"a": [0.001], "b": [1000.0], "c": [1000.0]}
    three = Step("einsum", step("einsum", 0, 1, 2).operands, {"equation": "i,i,i->i"})
    found = enclose(case(given, [three], [[1.0]], dtype="float16"))
    assert isinstance(found, Enclosed)
    assert found.arrays["output 0"].budget == found.arrays["gradient of b"].budget == [np.inf]
    assert float(found.arrays["gradient of a"].truth[0]) == np.inf  # b*c itself
    two = Step("einsum", step("einsum", 0, 1).operands, {"equation": "i,i->i"})
    del given["c"]
    found = enclose(case(given, [two], [[1.0]], dtype="float16"))
    assert isinstance(found, Enclosed)
    assert found.everywhere


def test_a_product_over_what_may_be_zero_is_not_told() -> None:
    """Libraries divide by a number that rounding may make 0, or take another way where it did; an exact 0 is told."""
    steps = [step("mean", 0, dim=0), step("prod", 1)]
    near = {"x": [[0.5, 2.0], [0.25, -0.30078125], [-0.30078125, -1.703125]]}
    found = enclose(case(near, steps, [0.1], dtype="bfloat16"))
    assert not isinstance(found, Enclosed) or np.inf in found.arrays["gradient of x"].budget
    exact = enclose(case({"x": [0.0, 2.0]}, [step("prod", 0)], [1.0]))
    assert isinstance(exact, Enclosed)
    assert np.inf not in exact.arrays["gradient of x"].budget


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


def test_what_a_mask_hides_outside_a_domain_is_not_told() -> None:
    """acos of 2 has no value; where it is filled over, its slope is 0 times nan to a library, which is no fault."""
    given: dict[str, Any] = {"a": [2.0], "m": np.array([True]), "v": np.array(0.5)}
    steps = [step("acos", 0), step("masked_fill", 3, 1, 2)]
    found = enclose(case(given, steps, [[1.0]]))
    assert isinstance(found, Unknown)
    assert "outside the domain" in found.reason
    within = enclose(case(given | {"a": [0.5]}, steps, [[1.0]]))
    assert isinstance(within, Enclosed)


MASKED = {"a": np.array([1.0, 0.5]), "m": np.array([True, False]), "v": np.array(0.5)}
HIDING: dict[str, Step] = {
    "masked_fill": step("masked_fill", 3, 1, 2),
    "getitem": Step("getitem", (Ref(3),), {}, (Slice(1, None, None),)),
}


@pytest.mark.parametrize("op", HIDING)
def test_a_slope_without_a_value_behind_a_mask_may_come_as_nan(op: str) -> None:
    """acos goes straight up at 1; where nothing depends on that, a library multiplies it by 0, which is NaN."""
    made = case(MASKED, [step("acos", 0), HIDING[op]], [[1.0, 1.0] if op == "masked_fill" else [1.0]])
    truth = enclose(made)
    assert isinstance(truth, Enclosed)
    right = float(truth.arrays["gradient of a"].truth[1])
    for first, second, fault in (
        (0.0, right, ""),
        (np.nan, right, ""),
        (np.inf, right, "infinite"),
        (1.0, right, "wrong value"),
        (np.nan, 2 * right, "wrong value"),
    ):
        gradient = np.array([first, second])
        compared = compare(truth.arrays["gradient of a"], gradient, "float64")
        assert compared.fault == fault


def test_a_bend_without_a_value_behind_a_mask_counts_at_second_order() -> None:
    """The slope of a**1.5 at 0 is 0, and its own goes straight up: NaN is a fault to first order, not to second."""
    given = MASKED | {"a": np.array([0.0, 1.0])}
    steps = [step("pow", 0, 1.5), HIDING["masked_fill"]]
    for order, fault in ((1, "nan"), (2, "")):
        made = case(given, steps, [[1.0, 0.0]], order=order, seconds=[[1.0, 1.0], 1.0][: 2 * (order - 1)])
        truth = enclose(made)
        assert isinstance(truth, Enclosed)
        assert compare(truth.arrays["gradient of a"], np.array([np.nan, 0.0]), "float64").fault == fault


@pytest.mark.parametrize(("op", "at"), [("exp", 12.0), ("reciprocal", 0.003)])
def test_what_overflows_behind_a_mask_may_come_as_nan(op: str, at: float) -> None:
    """exp of 12 and the slope of 1/x at 0.003 are more than float16 has, and less than float32 has."""
    given = MASKED | {"a": np.array([at, 0.5])}
    steps = [step(op, 0), HIDING["masked_fill"]]
    for dtype, fault in (("float16", ""), ("float32", "nan")):
        truth = enclose(case(given, steps, [[1.0, 1.0]], dtype=dtype))
        assert isinstance(truth, Enclosed)
        right = float(truth.arrays["gradient of a"].truth[1])
        for values, said in (
            ([np.nan, right], fault),
            ([np.inf, right], "infinite"),
            ([0.0, 2 * right], "wrong value"),
        ):
            assert compare(truth.arrays["gradient of a"], np.array(values), dtype).fault == said
