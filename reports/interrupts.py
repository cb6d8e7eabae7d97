"""Ctrl-C, once and twice: the first stops the search and keeps what was found, the second leaves at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class Leave(BaseException):
    """Raised by the second Ctrl-C. No handler for ordinary errors, nor for the first Ctrl-C, catches it."""


class Interrupts:
    """Asks a campaign to stop on the first Ctrl-C, and turns the second one into `Leave`.

    Both ways of asking are used: `stop` is set, and a campaign that is busy gets a KeyboardInterrupt. While a
    record is written there is only `stop`, so none is cut in half. Once the campaign is over, Ctrl-C leaves.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._busy = False
        self._over = False

    def items(self, campaign: Iterator[T]) -> Iterator[T]:
        """The items of the campaign, which counts as busy from asking for one until it comes."""
        while True:
            self._busy = True
            try:
                item = next(campaign)
            except StopIteration:
                self._over = True
                return
            finally:
                self._busy = False
            yield item

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.stop.is_set() or self._over:
            raise Leave
        self.stop.set()
        if self._busy:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        self._before = None
        with suppress(ValueError):  # only the main thread receives signals
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
