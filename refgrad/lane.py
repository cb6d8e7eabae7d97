"""The walk's short way: plain nodes, on arrays, without looking ahead.

A node is plain if it needs nothing but its formulas: one output of full width, no gradient to retain. Taken last
made first, as the walk takes them, they need no look at the graph beforehand, and what arrives at leaves can wait:
nothing can see it before the walk is back. A node that is not plain ends the lane, and the walk goes on from there.
"""

from heapq import heapify, heappop, heappush
from typing import Any

from numpy import asarray, ndarray

from refgrad.graph import FREED
from refgrad.opnode import OpNode
from refgrad.tensor import Tensor
from refgrad.versions import check_saved, clock


def take_lane(pending: dict[Any, Any], fit: Any, *, keep: bool) -> None:
    """Run plain nodes until none is left with a cotangent, or the next one is not plain.

    pending: the cotangents by node, brought up to date also if a formula raises.
    fit: brings what a formula returned to a shape and dtype.
    Raises RuntimeError on reaching a node whose saved values have been freed.
    """
    if any(type(key) is tuple for key in pending):  # cotangents of outputs other than a node's first
        return
    waiting = {node.number: node for node in pending if node.number >= 0}
    heap = [-number for number in waiting]
    heapify(heap)
    node: OpNode | None = None
    g: Any = None
    latest = clock.latest
    try:
        while True:
            if node is None:
                if not heap:
                    return
                node = waiting.pop(-heappop(heap))
                g = pending.pop(node)
            if node.extras is not None:
                pending[node] = g
                return
            saved, edges, plan = node.saved, node.edges, node.plan
            if saved is None:
                raise RuntimeError(FREED)
            if node.number < latest:
                check_saved(node)
                saved = node.saved or ()
            following: Any = None
            ahead: Any = None
            for position, formula, count, first, second, pick in plan.steps:  # type: ignore[union-attr]
                if count == 1:
                    ct = formula(g, saved[first])
                elif count == 0:
                    ct = formula(g)
                elif count == 2:
                    ct = formula(g, saved[first], saved[second])
                else:
                    ct = formula(g, *pick(saved))
                target: Any = edges[position]
                if type(ct) is not ndarray or ct.dtype is not target.dtype or ct.shape != target.shape:
                    ct = fit(ct, (target.shape, target.dtype))
                if target is following:
                    ahead = total(ahead, ct)
                elif target in pending:
                    pending[target] = total(pending[target], ct)
                elif target.number < 0:
                    pending[target] = ct
                elif following is None:
                    following, ahead = target, ct
                else:
                    pending[target] = ct
                    waiting[target.number] = target
                    heappush(heap, -target.number)
            if not keep and plan.saves:
                node.saved = node.tensors = None
            if heap and following is not None and following.number < -heap[0]:
                pending[following] = ahead
                waiting[following.number] = following
                heappush(heap, -following.number)
                following = None
            node, g = following, ahead
    except BaseException:
        if node is not None:
            pending[node] = g
        raise


def total(held: Any, g: Any) -> Any:
    """What has arrived, and what arrives now; an array also where it has no dimensions."""
    both = held + g
    return both if type(both) is ndarray or type(both) is Tensor else asarray(both)
