"""The backward walk: one iterative pass over the graph, in PyTorch's order.

What every rule needs is done here once: a cotangent is summed to the operand's shape, cast to its dtype, of which a
real one takes the real part, and stays an array when it has no dimensions. Hooks run where PyTorch runs them: those of
a tensor before what was asked for is caught or retained, then those of its node, before and after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from refgrad import anomaly
from refgrad.accumulate import accumulate, hand_over, retain
from refgrad.dtypes import from_numpy_dtype
from refgrad.graph import AccumulateGrad, Edge, Extras, Meta, Node
from refgrad.hooks import run_accumulated, run_post_hooks, run_pre_hooks, run_tensor_hooks
from refgrad.lane import take_lane
from refgrad.modes import is_grad_enabled, swap
from refgrad.ops.complexes import real_part
from refgrad.ops.reductions import sum_all, sum_dim
from refgrad.ops.shaping import to_copy, view
from refgrad.task import Closing, Pending, Task, running
from refgrad.tensor import Tensor


def run(
    roots: Sequence[tuple[Edge, Any]],
    *,
    create_graph: bool,
    keep: bool,
    wanted: Iterable[Edge] | None = None,
    capture: bool = True,
) -> Mapping[Edge, Any]:
    """Carry the cotangents of `roots` back through the graph.

    roots: edges to the outputs, each with its cotangent: tensors with `create_graph`, else arrays.
    keep: whether nodes keep what they saved, for another pass.
    wanted: edges in question, in which case only nodes on the way to them run; None: all leaves.
    capture: whether to return the cotangents of `wanted`; if not, the nodes there run too, and leaves add what
        arrives to their `.grad`.
    Raises RuntimeError on reaching a node whose saved values have been freed.
    """
    task = Task(create_graph=create_graph, keep=keep, targets=wanted, capture=capture)
    outer, before = running.task, swap(create_graph)
    running.task = task
    try:
        with np.errstate(all="ignore"):
            pending = task.pending
            for edge, g in roots:
                key = edge if edge[1] else edge[0]
                pending[key] = total(pending[key], g) if key in pending else g
            del roots
            _visit_all(task)
            return task.caught
    finally:
        swap(before)
        running.task = outer


def _visit_all(task: Task) -> None:
    """Run the nodes, and each leaf as soon as all of its gradient has arrived."""
    last: Node | None = None
    if task.targets is None and not task.create_graph and not anomaly.state.enabled:
        try:
            last = take_lane(task.pending, _fit_array, keep=task.keep)
        except BaseException:
            for leaf in _discover(task.pending)[1].get(None, ()):
                _visit(leaf, task)
            raise
        if last is None and all(type(key) is AccumulateGrad and key.extras is None for key in task.pending):
            _accumulate_all(task)
            return
    nodes, closing = _discover(task.pending)
    task.order = nodes, closing
    if task.targets is not None:
        task.choose(nodes)
    visit = _visit if not anomaly.state.enabled else _visit_watched
    ready = closing.get(None, [])
    if last is not None:
        # The leaves that it has completed come after the others, in the order of its inputs.
        ready.sort(key=lambda leaf: last.edges.index(leaf) if leaf in last.edges else -1)
    for leaf in ready:
        visit(leaf, task)
    for node in nodes:
        visit(node, task)
        for leaf in closing.get(node, ()):
            visit(leaf, task)


def _accumulate_all(task: Task) -> None:
    """The end of a walk that has nothing before it but leaves without hooks."""
    leaves: list[Any] = list(task.pending)
    task.order = [], {None: leaves}
    for leaf in leaves:
        _accumulate(leaf, [task.pending.pop(leaf)], False)


def _visit(node: Node, task: Task) -> None:
    """Run one node with all that hangs on it, if this pass needs it."""
    extras, useful = node.extras, task.useful
    gs = _take(node, extras, task.pending)
    if useful is not None and node not in useful:
        if extras is not None and any(g is not None for g in gs):
            _received(extras, gs, task)  # a root: hooks of its tensor run whether its node does or not
        return
    if useful is not None and node in task.aims and task.capture:
        needed = node in task.needed
        if extras is not None and not needed:
            gs = _received(extras, gs, task)
        task.caught.update({(node, nr): g for nr, g in enumerate(gs) if (node, nr) in task.targets})  # type: ignore[operator]
        if not needed:
            return
    if extras is not None:
        gs = _received(extras, gs, task)
        if extras.pre_hooks:
            gs = run_pre_hooks(extras.pre_hooks, gs)
    if isinstance(node, AccumulateGrad):
        _accumulate(node, gs, task.create_graph)
        if extras is not None and extras.post_hooks:
            run_post_hooks(extras.post_hooks, [], gs)
    elif (extras is not None and extras.post_hooks) or anomaly.state.enabled:
        _send_checked(node, gs, task)
    else:
        _send(node, gs, task)


def _visit_watched(node: Node, task: Task) -> None:
    """The same while anomaly detection is on."""
    outer, anomaly.running.node = anomaly.running.node, node
    try:
        _visit(node, task)
    except BaseException:
        anomaly.report(node)
        raise
    finally:
        anomaly.running.node = outer


def _take(node: Node, extras: Extras | None, pending: Pending) -> list[Any]:
    """The cotangents of the outputs of `node`, each None if it has not arrived."""
    if extras is None or extras.metas is None:
        return [pending.pop(node, None)]
    return [pending.pop((node, nr) if nr else node, None) for nr in range(len(extras.metas))]


def _received(extras: Extras, gs: list[Any], task: Task) -> list[Any]:
    """The cotangents of a node's outputs after the hooks of those tensors; some of them retain theirs."""
    if extras.tensor_hooks:
        gs = run_tensor_hooks(extras, gs)
    if extras.retained:
        retain(extras, gs, task.create_graph)
    return gs


def _send(node: Node, gs: Sequence[Any], task: Task) -> None:
    """Send what `node` answers along its edges."""
    pending, fit = task.pending, _fit_tensor if task.create_graph else _fit_array
    for (target, nr), ct in node.answers(gs, task.useful, task.create_graph):
        if ct is not None:
            ct = fit(ct, target.metas[nr])
            key = (target, nr) if nr else target
            pending[key] = total(pending[key], ct) if key in pending else ct
    if not task.keep:
        node.free()


def _send_checked(node: Node, gs: Sequence[Any], task: Task) -> None:
    """The same, all at once, after hooks and a look for NaN."""
    edges, pending = node.next_functions, task.pending
    sent = _answers(node, edges, gs, task.useful, task.create_graph)
    if node.extras is not None and node.extras.post_hooks:
        sent = run_post_hooks(node.extras.post_hooks, sent, gs)
    if not task.keep:
        node.free()
    if anomaly.state.enabled:
        anomaly.check_nan(node, sent)
    for (target, nr), ct in zip(edges, sent, strict=True):
        if target is not None and ct is not None and (task.useful is None or target in task.useful):
            key = (target, nr) if nr else target
            pending[key] = total(pending[key], ct) if key in pending else ct


def _answers(
    node: Node,
    edges: Sequence[tuple[Node | None, int]],
    gs: Sequence[Any],
    useful: set[Node] | None,
    create_graph: bool,
) -> list[Any]:
    """What `node` answers for each of its `edges`; None where nothing is sent."""
    fit = _fit_tensor if create_graph else _fit_array
    sent: list[Any] = [None] * len(edges)
    left = list(range(len(edges)))
    for edge, ct in node.answers(gs, useful, create_graph):
        place = next(i for i in left if edges[i] == edge)
        left.remove(place)
        if ct is not None:
            sent[place] = fit(ct, edge[0].metas[edge[1]])
    return sent


def call(node: Node, gs: Sequence[Any]) -> Any:
    """What `node` sends on, for cotangents from anybody, as tensors; at a leaf they are accumulated."""
    if len(gs) != len(node.metas):
        raise TypeError(f"expected {len(node.metas)} arguments, got {len(gs)} instead")
    for position, g in enumerate(gs):
        if not (g is None or isinstance(g, Tensor)):
            raise TypeError(f"argument {position} is not a Variable")
    create_graph = is_grad_enabled()
    gs = [g if create_graph or g is None else g._array for g in gs]
    if isinstance(node, AccumulateGrad):
        _accumulate(node, [*gs], create_graph)
        return ()
    with np.errstate(all="ignore"):
        sent = _answers(node, node.next_functions, gs, None, create_graph)
    made = tuple(Tensor(ct) if isinstance(ct, ndarray) else ct for ct in sent)
    return made[0] if len(made) == 1 else made


def _accumulate(node: AccumulateGrad, gs: list[Any], create_graph: bool) -> None:
    """Add what has arrived to the `.grad` of a leaf, unless that was frozen since; then tell those who wait for it."""
    extras, leaf = node.extras, node.variable
    wanted = leaf.requires_grad
    if wanted and leaf._node is not None:
        raise RuntimeError("leaf variable has been moved into the graph interior")
    if wanted and gs[0] is not None:
        if extras is None:
            hand_over(leaf, gs.pop(), create_graph)
        else:
            accumulate(leaf, gs[0], create_graph)
    if extras is not None and extras.accumulated is not None:
        run_accumulated(extras.accumulated, leaf)


def _fit_array(ct: Any, meta: Meta) -> Any:
    """An array of the operand's shape and dtype, from what its formula returned."""
    shape, stored = meta
    if type(ct) is not ndarray:
        ct = np.asarray(ct)
    if ct.shape != shape:
        ct = sum_to(ct, shape)
    if stored is None or ct.dtype is stored or ct.dtype == stored:
        return ct
    return _cast_array(ct, stored)


def total(held: Any, g: Any) -> Any:
    """What has arrived, and what arrives now; an array also where it has no dimensions."""
    both = held + g
    return both if type(both) is ndarray or type(both) is Tensor else np.asarray(both)


def _cast_array(ct: Any, stored: np.dtype[Any]) -> Any:
    """A cotangent in the dtype of its operand, of which a real one takes the real part."""
    return (ct.real if ct.dtype.kind == "c" and stored.kind != "c" else ct).astype(stored)


def _fit_tensor(ct: Any, meta: Meta) -> Any:
    """The same for what a formula returned on tensors; a constant becomes one."""
    shape, stored = meta
    if type(ct) is not Tensor:
        ct = Tensor(np.asarray(ct))
    if ct._array.shape != shape:
        ct = sum_to(ct, shape)
    return ct if stored is None or ct._array.dtype == stored else _cast_tensor(ct, stored)


def _cast_tensor(ct: Tensor, stored: np.dtype[Any]) -> Any:
    """The same of a tensor, recorded."""
    if ct._array.dtype.kind == "c" and stored.kind != "c":
        ct = real_part(ct)
    return ct if ct._array.dtype == stored else to_copy(ct, dtype=from_numpy_dtype(stored))


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """`g` summed over the dimensions along which an operand of `shape` was broadcast."""
    if not shape:
        summed = sum_all(g)
        return summed if type(summed) is Tensor else np.asarray(summed)
    new = len(g.shape) - len(shape)
    widened = [new + i for i, size in enumerate(shape) if size == 1 and g.shape[new + i] != 1]
    summed = sum_dim(g, dim=(*range(new), *widened), keepdim=True)
    return view(summed, shape=shape) if new else summed


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
