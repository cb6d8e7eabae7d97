"""Cases made by hand, and cases drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

from oracles.answers import Answer, labels
from oracles.arrays import DTYPES, Array
from oracles.generation.programs import Sample
from oracles.program import Case, Input, Program, Ref, Scalar, Step
from oracles.truth import Enclosed, enclose


def step(op: str, *operands: int | float | Scalar, **settings: Any) -> Step:
    """One step; an int is a value's number, a float a Python number."""
    given = tuple(
        Ref(o) if isinstance(o, int) else Scalar.of(o) if isinstance(o, float) else o for o in operands
    )
    return Step(op, given, settings)


def case(
    arrays: Mapping[str, Any],
    steps: Sequence[Step],
    cotangents: Sequence[Any],
    *,
    dtype: Any = "float64",
    order: Any = 1,
    seconds: Sequence[Any] = (),
    outputs: tuple[int, ...] = (),
) -> Case:
    """A case over these arrays, floating ones in `dtype`; its output is the last value unless told otherwise."""
    kind = DTYPES[dtype]
    values = [np.asarray(a) for a in arrays.values()]
    typed = [v.astype(kind) if v.dtype.kind == "f" else v for v in values]
    inputs = tuple(
        Input(n, v.shape, v.dtype.name, v.dtype.kind not in "bi")  # type: ignore[arg-type]
        for n, v in zip(arrays, typed, strict=True)
    )
    last = len(inputs) + sum(s.outputs for s in steps) - 1
    return Case(
        Program(inputs, tuple(steps), outputs or (last,)),
        tuple(Array.of(v) for v in typed),
        tuple(Array.of(np.asarray(c, float).astype(kind)) for c in cotangents),
        dtype,
        order,
        tuple(Array.of(np.asarray(s, float).astype(kind)) for s in seconds),
    )


def right_answer(given: Case) -> Answer:
    """The true answer, rounded to the dtype, with every law kept."""
    truth = enclose(given)
    assert isinstance(truth, Enclosed), truth
    parts: dict[str, tuple[Array, ...]] = {}
    for part in ("outputs", "gradients", "seconds", "second_cotangents"):
        if part.startswith("second") and given.order == 1:
            continue
        arrays = [truth.arrays[name] for name in labels(given, part)]
        parts[part] = tuple(rounded([float(t.mid()) for t in a.truth], a.shape, given.dtype) for a in arrays)
    return Answer(**parts, repeated=True, scaled=True)  # type: ignore[arg-type]


def rounded(numbers: Sequence[float], shape: tuple[int, ...], dtype: str) -> Array:
    """These numbers as an array of the dtype."""
    return Array.of(np.array(numbers, float).reshape(shape).astype(DTYPES[dtype]))


def with_gradient(answer: Answer, gradient: Any, which: int = 0) -> Answer:
    """The answer with one gradient replaced by this array, or by None."""
    gradients = list(answer.gradients)
    gradients[which] = gradient if gradient is None or isinstance(gradient, Array) else Array.of(gradient)
    return msgspec.structs.replace(answer, gradients=tuple(gradients))


def drawn(strategy: Any, examples: int, start: int = 0) -> list[Sample]:
    """What a strategy draws from a seed, in order."""
    found: list[Sample] = []

    def keep(sample: Sample) -> None:
        found.append(sample)

    settings(
        max_examples=examples,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )(seed(start)(given(strategy)(keep)))()
    return found
