"""Shrinking what Hypothesis cannot: single elements of an elementwise program, and steps at the front of a chain.

Large arrays are drawn from a seed, so Hypothesis cannot take single elements out of them. It can draw fewer steps, but
the first ones make the values that the others read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

import refgrad
from oracles.arrays import Array
from oracles.generation.drawing import renumbered
from oracles.program import Case, Input, Program
from oracles.reaching import Reaching, finite


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


def without_a_first_step(case: Case) -> Iterator[Case]:
    """The case without one of the steps that read inputs alone, where other steps are left, for each such step.

    What the step made becomes an input: its true value, rounded to the dtype, with the direction that reaches it at
    second order. Inputs that nothing reads any more go, and so does an output that would be an input.
    """
    program = case.program
    first = [n for n, s in enumerate(program.steps) if all(r < len(program.inputs) for r in s.refs())]
    if len(program.steps) < 2:
        return
    reaching = Reaching(case)
    for number in first:
        made = program.first_output(number)
        gone = range(made, made + program.steps[number].outputs)
        if any(n not in gone for n in program.outputs):
            shorter = _begun_later(reaching, number, gone)
            if shorter is not None:
                yield shorter


def _begun_later(reaching: Reaching, number: int, gone: range) -> Case | None:
    """The case with a step's results as inputs; None where one of them is no number."""
    case, program = reaching.case, reaching.case.program
    steps = [s for n, s in enumerate(program.steps) if n != number]
    outputs = [(n, c) for n, c in zip(program.outputs, case.cotangents, strict=True) if n not in gone]
    read = {r for s in steps for r in s.refs()} | {n for n, _ in outputs}
    inputs = [n for n in (*range(len(program.inputs)), *gone) if n in read]
    results = [n for n in range(len(program.inputs), len(program.names)) if n not in gone]
    place = {n: k for k, n in enumerate((*inputs, *results))}
    names = iter(f"x{n}" for n in range(len(program.names)) if f"x{n}" not in program.names)
    specs = tuple(
        Input(next(names), reaching.value(n).shape, reaching.dtype(n), reaching.floating(n))
        if n in gone
        else program.inputs[n]
        for n in inputs
    )
    values = [reaching.value(n) for n in inputs]
    differentiated = [n for n, spec in zip(inputs, specs, strict=True) if spec.requires_grad]
    seconds = [reaching.direction(n) for n in differentiated] if case.order == 2 else []
    if not (finite(values) and finite(seconds) and differentiated):
        return None
    return Case(
        Program(
            specs,
            tuple(renumbered(s, place) for s in steps),
            tuple(place[n] for n, _ in outputs),
            program.dialect,
        ),
        tuple(map(Array.of, values)),
        tuple(c for _, c in outputs),
        case.dtype,
        case.order,
        tuple(map(Array.of, seconds)),
    )
