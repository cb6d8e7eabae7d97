"""How a finding's error grows and shrinks while the input element that it belongs to is varied."""

from __future__ import annotations

import msgspec
import numpy as np

from oracles.answers import Answer
from oracles.arrays import Array
from oracles.comparison import compare, ulp
from oracles.judge import Bench, Judgement
from oracles.program import Case
from oracles.records import Plot
from oracles.truth import Enclosed, enclose

FACTORS = np.geomspace(0.01, 100.0, 41)
"""What the element is multiplied by: it keeps its sign, and so nearly always its domain."""
AROUND_ZERO = np.linspace(-1.0, 1.0, 41)


def plot(bench: Bench, judgement: Judgement) -> Plot | None:
    """Error and budget of the worst element, in ulps, against its own input element; None where it has none."""
    case, argument = judgement.case, judgement.argument
    if argument not in judgement.compared or not argument.startswith(("gradient of ", "second-order")):
        return None
    name = argument.rpartition("gradient of ")[2]
    number = next((n for n, i in enumerate(case.program.inputs) if i.name == name), None)
    if number is None or not case.inputs[number].numpy().size:
        return None
    worst = judgement.compared[argument].worst
    centre = float(case.inputs[number].numpy().reshape(-1)[worst])
    points = [
        (repr(float(x)), *sample)
        for x in (centre * FACTORS if centre else AROUND_ZERO)
        if (sample := _sample(bench, _moved(case, number, worst, float(x)), argument, worst)) is not None
    ]
    if len(points) < 3:
        return None
    xs, errors, budgets = zip(*points, strict=True)
    return Plot(name, worst, xs, errors, budgets)


def _moved(case: Case, number: int, element: int, x: float) -> Case:
    array = case.inputs[number].numpy()
    array.reshape(-1)[element] = x
    inputs = tuple(Array.of(array) if n == number else a for n, a in enumerate(case.inputs))
    return msgspec.structs.replace(case, inputs=inputs)


def _sample(bench: Bench, case: Case, argument: str, element: int) -> tuple[str, str] | None:
    """The error and the budget in ulps, as text; None where one of them does not exist."""
    truth = enclose(case)
    if not isinstance(truth, Enclosed):
        return None
    answer = bench.subject.judge(case, laws=False)
    got = answer.labelled(case).get(argument) if isinstance(answer, Answer) else None
    enclosure = truth.arrays[argument]
    if got is None or got.shape != enclosure.shape:
        return None
    values = got.numpy()
    error = compare(enclosure, values, case.dtype).ulps[element]
    unit = ulp(float(enclosure.truth[element].mid()), case.dtype)
    lost = np.isnan(values.reshape(-1)[element])
    return "nan" if lost else f"{error:.4g}", f"{enclosure.budget[element] / unit:.4g}"
