"""Every op of the catalogue: a formula of it that is wrong by one part in a million is found, and that op is blamed."""

from __future__ import annotations

from pathlib import Path

import pytest

import refgrad
from oracles.campaign import campaign
from oracles.records import Finding
from refgrad.op import Zero

from .campaigns import plan

SUBJECT = """
import functools

import refgrad.op
from oracles.subjects.refgrad import subject


def millionth(formula):
    @functools.wraps(formula)
    def wrong(*given):
        right = formula(*given)
        if isinstance(right, tuple | list):
            return type(right)(None if part is None else part * (1 + 1e-6) for part in right)
        return right * (1 + 1e-6)

    return wrong


op = refgrad.op.REGISTRY[{op!r}]
formulas = dict(op.formulas)
formula = formulas[{argument!r}]
if isinstance(formula, refgrad.op.Joint):
    joint = refgrad.op.Joint(*formula.inputs, formula=millionth(formula.formula))
    op.rebind({{name: joint if said is formula else said for name, said in formulas.items()}})
else:
    op.rebind({{**formulas, {argument!r}: millionth(formula)}})
"""


def formulas(name: str) -> list[tuple[str, str]]:
    """An op and an input with a formula, for the first op that a public function binds and has one."""
    for op in refgrad.catalogue()[name].ops:
        found = [(op.name, k) for k, f in op.formulas.items() if not isinstance(f, Zero)]
        if found:
            return found
    return []


FLAT = {name for name in refgrad.catalogue() if not formulas(name)}
"""Ops whose derivative is zero everywhere: there is no formula to break."""


def test_flat_ops_are_the_steps() -> None:
    """Only the functions that are constant between jumps have no formula."""
    assert {"floor", "ceil", "round", "trunc", "sign"} >= FLAT


@pytest.mark.parametrize("name", [name for name in refgrad.catalogue() if name not in FLAT])
def test_a_millionth_is_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A formula that is off by 1 + 1e-6 is found in a search of the default length, and its op is blamed."""
    monkeypatch.setattr("oracles.crew.has_pytorch", lambda: False)
    op, argument = formulas(name)[0]
    file = tmp_path / "subject.py"
    file.write_text(SUBJECT.format(op=op, argument=argument))
    searching = campaign(plan("millionth", file, (name,), 100))
    found = next((item for item in searching if isinstance(item, Finding)), None)
    searching.close()
    assert found is not None
    assert found.blame == name
    assert len(found.case.program.steps) <= 2
