"""The node that an op leaves behind: its formulas, and what they saved.

A saved output holds its array, never its tensor: the tensor holds the node, and a cycle would keep every
graph alive until the next collection.
"""

import weakref
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from refgrad.binding import Plan, Rule
from refgrad.dtypes import Number, dtype, float32, from_numpy_dtype
from refgrad.graph import FREED, AccumulateGrad, Edge, Meta, Node, next_number
from refgrad.modes import mode
from refgrad.mutation import AllowMutationOnSavedContext
from refgrad.op import Op
from refgrad.saved import Packed, SavedTensor, reading_order, unpacked
from refgrad.tensor import Tensor
from refgrad.versions import Version, check_saved, clock

FIRST_NAMES: Final = {"x": "self", "a": "self", "b": "other", "y": "result", "x_shape": "self_sym_sizes"}
"""What PyTorch calls, among saved values, what our formulas call by one letter."""


Saved = tuple[Version, int, weakref.ref[Node] | None]
"""The version of a saved output, the number since when it may not change, and for a view the node that it has now."""


class OpNode(Node):
    """One application of an op.

    saved: what the live formulas ask for, arrays as the op saw them: promoted, and half-width floats
        widened; None once freed.
    tensors: the inputs among it, as the very tensors that were passed.
    """

    __slots__ = ("maker", "plan", "saved", "tensors", "versions")
    op: Op
    # unset but where they are needed
    versions: dict[int, Saved]  # of saved outputs
    maker: Node  # what the saved output comes from while that is another node

    plan: Plan
    saved: tuple[Any, ...] | None
    tensors: tuple[Any, ...] | None

    def name(self) -> str:
        """The name PyTorch gives it, such as MulBackward0."""
        return self.op.node

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """For each differentiable input its node and which of the node's outputs it was; else (None, 0)."""
        op = self.op
        wanted = [i for i in range(len(self.edges)) if op.lists or op.has_formula[i]]
        return tuple(self.edge(i) or (None, 0) for i in wanted)

    def answers(
        self, gs: Sequence[Any], useful: set[Node] | None, create_graph: bool
    ) -> Iterable[tuple[Edge, Any]]:
        """What the formulas answer, each with its edge; a missing cotangent counts as zeros.

        Half-width cotangents are widened, so that formulas compute in float32 and their result is rounded
        once, when it is cast to the operand's dtype.

        On complex numbers the product is with the conjugate of the transposed derivative, so that a real loss has
        the gradient dL/dRe + i dL/dIm. What was saved is conjugated for that: formulas have real coefficients.
        """
        if self.saved is None:
            raise RuntimeError(FREED)
        if all(g is None for g in gs):
            return
        if self.number < clock.latest:
            check_saved(self)
        saved = self.saved_tensors() if create_graph else self._arrays()
        metas = self.metas
        complexes = self.extras is not None and self.extras.complexes
        if complexes:
            saved = tuple(map(_conjugate, saved))
        if len(gs) > 1:
            gs = [_zeros(meta, create_graph) if g is None else g for g, meta in zip(gs, metas, strict=True)]
        if metas[0][1].itemsize == 2:
            gs = [_cast(g, float32) for g in gs]
        answers = self._products((gs,) if self.op.many else gs, saved, useful)
        yield from answers if not complexes else ((edge, _as_held(ct, edge[0])) for edge, ct in answers)

    def _products(
        self, gs: Sequence[Any], saved: tuple[Any, ...], useful: set[Node] | None
    ) -> Iterable[tuple[Edge, Any]]:
        """The answers of the formulas that are asked."""
        for rule, pick in self.plan.rules:
            if rule.places is not None:
                yield from self._several(rule, gs, pick(saved), useful)
                continue
            edge = self.edge(rule.inputs[0])
            if edge is not None and (useful is None or edge[0] in useful):
                yield edge, rule.formula(*gs, *pick(saved))

    def _several(
        self, rule: Rule, gs: Sequence[Any], args: tuple[Any, ...], useful: set[Node] | None
    ) -> Iterable[tuple[Edge, Any]]:
        """The answers of a formula that serves several inputs, for those that want one."""
        inputs = range(len(self.edges)) if self.op.lists else rule.inputs
        places = inputs if self.op.lists else rule.places or ()
        edges = [e if e and (useful is None or e[0] in useful) else None for e in map(self.edge, inputs)]
        if rule.asks_needs:
            asked = dict(zip(places, edges, strict=True))
            args = (*args, tuple(asked.get(place) is not None for place in range(rule.width)))
        answers = rule.formula(*gs, *args)
        for edge, place in zip(edges, places, strict=True):
            if edge is not None:
                yield edge, answers[place]

    def free(self) -> None:
        """Forget what was saved; a node that saved no tensor can run again."""
        if self.plan.saves:
            self.saved = self.tensors = None

    def tie(self, nr: int, version: Version) -> Version:
        """Output `nr` has a version from now on: `version`, or that which it has already where it is saved."""
        slot = self.op.binding.cotangents[0] + nr if self.op.many else self.op.binding.cotangents[nr]
        known = self.versions_of_outputs().get(slot)
        if known is not None:  # a tensor that stands for the saved output has asked before
            return known[0]
        if self.saved is not None and slot in self.plan.slots:
            self.tie_slot(slot, version, self.number)
        return version

    def tie_slot(
        self, slot: int, version: Version, since: int, maker: weakref.ref[Node] | None = None
    ) -> None:
        """The saved output at `slot` has this version and was saved at the time `since`; see `Saved`."""
        self.versions = {**self.versions_of_outputs(), slot: (version, since, maker)}

    def versions_of_outputs(self) -> dict[int, Saved]:
        """What is known of saved outputs that have a version."""
        try:
            return self.versions
        except AttributeError:
            return {}

    def _arrays(self) -> tuple[Any, ...]:
        """What `saved` holds, with arrays for what hooks have packed."""
        assert self.saved is not None
        if self.extras is None or not self.extras.packed:
            return self.saved
        arrays = list(self.saved)
        for place in reading_order(self.plan):
            arrays[place] = unpacked(arrays[place], self)
        return tuple(arrays)

    def restore(self, context: AllowMutationOnSavedContext) -> None:
        """Take back what was saved as it was when it was saved, where it was written to in `context`."""
        assert self.saved is not None
        assert self.tensors is not None
        saved, tensors = list(self.saved), list(self.tensors)
        known = self.versions_of_outputs()
        for i, slot in enumerate(self.plan.slots):
            since = known[slot][1] if slot in known else self.number
            held = saved[i]
            saved[i] = [context.before(x, since) for x in held] if isinstance(held, list) else held
            if isinstance(held, np.ndarray):
                saved[i] = context.before(held, since)
        for i, position in enumerate(self.plan.inputs):
            if isinstance(tensors[i], Tensor):
                old = context.before(tensors[i]._array, self.number)
                if old is not tensors[i]._array:
                    node, nr = self.edge(position) or (None, 0)
                    tensors[i] = Tensor(old, node, nr)
        self.saved, self.tensors = tuple(saved), tuple(tensors)

    def saved_tensors(self) -> tuple[Any, ...]:
        """What `saved` holds, with tensors for arrays: inputs in the dtype the op saw, outputs made anew."""
        assert self.saved is not None
        lifted = list(self.saved)
        packed = self.extras is not None and self.extras.packed
        for place in reading_order(self.plan) if packed else range(len(lifted)):
            value = lifted[place]
            held = self._tensor(self.plan.slots[place], value)
            lifted[place] = value if held is value else as_seen(held, value)
        return tuple(lifted)

    def _tensor(self, slot: int, value: Any) -> Any:
        """The tensor for what the frame holds at `slot`; the value itself where it is none."""
        assert self.tensors is not None
        if isinstance(value, Packed):
            return value.tensor(self)
        if slot < len(self.op.outputs):
            return self._output(slot, value)
        position = slot - self.op.frame.first_input
        return self.tensors[self.plan.inputs.index(position)] if position in self.plan.inputs else value

    def _output(self, slot: int, array: np.ndarray[Any, Any]) -> "Tensor":
        """The output at `slot`, as a tensor that is part of the graph where it is differentiable."""
        positions = self.op.binding.cotangents
        stored = self.metas[positions.index(slot)][1] if slot in positions else array.dtype
        rounded = array if array.dtype == stored else array.astype(stored)
        maker = getattr(self, "maker", None)
        if maker is not None:
            made = Tensor(rounded, maker)
        elif slot in positions:
            made = Tensor(rounded, self, positions.index(slot))
        else:
            return Tensor(rounded)
        return made if mode.level is None else mode.level.restore(made)

    def saved_value(self, slot: int) -> Any:
        """What is saved of what the frame holds at `slot`, as PyTorch shows it; None if no live formula asks for it.

        Raises RuntimeError once it is freed.
        """
        if self.saved is None:
            raise RuntimeError(FREED)
        if self.number < clock.latest:
            check_saved(self)
        if slot not in self.plan.slots:
            return None
        value = self.saved[self.plan.slots.index(slot)]
        held = self._tensor(slot, value)
        if isinstance(held, Number) and slot - self.op.frame.first_input in self.plan.inputs:
            return Tensor(np.asarray(held))  # a number that stood for a tensor
        if isinstance(held, list):
            return tuple(held)
        return held if isinstance(held, Tensor) else _as_saved(value)

    def raw_saved_value(self, slot: int) -> SavedTensor:
        """The same before it is unpacked, to register hooks on."""
        return SavedTensor(self, self.plan.slots.index(slot) if slot in self.plan.slots else None)


def filled(
    node: OpNode,
    plan: Plan,
    edges: tuple[Node | None, ...],
    saved: tuple[Any, ...],
    tensors: tuple[Any, ...],
    shape: tuple[int, ...],
    stored: np.dtype[Any],
) -> OpNode:
    """A new node with everything it needs. It has no `__init__`, whose call would cost more than all that it does."""
    node.plan = plan
    node.edges = edges
    node.saved = saved
    node.tensors = tensors
    node.shape = shape
    node.dtype = stored
    node.extras = None
    node.number = next_number()
    return node


def node_class(op: Op) -> type[OpNode]:
    """The class of the nodes of `op`, named as PyTorch names it, with saved values under PyTorch's names.

    They are properties, for `__getattr__` would make each look at a node several times as slow.
    """
    if op.node_class is None:
        name = op.node.rpartition("::")[2]
        slots = ("__weakref__",) if op.name == "as_strided" else ()
        op.node_class = type(name, (OpNode,), {"__slots__": slots, "op": op, **_saved_properties(op)})
    made: type[OpNode] = op.node_class
    return made


def _saved_properties(op: Op) -> dict[str, property]:
    """`_saved_self`, `_saved_result`, `_saved_dim`; and of those that are one tensor `_raw_saved_self`."""
    frame, made = op.frame, {}
    asked = {slot for rule in op.binding.rules for slot in rule.slots}
    for own_name, slot in frame.slots.items():
        if slot in asked:
            name = FIRST_NAMES.get(own_name, own_name)
            made[f"_saved_{name}"] = property(partial(OpNode.saved_value, slot=slot))
            if slot < frame.first_input + len(frame.inputs) and not frame.lists and not op.many:
                made[f"_raw_saved_{name}"] = property(partial(OpNode.raw_saved_value, slot=slot))
    return made


def as_seen(held: Any, seen: Any) -> Any:
    """A saved tensor, or a list of them, in the dtype in which its op saw it."""
    if isinstance(held, list):
        return [as_seen(h, s) for h, s in zip(held, seen, strict=True)]
    if isinstance(held, Number) or held._array.dtype == seen.dtype:
        return held
    return _cast(held, from_numpy_dtype(seen.dtype))


def _cast(x: Any, kind: dtype) -> Any:
    from refgrad.ops.shaping import to_copy  # ops are written for what records them

    return to_copy(x, dtype=kind)


def _conjugate(x: Any) -> Any:
    """The conjugate of what was saved: a tensor, an array or a number; what is none, or real, itself."""
    from refgrad.ops.complexes import conj

    if isinstance(x, complex):
        return x.conjugate()
    if isinstance(x, list):
        return [_conjugate(each) for each in x]
    array = x._array if type(x) is Tensor else x
    return conj(x) if isinstance(array, np.ndarray) and array.dtype.kind == "c" else x


def _as_held(ct: Any, node: Node) -> Any:
    """A cotangent, or its real part for a real leaf that takes gradients of any dtype, which the walk does not fit."""
    from refgrad.ops.complexes import real_part

    array = ct._array if type(ct) is Tensor else ct
    if node.dtype is not None or not isinstance(array, np.ndarray) or array.dtype.kind != "c":
        return ct
    return ct if isinstance(node, AccumulateGrad) and node.variable.is_complex() else real_part(ct)


def _zeros(meta: Meta, create_graph: bool) -> Any:
    zeros = np.zeros(*meta)
    return Tensor(zeros) if create_graph else zeros


def _as_saved(value: Any) -> Any:
    """A saved value as PyTorch shows it: arrays and numbers that stood for tensors are tensors again."""
    if isinstance(value, np.ndarray):
        return Tensor(value)
    return tuple(map(_as_saved, value)) if isinstance(value, tuple) else value
