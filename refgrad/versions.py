"""Versions: how often elements were written to, so that backward can tell a saved value from a changed one.

A version is made on first need, and a tensor without one is at version 0. Each write is stamped with a number from the
clock that numbers nodes. So a node that saves a tensor has nothing to note: the tensor was changed since exactly if its
version has a stamp later than the node's number, and where no write at all came after a node, one comparison says so.
"""

import re
import weakref
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from refgrad.dtypes import bfloat16, from_numpy_dtype
from refgrad.graph import next_number

if TYPE_CHECKING:
    from refgrad.graph import Node
    from refgrad.opnode import OpNode
    from refgrad.tensor import Tensor

KEPT: Final = 4096
"""How many stamps a version remembers. What was saved before them is known to be changed, not from which version."""

INFERENCE_WRITE: Final = (
    "Inplace update to inference tensor outside InferenceMode is not allowed."
    "You can make a clone to get a normal tensor before doing inplace update."
    "See https://github.com/pytorch/rfcs/pull/17 for more details."
)


class Clock:
    """The number of the latest write, to anything: what a node older than this has saved must be looked at."""

    __slots__ = ("latest",)

    def __init__(self) -> None:
        self.latest = -1


clock: Final = Clock()


class Version:
    """The writes to one piece of memory, shared by all tensors that alias it; and the views among those, weakly."""

    __slots__ = ("__weakref__", "_pruned", "count", "stamps", "views")

    def __init__(self) -> None:
        self.count = 0
        self.stamps: deque[int] | None = None
        self.views: list[weakref.ref[Tensor]] = []
        self._pruned = 16

    def write(self, times: int = 1) -> int:
        """Count a write, and return its number."""
        number = next_number()
        self.count += times
        if self.stamps is None:
            self.stamps = deque(maxlen=KEPT)
        self.stamps.append(number)
        clock.latest = number
        return number

    def at(self, number: int) -> int | None:
        """The version when the node of this number was made; None if that is too long ago to tell."""
        stamps = self.stamps
        if stamps is None:
            return self.count
        if len(stamps) == KEPT and stamps[0] > number:
            return None
        return self.count - (len(stamps) - bisect_right(stamps, number))

    def changed_since(self, number: int) -> bool:
        """Whether there was a write after the node of this number was made."""
        return self.stamps is not None and self.stamps[-1] > number

    def add_view(self, view: "Tensor") -> None:
        """Remember a view for as long as it lives."""
        views = self.views
        if len(views) > self._pruned:
            views[:] = [held for held in views if held() is not None]
            self._pruned = 2 * len(views) + 16
        views.append(weakref.ref(view))


def version_of(tensor: "Tensor") -> Version:
    """The version of `tensor`, made if there is none yet; the node that saved the tensor as its output is told."""
    state = tensor.state()
    if state.version is None:
        state.version = Version()
        tie = getattr(tensor._node, "tie", None)
        if tie is not None:
            state.version = tie(tensor._nr, state.version)
    return state.version


def unversioned(tensor: "Tensor") -> bool:
    """Whether `tensor` is an inference tensor, which has no version; an alias made outside the mode may have one."""
    state = tensor._state
    return state is not None and state.inference and state.version is None


def count_of(tensor: "Tensor") -> int:
    """What `tensor._version` says; RuntimeError for an inference tensor."""
    state = tensor._state
    if unversioned(tensor):
        raise RuntimeError("Inference tensors do not track version counter.")
    return 0 if state is None or state.version is None else state.version.count


def increment_version(tensor: "Tensor | Iterable[Tensor]") -> None:
    """Say that something else has written to a tensor, or to each of several, so that backward can notice.

    Inference tensors have no version, and are passed over.
    """
    from refgrad.tensor import Tensor  # which asks this module for its version

    several = isinstance(tensor, Iterable) and not isinstance(tensor, Tensor)
    each: list[Any] = list(tensor) if several else [tensor]
    if not all(isinstance(t, Tensor) for t in each):
        raise RuntimeError("increment_version expect a Iterable[Tensor] as input")
    for t in each:
        if not unversioned(t):
            version_of(t).write()
            t._written()


DETACHED: Final = (
    "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_()."
    "This is not supported, please use out-of-place `.detach()` instead"
)
HINT: Final = (
    "Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
    "torch.autograd.set_detect_anomaly(True, check_nan=False)."
)


def check_saved(node: "OpNode") -> None:
    """RuntimeError if anything that `node` saved has been written to, or detached in place, since.

    Where that is allowed the node takes back what it saved as it was.
    """
    from refgrad.mutation import context_of  # which tells the time by this module's clock

    held = [each for one in node.tensors or () for each in (one if isinstance(one, list) else (one,))]
    outputs = any(slot < len(node.op.outputs) for slot in node.plan.slots)
    context = context_of(node.number, saves=outputs or any(hasattr(each, "_array") for each in held))
    if context is not None:
        node.restore(context)
        return
    for tensor in held:
        check_tensor(tensor, node.number)
    for slot, (version, since, maker) in node.versions_of_outputs().items():
        if version.changed_since(since):
            raise modified_output(node, slot, version, since, maker)


def check_tensor(tensor: Any, number: int) -> None:
    """RuntimeError if a saved tensor was written to, or detached in place, since the node of this number was made."""
    state = getattr(tensor, "_state", None)
    if state is None:
        return
    if state.detached > number:
        raise RuntimeError(DETACHED)
    version = state.version
    if version is not None and version.changed_since(number):
        node = tensor._node
        output = None if node is None else (tensor.output_nr, node.name())
        raise modified(tensor._array, None, output, version, number)


def modified_output(
    node: "OpNode", slot: int, version: Version, since: int, maker: "weakref.ref[Node] | None"
) -> RuntimeError:
    """The complaint about the saved output at `slot`, of which the node `maker`, if it lives, is said to be."""
    assert node.saved is not None
    places = node.op.binding.cotangents
    shown = (maker and maker()) or node
    output = (places.index(slot), shown.name()) if slot in places else None
    stored = node.metas[output[0]][1] if output else None
    return modified(node.saved[node.plan.slots.index(slot)], stored, output, version, since)


def modified(
    array: Any, stored: Any, output: tuple[int, str] | None, version: Version, since: int
) -> RuntimeError:
    """PyTorch's complaint about a saved value that was changed.

    stored: the dtype of the tensor, where that is not the array's.
    output: which output of which node it is.
    """
    kind = from_numpy_dtype(stored or array.dtype)
    name = "CPUBFloat16Type" if kind is bfloat16 else f"torch.{kind.word}Tensor"
    made = "" if output is None else f", which is output {output[0]} of {short_name(output[1])},"
    at = version.at(since)
    expected = f"version {at}" if at is not None else f"a version before {version.count - KEPT}"
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{name} {list(array.shape)}]{made} is at version {version.count}; expected {expected} instead. {HINT}"
    )


def short_name(name: str) -> str:
    """A node's name as messages have it: `Mul` for MulBackward0, `MaskedFill1` for MaskedFillBackward1."""
    stem, found, overload = name.rpartition("Backward")
    return stem + overload.removeprefix("0") if found and re.fullmatch(r"\d*", overload) else name
