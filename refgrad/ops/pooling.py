"""The largest element of each window that moves along the last dimension."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.op import op
from refgrad.ops.picking import scatter_add, zeros_of
from refgrad.ops.shaping import squeeze_dim, unsqueeze
from refgrad.public import check_tensor, public
from refgrad.record import apply


@op(
    # a tie goes to the first of its window; an element that several windows chose has what all of them send
    x=lambda g, x, result1: scatter_add(zeros_of(x), result1, g, dim=len(x.shape) - 1),
    outputs=("y", "result1"),
    node="MaxPool2DWithIndicesBackward0",
)
def max_pool(x: Array, *, size: int, stride: int, padding: int, dilation: int, count: int) -> Any:
    """Of rows of height 1, which is how PyTorch pools along one dimension."""
    starts = np.arange(count)[:, None] * stride - padding
    places = starts + np.arange(size) * dilation
    inside = (places >= 0) & (places < x.shape[-1])
    elements = np.where(inside, x[..., np.clip(places, 0, x.shape[-1] - 1)], -np.inf)
    first = np.argmax(inside, axis=-1)  # of a window of nothing but minus infinity
    best = np.argmax(elements, axis=-1)
    best = np.where(
        np.take_along_axis(np.broadcast_to(inside, elements.shape), best[..., None], -1)[..., 0], best, first
    )
    indices = np.take_along_axis(np.broadcast_to(places, elements.shape), best[..., None], axis=-1)[..., 0]
    return np.take_along_axis(x, indices, axis=-1), indices


def number(name: str, given: Any) -> int:
    """A number that may stand in a sequence of one."""
    if isinstance(given, tuple | list):
        if len(given) != 1:
            raise RuntimeError(f"max_pool1d() {name} must be an int or int list of size 1")
        return int(given[0])
    return int(given)


def pooled(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of so many, `dilation` apart, a window each `stride` elements.

    At both ends `padding` places count as minus infinity; with ceil_mode a last window may reach beyond the end. With
    return_indices also where each stands. RuntimeError for sizes that do not fit.
    """
    check_tensor("max_pool1d", input)
    shape = input._array.shape
    if len(shape) not in (2, 3) or not all(shape[-2:]):
        raise RuntimeError(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:"
            f"{list(shape)}"
        )
    size, pad, step = (
        number(n, v)
        for n, v in zip(("kernel_size", "padding", "dilation"), (kernel_size, padding, dilation), strict=True)
    )
    move = number("stride", kernel_size if stride is None or stride == () else stride)
    check_window(size, move, pad, step)
    span = shape[-1] + 2 * pad - step * (size - 1) - 1
    count = (span + (move - 1 if ceil_mode else 0)) // move + 1
    if ceil_mode and (count - 1) * move >= shape[-1] + pad:
        count -= 1  # the last window has to begin inside
    if count <= 0:
        raise RuntimeError(f"max_pool1d() Invalid computed output size: {count}")
    if not input.is_floating_point():
        raise NotImplementedError(f"\"max_pool1d_impl\" not implemented for '{input.dtype.word}'")
    settings = {"size": size, "stride": move, "padding": pad, "dilation": step, "count": count}
    rows = apply(unsqueeze, (input,), {"dim": len(shape) - 1})
    found = (
        apply(squeeze_dim, (made,), {"dim": len(shape) - 1}) for made in apply(max_pool, (rows,), settings)
    )
    return tuple(found) if return_indices else next(found)


def check_window(size: int, stride: int, padding: int, dilation: int) -> None:
    """RuntimeError, in PyTorch's words, for a window that cannot be."""
    for name, value in (("kernel_size", size), ("stride", stride)):
        if value <= 0:
            raise RuntimeError(f"max_pool1d() {name} must be greater than zero, but got {value}")
    if padding < 0:
        raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {padding}")
    if padding > size // 2:
        raise RuntimeError(
            f"max_pool1d() padding should be at most half of kernel size, but got padding={padding} and "
            f"kernel_size={size}"
        )
    if dilation <= 0:
        raise RuntimeError(f"max_pool1d() dilation must be greater than zero, but got {dilation}")


public("nn.functional.max_pool1d", max_pool, judged=False, method=False)(pooled)
