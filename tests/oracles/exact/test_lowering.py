"""From SymPy's expressions to functions on balls."""

from __future__ import annotations

import pytest
import sympy
from flint import arb

from oracles.exact.derivation import exactly
from oracles.exact.lowering import (
    FUNCTIONS,
    HALF,
    Derived,
    LoweringError,
    dirac,
    heaviside,
    larger,
    lower,
    sign,
    whole_power,
)

X = sympy.Symbol("x", real=True)


def test_fractions_stay_exact() -> None:
    """A rational in an expression is divided as a ball, not rounded to a float first."""
    third = lower(X * sympy.Rational(1, 3), (X,))(arb(1))
    assert (third * 3).contains(1)
    assert third.rad() < arb(2) ** -50
    assert not third.is_exact()


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "cos", "tanh", "sinh", "cosh"])
def test_functions_are_those_of_their_names(name: str) -> None:
    """Each lowered function encloses what SymPy evaluates to thirty digits."""
    ball = lower(getattr(sympy, name)(X), (X,))(arb("0.7"))
    number = getattr(sympy, name)(sympy.Rational(7, 10)).evalf(30)
    assert abs(ball - arb(str(number))) < arb("1e-14")
    assert name in FUNCTIONS


def test_a_function_without_lowering_is_an_error() -> None:
    """A function that nobody has lowered is refused by name, when the op is derived."""
    with pytest.raises(
        LoweringError, match=r"zeta\(\.\.\.\) has no lowering; add it to oracles/exact/lowering.py"
    ):
        lower(sympy.zeta(X), (X,))
    with pytest.raises(LoweringError, match="gamma"):
        Derived("gamma(x)", ("x",), ())


def test_steps_enclose_both_sides_at_the_step() -> None:
    """The unit step and the sign are decided where the ball is, and span the jump where it touches 0."""
    assert heaviside(arb(2)) == 1
    assert heaviside(arb(-2)) == 0
    assert str(heaviside(arb(0))) == str(HALF)
    assert sign(arb(-0.5)) == -1
    assert sign(arb(3)) == 1
    undecided = sign(arb(0, 1e-9))
    assert undecided.contains(-1)
    assert undecided.contains(1)
    assert not undecided.contains(arb("1.1"))
    assert dirac(arb(0)) == 0


def test_the_larger_of_two() -> None:
    """The maximum of balls and numbers, also where they overlap."""
    assert larger(arb(1), 0) == 1
    assert larger(arb(-1), 0) == 0
    both = larger(arb(0, 1), arb(0))
    assert both.contains(0)
    assert both.contains(1)


def test_fixed_numbers_are_part_of_the_function() -> None:
    """An exponent that is a number is put in exactly, so that x**2 has slope 2*x also at 0."""
    square = Derived("a**exponent", ("a",), (("exponent", 2),))
    assert square.partials[0](arb(0)) == 0
    assert square.partials[0](arb(3)) == 6
    assert square.seconds[0][0](arb(0)) == 2
    assert exactly(0.1) == sympy.Rational(3602879701896397, 36028797018963968)
    assert exactly(2) == sympy.Integer(2)


def test_a_jump_in_the_slope_is_told() -> None:
    """Functions with kinks are known by their meaning, smooth ones too."""
    assert Derived("Max(x, 0)", ("x",), ()).stepped
    assert Derived("Abs(x)", ("x",), ()).stepped
    assert not Derived("exp(x)/x", ("x",), ()).stepped


def test_a_whole_power_of_a_ball_around_zero_encloses() -> None:
    """python-flint answers NaN there; products do not."""
    ball = arb(0, 0.5)
    for n in (2, 3, 5):
        power = whole_power(ball, n)
        assert power.is_finite()
        assert power.contains(arb(0.5) ** n)
        assert power.contains(arb(-0.5) ** n)
    assert whole_power(arb(3), 2) == 9
    assert whole_power(arb(0), 1) == 0
