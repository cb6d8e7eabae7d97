"""Does the exact oracle enclose the truth, and how far off are other ways to a derivative on the same points?

    python -m benchmarks.enclosures [--points 200] [--seed 0] [--functions "sin(x);tan(x)"]

Ten functions of one number, each at 200 float64 inputs whose logarithms are uniform between 1e-3 and 3.2, after the
2,000-point set of anchors that differentiation tools are compared on. A point where `tan` has a pole within `POLE` is
replaced by the next draw. The truth is mpmath's derivative at 400 bits, by its own differences at a working precision
that makes up for their cancellation: it shares neither SymPy's derivatives nor Arb's balls with the oracle. A point
counts where the oracle's ball contains that number; none is widened for the comparison.

Central differences are those of `torch.autograd.gradcheck`, with its step; at second order they difference torch's
first derivative, as gradgradcheck does. A library that is not installed is left out and named.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from flint import arb
from rich.console import Console
from rich.table import Table

import refgrad
from oracles.arrays import Array
from oracles.program import Case, Input
from oracles.tracing import trace
from oracles.truth import Enclosed, enclose, working_bits

BITS = 400
LEAST, MOST = 1e-3, 3.2
POLE = 0.01
"""Nearer than this to an odd multiple of pi/2 an input of tan is replaced."""
STEP = 1e-6
"""`gradcheck`'s step, on either side."""

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Function = Callable[[Any, Any], Any]

FUNCTIONS: dict[str, Function] = {
    "sin(x)": lambda m, x: m.sin(x),
    "exp(x)": lambda m, x: m.exp(x),
    "log(x)": lambda m, x: m.log(x),
    "sqrt(x)": lambda m, x: m.sqrt(x),
    "atan(x)": lambda m, x: m.atan(x),
    "tan(x)": lambda m, x: m.tan(x),
    "tanh(x)": lambda m, x: m.tanh(x),
    "x**x": lambda m, x: x**x,
    "(1 - cos(x))/x**2": lambda m, x: (1 - m.cos(x)) / (x * x),
    "x*sin(1/x)": lambda m, x: x * m.sin(1 / x),
}
"""Each in the words of whatever library `m` is."""


def points(name: str, count: int, seed: int) -> Numbers:
    """Inputs of a function: the same for the same seed, whatever other functions are asked for."""
    rng = np.random.default_rng([seed, list(FUNCTIONS).index(name)])
    found: list[float] = []
    while len(found) < count:
        x = float(np.exp(rng.uniform(np.log(LEAST), np.log(MOST))))
        if name != "tan(x)" or abs(x - np.pi / 2) >= POLE:
            found.append(x)
    return np.array(found)


def enclosed(function: Function, xs: Numbers) -> tuple[list[arb], list[arb]]:
    """The exact oracle's balls for the first and the second derivative at each point.

    Raises:
        RuntimeError: it cannot tell.
    """
    spec = Input("x", xs.shape, "float64")
    program = trace(lambda x: function(refgrad, x), [spec], [xs], "float64").program
    ones = Array.of(np.ones_like(xs))
    truth = enclose(Case(program, (Array.of(xs),), (ones,), "float64", 2, (ones,)))
    if not isinstance(truth, Enclosed):
        raise RuntimeError(truth.reason)
    return truth.arrays["gradient of x"].truth, truth.arrays["second-order gradient of x"].truth


def derivatives(function: Function, xs: Numbers, order: int) -> list[arb]:
    """mpmath's derivative at each point, exactly as it answered."""
    with mpmath.workprec(BITS), working_bits(BITS):
        found = [mpmath.diff(lambda x: function(mpmath, x), mpmath.mpf(float(x)), order) for x in xs]
        return [_exactly(d) for d in found]


def _exactly(number: mpmath.mpf) -> arb:
    mantissa, exponent = number.man_exp  # without the sign
    return arb((-int(mantissa) if number < 0 else int(mantissa), int(exponent)))


def in_torch(function: Function, xs: Numbers) -> tuple[Numbers, Numbers]:
    """PyTorch's first and second derivative."""
    import torch

    return _twice(torch, function, xs)


def in_refgrad(function: Function, xs: Numbers) -> tuple[Numbers, Numbers]:
    """The engine's first and second derivative."""
    return _twice(refgrad, function, xs)


def _twice(library: Any, function: Function, xs: Numbers) -> tuple[Numbers, Numbers]:
    x = library.tensor(xs.tolist(), dtype=library.float64, requires_grad=True)
    (first,) = library.autograd.grad([function(library, x).sum()], [x], create_graph=True)
    (second,) = library.autograd.grad([first.sum()], [x])
    return np.asarray(first.detach().numpy()), np.asarray(second.numpy())


def in_autograd(function: Function, xs: Numbers) -> tuple[Numbers, Numbers]:
    """HIPS autograd's first and second derivative."""
    import autograd
    import autograd.numpy as anp

    library = _numpy(anp)
    first = autograd.elementwise_grad(lambda x: function(library, x))
    return first(xs), autograd.elementwise_grad(first)(xs)


def _numpy(module: Any) -> SimpleNamespace:
    """What the functions ask for, from a module with NumPy's names."""
    names = ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh")
    return SimpleNamespace(atan=module.arctan, **{name: getattr(module, name) for name in names})


def by_differences(function: Function, xs: Numbers) -> tuple[Numbers, Numbers]:
    """Central differences of the values, and of PyTorch's first derivative."""
    library = _numpy(np)
    first = (function(library, xs + STEP) - function(library, xs - STEP)) / (2 * STEP)
    up, down = (in_torch(function, xs + step)[0] for step in (STEP, -STEP))
    return first, (up - down) / (2 * STEP)


WAYS = {
    "central differences": by_differences,
    "torch": in_torch,
    "HIPS autograd": in_autograd,
    "refgrad": in_refgrad,
}


@dataclass(frozen=True)
class Row:
    """One function at one order: which points are enclosed, how wide relatively, and each way's relative error."""

    name: str
    order: int
    inside: list[bool]
    width: list[float]
    errors: dict[str, list[float]]


def measure(name: str, count: int, seed: int, ways: dict[str, Any] | None = None) -> list[Row]:
    """Both orders of one function."""
    function, xs = FUNCTIONS[name], points(name, count, seed)
    answers = {way: answer(function, xs) for way, answer in (WAYS if ways is None else ways).items()}
    rows = []
    for order, balls in enumerate(enclosed(function, xs), 1):
        truth = derivatives(function, xs, order)
        with working_bits(BITS):
            inside = [bool(ball.contains(t)) for ball, t in zip(balls, truth, strict=True)]
            width = [float(2 * b.rad() / abs(t)) for b, t in zip(balls, truth, strict=True)]
            errors = {way: _errors(answer[order - 1], truth) for way, answer in answers.items()}
        rows.append(Row(name, order, inside, width, errors))
    return rows


def _errors(got: Numbers, truth: list[arb]) -> list[float]:
    return [
        float(abs(arb(float(g)) - t) / abs(t)) if np.isfinite(g) else float("inf")
        for g, t in zip(got, truth, strict=True)
    ]


def _installed() -> tuple[dict[str, Any], list[str]]:
    ways, missing = {}, []
    for way, answer in WAYS.items():
        try:
            answer(FUNCTIONS["sin(x)"], np.ones(1))
        except ImportError as error:
            missing.append(f"{way} ({error.name} is not installed)")
        else:
            ways[way] = answer
    return ways, missing


def _spread(numbers: Sequence[float]) -> list[str]:
    return [f"{np.quantile(numbers, q, method='higher'):.0e}" for q in (0.5, 0.99, 1.0)]


def show(console: Console, rows: Sequence[Row]) -> None:
    """One table for each order, of all points together, and one of the worst error by function."""
    for order, named in ((1, "first"), (2, "second")):
        mine = [r for r in rows if r.order == order]
        total = [inside for r in mine for inside in r.inside]
        title = f"{named} derivative: relative error, {len(total):,} points"
        table = Table("", "median", "p99", "max", title=title)
        table.add_row("exact oracle: width", *_spread([w for r in mine for w in r.width]))
        for way in mine[0].errors:
            table.add_row(way, *_spread([e for r in mine for e in r.errors[way]]))
        console.print(table)
        console.print(
            f"the exact oracle encloses the {named} derivative at {sum(total):,} of {len(total):,} points"
        )
    table = Table(
        "function", "order", "enclosed", *rows[0].errors, title="the worst relative error by function"
    )
    for row in rows:
        worst = [f"{max(e):.0e}" for e in row.errors.values()]
        table.add_row(row.name, str(row.order), f"{sum(row.inside)} of {len(row.inside)}", *worst)
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if a derivative lies outside its ball."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=200, help="inputs of each function")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--functions", default=";".join(FUNCTIONS), help="separated by semicolons")
    asked = parser.parse_args(argv)
    console = Console()
    ways, missing = _installed()
    if missing:
        console.print(f"left out: {', '.join(missing)}")
    names = asked.functions.split(";")
    if unknown := sorted(set(names) - set(FUNCTIONS)):
        parser.error(f"no such function: {', '.join(unknown)}; there are {'; '.join(FUNCTIONS)}")
    rows = [r for name in names for r in measure(name, asked.points, asked.seed, ways)]
    show(console, rows)
    return 0 if all(all(r.inside) for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
