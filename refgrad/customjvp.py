"""The tangents of a custom Function's outputs, which its `jvp` computes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from refgrad.dtypes import is_floating
from refgrad.forward_ad import Level, set_tangent, suspended
from refgrad.tensor import Tensor

if TYPE_CHECKING:
    from refgrad.customctx import BackwardCFunction


def output_tangents(
    ctx: "BackwardCFunction", level: Level, args: Sequence[Any], outputs: Sequence[Any]
) -> list[Tensor | None]:
    """What `jvp` returns for the tangents of the arguments, one for each output; all None if no argument has one.

    Raises RuntimeError, in PyTorch's words, where that does not fit the outputs.
    """
    own = [level.of(x) for x in args]
    if all(t is None for t in own):
        return [None] * len(outputs)
    given = [_given(ctx, x, t) for x, t in zip(args, own, strict=True)]
    with suspended():
        returned = ctx._forward_cls.jvp(ctx, *given)
    found = returned if isinstance(returned, tuple) else (returned,)
    if len(found) != len(outputs):
        raise RuntimeError(
            f"Function's jvp returned an invalid number of forward gradients (expected {len(outputs)} but got "
            f"{len(found)})"
        )
    plain = {id(t) for t in ctx.non_differentiable or ()}
    for position, (y, t) in enumerate(zip(outputs, found, strict=True)):
        if t is not None and not isinstance(t, Tensor):
            raise RuntimeError(
                f"expected Variable or None (got {type(t).__name__}) for grad output {position}."
            )
        if not isinstance(y, Tensor) or id(y) in plain or not is_floating(y._array.dtype):
            if t is not None:
                raise RuntimeError(
                    f"Function's jvp returned a gradient at position {position}, but  the corresponding forward "
                    "output is not a differentiable Tensor.You should return None at that position instead."
                )
        elif t is None:
            raise RuntimeError("Expected both tensor and its forward grad to be floating point or complex")
        else:
            _check_aliases(ctx, y, t, args, own)
    return list(found)


def attach(level: Level, outputs: Sequence[Any], tangents: Sequence[Tensor | None]) -> None:
    """Give the outputs their tangents."""
    for y, t in zip(outputs, tangents, strict=True):
        if t is not None:
            set_tangent(level, y, t)


def _given(ctx: "BackwardCFunction", x: Any, tangent: Tensor | None) -> Tensor | None:
    """The tangent of an argument as `jvp` gets it: zeros, or None, where it has none."""
    if tangent is None and isinstance(x, Tensor) and ctx.materialize_grads:
        return Tensor(np.zeros_like(x._array))
    return tangent


def _check_aliases(
    ctx: "BackwardCFunction", y: Tensor, tangent: Tensor, args: Sequence[Any], own: Sequence[Tensor | None]
) -> None:
    """RuntimeError unless the tangent shares memory with a tangent as the output does with that tangent's argument."""
    if any(y is each for each in ctx.dirty_tensors or ()):
        if not any(x is y and t is tangent for x, t in zip(args, own, strict=True)):
            raise RuntimeError(
                "An inplace custom Function is not modifying the forward mode gradients inplace. If the forward "
                "is modifying an input inplace, then the jvp function must modify the corresponding gradient "
                "inplace."
            )
        return
    viewed = any(t is not None and _share(x, y) for x, t in zip(args, own, strict=True))
    if viewed and not any(t is not None and t is not tangent and _share(t, tangent) for t in own):
        raise RuntimeError(
            "A custom Function's forward is returning a view (or an input as-is) but the jvp is not returning a view."
        )


def _share(a: Tensor, b: Tensor) -> bool:
    return np.may_share_memory(a._array, b._array)
