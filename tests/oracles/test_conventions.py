"""Conventions: each choice gets the name of the rule that it follows, and PyTorch's own is what the table says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refgrad
from oracles.answers import Answer
from oracles.arrays import Array
from oracles.conventions import PROBES, Probe, conventions, named
from oracles.judge import Bench
from oracles.program import Case
from oracles.records import Convention
from oracles.remote import Remote

from .answering import Answering
from .campaigns import plan, ran
from .mutants import subject_text

NAN, INF = math.nan, math.inf
OPS = tuple(dict.fromkeys(p.op for p in PROBES))


def probe(op: str, at: str = "") -> Probe:
    """The first probe of an op, or the one at this point."""
    return next(p for p in PROBES if p.op == op and at in p.at)


def chosen(subject: str) -> list[Convention]:
    """All records of a subject."""
    with Remote(subject, ops=OPS) as worker:
        return list(conventions(Bench(worker, None), OPS, "float64", lambda: False))


@pytest.mark.parametrize("subject", ["refgrad", "torch"])
def test_the_engine_and_pytorch_choose_what_the_table_says(subject: str) -> None:
    """At every probe the answer is the mark, number for number, and no verdict calls it a fault or a convention."""
    if subject == "torch":
        pytest.importorskip("torch")
    records = chosen(subject)
    assert len(records) == len(PROBES)
    for record in records:
        np.testing.assert_array_equal([float(v) for v in record.got], [float(v) for v in record.expected])
        assert record.name == record.mark
        assert record.outcome in ("agrees", "cannot tell"), record


def test_another_library_s_choices_are_named() -> None:
    """HIPS autograd takes the minimum norm at clamp's bounds and shares a tie along a dimension; both are allowed."""
    pytest.importorskip("autograd")
    found = {(r.op, r.at): r for r in chosen("autograd")}
    clamp = found["clamp", "its lower bound"]
    assert (clamp.name, clamp.mark, clamp.outcome) == ("minimum norm", "right derivative", "convention")
    tied = found["max", "two tied elements, along a dimension"]
    assert (tied.name, tied.mark, tied.outcome) == ("shared evenly", "first of the tied", "convention")
    norm = found["linalg.vector_norm", "zeros"]
    assert (norm.name, norm.mark, norm.outcome) == ("nan", "zero", "differs")
    assert ("relu", "0") not in found


@pytest.mark.parametrize(
    ("slope", "sides", "name"),
    [
        (0.0, (0.0, 1.0), "minimum norm"),
        (1.0, (0.0, 1.0), "right derivative"),
        (0.5, (0.0, 1.0), "halfway"),
        (0.25, (0.0, 1.0), "another slope"),
        (-1.0, (-1.0, 1.0), "left derivative"),
        (0.0, (-1.0, 1.0), "minimum norm"),
        (1.0, (1.0, 3.0), "minimum norm"),
        (-1.0, (-3.0, -1.0), "minimum norm"),
        (NAN, (0.0, 1.0), "nan"),
        (-INF, (0.0, 1.0), "minus infinity"),
    ],
)
def test_a_slope_at_a_kink_has_the_name_of_its_rule(
    slope: float, sides: tuple[float, float], name: str
) -> None:
    """Of several rules that give the same slope, the one that PyTorch states."""
    assert named(probe("relu"), [slope], sides) == name


@pytest.mark.parametrize(
    ("got", "name"),
    [
        ((0.5, 0.0, 0.5), "shared evenly"),
        ((1.0, 0.0, 0.0), "first of the tied"),
        ((0.0, 0.0, 1.0), "last of the tied"),
        ((1.0, 0.0, 1.0), "each in full"),
        ((0.25, 0.0, 0.25), "shared evenly, but not one whole"),
        ((0.25, 0.0, 0.75), "shared unevenly"),
        ((0.0, 0.0, 0.0), "zero"),
        ((0.4, 0.2, 0.4), "not the tied alone"),
        ((NAN, 0.0, NAN), "nan"),
    ],
)
def test_a_tie_has_the_name_of_its_shares(got: tuple[float, ...], name: str) -> None:
    """However the elements at places 0 and 2 share."""
    assert named(probe("amax"), got) == name


def test_the_end_of_a_domain_and_a_tip_have_names() -> None:
    """An infinity with its sign, zero, and nan."""
    assert [named(probe("sqrt"), [v]) for v in (INF, -INF, 0.0, NAN, 7.0)] == [
        *("infinity", "minus infinity", "zero", "nan", "another slope"),
    ]
    assert named(probe("std"), [0.0, -0.0]) == "zero"


def answered(gradients: Any, ops: Sequence[str]) -> list[Convention]:
    """The records of a subject that answers with these gradients to everything."""

    def answer(given: Case) -> Answer:
        made = tuple(None if g is None else Array.of(np.array(g, float)) for g in gradients)
        return Answer((given.cotangents[0],), made)

    return list(conventions(Bench(Answering(answer), None), ops, "float64", lambda: False))  # type: ignore[arg-type]


def test_no_gradient_counts_as_zero_and_one_of_another_size_is_left_out() -> None:
    """None where an array is due is a zero; three numbers where one is due are no choice."""
    assert {r.name for r in answered((None,), ("abs",))} == {"minimum norm"}
    assert not answered(([1.0, 2.0, 3.0],), ("abs",))


def test_only_the_ops_that_are_asked_for_are_probed_until_it_is_stopped() -> None:
    """Nothing of other ops, and nothing once the run is to end."""
    assert {r.op for r in answered(([1.0],), ("relu", "sqrt"))} == {"relu", "sqrt"}
    bench = Bench(Answering(lambda case: Answer((), ())), None)  # type: ignore[arg-type]
    assert not list(conventions(bench, ("relu",), "float64", lambda: True))


def test_a_run_says_what_a_wrongdoer_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relu that passes the gradient at 0 is a convention, in the run's own records, and no finding."""
    monkeypatch.setattr("oracles.crew.has_pytorch", lambda: False)
    file = tmp_path / "subject.py"
    wrong = 'from refgrad.op import REGISTRY\nREGISTRY["relu"].rebind({"x": lambda g, x: g * (x >= 0)})\n'
    file.write_text(subject_text() + wrong)
    found = ran(plan("mutant", file, ("relu", "neg"), 4))
    assert not found.findings
    (record,) = found.conventions
    assert (record.op, record.name, record.mark, record.outcome) == (
        *("relu", "right derivative", "minimum norm", "convention"),
    )


def test_every_kink_of_the_catalogue_is_probed() -> None:
    """An op that declares kinks has a probe."""
    kinked = {name for name, public in refgrad.catalogue().items() if public.facts.kinks}
    assert kinked <= set(OPS)
