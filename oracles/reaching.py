"""What reaches each step of a program: its operands' true values, and what is asked of it going back.

The truth is followed with a node of its own for every value, so that a value that is moved and read elsewhere keeps
apart what comes back by each way. To first order a step pulls back the cotangents of its results. To second order the
first gradient is asked about along a direction for each operand, and the answer pulls back cotangents once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracles.arrays import DTYPES
from oracles.exact.evaluate import evaluate
from oracles.exact.objects import Objects, objects
from oracles.exact.scalars import Truth
from oracles.generation.programs import promoted
from oracles.program import Case, DType, Input, Program
from oracles.truth import working_bits

BITS = 160
NumPy = np.ndarray[Any, Any]


class Reaching:
    """A case, followed once in ball arithmetic; every array is the middle of its balls, rounded to the value's dtype.

    Raises:
        NoMeaning: the exact oracle has no meaning for an op of the program.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        with working_bits(BITS):
            self._algebra = Truth(case.order)
            self._known: list[Any] = self._leaves()
            for step in case.program.steps:
                self._known = self._apart(
                    evaluate(_reading(len(self._known), step), self._algebra, self._known)
                )
            outputs = [n for out in case.program.outputs for n in self._known[out].flat]
            cotangents = [float(g) for c in case.cotangents for g in c.seen().flat]
            self._algebra.sweep(outputs, cotangents)

    def _leaves(self) -> list[Any]:
        directions = iter(self.case.seconds)
        leaves: list[Any] = []
        for spec, array in zip(self.case.program.inputs, self.case.inputs, strict=True):
            numbers = array.seen()
            if not spec.requires_grad:
                leaves.append(numbers)
                continue
            along = next(directions).seen() if self.case.order == 2 else np.zeros(numbers.shape)
            pairs = zip(numbers.flat, along.flat, strict=True)
            leaves.append(objects((self._algebra.leaf(float(v), float(t)) for v, t in pairs), numbers.shape))
        return leaves

    def _apart(self, known: list[Any]) -> list[Any]:
        """The values with new nodes for those that a step has just made: it may have made them of old ones."""
        old = len(self._known)
        return [*known[:old], *(self._renewed(v) if v.dtype == object else v for v in known[old:])]

    def _renewed(self, value: Objects) -> Objects:
        return objects((self._algebra.running([node])[0] for node in value.flat), value.shape)

    def dtype(self, number: int) -> DType:
        """The dtype that a value has, or would have as an input."""
        program, value = self.case.program, self._known[number]
        if number < len(program.inputs):
            return program.inputs[number].dtype
        if value.dtype != object:
            return "bool" if value.dtype.kind == "b" else "int64"
        mixed = len({i.dtype for i in program.inputs if i.requires_grad}) > 1
        return promoted(program) if mixed else self.case.dtype

    def floating(self, number: int) -> bool:
        """Whether a value may be differentiated by."""
        return bool(self._known[number].dtype == object)

    def asked(self, number: int) -> bool:
        """Whether any cotangent comes back to a value."""
        return self.floating(number) and any(n.adjoint is not None for n in self._known[number].flat)

    def value(self, number: int) -> NumPy:
        """What a value is."""
        known = self._known[number]
        return self._array(number, lambda n: n.value) if known.dtype == object else np.asarray(known)

    def cotangent(self, number: int) -> NumPy:
        """What comes back to a value; zeros where nothing does."""
        return self._array(number, lambda n: 0.0 if n.adjoint is None else n.adjoint)

    def direction(self, number: int) -> NumPy:
        """Along what the gradient by a value is asked about at second order."""
        return self._array(number, lambda n: n.tangent)

    def again(self, number: int) -> NumPy:
        """What comes back to a value once more at second order, from the steps after it."""
        return self._array(number, lambda n: n.adjoint_tangent)

    def _array(self, number: int, part: Callable[[Any], Any]) -> NumPy:
        known = self._known[number]
        middles = (part(n) for n in known.flat)
        floats = np.array([m if isinstance(m, float) else float(m.mid()) for m in middles], float)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(floats.reshape(known.shape).astype(DTYPES[self.dtype(number)]))


def _reading(known: int, step: Any) -> Program:
    """A program of this step alone, over so many values."""
    return Program(tuple(Input("", (), "float64") for _ in range(known)), (step,), ())


def finite(arrays: Sequence[NumPy]) -> bool:
    """Whether all numbers of all arrays are finite."""
    return all(bool(np.all(np.isfinite(a))) for a in arrays)
