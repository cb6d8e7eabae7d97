"""Applying an op to tensors: promote, evaluate with NumPy, round once, and record if an input requires grad."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from refgrad.dtypes import (
    F32,
    Array,
    compute_dtype,
    float32,
    from_numpy_dtype,
    is_continuous,
    is_half,
    result_type,
    to_numpy,
)
from refgrad.graph import Extras, Meta, Node, leaf_node
from refgrad.layout import laid_out
from refgrad.modes import mode
from refgrad.op import COMMON, FLOAT, MOVES, Op
from refgrad.opnode import OpNode, filled, node_class
from refgrad.quick import quick_binary, quick_unary
from refgrad.saved import show
from refgrad.tensor import Tensor
from refgrad.versions import version_of
from refgrad.views import as_inference, attach

Stored = np.dtype[Any]


NONE: Mapping[str, Any] = {}
SAVED_INFERENCE: Final = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
    "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it "
    "in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
)


FOR_COMPLEX: Final[dict[Op, Op]] = {}
"""The ops that take complex numbers, each with the op that is applied to them; filled by `refgrad.ops.complexes`."""
REFUSED: Final[dict[str, tuple[type[RuntimeError], str]]] = {}
"""The error of PyTorch where it refuses complex numbers, by the name of the op, with {} for the dtype; likewise."""


def refusal(op: Op, stored: Stored) -> Exception:
    """The error for complex operands of an op that does not take them: PyTorch's own, where it has one."""
    kind, said = REFUSED.get(
        op.name, (NotImplementedError, f"{op.name} is not implemented for complex numbers here")
    )
    return kind(said.format(from_numpy_dtype(stored).word))


def apply(op: Op, inputs: Sequence[Any], settings: Mapping[str, Any] = NONE) -> Any:
    """The outputs of `op` as tensors: one, or a tuple of several.

    Inputs are tensors, Python numbers, or arrays, which stand for constants.
    """
    if not settings and (op.single or op.simple):
        return (op.quick or _quick(op))(*inputs)
    return _apply(op, inputs, settings)


def _quick(op: Op) -> Callable[..., Any]:
    """The short way to apply `op`, which falls back to the general one."""
    if op.single:
        op.quick = quick_unary(op, lambda a: _apply(op, (a,), NONE))
    else:
        op.quick = quick_binary(op, lambda a, b: _apply(op, (a, b), NONE))
    return op.quick


def _apply(op: Op, inputs: Sequence[Any], settings: Mapping[str, Any]) -> Any:
    """The same for any op and operands: promotion, half-width floats, several inputs and outputs."""
    arrays = [x._array if type(x) is Tensor else x for x in inputs]
    operands, half = _operands(op, arrays)
    complexes = False
    for x in operands:
        if x.dtype.kind == "c":
            complexes = True
            fit = FOR_COMPLEX.get(op)
            if fit is None:
                raise refusal(op, x.dtype)
            if fit is not op:
                return _apply(fit, inputs, settings)
    answer = op.evaluate(*operands, **settings)
    count = len(answer) if op.many else len(op.outputs)
    several = op.many or count + len(op.aux) > 1
    if op.simple and answer.ndim > 1 and operands[0].strides != operands[1].strides:
        answer = laid_out(answer, *operands)
    results = [_array(r) for r in answer] if several else [_array(answer)]
    made = [Tensor(out if half is None else _round(out, half)) for out in results[:count]]
    if mode.enabled and not (op.view and inputs[0].is_inference()):
        edges, ports, mask = _edges(op, inputs)
        places = tuple(range(count)) if op.many else op.binding.cotangents
        if (
            (mask or ports) and places and is_continuous(made[places[0]]._array.dtype)
        ):  # integers have no gradient
            results[:count] = [_widen(out._array) for out in made]
            metas = tuple([(made[i]._array.shape, made[i]._array.dtype) for i in places])
            node = _node(op, inputs, operands, results, settings, edges, mask, metas)
            if ports or len(metas) > 1 or op.many or node.plan.steps is None or is_half(metas[0][1]):
                node.extras = Extras(ports, metas)
            if complexes or metas[0][1].kind == "c":
                node.extras = node.extras or Extras()
                node.extras.complexes = True
            for nr, place in enumerate(places):
                made[place]._node, made[place]._nr = node, nr
            if count > len(places):
                _tie_others(node, made)
            if mode.enabled is not True:
                show(node, made)
    elif mode.inference and not op.view:
        for out in made:
            as_inference(out)
    if op.view:
        for out in made:
            attach(out, inputs[0], several=op.many)
    if mode.level is not None:
        mode.level.push(op, inputs, settings, made)
    return made[0] if count == 1 and not op.many else tuple(made)


def _operands(op: Op, arrays: Sequence[Any]) -> tuple[list[Array], Stored | None]:
    """The operands as `op` is to see them, and the half-width dtype to round its results to, if any."""
    if op.dtypes is MOVES and not op.lists:
        return [_array(x) for x in arrays], None
    if op.dtypes is COMMON or op.dtypes is FLOAT or op.lists:
        takes = [True] * len(arrays) if op.lists else op.promoted
        kind = result_type(x for x, takes_part in zip(arrays, takes, strict=True) if takes_part)
        if op.dtypes is FLOAT and kind.kind not in "fc":
            kind = float32
        stored = to_numpy(kind)
        computed = F32 if kind.is_half and op.dtypes is not MOVES else stored
        pairs = zip(arrays, takes, strict=True)
        cast = [_cast(x, computed) if takes_part else _array(x) for x, takes_part in pairs]
        return cast, stored if kind.is_half else None
    made = [_array(x) for x in arrays]
    half = next((x.dtype for x in made if is_half(x.dtype)), None)
    return [_cast(x, compute_dtype(x.dtype)) for x in made], half


def _node(
    op: Op,
    inputs: Sequence[Any],
    operands: Sequence[Any],
    results: Sequence[Array],
    settings: Mapping[str, Any],
    edges: tuple[Node | None, ...],
    mask: int,
    metas: tuple[Meta, ...],
) -> OpNode:
    """The node of this application, with what its live formulas ask for."""
    plan = op.plans.get(mask) or op.plan(mask)
    made: tuple[Any, ...] = (results,) if op.many else tuple(results)
    frame = (*made, operands) if op.lists else (*made, *operands)
    if plan.settings:
        frame += _settings(op, settings, [x.shape for x in operands])
    held = tuple([_constant(x) for x in plan.keep((inputs,) if op.lists else tuple(inputs))])
    for x in held:
        for each in x if isinstance(x, list) else (x,):
            if type(each) is Tensor and each._nr < 0 and each.is_inference():
                raise RuntimeError(SAVED_INFERENCE)
    return filled(node_class(op)(), plan, edges, plan.save(frame), held, *metas[0])


def _tie_others(node: OpNode, made: Sequence[Tensor]) -> None:
    """Let `node` notice writes to those outputs that it saved and that have no gradient, such as places."""
    for slot, out in enumerate(made):
        if slot in node.plan.slots and out._node is None:
            node.tie_slot(slot, version_of(out), node.number)


def _settings(op: Op, settings: Mapping[str, Any], shapes: Sequence[Any]) -> tuple[Any, ...]:
    """The end of the frame: the settings, and the shapes of the operands."""
    chosen = [settings.get(name, default) for name, default in op.settings.items()]
    return (*chosen, tuple(shapes)) if op.lists else (*chosen, *shapes)


def _edges(op: Op, inputs: Sequence[Any]) -> tuple[tuple[Node | None, ...], tuple[int, ...] | None, int]:
    """The node of each input that requires grad, which of its outputs each was, and which inputs those are, as bits."""
    nodes: list[Node | None] = []
    mask = 0
    hollow = False  # whether any requires grad and leads nowhere: the op is recorded, and nothing saved for that one
    for position, x in enumerate(inputs):
        node: Node | None = None
        if type(x) is Tensor and (op.lists or op.has_formula[position]):
            if x._nr < 0:
                x._settle()
            node = x._node
            if node is None and x._state is not None:
                node = leaf_node(x)
            if node is None and x._nr < 0 and x.requires_grad:
                hollow = True
                if op.binding.saves_for_all:
                    mask |= 1 << position
            if node is not None:
                mask |= 1 if op.lists else 1 << position
        nodes.append(node)
    ports = tuple([0 if node is None or x._nr < 0 else x._nr for node, x in zip(nodes, inputs, strict=True)])
    return tuple(nodes), ports if hollow or any(ports) else None, mask


def _constant(x: Any) -> Any:
    """A saved input: tensors and numbers as they are, an array as a tensor, a list likewise."""
    if type(x) is Tensor:
        return x
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


def _widen(result: Array) -> Array:
    """A result as formulas see it: half-width floats in float32."""
    return result.astype(F32) if is_half(result.dtype) else result


def _round(result: Array, half: Stored) -> Array:
    """A float result rounded to half width; indices and masks as they are."""
    return result.astype(half) if result.dtype.kind == "f" else result


Tensor.__apply_op__ = staticmethod(apply)
