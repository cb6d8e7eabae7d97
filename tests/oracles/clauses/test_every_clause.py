"""Every clause: PyTorch holds it, and the engine does."""

from __future__ import annotations

import pytest
import torch

import refgrad
from oracles.clauses.clause import clauses
from oracles.clauses.holding import hold

EVERY = clauses()
WITHDRAWN = {"ND-16", "ND-17", "TH-3"}
"""Sentences of PyTorch's pages that its release contradicts, or that promise nothing that can be tested."""


@pytest.mark.parametrize("name", EVERY)
def test_pytorch_holds(name):
    """What PyTorch does not hold is no clause of its contract."""
    held = hold(EVERY[name], torch)
    assert held.outcome == ("withdrawn" if name in WITHDRAWN else "holds"), held


@pytest.mark.parametrize("name", EVERY)
def test_refgrad_holds(name):
    """The engine is what can be read to learn what the contract says."""
    held = hold(EVERY[name], refgrad)
    assert held.outcome == ("withdrawn" if name in WITHDRAWN else "holds"), held
