"""Grad modes: whether ops record, per thread, and whether somebody watches what they record."""

import functools
import inspect
import threading
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Final, Self, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

WATCHED: Final = 2
"""Ops are recorded, and what they record is shown to `refgrad.saved` and `refgrad.anomaly`."""


class _Mode(threading.local):
    """enabled: False, True, or WATCHED, which is neither, so that the short ways leave it to the general one.

    watchers: how many blocks of this thread watch what is recorded.
    """

    enabled: bool | int = True
    watchers = 0


class _Everywhere:
    """Whether what is recorded is watched in all threads."""

    watched = False


mode = _Mode()


def switch(record: bool) -> None:
    """Record from now on in this thread, or do not."""
    mode.enabled = record and (WATCHED if mode.watchers or _Everywhere.watched else True)


def watch(blocks: int) -> None:
    """Count `blocks` more (or fewer) that watch what this thread records."""
    mode.watchers += blocks
    switch(is_grad_enabled())


def watch_everywhere(watched: bool) -> None:
    """Watch what is recorded in all threads, or no longer; a thread that runs notices when it next sets its mode."""
    _Everywhere.watched = watched
    _Mode.enabled = WATCHED if watched else True
    switch(is_grad_enabled())


def is_grad_enabled() -> bool:
    """Whether ops on tensors that require grad are recorded in this thread."""
    return bool(mode.enabled)


class _GradMode:
    """A context manager and decorator that sets the grad mode and restores the previous one."""

    target: bool

    def __init__(self) -> None:
        self._previous: list[bool] = []

    def __enter__(self) -> Self:
        self._previous.append(is_grad_enabled())
        switch(self.target)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        switch(self._previous.pop())

    def clone(self) -> "_GradMode":
        """A fresh one of the same target, for each call of a decorated function."""
        return type(self)()

    def __call__(self, function: F) -> F:
        """Decorate `function` so that it runs in this mode; a generator, each of its steps."""
        if inspect.isgeneratorfunction(function):
            return _decorate_generator(self.clone, function)

        @functools.wraps(function)
        def in_mode(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return in_mode  # type: ignore[return-value]


def _decorate_generator(fresh: Callable[[], _GradMode], function: F) -> F:
    """Run each step of the generator `function` in a mode, and its caller between steps in the caller's."""

    @functools.wraps(function)
    def steps(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        step: Callable[[], Any] = functools.partial(next, generator)
        while True:
            try:
                with fresh():
                    item = step()
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield item
            except GeneratorExit:
                with fresh():
                    generator.close()
                raise
            except BaseException as error:
                step = functools.partial(generator.throw, error)
            else:
                step = functools.partial(generator.send, sent)

    return steps  # type: ignore[return-value]


class no_grad(_GradMode):  # noqa: N801 (PyTorch's name)
    """Within it nothing is recorded. Context manager or decorator, with or without parentheses."""

    target = False

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:  # noqa: D102
        made = super().__new__(cls)
        if function is None:
            return made
        made.__init__()  # type: ignore[misc]
        return made(function)

    def __init__(self, function: None = None) -> None:
        super().__init__()


class enable_grad(no_grad):  # noqa: N801 (PyTorch's name)
    """Within it ops are recorded again. Context manager or decorator, with or without parentheses."""

    target = True


class set_grad_enabled(_GradMode):  # noqa: N801 (PyTorch's name)
    """Sets the mode at once; as a context manager it also restores the previous mode on exit."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.target = mode
        self._before = _swap(mode)

    def __enter__(self) -> Self:
        self._previous.append(self._before)
        switch(self.target)
        return self

    def clone(self) -> _GradMode:
        """A fresh one of the same target."""
        return set_grad_enabled(self.target)

    def __call__(self, function: F) -> F:
        """Decorate `function`, and leave the mode where it was before."""
        switch(self._before)
        return super().__call__(function)


def _swap(enabled: bool) -> bool:
    """Set the mode and return the previous one."""
    before = is_grad_enabled()
    switch(enabled)
    return before
