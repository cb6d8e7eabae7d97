"""The case of a worst error, judged again."""

from __future__ import annotations

from pathlib import Path

import pytest

from oracles import crew
from oracles.campaign import replay_worst
from oracles.records import Accuracy

from .campaigns import plan, ran


@pytest.fixture(scope="module")
def found() -> list[Accuracy]:
    """The worst errors of a campaign on two ops."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew, "has_pytorch", lambda: False)
        return ran(plan("refgrad", None, ("exp", "mul", "softmax"), 20)).accuracy


def test_a_campaign_ends_with_the_worst_errors(found: list[Accuracy]) -> None:
    """Each op at each order, within the budget, elementwise ops at one element."""
    assert {(r.op, r.order) for r in found} == {(op, n) for op in ("exp", "mul", "softmax") for n in (1, 2)}
    assert all(float(r.worst.budgets) <= 1 for r in found)
    assert all(r.worst.case.inputs[0].numpy().size == 1 for r in found if r.op == "exp")


def test_it_says_the_same_error_again(found: list[Accuracy]) -> None:
    """A worst error replays as the same element with the same error."""
    for record in found:
        again = replay_worst(record.worst, "refgrad")
        assert again.status == "agrees", again
        assert f"{record.worst.argument}[{record.worst.element}] is {record.worst.got}" in again.message


def test_a_subject_that_is_not_there_cannot_run(found: list[Accuracy], tmp_path: Path) -> None:
    """Without a subject nothing is said of the error."""
    assert replay_worst(found[0].worst, tmp_path / "gone.py").status == "could not run"
