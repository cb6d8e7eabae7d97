"""The recorded graph: nodes and their edges.

Each node knows the shape and dtype of the tensors that it made, so that the walk can sum and cast a
cotangent before it hands it over.
"""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from refgrad import anomaly, dtypes
from refgrad.handles import Hooks, RemovableHandle, add

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
    tensor_hooks: by output, what is called with its cotangent.
    pre_hooks, post_hooks: what is called before and after the node runs.
    accumulated: at a leaf, what is called once its `.grad` is up to date.
    metadata: what anybody has attached to the node.
    packed: whether hooks have packed anything that the node saved.
    complexes: whether an input or output of the node's op is complex; see `refgrad.opnode.OpNode.answers`.
    """

    __slots__ = (
        "accumulated",
        "complexes",
        "metadata",
        "metas",
        "packed",
        "ports",
        "post_hooks",
        "pre_hooks",
        "retained",
        "tensor_hooks",
    )

    def __init__(self, ports: tuple[int, ...] | None = None, metas: tuple[Meta, ...] | None = None) -> None:
        self.ports = ports
        self.metas = metas
        self.retained: Mapping[int, weakref.ref[Tensor]] = {}
        self.tensor_hooks: dict[int, Hooks] = {}
        self.pre_hooks: Hooks | None = None
        self.post_hooks: Hooks | None = None
        self.accumulated: Hooks | None = None
        self.metadata: dict[str, Any] | None = None
        self.packed = False
        self.complexes = False


class InputMetadata(NamedTuple):
    """What a node knows of one of its outputs, which are the inputs of its backward."""

    shape: tuple[int, ...]
    dtype: dtypes.dtype
    is_nested_tensor: bool = False


class Node:
    """What recorded results know of how they were made, seen from the backward pass.

    edges: for each input the node that made it, if it requires grad.
    shape, dtype: those of the first differentiable output.
    A node without `extras` is a plain application of an op, and takes the walk's short way.
    """

    __slots__ = ("dtype", "edges", "extras", "number", "shape")

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

    @property
    def metadata(self) -> dict[str, Any]:
        """A dict for whoever wants to attach something to the node."""
        extras = extras_of(self)
        if extras.metadata is None:
            extras.metadata = {}
        return extras.metadata

    @property
    def requires_grad(self) -> bool:
        """Always true: nothing else is recorded."""
        return True

    @property
    def _input_metadata(self) -> tuple[InputMetadata, ...]:
        return tuple(InputMetadata(shape, dtypes.from_numpy_dtype(stored)) for shape, stored in self.metas)

    def _sequence_nr(self) -> int:
        return self.number

    def register_prehook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Call `fn(grad_outputs)` each time before the node runs; it may return others, as a tuple."""
        extras = extras_of(self)
        if extras.pre_hooks is None:
            extras.pre_hooks = Hooks()
        return add(extras.pre_hooks, fn)

    def register_hook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Call `fn(grad_inputs, grad_outputs)` each time after the node has run; it may return other grad_inputs."""
        extras = extras_of(self)
        if extras.post_hooks is None:
            extras.post_hooks = Hooks()
        return add(extras.post_hooks, fn)

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
        """The cotangents that this node sends on, each with the edge that it goes along; None where nothing is sent.

        gs: the cotangent of each differentiable output, None where none arrived: arrays, or tensors with
            `create_graph`.
        useful: the nodes that are waited for; None if all are.
        Raises RuntimeError if what it saved has been freed.
        """
        raise NotImplementedError

    def free(self) -> None:
        """Forget what was saved; a node that saved no tensor can run again."""

    def __call__(self, *gs: "Tensor | None", **settings: Any) -> Any:
        """What the node sends on for these cotangents of its outputs: a tensor, or a tuple if it has not one input.

        Its hooks do not run, and nothing is freed. Raises TypeError unless there is a tensor or None for each output.
        """
        from refgrad.walk import call  # the walk is written in ops, which leave nodes behind

        if settings:
            raise TypeError("keyword arguments are not supported")
        return call(self, gs)

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

    def _sequence_nr(self) -> int:
        return 2**64 - 1  # before all others, as soon as everything has arrived


_making = Lock()


def leaf_node(leaf: "Tensor") -> AccumulateGrad | None:
    """The node at a leaf that requires grad; the leaf holds it weakly, as the node holds the leaf."""
    state = leaf._state
    if state is None or not state.requires_grad:
        return None
    held = state.accumulator
    node = held() if held is not None else None
    if node is None:
        with _making:  # two threads that use a leaf at once must come to the same node
            node = state.accumulator() if state.accumulator is not None else None
            if node is None:
                node = AccumulateGrad(leaf)
                link_hooks(leaf, node)
                if anomaly.state.enabled:
                    anomaly.remember(node)
                state.accumulator = weakref.ref(node)
    return node


def link_hooks(leaf: "Tensor", node: AccumulateGrad) -> None:
    """Let the node at `leaf` know the hooks that are registered on the leaf itself, which outlive the node."""
    state = leaf.state()
    if state.hooks is not None:
        extras_of(node).tensor_hooks = {0: state.hooks}
    if state.accumulated is not None:
        extras_of(node).accumulated = state.accumulated


def edge_of(t: "Tensor") -> Edge | None:
    """Where the gradient with respect to `t` is computed; None if `t` does not require grad."""
    node = t.grad_fn or leaf_node(t)
    return None if node is None else (node, t.output_nr)


def extras_of(node: Node) -> Extras:
    """The extras of `node`, made on first need."""
    if node.extras is None:
        node.extras = Extras()
    return node.extras
