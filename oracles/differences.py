"""Central differences with extrapolation, which know how good they are.

They look along one direction of all inputs at once, on the subject's own forward function (or, at order 2, on its own
first gradient). Halving steps give a table of extrapolations; its last changes are the error estimate. Where the
estimate is poor, or the two sides disagree as they do at a kink, the answer is that they cannot tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from oracles.answers import Answer
from oracles.program import Case
from oracles.records import Verdict
from oracles.remote import Remote

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
STEPS = tuple(0.02 * 0.5**k for k in range(7))
POOR = 1e-3
"""An estimate worse than this part of the gradient's size says nothing."""
CANCELS = 1e-3
"""A slope this far below the size of its terms is taken for a cancellation of them."""
NOISE = 1e-14
"""The rounding error of one evaluation, as a part of the magnitudes that it sums."""
UNSEEN = 1e-15
"""The same for what an evaluation hides, as 1 - tanh(x)**2 hides a 1: no finer steps are believed."""
SETTLED = 1e-9
"""An estimate this good, as a part of the terms it sums, that agrees needs no finer steps."""
FEW = 4
"""So many of the steps are tried first."""
FINER = (1e-3, 1e-6, 1e-9)
"""Scales of finer steps that are asked before a gradient is contradicted."""
FINE = 0.05
"""A finer estimate this good, as a part of the slope, may contradict it."""
MARGIN = 32.0
"""How many estimated errors a gradient may be off: the estimate is the size of the last correction, not a bound."""


@dataclass(frozen=True)
class Estimate:
    """A directional derivative, the error that it may have, and whether the two sides look like a kink."""

    value: float
    error: float
    kink: bool


def estimate(
    plus: Sequence[float], minus: Sequence[float], middle: float, noise: float, scale: float = 1.0
) -> Estimate:
    """Extrapolate central differences over `STEPS`, times a scale.

    Args:
        plus: the function at x + h w for each step h, or for the first few of them.
        minus: the function at x - h w.
        middle: the function at x.
        noise: the rounding error of one evaluation; more is believed where the finest steps scatter more.
        scale: what the steps are times.
    """
    table: list[list[float]] = []
    steps = [scale * h for h in STEPS[: len(plus)]]
    for k, h in enumerate(steps):
        row = [(plus[k] - minus[k]) / (2 * h)]
        for j in range(1, k + 1):
            row.append(row[-1] + (row[-1] - table[-1][j - 1]) / (4.0**j - 1))
        table.append(row)
    noise = max(
        noise,
        *(abs(table[k][2] - table[k - 1][2]) * steps[k] for k in range(max(3, len(table) - 3), len(table))),
    )
    best, error = float("nan"), float("inf")
    for above, row, h in zip(table, table[1:], steps[1:], strict=False):
        for j in range(1, len(row)):
            change = max(abs(row[j] - row[j - 1]), abs(row[j] - above[j - 1])) + noise / h
            if change < error:
                best, error = row[j], change
    sides = [(p - middle) / h - (middle - m) / h for p, m, h in zip(plus, minus, steps, strict=True)]
    kink = abs(sides[-1]) > 0.2 * abs(sides[0]) and abs(sides[-1]) > MARGIN * (error + noise / steps[-1])
    return Estimate(best, error, kink)


def judge_by_differences(case: Case, answer: Answer, remote: Remote) -> Verdict:
    """Whether the subject's gradient is the slope of what it computes, along one drawn direction."""
    if case.dtype != "float64":
        return Verdict(
            "differences", "cannot tell", f"{case.dtype} forward values are too coarse to difference"
        )
    rng = np.random.default_rng(int(case.id[:8], 16))
    point = [a.seen() for a in case.inputs]
    directions = [
        _direction(a, rng) for a, i in zip(point, case.program.inputs, strict=True) if i.requires_grad
    ]
    claimed_parts = answer.seconds if case.order == 2 else answer.gradients
    claimed, size = 0.0, 0.0
    for part, w in zip(claimed_parts, directions, strict=True):
        g = np.zeros(w.shape) if part is None else part.seen()
        if g.shape != w.shape or not np.all(np.isfinite(g)):
            return Verdict("differences", "cannot tell", "the gradient has another shape or is not finite")
        claimed += float(np.sum(g * w))
        size += float(np.sum(np.abs(g * w)))
    sums: list[tuple[float, float]] = []
    for steps in (STEPS[:FEW], STEPS[FEW:]):
        more = _along(case, _points(case, point, directions, steps, middle=not sums), remote)
        if more is None:
            return Verdict("differences", "cannot tell", "the forward function has no finite value nearby")
        sums += more
        found = _estimated(sums)
        if _settled(found, claimed, size):
            break
    verdict = _verdict(found, claimed, size)
    if verdict.outcome == "differs" and not _holds_finer(found, case, point, directions, remote):
        return Verdict("differences", "cannot tell", "finer steps show another slope")
    return verdict


def _estimated(sums: Sequence[tuple[float, float]], scale: float = 1.0) -> Estimate:
    """The estimate from what `_along` found at the point and then on both sides of it, step by step."""
    values = [value for value, _ in sums]
    noise = NOISE * max(size for _, size in sums)
    return estimate(values[1::2], values[2::2], values[0], noise, scale)


def _holds_finer(
    found: Estimate,
    case: Case,
    point: Sequence[FloatArray],
    directions: Sequence[FloatArray],
    remote: Remote,
) -> bool:
    """Whether no finer steps, as far as they can tell, contradict a slope: at 1e6 every ceil has the slope 1."""
    for scale in FINER:
        steps = [scale * h for h in STEPS[:FEW]]
        sums = _along(case, _points(case, point, directions, steps, middle=True), remote)
        if sums is None:
            return False
        finer = _estimated(sums, scale)
        near = abs(finer.value - found.value) <= MARGIN * (finer.error + found.error)
        if finer.error <= FINE * abs(found.value) and not near:
            return False
    return True


def _settled(found: Estimate, claimed: float, size: float) -> bool:
    """Whether a gradient agrees with so good an estimate that finer steps would say the same."""
    good = not found.kink and found.error <= SETTLED * max(abs(found.value), CANCELS * size)
    return good and abs(found.value - claimed) <= MARGIN * found.error


def _verdict(found: Estimate, claimed: float, size: float) -> Verdict:
    scale = max(size, abs(found.value))
    if found.kink:
        return Verdict("differences", "cannot tell", "the slopes of the two sides differ: a kink is near")
    if not np.isfinite(found.value) or found.error > POOR * max(abs(found.value), CANCELS * scale):
        return (
            Verdict("differences", "cannot tell", "the estimate is poor")
            if scale
            else Verdict("differences", "agrees")
        )
    off, allowed = abs(found.value - claimed), MARGIN * found.error + 1e-13 * scale
    ratio = repr(off / allowed) if allowed else "0.0"
    if off <= allowed:
        return Verdict("differences", "agrees", ratio=ratio)
    slope = f"{found.value:.9g} (error about {found.error:.1g})"
    said = f"along a direction the slope is {slope}, the gradient says {claimed:.9g}"
    return Verdict("differences", "differs", said, ratio)


def _direction(array: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Short decimals between -1 and 1, none of them 0, in proportion to the point so that no step leaves its domain."""
    signs = rng.choice((-1.0, 1.0), array.shape)
    return np.asarray(
        signs * rng.choice((0.25, 0.5, 0.75, 1.0), array.shape) * np.where(array == 0, 1.0, np.abs(array))
    )


def _points(
    case: Case,
    point: Sequence[FloatArray],
    directions: Sequence[FloatArray],
    steps: Sequence[float],
    middle: bool,
) -> list[list[FloatArray]]:
    """The point itself (`middle`), and on both sides of it those at each step."""
    points = [list(point)] if middle else []
    for h in steps:
        for side in (h, -h):
            rest = iter(directions)
            points.append(
                [
                    a + side * next(rest) if i.requires_grad else a
                    for a, i in zip(point, case.program.inputs, strict=True)
                ]
            )
    return points


def _along(
    case: Case, points: Sequence[Sequence[FloatArray]], remote: Remote
) -> list[tuple[float, float]] | None:
    """The scalar that is differentiated, at each point, with its magnitude."""
    answers: Any
    if case.order == 1:
        answers = remote.values(case.program, case.dtype, points)
        weights = [c.seen() for c in case.cotangents]
    else:
        answers = remote.gradients(case, points)
        weights = [s.seen() for s in case.seconds]
    if not isinstance(answers, list):
        return None
    hidden = UNSEEN / NOISE * sum(float(np.abs(w).sum()) for w in weights)
    sums = []
    for arrays in answers:
        if any(a is not None and a.shape != w.shape for a, w in zip(arrays, weights, strict=True)):
            return None
        with np.errstate(all="ignore"):  # a sum that is not finite is given up below
            terms = [w * a for a, w in zip(arrays, weights, strict=True) if a is not None]
            sums.append(
                (sum(float(t.sum()) for t in terms), hidden + sum(float(np.abs(t).sum()) for t in terms))
            )
    return sums if np.all(np.isfinite(sums)) else None
