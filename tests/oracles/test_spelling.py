from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.spelling import Spelled, SpellingError, identifiers, spell, spell_array

x, y, np_ = Spelled("x"), Spelled("y"), Spelled("np")


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (np_.sum(x, axis=(0,), keepdims=True), "np.sum(x, axis=(0,), keepdims=True)"),
        (np_.linalg.solve(x, y), "np.linalg.solve(x, y)"),
        ((x + y) * 2.0, "(x + y) * 2.0"),
        (-(2.0**x), "-(2.0 ** x)"),
        ((-2.0) ** x, "(-2.0) ** x"),
        (-(x**2), "-(x ** 2)"),
        ((-x) ** 2, "(-x) ** 2"),
        (x[..., None, 1:-1, ::2, y], "x[..., None, 1:-1, ::2, y]"),
        (x[()], "x[()]"),
        (x[(0,)], "x[0,]"),
        ((x + y)[0], "(x + y)[0]"),
        ((x @ y).T, "(x @ y).T"),
        (np_.cat([x, y], 0), "np.cat([x, y], 0)"),
        (x < 1, "x < 1"),
        (x * float("-inf"), 'x * float("-inf")'),
    ],
)
def test_expressions_spell_themselves(made: Spelled, text: str) -> None:
    """What is done to a name is written as a person would write it, with parentheses where they matter."""
    assert str(made) == text


def test_a_name_has_no_value() -> None:
    """A formula that asks a name for its truth, length or elements is refused."""
    for ask in (bool, len, list, float, int):
        with pytest.raises(SpellingError, match="needs the value of x"):
            ask(x)
    with pytest.raises(SpellingError, match="no spelling"):
        spell(object())


@given(st.floats(width=32), st.sampled_from(["float32", "float64"]))
def test_elements_read_back(value: float, dtype: str) -> None:
    """Every element is spelled by a decimal that becomes the same element again, its sign included."""
    array = np.array([value]).astype(dtype)
    text = spell_array(array)[1:-1].removeprefix('float("').removesuffix('")')
    assert np.array([float(text)]).astype(dtype).tobytes() == array.tobytes() or np.isnan(value)


@given(st.lists(st.text(max_size=4)))
def test_identifiers_are_valid_and_distinct(names: list[str]) -> None:
    """Whatever the names, there is one valid identifier for each and none is used twice."""
    chosen = identifiers(names, ["np"])
    assert len(set(chosen)) == len(names)
    assert all(word.isidentifier() and word not in ("np", "lambda", "print", "_") for word in chosen)
