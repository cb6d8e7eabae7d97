"""Accuracy classes are those that the documentation lists, each with its source."""

from __future__ import annotations

import re
from pathlib import Path

from oracles.budget.accuracy import CLASSES

BUDGETS = (Path(__file__).parents[3] / "docs" / "budgets.md").read_text()


def listed() -> dict[str, tuple[int, str]]:
    """By op, the class and the source that the table in docs/budgets.md gives."""
    rows = re.findall(r"^\| ((?:`[\w.]+` ?)+) \| (\d+) \| (.+) \|$", BUDGETS, re.MULTILINE)
    return {op: (int(c), source) for ops, c, source in rows for op in re.findall(r"`([\w.]+)`", ops)}


def test_every_class_is_documented() -> None:
    """Every op with a class stands in the table with that class and a source, and no other does."""
    assert {op: c for op, (c, _) in listed().items()} == CLASSES
    assert all(source.strip() for _, source in listed().values())
