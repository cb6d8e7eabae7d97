"""What a custom Function's methods are given: `ctx`."""

import warnings
import weakref
from typing import TYPE_CHECKING, Any, ClassVar

from refgrad.customnode import FunctionNode, Kept
from refgrad.customsaved import PackedTensor, RawSavedTensor
from refgrad.tensor import Tensor

if TYPE_CHECKING:
    from refgrad.function import Function


class FunctionCtx:
    """What `forward` leaves for `backward`: tensors in `save_for_backward`, anything else as attributes."""

    to_save: tuple[Any, ...] | None
    saved_for_forward: tuple[Any, ...] | None
    dirty_tensors: tuple[Any, ...] | None
    non_differentiable: tuple[Any, ...] | None
    materialize_grads: bool

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Save tensors, inputs or outputs, for `backward`; TypeError, once forward is over, for anything else."""
        self.to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Save tensors for `jvp`."""
        if not all(isinstance(t, Tensor) or t is None for t in tensors):
            raise AssertionError(
                "save_for_forward expects all arguments to be tensors; you should save non-tensors as "
                "attributes on ctx."
            )
        self.saved_for_forward = tensors

    def mark_dirty(self, *args: Tensor) -> None:
        """Say which inputs `forward` modifies in place; each of them must be returned."""
        self.dirty_tensors = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say which outputs no gradient flows through."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether gradients that are missing come as zeros (the default) or as None."""
        self.materialize_grads = value


class BackwardCFunction(FunctionCtx):
    """The `ctx` of one application."""

    _forward_cls: ClassVar[type["Function"]]

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.materialize_grads = True
        self.to_save = self.saved_for_forward = self.dirty_tensors = self.non_differentiable = None
        self._kept: tuple[Kept | PackedTensor | None, ...] | str = ()  # or why they can no longer be read
        self._node: weakref.ref[FunctionNode] | None = None

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What was saved: for `backward`, and within `jvp` what was saved for that.

        Raises RuntimeError if it has been freed, or modified in place since.
        """
        if self.saved_for_forward is not None:
            return self.saved_for_forward
        if isinstance(self._kept, str):
            raise RuntimeError(self._kept)
        found = tuple(None if kept is None else kept.unpacked() for kept in self._kept)
        if found and self._forward_cls.clear_saved_tensors_on_access:
            self._forget(READ_ONCE)
        return found

    @property
    def saved_variables(self) -> tuple[Tensor | None, ...]:
        """The old name of `saved_tensors`."""
        warnings.warn(
            "'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2
        )
        return self.saved_tensors

    @property
    def _raw_saved_tensors(self) -> tuple[RawSavedTensor, ...]:
        """What was saved, to hang hooks on; RuntimeError if it has been freed."""
        if isinstance(self._kept, str):
            raise RuntimeError(self._kept)
        return tuple(RawSavedTensor(self, place) for place in range(len(self._kept)))

    def _forget(self, reason: str) -> None:
        """Let go of what was saved; reading it raises RuntimeError with `reason`."""
        self._kept = reason

    def __getattr__(self, name: str) -> Any:
        """What the graph knows of the node: `name`, `next_functions` and its like."""
        node = self.__dict__.get("_node")
        found = node and node()
        if found is not None and not name.startswith("_") and hasattr(type(found), name):
            return getattr(found, name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


READ_ONCE = (
    "saved_tensors can only be accessed once when clear_saved_tensors_on_access=True is set on the "
    "autograd.Function. Either access saved_tensors only once, or set clear_saved_tensors_on_access=False."
)
