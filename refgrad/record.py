"""Applying an op to tensors: promote, evaluate with NumPy, round once, and record if an input requires grad."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refgrad.dtypes import (
    F32,
    F64,
    Array,
    compute_dtype,
    float32,
    from_numpy_dtype,
    is_half,
    result_type,
    to_numpy,
)
from refgrad.graph import Edge, Node, leaf_edge, node_class
from refgrad.modes import mode
from refgrad.op import COMMON, FLOAT, MOVES, Op
from refgrad.tensor import Tensor

Stored = np.dtype[Any]


def apply(op: Op, inputs: Sequence[Any], settings: Mapping[str, Any]) -> Any:
    """The outputs of `op` as tensors: one, or a tuple of several.

    Inputs are tensors, Python numbers, or arrays, which stand for constants.
    """
    arrays = [x._array if type(x) is Tensor else x for x in inputs]
    operands, half = _operands(op, arrays)
    answer = op.evaluate(*operands, **settings)
    count = len(op.outputs)
    results = [_array(r) for r in answer] if count + len(op.aux) > 1 else [_array(answer)]
    made = [Tensor(out if half is None else _round(out, half)) for out in results[:count]]
    if mode.enabled:
        results[:count] = [out._array for out in made]
        node = _record(op, inputs, operands, results, settings, half)
        if node is not None:
            for nr, place in enumerate(op.binding.cotangents):
                made[place]._edge = (node, nr)
    return made[0] if count == 1 else tuple(made)


def _operands(op: Op, arrays: Sequence[Any]) -> tuple[list[Array], Stored | None]:
    """The operands as `op` is to see them, and the half-width dtype to round its results to, if any."""
    if op.dtypes is MOVES and not op.lists:
        return [_array(x) for x in arrays], None
    if op.dtypes is COMMON or op.dtypes is FLOAT or op.lists:
        takes = [True] * len(arrays) if op.lists else op.promoted
        kind = result_type(x for x, takes_part in zip(arrays, takes, strict=True) if takes_part)
        if op.dtypes is FLOAT and not kind.is_floating_point:
            kind = float32
        stored = to_numpy(kind)
        computed = F32 if kind.is_half and op.dtypes is not MOVES else stored
        pairs = zip(arrays, takes, strict=True)
        cast = [_cast(x, computed) if takes_part else _array(x) for x, takes_part in pairs]
        return cast, stored if kind.is_half else None
    made = [_array(x) for x in arrays]
    half = next((x.dtype for x in made if is_half(x.dtype)), None)
    return [_cast(x, compute_dtype(x.dtype)) for x in made], half


def _record(
    op: Op,
    inputs: Sequence[Any],
    operands: list[Array],
    results: list[Array],
    settings: Mapping[str, Any],
    half: Stored | None,
) -> Node | None:
    """The node of this application, or None if no differentiable input requires grad."""
    edges, mask = _edges(op, inputs)
    if not mask or results[op.binding.cotangents[0]].dtype.kind not in "fV":  # integers have no gradient
        return None
    plan = op.plan(mask)
    held: list[Any] = [operands] if op.lists else operands
    chosen = [settings.get(name, default) for name, default in op.settings.items()]
    shapes: list[Any] = []
    if plan.shapes:
        shapes = [tuple(x.shape for x in operands)] if op.lists else [x.shape for x in operands]
    frame = (*results, *held, *chosen, *shapes)
    passed: Sequence[Any] = [inputs] if op.lists else inputs
    return node_class(op)(
        plan,
        edges,
        [rule.pick(frame) for rule in plan.rules],
        tuple(_constant(passed[i]) for i in plan.inputs),
        tuple((results[i].shape, results[i].dtype) for i in op.binding.cotangents),
        half is None and not any(is_half(x.dtype) for x in operands),
    )


def _edges(op: Op, inputs: Sequence[Any]) -> tuple[tuple[Edge | None, ...], int]:
    """The edge to each input that requires grad, and which inputs those are, as bits."""
    edges: list[Edge | None] = []
    mask = 0
    for position, x in enumerate(inputs):
        edge = None
        if type(x) is Tensor and (op.lists or op.has_formula[position]):
            edge = x._edge
            if edge is None and x._state is not None:
                edge = leaf_edge(x)
            if edge is not None:
                mask |= 1 if op.lists else 1 << position
        edges.append(edge)
    return tuple(edges), mask


def _constant(x: Any) -> Any:
    """A saved input: tensors and numbers as they are, an array as a tensor, a list likewise."""
    if isinstance(x, np.ndarray):
        return Tensor(x)
    return [_constant(each) for each in x] if isinstance(x, list | tuple) else x


def _array(x: Any) -> Array:
    """`x` as an array, also where NumPy made a scalar of a 0-d result."""
    return x if type(x) is np.ndarray else np.asarray(x)


def _cast(x: Any, stored: Stored) -> Array:
    """`x` as an array of `stored`, wrapping integers that do not fit, as PyTorch does."""
    array = _array(x)
    return array if array.dtype == stored else array.astype(stored)


def _round(result: Array, half: Stored) -> Array:
    """A float result rounded to half width; indices and masks as they are."""
    return result.astype(half) if result.dtype.kind == "f" else result


Tensor.__apply_op__ = staticmethod(apply)
