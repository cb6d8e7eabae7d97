"""Wrongdoers on threads, made of the engine."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from refgrad import backward
from refgrad.opnode import OpNode
from refgrad.tensor import Tensor

from .wrongdoers_kit import Wrongdoer, swapped, wrongdoer


@contextmanager
def one_thread_for_each() -> Iterator[None]:
    """The fault of an input that is bound to the thread that first asked for its gradient."""
    right, owners = backward._edge, {}

    def wrong(place: Any) -> Any:
        if isinstance(place, Tensor):
            held, owner = owners.get(id(place), (lambda: None, None))
            if held() is not place:
                owner = threading.current_thread()
                owners[id(place)] = weakref.ref(place), owner
            if owner is not threading.current_thread():
                raise RuntimeError("another thread differentiates by this tensor")
        return right(place)

    with swapped(backward, _edge=wrong)():
        yield


@contextmanager
def freed_by_the_maker() -> Iterator[None]:
    """The fault of products that only the thread that recorded them frees."""
    multiply, right, makers = Tensor.__mul__, OpNode.free, {}

    def product(self: Tensor, other: Any) -> Tensor:
        made = multiply(self, other)
        if made.grad_fn is not None:
            makers[made.grad_fn.number] = threading.current_thread()
        return made

    def free(self: OpNode) -> None:
        if makers.get(self.number) in (None, threading.current_thread()):
            right(self)

    with swapped(Tensor, __mul__=product)(), swapped(OpNode, free=free)():
        yield


THREADS: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "one-thread-for-each",
        "a tensor can be differentiated by in one thread alone, the first that asks",
        one_thread_for_each,
        breaks="TH-1 TH-2",
    ),
    wrongdoer(
        "freed-by-the-maker",
        "a pass in one thread leaves alone what another has recorded, and does not free it",
        freed_by_the_maker,
        breaks="TH-2",
    ),
)
