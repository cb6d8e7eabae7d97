"""A subject that is the reference engine until a case comes along that it cannot bear."""

from __future__ import annotations

import os
import time

from oracles.answers import Answer
from oracles.program import Case
from oracles.subjects.torchlike import TorchLike

PATIENCE = float(os.environ.get("UNRELIABLE_SLEEP", "60"))


class Unreliable(TorchLike):
    """Dies on matrices, hangs on tensors without dimensions, and raises where an element is negative."""

    def vjp(self, case: Case) -> Answer:
        """The engine's answer, if the case's first input is harmless."""
        x = case.inputs[0].numpy()
        op = case.program.steps[0].op
        if op == "exp" and x.ndim == 2:
            os._exit(3)
        if op == "log" and x.ndim == 0:
            time.sleep(PATIENCE)
        if op == "neg" and (x < 0).any():
            raise ArithmeticError("no negative numbers, please")
        return super().vjp(case)


subject = Unreliable("unreliable", "refgrad", ops={"tanh": "unreliable has no tanh"})
