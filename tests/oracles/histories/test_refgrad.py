"""The engine in lock step with PyTorch: no history after which the two are not the same."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings

import refgrad
from oracles.histories.player import Player
from oracles.histories.search import search

SHARDS = 4
NIGHTLY = settings.default.max_examples >= 1000
HISTORIES = 700 if NIGHTLY else 38
"""Of about 40 steps each: 5,000 steps in all by day, 100,000 at night."""
LEAST = 25_000 if NIGHTLY else 1_250


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_engine_is_as_pytorch(shard):
    """After every step everything that can be observed is the same."""
    *findings, steps = search(lambda: Player(refgrad), "refgrad", HISTORIES, 1000 * shard + 1, {})
    assert not findings, "\n\n".join(f"{f.kind}\n{f.lines}\n{f.found[0]}" for f in findings)
    assert steps >= LEAST
    assert torch.is_grad_enabled()
    assert refgrad.is_grad_enabled()
