"""The check that `refgrad check` makes of one op, in this process, with its cases and their truth worked out once.

What is drawn depends on the seed and on the engine's forward functions, never on a formula, and the truth on the case
alone. So all the wrong rules of an op meet the cases that a run from this seed would judge, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from oracles.answers import Answer, Errored, Failed, Ready, Unsupported, Values
from oracles.campaign import units
from oracles.judge import Bench, Judgement
from oracles.plan import plan_check
from oracles.program import Case
from oracles.search import Unit, search
from oracles.subjects import laws
from oracles.subjects.protocol import Lacking, WrongAnswer
from oracles.subjects.refgrad import subject
from oracles.truth import Enclosed, Unknown, enclose

from .making import WrongRule


class Here:
    """The engine of this process in the place of a worker."""

    ready = Ready("refgrad", {}, {})

    def judge(self, case: Case, laws: bool = True) -> Answer | Failed:
        return asked(lambda: judged_with_laws(case, laws))

    def values(self, program: Any, dtype: Any, points: Any) -> Any:
        return asked(lambda: [subject.values(program, list(point)) for point in points])

    def differentiate(self, *given: Any) -> Values | Failed:
        return Unsupported("differences are not asked for")


def judged_with_laws(case: Case, asked_for: bool) -> Answer:
    return laws.judge(subject, case, asked_for)


def asked(question: Any) -> Any:
    """The answer, whatever the engine does; as `oracles.worker` has it."""
    try:
        return question()
    except Lacking as error:
        return Unsupported(error.reason, error.op)
    except WrongAnswer as error:
        return Errored("wrong answer", str(error))
    except Exception as error:
        return Errored(type(error).__name__, str(error))


Truth = Callable[[Case], Enclosed | Unknown]


class Collecting:
    """A bench that judges nothing, and keeps what it is given, with what knows its truth."""

    def __init__(self) -> None:
        self.cases: list[tuple[Case, Truth]] = []

    def given_up(self, case: Case) -> str:
        return ""

    def judge(self, case: Case, witnesses: bool = True, truth: Truth = enclose) -> Judgement:
        if witnesses:  # without, a climb comes by where another unit has been
            self.cases.append((case, truth))
        return Judgement(case, Unsupported("collected"), Unknown("collected"), ())


@dataclass(frozen=True)
class Caught:
    """What became of a wrong rule: the fault that was seen first (none if it survived), and after how many cases."""

    fault: str
    after: int
    largest: float
    """The largest error in budgets on any case before."""
    conventions: int = 0
    """Of a survivor: on how many cases it follows another convention than the contract's where the right rule does not,
    or does not where the right rule does."""
    others: int = 0
    """Of a survivor: on how many cases its answer is another than the right rule's."""
    untold: tuple[str, ...] = ()
    """Of those, for each about which the truth cannot tell: why."""


class Check:
    """One op's check; units of cases are drawn when they are first needed."""

    def __init__(self, op: str, seed: int, examples: int | None = None) -> None:
        plan = plan_check("refgrad", None, (op,), (), examples, None, seed, 1, "benchmarks/mutation.py")
        self.pieces = units(plan)
        self.seen: set[str] = set()
        self.drawn: list[list[Case]] = []
        self.bench = Bench(Here(), None)  # type: ignore[arg-type]
        self.asked: dict[int, Truth] = {}
        self.truths: dict[int, Enclosed | Unknown] = {}
        self.right: list[Judgement] = []

    def cases(self) -> Iterator[list[Case]]:
        """The cases by unit, in the order in which they are judged."""
        for number, unit in enumerate(self.pieces):
            if number == len(self.drawn):
                self.drawn.append(self.draw(unit))
            yield self.drawn[number]

    def draw(self, unit: Unit) -> list[Case]:
        bench = Collecting()
        search(unit, "refgrad", bench, self.seen, lambda: False)  # type: ignore[arg-type]
        self.asked.update((id(case), truth) for case, truth in bench.cases)
        return [case for case, _ in bench.cases]

    def truth(self, case: Case) -> Enclosed | Unknown:
        """The truth of a case that was drawn here; the case itself is kept, so its id is its own.

        What knows it serves both orders of a case from one evaluation, and is let go when both are known.
        """
        found = self.truths.get(id(case))
        if found is None:
            found = self.truths[id(case)] = self.asked.pop(id(case))(case)
        return found

    def of(self, rule: WrongRule) -> Caught:
        """Judge a wrong rule until it is accused, or all cases are judged."""
        largest, judged = 0.0, []
        laws.forget()  # what the last rule was on the case that comes first here too
        for cases in self.cases():
            with rule.installed(), np.errstate(all="ignore"):
                for case in cases:
                    judgement = self.bench.judge(case, witnesses=False, truth=self.truth)
                    judged.append(judgement)
                    if judgement.fault:
                        return Caught(judgement.fault, len(judged), largest)
                    largest = max([largest, *(r for c in judgement.compared.values() for r in c.ratios)])
        return self.survivor(judged, largest)

    def survivor(self, judged: list[Judgement], largest: float) -> Caught:
        """What is known of a rule that was never accused, beside the right one on the same cases."""
        if not self.right:
            laws.forget()
            with np.errstate(all="ignore"):
                self.right = [self.bench.judge(j.case, witnesses=False, truth=self.truth) for j in judged]
        conventions, untold, others = 0, [], 0
        for mine, right in zip(judged, self.right, strict=True):
            conventions += follows_another_convention(mine) != follows_another_convention(right)
            if numbers(mine.answer) != numbers(right.answer):
                others += 1
                untold += [
                    v.reason for v in mine.verdicts if v.oracle == "exact" and v.outcome == "cannot tell"
                ]
        return Caught("", len(judged), largest, conventions, others, tuple(untold))


def numbers(answer: Answer | Failed) -> Any:
    """An answer without what was found by the way, which is not asked of every case."""
    if not isinstance(answer, Answer):
        return answer
    return answer.outputs, answer.gradients, answer.seconds, answer.second_cotangents


def follows_another_convention(judgement: Judgement) -> bool:
    """Whether the answer is a slope at a kink, but another than the contract's."""
    return any(v.outcome == "convention" for v in judgement.verdicts)
