"""Wrongdoers on threads, made of the engine."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from refgrad import backward
from refgrad.graph import FREED
from refgrad.opnode import OpNode

from .wrongdoers_kit import Wrongdoer, swapped, wrongdoer


@contextmanager
def one_thread_for_each() -> Iterator[None]:
    """The fault of an input that is bound to the thread that first asked for its gradient."""
    right, owners = backward._edge, {}

    def wrong(place: Any) -> Any:
        held, owner = owners.get(id(place), (lambda: None, 0))
        if held() is not place:
            owner = threading.get_ident()
            owners[id(place)] = weakref.ref(place), owner
        if owner != threading.get_ident():
            raise RuntimeError("another thread differentiates by this tensor")
        return right(place)

    with swapped(backward, _edge=wrong)():
        yield


@contextmanager
def freed_for_each() -> Iterator[None]:
    """The fault of nodes that a thread frees for itself alone."""
    right, own = OpNode.answers, threading.local()

    def answers(self: OpNode, *args: Any) -> Any:
        if self in vars(own).get("freed", ()):
            raise RuntimeError(FREED)
        return right(self, *args)

    def free(self: OpNode) -> None:
        if self.plan.saves:
            vars(own).setdefault("freed", set()).add(self)

    with swapped(OpNode, answers=answers, free=free)():
        yield


THREADS: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "one-thread-for-each",
        "a tensor can be differentiated by in one thread alone, the first that asks",
        one_thread_for_each,
        breaks="",
    ),
    wrongdoer(
        "freed-for-each",
        "what grad() frees is free in its thread alone",
        freed_for_each,
        breaks="",
    ),
)
