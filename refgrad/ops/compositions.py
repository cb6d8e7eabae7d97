"""PyTorch's functions that are calls of others: other names and other ways to say an expansion, a view or a join."""

from typing import Any

from refgrad.ops.indexing import selected
from refgrad.ops.shaping import slice_
from refgrad.public import FUNCTIONS, check_tensor, public, wrong_type
from refgrad.record import apply
from refgrad.tensor import Tensor, normal_dim


@public("expand_as", judged=False)
def _(input: Any, other: Any) -> Any:
    """Expanded to the shape of another tensor."""
    check_tensor("expand_as", other, "other")
    return input.expand(other.shape)


@public("view_as", judged=False)
def _(input: Any, other: Any) -> Any:
    """A view in the shape of another tensor."""
    check_tensor("view_as", other, "other")
    return input.view(other.shape)


@public("ravel", judged=False)
def _(input: Any) -> Any:
    """All elements in a row; a view where the layout allows it."""
    check_tensor("ravel", input)
    return input.contiguous().view(-1)


@public("swapaxes", judged=False)
def _(input: Any, axis0: int, axis1: int) -> Any:
    """Two dimensions exchanged."""
    return FUNCTIONS["transpose"](input, axis0, axis1)


@public("movedim", judged=False)
def _(input: Any, source: Any, destination: Any) -> Any:
    """Dimensions moved to other places, the others in their order."""
    check_tensor("movedim", input)
    if isinstance(source, int) is not isinstance(destination, int):
        raise wrong_type(
            "movedim", "destination", 3, destination, "int" if isinstance(source, int) else "tuple of ints"
        )
    given = [(d,) if isinstance(d, int) else tuple(d) for d in (source, destination)]
    if len(given[0]) != len(given[1]):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(given[0])} dims) should contain the same "
            f"number of dims as destination ({list(given[1])} dims)"
        )
    moved, places = ([normal_dim(d, input.ndim) for d in each] for each in given)
    order = [d for d in range(input.ndim) if d not in moved]
    for place, d in sorted(zip(places, moved, strict=True)):
        order.insert(place, d)
    return input.permute(order)


@public("select", judged=False)
def _(input: Any, dim: int, index: int) -> Any:
    """The slice at one place along a dimension, which goes away."""
    check_tensor("select", input)
    if not input.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = normal_dim(dim, input.ndim)
    size = input.shape[dim]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {dim}"
        )
    return selected(input, dim, index, dim)


@public("narrow", judged=False)
def _(input: Any, dim: int, start: int, length: int) -> Any:
    """`length` slices along a dimension from `start` on."""
    check_tensor("narrow", input)
    if not input.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    dim = normal_dim(dim, input.ndim)
    size = input.shape[dim]
    if not -size <= start <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [{-size}, {size}], but got {start})"
        )
    start = start + size if start < 0 else start
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return apply(slice_, (input,), {"dim": dim, "start": start, "end": start + length, "step": 1})


def _joined(name: str, tensors: Any, ndim: int) -> Any:
    """The tensors of a list, those of fewer dimensions than `ndim` with dimensions in front."""
    if not isinstance(tensors, tuple | list):
        raise wrong_type(name, "tensors", 1, tensors, "tuple of Tensors")
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    widened = []
    for x in tensors:
        while isinstance(x, Tensor) and x.ndim < ndim:
            x = x.unsqueeze(0) if x.ndim else x.reshape(1)
        widened.append(x)
    return widened


@public("hstack", judged=False, method=False)
def _(tensors: Any) -> Any:
    """Tensors joined along their second dimension; vectors along their only one."""
    rows = _joined("hstack", tensors, 1)
    return FUNCTIONS["cat"](rows, 0 if rows[0].ndim == 1 else 1)


@public("vstack", judged=False, method=False)
def _(tensors: Any) -> Any:
    """Tensors joined along their first dimension; vectors are rows."""
    return FUNCTIONS["cat"](_joined("vstack", tensors, 2), 0)


@public("meshgrid", judged=False, method=False)
def _(*tensors: Any, indexing: str = "ij") -> Any:
    """Each vector spread over the grid of all of them; with indexing="xy" the first two dimensions exchanged."""
    given = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    axes = list(range(len(given)))
    if indexing == "xy" and len(given) > 1:
        axes[:2] = 1, 0
    shape = [given[axis].numel() for axis in axes]
    return tuple(
        x.view([-1 if i == axis else 1 for i in range(len(shape))]).expand(shape)
        for x, axis in zip(given, axes, strict=True)
    )
