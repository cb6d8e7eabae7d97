"""Search, then shrink.

A property that raises makes Hypothesis stop soon after its first failure, so the search never raises: it judges every
drawn case, notes what is accused, and goes on. Each kind of accusation is then shrunk in a run of its own, from the
same seed, that raises for that kind alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.strategies import SearchStrategy

from oracles.blame import Accusation, Kind, accuse, error, finding_id, told_at_once
from oracles.generation.drawing import STEERED
from oracles.generation.faces import faces_of_pair
from oracles.generation.programs import Sample, alone, cases, composed, pairs
from oracles.judge import Bench, Judgement
from oracles.program import Case, DType
from oracles.records import Judged
from oracles.steering import Climb
from oracles.trim import single_elements, without_a_first_step
from oracles.truth import Enclosed, Truths, Unknown
from oracles.worst import WorstErrors

POINTS = 5
"""Points judged for each drawn program. They are judged together, and drawing is half of what a case costs."""
SHRINKING_SECONDS = 20.0
SIMPLER_EXAMPLES = 150
ACCUSATIONS = 12
"""Accusations of one kind in one unit that are traced by judging steps alone; more of the same are the same."""
MOST_ACCUSATIONS = 10 * ACCUSATIONS
"""Accusations of all kinds in one unit that are so traced: each costs a few cases."""


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

    @property
    def steered(self) -> bool:
        """Whether each draw is led by how far off the earlier ones were."""
        return self.face == STEERED

    @property
    def points(self) -> int:
        """Points judged for each drawn program: where the search climbs, the one that it moves."""
        return 1 if self.steered else POINTS

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What Hypothesis does to find faults; to shrink them comes later."""
        return (Phase.generate, Phase.target) if self.steered else (Phase.generate,)

    def strategy(self) -> SearchStrategy[Sample]:
        """What to draw."""
        return alone(self.ops[0], self.face) if self.face else composed(self.ops)


@dataclass
class Searched:
    """What a unit found: a record for each case, and the first accusation of each kind with its count.

    `traced` counts the accusations that took more than the case to trace to an op.
    `given_up` are ops whose cases were left out because too many before them hung or killed the subject.
    `interrupted` says that a KeyboardInterrupt ended it early.
    """

    judged: list[Judged] = field(default_factory=list)
    accused: dict[Kind, Accusation] = field(default_factory=dict)
    seen: dict[Kind, int] = field(default_factory=dict)
    traced: int = 0
    worst: WorstErrors = field(default_factory=WorstErrors)
    given_up: set[str] = field(default_factory=set)
    interrupted: bool = False


class _Found(Exception):
    """Raised to Hypothesis alone, so that it shrinks."""


def search(unit: Unit, subject: str, bench: Bench, known: set[str], stopped: Callable[[], bool]) -> Searched:
    """Draw and judge `subject`; `known` holds the ids of cases already judged in this campaign, and grows."""
    result = Searched()

    def look(sample: Sample) -> None:
        climb = Climb()
        drawn = list(pairs(sample, unit.dtypes, unit.points))
        for pair, truths in zip(drawn, Truths.together([pair[-1] for pair in drawn]), strict=True):
            truth = truths.at
            faces = faces_of_pair(*pair)
            for case in pair:
                if stopped():
                    return
                judgement = look_at(case, truth, faces[case.order - 1])
                if judgement is not None:
                    climb.add(judgement)
        if unit.steered:
            climb.tell()

    def look_at(
        case: Case, truth: Callable[[Case], Enclosed | Unknown], faces: tuple[str, ...]
    ) -> Judgement | None:
        name, lost = case.id, bench.given_up(case)
        if name in known and (lost or not unit.steered):
            return None
        if name in known:
            return bench.judge(
                case, witnesses=False, truth=truth
            )  # a climb goes on where another unit has been
        known.add(name)
        if lost:
            result.given_up.add(lost)
            return None
        judgement = bench.judge(case, truth=truth)
        finding = ""
        if judgement.fault and not _explained(judgement, result):
            accusation = accuse(bench, judgement)
            _note(result, accusation)
            finding = finding_id(subject, accusation.kind)
        result.judged.append(_record(case, name, judgement, faces, finding))
        result.worst.add(judgement)
        return judgement

    try:
        _run(unit.strategy(), look, unit.seed, unit.examples, unit.phases)
    except KeyboardInterrupt:
        result.interrupted = True
    return result


def _explained(judgement: Judgement, result: Searched) -> bool:
    """Whether to leave a fault untraced: tracing has a price, and its ops have been accused of the like often enough.

    Faults of the walk explain nothing: any program may have one.
    """
    case = judgement.case
    if told_at_once(case):
        return False
    ops = {s.op for s in case.program.steps}
    often = [
        kind for kind, seen in result.seen.items() if seen >= ACCUSATIONS and kind.error == error(judgement)
    ]
    return result.traced >= MOST_ACCUSATIONS or any(kind.blame in ops for kind in often)


def _note(result: Searched, accusation: Accusation) -> None:
    result.accused.setdefault(accusation.kind, accusation)
    result.seen[accusation.kind] = result.seen.get(accusation.kind, 0) + 1
    result.traced += not told_at_once(accusation.case)


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
    best, finished = _shrunk(unit, first, bench)
    if unit.face and unit.face != "plain":
        plain = replace(unit, face="plain", examples=SIMPLER_EXAMPLES)
        plainer, done = _shrunk(plain, best, bench, 1)
        if plainer is not best and size(plainer.case) < size(best.case):
            best, finished = plainer, done
    best = _without_needless_steps(best, bench)
    for smaller in single_elements(best.case):
        accusation = _same(smaller, first.kind, bench)
        if accusation is not None:
            return accusation, finished
    return best, finished


def _without_needless_steps(best: Accusation, bench: Bench) -> Accusation:
    """The same accusation with the blamed step alone, or else without first steps that it does not need."""
    if best.alone is not None and (accusation := _same(best.alone, best.kind, bench)) is not None:
        return accusation
    while True:
        shorter = (_same(case, best.kind, bench) for case in without_a_first_step(best.case))
        found = next((accusation for accusation in shorter if accusation is not None), None)
        if found is None:
            return best
        best = found


def _same(case: Case, kind: Kind, bench: Bench) -> Accusation | None:
    """The accusation of this kind that a case gives rise to, if it does."""
    judgement = bench.judge(case, witnesses=False)
    if not judgement.fault:
        return None
    accusation = accuse(bench, judgement)
    return accusation if accusation.kind == kind else None


def _shrunk(
    unit: Unit, first: Accusation, bench: Bench, points: int | None = None
) -> tuple[Accusation, bool]:
    """The smallest accusation of a kind that the unit's draws lead to, and whether there was time for all of them."""
    best, began, wanted = first, time.monotonic(), first.case
    found = False

    def late() -> bool:
        return time.monotonic() - began > SHRINKING_SECONDS

    def look(sample: Sample) -> None:
        nonlocal best, found
        if late():
            return
        if unit.steered and not found:
            _lead(sample, unit, bench)
        for case in cases(sample, (wanted.dtype,), points or unit.points):
            if case.order != wanted.order:
                continue
            accusation = _same(case, first.kind, bench)
            if accusation is not None:
                found = True
                if size(case) <= size(best.case):
                    best = accusation
                raise _Found

    _run(unit.strategy(), look, unit.seed, unit.examples, (*unit.phases, Phase.shrink))
    return best, not late()


def _lead(sample: Sample, unit: Unit, bench: Bench) -> None:
    """Climb as the search did, so that the same draws follow."""
    climb = Climb()
    for case in cases(sample, unit.dtypes, unit.points):
        if case.order == 1 and not bench.given_up(case):
            climb.add(bench.judge(case, witnesses=False))
    climb.tell()


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
