"""Every op of the catalogue has what each judge needs; for one that has not, the message says what to write where."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import refgrad
from oracles.budget.accuracy import CLASSES
from oracles.budget.blocks import BLOCKS
from oracles.budget.forms import FORMS
from oracles.exact.lowering import FUNCTIONS, LoweringError, derive
from oracles.exact.structure import STRUCTURE
from oracles.generation.faces import SEEN, faces_of_op
from oracles.generation.steps import DRAWERS
from oracles.program import Step
from oracles.subjects import load

OPS = tuple(refgrad.catalogue())


def missing(op: str, public: Any) -> list[str]:
    """What an op lacks for the judges, each as the line to write and its place."""
    found = []
    meaning = public.facts.meaning
    if meaning is None and op not in STRUCTURE:
        found.append(
            f"{op}: give its declaration Facts(meaning), or add it to STRUCTURE in oracles/exact/structure.py"
        )
    if not isinstance(meaning, str) and op not in DRAWERS:
        found.append(f"{op}: add a function to DRAWERS in oracles/generation/steps.py")
    if isinstance(meaning, str) and op not in CLASSES and not _lowered(public):
        found.append(
            f"{op}: lower its functions in oracles/exact/lowering.py, or give it a class in oracles/budget/accuracy.py"
        )
    if op in FORMS and set().union(*FORMS[op]) - set(public.inputs):
        found.append(f"{op}: oracles/budget/forms.py names inputs that it does not have")
    return found


def _lowered(public: Any) -> bool:
    fixed = {k: v for k, v in public.settings.items() if isinstance(v, int | float)}
    try:
        derive(public.facts.meaning, tuple(public.inputs), tuple(sorted(fixed.items())))
    except LoweringError:
        return False
    return True


@pytest.mark.parametrize("op", OPS)
def test_an_op_is_complete(op: str) -> None:
    """The op has a meaning or a structure, a way to be drawn, and a budget."""
    assert missing(op, refgrad.catalogue()[op]) == []


@pytest.mark.parametrize("op", OPS)
def test_an_op_has_faces_and_subjects_know_it(op: str) -> None:
    """The op has several faces, each with a predicate, and the engine as a subject offers it."""
    faces = faces_of_op(op, refgrad.catalogue()[op])
    assert faces[0] == "plain"
    assert len(faces) >= 5
    assert set(faces) <= set(SEEN)
    assert load("refgrad").supports(Step(op, ())) == ""


def fake(meaning: Any, inputs: tuple[str, ...] = ("x",)) -> Any:
    """A public op that nobody has."""
    facts = SimpleNamespace(meaning=meaning, domain={}, kinks={})
    return SimpleNamespace(name="fake", inputs=inputs, settings={}, facts=facts)


@pytest.mark.parametrize(
    ("public", "places"),
    [
        (fake(None), ["oracles/exact/structure.py", "oracles/generation/steps.py"]),
        (fake(lambda x: x), ["oracles/generation/steps.py"]),
        (fake("zeta(x)"), ["oracles/exact/lowering.py"]),
        (fake("exp(x)*tanh(x)"), []),
    ],
)
def test_what_is_missing_is_said(public: Any, places: list[str]) -> None:
    """An op without a meaning, a drawer or a lowering is told which line is missing, and in which file."""
    said = missing("fake", public)
    assert len(said) == len(places)
    assert all(place in text for place, text in zip(places, said, strict=True))


def test_a_form_of_an_input_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A form over a name that the op does not have is found."""
    monkeypatch.setitem(FORMS, "fake", ({"z": "y"},))
    assert any("oracles/budget/forms.py" in text for text in missing("fake", fake("exp(x)")))


def test_no_table_names_an_op_that_is_gone() -> None:
    """Tables beside the catalogue name its ops, or elementary functions that meanings may use."""
    for table in (STRUCTURE, DRAWERS, BLOCKS):
        assert set(table) <= set(OPS)
    elementary = {name.lower() for name in FUNCTIONS}
    assert set(FORMS) | set(CLASSES) <= set(OPS) | elementary
