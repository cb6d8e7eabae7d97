"""A subject that misbehaves if the name of a case's first input asks for it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from oracles.answers import Answer
from oracles.program import Case
from oracles.subjects.functional import Functional

calls = count(1)
Arrays = tuple[Any, ...]


def make_vjp(function: Callable[..., Arrays], args: Arrays) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
    """The vector-Jacobian product of y = x * x, which is all that the tests ask."""
    return function(*args), lambda cotangents: (2 * args[0] * cotangents[0],)


def flood() -> None:
    """Print more than any pipe holds."""
    for _ in range(200):
        print("x" * 10_000)
    print("the last words", file=sys.stderr)


def boast() -> None:
    """Print much, and then fail."""
    print("x" * 10_000)
    raise ValueError("after all that")


def kill() -> None:
    """End at once, as a crash in native code does."""
    print("before the end", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def garbage() -> None:
    """Write to every file descriptor that a careless program may take for its output."""
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            os.write(descriptor, b'{"is":"answer"}\n')


ACTIONS: dict[str, Callable[[], Any]] = {
    "hangs": lambda: time.sleep(60),
    "exits": lambda: os._exit(3),
    "quits": lambda: sys.exit(4),
    "kills": kill,
    "floods": flood,
    "boasts": boast,
    "garbage": garbage,
    "raises": lambda: 1 / 0,
    "recurses": lambda: ACTIONS["recurses"](),
    "lacks": lambda: (_ for _ in ()).throw(NotImplementedError("no such thing")),
    "allocates": lambda: np.ones(100 << 30, np.uint8),
}
WRONG: dict[str, Callable[[Any, Any], Any]] = {
    "shape": lambda x, c: 2 * x[:1] * c[:1],
    "dtype": lambda x, c: (2 * x * c).astype(np.float32),
    "nan": lambda x, c: x * np.nan,
    "none": lambda x, c: None,
    "text": lambda x, c: "2",
    "object": lambda x, c: np.array([None, None]),
    "number": lambda x, c: 1.0,
    "forgets": lambda x, c: 2 * x,
    "unsteady": lambda x, c: 2 * x * c + next(calls),
    "writes": lambda x, c: (x.__imul__(2), c.__imul__(3), 2 * x * c)[2],
    "underflows": lambda x, c: (2 * x * c / 7 * 1e-320) * 1e160 * 7e160,
    "overflows": lambda x, c: 2 * x * c * 1.5e308,
    "squeezes": lambda x, c: (2 * x * c / 7 * 1e-320) * 1e160 * 7e160 + 0 * (c * 5e307),
    "clips": lambda x, c: np.clip(2 * x * c, -6, 6),
}


class Misbehaving(Functional):
    """Behaves, but for the cases that ask for something else."""

    def vjp(self, case: Case) -> Answer:
        """The answer, after doing what the first input's name asks for."""
        name = case.program.inputs[0].name
        if name in ACTIONS:
            ACTIONS[name]()
        formula = WRONG.get(name)
        if formula is not None:
            self.make_vjp = lambda f, args: (f(*args), lambda cotangents: (formula(args[0], cotangents[0]),))
        try:
            return super().vjp(case)
        finally:
            self.make_vjp = make_vjp


subject = Misbehaving("misbehaving", {"np": "numpy"}, {"sum": lambda np, x: np.sum(x)}, make_vjp)
