"""What the exact oracle says of a case: every element of its answer enclosed with a budget, or why it cannot tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb

from oracles.arrayed.balls import scattered
from oracles.arrayed.lane import Told


class Enclosure:
    """One array of the true answer, flat in row-major order.

    `truth` are balls (at kinks: the contract's choice), `budget` the error that a sound implementation may make, and
    `hull`, where rounding may take more than one branch, balls over all that a sound implementation may then answer.

    A truth is infinite where the slope is, and where the number is beyond the dtype's range, whichever way it is
    computed. A budget is infinite where nothing can be told of an element: a sound implementation may overflow on the
    way to it. A ball of the hull that is not finite excuses any answer, for the same reason. `spread` says that
    something is infinite on the way to some element of the case, or behind a mask: times 0 that is NaN at any other
    element, and less another infinity it may have either sign.

    `told` is the same as arrays, where it was found as arrays; all of it is finite then, and there is no hull.
    """

    def __init__(
        self,
        argument: str,
        shape: tuple[int, ...],
        truth: list[arb],
        budget: list[float],
        hull: list[arb] | None = None,
        spread: bool = False,
    ) -> None:
        self.argument = argument
        self.shape = shape
        self.hull = hull
        self.spread = spread
        self.told: Told | None = None
        self._lists: tuple[list[arb], list[float]] | None = (truth, budget)

    @classmethod
    def of_arrays(cls, argument: str, told: Told) -> Enclosure:
        """What arrays have told."""
        made = cls(argument, told.truth.shape, [], [])
        made.told, made._lists = told, None
        return made

    @property
    def truth(self) -> list[arb]:
        """The true numbers."""
        return self._listed()[0]

    @property
    def budget(self) -> list[float]:
        """What a sound implementation may be off by."""
        return self._listed()[1]

    def _listed(self) -> tuple[list[arb], list[float]]:
        if self._lists is None:
            assert self.told is not None
            self._lists = scattered(self.told.truth), np.ravel(self.told.budget).tolist()
        return self._lists


@dataclass(frozen=True)
class Unknown:
    """Why the exact oracle cannot tell."""

    reason: str
    unsupported: bool = False


@dataclass(frozen=True)
class Enclosed:
    """The true answer to a case, array by array, under the names that records use."""

    arrays: dict[str, Enclosure]
    bits: int
    at_kink: bool = False
    near_kink: bool = False

    @property
    def everywhere(self) -> bool:
        """Whether every element has a finite truth: elsewhere a subject may refuse the whole case."""
        return all(a.told is not None or all(t.is_finite() for t in a.truth) for a in self.arrays.values())
