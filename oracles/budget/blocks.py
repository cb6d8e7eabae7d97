"""Ops whose backward reuses the rounded output as a whole: how sound libraries evaluate them and pull back.

Each takes the rounded algebra, the operand and PyTorch's settings, like the functions of `oracles.exact.structure`,
and stands in for the op's meaning when a budget is wanted. Measured without these: a cumprod of one element computes
g*y/x where the meaning's own chain rule says g, and would be accused of an error of one ulp.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.budget import polynomial_erf
from oracles.budget.determinants import det
from oracles.budget.losses import mse_loss, with_logits
from oracles.budget.means import mean
from oracles.budget.norms import norm
from oracles.budget.rounded import NOT_FINITE, Rounded, Rounding
from oracles.budget.sums import later
from oracles.budget.systems import SYSTEMS
from oracles.exact.linear import einsum as contracted
from oracles.exact.lines import cumprod as running_products
from oracles.exact.lines import product
from oracles.exact.objects import Dim, Objects, dims, lines, objects, reduced

Cotangents = Sequence[Rounded | None]
Run = Any
"""A line of scalars: a sequence of `Rounded`, or an object array of them."""


def _peak(arena: Rounding, run: Run) -> Rounded:
    """The element that a library subtracts so that nothing overflows: a constant as far as slopes go."""
    top = max(run, key=arena.nominal)
    return Rounded(arena, top.ball, False)


def _exps(arena: Rounding, run: Run) -> tuple[Rounded, list[Rounded]]:
    peak = _peak(arena, run)
    return peak, arena.along(lambda x: (x - peak).exp(), run)


def logsumexp(arena: Rounding, x: Objects, *, dim: Dim, keepdim: bool = False) -> list[Objects]:
    """peak + log(sum(exp(x - peak))); back: g * exp(x - y), from the rounded y."""

    def one(run: Run) -> Rounded:
        with arena.silent():
            peak, powers = _exps(arena, run)
            value = peak + arena.add(powers).log()
        return arena.attach([value], tuple(run), _pull_logsumexp)[0]

    return [reduced(x, dim, keepdim, one)]


def _pull_logsumexp(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    (g,), (y,) = gs, ys
    return [None] * len(xs) if g is None else list(y.arena.along(lambda x: g * (x - y).exp(), xs))


def softmax(arena: Rounding, x: Objects, *, dim: int) -> list[Objects]:
    """exp(x - peak) / sum of the same; back: g*y - y*sum(g*y)."""

    def one(run: Run) -> list[Rounded]:
        with arena.silent():
            _, powers = _exps(arena, run)
            total = arena.add(powers)
            values = arena.along(lambda p: p / total, powers)
        return arena.attach(values, tuple(run), _pull_softmax)

    return [_along(x, dim, one)]


def _pull_softmax(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    arena, full = ys[0].arena, [g for g in gs if g is not None]
    if len(full) == len(ys):
        whole = arena.along(operator.mul, full, ys)
        total = arena.add(whole)
        return list(arena.along(lambda p, y: p - y * total, whole, ys))
    products = [None if g is None else g * y for g, y in zip(gs, ys, strict=True)]
    total = arena.add([p for p in products if p is not None])
    return [-(y * total) if p is None else p - y * total for p, y in zip(products, ys, strict=True)]


def cumprod(arena: Rounding, x: Objects, *, dim: int) -> list[Objects]:
    """Running products; back: the reversed running sum of g*y, over x, up to the first x that is 0.

    From there on, and in a variant wherever the array has a 0, by definition: the sum of g times the product of the
    others. PyTorch does so where the gradient is itself recorded, and the engine always.
    """
    defined = bool(arena.variant) and any(node.ball == 0 for node in x.flat)
    return [_along(x, dim, lambda run: _running(arena, run, _pull_defined if defined else _pull_cumprod))]


def _running(arena: Rounding, run: Run, pull: Callable[..., Any] | None = None) -> list[Rounded]:
    with arena.silent():
        (values,) = running_products(arena, objects(run, (len(run),)), dim=0)
    return arena.attach(list(values), tuple(run), pull or _pull_cumprod)


def _pull_cumprod(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    arena = ys[0].arena
    products = [None if g is None else g * y for g, y in zip(gs, ys, strict=True)]
    smooth = next((k for k, x in enumerate(xs) if x.ball == 0), len(xs))
    sums = zip(later(arena, products)[:smooth], xs, strict=False)
    pulled = [None if p is None else p / x for p, x in sums]
    return [*pulled, *(_by_definition(gs, xs, k) for k in range(smooth, len(xs)))]


def _pull_defined(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    return [_by_definition(gs, xs, k) for k in range(len(xs))]


def _by_definition(gs: Cotangents, xs: Sequence[Rounded], k: int) -> Rounded | None:
    """The sum over j >= k of gs[j] times the product of the xs up to j without xs[k].

    What comes before is one product and what comes after are running ones, which pull back as those do.
    """
    arena = xs[k].arena
    before = _product(arena, xs[:k])
    others = [before, *(before * after for after in _running(arena, xs[k + 1 :]))]
    terms = [g * other for g, other in zip(gs[k:], others, strict=True) if g is not None]
    return arena.add(terms) if terms else None


def std(
    arena: Rounding, x: Objects, *, dim: Dim = None, correction: float = 1, keepdim: bool = False
) -> list[Objects]:
    """sqrt(sum((x - mean)**2) / (n - correction)); back: g * (x - mean) / (y * (n - correction))."""

    def one(run: Run) -> Rounded:
        if _equal(arena, run):
            return arena.tip(list(run))
        with arena.silent():
            value = _variance(arena, run, correction).sqrt()
        return arena.attach([value], tuple(run), pull)[0]

    def pull(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
        (g,), (y,) = gs, ys
        if g is None:
            return [None] * len(xs)
        scale = g / (y * (len(xs) - correction))
        return list(arena.along(lambda c: scale * c, _centred(arena, xs)))

    return [reduced(x, dim, keepdim, one)]


def _equal(arena: Rounding, run: Run) -> bool:
    """Whether all are one number whose multiples are exact, so that in any library none is off the mean of all."""
    first = run[0].ball
    same = all(x.ball.is_exact() and x.ball == first for x in run)
    return same and all(arena.fits(k * first) for k in range(1, len(run) + 1))


def _variance(arena: Rounding, run: Run, correction: float) -> Rounded:
    centred = _centred(arena, run)
    mean: Rounded = arena.dot(centred, centred) / (len(run) - correction)
    return mean


def _centred(arena: Rounding, run: Run) -> list[Rounded]:
    mean = arena.add(run) / len(run)
    return arena.along(lambda x: x - mean, run)


def silu(arena: Rounding, x: Objects) -> list[Objects]:
    """x * sigmoid(x), where the sigmoid may underflow before the product does; back: g * (s * (1 + x*(1 - s)))."""

    def one(x: Rounded) -> Rounded:
        with arena.silent():
            value = x * x.sigmoid()
        return arena.make(value.ball, 0, (x,), pull)

    def pull(g: Rounded, y: Rounded, x: Rounded) -> list[Rounded | None]:
        s = x.sigmoid()
        return [g * (s * (1 + x * (1 - s)))]

    return [objects(map(one, x.flat), x.shape)]


def gelu(arena: Rounding, x: Objects, *, approximate: str = "none") -> list[Objects]:
    """x * (1 + erf(x/sqrt(2)))/2, where erf may be a polynomial's, at float32 and below; back: the chain rule."""

    def one(x: Rounded) -> Rounded:
        z = x * (arb(1) / 2).sqrt()
        e = z.erf()
        off = arb(0, polynomial_erf.reach(z.ball).upper()) if arena.u >= polynomial_erf.U else 0
        coarse = arena.make(e.ball + off, 0, (e,), lambda g, y, e: (g,))
        value: Rounded = x * ((1 + coarse) * 0.5)
        return value

    return [objects(map(one, x.flat), x.shape)]


def _along(x: Objects, dim: int, combine: Callable[[Run], list[Rounded]]) -> Objects:
    """Each line along `dim` replaced by what `combine` makes of it."""
    if x.ndim == 0:
        return objects(combine([x[()]]), ())
    runs, shape = lines(x, dims(dim, x.ndim))
    length = x.shape[dim]
    made = objects((y for run in runs for y in (combine(run) if length else [])), (*shape, length))
    return np.moveaxis(made, -1, dim)


def log_softmax(arena: Rounding, x: Objects, *, dim: int) -> list[Objects]:
    """(x - peak) - log(sum(exp(x - peak))); back: g - exp(y)*sum(g), from the rounded y."""

    def one(run: Run) -> list[Rounded]:
        with arena.silent():
            peak = _peak(arena, run)
            off = arena.along(lambda x: x - peak, run)
            total = arena.add(arena.along(lambda x: x.exp(), off)).log()
            values = arena.along(lambda x: x - total, off)
        return arena.attach(values, tuple(run), _pull_log_softmax)

    return [_along(x, dim, one)]


def _pull_log_softmax(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    arena, full = ys[0].arena, [g for g in gs if g is not None]
    total = arena.add(full)
    if len(full) == len(ys):
        return list(arena.along(lambda g, y: g - y.exp() * total, full, ys))
    return [-(y.exp() * total) if g is None else g - y.exp() * total for g, y in zip(gs, ys, strict=True)]


def var(
    arena: Rounding, x: Objects, *, dim: Dim = None, correction: float = 1, keepdim: bool = False
) -> list[Objects]:
    """sum((x - mean)**2) / (n - correction); back: g * 2/(n - correction) * (x - mean)."""

    def one(run: Run) -> Rounded:
        with arena.silent():
            value = _variance(arena, run, correction)
        return arena.attach([value], tuple(run), pull)[0]

    def pull(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
        (g,) = gs
        if g is None:
            return [None] * len(xs)
        scale = g * 2 / (len(xs) - correction)
        return list(arena.along(lambda c: scale * c, _centred(arena, xs)))

    return [reduced(x, dim, keepdim, one)]


def prod(arena: Rounding, x: Objects, *, dim: int | None = None, keepdim: bool = False) -> list[Objects]:
    """The product; back: g*y/x, or, where an x is 0 and in a variant, g times the product of the others."""
    return [reduced(x, dim, keepdim, lambda run: _product(arena, run, bool(arena.variant)))]


def _product(arena: Rounding, run: Run, others: bool = False) -> Rounded:
    """The product of a line; `others` says that it pulls back the product of the others although no x is 0."""
    if not len(run):
        return arena.constant(1)
    with arena.silent():
        value = product(arena, run)
    others = others or any(r.ball == 0 for r in run)  # over what may be 0: no ball, so not told
    return arena.attach([value], tuple(run), _pull_others if others else _pull_prod)[0]


def _pull_prod(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    (g,), (y,) = gs, ys
    return [None if g is None else g * (y / x) for x in xs]


def _pull_others(gs: Cotangents, ys: Sequence[Rounded], xs: Sequence[Rounded]) -> list[Rounded | None]:
    """The product of the others as PyTorch has it: running products from both ends, which pull back as those do."""
    (g,), arena = gs, ys[0].arena
    if g is None:
        return [None] * len(xs)
    ones = arena.constant(1)
    before = _running(arena, [ones, *xs[:-1]])
    after = _running(arena, [ones, *xs[:0:-1]])[::-1]
    return [g * (b * a) for b, a in zip(before, after, strict=True)]


def einsum(arena: Rounding, *operands: Objects, equation: str) -> list[Objects]:
    """Sums of products; a letter of one operand alone may be summed before anything is multiplied.

    Measured: torch and NumPy compute ij,k->jk as the product of sums, whose rounding the exact product of an element
    does not have. The magnitudes are the same, so each product's rounding stands for that of its part of the sum.

    Three operands or more are contracted in any order: any of their products may overflow.
    """
    if len(operands) > 2:
        sizes = [max((float(x.ball.abs_upper()) for x in o.flat), default=0.0) for o in operands]
        if not math.prod(max(1.0, size) for size in sizes) < arena.big:
            operands = tuple(objects(map(_lost, o.flat), o.shape) for o in operands)
    with arena.reassociated():
        return contracted(arena, *operands, equation=equation)


def _lost(x: Rounded) -> Rounded:
    """A number of which nothing is known, nor of its slope."""
    nothing = Rounded(x.arena, NOT_FINITE, False)
    return x.arena.make(NOT_FINITE, 0, (x,), lambda g, y, x: (g * nothing,))


BLOCKS: dict[str, Callable[..., list[Any]]] = {
    **SYSTEMS,
    "cumprod": cumprod,
    "einsum": einsum,
    "linalg.det": det,
    "linalg.vector_norm": norm,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "mean": mean,
    "nn.functional.binary_cross_entropy_with_logits": with_logits,
    "nn.functional.gelu": gelu,
    "nn.functional.mse_loss": mse_loss,
    "nn.functional.silu": silu,
    "prod": prod,
    "softmax": softmax,
    "std": std,
    "var": var,
}
