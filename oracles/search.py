"""Search, then shrink.

A property that raises makes Hypothesis stop soon after its first failure, so the search never raises: it judges every
drawn case, notes what is accused, and goes on. Each kind of accusation is then shrunk in a run of its own, from the
same seed, that raises for that kind alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.strategies import SearchStrategy

from oracles.blame import Accusation, Kind, accuse, finding_id
from oracles.generation.faces import faces_of_pair
from oracles.generation.programs import Sample, alone, cases, composed, pairs
from oracles.judge import Bench, Judgement
from oracles.program import Case, DType
from oracles.records import Judged
from oracles.trim import single_elements
from oracles.truth import Enclosed, Truths, Unknown

POINTS = 2
"""Points judged for each drawn program. Measured, 3 or 4 give 9 or 12 % more cases in the same time, and 27 or 44 %
fewer programs."""
SHRINKING_SECONDS = 20.0
SIMPLER_EXAMPLES = 150
ACCUSATIONS = 12
"""Accusations of one unit that are traced to an op; more of the same are the same."""


@dataclass(frozen=True)
class Unit:
    """One piece of a campaign: an op on one of its faces, or composed programs (no face), from a seed."""

    ops: tuple[str, ...]
    face: str
    examples: int
    seed: int
    dtypes: tuple[DType, ...]

    @property
    def doing(self) -> str:
        """What is being judged, for people."""
        return f"{self.ops[0]}: {self.face}" if self.face else "composed programs"

    def strategy(self, face: str | None = None) -> SearchStrategy[Sample]:
        """What to draw."""
        return alone(self.ops[0], face or self.face) if self.face else composed(self.ops)


@dataclass
class Searched:
    """What a unit found: a record for each case, and the first accusation of each kind with its count.

    `given_up` are ops whose cases were left out because too many before them hung or killed the subject.
    `interrupted` says that a KeyboardInterrupt ended it early.
    """

    judged: list[Judged] = field(default_factory=list)
    accused: dict[Kind, Accusation] = field(default_factory=dict)
    seen: dict[Kind, int] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    interrupted: bool = False


class _Found(Exception):
    """Raised to Hypothesis alone, so that it shrinks."""


def search(unit: Unit, subject: str, bench: Bench, known: set[str], stopped: Callable[[], bool]) -> Searched:
    """Draw and judge `subject`; `known` holds the ids of cases already judged in this campaign, and grows."""
    result = Searched()
    traced = 0

    def look(sample: Sample) -> None:
        for pair in pairs(sample, unit.dtypes, POINTS):
            truth = Truths(pair[-1]).at
            faces = faces_of_pair(*pair)
            for case in pair:
                if stopped():
                    return
                look_at(case, truth, faces[case.order - 1])

    def look_at(case: Case, truth: Callable[[Case], Enclosed | Unknown], faces: tuple[str, ...]) -> None:
        nonlocal traced
        name = case.id
        if name in known:
            return
        known.add(name)
        if lost := bench.given_up(case):
            result.given_up.add(lost)
            return
        judgement = bench.judge(case, truth=truth)
        finding = ""
        if judgement.fault and traced < ACCUSATIONS:
            traced += 1
            accusation = accuse(bench, judgement)
            _note(result, accusation)
            finding = finding_id(subject, accusation.kind)
        result.judged.append(_record(case, name, judgement, faces, finding))

    try:
        _run(unit.strategy(), look, unit.seed, unit.examples, (Phase.generate,))
    except KeyboardInterrupt:
        result.interrupted = True
    return result


def _note(result: Searched, accusation: Accusation) -> None:
    result.accused.setdefault(accusation.kind, accusation)
    result.seen[accusation.kind] = result.seen.get(accusation.kind, 0) + 1


def _record(case: Case, name: str, judgement: Judgement, faces: tuple[str, ...], finding: str) -> Judged:
    return Judged(
        name,
        tuple(s.op for s in case.program.steps),
        case.dtype,
        case.order,
        judgement.elements,
        judgement.verdicts,
        faces,
        finding,
    )


def shrink(unit: Unit, first: Accusation, bench: Bench) -> tuple[Accusation, bool]:
    """The smallest accusation of the same kind that was found, and whether shrinking ran to its end."""
    if first.kind.error.startswith("hung"):
        return first, False
    wanted = first.case
    best, finished = _shrunk(unit.strategy(), unit.seed, unit.examples, first, bench, wanted, POINTS)
    if unit.face and unit.face != "plain":
        plainer, done = _shrunk(unit.strategy("plain"), unit.seed, SIMPLER_EXAMPLES, best, bench, wanted, 1)
        if plainer is not best and size(plainer.case) < size(best.case):
            best, finished = plainer, done
    for smaller in single_elements(best.case):
        accusation = _same(smaller, first.kind, bench)
        if accusation is not None:
            return accusation, finished
    return best, finished


def _same(case: Case, kind: Kind, bench: Bench) -> Accusation | None:
    """The accusation of this kind that a case gives rise to, if it does."""
    judgement = bench.judge(case, witnesses=False)
    if not judgement.fault:
        return None
    accusation = accuse(bench, judgement)
    return accusation if accusation.kind == kind else None


def _shrunk(
    strategy: SearchStrategy[Sample],
    start: int,
    examples: int,
    first: Accusation,
    bench: Bench,
    wanted: Case,
    points: int,
) -> tuple[Accusation, bool]:
    best, began = first, time.monotonic()

    def late() -> bool:
        return time.monotonic() - began > SHRINKING_SECONDS

    def look(sample: Sample) -> None:
        nonlocal best
        if late():
            return
        for case in cases(sample, (wanted.dtype,), points):
            if case.order != wanted.order:
                continue
            accusation = _same(case, first.kind, bench)
            if accusation is not None:
                if size(case) <= size(best.case):
                    best = accusation
                raise _Found

    _run(strategy, look, start, examples, (Phase.generate, Phase.shrink))
    return best, not late()


def size(case: Case) -> tuple[int, int, int, int]:
    """How much there is to read in a case: steps, elements, settings and index items, digits."""
    steps = case.program.steps
    elements = sum(max(1, a.seen().size) for a in case.inputs)
    odd = sum(len(s.settings) + len(s.index) for s in steps)
    odd += sum(i.layout != "contiguous" for i in case.program.inputs)
    return len(steps), elements, odd, sum(len(a.text) for a in (*case.inputs, *case.cotangents))


def _run(
    strategy: SearchStrategy[Sample],
    look: Callable[[Sample], None],
    start: int,
    examples: int,
    phases: Sequence[Phase],
) -> None:
    """Give drawn samples to `look` until they are used up or, where it raises, cannot be made smaller."""
    test = settings(
        max_examples=examples + 1,  # the first is always the simplest, which every face has in common
        phases=phases,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )(seed(start)(given(strategy)(look)))
    try:
        test()
    except _Found:
        pass
    except Exception as error:
        if not type(error).__module__.startswith("hypothesis"):
            raise  # Hypothesis' own complaints (a subject that answers at random) end the run; what was seen is kept
