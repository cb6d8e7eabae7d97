"""How each op is drawn: operands of the right shapes and settings away from their defaults.

An elementwise op needs nothing here: its facts say all. Every other op has one function, which draws a step on a
`Drawing` and returns the number of the value to go on with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

import refgrad
from oracles.generation.axes import one_dim, some_dims
from oracles.generation.drawing import HUGE, Drawing
from oracles.generation.lines import LINES
from oracles.generation.losses import LOSSES
from oracles.generation.matrices import MATRICES
from oracles.generation.moves import MOVES
from oracles.generation.values import NUMBERS, REALS, Domain, draw_array, holds, table
from oracles.program import Dots, IndexItem, Int, NewAxis, Pick, Ref, Refs, Scalar, Setting, Slice

Settings = dict[str, Setting]
OPERATORS = {"add", "sub", "mul", "div"}
BETWEEN = ("size-1 axis", "mixed ranks", "same twice", "ties", "mixed dtypes", "constant operand")
"""The faces that are about several tensors, where an op may take numbers for all but one."""
EXPONENTS = (2, 3, 0.5, 1, -1, 2.5, 0, -2, 4)


def elementwise(d: Drawing, op: str, public: Any) -> int:
    """Any op with a scalar meaning, of one or two operands, one of which may be a Python number."""
    names, facts = public.inputs, public.facts
    domains = [(*facts.domain.get(n, REALS), *facts.poles.get(n, ())) for n in names]
    kinks = [facts.kinks.get(n, ()) for n in names]
    settings = _away(d, public)
    if len(names) == 1:
        return d.apply(op, Ref(_argument(d, op, public, domains[0], kinks[0])), settings=settings)
    if d.face == "scalar" and takes_numbers(op):
        return _with_number(d, op, domains, kinks, settings)
    first, second = pair(d, domains, kinks)
    return d.apply(op, Ref(first), Ref(second), settings=settings)


def pair(
    d: Drawing, domains: Sequence[Domain], kinks: Sequence[tuple[float, ...]] = ((), ())
) -> tuple[int, int]:
    """Two operands that broadcast; where the face wants one to be smaller, it may be the first."""
    turned = d.face in ("size-1 axis", "mixed ranks") and d.one_of(False, True)
    large, small = (1, 0) if turned else (0, 1)
    one = d.operand(domains[large], kinks[large])
    other = d.partner(one, domains[small], kinks[small])
    return (other, one) if turned else (one, other)


@cache
def takes_numbers(op: str, place: int = 1) -> bool:
    """Whether this one of an op's two operands may be a Python number: the engine refuses it where PyTorch does."""
    try:
        refgrad.catalogue()[op].function(*(1.0 if n == place else refgrad.ones(1) for n in range(2)))
    except TypeError:
        return False
    return True


def _argument(d: Drawing, op: str, public: Any, domain: Any, kinks: tuple[float, ...]) -> int:
    """The operand of a function of one: not so large that the result overflows."""
    if d.face != "large" or d.steps:
        return d.operand(domain, kinks)
    return d.given(draw_array(d.draw, d.shape(), large_numbers(public, domain)), domain)


def large_numbers(public: Any, domain: Domain) -> tuple[float, ...]:
    """The large numbers at which a function of one operand does not overflow."""
    numbers = np.array(table("large", domain))
    with np.errstate(all="ignore"):
        results = public.function(refgrad.tensor(numbers)).numpy()
    return tuple(float(n) for n, y in zip(numbers, results, strict=True) if abs(y) < HUGE)


OTHERWISE: dict[str, tuple[Setting, ...]] = {
    "approximate": ("tanh",),
    "decimals": (1, -1, 2),
    "lambd": (1.0, 0.25, 2.0),
    "rounding_mode": ("floor", "trunc"),
}
"""Settings that make an elementwise function another one, and what they may be besides their defaults."""


def _away(d: Drawing, public: Any) -> Settings:
    """Settings away from their defaults, where the face is about settings."""
    if d.face != "settings":
        return {}
    return {name: d.one_of(*OTHERWISE.get(name, (2.0, -0.5, 3.0))) for name in settable(public)}


def settable(public: Any) -> tuple[str, ...]:
    """The settings of an elementwise function that are drawn: numbers, as add's alpha, and those named above."""
    return tuple(
        name
        for name, default in public.settings.items()
        if name in OTHERWISE
        or (isinstance(default, int | float) and type(default) is not bool and "dim" not in name)
    )


def _with_number(d: Drawing, op: str, domains: list[Any], kinks: list[Any], settings: Settings) -> int:
    """A tensor and a number, in this order or, where the op or Python's operator for it allows it, in the other."""
    turned = (op in OPERATORS or takes_numbers(op, 0)) and d.one_of(False, True)
    tensor = d.operand(domains[turned], kinks[turned])
    number = Scalar.of(d.one_of(*(n for n in NUMBERS if holds(domains[0 if turned else 1], n))))
    return d.apply(op, number, Ref(tensor)) if turned else d.apply(op, Ref(tensor), number, settings=settings)


def power(d: Drawing, op: str, public: Any) -> int:
    """pow in its three overloads. A base of any sign has integer exponents; a drawn exponent has a positive base."""
    forms = ("tensor, number", "tensor, tensor", "number, tensor")
    form = forms[1] if d.face in BETWEEN else d.one_of(*forms)
    if d.face == "zero" and form == "number, tensor":
        form = "tensor, number"  # whose base may be 0
    if form == "number, tensor":
        return d.apply(op, Scalar.of(d.one_of(2.0, 3, 0.5, 1.5)), Ref(d.operand()))
    if form == "tensor, tensor":
        base, exponents = pair(d, ((0.0, np.inf), REALS))
        return d.apply(op, Ref(base), Ref(exponents))
    exponent = d.one_of(2, 0) if d.face == "zero" else d.one_of(*EXPONENTS)
    smooth = isinstance(exponent, int) and exponent >= 0
    base = d.operand(REALS if smooth else (0.0, np.inf), (0.0,) if smooth else ())
    return d.apply(op, Ref(base), Scalar.of(exponent))


def clamp(d: Drawing, op: str, public: Any) -> int:
    """clamp: between numbers, one or both, or between tensors; elements may lie on a bound."""
    x = d.operand(kinks=(0.0, 1.0))
    if d.face in BETWEEN or d.integer(0, 3) == 3:
        return d.apply(op, *map(Ref, _between(d, x)))
    bounds = d.one_of({"min": 0.0}, {"max": 1.0}, {"min": 0.0, "max": 1.0}, {"min": -0.5, "max": 2.0})
    return d.apply(op, Ref(x), settings=bounds)


def _between(d: Drawing, x: int) -> tuple[int, int, int]:
    """What lies between, and its two bounds: one of the three may be smaller than the others, or two the same."""
    if d.face == "ties":
        low = d.new(d.values[x].shape)
        return x, low, d.partner(low)
    low, high = (d.partner(x, kinks=(0.0, 1.0)) for _ in ("min", "max"))
    return (
        (low, x, high)
        if d.face in ("size-1 axis", "mixed ranks") and d.one_of(False, True)
        else (x, low, high)
    )


def where(d: Drawing, op: str, public: Any) -> int:
    """where: a drawn mask, and two operands, one of which may be a number."""
    first, second = pair(d, (REALS, REALS))
    shape = np.broadcast_shapes(d.values[first].shape, d.values[second].shape)
    size = math.prod(shape)
    picks = [d.one_of(True, False) for _ in range(size)] if size < 9 else [i % 3 < 2 for i in range(size)]
    mask = d.given(np.array(picks, dtype=bool).reshape(shape))
    if d.face == "scalar":
        return d.apply(op, Ref(mask), Ref(first), Scalar.of(d.one_of(0.5, 2.0)))
    return d.apply(op, Ref(mask), Ref(first), Ref(second))


def reduction(d: Drawing, op: str, public: Any) -> int:
    """sum, mean, logsumexp: over everything, over one dimension, or over several."""
    x = d.operand(least=1 if d.face in ("tuple dim", "negative dim", "settings") else 0)
    shape = d.values[x].shape
    settings: Settings = {}
    if op == "logsumexp" or d.face in ("tuple dim", "negative dim", "settings") or d.integer(0, 1):
        settings["dim"] = some_dims(d, len(shape))
        if d.face == "settings" or d.integer(0, 3) == 3:
            settings["keepdim"] = True
    if op != "sum" and 0 in shape:
        x = d.new(tuple(n or 1 for n in shape))
    return d.apply(op, Ref(x), settings=settings)


def cat(d: Drawing, op: str, public: Any) -> int:
    """cat of one to three tensors, equal but along `dim`; perhaps the same one twice."""
    if d.face == "empty" and d.integer(0, 1):  # one of one dimension and no elements counts for nothing
        some = d.new((2, 3))
        return d.apply(op, Refs((d.new((0,)), some)), settings={"dim": one_dim(d, 2)})
    first = d.operand(least=1)
    shape = d.values[first].shape
    dim = one_dim(d, len(shape))
    others = [first] if d.face == "same twice" else []
    for _ in range(d.integer(0 if others else 1, 2)):
        sides = list(shape)
        sides[dim] = d.one_of(1, 2)
        others.append(d.new(tuple(sides)))
    return d.apply(op, Refs((first, *others)), settings={"dim": dim})


def getitem(d: Drawing, op: str, public: Any) -> int:
    """Basic indices, index arrays (with repeats), and masks."""
    x = d.operand(least=1)
    shape = d.values[x].shape
    if 0 in shape:
        return d.apply(op, Ref(x), index=(Slice(0, 1), *([Dots()] if len(shape) > 1 else [])))
    if d.face == "mask":
        mask = d.given(np.array([d.one_of(True, False) for _ in range(shape[0])], dtype=bool))
        return d.apply(op, Ref(x), Ref(mask), index=(Pick(1),))
    if d.face in ("repeated index", "index array") or d.integer(0, 3) == 3:
        return _advanced(d, op, x, shape)
    if d.face == "non-square" and d.one_of(False, True):
        return d.apply(op, Ref(x), index=(Dots(),))  # the whole, as another tensor
    count, place, odd = d.integer(1, len(shape)), 0, None
    sides = shape[:count]
    if d.face == "settings" or d.integer(0, 3) == 3:
        place, odd = d.integer(0, count), d.one_of(NewAxis(), Dots())
        if isinstance(odd, Dots):  # what follows the dots counts from the end
            sides = (*shape[:place], *shape[len(shape) - (count - place) :])
    items: list[IndexItem] = [d.one_of(*_basic(n)) for n in sides]
    if odd is not None:
        items.insert(place, odd)
    return d.apply(op, Ref(x), index=tuple(items))


def _basic(n: int) -> tuple[IndexItem, ...]:
    return (
        Int(0),
        Slice(),
        Slice(1),
        Slice(None, None, 2),
        Int(-1),
        Slice(None, -1),
        Int(n - 1),
        Slice(-2, None),
    )


def _advanced(d: Drawing, op: str, x: int, shape: tuple[int, ...]) -> int:
    lead = 1 if len(shape) > 1 and d.integer(0, 2) == 2 else 0
    indexed = shape[lead : lead + d.integer(1, min(2, len(shape) - lead))]
    length = d.integer(2, 3)
    picks = []
    for side in indexed:
        low = -1 if d.face == "negative dim" else 0
        same = d.integer(low, side - 1) if d.face == "repeated index" else None
        picks.append(
            d.given(np.array([d.integer(low, side - 1) if same is None else same for _ in range(length)]))
        )
    items: list[IndexItem] = [Slice()] * lead
    items += [Pick(k + 1) for k in range(len(picks))]
    return d.apply(op, Ref(x), *(Ref(p) for p in picks), index=tuple(items))


def reshape(d: Drawing, op: str, public: Any) -> int:
    """Another shape for the same number of elements, perhaps with a -1."""
    x = d.operand(least=2 if d.face == "non-contiguous" and d.integer(0, 1) else 0)
    size, shape = d.values[x].size, d.values[x].shape
    options: list[tuple[int, ...]] = [(size,), shape[::-1], (1, size), (*shape, 1)]
    if size:
        options += [(-1,), (-1, 1)]
    return d.apply(op, Ref(x), settings={"shape": d.one_of(*options)})


def transpose(d: Drawing, op: str, public: Any) -> int:
    """Two dimensions swapped."""
    x = d.operand(least=1)
    ndim = d.values[x].ndim
    first = d.integer(0, ndim - 1)
    second = one_dim(d, ndim)
    return d.apply(op, Ref(x), settings={"dim0": first, "dim1": second})


def expand(d: Drawing, op: str, public: Any) -> int:
    """Axes of size 1 repeated, a new leading axis, or -1 to keep."""
    x = d.operand(most=2)
    shape = d.values[x].shape
    size = tuple(d.one_of(2, 3) if n == 1 else d.one_of(n, -1) for n in shape)
    lead = (d.one_of(2, 1),) if d.integer(0, 1) or not shape else ()
    return d.apply(op, Ref(x), settings={"size": lead + size})


def matmul(d: Drawing, op: str, public: Any) -> int:
    """Vectors, matrices and batches, with a batch axis that broadcasts."""
    a = d.operand(least=1)
    shape = d.values[a].shape
    n = shape[-1]
    if d.face == "same twice" and (len(shape) == 1 or shape[-2] == n):
        return d.apply(op, Ref(a), Ref(a))
    k = d.one_of(2, 1, 3)
    forms: list[tuple[int, ...]] = [(n, k), (n,), (1, n, k)]
    if len(shape) > 2:
        forms.append((*shape[:-2], n, k))
    if len(shape) < 3:
        forms.append((2, n, k))
    return d.apply(op, Ref(a), Ref(d.new(d.one_of(*forms))))


def solve(d: Drawing, op: str, public: Any) -> int:
    """Well-conditioned square systems: a drawn matrix with a strong diagonal, its rows shuffled so that pivots move."""
    n = 0 if d.face == "empty" else d.integer(1, 3)
    batch = (2,) if d.face == "bulk" else ()
    matrix = np.array([d.one_of(0.5, -0.5, 1.0, -1.0, 0.0, 0.25) for _ in range(math.prod(batch) * n * n)])
    A = matrix.reshape(*batch, n, n) + np.eye(n)[::-1] * d.one_of(4.0, -5.0, 3.5)
    k = d.one_of(1, 2)
    left = not (d.face == "settings" and d.integer(0, 1) == 0)
    side = (n, k) if left else (k, n)
    shape = side if d.integer(0, 1) or not left else (n,)
    settings: Settings = {} if left else {"left": False}
    a = d.given(A)
    alike = len(shape) == 2 or d.integer(0, 1)  # beside a batch, a vector for each matrix, or one for all
    return d.apply(op, Ref(a), Ref(d.new((*batch, *shape) if alike else shape)), settings=settings)


DRAWERS: dict[str, Callable[[Drawing, str, Any], int]] = {
    **LINES,
    **LOSSES,
    **MATRICES,
    **MOVES,
    "cat": cat,
    "clamp": clamp,
    "expand": expand,
    "getitem": getitem,
    "linalg.solve": solve,
    "logsumexp": reduction,
    "matmul": matmul,
    "mean": reduction,
    "pow": power,
    "reshape": reshape,
    "sum": reduction,
    "transpose": transpose,
    "where": where,
}


def draw_step(d: Drawing, op: str, public: Any) -> int:
    """Append one application of this op of the catalogue to the drawing; the number of its result."""
    drawer = DRAWERS.get(op)
    if drawer is None:
        if not isinstance(public.facts.meaning, str):
            raise LookupError(f"{op} is not elementwise and has no function in oracles/generation/steps.py")
        drawer = elementwise
    return drawer(d, op, public)
