"""Numbers to draw: short decimals that a person can read aloud, and the points where gradients go wrong.

Each table is ordered from plain to odd, because Hypothesis shrinks towards the front.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

Draw = Any
Domain = tuple[float, ...]
"""An open interval's two ends, and after them any points inside it that do not belong."""
REALS: Domain = (-np.inf, np.inf)

PLAIN = (
    1.0,
    2.0,
    0.5,
    3.0,
    -1.0,
    1.5,
    -2.0,
    -0.5,
    0.25,
    0.1,
    -0.3,
    0.7,
    1.1,
    -1.7,
    2.3,
    4.0,
    -5.0,
    0.9,
    -0.6,
    6.5,
)
NEGATIVE = (-1.0, -2.0, -0.5, -3.0, -1.5, -0.1, -0.7, -2.3, -4.0, -6.5)
LARGE = (10.0, 30.0, 100.0, -20.0, -100.0, 1e3, 1e5, -1e4, 1e8, 1e15, -1e12)
TINY = (1e-2, 1e-3, -1e-3, 1e-5, 1e-8, -1e-6, 1e-12, 1e-20)
TIED = (1.0, 2.0, -1.0)
NUMBERS = (2.0, 0.5, 3.0, -1.0, 1.5, -0.25, -2.0, 4.0)
"""Python numbers as operands: exact in every dtype, because libraries differ in where they round them."""
COTANGENTS = (1.0, 2.0, -1.0, 0.5, 3.0, -2.0, 1.5, -0.7, 0.3, 2.5, -1.1, 4.0, -3.0, 0.1)

DECADES = (-6, 2)
FEW = 16
"""Elements that are drawn one by one where each is to be moved by itself."""
NEIGHBOURS = (0, 1, 3, 10, 30, 100, 300, 1000)
"""How many last digits each number of a group lies beyond its first."""

TABLES: dict[str, tuple[float, ...]] = {
    "plain": PLAIN,
    "negative": NEGATIVE,
    "large": LARGE,
    "tiny": TINY,
    "ties": TIED,
    "zero": (0.0, 1.0, -1.0, 2.0),
}
BESIDE = 8
"""Other numbers beside the kinks; among all of them an array of few elements would have none."""


def holds(domain: Domain, x: Any) -> Any:
    """Where a number, or an array, lies inside a domain."""
    low, high, *poles = domain
    inside = (x > low) & (x < high)
    for pole in poles:
        inside = inside & (x != pole)
    return inside


def table(kind: str, domain: Domain = REALS, kinks: tuple[float, ...] = ()) -> tuple[float, ...]:
    """The numbers of one kind that lie inside an open domain; `kink` puts the kinks themselves first."""
    if kind == "kink":
        kind, first = "plain", kinks
    else:
        first = ()
    few = TABLES[kind][:BESIDE] if first else TABLES[kind]
    inside = tuple(v for v in (*first, *few) if holds(domain, v))
    if inside:
        return (*inside, *(v for v in _near_ends(domain) if kind in ("plain", "tiny") and v not in inside))
    mirrored = tuple(-v for v in TABLES[kind] if holds(domain, -v))
    return mirrored or tuple(v for v in PLAIN if holds(domain, v))


def _near_ends(domain: Domain) -> tuple[float, ...]:
    """A number beside each finite end but 0, which `TINY` is about; it lies inside in every dtype."""
    low, high = domain[:2]
    ends = ((low, 0.03125), (high, -0.03125))
    return tuple(end + inward for end, inward in ends if np.isfinite(end) and end)


def offers(kind: str, domain: Domain) -> bool:
    """Whether a table has a number inside a domain, so that its face can be seen there."""
    wanted = (0.0,) if kind == "zero" else TABLES.get(kind, PLAIN)
    return any(holds(domain, v) for v in wanted)


@lru_cache(4096, typed=True)
def one_of(*choices: Any) -> st.SearchStrategy[Any]:
    """One of the choices. Hypothesis examines every new strategy at length, so one that has been made is kept."""
    return st.sampled_from(choices)


@lru_cache(4096)
def integers(low: int, high: int) -> st.SearchStrategy[int]:
    """An integer in [low, high]."""
    return st.integers(low, high)


@lru_cache(4096)
def _several(size: int, *numbers: float) -> st.SearchStrategy[list[float]]:
    return st.lists(st.sampled_from(numbers), min_size=size, max_size=size)


def draw_array(draw: Draw, shape: tuple[int, ...], numbers: tuple[float, ...]) -> np.ndarray[Any, Any]:
    """A float64 array whose elements are drawn one by one from a table, or from a seed where there are many."""
    size = int(np.prod(shape))
    if size > 8:
        rng = np.random.default_rng(draw(integers(0, 2**16)))
        return rng.choice(np.array(numbers), size=size).reshape(shape)
    picks = draw(_several(size, *numbers))
    return np.array(picks, dtype=np.float64).reshape(shape)


def scaled(domain: Domain) -> st.SearchStrategy[float]:
    """Numbers of four digits inside a domain, as choices of a sign, a decade and two digits each.

    Hypothesis climbs by adding 1 to one choice at a time, so each scale on which an error may grow is a choice.
    """
    low, high, *_ = domain
    reach = max(abs(low), abs(high))
    most = DECADES[1] if reach == np.inf else min(DECADES[1], int(np.floor(np.log10(reach))))
    least = 0 if low >= 1 else DECADES[0]
    minus = st.just(False) if low >= 0 else st.just(True) if high <= 0 else st.booleans()
    parts = st.tuples(minus, st.integers(least, most), st.integers(10, 99), st.integers(0, 99))
    return parts.map(_spelled).filter(lambda number: bool(holds(domain, number)))


def _spelled(parts: tuple[bool, int, int, int]) -> float:
    minus, decade, lead, tail = parts
    return float(f"{'-' if minus else ''}{lead}{tail:02}e{decade - 3}")


def draw_scaled(draw: Draw, shape: tuple[int, ...], domain: Domain) -> np.ndarray[Any, Any]:
    """A float64 array of such numbers, from a table where there are many elements."""
    size = int(np.prod(shape))
    if size > FEW:
        return draw_array(draw, shape, table("plain", domain))
    return np.array([draw(scaled(domain)) for _ in range(size)], dtype=np.float64).reshape(shape)


def draw_neighbours(draw: Draw, domain: Domain) -> np.ndarray[Any, Any]:
    """One such number and others beyond it, near and far, as far as the domain reaches.

    A rounding error leaps from each number to the next; the largest of several shows the slope that it hides.
    """
    first = Decimal(repr(draw(scaled(domain))))
    digit = Decimal(1).scaleb(first.adjusted() - 3)
    numbers = [float(first + digit * i) for i in NEIGHBOURS]
    return np.array([n if holds(domain, n) else float(first) for n in numbers])
