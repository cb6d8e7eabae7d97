"""How losses are drawn: an input, a target of its shape or a class for each row, and a reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.generation.drawing import Drawing
from oracles.generation.values import REALS
from oracles.program import Ref, Setting


def _reduction(d: Drawing) -> dict[str, Setting]:
    """One of the three reductions; away from the default where the face is about settings."""
    chosen = d.one_of("sum", "none") if d.face == "settings" else d.one_of("mean", "none", "sum")
    return {} if chosen == "mean" else {"reduction": chosen}


def pointwise(d: Drawing, op: str, public: Any) -> int:
    """A loss of an input and a target of the same shape, perhaps the same tensor."""
    domain = public.facts.domain.get("x", REALS)
    x = _some(d, d.operand(domain), domain)
    target = x if d.face == "same twice" else d.new(d.values[x].shape, domain)
    return d.apply(op, Ref(x), Ref(target), settings=_reduction(d))


def classes(d: Drawing, op: str, public: Any) -> int:
    """nll_loss: a row for each example, or one row alone, and the number of a class for each."""
    x = _some(d, d.operand(least=1, most=2), REALS)
    shape = d.values[x].shape
    rows = shape[:-1]
    count = int(np.prod(rows))
    if d.face == "repeated index":
        numbers = [d.integer(0, shape[-1] - 1)] * count
    else:
        numbers = [d.integer(0, shape[-1] - 1) for _ in range(count)]
    target = d.given(np.array(numbers, dtype=np.int64).reshape(rows))
    return d.apply(op, Ref(x), Ref(target), settings=_reduction(d))


def _some(d: Drawing, x: int, domain: Any) -> int:
    """The value, or a new one if it has no elements, of which there is no mean."""
    shape = d.values[x].shape
    return x if 0 not in shape else d.new(tuple(n or 1 for n in shape), domain)


LOSSES: dict[str, Callable[[Drawing, str, Any], int]] = {
    "nn.functional.binary_cross_entropy_with_logits": pointwise,
    "nn.functional.mse_loss": pointwise,
    "nn.functional.nll_loss": classes,
}
