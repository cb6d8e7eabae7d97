"""How small a wrong gradient does each checker notice, at its default settings?

    python -m benchmarks.sensitivity [--functions sin,mul] [--sizes 1,10] [--scales 1,1e-6] [--seeds 50]

A function of n numbers, times a scale, is given a gradient that is right but for a factor 1 + d, in all of its
elements or in one. The figure is the smallest d, of either sign, that the checker flags with every seed; "blind" says
that it lets even d = 100 pass. All judge the same functions on the same float64 numbers in [0.1, 1.1]. Each
checker is first given the right gradient: a complaint about that is a false alarm, and counted. A checker that is not
installed, and a cell that would take it longer than its share of the time, are left out and named.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.checkers import CHECKERS, FUNCTIONS, Wrong

GRID = (*(m * 10.0**e for e in range(-16, 2) for m in (1.0, 3.0)), 100.0)
SIZES = (1, 10, 100, 1000)
SCALES = (1e-12, 1e-6, 1e-3, 1.0, 1e6, 1e12)
BLIND = float("inf")


@dataclass(frozen=True)
class Cell:
    """What one checker shows of one function: the smallest factor noticed, None where there was no time."""

    smallest: float | None
    alarms: int
    seconds: float


Check = Callable[[Wrong], Callable[[float], bool]]


def measure(check: Check, cells: Sequence[Wrong], share: float) -> Cell:
    """The smallest factor that `check` flags in each of `cells`, by bisection over the grid of factors.

    share: the seconds after which it is given up.
    """
    began = monotonic()
    looks = [check(cell) for cell in cells]
    alarms = sum(look(0.0) for look in looks[:5])

    def noticed(factor: float) -> bool | None:
        """Whether every cell is flagged; None once there is no time."""
        for look in looks:
            if monotonic() - began > share:
                return None
            for sign in (1, -1):
                if not look(sign * factor):
                    return False
        return True

    low, high = -1, len(GRID) - 1  # GRID[low] is missed somewhere, GRID[high] is noticed everywhere
    found = noticed(GRID[high])
    if found is False:
        return Cell(BLIND, alarms, monotonic() - began)
    while found is not None and high - low > 1:
        middle = (low + high) // 2
        found = noticed(GRID[middle])
        low, high = (low, middle) if found else (middle, high)
    smallest = None if found is None else GRID[high]
    return Cell(smallest, alarms, monotonic() - began)


def shown(cell: Cell) -> str:
    """A cell as people read it."""
    text = (
        "no time" if cell.smallest is None else "blind" if cell.smallest == BLIND else f"{cell.smallest:.0e}"
    )
    return f"{text} ({cell.alarms} false)" if cell.alarms else text


def main(argv: Sequence[str] | None = None) -> list[tuple[Any, ...]]:
    """Measure, and print one table for each function."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--functions", default=",".join(FUNCTIONS))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--scales", default=",".join(map(str, SCALES)))
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--checkers", default=",".join(CHECKERS))
    parser.add_argument("--share", type=float, default=20.0, help="seconds that a cell may take a checker")
    asked = parser.parse_args(argv)
    console = Console()
    checkers, missing = {}, []
    for name in asked.checkers.split(","):
        try:
            checkers[name] = CHECKERS[name]()
        except ImportError as error:
            missing.append(f"{name} ({error.name} is not installed)")
    if missing:
        console.print(f"left out: {', '.join(missing)}")
    cells = [
        (name, int(n), float(scale), everywhere)
        for name in asked.functions.split(",")
        for n in asked.sizes.split(",")
        for everywhere in (True, False)
        for scale in asked.scales.split(",")
        if (name, n) != ("softmax", "1")
    ]
    rows: list[tuple[Any, ...]] = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(cells) * len(checkers))
        for cell in cells:
            given = [Wrong(*cell, seed) for seed in range(asked.seeds)]
            found = []
            for checker, check in checkers.items():
                progress.update(task, description=f"{cell[0]} of {cell[1]}, scale {cell[2]:g}: {checker}")
                found.append(measure(check, given, asked.share))
                progress.advance(task)
            rows.append((*cell, *found))
    seeds = f"{asked.seeds} of {asked.seeds} seeds"
    for name in asked.functions.split(","):
        table = Table(
            "n", "wrong", "scale", *checkers, title=f"{name}: smallest wrong factor noticed in {seeds}"
        )
        for _, n, scale, everywhere, *found in [row for row in rows if row[0] == name]:
            table.add_row(str(n), "all" if everywhere else "one", f"{scale:g}", *map(shown, found))
        console.print(table)
    for place, checker in enumerate(checkers):
        column = [row[4 + place] for row in rows]
        judged = [c.smallest for c in column if c.smallest is not None]
        console.print(
            f"{checker}: {len(judged)} of {len(column)} cells; worst noticed {max(judged, default=float('nan')):g}, "
            f"median {np.median(judged) if judged else float('nan'):g}, blind in {judged.count(BLIND)}; "
            f"{sum(c.alarms for c in column)} false alarms; {sum(c.seconds for c in column):.0f} s"
        )
    return rows


if __name__ == "__main__":
    main()
