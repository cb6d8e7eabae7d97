"""The recorded graph: nodes and their edges.

Each node knows the shape and dtype of the tensors that it made, so that the walk can sum and cast a
cotangent before it hands it over.
"""

import weakref
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

if TYPE_CHECKING:
    from refgrad.tensor import Tensor

Edge = tuple["Node", int]
Meta = tuple[tuple[int, ...], np.dtype[Any]]

next_number = count().__next__
"""Nodes are numbered as they are made, so that a node's number exceeds those of all it was made from."""


class Extras:
    """What few nodes need; a node without takes the walk's short way.

    ports: which output of the node at the end of each edge the edge leads to; None where each leads to the first.
    metas: the shape and dtype of each differentiable output, where there are several.
    retained: the outputs that retain their gradient, weakly.
    """

    __slots__ = ("metas", "ports", "retained")

    def __init__(self, ports: tuple[int, ...] | None = None, metas: tuple[Meta, ...] | None = None) -> None:
        self.ports = ports
        self.metas = metas
        self.retained: Mapping[int, weakref.ref[Tensor]] = {}


class Node:
    """What recorded results know of how they were made, seen from the backward pass.

    edges: for each input the node that made it, if it requires grad.
    shape, dtype: those of the first differentiable output.
    A node without `extras` is a plain application of an op, and takes the walk's short way.
    """

    __slots__ = ("dtype", "edges", "extras", "number", "shape")
    runs_on_nothing: ClassVar[bool] = False  # whether it is asked even where no cotangent has arrived

    edges: "tuple[Node | None, ...]"
    extras: Extras | None
    number: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def name(self) -> str:
        """The name PyTorch gives it, such as MulBackward0."""
        return type(self).__name__

    @property
    def metas(self) -> tuple[Meta, ...]:
        """The shape and dtype of each differentiable output."""
        extras = self.extras
        return ((self.shape, self.dtype),) if extras is None or extras.metas is None else extras.metas

    def edge(self, position: int) -> Edge | None:
        """The edge to the input at `position`, if that requires grad."""
        node, extras = self.edges[position], self.extras
        if node is None:
            return None
        return (node, 0 if extras is None or extras.ports is None else extras.ports[position])

    @property
    def next_functions(self) -> tuple[tuple["Node | None", int], ...]:
        """For each differentiable input its node and which of the node's outputs it was; else (None, 0)."""
        return tuple(self.edge(i) or (None, 0) for i in range(len(self.edges)))

    def answers(
        self, gs: Sequence[Any], useful: "set[Node] | None", create_graph: bool
    ) -> Iterable[tuple[Edge, Any]]:
        """The cotangents that this node sends on, each with the edge that it goes along; None sends nothing.

        gs: the cotangent of each differentiable output, None where none arrived: arrays, or tensors with
            `create_graph`.
        useful: the nodes that are waited for; None if all are.
        Raises RuntimeError if what it saved has been freed.
        """
        raise NotImplementedError

    def free(self) -> None:
        """Forget what was saved; a node that saved no tensor can run again."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {id(self):#x}>"


FREED: Final = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have "
    "already been freed). Saved intermediate values of the graph are freed when you call .backward() or "
    "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or "
    "if you need to access saved tensors after calling backward."
)


class AccumulateGrad(Node):
    """The end of the graph at a leaf: adds what arrives to the leaf's `.grad`."""

    __slots__ = ("__weakref__", "variable")

    def __init__(self, leaf: "Tensor") -> None:
        self.variable = leaf
        self.edges = ()
        self.extras = None
        self.shape, self.dtype = leaf._array.shape, leaf.state().stored(leaf._array.dtype)
        self.number = -1

    def name(self) -> str:
        """PyTorch's name for it."""
        return "torch::autograd::AccumulateGrad"


def leaf_node(leaf: "Tensor") -> AccumulateGrad | None:
    """The node at a leaf that requires grad; the leaf holds it weakly, as the node holds the leaf."""
    state = leaf._state
    if state is None or not state.requires_grad:
        return None
    node = state.accumulator() if state.accumulator is not None else None
    if node is None:
        node = AccumulateGrad(leaf)
        state.accumulator = weakref.ref(node)
    return node
