"""Text and numbers from elsewhere: harmless, short and comparable."""

import pytest

from reports.numbers import badness, inside, short
from reports.text import clip, line, listed, number, plain


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\u202eb", "a\\u202eb"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("a\rb", "a\\x0db"),
        ("gradient ∂f/∂x, größe", "gradient ∂f/∂x, größe"),
    ],
)
def test_plain(given, shown):
    """Characters that cannot be seen are spelled out; all others stay."""
    assert plain(given) == shown


def test_line_and_clip():
    """A line has no line breaks and a bounded length, and a clipped text says how much is missing."""
    assert line(" a\n\n b\tc ") == "a b c"
    assert clip("abcdef", 6) == "abcdef"
    assert clip("abcdefgh", 6) == "abcdef … (2 more characters)"
    assert len(line("x" * 10_000, 50)) < 100


def test_words():
    """Counts and lists read as English."""
    assert [number(1, "case"), number(1234, "case"), number(0, "finding was", "findings were")] == [
        "1 case",
        "1,234 cases",
        "0 findings were",
    ]
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed("abc")] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("0.70710678118654752440084436210484903928", "0.707"),
        ("1234567", "1.23e6"),
        ("4.200000e-7", "4.2e-7"),
        ("12", "12"),
        ("0.00000918", "9.18e-6"),
        ("0.0999", "0.0999"),
        ("0.000", "0"),
        ("-0.0", "0"),
        ("nan", "nan"),
        ("-inf", "-inf"),
        ("not a number", "not a number"),
        ("1e999999999", "1e999999999"),
    ],
)
def test_short(given, shown):
    """A number is rounded to three digits, and what is no finite number stays as it is."""
    assert short(given) == shown


def test_badness_orders_errors():
    """Errors are ordered from no number over size, whatever the sign, to nan."""
    ordered = ["", "0", "-0.5", "2", "1e400", "inf", "nan"]
    shuffled = ordered[::-1]
    assert sorted(shuffled, key=badness) == ordered


@pytest.mark.parametrize(
    ("value", "middle", "allowances", "expected"),
    [
        ("0.7071", "0.70710678", ("0", "1e-5"), True),
        ("0.70", "0.70710678", ("0", "1e-5"), False),
        ("1.5", "1", ("0.25", "0.25"), True),
        ("nan", "nan", ("0", "0"), True),
        ("nan", "0", ("0", "0"), False),
        ("inf", "inf", ("0", "0"), True),
        ("1", "", ("0", "0"), None),
        ("1", "1", ("x",), None),
    ],
)
def test_inside(value, middle, allowances, expected):
    """A value is inside when it is no farther from the middle than the allowances, or nobody knows."""
    assert inside(value, middle, *allowances) is expected
