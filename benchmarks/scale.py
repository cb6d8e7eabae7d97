"""How time and memory grow with the graph: long chains, one leaf used often, wide and deep graphs.

    python -m benchmarks.scale [--size 1000000]

Each graph is made, run backward and dropped at four sizes, with the garbage collector off. `slope` is the exponent with
which the time grows from the second size to the last (1 is linear), `left` the objects that dropping the graph leaves
behind, and `bytes` what one node takes. Exits with 1 if a slope is above 1.25, or if more is left than the few thousand
objects that the interpreter keeps for later.
"""

from __future__ import annotations

import argparse
import gc
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from pathlib import Path
from time import process_time
from typing import Any

import refgrad

STEEPEST = 1.25
"""Sorting and memory that no longer fits a cache cost a little more than linear."""
KEPT = 5000
"""Freed lists, tuples and dicts that the interpreter keeps for later; a node that stays leaves several objects."""


def chain(size: int) -> tuple[Any, Any]:
    """A chain of `size` ops, each of which saves its output."""
    x = y = refgrad.tensor(0.5, dtype=refgrad.float64, requires_grad=True)
    for _ in range(size):
        y = y.tanh()
    return x, y


def shared(size: int) -> tuple[Any, Any]:
    """A leaf that `size` products use."""
    x = refgrad.tensor(0.5, dtype=refgrad.float64, requires_grad=True)
    y = x
    for _ in range(size):
        y = y + x * 1e-3
    return x, y


def grid(size: int) -> tuple[Any, Any]:
    """As wide as deep, of `size` sums, each of two neighbours in the layer before."""
    x = refgrad.tensor(1e-3, dtype=refgrad.float64, requires_grad=True)
    width = round(size**0.5)
    row = [x * 0.5 for _ in range(width)]
    for _ in range(size // width):
        row = [row[i] + row[i - 1] for i in range(width)]
    return x, refgrad.stack(row).sum() * 2.0**-40


def hooked(size: int) -> tuple[Any, Any]:
    """A chain with a hook on each tensor."""
    x = y = refgrad.tensor(0.5, dtype=refgrad.float64, requires_grad=True)
    for _ in range(size):
        y = y.tanh()
        y.register_hook(same)
    return x, y


def same(g: Any) -> Any:
    return g


def backward(x: Any, y: Any) -> None:
    y.backward()


def second_order(x: Any, y: Any) -> None:
    (g,) = refgrad.autograd.grad(y, x, create_graph=True)
    g.backward()


def nothing(x: Any, y: Any) -> None:
    """The graph is dropped as it is."""


@dataclass(frozen=True)
class Row:
    """What one size took: CPU seconds of each phase, blocks left behind, bytes of one node."""

    size: int
    forward: float
    run: float
    drop: float
    left: int
    bytes: float

    @property
    def seconds(self) -> float:
        """All phases together."""
        return self.forward + self.run + self.drop


WORKS: dict[str, tuple[Callable[[int], tuple[Any, Any]], Callable[[Any, Any], None], float]] = {
    "chain, backward": (chain, backward, 1),
    "chain, dropped unused": (chain, nothing, 1),
    "chain, second order": (chain, second_order, 0.1),
    "chain with hooks, backward": (hooked, backward, 0.1),
    "one leaf used often": (shared, backward, 0.1),
    "as wide as deep": (grid, backward, 1),
}


def resident() -> float:
    """The bytes that the process holds in memory; NaN where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096.0 if status.exists() else float("nan")


def measure(make: Callable[[int], tuple[Any, Any]], run: Callable[[Any, Any], None], size: int) -> Row:
    """One size of one work, with the collector off."""
    before, empty = sys.getallocatedblocks(), resident()
    began = process_time()
    x, y = make(size)
    made, full = process_time(), resident()
    run(x, y)
    ran = process_time()
    del x, y
    dropped = process_time()
    left = sys.getallocatedblocks() - before
    return Row(size, made - began, ran - made, dropped - ran, left, (full - empty) / size)


def slope(first: Row, last: Row) -> float:
    """The exponent with which seconds grow with the size."""
    return log(last.seconds / first.seconds) / log(last.size / first.size)


def main() -> int:
    """Measure, print, and say whether all is linear and freed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1_000_000)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    good = True
    print(
        f"{'CPU seconds':28}{'size':>10}{'forward':>10}{'backward':>10}{'drop':>8}{'us each':>9}"
        f"{'bytes':>7}{'left':>6}{'slope':>7}"
    )
    gc.disable()
    for name, (make, run, share) in WORKS.items():
        sizes = [max(100, round(asked.size * share / part)) for part in (1000, 100, 10, 1)]
        measure(make, run, sizes[1])  # what the interpreter keeps for later is made now
        rows = [measure(make, run, size) for size in sizes]
        for row in rows:
            steep = f"{slope(rows[1], row):7.2f}" if row is rows[-1] else ""
            print(
                f"{name:28}{row.size:10,}{row.forward:10.3f}{row.run:10.3f}{row.drop:8.3f}"
                f"{row.seconds / row.size * 1e6:9.2f}{row.bytes:7.0f}{row.left:6}{steep}"
            )
            name = ""
        gc.collect()
        good = (
            good
            and slope(rows[1], rows[-1]) <= STEEPEST
            and all(row.left < max(KEPT, row.size // 100) for row in rows)
        )
    gc.enable()
    print("linear, and nothing is left" if good else "NOT linear, or something is left")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
