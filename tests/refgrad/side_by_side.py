"""One snippet on PyTorch and on refgrad: events, results, exceptions and warnings are the same, word for word.

    @same()
    def a_hook_sees_the_gradient(torch, log):
        ...

A snippet takes the library and a list of events. What it raises must have been announced, so that a slip in the
snippet, which both libraries would answer alike, fails.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import refgrad

Snippet = Callable[[Any, list[Any]], Any]
CYCLE = "Using backward() with create_graph=True"
"""What PyTorch says once in a process is not compared; nor are NumPy's own warnings (`RuntimeWarning`)."""


class Table:
    """The snippets of one module, by name."""

    def __init__(self) -> None:
        self.snippets: dict[str, tuple[Snippet, type[BaseException] | None]] = {}

    def __call__(self, raises: type[BaseException] | None = None) -> Callable[[Snippet], Snippet]:
        """Put the decorated snippet into the table; `raises` is what it ends with, if it does not return."""

        def put(snippet: Snippet) -> Snippet:
            assert snippet.__name__ not in self.snippets
            self.snippets[snippet.__name__] = snippet, raises
            return snippet

        return put

    def each(self) -> Any:
        """The mark that runs a test for each snippet."""
        rows = [pytest.param(*row, id=name) for name, row in self.snippets.items()]
        return pytest.mark.parametrize(("snippet", "raises"), rows)


def leaf(torch: Any, *values: float) -> Any:
    """A float64 leaf that requires grad."""
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def told(log: list[Any], event: str, answer: Any = None) -> Callable[..., Any]:
    """A hook that notes its name and what it got, and returns `answer`."""

    def hook(*args: Any) -> Any:
        log.append((event, shown(args)))
        return answer(*args) if callable(answer) else answer

    return hook


def shown(value: Any) -> Any:
    """Plain data for what a library returned."""
    if hasattr(value, "requires_grad") and hasattr(value, "tolist"):
        return (str(value.dtype), tuple(value.shape), value.tolist(), value.requires_grad)
    if hasattr(value, "next_functions"):
        return value.name()
    if isinstance(value, Mapping):
        return {key: shown(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [shown(each) for each in value]
    return value if isinstance(value, bool | int | float | str | None) else type(value).__name__


def outcome(torch: Any, snippet: Snippet) -> dict[str, Any]:
    """Everything that running the snippet on a library shows."""
    log: list[Any] = []
    found: dict[str, Any] = {"events": log, "raised": None, "returned": None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found["returned"] = shown(snippet(torch, log))
        except Exception as error:
            found["raised"] = type(error), str(error)
    found["events"] = shown(log)
    found["warnings"] = [
        (each.category, re.sub(r" \(Triggered internally at .*\)$", "", str(each.message), flags=re.S))
        for each in caught
        if not str(each.message).startswith(CYCLE) and each.category is not RuntimeWarning
    ]
    return found


def agree(torch: Any, snippet: Snippet, raises: type[BaseException] | None) -> None:
    """Assert that both libraries show the same, and end as announced."""
    theirs, mine = outcome(torch, snippet), outcome(refgrad, snippet)
    assert mine == theirs
    assert (None if theirs["raised"] is None else theirs["raised"][0]) is raises
