"""Parameters: leaves that a module takes for its own."""

from typing import Any

import numpy as np

from refgrad.tensor import State, Tensor


class ParameterState(State):
    """The state of a leaf that is a parameter; what makes it one."""

    __slots__ = ()
    containing = "Parameter containing:\n"  # printed above the tensor


class _IsParameter(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and isinstance(instance._state, ParameterState)


class Parameter(metaclass=_IsParameter):
    """A leaf that requires grad and that modules register when it is assigned to them.

    What is made is a Tensor, so that the engine has one kind of tensor; `isinstance` knows which are parameters.
    Raises RuntimeError for integers that are to require grad.
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Any:  # noqa: D102
        made = Tensor(np.zeros(0, np.float32)) if data is None else data.detach()
        made._state = ParameterState()
        if made.is_complex():
            raise NotImplementedError("complex parameters are not implemented here")
        if requires_grad and not made.is_floating_point():
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        made.requires_grad_(requires_grad)
        return made
