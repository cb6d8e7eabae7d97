"""What a run comes to: the counts, rows and sentences that every page, table and exit code is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from oracles.records import Finding, Judged, Known, Outcome, Status, Verdict
from reports.numbers import ZERO, badness
from reports.semantics import Chapter, chapter, sentence
from reports.stream import Run
from reports.text import line, listed, number

TRUTH = "exact"
COMPOSED = "composed programs"
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
JUDGED: frozenset[Outcome] = frozenset({"agrees", "differs", "convention"})
REASONS_SHOWN = 10
PLAIN = "plain"
"""The face that every case has, which no case records."""

T = TypeVar("T", str, int)
Conclusion = Literal["agrees", "known", "stale", "differs", "nothing judged"]
"""What a run comes to.

agrees          nothing was found
known           all that was found is on the subject's list of known failures, and the list holds
stale           nothing new was found, but an entry of the list does not fail as listed
differs         something was found that is not on the list
nothing judged  nothing can be said
"""
STATUSES: tuple[Status, ...] = ("healed", "changed", "not reached", "fails as listed")
"""What may become of an entry of the list: what fails the run comes first."""


@dataclass(frozen=True)
class Worst:
    """The largest error that one oracle saw, and the case that showed it."""

    ratio: str
    ulps: str
    case: str
    dtype: str
    order: int


@dataclass(frozen=True)
class Cell:
    """What one oracle said of some cases: how often each outcome, and the worst error it compared."""

    oracle: str
    outcomes: dict[Outcome, int]
    worst: Worst | None

    @property
    def compared(self) -> int:
        """The cases where this oracle had an answer to compare with."""
        return sum(self.outcomes.get(outcome, 0) for outcome in JUDGED)


@dataclass(frozen=True)
class Row:
    """The cases of one op alone, or of all composed programs, and the findings that blame it."""

    name: str
    cases: int
    elements: int
    cells: tuple[Cell, ...]
    faces: tuple[tuple[str, int], ...]
    unvisited: tuple[str, ...]
    dtypes: tuple[tuple[str, int], ...]
    orders: tuple[tuple[int, int], ...]
    findings: tuple[str, ...]


@dataclass(frozen=True)
class Reason:
    """Why cases were not compared, and for how many by each oracle, in the order of the totals."""

    outcome: Outcome
    text: str
    cases: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """A run in numbers.

    `findings` are sorted, those that are not known first and of these the gravest, and `rows` follow them. `new` are
    those that are not known. `listed` is the list of known failures, `stale` those of it that fail the run.
    """

    run: Run
    conclusion: Conclusion
    sentence: str
    notices: tuple[str, ...]
    cases: int
    judged: int
    elements: int
    findings: tuple[Finding, ...]
    new: tuple[Finding, ...]
    listed: tuple[Known, ...]
    stale: tuple[Known, ...]
    totals: tuple[Cell, ...]
    rows: tuple[Row, ...]
    ops_alone: int
    reasons: tuple[Reason, ...]
    dtypes: tuple[tuple[str, int], ...]
    orders: tuple[tuple[int, int], ...]
    unsupported: tuple[tuple[str, str], ...]
    unreached: tuple[str, ...]
    chapter: Chapter


def summarize(run: Run) -> Summary:
    """Count a run. The same records give the same summary, whatever their order of arrival means for time."""
    oracles = _oracles(run)
    findings = tuple(sorted(run.findings, key=severity))
    rows = _rows(run.cases, findings, oracles, run.header.faces)
    totals = tuple(_cell(oracle, run.cases) for oracle in oracles)
    judged = _judged(totals)
    unproven = 0 if findings else sum(c.outcomes.get("differs", 0) for c in totals if c.oracle == TRUTH)
    new = tuple(finding for finding in findings if not finding.known)
    listed = tuple(sorted(run.known, key=lambda known: (STATUSES.index(known.status), known.id)))
    stale = tuple(known for known in listed if known.status != "fails as listed")
    clauses = chapter(run.clauses, run.histories, run.footer.steps if run.footer else 0)
    outdated = run.footer is not None and run.footer.stale > len(stale) + len(clauses.stale)
    conclusion = _conclusion(
        bool(new or unproven or clauses.new or clauses.new_histories),
        bool(stale or clauses.stale or outdated),
        judged + clauses.judged,
        bool(findings or clauses.listed or clauses.histories),
    )
    reached = {op for case in run.cases for op in case.ops}
    return Summary(
        run=run,
        conclusion=conclusion,
        sentence=" ".join(_sentences(conclusion, run, findings, stale, judged, unproven, clauses)),
        notices=_notices(run),
        cases=len(run.cases),
        judged=judged,
        elements=sum(case.elements for case in run.cases),
        findings=findings,
        new=new,
        listed=listed,
        stale=stale,
        totals=totals,
        rows=rows,
        ops_alone=sum(row.name != COMPOSED and _judged(row.cells) > 0 for row in rows),
        reasons=tuple(_reasons(run.cases, oracles)),
        dtypes=_counted(case.dtype for case in run.cases),
        orders=_counted(case.order for case in run.cases),
        unsupported=tuple(sorted(run.header.unsupported.items())),
        unreached=tuple(sorted(set(run.header.ops) - reached - set(run.header.unsupported)))
        if run.cases
        else (),
        chapter=clauses,
    )


def _conclusion(new: bool, stale: bool, judged: int, found: bool) -> Conclusion:
    if new:
        return "differs"
    if stale:
        return "stale"
    if not judged:
        return "nothing judged"
    return "known" if found else "agrees"


def _judged(cells: tuple[Cell, ...]) -> int:
    return sum(cell.compared for cell in cells if cell.oracle == TRUTH)


LOUD = ("raises", "died", "hung")


def severity(finding: Finding) -> tuple[object, ...]:
    """A key that puts the gravest finding first: new before known, silent before loud, the larger error, then by id."""
    exact = [v.ratio for v in finding.verdicts if v.oracle == TRUTH and v.ratio]
    ratios = exact or [v.ratio for v in finding.verdicts if v.ratio]
    kind, size = max((badness(r) for r in ratios), default=(0, ZERO))
    return (finding.known, finding.error.startswith(LOUD), -kind, -size, -finding.seen, finding.id)


def _oracles(run: Run) -> tuple[str, ...]:
    seen = {v.oracle for case in run.cases for v in case.verdicts}
    seen |= {v.oracle for finding in run.findings for v in finding.verdicts}
    return (*run.header.oracles, *sorted(seen - set(run.header.oracles)))


def _counted(values: Iterable[T]) -> tuple[tuple[T, int], ...]:
    return tuple(sorted(Counter(values).items()))


def _rows(
    cases: tuple[Judged, ...],
    findings: tuple[Finding, ...],
    oracles: tuple[str, ...],
    faces: dict[str, tuple[str, ...]],
) -> tuple[Row, ...]:
    by_name: dict[str, list[Judged]] = {}
    for case in cases:
        by_name.setdefault(case.ops[0] if len(case.ops) == 1 else COMPOSED, []).append(case)
    for finding in findings:
        by_name.setdefault(row_of(finding), [])
    rows = (_row(name, named, findings, oracles, faces.get(name, ())) for name, named in by_name.items())
    gravity = {finding.id: at for at, finding in enumerate(findings)}
    worst = len(findings)

    def place(row: Row) -> tuple[int, bool, str]:
        return (min((gravity[name] for name in row.findings), default=worst), row.name == COMPOSED, row.name)

    return tuple(sorted(rows, key=place))


def row_of(finding: Finding) -> str:
    """The name of the row that a finding belongs to: the blamed op's, or that of the composed programs."""
    return COMPOSED if finding.blame == "walk" else finding.blame


def _row(
    name: str,
    cases: list[Judged],
    findings: tuple[Finding, ...],
    oracles: tuple[str, ...],
    planned: tuple[str, ...],
) -> Row:
    seen = {face for case in cases for face in case.faces} | {PLAIN}
    shown_by = {case.finding for case in cases if case.finding}
    return Row(
        name=name,
        cases=len(cases),
        elements=sum(case.elements for case in cases),
        cells=tuple(_cell(oracle, cases) for oracle in oracles),
        faces=_counted(face for case in cases for face in case.faces),
        unvisited=tuple(face for face in planned if face not in seen),
        dtypes=_counted(case.dtype for case in cases),
        orders=_counted(case.order for case in cases),
        findings=tuple(f.id for f in findings if row_of(f) == name or f.id in shown_by),
    )


def _cell(oracle: str, cases: Iterable[Judged]) -> Cell:
    said = [(case, v) for case in cases for v in case.verdicts if v.oracle == oracle]
    counts = Counter(v.outcome for _, v in said)
    # At a kink the distance from the contract's choice says nothing, so a convention has no error.
    compared = [(case, v) for case, v in said if v.outcome in ("agrees", "differs") and v.ratio]
    worst = max(compared, key=lambda pair: badness(pair[1].ratio), default=None)
    return Cell(oracle, {o: counts[o] for o in OUTCOMES if counts[o]}, _worst(*worst) if worst else None)


def _worst(case: Judged, verdict: Verdict) -> Worst:
    return Worst(verdict.ratio, verdict.ulps, case.id, case.dtype, case.order)


def _reasons(cases: tuple[Judged, ...], oracles: tuple[str, ...]) -> Iterator[Reason]:
    """The reasons of each outcome, the commonest first; past `REASONS_SHOWN` one line for the rest."""
    counts: dict[Outcome, dict[str, Counter[str]]] = {}
    for case in cases:
        for v in case.verdicts:
            if v.outcome not in ("agrees", "differs"):
                text = line(v.reason) or "no reason given"
                counts.setdefault(v.outcome, {}).setdefault(text, Counter())[v.oracle] += 1
    for outcome in OUTCOMES:
        found = counts.get(outcome, {})
        ranked = sorted(found, key=lambda text: (-max(found[text].values()), text))
        for text in ranked[:REASONS_SHOWN]:
            yield Reason(outcome, text, tuple(found[text][oracle] for oracle in oracles))
        if rest := ranked[REASONS_SHOWN:]:
            total = sum((found[text] for text in rest), Counter[str]())
            yield Reason(outcome, f"{len(rest)} other reasons", tuple(total[oracle] for oracle in oracles))


def _sentences(
    conclusion: Conclusion,
    run: Run,
    findings: tuple[Finding, ...],
    stale: tuple[Known, ...],
    judged: int,
    unproven: int,
    clauses: Chapter,
) -> Iterator[str]:
    """What is to be said of the subject, and then of the list of its known failures if that is out of date."""
    new = unproven or any(not finding.known for finding in findings)
    if run.cases or not clauses.judged:
        of_gradients = conclusion
        if conclusion == "differs" and not new:  # it is the clauses that differ
            of_gradients = "known" if findings else "agrees" if judged else "nothing judged"
        if conclusion == "known" and not findings:
            of_gradients = "agrees"
        if of_gradients != "stale":
            yield _sentence(of_gradients, run, findings, judged, unproven)
        else:
            yield _known_only(line(run.header.subject, 80), findings)
    if clauses.clauses:
        yield sentence(clauses, "It" if run.cases else line(run.header.subject, 80))
    if clauses.stale:
        yield f"Its list of clauses is out of date: {listed(c.id + ' ' + c.status for c in clauses.stale)}."
    if stale:
        counts = Counter(known.status for known in stale)
        said = listed(f"{counts[status]:,} {status}" for status in STATUSES if counts[status])
        yield f"Its list of known failures is out of date: {said}."


def _known_only(subject: str, findings: tuple[Finding, ...]) -> str:
    if not findings:
        return f"No new fault was found in {subject}."
    return f"{subject} has {number(len(findings), 'known fault')} and no new one."


def _sentence(
    conclusion: Conclusion, run: Run, findings: tuple[Finding, ...], judged: int, unproven: int
) -> str:
    subject, cases = line(run.header.subject, 80), number(len(run.cases), "case")
    if conclusion == "agrees":
        return (
            f"{subject} agrees with the enclosed truth in every one of the {number(judged, 'case')} judged."
        )
    if conclusion == "known":
        return _known_only(subject, findings)
    if conclusion == "nothing judged":
        return (
            f"Nothing can be said of {subject}: none of {cases} could be judged against the enclosed truth."
        )
    if unproven:
        return (
            f"{subject} differs from the enclosed truth in {number(unproven, 'case')} of {len(run.cases):,}."
        )
    new = tuple(finding for finding in findings if not finding.known)
    where = listed(_blamed(new))
    if run.known:
        beside = number(len(findings) - len(new), "known one")
        return f"{subject} is wrong: {number(len(new), 'new fault')} in {where} beside {beside}, found in {cases}."
    return f"{subject} is wrong: {number(len(new), 'distinct fault')} in {where}, found in {cases}."


def _blamed(findings: tuple[Finding, ...]) -> list[str]:
    """The ops to blame, by name while they are few, and the walk."""
    ops = sorted({line(f.blame, 40) for f in findings if f.blame != "walk"})
    walk = ["the backward walk"] * any(f.blame == "walk" for f in findings)
    return (ops if len(ops) <= 3 else [f"{len(ops)} ops"]) + walk


def _notices(run: Run) -> tuple[str, ...]:
    notices = list(run.problems)
    if run.footer is not None and run.footer.interrupted:
        notices.append(
            "The run was interrupted: what was found until then is shown, the rest was not searched."
        )
    unshrunk = sum(not finding.shrunk for finding in run.findings)
    if unshrunk:
        were = number(unshrunk, "finding was", "findings were")
        notices.append(f"{were} not shrunk: the programs may be larger than needed.")
    if run.failures:
        notices.append(f"{number(len(run.failures), 'failure')} kept part of the run from being judged.")
    differing = sum(
        any(v.oracle == TRUTH and v.outcome == "differs" for v in case.verdicts) for case in run.cases
    )
    if differing and not run.findings:
        notices.append(
            f"{number(differing, 'case differs', 'cases differ')} but no finding was written for it."
        )
    return tuple(notices)
