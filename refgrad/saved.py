"""Hooks for saved tensors: what is kept of them until the backward pass asks.

A pack hook sees each tensor that a node saves, and what it returns is kept in the tensor's place; the unpack hook
makes a tensor of that again at each reading. Only the content is asked of it: where in the graph the tensor comes
from is remembered here.
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import local
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from refgrad import anomaly
from refgrad.binding import Plan
from refgrad.graph import FREED, AccumulateGrad, Edge, edge_of, extras_of
from refgrad.modes import no_grad, watch
from refgrad.tensor import Tensor

if TYPE_CHECKING:
    from refgrad.opnode import OpNode

Pair = tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]

MODIFIED: Final = (
    "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be "
    "modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you need "
    "to perform in-place operations on the input to a pack hook."
)
TWICE: Final = (
    "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of hooks is "
    "allowed at a time."
)
TOO_LATE: Final = FREED.replace(
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed).",
    "Calling register_hooks on a saved tensor after it has been freed.",
).replace("saved tensors after calling", "saved variables after calling")


@dataclass(frozen=True, slots=True)
class Packed:
    """What a pack hook made of a saved tensor.

    dtype: that in which the op saw it.
    edge: where in the graph the tensor comes from; None for a constant, and for an output of the node itself.
    output: which differentiable output of the node it is, if it is one.
    """

    value: Any
    unpack: Callable[[Any], Any]
    dtype: np.dtype[Any]
    edge: Edge | None
    output: int | None

    def tensor(self, node: Any) -> Tensor:
        """The tensor that `node` saved, made anew; TypeError unless the hook returns a tensor."""
        made = self.unpack(self.value)
        if not isinstance(made, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(made).__name__}"
            )
        return placed(made._array, (node, self.output) if self.output is not None else self.edge)


def placed(array: np.ndarray[Any, Any], edge: Edge | None) -> Tensor:
    """A tensor of the elements of `array` that comes from where `edge` leads."""
    if edge is None:
        return Tensor(array)
    node, nr = edge
    if not isinstance(node, AccumulateGrad):
        return Tensor(array, node, nr)
    leaf = Tensor(array)
    state = leaf.state()
    state.requires_grad = True
    state.accumulator = weakref.ref(node)  # what flows to it arrives at the leaf that was saved
    return leaf


def unpacked(value: Any, node: Any) -> Any:
    """A saved value as formulas take it on arrays."""
    if isinstance(value, list):
        return [unpacked(each, node) for each in value]
    if not isinstance(value, Packed):
        return value
    array = value.tensor(node)._array
    return array if array.dtype == value.dtype else array.astype(value.dtype)


def pack(t: Tensor, seen: np.dtype[Any], hooks: Pair, edge: Edge | None, output: int | None) -> Packed:
    """Hand `t` to the pack hook, with recording off; RuntimeError if the hook writes into it."""
    before = version(t)
    with no_grad():
        value = hooks[0](t)
    if version(t) != before:
        raise RuntimeError(MODIFIED)
    return Packed(value, hooks[1], seen, edge, output)


def version(t: Tensor) -> int:
    """How often `t` has been written to."""
    count: int = getattr(t, "_version", 0)
    return count


def show(node: "OpNode", made: Sequence[Tensor]) -> None:
    """Show a new node, whose outputs are `made`, to those who watch."""
    if anomaly.state.enabled:
        anomaly.remember(node)
    if stack.pairs:
        _pack_all(node, made, stack.pairs[-1])


def _pack_all(node: "OpNode", made: Sequence[Tensor], hooks: Pair) -> None:
    """Pack every tensor that `node` saved; numbers that stand for tensors stay."""
    assert node.saved is not None
    assert node.tensors is not None
    op, plan = node.op, node.plan
    saved, tensors = list(node.saved), list(node.tensors)
    for place in reading_order(plan):
        slot, seen = plan.slots[place], saved[place]
        position = slot - op.frame.first_input
        if position in plan.inputs:
            at = plan.inputs.index(position)
            if isinstance(tensors[at], Tensor | list):
                saved[place] = _packed(tensors[at], seen, hooks)
                tensors[at] = None
        elif slot < len(op.outputs) and not op.many:
            output = op.binding.cotangents.index(slot) if slot in op.binding.cotangents else None
            saved[place] = pack(made[slot], seen.dtype, hooks, None, output)
        elif slot < op.frame.first_input and not op.many:
            saved[place] = pack(Tensor(seen), seen.dtype, hooks, None, None)
    node.saved, node.tensors = tuple(saved), tuple(tensors)
    extras_of(node).packed = True


def reading_order(plan: Plan) -> list[int]:
    """The places of what is saved, in the order in which formulas mention it, as PyTorch saves and reads it."""
    return list(dict.fromkeys(plan.slots.index(slot) for rule, _ in plan.rules for slot in rule.slots))


def _packed(held: Any, seen: Any, hooks: Pair) -> Any:
    """A saved input, or a list of them, packed."""
    if isinstance(held, list):
        return [_packed(h, s, hooks) for h, s in zip(held, seen, strict=True)]
    return pack(held, seen.dtype, hooks, edge_of(held), None)


class SavedTensor:
    """One tensor that a node saved, as `grad_fn._raw_saved_self` gives it."""

    def __init__(self, node: "OpNode", place: int | None) -> None:
        self._node, self._place = node, place

    def register_hooks(
        self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]
    ) -> None:
        """Pack the saved tensor now, and unpack it at each reading.

        Raises RuntimeError if it has hooks already, has been freed, or is none; TypeError for what cannot be called.
        """
        if not (callable(pack_hook) and callable(unpack_hook)):
            raise TypeError("register_hooks(): incompatible function arguments.")
        node = self._node
        if node.saved is None or node.tensors is None:
            raise RuntimeError(TOO_LATE)
        seen = None if self._place is None else node.saved[self._place]
        if isinstance(seen, Packed):
            raise RuntimeError(TWICE)
        if self._place is None or not isinstance(seen, np.ndarray):
            raise RuntimeError("Calling register_hooks on a saved tensor with value None is forbidden")
        slot = node.plan.slots[self._place]
        held = node._tensor(slot, seen)
        edge = edge_of(held)
        output = None
        if edge is not None and edge[0] is node:
            edge, output = None, held._nr
        packed = pack(held.detach(), seen.dtype, (pack_hook, unpack_hook), edge, output)
        node.saved = (*node.saved[: self._place], packed, *node.saved[self._place + 1 :])
        position = slot - node.op.frame.first_input
        node.tensors = tuple(
            None if i == position else t for i, t in zip(node.plan.inputs, node.tensors, strict=True)
        )
        extras_of(node).packed = True


class _Stack(local):
    """The pairs of hooks of this thread, of which the last applies, and why there must be none, if so."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        self.refusal: str | None = None


stack: Final = _Stack()


class saved_tensors_hooks:  # noqa: N801 (PyTorch's name)
    """Within it each tensor that is saved goes through `pack_hook`, and each reading through `unpack_hook`.

    Of nested ones the innermost alone applies, in its own thread.
    Raises RuntimeError, on entering, where hooks are disabled; TypeError if one of them cannot be called.
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if not (callable(self.pack_hook) and callable(self.unpack_hook)):
            raise TypeError("_push_saved_tensors_default_hooks(): incompatible function arguments.")
        if stack.refusal is not None:
            raise RuntimeError(stack.refusal)
        stack.pairs.append((self.pack_hook, self.unpack_hook))
        watch(1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack.pairs.pop()
        watch(-1)


class save_on_cpu(saved_tensors_hooks):  # noqa: N801 (PyTorch's name)
    """Within it what is saved lies on the CPU, where everything lies: as packed tensors, cut off the graph.

    pin_memory, device_type: accepted, and without effect.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: t.detach(), lambda packed: packed)


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Within it entering `saved_tensors_hooks` raises RuntimeError with this message; so does it within those."""
    if stack.pairs:
        raise RuntimeError(error_message)
    before, stack.refusal = stack.refusal, error_message
    try:
        yield
    finally:
        stack.refusal = before
