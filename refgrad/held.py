"""The gradient that a tensor holds: what may be assigned, its dtype, and keeping it on tensors that are no leaves."""

import warnings
import weakref
from typing import Any, Final

from refgrad.dtypes import dtype, from_numpy_dtype, to_numpy
from refgrad.graph import Extras
from refgrad.tensor import OWN_DTYPE, Tensor

NON_LEAF_GRAD: Final = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't "
    "be populated during autograd.backward(). If you indeed want the .grad field to be populated for a "
    "non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by "
    "mistake, make sure you access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for "
    "more informations."
)


def _grad(self: Tensor) -> Tensor | None:
    """What backward passes have added up here. Settable to a tensor of the same shape and dtype, or None."""
    state = self._state
    if self._node is not None and not (state and state.retains):
        warnings.warn(NON_LEAF_GRAD, UserWarning, stacklevel=2)
    return None if state is None else state.grad


def _set_grad(self: Tensor, value: Any) -> None:
    if value is not None:
        check_grad(self, value)
    self.state().grad = value


def _delete_grad(self: Tensor) -> None:
    self.state().grad = None


def _grad_dtype(self: Tensor) -> dtype | None:
    """The dtype that gradients are cast to, its own unless set; None: they keep theirs. Only leaves have one."""
    if not self.is_leaf:
        raise RuntimeError("grad_dtype can only be accessed on leaf tensors.")
    stored = OWN_DTYPE if self._state is None else self._state.grad_dtype
    return self.dtype if stored is OWN_DTYPE else None if stored is None else from_numpy_dtype(stored)


def _set_grad_dtype(self: Tensor, wanted: Any) -> None:
    if not self.is_leaf:
        raise RuntimeError("grad_dtype can only be set on leaf tensors.")
    if wanted is not None and not isinstance(wanted, dtype):
        raise RuntimeError(f"grad_dtype must be a torch.dtype or None, but got {type(wanted).__name__}")
    state = self.state()
    if wanted is not None and state.grad is not None and state.grad.dtype is not wanted:
        raise RuntimeError(
            f"Cannot set grad_dtype to '{wanted.word}' because there is already a gradient with dtype "
            f"'{state.grad.dtype.c_name}'. Please clear the gradient (.grad = None) before changing grad_dtype, "
            "or ensure the new grad_dtype matches the existing gradient's dtype."
        )
    state.grad_dtype = None if wanted is None else to_numpy(wanted)
    node = state.accumulator() if state.accumulator is not None else None
    if node is not None:
        node.dtype = state.grad_dtype


def _retains_grad(self: Tensor) -> bool:
    """Whether a tensor that is no leaf keeps its gradient; one that was detached since still says so."""
    return self._state is not None and self._state.retains


def retain_grad(self: Tensor) -> None:
    """Keep the gradient of this tensor, which is no leaf, in `.grad` too."""
    if not self.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._node is None or self.state().retains:
        return
    node = self.grad_fn
    assert node is not None
    self.state().retains = True
    extras = node.extras = node.extras or Extras()
    extras.retained = {**extras.retained, self.output_nr: weakref.ref(self)}


def check_grad(holder: Tensor, value: object) -> None:
    """Raise as PyTorch does unless `value` may become the gradient of `holder`."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
        )
    if value is holder:
        raise RuntimeError("can't assign Variable as its own grad")
    if value.shape != holder.shape:
        raise RuntimeError(
            f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size "
            f"'{list(holder.shape)}'. Please ensure that the gradient and the tensor are the same size"
        )
    wanted = _grad_dtype(holder) if holder._node is None else holder.dtype
    if wanted is not None and value.dtype is not wanted:
        raise RuntimeError(
            f"attempting to assign a gradient with dtype '{value.dtype.c_name}' to a tensor with grad_dtype "
            f"'{wanted.word}'. The gradient must match the tensor's grad_dtype (defaults to the tensor's "
            "dtype). You can set the tensor's grad_dtype attribute with a specific dtype, or None to allow any "
            "dtype. Set grad_dtype with caution. Diverging the dtypes of a tensor and its gradient may break "
            "downstream systems that assume they match."
        )


def attach() -> None:
    """Give Tensor its gradient."""
    methods: dict[str, Any] = {
        "grad": property(_grad, _set_grad, _delete_grad),
        "grad_dtype": property(_grad_dtype, _set_grad_dtype),
        "retain_grad": retain_grad,
        "retains_grad": property(_retains_grad),
    }
    for name, method in methods.items():
        setattr(Tensor, name, method)
