"""From an accusation to a finding: everything that a stranger needs to see the fault and to make it happen again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from oracles.answers import Answer, Check, Errored, expected_forms
from oracles.arrays import Array
from oracles.blame import WALK, Accusation, finding_id
from oracles.comparison import compare, decimal, ulp
from oracles.judge import Bench, Judgement
from oracles.program import Case
from oracles.records import Comparison, Finding, Plot
from oracles.truth import Enclosed, enclose

PLOTTED = 41
"""Points in a plot of error against one input element."""


def finding(
    bench: Bench, accusation: Accusation, subject: str, command: str, shrunk: bool, seen: int
) -> Finding:
    """The record of one distinct fault, with its evidence from every oracle."""
    judgement = bench.judge(accusation.case)
    kind, case, answer = accusation.kind, judgement.case, judgement.answer
    name = finding_id(subject, kind)
    comparisons = _comparisons(judgement)
    errored = answer if isinstance(answer, Errored) else None
    message = _sentence(accusation, judgement, comparisons)
    return Finding(
        id=name,
        subject=subject,
        blame=kind.blame,
        argument=kind.argument,
        error=kind.error,
        message=message,
        case=case,
        step=accusation.step,
        program=bench.subject.code(case),
        script=bench.subject.script(case, _checks(judgement), message, errored.type if errored else ""),
        command=f"refgrad replay {name}" if not command else command.format(id=name),
        verdicts=judgement.verdicts,
        comparisons=comparisons,
        plot=_plot(bench, judgement),
        traceback=errored.traceback if errored else "",
        captured=getattr(answer, "captured", ""),
        shrunk=shrunk,
        seen=seen,
    )


def _sentence(accusation: Accusation, judgement: Judgement, comparisons: Sequence[Comparison]) -> str:
    kind = accusation.kind
    if not judgement.fault:
        return f"{kind.blame}: {kind.error}, but not every time: {accusation.message}"
    where = f"{kind.argument} of {kind.blame}" if kind.argument else kind.blame
    if kind.blame == WALK:
        where = "bringing gradients together (each op is right alone)"
    shown = next(
        (c for c in comparisons if c.argument == judgement.argument and c.expected and c.got is not None),
        None,
    )
    if shown is None or kind.error.startswith(("wrong dtype", "wrong shape")):
        return f"{where}: {kind.error}: {judgement.message}"
    got = shown.got.numpy().reshape(-1)[shown.worst].item() if shown.got is not None else None
    return f"{where}: {kind.error}: {shown.argument}, expected {_short(shown.expected[shown.worst])}, got {got!r}"


def _short(text: str) -> str:
    return repr(float(text))


def _comparisons(judgement: Judgement) -> tuple[Comparison, ...]:
    answer, truth = judgement.answer, judgement.truth
    if not isinstance(answer, Answer):
        return ()
    others = judgement.peer.labelled(judgement.case) if judgement.peer is not None else {}
    return (
        tuple(
            _comparison(name, got, judgement, others.get(name))
            for name, got in answer.labelled(judgement.case).items()
        )
        if isinstance(truth, Enclosed)
        else tuple(
            Comparison(name, () if got is None else got.shape, got)
            for name, got in answer.labelled(judgement.case).items()
        )
    )


def _comparison(name: str, got: Array | None, judgement: Judgement, other: Array | None) -> Comparison:
    assert isinstance(judgement.truth, Enclosed)
    enclosure = judgement.truth.arrays[name]
    compared = judgement.compared.get(name)
    return Comparison(
        argument=name,
        shape=enclosure.shape,
        got=got,
        expected=tuple(decimal(t) for t in enclosure.truth),
        radius=tuple(str(t.rad().str(3, radius=False)) for t in enclosure.truth),
        budget=tuple(repr(b) for b in enclosure.budget),
        error_ulps=tuple(f"{u:.4g}" for u in compared.ulps) if compared else (),
        error_budgets=tuple(f"{r:.4g}" for r in compared.ratios) if compared else (),
        worst=compared.worst if compared else 0,
        others={"pytorch": other} if other is not None else {},
    )


def _checks(judgement: Judgement) -> tuple[Check, ...]:
    """What the script compares: every element with its truth and budget, every gradient's shape and dtype."""
    if not isinstance(judgement.truth, Enclosed):
        return ()
    forms = expected_forms(judgement.case)
    return tuple(
        Check(name, tuple(decimal(t, 40) for t in e.truth), tuple(repr(b) for b in e.budget), *forms[name])
        for name, e in judgement.truth.arrays.items()
    )


def _plot(bench: Bench, judgement: Judgement) -> Plot | None:
    """The error of the worst element while the input element that it belongs to runs through a range."""
    case = judgement.case
    if judgement.argument not in judgement.compared or not judgement.argument.startswith(
        ("gradient of ", "second-order")
    ):
        return None
    name = judgement.argument.rpartition("gradient of ")[2]
    number = next((n for n, i in enumerate(case.program.inputs) if i.name == name), None)
    if number is None:
        return None
    worst = judgement.compared[judgement.argument].worst
    start = case.inputs[number].numpy()
    if not start.size:
        return None
    centre = float(start.reshape(-1)[worst])
    width = 2.0 * max(abs(centre), 0.5)
    xs, errors, budgets = [], [], []
    for x in np.linspace(centre - width, centre + width, PLOTTED):
        point = _plotted(bench, _moved(case, number, worst, float(x)), judgement.argument, worst)
        if point is not None:
            xs.append(repr(float(x)))
            errors.append(f"{point[0]:.4g}")
            budgets.append(f"{point[1]:.4g}")
    return Plot(name, worst, tuple(xs), tuple(errors), tuple(budgets)) if len(xs) > 2 else None


def _moved(case: Case, number: int, element: int, x: float) -> Case:
    array = case.inputs[number].numpy()
    array.reshape(-1)[element] = x
    inputs = tuple(Array.of(array) if n == number else a for n, a in enumerate(case.inputs))
    return msgspec.structs.replace(case, inputs=inputs)


def _plotted(bench: Bench, case: Case, argument: str, element: int) -> tuple[float, float] | None:
    truth = enclose(case)
    answer: Any = bench.subject.judge(case, laws=False) if isinstance(truth, Enclosed) else None
    if not isinstance(answer, Answer) or not isinstance(truth, Enclosed):
        return None
    got = answer.labelled(case).get(argument)
    enclosure = truth.arrays[argument]
    if got is None or got.shape != enclosure.shape:
        return None
    compared = compare(enclosure, got.numpy(), case.dtype)
    error = compared.ulps[element]
    unit = ulp(float(enclosure.truth[element].mid()), case.dtype)
    return (error, enclosure.budget[element] / unit) if math.isfinite(error) else None
