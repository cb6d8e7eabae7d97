"""Two laws that need no truth: asked twice, the answer is the same, and it is linear in the cotangent.

A subject that can be asked in two ways has a method `again`, which takes the other: `backward` beside `grad`.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from oracles.answers import Answer
from oracles.arrays import DTYPES, Array
from oracles.program import Case
from oracles.subjects.protocol import Subject

Gradients = tuple[Array | None, ...]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Distances = np.ndarray[Any, np.dtype[np.float64]]


class _Linear:
    """Whether a subject was linear in the cotangent of the latest case: the same case at order 2 asks it again."""

    def __init__(self) -> None:
        self.asked: tuple[Any, ...] = ()
        self.found: bool | None = None

    def __call__(self, subject: Subject, case: Case, answer: Answer) -> bool | None:
        asked = (subject, case.program, case.inputs, case.cotangents)
        if asked != self.asked:
            self.found = _scaled(subject, case, answer)
            self.asked = asked
        return self.found


_linear = _Linear()


def forget() -> None:
    """Ask anew of the latest case: the subject is not what it was."""
    _linear.asked = ()


def judge(subject: Subject, case: Case, laws: bool) -> Answer:
    """The subject's answer to a case; with `laws`, `repeated` and `scaled` are filled in."""
    answer = subject.vjp(case)
    if not laws:
        return answer
    again = getattr(subject, "again", subject.vjp)(case)
    repeated = msgspec.structs.replace(again, changed=answer.changed) == answer
    changed = tuple(dict.fromkeys(answer.changed + again.changed))
    return msgspec.structs.replace(
        answer, changed=changed, repeated=repeated, scaled=_linear(subject, case, answer)
    )


def _scaled(subject: Subject, case: Case, answer: Answer) -> bool | None:
    """Whether the cotangent times -2 gives exactly the gradient times -2.

    A power of two scales every product and sum exactly, unless something underflows or overflows on the
    way. So an element is only wrong if the sign alone makes it so, or if it is wrong too when both
    cotangents are larger by further powers of two, which lifts what underflowed. A narrow dtype may overflow
    before all is lifted; but what underflow leaves out matters the less the larger the cotangent is, and what is
    not linear stays so. Where all overflow, nothing is said of the element. None if overflow leaves nothing to
    compare.
    """
    base = answer.gradients if case.order == 1 else _gradients(subject, case, 1.0)
    off, finite = _compared(base, _gradients(subject, case, -2.0), -2.0)
    wrong, seen = finite & (off > 0), bool(finite.any())
    if wrong.any():
        turned, finite = _compared(base, _gradients(subject, case, -1.0), -1.0)
        if (finite & (turned > 0)).any():
            return False
    stays = np.zeros_like(wrong)
    for power in np.linspace(0, _exponents(case), 9)[1:-1].astype(int):
        if not wrong.any():
            break
        small, large = (_gradients(subject, case, f * 2.0 ** int(power)) for f in (1.0, -2.0))
        further, finite = _compared(small, large, -2.0)
        wrong = wrong & (~finite | (further > 0))
        stays = np.where(finite, further >= off * 2.0 ** (-power / 2), stays)
    return False if (wrong & stays).any() else seen or None


def _exponents(case: Case) -> int:
    """How many powers of two lie between 1 and overflow in the narrowest dtype of the case."""
    dtypes = {a.dtype for a in (*case.inputs, *case.cotangents)} & {
        "float16",
        "float32",
        "bfloat16",
        "float64",
    }
    return 16 if "float16" in dtypes else 128 if dtypes & {"float32", "bfloat16"} else 1024


def _gradients(subject: Subject, case: Case, factor: float) -> Gradients:
    cotangents = []
    for cotangent in case.cotangents:
        array = cotangent.seen()
        with np.errstate(over="ignore"):
            times = array * np.asarray(factor, DTYPES[cotangent.dtype])
        cotangents.append(Array.of(times.astype(array.dtype)))
    scaled = msgspec.structs.replace(case, cotangents=tuple(cotangents), order=1, seconds=())
    return subject.vjp(scaled).gradients


def _compared(left: Gradients, right: Gradients, factor: float) -> tuple[Distances, Flags]:
    """Of all elements: how far the right is from `factor` times the left, as a part of the larger, if both are finite.

    Where one is None or of another shape than the other, a single element is off without end.
    """
    off, finite = [np.zeros(0)], [np.zeros(0, bool)]
    for one, other in zip(left, right, strict=True):
        if one is None and other is None:
            continue
        if one is None or other is None or one.shape != other.shape:
            return np.array([np.inf]), np.array([True])
        a, b = one.seen().astype(np.float64).ravel(), other.seen().astype(np.float64).ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            a *= factor
            largest = np.maximum(np.maximum(abs(a), abs(b)), np.finfo(np.float64).tiny)
            off.append(abs(a - b) / largest)
        finite.append(np.isfinite(a) & np.isfinite(b))
    return np.concatenate(off), np.concatenate(finite)
