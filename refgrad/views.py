"""Views: tensors that share the elements of another, and what a write to one of them means for the others.

A view holds the tensor at its root, its base; the base's version knows its live views, weakly. A write to any of them
gives the base a new node, and each view another one, which takes it anew from the base.
"""

from typing import Any, Final

from refgrad.dtypes import Array, is_continuous, is_half
from refgrad.graph import Extras, Node, leaf_node, next_number
from refgrad.modes import mode
from refgrad.mutation import root
from refgrad.opnode import filled, node_class
from refgrad.tensor import ASIDE, Tensor, View
from refgrad.versions import Version, clock, short_name, version_of

NO_GRAD: Final = "no_grad"
INFERENCE: Final = "inference"
SEVERAL: Final = "several"
CUSTOM: Final = "custom"
OTHER_DTYPE: Final = "other dtype"
"""How a view was made, where that forbids to write to it: in a mode that records nothing, by a function that returns
several views, in a custom function, or of complex numbers as real ones or the reverse."""


def attach(made: Tensor, source: Tensor, *, several: bool = False) -> None:
    """Let `made`, whose elements are among those of `source`, be a view of it."""
    if not made._array.flags.writeable and source._array.flags.writeable:
        made._array.flags.writeable = True  # NumPy protects what it repeats, and diagonals
    if source.is_inference():
        as_inference(made)
        return
    version = version_of(source)
    origin = source.state().view
    base = source if origin is None else origin.base
    if mode.inference or (origin is not None and origin.creation == INFERENCE):
        creation = INFERENCE
    elif not mode.enabled:
        creation = NO_GRAD
    elif several:
        creation = SEVERAL
    else:
        creation = "" if origin is None else origin.creation
    make_view(made, base, version, creation)


def make_view(made: Tensor, base: Tensor, version: Version, creation: str) -> None:
    """Let `made` be a view of `base`, which is none, with this version."""
    state = made.state()
    state.version = version
    state.view = View(base, creation, version.count, made._nr)
    version.add_view(made)
    if made._node is None and base.requires_grad:
        made._nr = ASIDE


def as_inference(made: Tensor) -> None:
    """Mark a new tensor as made in inference mode."""
    made.state().inference = True
    made._nr = ASIDE


def born(made: Tensor) -> Tensor:
    """A new tensor, marked where the mode asks for it."""
    if mode.inference:
        as_inference(made)
    return made


def settle(tensor: Tensor) -> None:
    """Bring the node of a view up to date, if it is one.

    RuntimeError where its elements were written to and the view was made in a way that forbids this.
    """
    view = tensor._state.view if tensor._state is not None else None
    if view is None or (tensor._node is None and not view.base.requires_grad):
        return
    if view.seen != version_of(tensor).count:
        if view.creation:
            raise RuntimeError(forbidden(tensor, view, "its base or another view of its base has been"))
        regenerate(tensor, view)


def written(tensor: Tensor) -> None:
    """Bring all live views up to date after a write to `tensor`, or a change to what it requires."""
    state = tensor._state
    version = None if state is None else state.version
    if version is None or not version.views:
        return
    for held in version.views:
        view = held()
        if view is None:
            continue
        how = view.state().view
        assert how is not None
        if view._node is None and not how.base.requires_grad:
            continue
        if how.seen == version.count or how.creation:
            if how.seen != version.count or view._node is None:
                view._nr = ASIDE
        else:
            regenerate(view, how)


def regenerate(tensor: Tensor, view: View) -> None:
    """Give a view the node that takes it anew from its base."""
    from refgrad.ops.strided import place, strides_of  # ops are written for what records them

    base, array = view.base, tensor._array
    whole = base._array
    node = base._node or leaf_node(base)
    offset = place(array) - place(whole) if array.size else 0
    edge = (node, max(base._nr, 0))
    set_edge(tensor, strided_node(edge, whole, strides_of(whole), array.shape, strides_of(array), offset), 0)
    view.seen = version_of(tensor).count


def strided_node(
    edge: tuple[Node | None, int],
    whole: Array,
    laid: tuple[int, ...],
    size: tuple[int, ...],
    stride: tuple[int, ...],
    offset: int,
) -> Node:
    """The node of a view that is taken from the elements `whole`, which lie with the strides `laid`."""
    from refgrad.ops.strided import as_strided

    node, nr = edge
    plan = as_strided.plan(1)
    saved = plan.save((None, whole, laid, size, stride, offset, whole.shape))
    made = filled(node_class(as_strided)(), plan, (node,), saved, (), size, whole.dtype)
    if nr or node is None or is_half(whole.dtype):
        made.extras = Extras((nr,) if nr else None)
    return made


def set_edge(tensor: Tensor, node: Node, nr: int) -> None:
    """Let `tensor` be output `nr` of `node` from now on; a gradient that it retains is retained there."""
    before = tensor._node
    state = tensor._state
    if state is not None and state.retains and before is not None and before.extras is not None:
        old = before.extras.retained
        kept = old.get(tensor._nr if tensor._nr >= 0 else tensor.output_nr)
        if kept is not None and kept() is tensor:
            before.extras.retained = {n: held for n, held in old.items() if held is not kept}
            extras = node.extras = node.extras or Extras()
            extras.retained = {**extras.retained, nr: kept}
    tensor._node, tensor._nr = node, nr


def check_write(tensor: Tensor, *, recorded: bool) -> None:
    """Raise as PyTorch does unless `tensor` may be written to; `recorded`: whether the write will have a node."""
    state = tensor._state
    if not recorded or not mode.enabled:
        return
    view = None if state is None else state.view
    if view is not None:
        if view.creation:
            raise RuntimeError(forbidden(tensor, view, "is being"))
        if tensor.requires_grad and view.base.is_leaf:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place operation."
            )
    if tensor.requires_grad and tensor.is_leaf:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")


AMBIGUOUS: Final = (
    "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving "
    "both the view and the inplace either both inside the {} block (if you don't want the inplace to be tracked) "
    "or both outside (if you want the inplace to be tracked)."
)
WHY: Final = {
    NO_GRAD: AMBIGUOUS.format("no_grad"),
    INFERENCE: AMBIGUOUS.format("inference_mode"),
    SEVERAL: "This view is the output of a function that returns multiple views. Such functions do not allow the "
    "output views to be modified inplace. You should replace the inplace operation by an out-of-place one.",
    OTHER_DTYPE: "It sees complex numbers as real ones or the reverse, and a recorded write through such a view is not "
    "implemented here. Write to a clone, or to the tensor itself before taking the view.",
    CUSTOM: "This view was created inside a custom Function (or because an input was returned as-is) and the "
    "autograd logic to handle view+inplace would override the custom backward associated with the custom "
    "Function, leading to incorrect gradients. This behavior is forbidden. You can fix this by cloning the output "
    "of the custom Function.",
}


def forbidden(tensor: Tensor, view: View, what: str) -> str:
    """Why a view may not be written to, in PyTorch's words; `what`: what is happening to it."""
    node = tensor._node
    output = f"Output {tensor.output_nr} of {short_name(node.name())} is a view" if node is not None else ""
    made = f"{output} of a view which was created" if output else "A view was created"
    if view.creation == INFERENCE:
        begin = f"{made} in inference mode and {what} modified inplace in normal mode."
    elif view.creation == NO_GRAD or (not output and view.creation != OTHER_DTYPE):
        begin = f"{made} in no_grad mode and {what} modified inplace with grad mode enabled."
    else:
        begin = f"{output or 'A view of another dtype'} and {what} modified inplace."
    return f"{begin} {WHY[view.creation]}"


def detach(self: Tensor) -> Tensor:
    """The same elements, cut off the graph, with the same version: a write through it is noticed."""
    made = _data(self)
    if not self.is_inference():
        made.state().version = version_of(self)
    return made


def detach_(self: Tensor) -> Tensor:
    """Cut this very tensor off the graph, and return it; RuntimeError for a view."""
    if mode.inference:
        return self
    state = self.state()
    if state.view is not None:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
            "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
            "detach_() cannot be called on these gradients. To fix this error, please refer to the "
            "Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution."
        )
    if not state.inference:
        version_of(self)  # while the node that saved it can still be told
    if self._node is not None:
        state.detached = clock.latest = next_number()  # older nodes must look at what they saved
    state.requires_grad = False
    self._node, self._nr = None, ASIDE if state.inference else 0
    return self


def _data(self: Tensor) -> Tensor:
    """The same elements outside history: a write through it is not noticed. Settable."""
    made = Tensor(self._array)
    if self.is_inference():
        as_inference(made)
        if not mode.inference:
            version_of(made)  # so that it may be written to
    return made


def _set_data(self: Tensor, value: Any) -> None:
    """Take the elements of another tensor, keeping history and version."""
    if not isinstance(value, Tensor):
        raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
    if self.requires_grad and not is_continuous(value._array.dtype):
        raise RuntimeError(
            "data set to a tensor that requires gradients must be floating point or complex dtype"
        )
    before = self._array
    self._array = value._array
    state = self._state
    if state is not None and (before.shape != value._array.shape or before.dtype != value._array.dtype):
        state.accumulator = None  # it was made for the shape and dtype before


def _delete_data(self: Tensor) -> None:
    raise RuntimeError("Deleting tensor data is not allowed. Delete tensor instead!")


def _is_view(self: Tensor) -> bool:
    """Whether it shares the elements of another tensor, as a view of it that autograd knows."""
    return self._state is not None and self._state.view is not None


def _base(self: Tensor) -> Tensor | None:
    """The tensor whose elements a view shares; None for what is no view."""
    state = self._state
    return None if state is None or state.view is None else state.view.base


def storage_offset(self: Tensor) -> int:
    """Where the first element stands in the memory behind the tensor, in elements."""
    from refgrad.ops.strided import place

    return place(self._array) - place(root(self._array)) if self._array.size else 0


def attach_views() -> None:
    """Give Tensor what it has to say about views."""
    methods: dict[str, Any] = {
        "_base": property(_base),
        "_is_view": _is_view,
        "_settle": settle,
        "_written": written,
        "data": property(_data, _set_data, _delete_data),
        "detach": detach,
        "detach_": detach_,
        "storage_offset": storage_offset,
    }
    for name, method in methods.items():
        setattr(Tensor, name, method)
