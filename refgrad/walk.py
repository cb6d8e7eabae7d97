"""The backward walk: one iterative pass over the graph, in PyTorch's order.

What every rule needs is done here once: a cotangent is summed to the operand's shape, cast to its dtype, and
stays an array when it has no dimensions.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from refgrad.dtypes import from_numpy_dtype
from refgrad.graph import AccumulateGrad, Edge, Extras, Meta, Node
from refgrad.lane import take_lane, total
from refgrad.modes import mode
from refgrad.ops.reductions import sum_dim
from refgrad.ops.shaping import clone, to_copy, view
from refgrad.tensor import Tensor
from refgrad.versions import version_of

Pending = dict[Node | Edge, Any]
"""The cotangents on their way, by node; those of outputs other than a node's first, by edge."""
Closing = dict[Node | None, list[Node]]
"""The leaves that have got all of their gradient once a node has run; under None those that need no node."""


def run(
    roots: Sequence[tuple[Edge, Any]],
    *,
    create_graph: bool,
    keep: bool,
    wanted: Iterable[Edge] | None = None,
) -> Mapping[Edge, Any]:
    """Carry the cotangents of `roots` back through the graph.

    roots: edges to the outputs, each with its cotangent: tensors with `create_graph`, else arrays.
    keep: whether nodes keep what they saved, for another pass.
    wanted: edges whose cotangents to return, in which case only nodes on the way to them run; None: leaves
        add what arrives to their `.grad`.
    Raises RuntimeError on reaching a node whose saved values have been freed.
    """
    pending: Pending = {}
    before = mode.enabled
    mode.enabled = create_graph
    try:
        with np.errstate(all="ignore"):
            for edge, g in roots:
                key = edge if edge[1] else edge[0]
                pending[key] = total(pending[key], g) if key in pending else g
            if wanted is None:
                return _visit(pending, create_graph=create_graph, keep=keep)
            nodes, _ = _discover(pending)
            return _visit_some(nodes, pending, set(wanted), create_graph=create_graph, keep=keep)
    finally:
        mode.enabled = before


def _visit(pending: Pending, *, create_graph: bool, keep: bool) -> Mapping[Edge, Any]:
    """Run every node, and hand each leaf its gradient as soon as all of it has arrived."""
    if not create_graph:
        try:
            take_lane(pending, _fit_array, keep=keep)
        except BaseException:
            for leaf in _discover(pending)[1].get(None, ()):
                _finish(leaf, pending, create_graph)
            raise
    nodes, closing = _discover(pending)
    for leaf in closing.get(None, ()):
        _finish(leaf, pending, create_graph)
    for node in nodes:
        gs = _take(node, pending, create_graph)
        if gs is not None:
            _send(node, gs, pending, None, create_graph)
        if not keep:
            node.free()
        for leaf in closing.get(node, ()):
            _finish(leaf, pending, create_graph)
    return {}


def _visit_some(
    nodes: Sequence[Node], pending: Pending, targets: set[Edge], *, create_graph: bool, keep: bool
) -> Mapping[Edge, Any]:
    """Run the nodes that lead to `targets`, and return the cotangents that arrive there."""
    aims = {node for node, _ in targets}
    needed = _leading_to(nodes, aims)
    useful = needed | aims
    caught: dict[Edge, Any] = {}
    for node in nodes:
        if node in aims:
            caught.update(_arrived(pending, [edge for edge in targets if edge[0] is node]))
        if node in needed:
            gs = _take(node, pending, create_graph)
            if gs is not None:
                _send(node, gs, pending, useful, create_graph)
                if not keep:
                    node.free()
    return {**caught, **_arrived(pending, [edge for edge in targets if edge[0].number < 0])}


def _arrived(pending: Pending, edges: Sequence[Edge]) -> dict[Edge, Any]:
    """What has arrived at each of `edges`, where anything has."""
    return {edge: pending[key] for edge in edges if (key := edge if edge[1] else edge[0]) in pending}


def _send(
    node: Node, gs: Sequence[Any], pending: Pending, useful: set[Node] | None, create_graph: bool
) -> None:
    """Send what `node` answers along its edges."""
    fit = _fit_tensor if create_graph else _fit_array
    for (target, nr), ct in node.answers(gs, useful, create_graph):
        ct = fit(ct, target.metas[nr])
        key = (target, nr) if nr else target
        pending[key] = total(pending[key], ct) if key in pending else ct


def _take(node: Node, pending: Pending, create_graph: bool) -> Sequence[Any] | None:
    """The cotangents of the outputs of `node`, each None if it has not arrived; None if none has."""
    gs = [pending.pop((node, nr) if nr else node, None) for nr in range(len(node.metas))]
    if all(g is None for g in gs):
        return None
    if node.extras is not None and node.extras.retained:
        _retain(node.extras, gs, create_graph)
    return gs


def _retain(extras: Extras, gs: Sequence[Any], create_graph: bool) -> None:
    """Give those outputs that retain their gradient a copy of it."""
    for nr, kept in extras.retained.items():
        retaining = kept()
        if retaining is not None and gs[nr] is not None:
            held = retaining.state().grad
            store(retaining, gs[nr], create_graph)
            if held is not None:
                retaining.state().grad = held + retaining.state().grad


def _finish(leaf: Node, pending: Pending, create_graph: bool) -> None:
    """Give a leaf the gradient that has arrived: the array itself, where nothing else holds it."""
    g = pending.pop(leaf, None)
    if g is None:
        return
    assert isinstance(leaf, AccumulateGrad)
    holder = leaf.variable
    if not holder.requires_grad:  # no longer
        return
    if holder._node is not None:
        raise RuntimeError("leaf variable has been moved into the graph interior")
    alone = not create_graph and sys.getrefcount(g) <= ALONE and g.base is None and g.flags.writeable
    if alone and holder.state().grad is None and g.flags.c_contiguous and holder._array.flags.c_contiguous:
        holder.state().grad = Tensor(g)  # nobody else has it, so it need not be copied
        return
    accumulate(holder, g, create_graph)


def _references_to_a_local() -> int:
    """What `sys.getrefcount` says of an object that one local variable holds; interpreters differ."""
    local = np.zeros(1)
    return sys.getrefcount(local)


ALONE = _references_to_a_local() if getattr(sys, "_is_gil_enabled", lambda: True)() else -1


def accumulate(leaf: Tensor, g: Any, create_graph: bool) -> None:
    """Add `g` to `leaf.grad`: in place, or as a new tensor that is part of the graph."""
    state = leaf.state()
    if state.grad is None:
        store(leaf, g, create_graph)
    elif create_graph:
        state.grad = state.grad + g
    else:
        np.add(state.grad._array, g, out=state.grad._array)
        version_of(state.grad).write()


def store(holder: Tensor, g: Any, create_graph: bool) -> None:
    """Make `holder.grad` a copy of `g`, in the layout of `holder` where that is dense."""
    if create_graph:
        holder.state().grad = clone(g)
        return
    dense = _is_dense(holder._array)
    fresh = np.empty_like(holder._array, order="K" if dense else "C", subok=False, dtype=g.dtype)
    np.copyto(fresh, g)
    holder.state().grad = Tensor(fresh)


def _is_dense(array: np.ndarray[Any, Any]) -> bool:
    """Whether the elements fill one block of memory, in some order of the dimensions."""
    expected = array.itemsize
    for stride, size in sorted(zip(array.strides, array.shape, strict=True)):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def _fit_array(ct: Any, meta: Meta) -> Any:
    """An array of the operand's shape and dtype, from what its formula returned."""
    shape, stored = meta
    if type(ct) is not ndarray:
        ct = np.asarray(ct)
    if ct.shape != shape:
        ct = sum_to(ct, shape)
    return ct if stored is None or ct.dtype is stored or ct.dtype == stored else ct.astype(stored)


def _fit_tensor(ct: Any, meta: Meta) -> Any:
    """The same for what a formula returned on tensors; a constant becomes one."""
    shape, stored = meta
    if type(ct) is not Tensor:
        ct = Tensor(np.asarray(ct))
    if ct._array.shape != shape:
        ct = sum_to(ct, shape)
    return ct if stored is None or ct._array.dtype == stored else to_copy(ct, dtype=from_numpy_dtype(stored))


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """`g` summed over the dimensions along which an operand of `shape` was broadcast."""
    new = len(g.shape) - len(shape)
    widened = [new + i for i, size in enumerate(shape) if size == 1 and g.shape[new + i] != 1]
    return view(sum_dim(g, dim=(*range(new), *widened), keepdim=True), shape=shape)


def _discover(pending: Pending) -> tuple[list[Node], Closing]:
    """The inner nodes behind what is `pending`, last made first, and the leaves that are done once a node has run.

    A leaf is done after the first made of the nodes that lead to it, as they run last made first.
    """
    roots = [key[0] if isinstance(key, tuple) else key for key in pending]
    last: dict[Node, Node | None] = {node: None for node in roots if node.number < 0}
    found = {node.number: node for node in roots if node.number >= 0}
    stack = list(found.values())
    while stack:
        node = stack.pop()
        for behind in node.edges:
            if behind is not None:
                number = behind.number
                if number < 0:
                    before = last.get(behind)
                    if before is None or node.number < before.number:
                        last[behind] = node
                elif number not in found:
                    found[number] = behind
                    stack.append(behind)
    closing: Closing = {None: [leaf for leaf, user in last.items() if user is None]}
    for user in last.values():
        if user is not None and user not in closing:
            ends = [leaf for leaf in user.edges if leaf is not None and last.get(leaf) is user]
            closing[user] = list(dict.fromkeys(ends))  # in the order of the inputs
    return [found[number] for number in sorted(found, reverse=True)], closing


def _leading_to(nodes: Sequence[Node], aims: set[Node]) -> set[Node]:
    """The nodes from which one of `aims` is reached; `nodes` come last made first."""
    leading: set[Node] = set()
    for node in reversed(nodes):
        if any(behind in aims or behind in leading for behind in node.edges):
            leading.add(node)
    return leading
