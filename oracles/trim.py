"""Shrinking what Hypothesis cannot: an elementwise program needs one element of each input to show its fault.

Large arrays are drawn from a seed, so Hypothesis cannot take single elements out of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

import refgrad
from oracles.arrays import Array
from oracles.program import Case, Program


def single_elements(case: Case) -> Iterator[Case]:
    """The case at each element of its first output alone, if all of its steps are elementwise; else nothing.

    Every array becomes its element that takes part there, in shape (1,).
    """
    catalogue = refgrad.catalogue()
    if any(not isinstance(catalogue[s.op].facts.meaning, str) for s in case.program.steps):
        return
    arrays = [a.numpy() for a in case.inputs]
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError:  # inputs that never meet
        return
    if int(np.prod(shape)) < 2 or any(c.shape != shape for c in case.cotangents):
        return
    inputs = tuple(msgspec.structs.replace(i, shape=(1,), layout="contiguous") for i in case.program.inputs)
    program = Program(inputs, case.program.steps, case.program.outputs, case.program.dialect)
    seconds = iter([s.numpy() for s in case.seconds])
    weights = (
        [next(seconds) if i.requires_grad else None for i in case.program.inputs] if case.order == 2 else []
    )

    def at(array: np.ndarray[Any, Any], place: int) -> Array:
        return Array.of(np.broadcast_to(array, shape).reshape(-1)[place : place + 1].copy())

    for place in range(int(np.prod(shape))):
        yield Case(
            program,
            tuple(at(a, place) for a in arrays),
            tuple(at(c.numpy(), place) for c in case.cotangents),
            case.dtype,
            case.order,
            tuple(at(w, place) for w in weights if w is not None),
        )
