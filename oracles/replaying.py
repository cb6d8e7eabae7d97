"""A finding, or the case of a worst error, judged again by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from oracles.blame import accuse
from oracles.judge import Bench, Judgement
from oracles.program import Case
from oracles.records import Farthest, Finding
from oracles.remote import Remote
from oracles.subjects.protocol import SubjectError
from oracles.worst import WorstErrors


@dataclass(frozen=True)
class Replayed:
    """What became of a finding, or of a case that was within its budget ("agrees")."""

    status: Literal["fixed", "agrees", "failed", "could not run"]
    message: str


@contextmanager
def _bench(case: Case, where: str | Path) -> Iterator[Bench]:
    with Remote(where, ops=tuple({s.op for s in case.program.steps})) as subject:
        yield Bench(subject, None)


def replay(found: Finding, subject_file: Path | None = None) -> Replayed:
    """Judge a finding's case again."""
    where: str | Path = subject_file if subject_file is not None else found.subject
    try:
        with _bench(found.case, where) as bench:
            judgement = bench.judge(found.case, witnesses=False)
            if judgement.fault:
                kind = accuse(bench, judgement).kind
                same = (kind.blame, kind.argument, kind.error) == (found.blame, found.argument, found.error)
                other = (
                    "" if same else f" (now {kind.error} in {kind.blame}, argument {kind.argument or 'none'})"
                )
                return Replayed("failed", f"{judgement.message}{other}")
    except SubjectError as error:
        return Replayed("could not run", str(error))
    if unjudged := _unjudged(judgement):
        return Replayed("could not run", unjudged)
    return Replayed("fixed", "the subject's answer is now within its budget")


def replay_worst(found: Farthest, subject: str | Path) -> Replayed:
    """Judge the case of a worst error again, and say how far off it is now."""
    try:
        with _bench(found.case, subject) as bench:
            judgement = bench.judge(found.case, witnesses=False)
    except SubjectError as error:
        return Replayed("could not run", str(error))
    if judgement.fault:
        return Replayed("failed", judgement.message)
    if unjudged := _unjudged(judgement):
        return Replayed("could not run", unjudged)
    seen = WorstErrors()
    seen.add(judgement)
    for record in seen.records():
        now = record.worst
        ulps = f" and {float(now.ulps):.3g} ulps" if now.ulps else ""
        off = f"{now.argument}[{now.element}] is {now.got}, the truth {now.expected}"
        return Replayed("agrees", f"{off}: {float(now.budgets):.3g} budgets{ulps} off")
    return Replayed("could not run", "no gradient of it has an error to compare")


def _unjudged(judgement: Judgement) -> str:
    """Why the exact oracle says nothing, if it does not."""
    exact = next(v for v in judgement.verdicts if v.oracle == "exact")
    return "" if exact.outcome in ("agrees", "convention") else f"{exact.outcome}: {exact.reason}"
