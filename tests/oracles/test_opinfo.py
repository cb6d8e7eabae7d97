"""PyTorch's own samples of every op of the catalogue, called as a user calls them and judged by enclosed truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402
from refgrad.op import REGISTRY, evaluated, replaced  # noqa: E402
from refgrad.public import FUNCTIONS  # noqa: E402

from .mutants import detached  # noqa: E402
from .opinfo import Entry, entries, op_db  # noqa: E402
from .opinfo_walk import walk  # noqa: E402

ENTRIES = {entry.id: entry for entry in entries()}
REFUSED = {"__rpow__": 8}
"""How many samples may have no truth: PyTorch draws negative bases, whose powers it answers with nan."""
LEAST_NAMES, LEAST_SAMPLES = 119, 1000


@pytest.mark.parametrize("name", ENTRIES)
def test_samples_are_within_their_budgets(name: str, record_property: Callable[[str, Any], None]) -> None:
    """Values, gradients and second-order gradients of every sample are enclosed, and PyTorch bears witness."""
    seen = walk(ENTRIES[name])
    print(seen)
    for key in ("samples", "elements", "first", "second", "empty"):
        record_property(f"op_db {key}", getattr(seen, key))
    record_property("op_db refused", dict(seen.refused))
    assert not seen.accused, "\n".join(seen.accused)
    assert seen.samples > 0
    assert seen.first + seen.second + seen.empty + sum(seen.refused.values()) == seen.samples
    assert sum(seen.refused.values()) <= REFUSED.get(name, 0), seen.refused


def test_the_walk_is_whole() -> None:
    """Every op of the catalogue is sampled, by many samples, and at most two in a hundred may be refused."""
    samples = sum(len(entry.samples()) for entry in ENTRIES.values())
    assert len(ENTRIES) >= LEAST_NAMES
    assert samples >= LEAST_SAMPLES
    assert {entry.op for entry in ENTRIES.values()} == set(refgrad.catalogue())
    assert sum(REFUSED.values()) <= samples / 50
    assert len({entry.id for entry in entries()}) == len(entries())


def test_other_tests_keep_their_profile() -> None:
    """PyTorch's test utilities load a Hypothesis profile of their own, which must not reach ours."""
    assert settings.get_current_profile_name() in ("quick", "ci", "nightly")
    assert len(op_db) > 500


FORMULAS: dict[str, tuple[str, str, Any]] = {
    "tanh": ("tanh", "x", lambda g, y: g * (1 - y * y) * (1 + 1e-13)),
    "exp": ("exp", "x", lambda g, y: g * detached(y)),
    "softmax": ("softmax", "x", lambda g, y: g * y),
    "clamp": ("clamp_tensor", "min", lambda g, x, min: g),  # noqa: A006 - PyTorch's name
    "linalg.vector_norm": ("vector_norm", "x", lambda g, x, y: g * x / y),
    "cumsum": ("cumsum", "x", lambda g: g),
}
"""By OpInfo: an op that it calls, an input, and a wrong formula; exp's is wrong at second order only."""


@pytest.mark.parametrize("name", FORMULAS)
def test_a_wrong_formula_is_found(name: str) -> None:
    """The same walk accuses an engine with one wrong formula."""
    op, argument, wrong = FORMULAS[name]
    with replaced(REGISTRY[op], argument, wrong):
        assert walk(ENTRIES[name]).accused
    assert not walk(ENTRIES[name]).accused


def test_a_wrong_value_is_found() -> None:
    """An evaluation that is off by a few units of the last place is accused."""
    right = REGISTRY["sinh"].evaluate
    with evaluated(REGISTRY["sinh"], lambda x: right(x) * (1 + 2e-15)):
        accused = walk(ENTRIES["sinh"]).accused
    assert any("exact, order 2: differs, output 0: wrong value" in text for text in accused)


def test_a_wrong_signature_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that loses a setting between its signature and its op is accused."""
    right = FUNCTIONS["sum"]
    monkeypatch.setitem(FUNCTIONS, "sum", lambda x, dim=None, keepdim=False: right(x, dim))
    assert any("keepdim=True" in text for text in walk(ENTRIES["sum"]).accused)


def test_another_answer_of_pytorch_is_found() -> None:
    """Where PyTorch is further off than both budgets together, its testimony is an accusation."""
    told = ENTRIES["erf"]
    info = SimpleNamespace(
        **{k: getattr(told.info, k) for k in ("name", "variant_test_name", "sample_inputs")}
    )
    info.op = lambda x: torch.erf(x) * (1 + 1e-13)
    accused = walk(replace(told, info=info)).accused
    assert accused
    assert all("pytorch" in text for text in accused)


def test_what_is_refused_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that the engine refuses is counted under the sentence that refuses it, and accuses nobody."""

    def refuses(x: Any) -> Any:
        raise NotImplementedError("no cosines today")

    monkeypatch.setitem(FUNCTIONS, "cos", refuses)
    seen = walk(Entry(ENTRIES["cos"].info, "cos"))
    assert dict(seen.refused) == {"NotImplementedError: no cosines today": seen.samples}
    assert not seen.accused
