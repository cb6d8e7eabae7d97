"""What becomes of a gradient at its tensor: stored, added, or handed over."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from refgrad.graph import Extras
from refgrad.layout import is_dense
from refgrad.modes import mode
from refgrad.ops.shaping import clone
from refgrad.tensor import Tensor
from refgrad.versions import INFERENCE_WRITE, version_of
from refgrad.views import born


def retain(extras: Extras, gs: Sequence[Any], create_graph: bool) -> None:
    """Add to `.grad` of those outputs of a node that retain their gradient; always as a new tensor."""
    for nr, kept in extras.retained.items():
        retaining, g = kept(), gs[nr]
        if retaining is not None and g is not None:
            state = retaining.state()
            g = g if create_graph else Tensor(g)
            state.grad = clone(g, contiguous=True) if state.grad is None else state.grad + g


def hand_over(holder: Tensor, g: Any, create_graph: bool) -> None:
    """Give a leaf the gradient that has arrived: the array itself, where nothing else holds it."""
    state = holder.state()
    alone = not create_graph and sys.getrefcount(g) <= ALONE and g.base is None and g.flags.writeable
    if alone and state.grad is None and g.flags.c_contiguous and holder._array.flags.c_contiguous:
        state.grad = born(Tensor(g))  # nobody else has it, so it need not be copied
        return
    accumulate(holder, g, create_graph)


def _references_to_a_parameter() -> int:
    """What `sys.getrefcount` says of an object that one parameter holds; interpreters differ."""

    def of(parameter: Any) -> int:
        return sys.getrefcount(parameter)

    return of(np.zeros(1))


ALONE = _references_to_a_parameter() if getattr(sys, "_is_gil_enabled", lambda: True)() else -1


def accumulate(leaf: Tensor, g: Any, create_graph: bool) -> None:
    """Add `g` to `leaf.grad`: in place, or as a new tensor that is part of the graph."""
    state = leaf.state()
    if state.grad is None:
        store(leaf, g, create_graph)
    elif create_graph:
        state.grad = state.grad + g
    else:
        np.add(state.grad._array, g, out=state.grad._array)
        if not state.grad.is_inference():
            version_of(state.grad).write()
        elif not mode.inference:  # PyTorch, too, has written by then
            raise RuntimeError(INFERENCE_WRITE)


def store(holder: Tensor, g: Any, create_graph: bool) -> None:
    """Make `holder.grad` a copy of `g`, in the layout of `holder` where that is dense."""
    state = holder.state()
    if create_graph:
        state.grad = clone(g)
        if not mode.inference:
            version_of(state.grad).count = 1
        return
    dense = is_dense(holder._array)
    fresh = np.empty_like(holder._array, order="K" if dense else "C", subok=False, dtype=g.dtype)
    np.copyto(fresh, g)
    state.grad = born(Tensor(fresh))
    if not mode.inference:
        version_of(state.grad).count = 1  # PyTorch, too, copies into memory of the gradient's own
