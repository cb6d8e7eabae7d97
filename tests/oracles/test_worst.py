"""The worst errors of each op: which element counts, what is left out, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from oracles.answers import Answer
from oracles.comparison import compare
from oracles.judge import Judgement, judge_exactly
from oracles.program import Case
from oracles.records import Accuracy
from oracles.truth import Enclosed, enclose
from oracles.worst import WorstErrors, gradients

from .building import case, right_answer, step, with_gradient


def judgement(given: Case, answer: Answer) -> Judgement:
    """The answer beside the truth."""
    truth = enclose(given)
    assert isinstance(truth, Enclosed)
    named = answer.labelled(given)
    compared = {
        name: compare(enclosure, None if (a := named[name]) is None else a.seen(), given.dtype)
        for name, enclosure in truth.arrays.items()
    }
    return Judgement(given, answer, truth, (judge_exactly(truth, compared, True),), compared=compared)


def exp(*numbers: float, order: Any = 1) -> Case:
    """exp at these numbers."""
    ones = [1.0] * len(numbers)
    seconds = [ones] if order == 2 else []
    return case({"a": np.array(numbers)}, [step("exp", 0)], [ones], order=order, seconds=seconds)


def off_by(given: Case, ulps: float) -> Judgement:
    """The right answer, its last gradient element this many ulps off."""
    answer = right_answer(given)
    gradient = answer.gradients[0]
    assert gradient is not None
    array = gradient.numpy()
    array[-1] += ulps * np.spacing(array[-1])
    return judgement(given, with_gradient(answer, array))


def records(*judgements: Judgement) -> list[Accuracy]:
    """The records of these judgements."""
    worst = WorstErrors()
    for each in judgements:
        worst.add(each)
    return list(worst.records())


@pytest.fixture
def two() -> Iterator[list[Judgement]]:
    """Two cases, the second farther off."""
    return iter([off_by(exp(0.5, 0.25), 1), off_by(exp(0.5, 0.75), 3)])  # type: ignore[return-value]


def test_the_worst_element_is_kept_with_its_case(two: Iterator[Judgement]) -> None:
    """The farthest element of all cases, with argument, place, truth, answer and case."""
    (record,) = records(*two)
    assert (record.op, record.dtype, record.order, record.cases) == ("exp", "float64", 1, 2)
    worst = record.worst
    assert (worst.argument, worst.element, worst.case) == ("gradient of a", 1, exp(0.5, 0.75))
    assert worst.id == worst.case.id
    assert abs(float(worst.ulps) - 3) < 0.6
    assert float(worst.expected) == np.exp(0.75)
    assert float(worst.got) == np.exp(0.75) + 3 * np.spacing(np.exp(0.75))
    assert record.ulps == worst


def test_records_survive_json(two: Iterator[Judgement]) -> None:
    """A record reads back as itself, and its case can be judged again."""
    (record,) = records(*two)
    assert msgspec.json.decode(msgspec.json.encode(record), type=Accuracy) == record


def test_orders_are_apart_and_values_do_not_count() -> None:
    """At order 2 the second-order gradients count, not the first-order ones; an output is no gradient."""
    second = exp(0.5, order=2)
    names = {c.argument for c in gradients(judgement(second, right_answer(second)))}
    assert names == {"second-order gradient of a", "gradient of the cotangent"}
    assert [r.order for r in records(judgement(second, right_answer(second)), off_by(exp(0.5), 1))] == [2, 1]


def test_composed_programs_and_missing_numbers_do_not_count() -> None:
    """Neither a program of two steps nor a nan has an error that belongs to an op."""
    both = case({"a": np.array([0.5])}, [step("exp", 0), step("exp", 1)], [[1.0]])
    assert records(judgement(both, right_answer(both))) == []
    lost = with_gradient(right_answer(exp(0.5)), np.array([np.nan]))
    assert records(judgement(exp(0.5), lost)) == []


def test_a_true_zero_has_no_ulps() -> None:
    """Where the true gradient is 0 an error has budgets alone."""
    given = case({"a": np.array([[1.0, 1.0], [0.0, 1.0]])}, [step("softmax", 0, dim=1)], [[[1, 1], [1, 2]]])
    right = right_answer(given)
    assert right.gradients[0] is not None
    array = right.gradients[0].numpy()
    array[0, 0] = 1e-17
    array[1] = [float(t.mid()) for t in enclose(given).arrays["gradient of a"].truth[2:]]  # type: ignore[union-attr]
    (record,) = records(judgement(given, with_gradient(right, array)))
    assert record.worst.ulps == ""
    assert (record.worst.element, record.worst.got) == (0, "1e-17")
    assert float(record.worst.budgets) > 0
    assert record.ulps is None or record.ulps.element > 1


def test_joining_is_the_same_as_having_seen_all(two: Iterator[Judgement]) -> None:
    """Two gatherings joined give the records of one; of equal errors the first stays."""
    first, second = two
    parts = [WorstErrors(), WorstErrors()]
    parts[0].add(first)
    parts[1].add(second)
    parts[0].join(parts[1])
    assert list(parts[0].records()) == records(first, second)
