"""The worst errors of each op's gradients: how far off the answers were that have been judged, and on which input.

An error counts to an op where its program has that step alone. Counted are the gradients, not the value: at order 1
the first-order ones, at order 2 the second-order ones. An array whose elements are at a kink, whose budget is as large
as the answer, or that is missing or not finite has no error to compare; the last are findings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import msgspec

from oracles.answers import Answer
from oracles.comparison import Compared, decimal
from oracles.judge import Bench, Judgement
from oracles.program import Case
from oracles.records import Accuracy, Farthest
from oracles.trim import single_elements
from oracles.truth import Enclosed

Key = tuple[str, str, Literal[1, 2]]
ALIKE = 0.01
"""A budget found on arrays and one found on scalars differ by less than this part; see docs/budgets.md."""
PARTS = {1: ("gradient of",), 2: ("second-order", "gradient of the cotangent")}


@dataclass
class _Row:
    cases: int = 0
    worst: Farthest | None = None
    ulps: Farthest | None = None


class WorstErrors:
    """The worst errors by op, dtype and order, from judgements and from what others have gathered."""

    def __init__(self) -> None:
        self._rows: dict[Key, _Row] = {}

    def add(self, judgement: Judgement) -> None:
        """Count a judgement, if it is of one op alone and there is an error to compare."""
        if len(judgement.case.program.steps) != 1:
            return
        found = list(gradients(judgement))
        if not found:
            return
        row = self._row(judgement.case)
        row.cases += 1
        for compared in found:
            self._look(row, judgement, compared)

    def _row(self, case: Case) -> _Row:
        return self._rows.setdefault((case.program.steps[0].op, case.dtype, case.order), _Row())

    def _look(self, row: _Row, judgement: Judgement, compared: Compared) -> None:
        at = compared.worst
        if row.worst is None or compared.ratios[at] > float(row.worst.budgets):
            row.worst = _farthest(judgement, compared, at)
        truth = judgement.truth.arrays[compared.argument].truth  # type: ignore[union-attr]
        ulps = [0.0 if t.contains(0) else u for t, u in zip(truth, compared.ulps, strict=True)]
        at = max(range(len(ulps)), key=ulps.__getitem__)
        if ulps[at] > (float(row.ulps.ulps) if row.ulps is not None else 0.0):
            row.ulps = _farthest(judgement, compared, at)

    def join(self, other: WorstErrors) -> None:
        """Take over what another has gathered; of equal errors the one seen first stays."""
        for key, theirs in other._rows.items():
            mine = self._rows.setdefault(key, _Row())
            mine.cases += theirs.cases
            if theirs.worst is not None and (
                mine.worst is None or float(theirs.worst.budgets) > float(mine.worst.budgets)
            ):
                mine.worst = theirs.worst
            if theirs.ulps is not None and (
                mine.ulps is None or float(theirs.ulps.ulps) > float(mine.ulps.ulps)
            ):
                mine.ulps = theirs.ulps

    def records(self) -> Iterator[Accuracy]:
        """A record for each op, dtype and order, in the order in which they were first seen."""
        for (op, dtype, order), row in self._rows.items():
            if row.worst is not None:
                yield Accuracy(op, dtype, order, row.cases, row.worst, row.ulps)


def gradients(judgement: Judgement) -> Iterator[Compared]:
    """The gradients of the case's own order whose errors say something."""
    for name, compared in judgement.compared.items():
        if not name.startswith(PARTS[judgement.case.order]) or not compared.ratios:
            continue
        if compared.uninformative or compared.elsewhere or not all(map(math.isfinite, compared.ratios)):
            continue
        yield compared


def _farthest(judgement: Judgement, compared: Compared, at: int) -> Farthest:
    case, name = judgement.case, compared.argument
    assert isinstance(judgement.truth, Enclosed)
    assert isinstance(judgement.answer, Answer)
    truth = judgement.truth.arrays[name].truth[at]
    got = judgement.answer.labelled(case)[name]
    return Farthest(
        case.id,
        case,
        name,
        at,
        decimal(truth),
        "0.0" if got is None else repr(float(got.seen().reshape(-1)[at])),
        repr(compared.ratios[at]),
        "" if truth.contains(0) else repr(compared.ulps[at]),
    )


def trimmed(records: Iterable[Accuracy], bench: Bench, stopped: Callable[[], bool]) -> Iterator[Accuracy]:
    """The records with inputs as short as show the same errors: of an elementwise op, one element."""
    for record in records:
        if stopped():
            yield record
            continue
        worst = _alone(record.worst, bench)
        ulps = _alone(record.ulps, bench) if record.ulps is not None else None
        yield msgspec.structs.replace(record, worst=worst, ulps=ulps)


def _alone(found: Farthest, bench: Bench) -> Farthest:
    """The same error in the case of its element alone, if that shows it as well."""
    for case in islice(single_elements(found.case), found.element, found.element + 1):
        judgement = bench.judge(case, witnesses=False)
        for compared in gradients(judgement):
            if compared.argument == found.argument:
                alone = _farthest(judgement, compared, 0)
                if alone.got == found.got and math.isclose(
                    float(alone.budgets), float(found.budgets), rel_tol=ALIKE
                ):
                    return alone
    return found
