"""A subject that gives the answer it was made with, in the place of a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from oracles.answers import Answer, Failed
from oracles.judge import Bench, Judgement
from oracles.program import Case


class Answering:
    """What a bench asks of a worker: one answer for every case, or a function of the case; and a forward function."""

    def __init__(
        self,
        answer: Answer | Failed | Callable[[Case], Answer | Failed],
        forward: Callable[..., Any] | None = None,
        backward: Callable[..., Any] | None = None,
    ) -> None:
        self.answer = answer
        self.forward = forward
        self.backward = backward

    def judge(self, case: Case, laws: bool = True) -> Answer | Failed:
        """The answer that it was made with."""
        return self.answer(case) if callable(self.answer) else self.answer

    def values(self, program: Any, dtype: str, points: Sequence[Sequence[Any]]) -> Any:
        """The forward function at each point, as a list of one output each."""
        return [(self.forward(*p),) for p in points] if self.forward else "no forward function"

    def gradients(self, case: Case, points: Sequence[Sequence[Any]]) -> Any:
        """The first-order gradients at each point."""
        return [self.backward(*p) for p in points] if self.backward else "no backward function"


def judged(given: Case, answer: Answer | Failed) -> Judgement:
    """What is said of a subject that gives this answer, by all that can accuse."""
    subject: Any = Answering(answer)
    return Bench(subject, None).judge(given, witnesses=False)
