"""The inputs of a case as scalars of an algebra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.arrays import Array
from oracles.exact.objects import Objects, objects
from oracles.program import Case


def numbers(array: Array) -> np.ndarray[Any, Any]:
    """What the subject saw: floats in float64, which holds every one of them; integers and booleans as they are."""
    values = array.seen()
    floating = values.dtype.kind == "f" or values.dtype.name == "bfloat16"
    return np.asarray(values, dtype=np.float64) if floating else values


def leaves(
    case: Case, algebra: Any, weights: Sequence[np.ndarray[Any, Any]]
) -> tuple[list[Any], list[Objects]]:
    """The program's inputs in the algebra, and those of them that are differentiated (weighted as tangents)."""
    values: list[Any] = []
    made: list[Objects] = []
    tangents = iter(weights)
    for spec, array in zip(case.program.inputs, case.inputs, strict=True):
        seen = numbers(array)
        if spec.requires_grad:
            tangent = next(tangents, np.zeros(seen.shape))
            pairs = zip(seen.flat, tangent.flat, strict=True)
            leaf = objects((algebra.leaf(float(v), float(t)) for v, t in pairs), seen.shape)
            made.append(leaf)
            values.append(leaf)
        elif seen.dtype.kind == "f":
            values.append(objects((algebra.constant(float(v)) for v in seen.flat), seen.shape))
        else:
            values.append(seen)
    return values, made
