"""Wrongdoers at points without a derivative: ops of the engine with another formula, or another helper of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from refgrad.op import NO_GRADIENT, Joint
from refgrad.ops import arithmetic, extremes, piecewise, running, shaping, spreads, trigonometric
from refgrad.ops.arithmetic import where

from .wrongdoers_kit import edited, formula, wrongdoer


def nan_if_any(bad: Any) -> Any:
    """NaN if there is any bad element, else 0."""
    return np.float32("nan" if bad.any() else 0)


def by_need(g: Any, a: Any, b: Any, needs: tuple[bool, bool]) -> tuple[Any, Any]:
    """What maximum answers if ties are shared only where both of its arguments want a gradient."""
    share = g / (needs[0] + needs[1])
    return where(a < b, 0.0, where(a == b, share, g)), where(b < a, 0.0, where(a == b, share, g))


def shares(g: Any, x: Any, y: Any, dim: tuple[int, ...], keepdim: bool) -> Any:
    """What logsumexp answers by way of a softmax that subtracts no infinity."""
    weights = np.exp(x - np.where(np.isfinite(y), y, x.max(axis=dim)))
    weights = np.where(np.isnan(weights), 1, weights)
    return g * (weights / weights.sum(axis=dim, keepdims=True)).astype(x.dtype)


KINKS = (
    wrongdoer(
        "abs-without-sign",
        "abs has the slope 1 on both sides of 0",
        formula("abs", lambda g, x: where(x == 0, 0.0, g)),
        breaks="ND-1 ND-8",
    ),
    wrongdoer(
        "abs-right-slope",
        "abs has the slope 1 at 0",
        formula("abs", lambda g, x: where(x >= 0, g, where(x < 0, -g, 0.0))),
        breaks="ND-2 ND-3 ND-39",
    ),
    wrongdoer(
        "relu-right-slope",
        "relu has the slope 1 at 0",
        formula("relu", lambda g, x: where(x < 0, 0.0, g)),
        breaks="ND-2 ND-18",
    ),
    wrongdoer(
        "minimum-to-the-first",
        "minimum gives ties to its first argument",
        formula("minimum", lambda g, a, b: where(a > b, 0.0, g), "a"),
        formula("minimum", lambda g, a, b: where(a > b, g, where(a <= b, 0.0, g)), "b"),
        breaks="ND-3",
    ),
    wrongdoer(
        "maximum-to-the-first",
        "maximum gives ties to its first argument",
        formula("maximum", lambda g, a, b: where(a < b, 0.0, g), "a"),
        formula("maximum", lambda g, a, b: where(a < b, g, where(a >= b, 0.0, g)), "b"),
        breaks="ND-4 ND-5",
    ),
    wrongdoer(
        "maximum-to-who-asks",
        "maximum shares ties if both of its arguments want a gradient, and else gives all to the one that does",
        formula("maximum", Joint("a", "b", formula=by_need)),
        breaks="ND-5",
    ),
    wrongdoer(
        "maximum-strictly",
        "maximum asks which argument is larger, so that beside NaN neither receives anything",
        formula("maximum", lambda g, a, b: where(a > b, g, where(a == b, g / 2, 0.0)), "a"),
        formula("maximum", lambda g, a, b: where(b > a, g, where(a == b, g / 2, 0.0)), "b"),
        breaks="ND-22",
    ),
    wrongdoer(
        "sqrt-kept-finite",
        "sqrt adds a small number to what it divides by, so that its gradient is finite at 0",
        formula("sqrt", lambda g, y: g / (2 * y + 1e-12)),
        breaks="ND-6 ND-25",
    ),
    wrongdoer(
        "log-kept-finite",
        "log adds a small number to what it divides by, so that its gradient is finite at 0",
        formula("log", lambda g, x: g / (x + 1e-12)),
        breaks="ND-25",
    ),
    wrongdoer(
        "log-spoils-neighbours",
        "log answers NaN for all elements if one of them is outside of its domain",
        formula("log", lambda g, x: g / x + nan_if_any(x < 0)),
        breaks="ND-7",
    ),
    wrongdoer(
        "abs-spoils-neighbours",
        "abs answers NaN for all elements if one of them is NaN",
        formula("abs", lambda g, x: g * piecewise.sign(x) + nan_if_any(x != x)),
        breaks="ND-8",
    ),
    wrongdoer(
        "abs-swallows-nan",
        "abs takes a gradient that is NaN for 0",
        formula("abs", lambda g, x: where(g == g, g * piecewise.sign(x), 0.0)),
        breaks="ND-9",
    ),
    wrongdoer(
        "where-multiplies",
        "where multiplies by its mask instead of selecting, so that NaN reaches what it did not select",
        formula("where", lambda g, condition: g * where(condition, g == g, 0), "x"),
        formula("where", lambda g, condition: g * (1 - condition), "other"),
        breaks="ND-10",
    ),
    wrongdoer(
        "where-shares-ties",
        "where gives each branch half where both have the same value",
        formula("where", lambda g, condition, x, other: where(condition, g / (1.0 + (x == other)), 0.0), "x"),
        breaks="ND-38 ND-39",
    ),
    wrongdoer(
        "division-guarded",
        "division by 0 has the gradient 0",
        formula("div", lambda g, b: where(b == 0, 0.0, g / b), "a"),
        breaks="ND-11",
    ),
    wrongdoer(
        "slices-of-nothing",
        "the gradient of a slice is spread into memory that nobody has filled with zeros",
        edited(
            shaping.slice_backward.evaluate, "np.zeros(shape, x.dtype)", "np.full(shape, np.nan, x.dtype)"
        ),
        breaks="ND-12 GR-10 FN-1",
    ),
    wrongdoer(
        "amax-to-the-first",
        "amax and amin give ties to the first",
        edited(
            extremes.shared,
            "mask = tied(x, restore(y, x.shape, dim))",
            """
            mask = tied(x, restore(y, x.shape, dim))
            mask = mask & (np.cumsum(mask, axis=dim[0]) == 1)
            """,
        ),
        breaks="ND-13 ND-29",
    ),
    wrongdoer(
        "max-shares-along-a-dimension",
        "max along a dimension shares among ties, as amax does",
        formula("max_dim", lambda g, values, x, dim, keepdim: extremes.shared(g, x, values, (dim,))),
        breaks="ND-13",
    ),
    wrongdoer(
        "round-straight-through",
        "round passes the gradient on as if it were the identity",
        formula("round", lambda g: g),
        breaks="ND-14",
    ),
    wrongdoer(
        "sign-unrecorded",
        "sign leaves no node, because it has no derivative worth mentioning",
        formula("sign", NO_GRADIENT),
        breaks="ND-14",
    ),
    wrongdoer(
        "norm-divides-by-zero",
        "the 2-norm divides by itself, at the zero vector too",
        edited(spreads.norm_backward, "where(top == 0, 0.0, whole * (x / top))", "whole * (x / top)"),
        breaks="ND-15 ND-29 ND-33",
    ),
    wrongdoer(
        "norm-to-each",
        "the infinity norm gives each of several ties the whole gradient",
        edited(
            spreads.norm_backward,
            "shared(g, signed(x, x), y, dim)",
            "where(signed(x, x) == restore(y, x.shape, dim), whole, 0.0)",
        ),
        breaks="ND-29",
    ),
    wrongdoer(
        "clamp-open",
        "clamp has the gradient 0 at a number that bounds it",
        formula(
            "clamp",
            lambda g, x, min, max: where((x == min) | (x == max), 0.0, piecewise.between(g, x, min, max)),  # noqa: A006 - the op's names
        ),
        breaks="ND-19",
    ),
    wrongdoer(
        "clamp-shares-with-its-bound",
        "where its argument ties with a tensor as bound, clamp gives each half",
        formula(
            "clamp_tensor",
            lambda g, x, min, max: where((x == min) | (x == max), g / 2, piecewise.between(g, x, min, max)),  # noqa: A006 - the op's names
        ),
        breaks="ND-20",
    ),
    wrongdoer(
        "pow-of-zero",
        "a power of 0 is differentiated by its exponent through log(0)",
        edited(
            arithmetic.by_exponent,
            "return where(a == 0, where(exponent >= 0, 0.0, g * (y * log(a))), g * (y * log(a)))",
            "return g * (y * log(a))",
        ),
        breaks="ND-26",
    ),
    wrongdoer(
        "atan2-at-the-origin",
        "atan2 divides by the squared distance, at the origin too",
        edited(trigonometric.inverse_square_radius, "where(square == 0, 0.0, 1 / square)", "1 / square"),
        breaks="ND-28",
    ),
    wrongdoer(
        "hypot-at-the-origin",
        "hypot has the gradient 0 at the origin",
        formula("hypot", lambda g, a, y: where(y == 0, 0.0, g * (a / y)), "a"),
        breaks="ND-28",
    ),
    wrongdoer(
        "std-of-constants",
        "std divides by itself, of equal elements too",
        edited(spreads.std_backward, "where(y == 0, 0.0, g / (y * free))", "g / (y * free)"),
        breaks="ND-30",
    ),
    wrongdoer(
        "prod-divides",
        "prod divides itself by each element, by zeros too",
        formula("prod_all", lambda g, x, y: g * y / x),
        breaks="ND-31",
    ),
    wrongdoer(
        "cumprod-divides",
        "cumprod divides itself by each element, by zeros too",
        edited(running.cumprod_backward, "if not int(sum_all(y == 0)):", "if True:"),
        breaks="ND-31",
    ),
    wrongdoer(
        "logsumexp-of-nothing",
        "logsumexp gives the elements equal shares where all are minus infinity",
        formula("logsumexp", shares),
        breaks="ND-32",
    ),
)
