"""Strategies: one op alone on one face, or a composed program; and the cases that one draw makes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import ml_dtypes  # noqa: F401 - numpy knows bfloat16 by name once this is imported
import msgspec
import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

import refgrad
from oracles.arrays import DTYPES
from oracles.arrays import Array as Recorded
from oracles.generation.drawing import STEERED, Array, Drawing, Drawn
from oracles.generation.steps import draw_step
from oracles.generation.values import COTANGENTS, Domain, draw_array, holds, integers, one_of
from oracles.program import Case, DType, Program

MOST_ELEMENTS = 48
"""A composed program whose values grow past this is drawn again: truth is paid for by the scalar."""
COTANGENT_OF = {"cotangent of ones": (1.0,), "zero cotangent": (0.0, *COTANGENTS[:3])}
"""What cotangents are made of on the faces that are about them."""


@dataclass(frozen=True)
class Sample:
    """One draw: a program, its first point and cotangents, and the seed of everything further."""

    drawn: Drawn
    cotangents: tuple[Array, ...]
    seed: int


@st.composite
def alone(draw: Any, op: str, face: str) -> Sample:
    """One application of an op, leaning towards a face."""
    public = refgrad.catalogue()[op]
    d = Drawing(draw, face, isinstance(public.facts.meaning, str))
    result = draw_step(d, op, public)
    return _sample(draw, d.finish(result, *d.also), face)


@st.composite
def composed(draw: Any, ops: tuple[str, ...]) -> Sample:
    """One to five ops that feed each other; sometimes an earlier result is an output too."""
    d = Drawing(draw, draw(one_of("plain", "plain", "same twice", "scalar", "settings", "non-contiguous")))
    catalogue = refgrad.catalogue()
    results = []
    for _ in range(draw(integers(1, 5))):
        op = draw(one_of(*ops))
        results.append(draw_step(d, op, catalogue[op]))
        if d.values[results[-1]].size > MOST_ELEMENTS:
            reject()
    outputs = [results[-1]]
    if len(results) > 1 and draw(integers(0, 3)) == 3:
        outputs.append(results[0])
    return _sample(draw, d.finish(*outputs), d.face)


def _sample(draw: Any, drawn: Drawn, face: str) -> Sample:
    numbers = COTANGENT_OF.get(face, COTANGENTS)
    cotangents = tuple(draw_array(draw, out.shape, numbers) for out in drawn.outputs)
    if (
        face == "zero cotangent"
    ):  # of zeros alone, a wrong gradient is right and would show at second order only
        for cotangent in cotangents:
            cotangent[(slice(-1, None),) * cotangent.ndim] = 1.0
    if face == STEERED:  # a choice that moves no gradient would be climbed for nothing
        return Sample(drawn, cotangents, zlib.crc32(b"".join(a.tobytes() for a in drawn.point)))
    return Sample(drawn, cotangents, draw(integers(0, 2**16)))


def cases(sample: Sample, dtypes: Sequence[DType], points: int = 1) -> Iterator[Case]:
    """The cases of one draw: each point, at each dtype, at orders 1 and 2."""
    return chain.from_iterable(pairs(sample, dtypes, points))


def pairs(sample: Sample, dtypes: Sequence[DType], points: int = 1) -> Iterator[tuple[Case, Case]]:
    """The same, a case at order 1 and at order 2 together: they share all but the order and the second weights."""
    for number in range(points):
        rng = np.random.default_rng((sample.seed, number))
        point = sample.drawn.point if number == 0 else _another(sample.drawn, rng)
        cotangents = (
            sample.cotangents if number == 0 else [rng.choice(COTANGENTS, c.shape) for c in sample.cotangents]
        )
        seconds = [rng.choice(COTANGENTS, point[n].shape) for n in sample.drawn.program.differentiated]
        for dtype in dtypes:
            yield _case(_typed(sample.drawn, dtype), point, cotangents, seconds, dtype, sample.drawn.domains)


def _typed(drawn: Drawn, dtype: DType) -> Program:
    """The program with its floating inputs of this dtype; in a mixed one the last has a finer or a coarser one."""
    other: DType = "float64" if dtype != "float64" else "float32"
    inputs = tuple(
        msgspec.structs.replace(i, dtype=other if n == drawn.other else dtype) if i.floating else i
        for n, i in enumerate(drawn.program.inputs)
    )
    return msgspec.structs.replace(drawn.program, inputs=inputs)


def _another(drawn: Drawn, rng: np.random.Generator) -> tuple[Array, ...]:
    """A point near the first: every number changed by up to a third, none across 0 or out of its domain."""
    moved = []
    for array, domain in zip(drawn.point, drawn.domains, strict=True):
        if array.dtype.kind != "f":
            moved.append(array)
            continue
        other = array * (1 + np.round(rng.uniform(-0.3, 0.3, array.shape), 2))
        moved.append(np.asarray(np.where(holds(domain, other), other, array)))
    return tuple(moved)


def _case(
    program: Program,
    point: Sequence[Array],
    cotangents: Sequence[Array],
    seconds: Sequence[Array],
    dtype: DType,
    domains: Sequence[Domain],
) -> tuple[Case, Case]:
    """A case at both orders; where dtypes are mixed, its dtype is the coarsest, for which budgets are derived."""
    kinds = [i.dtype for i in program.inputs if i.floating]
    result = DTYPES[promoted(program) if len(set(kinds)) > 1 else dtype]
    held = zip(point, program.inputs, domains, strict=True)
    first = Case(
        program,
        tuple(Recorded.of(_held(a, i.dtype, d) if i.floating else a) for a, i, d in held),
        tuple(Recorded.of(np.asarray(c).astype(result)) for c in cotangents),
        "float32" if dtype == "float64" and "float32" in kinds else dtype,
    )
    sides = [i.dtype for i in program.inputs if i.requires_grad]
    weights = (np.asarray(s).astype(DTYPES[k]) for s, k in zip(seconds, sides, strict=True))
    return first, msgspec.structs.replace(first, order=2, seconds=tuple(map(Recorded.of, weights)))


def _held(array: Array, dtype: DType, domain: Domain) -> Array:
    """The array in a dtype. A number that the dtype turns into 0 or infinity gives way to its fourth root.

    float16 has no 1e5 and no 1e-8; what it has in their place, 17.8 and 0.01, is as far from 1 as its range goes. What
    stands inside a domain stays there.
    """
    with np.errstate(over="ignore", under="ignore"):
        cast = array.astype(DTYPES[dtype])
        lost = (~np.isfinite(cast) & np.isfinite(array)) | ((cast == 0) & (array != 0))
        if not lost.any():
            return cast
        roots = (np.sign(array) * np.abs(array) ** 0.25).astype(DTYPES[dtype])
        return np.asarray(np.where(lost & holds(domain, roots), roots, cast))


def promoted(program: Program) -> DType:
    """PyTorch's dtype for a result of all floating inputs: the finest among those with dimensions, if any has some."""
    floating = [i for i in program.inputs if i.floating]
    leading = [i for i in floating if i.shape] or floating
    return max((i.dtype for i in leading), key=lambda kind: DTYPES[kind].itemsize)
