"""Writing in place: each `NAME_` computes what NAME computes, writes it over the tensor, and gives that its history."""

import re
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Final

import numpy as np

from refgrad.dtypes import Array, dtype, from_numpy_dtype, is_half
from refgrad.graph import Extras, Node
from refgrad.layout import REPEATED, is_dense, repeats
from refgrad.modes import is_grad_enabled, mode
from refgrad.op import Op
from refgrad.opnode import OpNode
from refgrad.ops.shaping import clone
from refgrad.public import FUNCTIONS
from refgrad.record import NONE, apply
from refgrad.slices import CopySlices
from refgrad.tensor import Tensor
from refgrad.versions import INFERENCE_WRITE, Version, unversioned, version_of
from refgrad.views import check_write, set_edge, written

Function = Callable[[Tensor], Tensor]


def overwrite(
    target: Tensor,
    function: Function,
    others: Iterable[Any] = (),
    *,
    casts: bool = False,
    shared: str | None = None,
) -> Tensor:
    """Write what `function` makes of `target` over it, and return it; raises as PyTorch does where that may not be.

    others: what else the function reads, of which tensors are looked at.
    casts: whether any dtype may be written.
    shared: what to warn of where elements of `target` share a place, which is refused for None.
    """
    tensors = [x for x in others if type(x) is Tensor]
    recorded = is_grad_enabled() and (target.requires_grad or any(x.requires_grad for x in tensors))
    check_write(target, recorded=recorded)
    if recorded:
        for x in tensors:
            x.grad_fn  # noqa: B018 (a view that a write has made invalid says so before anything else does)
    check_memory(target, tensors, shared)
    made = function(apply(clone, (target,)) if recorded and unversioned(target) else target)
    if made._node is not None and made._node.edges[0] is not (None if target.is_leaf else target._node):
        made = function(
            apply(clone, (target,))
        )  # several ops, of which any may have saved what is written over
    commit(target, made, casts=casts)
    return target


def reshaped(target: Tensor, op: Op, settings: Mapping[str, Any] = NONE) -> Tensor:
    """Let `target` itself have the shape that `op` gives it; its elements stay where they are."""
    check_write(target, recorded=is_grad_enabled() and target.requires_grad)
    made = apply(op, (target,), settings)
    target._array = made._array
    if not counts(target):
        return target
    version = version_of(target)
    version.write()
    if made._node is not None:
        set_edge(target, made._node, made._nr)
        view = target.state().view
        if view is not None:
            view.seen = version.count
    written(target)
    if mode.level is not None:
        mode.level.turned(target, made)
    return target


def counts(target: Tensor) -> bool:
    """Whether writes to `target` are counted, as they are not in inference mode on its own kind of tensors.

    RuntimeError for an inference tensor outside the mode, which PyTorch, too, finds only when it has been written to.
    """
    if not target.is_inference():
        return True
    if not mode.inference and unversioned(target):
        raise RuntimeError(INFERENCE_WRITE)
    return not mode.inference


def commit(target: Tensor, made: Tensor, *, casts: bool) -> None:
    """Write the elements of `made` over `target`, which takes its history."""
    array, fresh, node = target._array, made._array, made._node
    check_complex(target, made, casts=casts)
    if fresh.shape != array.shape:
        raise RuntimeError(
            f"output with shape {list(array.shape)} doesn't match the broadcast shape {list(fresh.shape)}"
        )
    if not casts:
        check_cast(from_numpy_dtype(fresh.dtype), target.dtype)
    if node is not None:
        keep_original(node, target)
    if mode.keeping is not None:
        mode.keeping.keep(array)
    np.copyto(array, fresh, casting="unsafe")
    if not counts(target):
        return
    version = version_of(target)
    number = version.write()
    if node is not None:
        take_over(node, made, target, version, number)
        rebase(target, node, made._nr)
    written(target)
    if mode.level is not None:
        mode.level.written(target, made)
    if isinstance(node, OpNode) and node.versions_of_outputs() and target.state().view is not None:
        assert target._node is not None
        node.tie_slot(0, version, number, weakref.ref(target._node))


def keep_original(node: Node, target: Tensor) -> None:
    """Where `node` saved `target` as its first input, let it keep a copy, which is part of the graph."""
    if not isinstance(node, OpNode) or 0 not in node.plan.inputs:
        return
    assert node.saved is not None
    assert node.tensors is not None
    place, slot = node.plan.inputs.index(0), node.plan.slots.index(node.op.frame.first_input)
    if node.tensors[place] is target:
        original = apply(clone, (target,))
        node.tensors = replaced(node.tensors, place, original)
        if node.saved[slot] is target._array:
            node.saved = replaced(node.saved, slot, original._array)


def take_over(node: Node, made: Tensor, target: Tensor, version: Version, number: int) -> None:
    """Let `node` be one that made `target`: its result lies there, at the version after the write of this number."""
    stored = target._array.dtype
    if isinstance(node, OpNode) and 0 in node.plan.slots and len(node.op.outputs) == 1:
        assert node.saved is not None
        slot = node.plan.slots.index(0)
        if node.saved[slot] is made._array and made._array.dtype == stored:
            node.saved = replaced(node.saved, slot, target._array)
        node.tie_slot(0, version, number)
    if node.dtype != stored:
        node.dtype = stored
        if node.extras is not None and node.extras.metas is not None:
            node.extras.metas = ((node.shape, stored),)
        elif is_half(stored):
            node.extras = Extras()


def rebase(target: Tensor, node: Node, nr: int) -> None:
    """Let `target` come from `node`; where it is a view, let its base come from a node that says so."""
    view = target.state().view
    if view is None:
        set_edge(target, node, nr)
        return
    base = view.base
    before = None if base._node is None else (base._node, base._nr)
    set_edge(base, CopySlices(node, before, base._array, target._array), 0)


def replaced(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    """The tuple with another value at one place."""
    return (*values[:place], value, *values[place + 1 :])


def check_cast(kind: dtype, wanted: dtype) -> None:
    """RuntimeError where a result of one dtype may not be written to a tensor of another."""
    if (
        (kind.kind == "c" and wanted.kind != "c")
        or (kind.kind == "f" and wanted.kind not in "fc")
        or (kind.kind != "b" and wanted.kind == "b")
    ):
        raise RuntimeError(f"result type {kind.word} can't be cast to the desired output type {wanted.word}")


def check_complex(target: Tensor, made: Tensor, *, casts: bool) -> None:
    """RuntimeError where magnitudes would be written over the complex numbers that they are of: by `abs_`, no other."""
    if target._array.dtype.kind == "c" and made._array.dtype.kind != "c" and not casts:
        raise RuntimeError("In-place abs is not supported for complex tensors.")


EXPANDED: Final = (
    "Use of {} on expanded tensors is deprecated. Please clone() the tensor before performing this operation. This "
    "also applies to advanced indexing e.g. {}"
)


def check_memory(target: Tensor, others: Iterable[Tensor], shared: str | None) -> None:
    """RuntimeError where elements of `target` share a place, with each other or with some of those that are read."""
    array = target._array
    if repeats(array.shape, array.strides):
        if shared:
            warnings.warn(shared, UserWarning, stacklevel=4)
        if shared is None:
            raise RuntimeError(REPEATED)
    if shared is not None:
        return
    for other in others:
        if overlapping(array, other._array):
            raise RuntimeError(SHARED)


SHARED: Final = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
    "location. Please clone() the tensor before performing the operation."
)


def overlapping(a: Array, b: Array, *, same: bool = False) -> bool:
    """Whether two arrays without holes lie over each other, but are not, unless `same` is asked for, the same."""
    if not a.size or not b.size or not np.may_share_memory(a, b):
        return False
    where = [(x.__array_interface__["data"], x.shape, x.strides) for x in (a, b)]
    return (same or where[0] != where[1]) and is_dense(a) and is_dense(b)


NAMES: Final = (  # noqa: SIM905 (a name a line would be a page)
    "abs acos acosh add addmm asin asinh atan atan2 atanh ceil clamp cos cosh cumprod cumsum div erf erfc exp exp2 "
    "expm1 floor hypot log log10 log1p log2 masked_fill mul neg pow reciprocal relu round rsqrt scatter_add sigmoid "
    "sign sin sinh sqrt square sub tan tanh tril triu trunc"
).split()
"""The functions that PyTorch offers as methods that write in place too, under the name with an underscore."""
TORCH_FUNCTIONS: Final = (  # noqa: SIM905
    "abs acos acosh asin asinh atan atanh ceil clamp cos cosh erf erfc exp exp2 expm1 floor log log10 log1p log2 neg "
    "reciprocal relu round rsqrt sigmoid sin sinh sqrt square tan tanh trunc"
).split()
"""Those that it offers as functions too."""


def in_place(name: str) -> Callable[..., Tensor]:
    """The method that writes what the function `name` computes."""
    function = FUNCTIONS[name]
    shared = EXPANDED.format("masked_fill_", "tensor[mask] = scalar") if name == "masked_fill" else None

    @wraps(function)
    def method(self: Tensor, *args: Any, **settings: Any) -> Tensor:
        def of(x: Tensor) -> Tensor:
            return function(x, *args, **settings)  # type: ignore[no-any-return]

        try:
            return overwrite(self, of, (*args, *settings.values()), shared=shared)
        except TypeError as error:
            raise TypeError(as_method(str(error), name)) from None

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"`{name}`, written over this tensor, which is returned."
    return method


def as_method(message: str, name: str) -> str:
    """What the function `name` says of an argument, as the method that writes in place says it."""

    def shifted(found: re.Match[str]) -> str:
        return f"{name}_(): argument {found[1]} (position {int(found[2]) - 1})"

    return re.sub(rf"^{name}\(\): argument ('\w+') \(position (\d+)\)", shifted, message)
