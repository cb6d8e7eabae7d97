"""How any library walks a program: the steps in order, each given its operands and asked for its results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracles.program import Case, Dots, Int, NewAxis, Operand, Pick, Program, Ref, Refs, Slice, Step
from oracles.signatures import number
from oracles.subjects.protocol import Lacking, NDArray

Apply = Callable[[Step, list[Any]], Any]
"""Given a step and its operands, its result; for several outputs, a tuple of them (or the first alone)."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
}
DEFAULTS = {"alpha": 1, "keepdim": False, "correction": 1, "left": True}
"""Settings at these values mean what leaving them out means, so a library need not have them."""


class Absent:
    """A result that the library does not give, such as the indices of a maximum."""


ABSENT = Absent()


def run(program: Program, inputs: Sequence[Any], apply: Apply) -> list[Any]:
    """All values of a program, numbered as in the program, on whatever `apply` computes with."""
    values = list(inputs)
    for step in program.steps:
        operands = [fetch(operand, values, step) for operand in step.operands]
        values.extend(results_of(step, apply(step, operands)))
    return values


def outputs_of(program: Program, values: Sequence[Any]) -> list[Any]:
    """The program's outputs among all of its values.

    Raises:
        Lacking: the library does not give one of them.
    """
    if any(values[n] is ABSENT for n in program.outputs):
        raise Lacking("an output of the program is a result that the library does not give")
    return [values[n] for n in program.outputs]


def fetch(operand: Operand, values: Sequence[Any], step: Step) -> Any:
    """An operand as an argument: a value, a list of values, or a Python number."""
    if isinstance(operand, Refs):
        return [values[n] for n in operand.values]
    if not isinstance(operand, Ref):
        return operand.value
    if values[operand.value] is ABSENT:
        raise Lacking("an operand is a result that the library does not give", step.op)
    return values[operand.value]


def results_of(step: Step, result: Any) -> list[Any]:
    """A step's results, as many as the step has outputs."""
    if step.outputs == 1:
        return [result]
    given = list(result) if isinstance(result, tuple) else [result]
    return given + [ABSENT] * (step.outputs - len(given))


def index_of(step: Step, operands: Sequence[Any]) -> Any:
    """What stands between the brackets of a `getitem` step; a single item stands alone, as is usual."""
    items = tuple(_item(item, operands) for item in step.index)
    return items[0] if len(items) == 1 else items


def _item(item: Slice | Int | NewAxis | Dots | Pick, operands: Sequence[Any]) -> Any:
    if isinstance(item, Slice):
        return slice(item.start, item.stop, item.step)
    if isinstance(item, Int):
        return item.at
    if isinstance(item, Pick):
        return operands[item.operand]
    return None if isinstance(item, NewAxis) else Ellipsis


def settings_of(step: Step, has: Callable[[str], bool]) -> dict[str, Any]:
    """The step's settings, less those at their default that the library does not have."""
    return {k: number(v) for k, v in step.settings.items() if has(k) or k not in DEFAULTS or v != DEFAULTS[k]}


def laid_out(array: NDArray, layout: str) -> NDArray:
    """The same elements in memory as `Input.layout` asks; an array without axes has one layout only.

    "transposed" is Fortran order, "strided" every second element of a buffer that holds each twice, and
    "reversed" has negative strides on every axis.
    """
    if array.ndim == 0 or layout == "contiguous":
        return array
    base, view = base_and_view(array, layout)
    seen: NDArray = view(base)
    return seen


def base_and_view(
    array: NDArray, layout: str, method: str = "transpose"
) -> tuple[NDArray, Callable[[Any], Any]]:
    """A contiguous array, and the expression that makes the array in its layout from it.

    `method` is the library's name for the method that permutes axes.
    """
    if array.ndim == 0 or layout == "contiguous":
        return array, lambda base: base
    if layout == "transposed":
        axes = tuple(reversed(range(array.ndim)))
        return np.ascontiguousarray(array.T), lambda base: getattr(base, method)(axes)
    if layout == "strided":
        return np.repeat(array, 2, axis=-1), lambda base: base[..., ::2]
    back = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[back]), lambda base: base[back]


def names_of(case: Case) -> list[str]:
    """What people call the case's inputs and then its cotangents."""
    count = len(case.cotangents)
    cotangents = ["the cotangent"] if count == 1 else [f"cotangent {k}" for k in range(count)]
    return [i.name for i in case.program.inputs] + cotangents


class Handed:
    """The arrays of a case as they are handed to a library, and a watch over them.

    `arrays` are the inputs in their layouts and then the cotangents.
    """

    def __init__(self, case: Case, layout: Callable[[str], str] = lambda asked: asked) -> None:
        self._names = names_of(case)
        self.arrays = [
            laid_out(a.numpy(), layout(i.layout))
            for a, i in zip(case.inputs, case.program.inputs, strict=True)
        ]
        self.arrays += [c.numpy() for c in case.cotangents]
        self._before = [a.tobytes() for a in self.arrays]

    def changed(self) -> tuple[str, ...]:
        """The names of those whose bytes are no longer what they were."""
        watched = zip(self._names, self._before, self.arrays, strict=True)
        return tuple(name for name, before, array in watched if array.tobytes() != before)
