"""The short way to apply an elementwise op: to float32 and float64 tensors, its settings at their defaults.

What it does is what `refgrad.record` does in general, with everything that depends on the op alone looked up
once, when the function is made. A law holds the two ways equal bit for bit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from refgrad.binding import BOTH, FIRST, NOTHING, OUTPUT
from refgrad.dtypes import F32, F64
from refgrad.graph import leaf_node
from refgrad.modes import mode
from refgrad.op import Op
from refgrad.opnode import node_class
from refgrad.tensor import Tensor
from refgrad.views import born


def quick_unary(op: Op, otherwise: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of one tensor that applies `op`, and leaves whatever is unusual to `otherwise`."""
    made = node_class(op)

    def function(input: Any, *, out: Any = None) -> Any:
        if out is not None:
            return _to_out(op.name, function, out, input)
        if type(input) is not Tensor or input._nr:
            return otherwise(input)
        x = input._array
        dtype = x.dtype
        if dtype is not F64 and dtype is not F32:
            return otherwise(input)
        y = op.direct(x)
        if type(y) is not ndarray:
            y = np.asarray(y)
        if mode.enabled:
            node = input._node
            if node is None and input._state is not None:
                node = leaf_node(input)
            if node is not None:
                if (
                    y.dtype is not dtype or not op.short_plans
                ):  # none, once a formula is replaced by NO_GRADIENT
                    return otherwise(input)
                plan = op.short_plans[1]
                short = plan.short
                if short is OUTPUT:
                    return Tensor(y, made(plan, (node,), (y,), (), y.shape, dtype))
                if short is FIRST:
                    return Tensor(y, made(plan, (node,), (x,), (input,), y.shape, dtype))
                if short is NOTHING:
                    return Tensor(y, made(plan, (node,), plan.constant, (), y.shape, dtype))
                saved = plan.save((y, x, *op.frame.defaults, x.shape))
                return Tensor(y, made(plan, (node,), saved, plan.keep((input,)), y.shape, dtype))
        elif mode.inference:
            return born(Tensor(y))
        return Tensor(y)

    return function


def quick_binary(op: Op, otherwise: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The same for two tensors of one dtype, or a tensor and a number."""
    made = node_class(op)

    def function(input: Any, other: Any, *, out: Any = None) -> Any:
        if out is not None:
            return _to_out(op.name, function, out, input, other)
        if type(input) is not Tensor or input._nr:
            return otherwise(input, other)
        x = input._array
        dtype = x.dtype
        beside = None
        z: Any
        if type(other) is Tensor:
            z = other._array
            if z.dtype is not dtype or other._nr:
                return otherwise(input, other)
            beside = other._node
            if beside is None and other._state is not None:
                beside = leaf_node(other)
        elif type(other) is float or type(other) is int:
            z = other
        else:
            return otherwise(input, other)
        if dtype is not F64 and dtype is not F32:
            return otherwise(input, other)
        try:
            y = op.direct(x, z)
        except ValueError:  # shapes that do not broadcast, which the other way has words for
            return otherwise(input, other)
        if type(y) is not ndarray:
            y = np.asarray(y)
        if mode.enabled:
            node = input._node
            if node is None and input._state is not None:
                node = leaf_node(input)
            if node is not None or beside is not None:
                if not op.short_plans:
                    return otherwise(input, other)
                plan = op.short_plans[(node is not None) + 2 * (beside is not None)]
                short = plan.short
                saved: tuple[Any, ...]
                tensors: tuple[Any, ...]
                if short is NOTHING:
                    saved, tensors = plan.constant, ()
                elif short is BOTH:
                    saved, tensors = (x, z), (input, other)
                else:
                    saved = plan.save((y, x, z, *op.frame.defaults, x.shape, np.shape(z)))
                    tensors = plan.keep((input, other))
                return Tensor(y, made(plan, (node, beside), saved, tensors, y.shape, dtype))
        elif mode.inference:
            return born(Tensor(y))
        return Tensor(y)

    return function


def _to_out(name: str, function: Callable[..., Any], out: Any, *args: Any) -> Any:
    from refgrad.out import write_out  # which writes, as ops do that are made with this module

    return write_out(name, function, out, *args)
