"""How losses are drawn: an input, a target of its shape or a class for each row, and a reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.generation.drawing import Drawing
from oracles.generation.values import REALS
from oracles.program import Ref, Scalar, Setting
from oracles.signatures import LEFT_OUT


def _reduction(d: Drawing) -> dict[str, Setting]:
    """One of the three reductions; away from the default where the face is about settings."""
    chosen = d.one_of("sum", "none") if d.face == "settings" else d.one_of("mean", "none", "sum")
    return {} if chosen == "mean" else {"reduction": chosen}


def pointwise(d: Drawing, op: str, public: Any) -> int:
    """A loss of an input and a target of the same shape, perhaps the same tensor; perhaps weighted."""
    domain = public.facts.domain.get("x", REALS)
    x = _some(d, d.operand(domain), domain)
    shape = d.values[x].shape
    target = x if d.face == "same twice" else d.new(shape, domain)
    given = LEFT_OUT.get(op, ()) if d.face == "settings" and d.one_of(True, False) else ()
    sides = [(shape[-1:], shape)[d.integer(0, 1)] if d.one_of(True, False) else None for _ in given]
    weights = [Scalar.of(1.0) if side is None else Ref(_weight(d, side)) for side in sides]
    return d.apply(op, Ref(x), Ref(target), *weights, settings=_reduction(d))


def classes(d: Drawing, op: str, public: Any) -> int:
    """nll_loss: a row for each example, one row alone, or images of them; and the number of a class for each.

    Classes may have weights, and one of them may be ignored; never all that there are, for the mean of nothing is nan.
    """
    images = d.face in ("settings", "non-square") and d.one_of(False, True)
    x = d.new((2, 3, 1, 2)) if images else _some(d, d.operand(least=1, most=2), REALS)
    shape = d.values[x].shape
    rows = shape[:1] + shape[2:] if images else shape[:-1]
    count, kinds = int(np.prod(rows)), shape[1 if images else -1]
    settings = _reduction(d)
    if d.face == "repeated index":
        numbers = [d.integer(0, kinds - 1)] * count
    else:
        numbers = [d.integer(0, kinds - 1) for _ in range(count)]
    if d.face == "settings" and len(set(numbers)) > 1 and d.one_of(False, True):
        settings["ignore_index"] = d.one_of(*numbers)
    target = d.given(np.array(numbers, dtype=np.int64).reshape(rows))
    weighted = d.face in ("settings", "repeated index") and d.one_of(True, False)
    weights = [Ref(_weight(d, (kinds,)))] if weighted else []
    return d.apply(op, Ref(x), Ref(target), *weights, settings=settings)


def _weight(d: Drawing, shape: tuple[int, ...]) -> int:
    """Positive numbers, a constant: libraries have no gradient for them."""
    count = int(np.prod(shape))
    numbers = np.array([d.one_of(2.0, 0.5, 1.5, 3.0, 0.25) for _ in range(count)])
    return d.given(numbers.reshape(shape), (0.0, np.inf), constant=True)


def _some(d: Drawing, x: int, domain: Any) -> int:
    """The value, or a new one if it has no elements, of which there is no mean."""
    shape = d.values[x].shape
    return x if 0 not in shape else d.new(tuple(n or 1 for n in shape), domain)


LOSSES: dict[str, Callable[[Drawing, str, Any], int]] = {
    "nn.functional.binary_cross_entropy_with_logits": pointwise,
    "nn.functional.mse_loss": pointwise,
    "nn.functional.nll_loss": classes,
}
