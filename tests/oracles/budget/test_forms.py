"""Every form that a budget assumes is the derivative, proved in balls and, where SymPy can, by simplification."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import sympy
from flint import arb

import refgrad
from oracles.budget import forms
from oracles.budget.forms import FORMS, form, variants
from oracles.exact.lowering import Derived, lower
from oracles.truth import working_bits

FIXED: dict[str, tuple[tuple[tuple[str, float], ...], ...]] = {
    "pow": ((), (("exponent", 2.5),), (("exponent", 3),), (("a", 1.5),)),
}
"""Besides tensors, the numbers that an op's meaning may hold."""
CLAIMS = [
    (op, number, fixed)
    for op, listed in FORMS.items()
    for number in range(len(listed))
    for fixed in FIXED.get(op, ((),))
]


class Elementary(NamedTuple):
    """A function that meanings use and that is no op of the catalogue (yet)."""

    meaning: str
    domain: dict[str, tuple[float, float]]


def facts_of(op: str) -> tuple[tuple[str, ...], Any]:
    """The inputs and facts of an op, or of an elementary function of one positive number."""
    public = refgrad.catalogue().get(op)
    if public is None:
        return ("x",), Elementary(f"{op}(x)", {"x": (0, float("inf"))})
    return public.inputs, public.facts


def derived(op: str, fixed: tuple[tuple[str, float], ...] = ()) -> Derived:
    """The op's meaning over the inputs that are not fixed."""
    inputs, facts = facts_of(op)
    held = dict(fixed)
    return Derived(facts.meaning, tuple(n for n in inputs if n not in held), fixed)


def points(op: str, names: tuple[str, ...], count: int = 25) -> list[list[float]]:
    """Random points in the op's domain."""
    rng = np.random.default_rng(11)
    domain = facts_of(op)[1].domain
    ends = [domain.get(n, (-3.0, 3.0)) for n in names]
    inside = [(max(low, -3.0) + 0.05, min(high, 3.0) - 0.05) for low, high in ends]
    return [[float(rng.uniform(*bounds)) for bounds in inside] for _ in range(count)]


def disagreements(op: str, variant: int, fixed: tuple[tuple[str, float], ...] = ()) -> list[str]:
    """The inputs whose form, in balls, is provably not SymPy's derivative at some point."""
    f = derived(op, fixed)
    claimed = form(op, f, variant)
    wrong = []
    with working_bits(200):
        for point in points(op, f.names):
            xs = [ball(x) for x in point]
            y = ball(f.value(*xs))
            for name, slope, partial in zip(f.names, claimed, f.partials, strict=True):
                mine, true = ball(slope(y, *xs)), ball(partial(*xs))
                if not mine.overlaps(true) or abs(mine - true) > abs(true) * 2**-150 + 2**-400:
                    wrong.append(f"{name} at {point}")
    return wrong


def ball(x: Any) -> arb:
    """The number as a ball."""
    return arb(x)


@pytest.mark.parametrize(("op", "variant", "fixed"), CLAIMS)
def test_a_form_is_the_derivative(op: str, variant: int, fixed: tuple[tuple[str, float], ...]) -> None:
    """Each listed form agrees with SymPy's derivative to 150 bits at random points of the domain."""
    assert disagreements(op, variant, fixed) == []


@pytest.mark.parametrize("op", sorted(set(FORMS) - {"abs"}))  # SymPy leaves x/Abs(x) - sign(x) as it is
def test_a_form_simplifies_to_the_derivative(op: str) -> None:
    """SymPy reduces the difference between each form and the derivative to 0."""
    f = derived(op)
    proved = 0
    for listed in FORMS[op]:
        for name, text in listed.items():
            y = sympy.Symbol("y", real=True)
            value = f.read(facts_of(op)[1].meaning)
            claimed = f.read(text, "y").subs(y, value)
            symbol = f.symbols[f.names.index(name)]
            above_one = {s: 1 + sympy.Symbol("p", positive=True) for s in f.symbols if op == "acosh"}
            difference = (claimed - sympy.diff(value, symbol)).subs(above_one).rewrite(sympy.exp)
            difference = sympy.simplify(difference)
            proved += difference == 0
    assert proved == sum(map(len, FORMS[op]))


WRONG = {
    "exp": {"x": "y + 1e-30"},
    "sigmoid": {"x": "y*(1 + y)"},
    "tanh": {"x": "1 - y"},
    "div": {"a": "1/b", "b": "y/b"},
    "log": {"x": "1/x**2"},
    "sqrt": {"x": "1/y"},
    "reciprocal": {"x": "y*y"},
    "pow": {"a": "exponent*a**exponent"},
}


@pytest.mark.parametrize("op", FORMS)
def test_a_wrong_form_is_refused(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form with a wrong sign, power or term, or one part in 1e30 too much, is caught by the same proof."""
    excess = {name: f"({text})*Rational({10**30 + 1}, {10**30})" for name, text in FORMS[op][0].items()}
    monkeypatch.setitem(forms.FORMS, op, (WRONG.get(op, excess),))
    form.cache_clear()
    try:
        assert disagreements(op, 0)
    finally:
        form.cache_clear()


def test_variants_are_counted_by_the_op_with_most() -> None:
    """A program needs as many runs as its op with the most forms, and one without any."""
    assert variants([]) == variants(["matmul", "sum"]) == 1
    assert variants(["exp", "tanh"]) == len(FORMS["tanh"]) == 2


def test_an_input_without_a_form_has_sympys_own() -> None:
    """An op or an input that no form lists keeps the derivative as SymPy writes it; a missing variant is the last."""
    f = Derived("exp(x)*x", ("x",), ())
    with working_bits(100):
        three = ball(3)
        assert form("unlisted", f, 0)[0](three, three).overlaps(lower(f.slopes[0], f.symbols)(three))
    g = derived("exp")
    with working_bits(100):
        assert form("exp", g, 7)[0](three, three) == three
