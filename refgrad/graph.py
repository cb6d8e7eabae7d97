"""The recorded graph: nodes, their edges, and what they save.

Each node knows the shape and dtype of the tensors that it made, so that the walk can sum and cast a
cotangent before it hands it over. A saved output holds its array, never its tensor: the tensor holds the
node, and a cycle would keep every graph alive until the next collection.
"""

import weakref
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from refgrad.op import Op

if TYPE_CHECKING:
    from refgrad.binding import Plan
    from refgrad.tensor import Tensor

Edge = tuple["Node", int]
Meta = tuple[tuple[int, ...], np.dtype[Any]]

FIRST_NAMES: Final = {"x": "self", "a": "self", "b": "other", "y": "result", "x_shape": "self_sym_sizes"}
"""What PyTorch calls, among saved values, what our formulas call by one letter."""

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
    """One application of an op, seen from the backward pass.

    edges: for each input the node that made it, if it requires grad.
    saved: what the live formulas ask for, arrays as the op saw them: promoted, and half-width floats
        widened; None once freed.
    tensors: the inputs among it, as the very tensors that were passed.
    shape, dtype: those of the first differentiable output.
    """

    __slots__ = ("dtype", "edges", "extras", "number", "plan", "saved", "shape", "tensors")
    op: Op

    def __init__(
        self,
        plan: "Plan",
        edges: "tuple[Node | None, ...]",
        saved: tuple[Any, ...],
        tensors: tuple[Any, ...],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        self.plan: Plan = plan
        self.edges = edges
        self.saved: tuple[Any, ...] | None = saved
        self.tensors: tuple[Any, ...] | None = tensors
        self.shape = shape
        self.dtype = dtype
        self.extras: Extras | None = None
        self.number = next_number()

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
        op = self.op
        wanted = [i for i in range(len(self.edges)) if op.lists or op.has_formula[i]]
        return tuple(self.edge(i) or (None, 0) for i in wanted)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {id(self):#x}>"

    def free(self) -> None:
        """Forget what was saved; a node that saved no tensor can run again."""
        if self.plan.saves:
            self.saved = self.tensors = None

    def saved_tensors(self) -> tuple[Any, ...]:
        """What `saved` holds, with tensors for arrays: inputs in the dtype the op saw, outputs made anew."""
        assert self.saved is not None
        lifted = []
        for slot, value in zip(self.plan.slots, self.saved, strict=True):
            held = self._tensor(slot, value)
            lifted.append(value if held is value else as_seen(held, value))
        return tuple(lifted)

    def _tensor(self, slot: int, value: Any) -> Any:
        """The tensor for what the frame holds at `slot`; the value itself where it is none."""
        assert self.tensors is not None
        if slot < len(self.op.outputs):
            return self._output(slot, value)
        position = slot - self.op.frame.first_input
        return self.tensors[self.plan.inputs.index(position)] if position in self.plan.inputs else value

    def _output(self, slot: int, array: np.ndarray[Any, Any]) -> "Tensor":
        """The output at `slot`, as a tensor that is part of the graph where it is differentiable."""
        positions = self.op.binding.cotangents
        from refgrad.tensor import Tensor

        stored = self.metas[positions.index(slot)][1] if slot in positions else array.dtype
        rounded = array if array.dtype == stored else array.astype(stored)
        return Tensor(rounded, self, positions.index(slot)) if slot in positions else Tensor(rounded)

    def __getattr__(self, name: str) -> Any:
        """Saved values under PyTorch's names: `_saved_self`, `_saved_result`, `_saved_dim`."""
        from refgrad.tensor import Tensor

        if not name.startswith("_saved_"):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        wanted = name.removeprefix("_saved_")
        slots = {FIRST_NAMES.get(n, n): slot for n, slot in self.op.frame.slots.items()}
        slot = slots.get(wanted)
        if slot is None or slot not in {s for rule in self.op.binding.rules for s in rule.slots}:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        if self.saved is None:
            raise RuntimeError(FREED)
        if slot not in self.plan.slots:
            return None
        value = self.saved[self.plan.slots.index(slot)]
        held = self._tensor(slot, value)
        if isinstance(held, bool | int | float) and slot - self.op.frame.first_input in self.plan.inputs:
            return Tensor(np.asarray(held))  # a number that stood for a tensor
        return held if isinstance(held, Tensor) else _as_saved(value)

    def __dir__(self) -> list[str]:
        asked = {s for rule in self.op.binding.rules for s in rule.slots}
        names = [FIRST_NAMES.get(n, n) for n, slot in self.op.frame.slots.items() if slot in asked]
        return [*super().__dir__(), *(f"_saved_{n}" for n in names)]


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
        self.shape, self.dtype = leaf._array.shape, leaf._array.dtype
        self.number = -1

    def name(self) -> str:
        """PyTorch's name for it."""
        return "torch::autograd::AccumulateGrad"

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """Nothing lies beyond a leaf."""
        return ()


def node_class(op: Op) -> type[Node]:
    """The class of the nodes of `op`, named as PyTorch names it."""
    if op.node_class is None:
        op.node_class = type(op.node, (Node,), {"__slots__": (), "op": op})
    made: type[Node] = op.node_class
    return made


def as_seen(held: Any, seen: Any) -> Any:
    """A saved tensor, or a list of them, in the dtype in which its op saw it."""
    from refgrad.dtypes import from_numpy_dtype
    from refgrad.ops.shaping import to_copy

    if isinstance(held, list):
        return [as_seen(h, s) for h, s in zip(held, seen, strict=True)]
    if isinstance(held, bool | int | float) or held._array.dtype == seen.dtype:
        return held
    return to_copy(held, dtype=from_numpy_dtype(seen.dtype))


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


def _as_saved(value: Any) -> Any:
    """A saved value as PyTorch shows it: arrays and numbers that stood for tensors are tensors again."""
    from refgrad.tensor import Tensor

    if isinstance(value, np.ndarray):
        return Tensor(value)
    return tuple(map(_as_saved, value)) if isinstance(value, tuple) else value
