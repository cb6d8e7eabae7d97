"""How ops along dimensions are drawn: sums, products, extremes and norms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.generation.axes import one_dim, some_dims
from oracles.generation.drawing import Drawing
from oracles.program import Ref, Setting
from oracles.signatures import INFINITY

Settings = dict[str, Setting]
DIMS = ("tuple dim", "negative dim", "settings")
"""The faces that want an operand with dimensions."""


def reduction(d: Drawing, op: str, public: Any) -> int:
    """amax, amin: over everything, over one dimension, or over several; never over nothing."""
    x = _full(d, d.operand(least=1 if d.face in DIMS else 0))
    settings: Settings = {}
    if d.face in DIMS or d.integer(0, 1):
        settings["dim"] = some_dims(d, d.values[x].ndim)
        _keep(d, settings)
    return d.apply(op, Ref(x), settings=settings)


def _full(d: Drawing, x: int) -> int:
    """The value, or a new one if it has no elements."""
    shape = d.values[x].shape
    return x if 0 not in shape else d.new(tuple(n or 1 for n in shape))


def _keep(d: Drawing, settings: Settings) -> None:
    if d.face == "settings" or d.integer(0, 3) == 3:
        settings["keepdim"] = True


def prod(d: Drawing, op: str, public: Any) -> int:
    """prod over everything, or along one dimension, of nothing too."""
    x = d.operand(least=1 if d.face in DIMS else 0)
    settings: Settings = {}
    if d.face in DIMS or d.integer(0, 1):
        settings["dim"] = one_dim(d, d.values[x].ndim)
        _keep(d, settings)
    return d.apply(op, Ref(x), settings=settings)


def extreme(d: Drawing, op: str, public: Any) -> int:
    """max or min over everything, or along one dimension with its indices."""
    x = _full(d, d.operand(least=1 if d.face in DIMS else 0))
    if d.face not in ("negative dim", "settings") and d.integer(0, 1):
        return d.apply(op, Ref(x))
    settings: Settings = {"dim": one_dim(d, d.values[x].ndim)}
    if d.face == "settings":
        settings["keepdim"] = True
    return d.apply(op, Ref(x), settings=settings, outputs=2)


def norm(d: Drawing, op: str, public: Any) -> int:
    """The 2-norm, and elsewhere the 1-norm or the infinity norm, over everything or along dimensions."""
    x = d.operand(kinks=(0.0,), least=1 if d.face in DIMS else 0)
    settings: Settings = {}
    if d.face in ("settings", "kink") or d.integer(0, 2) == 2:
        settings["ord"] = d.one_of(1, INFINITY, 2)
    if settings.get("ord") == INFINITY:
        x = _full(d, x)
    if d.face in DIMS or d.integer(0, 1):
        settings["dim"] = some_dims(d, d.values[x].ndim)
        _keep(d, settings)
    return d.apply(op, Ref(x), settings=settings)


def var(d: Drawing, op: str, public: Any) -> int:
    """var over lines that are longer than the correction; constants are welcome."""
    x = d.operand(least=1 if d.face in DIMS else 0)
    settings: Settings = {}
    if d.face in DIMS or d.integer(0, 1):
        settings["dim"] = some_dims(d, d.values[x].ndim)
        _keep(d, settings)
    if d.face == "settings":
        settings["correction"] = d.one_of(0, 2)
    wanted = int(settings.get("correction", 1)) + 1  # type: ignore[arg-type]
    if _count(d.values[x], settings) < wanted:
        x = d.new(tuple(max(n, wanted) for n in d.values[x].shape) or (wanted,))
    return d.apply(op, Ref(x), settings=settings)


def _count(array: np.ndarray[Any, Any], settings: Settings) -> int:
    dim: Any = settings.get("dim")
    axes = tuple(range(array.ndim)) if dim is None else (dim,) if isinstance(dim, int) else dim
    return math.prod(array.shape[a] for a in axes if array.ndim) if array.size else 0


def along(d: Drawing, op: str, public: Any) -> int:
    """cumsum, log_softmax: along one dimension."""
    x = d.operand(least=1 if d.face == "negative dim" else 0)
    return d.apply(op, Ref(x), settings={"dim": one_dim(d, d.values[x].ndim)})


LINES: dict[str, Callable[[Drawing, str, Any], int]] = {
    "amax": reduction,
    "amin": reduction,
    "cumsum": along,
    "linalg.vector_norm": norm,
    "log_softmax": along,
    "max": extreme,
    "min": extreme,
    "prod": prod,
    "var": var,
}
