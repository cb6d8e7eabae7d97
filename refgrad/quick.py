"""The short way to apply an elementwise op: to float32 and float64 tensors, its settings at their defaults.

What it does is what `refgrad.record` does in general, with everything that depends on the op alone looked up
once, when the function is made. A law holds the two ways equal bit for bit. Nodes and tensors are filled in
place: calling anything written in Python to do it would cost as much as the rest of the recording.
"""

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any, Final, TypeVar

import numpy as np
from numpy import ndarray

from refgrad.binding import BOTH, FIRST, NOTHING, OUTPUT
from refgrad.dtypes import F32, F64
from refgrad.graph import leaf_node, next_number
from refgrad.layout import laid_out
from refgrad.modes import mode
from refgrad.op import Op
from refgrad.opnode import node_class
from refgrad.tensor import Tensor
from refgrad.views import born

F = TypeVar("F", bound=Callable[..., Any])

blank: Final = partial(object.__new__, Tensor)
"""A tensor without anything in it; what is in it follows at once."""


def quick_unary(op: Op, otherwise: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of one tensor that applies `op`, and leaves whatever is unusual to `otherwise`."""
    node_of = node_class(op)

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
        if mode.enabled is True:
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
                left = node_of()
                left.plan = plan
                left.edges = (node,)
                if short is OUTPUT:
                    left.saved = (y,)
                    left.tensors = ()
                elif short is FIRST:
                    left.saved = (x,)
                    left.tensors = (input,)
                elif short is NOTHING:
                    left.saved = plan.constant
                    left.tensors = ()
                else:
                    left.saved = plan.save((y, x, *op.frame.defaults, x.shape))
                    left.tensors = plan.keep((input,))
                left.shape = y.shape
                left.dtype = dtype
                left.extras = None
                left.number = next_number()
                made = blank()
                made._array = y
                made._node = left
                made._nr = 0
                made._state = None
                return made
        elif mode.inference:
            return born(Tensor(y))
        elif mode.enabled is not False:
            return otherwise(input)
        return Tensor(y)

    return with_own_code(function)


def quick_binary(op: Op, otherwise: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The same for two tensors of one dtype, or a tensor and a number."""
    node_of = node_class(op)

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
            if beside is None:
                state = other._state
                if (
                    state is not None
                ):  # what follows is `leaf_node`, without a call where there is a node already
                    held = state.accumulator
                    if held is None or not state.requires_grad or (beside := held()) is None:
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
        elif y.ndim > 1 and type(other) is Tensor and x.strides != z.strides:
            y = laid_out(y, x, z)
        if mode.enabled is True:
            node = input._node
            if node is None:
                state = input._state
                if state is not None:
                    held = state.accumulator
                    if held is None or not state.requires_grad or (node := held()) is None:
                        node = leaf_node(input)
            if node is not None or beside is not None:
                plans = op.short_plans
                if not plans:
                    return otherwise(input, other)
                plan = plans[1] if beside is None else plans[2] if node is None else plans[3]
                short = plan.short
                left = node_of()
                left.plan = plan
                left.edges = (node, beside)
                if short is NOTHING:
                    left.saved = plan.constant
                    left.tensors = ()
                elif short is BOTH:
                    left.saved = (x, z)
                    left.tensors = (input, other)
                else:
                    left.saved = plan.save((y, x, z, *op.frame.defaults, x.shape, np.shape(z)))
                    left.tensors = plan.keep((input, other))
                left.shape = y.shape
                left.dtype = dtype
                left.extras = None
                left.number = next_number()
                made = blank()
                made._array = y
                made._node = left
                made._nr = 0
                made._state = None
                return made
        elif mode.inference:
            return born(Tensor(y))
        elif mode.enabled is not False:
            return otherwise(input, other)
        return Tensor(y)

    return with_own_code(function)


def with_own_code(function: F) -> F:
    """The same function with code that it shares with no other.

    CPython notes in the code of a function which types come by, and is fast while they stay the same: the class of the
    nodes, here. Shared by all ops, the code sees a different one each time.
    """
    assert isinstance(function, FunctionType)
    copied: Any = FunctionType(
        function.__code__.replace(), function.__globals__, function.__name__, None, function.__closure__
    )
    copied.__kwdefaults__ = function.__kwdefaults__
    own: F = copied
    return own


def _to_out(name: str, function: Callable[..., Any], out: Any, *args: Any) -> Any:
    from refgrad.out import write_out  # which writes, as ops do that are made with this module

    return write_out(name, function, out, *args)
