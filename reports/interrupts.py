"""Ctrl-C, once and twice: the first stops the search and keeps what was found, the second leaves at once."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Leave(BaseException):
    """Raised by the second Ctrl-C. No handler for ordinary errors, nor for the first Ctrl-C, catches it."""


class Interrupts:
    """Delivers the first Ctrl-C to a campaign as KeyboardInterrupt and turns the second one into `Leave`.

    While a campaign is not being asked for its next item, the first Ctrl-C waits: no record is cut in half.
    Once the campaign is over there is nothing left to stop, and Ctrl-C leaves.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._asking = False
        self._waiting = False
        self._over = False

    def items(self, campaign: Generator[T, Any, Any]) -> Generator[T, None, None]:
        """The campaign's items, one by one; an interrupt that had to wait is thrown into it."""
        while True:
            self._asking = True
            try:
                item = campaign.throw(KeyboardInterrupt()) if self._waiting else next(campaign)
            except StopIteration:
                self._over = True
                return
            finally:
                self._asking = False
                self._waiting = False
            yield item

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self._seen += 1
        if self._seen > 1 or self._over:
            raise Leave
        if self._asking:
            raise KeyboardInterrupt
        self._waiting = True

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
