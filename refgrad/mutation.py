"""Writing over what was saved: within a context, backward uses the values from before.

The context keeps a copy of the memory from before each write. A node that was recorded in it takes what it saved from
the copy made at the first write after it, if there was one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from refgrad.dtypes import Array
from refgrad.graph import next_number
from refgrad.modes import mode
from refgrad.versions import clock

OUTSIDE: Final = (
    "Trying to backward outside of the 'allow_mutation_on_saved_tensors' contextin which the graph was originally "
    "recorded."
)


class AllowMutationOnSavedContext:
    """The numbers of the nodes that were recorded in a context, and for each memory written to what it held."""

    def __init__(self) -> None:
        self.first = next_number()
        self.last: int | None = None
        self.copies: dict[int, list[tuple[int, Array, Array]]] = {}

    def holds(self, number: int) -> bool:
        """Whether the node of this number was recorded in the context."""
        return self.first < number and (self.last is None or number < self.last)

    def keep(self, array: Array) -> None:
        """Copy the memory behind `array`, which is about to be written to."""
        memory = root(array)
        copy = np.array(memory, order="K", copy=True)
        self.copies.setdefault(id(memory), []).append((next_number(), memory, copy))
        clock.latest = next_number()

    def before(self, array: Array, number: int) -> Array:
        """`array` as it was when the node of this number was made; itself if nobody has written to it since."""
        for stamp, memory, copy in self.copies.get(id(root(array)), ()):
            if stamp > number and array.size:
                start = array.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
                held = np.ndarray(array.shape, array.dtype, bytes_of(copy), start, array.strides)
                return held.copy()
        return array

    def clear(self) -> None:
        """Forget all copies."""
        self.copies.clear()


_contexts: Final[list[AllowMutationOnSavedContext]] = []
"""Every context there was: what was recorded in one that has ended can no longer be gone back through."""


@contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[AllowMutationOnSavedContext]:
    """Within it saved tensors may be written to, and backward uses what they were.

    Raises RuntimeError if nested. A backward pass outside through what was recorded within is an AssertionError.
    """
    if mode.keeping is not None:
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    context = mode.keeping = AllowMutationOnSavedContext()
    _contexts.append(context)
    try:
        yield context
    finally:
        mode.keeping = None
        context.clear()
        context.last = clock.latest = next_number()  # what was recorded within is to be looked at


def context_of(number: int, *, saves: bool) -> AllowMutationOnSavedContext | None:
    """The context in which the node of this number was recorded, if any; AssertionError if that has ended."""
    for context in _contexts:
        if context.holds(number):
            alive = mode.keeping is context
            if alive:
                return context
            if saves:
                raise AssertionError(OUTSIDE)
    return None


def root(array: Array) -> Array:
    """The array that owns the memory of `array`, as far as NumPy knows."""
    while True:
        base = array.base if isinstance(array.base, np.ndarray) else getattr(array.base, "base", None)
        if not isinstance(base, np.ndarray):
            return array
        array = base


def bytes_of(array: Array) -> Any:
    """The memory of an array without holes, in the order in which it lies there."""
    return np.lib.stride_tricks.as_strided(array, (array.size,), (array.itemsize,)).view(np.uint8)
