"""Decimal text in records, compared and shortened for people without passing through a float.

A run may come from anywhere, so a number here can be `nan`, absurdly large or no number; nothing raises.
"""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation

EXACT_ENOUGH = Context(prec=80, Emin=-999999, Emax=999999, traps=[])
ZERO = Decimal(0)
PLAINLY = Decimal("0.001")
"""Smaller numbers are shown with an exponent."""


def decimal(text: str) -> Decimal | None:
    """The number that the text spells, or None when it spells none."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    # A context without traps turns a signalling nan into a quiet one and the unthinkably large into infinity.
    return EXACT_ENOUGH.plus(value)


def badness(text: str) -> tuple[int, Decimal]:
    """A key that sorts errors by how bad they are: no number first, then by size, nan above everything."""
    value = decimal(text)
    if value is None:
        return (0, ZERO)
    return (2, ZERO) if value.is_nan() else (1, abs(value))


def percentage(text: str) -> str:
    """A fraction as whole percents; "under 1 %" where there are none."""
    value = decimal(text)
    if value is None or not value.is_finite():
        return "some"
    return f"{value:.0%}".replace("%", " %") if value >= Decimal("0.01") else "under 1 %"


def short(text: str, digits: int = 3) -> str:
    """The number at this many significant digits, unless its own spelling is as short; other text stays."""
    value = decimal(text)
    if value is None or not value.is_finite() or (len(text) <= digits + 1 and value != 0):
        return text
    if value == 0:
        return "0"
    small = format(value, f".{digits - 1}e" if abs(value) < PLAINLY else f".{digits}g")
    mantissa, exponent, power = small.partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return mantissa + (f"e{int(power)}" if exponent else "")


def inside(value: str, middle: str, *allowances: str) -> bool | None:
    """Whether the value lies within the allowances together of the middle; None where they are no numbers."""
    at, centre, *widths = (decimal(text) for text in (value, middle, *allowances))
    if at is None or centre is None or any(w is None for w in widths):
        return None
    if at.is_nan() or centre.is_nan():
        return at.is_nan() and centre.is_nan()
    if at.is_infinite() or centre.is_infinite():
        return at == centre
    allowed = ZERO
    for width in widths:
        allowed = EXACT_ENOUGH.add(allowed, width or ZERO)
    return abs(EXACT_ENOUGH.subtract(at, centre)) <= allowed
