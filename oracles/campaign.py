"""A campaign: every op alone on each of its faces, then composed programs; it yields records and formats nothing."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import chain

import msgspec

import refgrad
from oracles.blame import Kind, finding_id, first_order
from oracles.conventions import conventions
from oracles.crew import Inline, Pool, bench_of, replay_command
from oracles.generation.drawing import STEERED
from oracles.generation.faces import faces_of_op
from oracles.judge import PATIENCE, Bench
from oracles.known import Listed
from oracles.plan import CannotJudge, Plan, UsageError, plan_check
from oracles.program import DType
from oracles.records import Failure, Footer, Header, Record
from oracles.replaying import Replayed, replay, replay_worst
from oracles.search import Searched, Unit
from oracles.semantics import Semantics, Step
from oracles.steering import FEWEST
from oracles.worst import WorstErrors, trimmed

__all__ = [
    "CannotJudge",
    "Plan",
    "Progress",
    "Replayed",
    "UsageError",
    "campaign",
    "plan_check",
    "replay",
    "replay_worst",
]

ORACLES = ("exact", "pytorch", "differences", "laws")
COMPOSED_PART = 4
"""One composed program is drawn for every so many of ops alone."""
STEERED_PART = 4
"""One program is drawn in a climb for every so many of an op on its faces, if these are enough to climb. Measured at
equal numbers of cases: an error that only numbers near 0.03 show is found in 3 of 6 seeds, and by the faces in none; on
PyTorch the worst error found is higher in 13 of 72 rows and lower in 18. So a climb takes nothing from the faces."""
STEERED_ROUND = 10
"""One round of so many climbs, in a search that ends with the time."""
TIMED_EXAMPLES = 8
"""Programs drawn of each op in one round of a search that ends with the time."""
COMPOSED_UNIT = 25
"""Composed programs in one unit."""


@dataclass(frozen=True)
class Progress:
    """How far a campaign is: so many judged and about how many there will be, of `what`, and what is being judged.

    `findings` counts the faults that are not on the list of known failures.
    """

    done: int
    total: int
    doing: str
    findings: int
    what: str = "cases"


def units(plan: Plan, round_: int = 0) -> list[Unit]:
    """The pieces of one round, in the order in which they run."""
    catalogue = refgrad.catalogue()
    found: list[Unit] = []
    examples = plan.examples if plan.seconds is None else min(plan.examples, TIMED_EXAMPLES)
    steered = _steered(plan, round_)
    for op in plan.ops:
        faces = faces_of_op(op, catalogue[op])
        for i, face in enumerate(faces):
            turn = (i - round_ * examples) % len(
                faces
            )  # where not all faces fit into a round, they take turns
            share = examples // len(faces) + (turn < examples % len(faces))
            if share:
                found.append(Unit((op,), face, share, _seed(plan, round_, len(found)), plan.dtypes))
        if steered:
            found.append(Unit((op,), STEERED, steered, _seed(plan, round_, len(found)), plan.dtypes))
    together = len(plan.ops) * examples // COMPOSED_PART if len(plan.ops) > 1 else 0
    for start in range(0, together, COMPOSED_UNIT):
        found.append(
            Unit(
                plan.ops,
                "",
                min(COMPOSED_UNIT, together - start),
                _seed(plan, round_, len(found)),
                plan.dtypes,
            )
        )
    return found


def _steered(plan: Plan, round_: int) -> int:
    """How many programs of each op a climb draws, on top; in a search that ends with the time, in some rounds."""
    if plan.seconds is not None:
        return FEWEST if round_ % STEERED_ROUND == STEERED_ROUND - 1 else 0
    share = plan.examples // STEERED_PART
    return share if share >= FEWEST else 0


def _seed(plan: Plan, round_: int, number: int) -> int:
    return plan.seed + 1_000_003 * round_ + 7919 * number


def campaign(plan: Plan, stop: threading.Event | None = None) -> Iterator[Record | Progress]:
    """Judge a subject: a header, a record for each case, a finding for each distinct fault, worst errors, a footer.

    Every known failure that the plan concerns is judged again from its case before the search begins.

    When `stop` is set, or on the first KeyboardInterrupt, the search ends, what was found is yielded as it is, and the
    footer says that the run was interrupted.

    Raises:
        CannotJudge: the subject cannot be started.
    """
    stop = stop or threading.Event()
    began = time.monotonic()
    with ExitStack() as stack:
        bench = stack.enter_context(bench_of(plan))
        yield _header(plan, bench)
        asked = plan.ops
        plan = replace(plan, ops=tuple(op for op in plan.ops if op not in bench.subject.ready.unsupported))
        crew: Inline | Pool = Inline(plan, bench, stop)
        if plan.jobs > 1:
            crew = Pool(plan, stop)
            stack.callback(crew.executor.shutdown, wait=True, cancel_futures=True)
        gradients = plan.only != "semantics"
        listed = Listed(plan.known if gradients else (), asked, plan.subject, replay_command(plan))
        tally = _Tally(plan, stop, began, listed)
        parts = [tally.tape(bench)] if plan.only != "gradients" else []
        parts += [listed.judged(bench, stop.is_set), tally.run(crew)] if gradients else []
        yield from _to_the_end(chain.from_iterable(parts), stop)
        yield from listed.revised(tally.kinds)
        yield from conventions(bench, plan.ops, _usual(plan.dtypes), stop.is_set)
        yield from trimmed(tally.worst.records(), bench, stop.is_set)
        yield tally.footer()


def _usual(dtypes: tuple[DType, ...]) -> DType:
    """The dtype for what is asked in one alone."""
    return "float64" if "float64" in dtypes else dtypes[0]


def _to_the_end(items: Iterator[Record | Progress], stop: threading.Event) -> Iterator[Record | Progress]:
    """The items, also after a KeyboardInterrupt: it asks the search to stop, and what was found still comes."""
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except KeyboardInterrupt:
            stop.set()
            return
        try:
            yield item
        except KeyboardInterrupt:
            stop.set()


def _header(plan: Plan, bench: Bench) -> Header:
    versions = {"refgrad": version("refgrad"), **bench.subject.ready.versions}
    if bench.pytorch is not None:
        versions |= {f"{k} (oracle)": v for k, v in bench.pytorch.ready.versions.items()}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    oracles = tuple(o for o in ORACLES if o != "pytorch" or bench.pytorch is not None)
    catalogue = refgrad.catalogue()
    lacking = bench.subject.ready.unsupported
    faces = {op: faces_of_op(op, catalogue[op]) for op in plan.ops if op not in lacking}
    file = "" if plan.subject_file is None else str(plan.subject_file)
    return Header(
        plan.subject,
        versions,
        plan.command,
        plan.seed,
        now,
        oracles,
        plan.ops,
        plan.dtypes,
        lacking,
        faces,
        file,
    )


class _Tally:
    """What a campaign has seen so far, and the loop that fills it."""

    def __init__(self, plan: Plan, stop: threading.Event, began: float, listed: Listed) -> None:
        self.plan, self.stop, self.began, self.listed = plan, stop, began, listed
        self.cases = 0
        self.judged = 0
        self.kinds: set[Kind] = set()
        self.given_up: set[str] = set()
        self.worst = WorstErrors()
        self.semantics = Semantics(plan)

    def tape(self, bench: Bench) -> Iterator[Record | Progress]:
        """What is found of the subject's semantics."""
        for item in self.semantics.judged(bench.subject, self.stop.is_set):
            if isinstance(item, Step):
                yield Progress(item.done, item.total, item.doing, self.semantics.new, item.what)
            else:
                yield item

    def run(self, crew: Inline | Pool) -> Iterator[Record | Progress]:
        round_ = 0
        while not self.stop.is_set():
            pieces = units(self.plan, round_)
            for number, (unit, result) in enumerate(crew.searched(pieces)):
                self._fold(result)
                yield from result.judged
                self._count(result)
                yield from self._new(crew, unit, result)
                yield from self._left_out(result)
                yield self._progress(number + 1, pieces)
                if self._out_of_time():
                    return
            round_ += 1
            if self.plan.seconds is None:
                return

    def _fold(self, result: Searched) -> None:
        """Count second-order accusations of what is wrong at first order already with those; one fault, one finding."""
        renamed = {}
        for kind in list(result.accused):
            first = first_order(kind)
            if first is not None and (first in self.kinds or first in result.accused):
                renamed[finding_id(self.plan.subject, kind)] = finding_id(self.plan.subject, first)
                del result.accused[kind]
        result.judged = [
            msgspec.structs.replace(j, finding=renamed.get(j.finding, j.finding)) for j in result.judged
        ]

    def _count(self, result: Searched) -> None:
        self.worst.join(result.worst)
        self.cases += len(result.judged)
        self.judged += sum(
            any(v.oracle == "exact" and v.outcome in ("agrees", "differs", "convention") for v in j.verdicts)
            for j in result.judged
        )

    def _left_out(self, result: Searched) -> Iterator[Failure]:
        for op in sorted(result.given_up - self.given_up):
            self.given_up.add(op)
            yield Failure(
                op, f"the subject hung or died on {PATIENCE} of its cases; the rest of them were left out"
            )

    def _new(self, crew: Inline | Pool, unit: Unit, result: Searched) -> Iterator[Record]:
        for kind, accusation in result.accused.items():
            if kind in self.kinds | self.listed.settled:
                continue
            self.kinds.add(kind)
            try:
                found = crew.found(unit, accusation, result.seen[kind], not self.stop.is_set())
            except KeyboardInterrupt:
                self.stop.set()
                found = crew.found(unit, accusation, result.seen[kind], False)
            yield msgspec.structs.replace(found, known=kind in self.listed.kinds)

    def _out_of_time(self) -> bool:
        return self.plan.seconds is not None and time.monotonic() - self.began > self.plan.seconds

    def _progress(self, done: int, pieces: list[Unit]) -> Progress:
        if self.plan.seconds is not None:
            share = min(1.0, (time.monotonic() - self.began) / self.plan.seconds)
            total = max(self.cases, round(self.cases / max(share, 1e-3)))
        else:
            drawn = sum(u.examples for u in pieces[:done])
            total = round(self.cases * sum(u.examples for u in pieces) / max(1, drawn))
        return Progress(self.cases, total, pieces[done - 1].doing, len(self._every - self.listed.kinds))

    @property
    def _every(self) -> set[Kind]:
        """The kinds of all findings, from the search and from the list."""
        return self.kinds | self.listed.shown

    def footer(self) -> Footer:
        """The counts of the whole run."""
        return Footer(
            self.cases,
            self.judged,
            len(self._every),
            round(time.monotonic() - self.began, 3),
            self.stop.is_set(),
            len(self._every & self.listed.kinds),
            self.listed.stale + self.semantics.stale,
            self.listed.left_out,
            len(self.semantics.asked),
            sum(o.new for o in self.semantics.asked),
            self.semantics.steps,
        )
