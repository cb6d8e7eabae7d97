"""Libraries of another shape than PyTorch's that have a tape: functions to judge values by, and a shape for clauses."""

from __future__ import annotations

from typing import Any

from oracles.answers import Answer
from oracles.clauses.shape import Shape, Tape
from oracles.program import Case
from oracles.subjects.functional import Functional
from oracles.subjects.protocol import Lacking


class Taped(Functional):
    """A library of functions on objects that record: see `Functional`.

    `shape` is what clauses run on. `single` says why only one output at a time is pulled back, and `first` why there
    is no second order, where that is so.
    """

    def __init__(
        self, *arguments: Any, shape: Shape, single: str = "", first: str = "", **settings: Any
    ) -> None:
        super().__init__(*arguments, **settings)
        self.shape = shape
        self._single, self._first = single, first

    @property
    def tape(self) -> Tape:
        """What a clause is asked of: the library in PyTorch's shape, with nothing noted yet."""
        return self.shape.tape()

    def vjp(self, case: Case) -> Answer:
        """As `Functional.vjp`.

        Raises:
            Lacking: the case asks for an order or for outputs that the library does not have.
        """
        if self._first and case.order == 2:
            raise Lacking(self._first)
        if self._single and len(case.program.outputs) > 1:
            raise Lacking(self._single)
        return super().vjp(case)
