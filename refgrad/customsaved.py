"""Hooks on what a custom Function saves: `saved_tensors_hooks`, and `grad_fn._raw_saved_tensors`."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from refgrad.customnode import FunctionNode, Kept
from refgrad.graph import edge_of
from refgrad.saved import TOO_LATE, TWICE, Packed, Pair, pack, stack
from refgrad.tensor import Tensor

if TYPE_CHECKING:
    from refgrad.customctx import BackwardCFunction


class PackedTensor:
    """A saved tensor as a hook has packed it."""

    __slots__ = ("owner", "packed")

    def __init__(self, t: Tensor, shown: Tensor, node: FunctionNode | None, hooks: Pair) -> None:
        edge = edge_of(t)
        own = edge is not None and edge[0] is node
        self.owner = weakref.ref(node) if own and node is not None else None
        self.packed: Packed = pack(
            shown, t._array.dtype, hooks, None if own else edge, t._nr if own else None
        )

    def unpacked(self) -> Tensor:
        """What the hook makes of it again."""
        return self.packed.tensor(None if self.owner is None else self.owner())


def kept(t: Tensor, node: FunctionNode) -> Kept | PackedTensor:
    """What to keep of a tensor that `node` saves."""
    return PackedTensor(t, t, node, stack.pairs[-1]) if stack.pairs else Kept(t, node)


class RawSavedTensor:
    """One tensor that a custom Function saved."""

    def __init__(self, ctx: "BackwardCFunction", place: int) -> None:
        self._ctx, self._place = ctx, place

    def register_hooks(
        self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]
    ) -> None:
        """Pack it now, and unpack it at each reading.

        Raises RuntimeError if it has hooks already, has been freed, or is None; TypeError for what cannot be called.
        """
        if not (callable(pack_hook) and callable(unpack_hook)):
            raise TypeError("register_hooks(): incompatible function arguments.")
        held = self._ctx._kept
        if isinstance(held, str):
            raise RuntimeError(TOO_LATE)
        before = held[self._place]
        if before is None:
            raise RuntimeError("Calling register_hooks on a saved tensor with value None is forbidden")
        if isinstance(before, PackedTensor):
            raise RuntimeError(TWICE)
        t = before.unpacked()
        node = None if self._ctx._node is None else self._ctx._node()
        packed = PackedTensor(t, t.detach(), node, (pack_hook, unpack_hook))
        self._ctx._kept = (*held[: self._place], packed, *held[self._place + 1 :])
