"""Judging what a subject's tape does: every clause of the contract, then histories in lock step with PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from oracles.answers import Died, Errored, Failed, Held, Hung, Unsupported
from oracles.clauses.clause import Clause, clauses
from oracles.clauses.deviations import Deviation
from oracles.histories import search
from oracles.plan import Plan, has_pytorch
from oracles.records import ClauseOutcome, ClauseStatus, Failure, HistoryFinding
from oracles.remote import Remote

HISTORIES = 2
"""Histories drawn for each program of an op that is drawn."""
FEWEST = 20
"""Histories drawn at least."""


@dataclass(frozen=True)
class Step:
    """How far judging semantics is: so many of `total`, of `what`."""

    done: int
    total: int
    what: str
    doing: str


class Semantics:
    """What a run finds of a subject's semantics, and how much of it was looked at."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.asked: list[ClauseOutcome] = []
        self.histories: list[HistoryFinding] = []
        self.healed = 0
        self.steps = 0

    @property
    def new(self) -> int:
        """What is wrong and not listed."""
        return sum(o.new for o in self.asked) + sum(not h.known for h in self.histories)

    @property
    def stale(self) -> int:
        """The entries of the list that do not hold."""
        return sum(o.stale for o in self.asked) + self.healed

    def judged(
        self, subject: Remote, stopped: Callable[[], bool]
    ) -> Iterator[ClauseOutcome | HistoryFinding | Failure | Step]:
        """Records, and how far it is."""
        every = clauses()
        for outcome in judged_clauses(subject, self.plan.deviations.clauses, stopped):
            self.asked.append(outcome)
            yield outcome
            yield Step(len(self.asked), len(every), "clauses", f"clause {outcome.id}")
        if self.plan.subject != "torch" and has_pytorch() and not stopped() and not search.can_play(subject):
            yield from self._lock_step(subject, stopped)

    def _lock_step(
        self, subject: Remote, stopped: Callable[[], bool]
    ) -> Iterator[HistoryFinding | Failure | Step]:
        """The listed histories again, and then the search."""
        plan = self.plan
        listed = plan.deviations.histories
        for entry in listed.values():
            differs = search.replay(entry.history, search.RemotePartner(subject))
            found = None if differs is None else search.finding_of(differs, plan.subject, listed)
            if found is None or found.kind != entry.kind:
                self.healed += 1
                now = "differs no more" if found is None else f"is now: {found.kind}"
                yield Failure("the list of known failures", f"the history listed as {entry.kind!r} {now}")
            if found is not None:
                self.histories.append(found)
                yield found
        examples = max(FEWEST, HISTORIES * plan.examples)
        yield Step(0, examples, "histories", "histories in lock step with PyTorch")
        settled = [h.kind for h in self.histories]
        for item in search.search(
            lambda: search.RemotePartner(subject), plan.subject, examples, plan.seed, listed, settled, stopped
        ):
            if isinstance(item, HistoryFinding):
                self.histories.append(item)
                yield item
            else:
                self.steps = item
        yield Step(examples, examples, "histories", "histories in lock step with PyTorch")


def judged_clauses(
    subject: Remote, deviations: Mapping[str, Deviation], stopped: Callable[[], bool] = lambda: False
) -> Iterator[ClauseOutcome]:
    """What becomes of each clause, in the order of the report, until it is `stopped`."""
    for clause in clauses().values():
        if stopped():
            return
        yield outcome_of(clause, subject.hold(clause.id), deviations.get(clause.id))


def outcome_of(clause: Clause, reply: Held | Failed, listed: Deviation | None) -> ClauseOutcome:
    """The record of a clause from the worker's reply and the entry of the list that has it, if any."""
    held = _held(reply)
    return ClauseOutcome(
        id=clause.id,
        topic=clause.topic,
        sentence=clause.sentence,
        page=clause.page,
        outcome=held.outcome,
        expected=held.expected,
        got=held.got,
        reason=held.reason,
        lines=held.lines or clause.lines,
        script=held.script,
        status=_status(held, listed),
        why=listed.reason if listed else "",
        design=listed is not None and listed.design,
    )


def _status(held: Held, listed: Deviation | None) -> ClauseStatus:
    if listed is None:
        return "not listed"
    if held.outcome == listed.outcome:
        return "as listed"
    return "healed" if held.outcome == "holds" else "changed"


def _held(reply: Held | Failed) -> Held:
    """The reply as an outcome, whatever became of the worker."""
    if isinstance(reply, Unsupported):
        return Held("unsupported", reason=reply.reason)
    if isinstance(reply, Errored):
        return Held("errored", got=f"{reply.type}: {reply.message}", reason=reply.traceback)
    if isinstance(reply, Died):
        return Held("errored", got=f"the process ended with {reply.how}", reason=reply.captured)
    if isinstance(reply, Hung):
        return Held("errored", got=f"no answer within {reply.seconds:g} s", reason=reply.captured)
    return reply
