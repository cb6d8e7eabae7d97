from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oracles.arrays import Array
from oracles.program import Case, Input, Program, Step

MakeCase = Callable[..., Case]


@pytest.fixture
def make_case() -> MakeCase:
    """Build a case from named arrays and steps; floating inputs are differentiated, all cotangents drawn."""

    def make(
        arrays: dict[str, Any],
        steps: list[Step],
        outputs: tuple[int, ...] = (),
        *,
        order: Any = 1,
        layout: Any = "contiguous",
        cotangents: list[Any] | None = None,
        like: list[Any] | None = None,
    ) -> Case:
        inputs = [np.asarray(a) for a in arrays.values()]
        declared = tuple(
            Input(n, a.shape, a.dtype.name, a.dtype.kind not in "bi", layout)  # type: ignore[arg-type]
            for n, a in zip(arrays, inputs, strict=True)
        )
        last = len(inputs) + sum(s.outputs for s in steps) - 1
        program = Program(declared, tuple(steps), outputs or (last,))
        random = np.random.default_rng(0)
        given = cotangents or [random.integers(1, 9, np.shape(y)).astype(inputs[0].dtype) for y in like or []]
        seconds = [random.integers(1, 9, a.shape).astype(a.dtype) for a in inputs if a.dtype.kind not in "bi"]
        return Case(
            program,
            tuple(Array.of(a) for a in inputs),
            tuple(Array.of(np.asarray(c)) for c in given),
            inputs[0].dtype.name,  # type: ignore[arg-type]
            order,
            tuple(Array.of(s) for s in seconds) if order == 2 else (),
        )

    return make
