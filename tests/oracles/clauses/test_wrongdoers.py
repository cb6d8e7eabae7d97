"""Every wrongdoer breaks exactly the clauses that it declares, and together they break every clause."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import pytest

from oracles.clauses.clause import clauses
from oracles.clauses.holding import hold

from .wrongdoers import EVERY, WRONGDOERS, Wrongdoer
from .wrongdoers_kit import edited, swapped

CLAUSES = clauses()
WITHDRAWN = {name for name, c in CLAUSES.items() if c.withdrawn}
LEFT_OUT: Mapping[str, str] = {}
"""Clauses that no wrongdoer breaks, each with the reason."""


@pytest.fixture(autouse=True)
def _quiet_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bodies on threads may end in an exception where something is broken; the outcome says so."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)


def outcomes(library: str) -> dict[str, str]:
    """The outcome of every clause."""
    judged = importlib.import_module(library)
    return {name: hold(c, judged).outcome for name, c in CLAUSES.items()}


@cache
def before(library: str) -> Mapping[str, str]:
    """The outcome of every clause on a library without a fault."""
    return outcomes(library)


def check(wrongdoer: Wrongdoer) -> None:
    """What a wrongdoer declares is broken within and nothing else, and all is as it was afterwards."""
    right = before(wrongdoer.library)
    with wrongdoer.install():
        wrong = outcomes(wrongdoer.library)
    differing = {name for name in CLAUSES if wrong[name] != right[name]}
    assert differing == wrongdoer.breaks, f"{wrongdoer.wrong}: breaks {' '.join(sorted(differing))}"
    assert {wrong[name] for name in differing} <= {"violated", "errored"}
    assert outcomes(wrongdoer.library) == right


@pytest.mark.parametrize("name", WRONGDOERS)
def test_a_wrongdoer_breaks_what_it_declares(name: str) -> None:
    """Each of the clauses that it declares is violated or errs; every other has the outcome that it has without."""
    check(WRONGDOERS[name])


def test_together_they_break_every_clause() -> None:
    """A clause counts as broken if a library that holds it holds it no more."""
    broken = {c for w in EVERY for c in w.breaks if before(w.library)[c] == "holds"}
    assert set(CLAUSES) - broken - WITHDRAWN == set(LEFT_OUT)


def test_each_is_told_apart() -> None:
    """Names and sentences are unique, and each breaks something that exists."""
    assert len(WRONGDOERS) == len(EVERY) == len({w.wrong for w in EVERY})
    for wrongdoer in EVERY:
        assert wrongdoer.breaks
        assert wrongdoer.breaks <= set(CLAUSES) - WITHDRAWN


def test_a_wrong_declaration_is_noticed() -> None:
    """Too few clauses and too many are refused."""
    honest = WRONGDOERS["abs-swallows-nan"]
    for breaks in (frozenset[str](), honest.breaks | {"BW-1"}):
        with pytest.raises(AssertionError, match="breaks ND-9"):
            check(replace(honest, breaks=breaks))


def half(x: float) -> float:
    """Half of it."""
    return x / 2


def test_an_edit_is_made_and_undone() -> None:
    """Within, the very function does the other thing; a text that is not there is refused."""
    with edited(half, "x / 2", "x / 3")():
        assert half(6.0) == 2.0
    assert half(6.0) == 3.0
    with pytest.raises(AssertionError, match="half says 0 times: x / 4"), edited(half, "x / 4", "x")():
        pass


def test_an_edit_within_a_closure() -> None:
    """What the function closes over stays."""
    factor = 2

    def times(x: int) -> int:
        return x * factor

    with edited(times, "x * factor", "x + factor")():
        assert times(5) == 7
    assert times(5) == 10


def test_a_swap_is_undone() -> None:
    """What was there comes back, and what was not there goes."""
    module = SimpleNamespace(a=1)
    with swapped(module, a=2, b=3)():
        assert (module.a, module.b) == (2, 3)
    assert vars(module) == {"a": 1}
