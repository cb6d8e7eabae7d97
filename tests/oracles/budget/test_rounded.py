"""Budgets are sound (straightforward code stays inside) and tight (one part in a billion does not)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flint import arb

from oracles.arrays import DTYPES
from oracles.budget.accuracy import CLASSES, precision
from oracles.budget.blocks import BLOCKS
from oracles.budget.rounded import Rounded, Rounding
from oracles.comparison import compare
from oracles.generation.programs import alone, cases
from oracles.program import Case, Scalar
from oracles.truth import Enclosed, enclose

from ..building import case, drawn, step  # noqa: TID252

Array = np.ndarray[Any, Any]


def summed_to(g: Array, shape: tuple[int, ...]) -> Array:
    """`g` summed over what was broadcast."""
    lead = tuple(range(g.ndim - len(shape)))
    g = g.sum(axis=lead, dtype=g.dtype) if lead else g
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return g.sum(axis=axes, keepdims=True, dtype=g.dtype) if axes else g


def softmax(x: Array, dim: int) -> Array:
    """Exponentials that sum to 1."""
    powers = np.exp(x - x.max(axis=dim, keepdims=True)) if x.ndim else np.ones_like(x)
    return powers / powers.sum(axis=dim, keepdims=True) if x.ndim else powers


def axes_of(x: Array, dim: Any) -> tuple[int, ...]:
    """The axes of a reduction."""
    return (
        tuple(range(x.ndim))
        if dim is None
        else tuple(d % max(x.ndim, 1) for d in np.atleast_1d(dim))[: x.ndim]
    )


def spread(g: Array, x: Array, dim: Any) -> Array:
    """A reduced cotangent over the operand's shape."""
    kept = tuple(1 if i in axes_of(x, dim) else n for i, n in enumerate(x.shape))
    return np.broadcast_to(g.reshape(kept), x.shape)


def logsumexp_back(g: Array, x: Array, dim: Any, keepdim: bool = False) -> Array:
    """The cotangent through logsumexp."""
    axes = axes_of(x, dim)
    top = x.max(axis=axes, keepdims=True)
    y = np.log(np.exp(x - top).sum(axis=axes, keepdims=True)) + top
    return spread(g, x, dim) * np.exp(x - y)


def std_back(g: Array, x: Array, dim: Any = None, correction: float = 1, keepdim: bool = False) -> Array:
    """The cotangent through std."""
    axes = axes_of(x, dim)
    n = x.dtype.type(np.prod([x.shape[a] for a in axes]))
    off = x - x.sum(axis=axes, keepdims=True) / n
    free = x.dtype.type(n - correction)
    y = np.sqrt((off * off).sum(axis=axes, keepdims=True) / free)
    return spread(g, x, dim) / (y * free) * off


def cumprod_back(g: Array, x: Array, dim: int) -> Array:
    """The cotangent through cumprod by its definition: each product of the others, summed."""
    if not x.ndim:
        return g
    x, g = np.moveaxis(x, dim, -1), np.moveaxis(g, dim, -1)
    out = np.zeros_like(x)
    for k in range(x.shape[-1]):
        for m in range(k, x.shape[-1]):
            others = np.delete(x[..., : m + 1], k, axis=-1)
            out[..., k] += g[..., m] * np.prod(others, axis=-1, dtype=x.dtype)
    return np.moveaxis(out, -1, dim)


def mean_back(g: Array, x: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """The cotangent through mean."""
    return spread(g, x, dim) / x.dtype.type(np.prod([x.shape[a] for a in axes_of(x, dim)]))


def matmul_back(g: Array, a: Array, b: Array) -> list[Array]:
    """The cotangents of both factors."""
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    g = g[..., None] if b.ndim == 1 else g
    g = g[..., None, :] if a.ndim == 1 else g
    by_a, by_b = g @ right.swapaxes(-1, -2), left.swapaxes(-1, -2) @ g
    return [summed_to(by_a, left.shape).reshape(a.shape), summed_to(by_b, right.shape).reshape(b.shape)]


def sigmoid(x: Array) -> Array:
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


STRAIGHT: dict[str, Callable[..., Any]] = {
    "exp": lambda g, x: g * np.exp(x),
    "log": lambda g, x: g / x,
    "tanh": lambda g, x: g * (1 - np.tanh(x) ** 2),
    "sigmoid": lambda g, x: g * (1 - sigmoid(x)) * sigmoid(x),
    "reciprocal": lambda g, x: -g * (1 / x) ** 2,
    "neg": lambda g, x: -g,
    "relu": lambda g, x: np.where(x > 0, g, 0),
    "add": lambda g, a, b, alpha=1: [g, g * g.dtype.type(alpha)],
    "sub": lambda g, a, b, alpha=1: [g, -g * g.dtype.type(alpha)],
    "mul": lambda g, a, b: [g * b, g * a],
    "div": lambda g, a, b, rounding_mode=None: (
        [g / b, -g * a / b / b] if rounding_mode is None else [0 * g, 0 * g]
    ),
    "matmul": matmul_back,
    "sum": lambda g, x, dim=None, keepdim=False: spread(g, x, dim),
    "mean": mean_back,
    "softmax": lambda g, x, dim: (
        softmax(x, dim) * (g - (g * softmax(x, dim)).sum(axis=dim if x.ndim else None, keepdims=bool(x.ndim)))
    ),
    "logsumexp": logsumexp_back,
    "std": std_back,
    "cumprod": cumprod_back,
    "transpose": lambda g, x, dim0, dim1: g.swapaxes(dim0, dim1),
    "reshape": lambda g, x, shape: g.reshape(x.shape),
}
FLOOR = 25
FACES = ("plain", "negative", "large", "tiny", "size-1 axis", "mixed ranks", "settings", "bulk")


def gradients_of(one: Case) -> list[Array] | None:
    """What straightforward NumPy code answers in the case's dtype; None for a program that it does not cover."""
    (only,) = one.program.steps
    if len(set(only.refs())) < len(only.operands) or len(one.inputs) != len(only.operands):
        return None
    arrays = [one.inputs[ref].numpy() for ref in only.refs()]  # the first operand may be the second input
    cotangent = one.cotangents[0].numpy()
    with np.errstate(all="ignore"):
        found = STRAIGHT[only.op](cotangent, *arrays, **only.settings)
    listed = found if isinstance(found, list) else [found]
    fitted = {
        ref: summed_to(np.asarray(g), x.shape) for ref, g, x in zip(only.refs(), listed, arrays, strict=True)
    }
    return [fitted[ref] for ref in sorted(fitted)]


def test_the_floor_is_five_hundred() -> None:
    """All ops here together judge at least 500 cases."""
    assert FLOOR * len(STRAIGHT) >= 500


@pytest.mark.parametrize("op", STRAIGHT)
def test_straightforward_numpy_is_inside(op: str) -> None:
    """NumPy code written from the textbook, at float32 and float64, is within the budget of every element."""
    judged = 0
    for number, face in enumerate(FACES):
        for sample in drawn(alone(op, face), 4, number):
            for one in cases(sample, ("float32", "float64")):
                truth = enclose(one) if one.order == 1 else None
                found = gradients_of(one) if one.order == 1 else None
                if found is None or not isinstance(truth, Enclosed):
                    continue
                for spec, got in zip(one.program.inputs, found, strict=True):
                    assert got.dtype == DTYPES[one.dtype]
                    compared = compare(truth.arrays[f"gradient of {spec.name}"], got, one.dtype)
                    assert not compared.fault, (op, face, one, compared)
                judged += 1
    print(f"{op}: {judged} cases within budget")
    assert judged >= FLOOR


SCALES = [1e-12, 1e-6, 1.0, 1e6, 1e12]
X, B = [0.5, -1.25, 2.0], [[1.5, -0.5], [2.0, 0.25], [-1.0, 3.0]]
SENSITIVE: dict[str, tuple[dict[str, Any], Any, list[float]]] = {
    "exp": ({"x": X}, step("exp", 0), [1.0, 2.0, -3.0]),
    "tanh": ({"x": X}, step("tanh", 0), [1.0, 2.0, -3.0]),
    "mul": ({"x": X, "y": [3.0, 0.1, -7.0]}, step("mul", 0, 1), [1.0, 2.0, -3.0]),
    "matmul": ({"x": [X, X[::-1]], "y": B}, step("matmul", 0, 1), [[1.0, 2.0], [-3.0, 0.5]]),
    "softmax": ({"x": X}, step("softmax", 0, dim=0), [1.0, 2.0, -3.0]),
    "logsumexp": ({"x": X}, step("logsumexp", 0, dim=0), 2.0),
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("op", SENSITIVE)
def test_one_part_in_a_billion_is_outside(op: str, scale: float) -> None:
    """At float64 every gradient element times 1 + 1e-9 is outside its budget, however small or large gradients are."""
    arrays, only, cotangent = SENSITIVE[op]
    one = case(arrays, [only], [np.array(cotangent) * scale])
    truth = enclose(one)
    assert isinstance(truth, Enclosed)
    for enclosure in (a for name, a in truth.arrays.items() if name.startswith("gradient")):
        right = np.array([float(t.mid()) for t in enclosure.truth])
        assert not compare(enclosure, right, "float64").fault
        for k in range(right.size):
            wrong = right.copy()
            wrong[k] *= 1 + 1e-9
            compared = compare(enclosure, wrong, "float64")
            assert compared.fault == "wrong value"
            assert compared.worst == k


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_budgets_follow_the_dtype(dtype: str) -> None:
    """A product's gradient has a budget near one unit roundoff of the dtype: neither none nor dozens."""
    truth = enclose(case({"x": 1.5, "y": 0.7}, [step("mul", 0, 1)], [0.3], dtype=dtype))
    assert isinstance(truth, Enclosed)
    enclosure = truth.arrays["gradient of x"]
    size = abs(float(enclosure.truth[0].mid())) * precision(dtype).u
    assert size / 2 <= enclosure.budget[0] <= 4 * size


def test_precisions() -> None:
    """The constants of each dtype are those of its standard."""
    single = precision("float32")
    assert (single.u, single.bits, single.tiny) == (2.0**-24, 24, 2.0**-126)
    brain = precision("bfloat16")
    assert (brain.u, brain.bits) == (2.0**-8, 8)
    assert precision("float16").big == 65504.0
    assert precision("float64").u == 2.0**-53


def scalars(*values: float, dtype: str = "float32") -> tuple[Rounding, list[Rounded]]:
    """An arena and leaves in it."""
    arena = Rounding(precision(dtype), BLOCKS)
    return arena, [arena.leaf(v) for v in values]


def test_operations_contain_what_the_dtype_computes() -> None:
    """Every operator's ball contains the exact result and the float32 one, and reaches little further."""
    arena, (x, y) = scalars(1.7, 0.3)
    a, b = np.float32(1.7), np.float32(0.3)
    x, y = arena.leaf(float(a)), arena.leaf(float(b))
    found = {
        x + y: a + b, x - y: a - b, x * y: a * b, x / y: a / b, 2 - y: 2 - b, 2 / y: 2 / b, -x: -a,
        x**3: a**3, 2**y: np.float32(2) ** b, x.exp(): np.exp(a), x.log(): np.log(a), x.sqrt(): np.sqrt(a),
        x.sinh(): np.sinh(a), x.cosh(): np.cosh(a), x.tanh(): np.tanh(a), 3 * x + 1: 3 * a + 1,
    }  # fmt: skip
    for ball, number in found.items():
        assert ball.ball.contains(float(number))
        assert ball.ball.rad() <= abs(ball.ball.mid()) * 20 * arena.u + 1e-30


def test_exact_results_cost_nothing_going_forward_only() -> None:
    """A representable result has no error going forward, and one rounding going back."""
    arena, (x, y) = scalars(1.5, 2.0)
    assert (x * y).ball.is_exact()
    arena.forward = False
    assert not (x * y).ball.is_exact()


def test_overflow_and_poles_tell_nothing() -> None:
    """A value that may exceed the range, a quotient that reaches 0, and what comes from them have no ball."""
    arena, (x, y) = scalars(1e38, 0.0)
    assert not (x * 10).ball.is_finite()
    assert not (arena.leaf(1.0) / y).ball.is_finite()
    assert not (1 / (x * 10)).ball.is_finite()
    assert (x + 1).ball.is_finite()


def test_underflow_has_an_absolute_term() -> None:
    """A product that falls below the smallest normal number may be off by as much as that."""
    _, (x, y) = scalars(1e-30, 1e-20)
    assert float((x * y).ball.rad()) >= precision("float32").tiny
    assert (x * y).ball.contains(0)


def test_decisions_that_rounding_may_take_are_counted() -> None:
    """A step and a tie within reach of rounding are counted once each; ones out of reach are not."""
    arena, (x, y) = scalars(1.0, 2.0)
    arena.largest([x, y], share=True)
    assert arena.touched == 0
    near = Rounded(arena, arb(2, 1e-3), True)
    arena.largest([y, near], share=True)
    assert arena.touched == 1
    assert x.heaviside().ball == 1
    assert (-x).heaviside().ball == 0


def test_a_second_sweep_differentiates_the_first() -> None:
    """The reverse sweep of a recorded sweep of x**3 gives 6*x, as reverse over reverse does."""
    arena, (x,) = scalars(1.5)
    (first,) = arena.sweep([x * x * x], [arena.leaf(1.0)], [x])
    assert first is not None
    assert first.ball.contains(6.75)
    arena.recording = False
    (second,) = arena.sweep([first], [arena.constant(1.0)], [x])
    assert second is not None
    assert second.ball.contains(9)
    assert second.ball.rad() < 1e-4


def test_every_accuracy_class_is_known() -> None:
    """The classes are whole numbers of unit roundoffs, arithmetic at 1."""
    assert all(isinstance(c, int) and 0 <= c <= 10 for c in CLASSES.values())
    assert {CLASSES[op] for op in ("add", "sub", "mul", "div")} == {1}


def test_a_letter_of_one_operand_may_be_summed_first():
    """ij,k->jk as a product of sums, whose rounding no exact product of an element has (seen in torch and NumPy)."""
    a, b = np.array([[12.3, 10.3], [11.8, 127000.0]]), np.array([74.0])
    given = case({"a": a, "b": b}, [step("einsum", 0, 1, equation="ij,k->jk")], [np.ones((2, 1))])
    truth = enclose(given)
    assert isinstance(truth, Enclosed)
    output = truth.arrays["output 0"]
    assert not compare(output, a.sum(0)[:, None] * b, "float64").fault
    assert compare(output, a.sum(0)[:, None] * b * (1 + 2e-15), "float64").fault


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_number_of_no_dtype_is_rounded_to_one(dtype: str) -> None:
    """0.1 is rounded before it is multiplied with; 0.5 is not, and the product of it is exact."""
    for number, roundings in ((0.1, 2), (0.5, 0)):
        given = case({"x": [1.0]}, [step("mul", 0, number)], [[1.0]], dtype=dtype)
        truth = enclose(given)
        assert isinstance(truth, Enclosed)
        (budget,) = truth.arrays["output 0"].budget
        assert budget <= 1.01 * roundings * precision(dtype).u * number
        got = np.asarray(number, DTYPES[dtype])
        assert not compare(truth.arrays["output 0"], got.reshape(1), dtype).fault


@pytest.mark.parametrize("exponent", [2, 3])
def test_a_power_of_what_may_be_zero_has_a_budget(exponent: int) -> None:
    """x - y is within rounding of 0 on either side, and its square is smooth there."""
    given = case(
        {"x": [0.1], "y": [0.3]},
        [step("mul", 0, 3.0), step("sub", 2, 1), step("pow", 3, Scalar.of(exponent))],
        [[1.0]],
    )
    truth = enclose(given)
    assert isinstance(truth, Enclosed)
    assert truth.arrays["output 0"].budget[0] < 1e-31
    assert truth.arrays["gradient of x"].budget[0] < 1e-14
