"""The walk's short way: plain nodes, on arrays, without looking ahead.

A node is plain if it needs nothing but its formulas: one output of full width, no gradient to retain, no hooks. Taken
last made first, as the walk takes them, they need no look at the graph beforehand, and what arrives at leaves can wait:
nothing can see it before the walk is back. A node that is not plain ends the lane, and so does a leaf with hooks; the
walk goes on from there.
"""

from heapq import heapify, heappop, heappush
from operator import add as plus
from typing import Any

from numpy import asarray, ndarray

from refgrad.graph import FREED
from refgrad.opnode import OpNode
from refgrad.versions import check_saved, clock


def take_lane(pending: dict[Any, Any], fit: Any, *, keep: bool) -> OpNode | None:
    """Run plain nodes until none is left with a cotangent, or the next one is not plain.

    pending: the cotangents by node, brought up to date also if a formula raises.
    fit: brings what a formula returned to a shape and dtype.
    Returns the node at which a leaf with hooks was reached, if that is why it ends.
    Raises RuntimeError on reaching a node whose saved values have been freed.
    """
    for key in pending:
        if type(key) is tuple or (key.number < 0 and key.extras is not None):
            return None  # a cotangent of an output other than a node's first, or a leaf with hooks
    waiting = {node.number: node for node in pending if node.number >= 0}
    heap = [-number for number in waiting]
    heapify(heap)
    node: OpNode | None = None
    g: Any = None
    latest = clock.latest
    saved: Any = None
    tensors: Any = None
    seen = False  # a leaf with hooks, which run as soon as all of its gradient has arrived
    try:
        while True:
            if node is None:
                if not heap:
                    return None
                node = waiting.pop(-heappop(heap))
                g = pending.pop(node)
            if node.extras is not None:
                pending[node] = g
                return None
            saved, edges, plan = node.saved, node.edges, node.plan
            if saved is None:
                raise RuntimeError(FREED)
            if node.number < latest:
                check_saved(node)
                saved = node.saved or ()
            if not keep and plan.saves:  # at once, so that of two threads one alone gets it
                tensors = node.tensors
                node.saved = node.tensors = None
            following: Any = None
            ahead: Any = None
            for position, formula, count, first, second, pick in plan.steps:  # type: ignore[union-attr]
                if count == 1:
                    ct = formula(g, saved[first])
                elif count < 0:
                    ct = g
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
                    both = plus(ahead, ct)
                    ahead = both if type(both) is ndarray else asarray(both)
                elif target in pending:
                    both = plus(pending[target], ct)
                    pending[target] = both if type(both) is ndarray else asarray(both)
                elif target.number < 0:
                    pending[target] = ct
                    if target.extras is not None:
                        seen = True
                elif following is None:
                    following, ahead = target, ct
                else:
                    pending[target] = ct
                    waiting[target.number] = target
                    heappush(heap, -target.number)
            if seen:
                if following is not None:
                    pending[following] = ahead
                return node
            if heap and following is not None and following.number < -heap[0]:
                pending[following] = ahead
                waiting[following.number] = following
                heappush(heap, -following.number)
                following = None
            node, g = following, ahead
    except BaseException:
        if node is not None:
            pending[node] = g
            if saved is not None and node.saved is None:  # it has not run
                node.saved, node.tensors = saved, tensors
        raise
