"""The table of worst errors: for each op and dtype the case that was farthest off, worst first."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from oracles.records import Accuracy, Farthest, Header
from reports import evidence
from reports.numbers import badness
from reports.text import line

SHOWN = 20
"""Rows that stand in the open; the rest is folded."""

ROLES = {"input": "", "cotangent of": "cotangent of ", "weight of the gradient of": "weight of "}


@dataclass(frozen=True)
class Line:
    """One op at one dtype: its worst element at whichever order, the most ulps, and what the case was given."""

    op: str
    dtype: str
    order: int
    cases: int
    worst: Farthest
    ulps: Farthest | None
    given: str

    @property
    def wrong(self) -> bool:
        """Whether the error is outside the budget."""
        return badness(self.worst.budgets) > badness("1")


def lines(records: tuple[Accuracy, ...]) -> tuple[Line, ...]:
    """A line for each op and dtype, the worst in budgets first."""
    together: dict[tuple[str, str], list[Accuracy]] = {}
    for record in records:
        together.setdefault((record.op, record.dtype), []).append(record)
    found = [_line(several) for several in together.values()]
    return tuple(sorted(found, key=lambda row: (*_descending(row.worst.budgets), row.op, row.dtype)))


def _line(records: list[Accuracy]) -> Line:
    leading = max(records, key=lambda record: badness(record.worst.budgets))
    most = max((r.ulps for r in records if r.ulps), key=lambda f: badness(f.ulps), default=None)
    count = sum(record.cases for record in records)
    return Line(
        leading.op,
        leading.dtype,
        leading.order,
        count,
        leading.worst,
        most,
        given_text(leading.worst),
    )


def command(header: Header) -> str:
    """What judges the case of a line again, its id aside."""
    file = f" --subject-file {shlex.quote(header.subject_file)}" if header.subject_file else ""
    return f"refgrad replay{file}"


def _descending(text: str) -> tuple[object, ...]:
    kind, size = badness(text)
    return -kind, -size


def given_text(found: Farthest) -> str:
    """The step and its arrays on one line: `exp(a); a = [0.5]; cotangent of t0 = [1.0]`."""
    case = found.case
    parts = [evidence.call(case.program, 0)] if case.program.steps else []
    for given in evidence.given(case):
        parts.append(f"{ROLES.get(given.role, given.role)}{given.name} = {given.values}")
    return line("; ".join(parts), 400)
