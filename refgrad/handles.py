"""What registering a hook returns: a handle that takes it away again."""

import weakref
from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Any, Self

Hooks = OrderedDict[int, Callable[..., Any]]
"""Hooks of one kind by the number of their handle, in the order in which they run."""

_next_id = count().__next__


class RemovableHandle:
    """Removes its hook on `remove()`, or at the end of a `with` block; removing twice does no harm.

    It does not keep the hooks alive: they go with what they are registered on.
    """

    def __init__(self, hooks: Hooks) -> None:
        self.id = _next_id()
        self._hooks = weakref.ref(hooks)

    def remove(self) -> None:
        """Take the hook away."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


class MultiHandle(RemovableHandle):
    """Removes several hooks at once."""

    def __init__(self, handles: tuple[RemovableHandle, ...]) -> None:
        self.handles = handles

    def remove(self) -> None:
        """Take all of the hooks away."""
        for handle in self.handles:
            handle.remove()


def add(hooks: Hooks, hook: Callable[..., Any]) -> RemovableHandle:
    """Put `hook` last among `hooks`."""
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle
