"""Judging what a subject's tape does: every clause of the contract, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from oracles.answers import Died, Errored, Failed, Held, Hung, Unsupported
from oracles.clauses.clause import Clause, clauses
from oracles.clauses.deviations import Deviation
from oracles.records import ClauseOutcome, ClauseStatus
from oracles.remote import Remote


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
