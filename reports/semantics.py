"""The chapter on semantics: the clauses of a run by topic, and those that do not hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from oracles.records import ClauseOutcome, HistoryFinding, Holding
from reports.text import line, listed, number

OUTCOMES: tuple[Holding, ...] = get_args(Holding)
FAILS: tuple[Holding, ...] = ("violated", "errored")
JUDGED: tuple[Holding, ...] = ("holds", *FAILS)


@dataclass(frozen=True)
class Topic:
    """The clauses of one topic and how many have each outcome; `wrong` are those that fail the run."""

    name: str
    clauses: tuple[ClauseOutcome, ...]
    counts: dict[Holding, int]
    wrong: int


@dataclass(frozen=True)
class Chapter:
    """All clauses and histories of a run.

    `new` do not hold and are not listed, `stale` have a wrong entry in the list, `listed` do not hold as listed, and
    `designed` neither, but are meant so. `histories` differ from PyTorch's, in `steps` that were compared.
    """

    clauses: tuple[ClauseOutcome, ...]
    topics: tuple[Topic, ...]
    new: tuple[ClauseOutcome, ...]
    stale: tuple[ClauseOutcome, ...]
    listed: tuple[ClauseOutcome, ...]
    designed: tuple[ClauseOutcome, ...]
    totals: dict[Holding, int]
    histories: tuple[HistoryFinding, ...]
    steps: int

    @property
    def new_histories(self) -> tuple[HistoryFinding, ...]:
        """Those that are not listed."""
        return tuple(h for h in self.histories if not h.known)

    @property
    def judged(self) -> int:
        """How many were really judged: they hold or they do not."""
        return sum(self.totals.get(outcome, 0) for outcome in JUDGED)


def chapter(
    clauses: Iterable[ClauseOutcome], histories: Iterable[HistoryFinding] = (), steps: int = 0
) -> Chapter:
    """The chapter of these clauses, in their order, and of these histories, those first that are not listed."""
    every = tuple(clauses)
    known = tuple(c for c in every if c.outcome in FAILS and c.status == "as listed")
    return Chapter(
        clauses=every,
        topics=tuple(_topics(every)),
        new=tuple(c for c in every if c.new),
        stale=tuple(c for c in every if c.stale),
        listed=tuple(c for c in known if not c.design),
        designed=tuple(c for c in known if c.design),
        totals=_counts(every),
        histories=tuple(sorted(histories, key=lambda h: h.known)),
        steps=steps,
    )


def _topics(clauses: tuple[ClauseOutcome, ...]) -> Iterator[Topic]:
    for name in dict.fromkeys(c.topic for c in clauses):
        own = tuple(c for c in clauses if c.topic == name)
        yield Topic(name, own, _counts(own), sum(c.new or c.stale for c in own))


def _counts(clauses: Iterable[ClauseOutcome]) -> dict[Holding, int]:
    found = Counter(c.outcome for c in clauses)
    return {outcome: found[outcome] for outcome in OUTCOMES if found[outcome]}


def sentence(of: Chapter, who: str) -> str:
    """What is to be said of the clauses, for the run's conclusion; `who` is the subject, or "It"."""
    held = number(of.totals.get("holds", 0), "clause")
    lacking = of.totals.get("unsupported", 0)
    beside = f"; {lacking} more are about what it lacks" if lacking else ""
    after = f" {_differ(of, who)}" if of.new_histories else ""
    if of.new:
        ids = [line(c.id, 20) for c in of.new]
        named = listed(ids) if len(ids) <= 4 else f"{len(ids)} clauses"
        return f"{who} breaks PyTorch's autograd contract in {named} and holds {held}{beside}.{after}"
    known = len(of.listed) + len(of.designed)
    also = f", breaks {known} as listed" if known else ""
    return f"{who} holds {held} of PyTorch's autograd contract{also}{beside}.{after}"


def _differ(of: Chapter, who: str) -> str:
    return f"{who} differs from PyTorch after {number(len(of.new_histories), 'history', 'histories')} of a few steps."


def announced(clause: ClauseOutcome) -> str:
    """A clause that does not hold, in two lines."""
    return f"{line(clause.id, 20)} {clause.outcome}: {line(clause.sentence)}\n  {said(clause)}"


def announced_history(history: HistoryFinding) -> str:
    """A history after which the two are not the same, in one line."""
    steps = number(len(history.history.actions), "step")
    return f"{line(history.id, 40)}: after a history of {steps}: {line(history.kind)}"


def said(clause: ClauseOutcome) -> str:
    """What was expected and what there was, on one line."""
    if clause.outcome == "violated":
        return f"expected {line(clause.expected)}, got {line(clause.got)}"
    return line(clause.got or clause.reason)
