"""Around a point: other values of the same shapes, in which a fault may show, and fewer and simpler ones that show it.

A function of a user's own may insist on shapes and values. So nothing here is required of it: what it refuses is left
out, and a smaller case counts only where it fails in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from oracles.generation.values import PLAIN, TABLES
from oracles.judge import Judgement
from oracles.program import Layout

NDArray = np.ndarray[Any, Any]
KINDS = ("around", "negative", "zero", "plain", "tiny", "ties", "large", "layout")
"""What the search tries in turn: near the given numbers, tables of `generation.values`, other memory layouts."""
TAME = ("around", "negative", "plain", "layout")
"""What it tries where differences judge: they step in proportion to the point, and mislead far from 1."""
TRIES = 160
SECONDS = 10.0
"""Shrinking ends after so many judgements, or so long."""
FEW = 24
"""Arrays with more elements than this are not simplified one by one."""


@dataclass(frozen=True)
class Point:
    """Where a function is judged: its inputs, the cotangents of its outputs and, at order 2, the weights.

    Those that are None, or of another shape than they should be, are drawn.
    """

    arrays: tuple[NDArray, ...]
    cotangents: tuple[NDArray, ...] | None = None
    seconds: tuple[NDArray, ...] | None = None
    order: Literal[1, 2] = 1
    layouts: tuple[Layout, ...] = ()
    seed: int = 0


def neighbours(point: Point, kind: str, layouts: Sequence[str], rng: np.random.Generator) -> Iterator[Point]:
    """Points of one kind, each less bold than the one before: any sign, positive, the signs given, nearby."""
    seed = int(rng.integers(2**31))
    if kind == "layout":
        choice: Any = str(rng.choice([k for k in layouts if k != "contiguous"] or ["contiguous"]))
        changed: Any = tuple(
            choice if a.dtype.kind not in "biu" and a.ndim else "contiguous" for a in point.arrays
        )
        yield Point(point.arrays, order=point.order, layouts=changed, seed=seed)
        return
    kinds = [kind] if kind == "around" else [kind, "around"]
    for each in kinds:
        drawn = [_other(a, each, rng) for a in point.arrays]
        yield Point(tuple(drawn), order=point.order, layouts=point.layouts, seed=seed)
        if each == "around":
            return
        pairs = list(zip(drawn, point.arrays, strict=True))
        for positive in (True, False):
            signed = tuple(
                np.where(positive | ~(given < 0), abs(a), -abs(a)).astype(a.dtype)
                if a.dtype.kind not in "biu"
                else a
                for a, given in pairs
            )
            yield Point(signed, order=point.order, layouts=point.layouts, seed=seed)


def _other(array: NDArray, kind: str, rng: np.random.Generator) -> NDArray:
    """Some or all elements of a floating array changed; integers and masks stay as they are."""
    if array.dtype.kind in "biu":
        return array
    if kind == "around":
        moved = array.astype(np.float64) * (1 + np.round(rng.uniform(-0.3, 0.3, array.shape), 2))
        return np.asarray(moved).astype(array.dtype)
    numbers = np.array(TABLES[kind])
    numbers = numbers[np.isfinite(numbers.astype(array.dtype).astype(np.float64))]
    drawn = rng.choice(numbers, array.shape)
    kept = rng.random(array.shape) < rng.choice((0.0, 0.5))
    return np.asarray(np.where(kept, array.astype(np.float64), drawn)).astype(array.dtype)


class Shrinking:
    """From a point that shows a fault to a smaller one that shows the same. `judge` gives None where it cannot."""

    def __init__(self, first: Judgement, judge: Callable[[Point], Judgement | None]) -> None:
        self.best = first
        self._judge = judge
        self._tries = TRIES
        self._end = time.monotonic() + SECONDS

    def shrink(self, point: Point) -> Judgement:
        """The judgement of the smallest point that was found."""
        now = self._first(point, [replace(point, order=1, seconds=None)])
        now = self._first(now, [replace(now, layouts=())])
        while (smaller := self._first(now, self._cuts(now))) is not now:
            now = smaller
        now = self._first(now, [self._with(now, _rounded)])
        now = self._simpler(now, "arrays")
        self._simpler(now, "cotangents")
        return self.best

    @staticmethod
    def _with(point: Point, change: Callable[[NDArray], NDArray]) -> Point:
        return replace(point, arrays=tuple(a if a.dtype.kind in "biu" else change(a) for a in point.arrays))

    def _first(self, now: Point, candidates: Iterable[Point]) -> Point:
        """The first candidate that shows the fault, with the cotangents that it was judged with, else `now`."""
        for candidate in candidates:
            if self._late():
                return now
            found = self._judge(candidate)
            if found is None or (found.fault, found.argument) != (self.best.fault, self.best.argument):
                continue
            self.best = found
            seconds = tuple(s.numpy() for s in found.case.seconds)
            cotangents = tuple(c.numpy() for c in found.case.cotangents)
            return replace(candidate, cotangents=cotangents, seconds=seconds or None)
        return now

    def _late(self) -> bool:
        self._tries -= 1
        return self._tries < 0 or time.monotonic() > self._end

    def _cuts(self, now: Point) -> Iterator[Point]:
        """All sides of one length cut at once, so that operands still fit; then one side of one array alone."""
        at = self._place(now)
        for length in sorted({n for a in now.arrays for n in a.shape if n > 1}, reverse=True):
            for size in sorted({1, 2, length // 2} - {0, length}):
                for start in dict.fromkeys((0, min(at.get(length, 0), length - size))):
                    cut = slice(start, start + size)
                    yield replace(
                        now,
                        arrays=tuple(
                            a[tuple(cut if n == length else slice(None) for n in a.shape)].copy()
                            for a in now.arrays
                        ),
                    )
        for k, a in enumerate(now.arrays):
            for axis, length in enumerate(a.shape):
                if length > 1:
                    one = np.take(a, [at.get(length, 0)], axis)
                    yield replace(now, arrays=(*now.arrays[:k], one, *now.arrays[k + 1 :]))

    def _place(self, now: Point) -> dict[int, int]:
        """For each length of a side, where along it the worst element stands."""
        compared = self.best.compared.get(self.best.argument)
        truth = getattr(self.best.truth, "arrays", {}).get(self.best.argument)
        if compared is None or truth is None or not compared.ratios:
            return {}
        places = np.unravel_index(compared.worst, truth.shape)
        return {n: int(i) for n, i in zip(truth.shape, places, strict=True)}

    def _simpler(self, now: Point, part: Literal["arrays", "cotangents"]) -> Point:
        """Elements one by one replaced by the first plain number that still shows the fault."""
        for k, array in enumerate(getattr(now, part) or ()):
            if array.dtype.kind in "biu" or array.size > FEW:
                continue
            now = self._first(now, [_replaced(now, part, k, np.ones_like(array))])
            for place in np.ndindex(array.shape):
                current = getattr(now, part)[k]
                simple = _plainer(float(current[place]))
                now = self._first(now, (_replaced(now, part, k, _at(current, place, v)) for v in simple))
        return now


def _replaced(point: Point, part: str, k: int, array: NDArray) -> Point:
    arrays = getattr(point, part)
    changed: Any = {part: (*arrays[:k], array, *arrays[k + 1 :])}
    return replace(point, **changed)


def _plainer(value: float) -> list[float]:
    """Numbers that are shorter to say than this one."""
    if value in PLAIN[:3]:
        return list(PLAIN[: PLAIN.index(value)])
    return [v for v in (*PLAIN[:5], float(f"{value:.1g}"), float(f"{value:.2g}")) if v != value]


def _at(array: NDArray, place: tuple[int, ...], value: float) -> NDArray:
    changed = array.copy()
    changed[place] = value
    return changed


def _rounded(array: NDArray) -> NDArray:
    return np.array([float(f"{float(v):.1g}") for v in array.flat]).reshape(array.shape).astype(array.dtype)
