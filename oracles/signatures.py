"""How PyTorch's functions take their arguments, where the tensors do not all come first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

BY_KEYWORD: Mapping[str, tuple[str, ...]] = {
    "gather": ("index",),
    "index_select": ("index",),
    "scatter_add": ("index", "src"),
}
"""By op, the names of its last tensors, before which a setting stands."""
LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "nn.functional.binary_cross_entropy_with_logits": ("weight", "pos_weight"),
    "nn.functional.nll_loss": ("weight",),
}
"""By op, the names of the last tensors, all of which may be left out; a number stands for one that is."""
FIRST: Mapping[str, str] = {"einsum": "equation"}
"""By op, the setting that stands before the tensors and has no keyword."""

INFINITY = "inf"
"""How a program writes an infinite setting, for which JSON has no number."""


def number(setting: Any) -> Any:
    """A setting as a library takes it."""
    return {INFINITY: math.inf, f"-{INFINITY}": -math.inf}.get(setting, setting)


def call(op: str, operands: Sequence[Any], settings: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The positional and the keyword arguments of PyTorch's function."""
    keywords = {name: number(value) for name, value in settings.items()}
    leading = [keywords.pop(FIRST[op])] if op in FIRST else []
    names = BY_KEYWORD.get(op, ())
    count = len(operands) - len(names)
    if op in LEFT_OUT:
        names, count = LEFT_OUT[op], 2
    last = dict(zip(names, operands[count:], strict=False))
    keywords.update({name: x for name, x in last.items() if not isinstance(x, int | float)})
    return [*leading, *operands[:count]], keywords
