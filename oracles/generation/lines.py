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


ORDERS = (1, INFINITY, 3, f"-{INFINITY}", 0.5, 0, 1.5, 4, 2)
"""Orders of a norm: each of its formulas has one, and of powers an odd, an even and two broken ones."""
AT_ZERO = (1.5, 3, 1, 2)
"""Those of which each does something else where elements are 0."""


def _put_zeros(d: Drawing, x: int) -> None:
    """Make the last element of an input 0, or all of them: the tip of its norm. What a step made stays."""
    if x in d.inputs:
        array = d.values[x]
        array[() if d.integer(0, 2) == 2 else (slice(-1, None),) * array.ndim] = 0


def norm(d: Drawing, op: str, public: Any) -> int:
    """The 2-norm, and elsewhere one of any order, over everything or along dimensions."""
    x = d.operand(kinks=(0.0,), least=1 if d.face in DIMS else 0)
    settings: Settings = {}
    if d.face in ("kink", "zero"):
        settings["ord"] = d.one_of(*AT_ZERO)
    elif d.face == "ties":
        settings["ord"] = d.one_of(INFINITY, f"-{INFINITY}")
    elif d.face == "settings" or d.integer(0, 2) == 2:
        settings["ord"] = d.one_of(*ORDERS)
    if d.face in ("kink", "zero") or ("ord" in settings and d.face != "ties" and d.one_of(False, True)):
        _put_zeros(d, x)
    if settings.get("ord") in (INFINITY, f"-{INFINITY}"):
        x = _full(d, x)
    if d.face in DIMS or d.integer(0, 1):
        settings["dim"] = some_dims(d, d.values[x].ndim)
        _keep(d, settings)
    return d.apply(op, Ref(x), settings=settings)


CORRECTIONS = (0, 2, 1.5)
"""Of std and var; 1.5 may leave less than one whole degree of freedom."""


def var(d: Drawing, op: str, public: Any) -> int:
    """var over lines that are longer than the correction; constants are welcome."""
    x = d.operand(least=1 if d.face in DIMS else 0)
    settings: Settings = {}
    if d.face in DIMS or d.integer(0, 1):
        settings["dim"] = some_dims(d, d.values[x].ndim)
        _keep(d, settings)
    if d.face == "settings":
        settings["correction"] = d.one_of(*CORRECTIONS)
    if not _free(d.values[x], settings):
        wanted = math.floor(settings.get("correction", 1)) + 1  # type: ignore[arg-type]
        x = d.new(tuple(max(n, wanted) for n in d.values[x].shape) or (wanted,))
    return d.apply(op, Ref(x), settings=settings)


def std(d: Drawing, op: str, public: Any) -> int:
    """std over lines that are longer than the correction: not constant, or of one number whose sums are exact."""
    x = d.operand(least=0)
    settings: Settings = {}
    ndim = d.values[x].ndim
    if ndim and (d.face in DIMS or d.integer(0, 1)):
        settings["dim"] = some_dims(d, ndim)
        if d.face == "settings":
            settings["keepdim"] = True
    if d.face == "settings":
        settings["correction"] = d.one_of(*CORRECTIONS)
        if settings["correction"] == 1.5 and not d.steps:
            x = d.given(_ramp((2,) * max(1, ndim)))
    if d.face == "zero" and x in d.inputs and _free(d.values[x], settings) and d.integer(0, 2) == 2:
        d.values[x][...] = d.one_of(1.0, -0.5, 0.0)
        return d.apply(op, Ref(x), settings=settings)
    if not _spread(d.values[x], settings):
        x = d.given(_ramp((3, 4)[: max(1, ndim)] + (1,) * max(0, ndim - 2)))
    return d.apply(op, Ref(x), settings=settings) if _spread(d.values[x], settings) else d.apply(op, Ref(x))


def _free(array: np.ndarray[Any, Any], settings: Settings) -> bool:
    """Whether lines are longer than the correction."""
    dim: Any = settings.get("dim")
    axes = tuple(range(array.ndim)) if dim is None else (dim,) if isinstance(dim, int) else dim
    count = math.prod(array.shape[a] for a in axes if array.ndim)
    return bool(array.size) and count > settings.get("correction", 1)


def _spread(array: np.ndarray[Any, Any], settings: Settings) -> bool:
    """Whether they are, and none is constant."""
    dim: Any = settings.get("dim")
    return _free(array, settings) and bool(
        np.all(np.std(array, axis=dim) > 1e-6 * (1 + np.max(np.abs(array))))
    )


def _ramp(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return (np.arange(math.prod(shape)) % 5 * 0.7 - 1.1).reshape(shape)


def along(d: Drawing, op: str, public: Any) -> int:
    """cumsum, cumprod, softmax, log_softmax: along one dimension."""
    x = d.operand(least=1 if d.face == "negative dim" else 0)
    return d.apply(op, Ref(x), settings={"dim": one_dim(d, d.values[x].ndim)})


LINES: dict[str, Callable[[Drawing, str, Any], int]] = {
    "amax": reduction,
    "amin": reduction,
    "cumprod": along,
    "cumsum": along,
    "linalg.vector_norm": norm,
    "log_softmax": along,
    "max": extreme,
    "min": extreme,
    "prod": prod,
    "softmax": along,
    "std": std,
    "var": var,
}
