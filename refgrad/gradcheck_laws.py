"""What `gradcheck` asks of a backward besides its values: that zero goes to zero, and that nothing may arrive."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refgrad.backward import grad
from refgrad.function import Function
from refgrad.gradcheck_jacobians import GradcheckError, differentiable, tensors_of
from refgrad.tensor import Tensor


def check_zero_cotangents(outputs: Sequence[Tensor], xs: Sequence[Tensor]) -> None:
    """GradcheckError unless zeros are pulled back to zeros."""
    zeros = [Tensor(np.zeros_like(y._array)) for y in outputs]
    for g in grad(outputs, xs, zeros, retain_graph=True, allow_unused=True):
        if g is not None and np.any(g._array != 0):
            raise GradcheckError("backward not multiplied by grad_output")


class _Undefined(Function):
    """The value itself, and no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(ctx: Any, *gs: Tensor) -> None:
        return None


def check_undefined(func: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
    """GradcheckError unless a missing cotangent counts as zero: all of them, and each while the others are zero."""
    xs = tensors_of(inputs)
    _check_without(outputs, xs, set(range(len(outputs))))
    for missing in range(len(outputs) if len(outputs) > 1 else 0):
        _check_without(differentiable(func(*inputs)), xs, {missing})


def _check_without(outputs: Sequence[Tensor], xs: Sequence[Tensor], missing: set[int]) -> None:
    asked = [_Undefined.apply(y) if i in missing else y for i, y in enumerate(outputs)]
    zeros = [Tensor(np.zeros_like(y._array)) for y in outputs]
    try:
        gs = grad(asked, xs, zeros, allow_unused=True)
    except RuntimeError as error:
        _warn()
        raise GradcheckError(
            f"Expected backward function to handle undefined output grads. {NOTES}"
        ) from error
    if any(g is not None and np.any(g._array != 0) for g in gs):
        _warn()
        raise GradcheckError(
            "Expected all input grads to be undefined or zero when all output grads are undefined or zero. "
            f"{NOTES}"
        )


NOTES = 'Please look at "Notes about undefined output gradients" in "tools/autograd/derivatives.yaml"'


def _warn() -> None:
    warnings.warn(
        "Backwards compatibility: New undefined gradient support checking feature is enabled by default, but it "
        "may break existing callers of this function. If this is true for you, you can call this function with "
        '"check_undefined_grad=False" to disable the feature',
        UserWarning,
        stacklevel=7,
    )
