"""The error of a finding against one input, laid out as points and lines for an inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from oracles.records import Plot
from reports.numbers import EXACT_ENOUGH, decimal, short

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 704, 22, 244
FLOOR = -2
FAR = Decimal("1e300")
SPREAD = 1000


@dataclass(frozen=True)
class Dot:
    """One sample: where it lies, whether the error is above the budget, and the numbers in words."""

    x: float
    y: float
    wrong: bool
    words: str


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Drawing:
    """A plot in the coordinates of its SVG. `budget` and `allowed` are lists of points."""

    argument: str
    element: int
    dots: tuple[Dot, ...]
    budget: str
    allowed: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    logarithmic: bool
    wrong: int
    clear: int

    width, height = WIDTH, HEIGHT
    left, right, top, bottom = LEFT, RIGHT, TOP, BOTTOM


@dataclass(frozen=True)
class _Sample:
    x: float
    error: float | None
    budget: float | None
    wrong: bool
    words: str


def drawing(plot: Plot | None) -> Drawing | None:
    """Lay a plot out, or None where fewer than two of its samples are numbers."""
    if plot is None:
        return None
    samples = _samples(plot)
    if len(samples) < 2:
        return None
    xs = [s.x for s in samples]
    logarithmic = min(xs) > 0 and max(xs) / min(xs) > SPREAD
    place = (lambda x: math.log10(x)) if logarithmic else (lambda x: x)
    low, high = place(min(xs)), place(max(xs))
    levels = [level for s in samples for level in (s.error, s.budget) if level is not None]
    beyond = any(s.error is None or s.budget is None for s in samples)
    bottom, ceiling = min(-1, math.floor(min(levels, default=0))), max(1, math.ceil(max(levels, default=0)))
    top = ceiling + 1 if beyond else ceiling

    def across(x: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * ((place(x) - low) / (high - low) if high > low else 0.5), 1)

    def up(level: float | None) -> float:
        height = (top if level is None else level) - bottom
        return round(BOTTOM - (BOTTOM - TOP) * height / (top - bottom), 1)

    line = " ".join(f"{across(s.x)},{up(s.budget)}" for s in samples)
    wrong = sum(s.wrong for s in samples)
    return Drawing(
        argument=plot.argument,
        element=plot.element,
        dots=tuple(Dot(across(s.x), up(s.error), s.wrong, s.words) for s in samples),
        budget=line,
        allowed=f"{across(samples[0].x)},{BOTTOM} {line} {across(samples[-1].x)},{BOTTOM}",
        across=tuple(Tick(across(x), f"{x:.4g}") for x in _spaced(low, high, logarithmic)),
        up=(*(Tick(up(n), _power(n)) for n in _decades(bottom, ceiling)), *[Tick(TOP, "∞, nan")] * beyond),
        logarithmic=logarithmic,
        wrong=wrong,
        clear=len(samples) - wrong,
    )


def _samples(plot: Plot) -> list[_Sample]:
    found = []
    for x, error, budget in zip(plot.x, plot.error, plot.budget, strict=False):
        at, off, allowed = decimal(x), decimal(error), decimal(budget)
        if at is None or off is None or allowed is None or not at.is_finite() or abs(at) >= FAR:
            continue
        wrong = off.is_nan() or (not allowed.is_nan() and abs(off) > allowed)
        words = f"x = {short(x, 6)}: error {short(error)} ulps, budget {short(budget)} ulps"
        found.append(_Sample(float(at), _level(off), _level(allowed), wrong, words))
    return sorted(found, key=lambda s: s.x)


def _level(value: Decimal) -> float | None:
    """The decimal logarithm, zero on the floor with all that is below it; None for infinity and nan."""
    if not value.is_finite():
        return None
    return FLOOR if value == 0 else max(float(EXACT_ENOUGH.log10(abs(value))), FLOOR)


def _spaced(low: float, high: float, logarithmic: bool) -> Sequence[float]:
    places = [low + (high - low) * i / 4 for i in range(5)] if high > low else [low]
    return [10**p for p in places] if logarithmic else places


def _decades(bottom: int, top: int) -> Sequence[int]:
    step = max(1, math.ceil((top - bottom) / 6))
    return range(bottom, top + 1, step)


def _power(level: int) -> str:
    if level == FLOOR:
        return "≤ 0.01"
    return f"{10.0**level:g}" if abs(level) <= 3 else f"1e{level}"
