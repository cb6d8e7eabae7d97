"""Grad modes: whether ops record, per thread, and whether somebody watches what they record."""

import functools
import inspect
import threading
import warnings
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Final, Self, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

WATCHED: Final = 2
UNRECORDED: Final = 0
"""Recorded and not, where the short ways of applying ops have to leave it to the general one: a dual level is open, or
what is recorded is shown to `refgrad.saved` and `refgrad.anomaly`."""


class _Mode(threading.local):
    """What a thread is in.

    enabled: True, False, WATCHED or UNRECORDED.
    inference: whether new tensors are inference tensors; then nothing records, and `asked` is what was asked for.
    level: the dual level that is open, if one is.
    watchers: how many blocks of this thread watch what is recorded.
    """

    enabled: bool | int = True
    inference = False
    asked = False
    level: Any = None
    watchers = 0


class _Everywhere:
    """Whether what is recorded is watched in all threads."""

    watched = False


mode = _Mode()


def switch(record: bool) -> None:
    """Record from now on in this thread, or do not."""
    level = mode.level is not None and not mode.inference
    watched = mode.watchers or _Everywhere.watched or level
    mode.enabled = (WATCHED if watched else True) if record else (UNRECORDED if level else False)


def set_level(level: Any) -> Any:
    """Open a dual level in this thread, or close it with None; returns the one before."""
    before, mode.level = mode.level, level
    if not mode.inference:
        switch(is_grad_enabled())
    return before


def watch(blocks: int) -> None:
    """Count `blocks` more (or fewer) that watch what this thread records."""
    mode.watchers += blocks
    if not mode.inference:
        switch(is_grad_enabled())


def watch_everywhere(watched: bool) -> None:
    """Watch what is recorded in all threads, or no longer; a thread that runs notices when it next sets its mode."""
    _Everywhere.watched = watched
    _Mode.enabled = WATCHED if watched else True
    if not mode.inference:
        switch(is_grad_enabled())


def is_grad_enabled() -> bool:
    """Whether ops on tensors that require grad are recorded in this thread."""
    return mode.asked if mode.inference else bool(mode.enabled)


def is_inference_mode_enabled() -> bool:
    """Whether this thread is in inference mode."""
    return mode.inference


class _GradMode:
    """A context manager and decorator that sets the grad mode and restores the previous one."""

    target: bool

    def __init__(self) -> None:
        self._previous: list[bool] = []

    def __enter__(self) -> Self:
        self._previous.append(swap(self.target))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        swap(self._previous.pop())

    def clone(self) -> "_GradMode":
        """A fresh one of the same target, for each call of a decorated function."""
        return type(self)()

    def __call__(self, function: F) -> F:
        """Decorate `function` so that it runs in this mode; a generator, each of its steps."""
        if inspect.isclass(function):
            warnings.warn(CLASS_DECORATED, FutureWarning, stacklevel=2)
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


CLASS_DECORATED: Final = (
    "Decorating classes is deprecated and will be disabled in future versions. You should only decorate functions or "
    "methods. To preserve the current behavior of class decoration, you can directly decorate the `__init__` method "
    "and nothing else."
)


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
        if not isinstance(mode, bool):
            raise TypeError(
                f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}"
            )
        self.target = mode
        self._before = swap(mode)

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.target})"

    def __enter__(self) -> Self:
        self._previous.append(self._before)
        swap(self.target)
        return self

    def clone(self) -> _GradMode:
        """A fresh one of the same target."""
        return set_grad_enabled(self.target)

    def __call__(self, function: F) -> F:
        """Decorate `function`, and leave the mode where it was before."""
        swap(self._before)
        return super().__call__(function)


class inference_mode(_GradMode):  # noqa: N801 (PyTorch's name)
    """Within it nothing is recorded, and new tensors have no version and can never be recorded.

    `inference_mode(False)` ends the mode for its block. Context manager or decorator, with or without parentheses.
    """

    def __new__(cls, mode: bool | Callable[..., Any] = True) -> Any:  # noqa: D102
        made = super().__new__(cls)
        if isinstance(mode, bool):
            return made
        made.__init__()  # type: ignore[misc]
        return made(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.target = mode
        self._outside: list[tuple[bool | int, bool, bool]] = []

    def __enter__(self) -> Self:
        self._outside.append((mode.enabled, mode.inference, mode.asked))
        mode.inference, mode.asked = self.target, False
        switch(not self.target)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        enabled, mode.inference, mode.asked = self._outside.pop()
        switch(bool(enabled))

    def clone(self) -> "_GradMode":
        """A fresh one of the same target."""
        return inference_mode(self.target)


def swap(enabled: bool) -> bool:
    """Set the mode and return the previous one."""
    if mode.inference:
        before, mode.asked = mode.asked, enabled
    else:
        before = bool(mode.enabled)
        switch(enabled)
    return before
