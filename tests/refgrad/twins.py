"""A few lines run on PyTorch and on refgrad, and everything that they show compared.

In a snippet `torch` is either library, `show` notes a value, `fails` notes the exception that a call raises, `leaf`
makes a leaf of ones that requires grad.
"""

import math
import textwrap
import warnings
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
import pytest

import refgrad

torch = pytest.importorskip("torch")


def plain(value: Any) -> Any:
    """What a value is, in words that both libraries share."""
    if isinstance(value, torch.Tensor | refgrad.Tensor):
        try:
            leaf = value.is_leaf
        except RuntimeError:  # a view that a write has made invalid
            leaf = "invalid"
        numbers = value.detach().clone()
        kept = numbers.to(torch.float64).numpy() if isinstance(value, torch.Tensor) else numbers._array
        elements = [None if math.isnan(x) else float(f"{x:.5g}") for x in np.ravel(kept).tolist()]
        return ("tensor", tuple(value.shape), str(value.dtype), elements, value.requires_grad, leaf)
    if hasattr(value, "next_functions"):
        return (value.name(), [(plain(node), nr) for node, nr in value.next_functions])
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return float(value) if isinstance(value, float) else str(value) if not isinstance(value, int) else value


def seen(library: Any, source: str) -> list[Any]:
    """What the snippet shows on one library; an exception ends it and is shown too."""
    shown: list[Any] = []

    def fails(call: Callable[[], Any]) -> None:
        try:
            shown.append(("returns", plain(call())))
        except Exception as error:
            shown.append((type(error).__name__, str(error)))

    def leaf(*shape: int) -> Any:
        return library.ones(*(shape or (3,)), requires_grad=True)

    names: dict[str, Any] = {
        "torch": library,
        "show": lambda *values: shown.append([plain(value) for value in values]),
        "fails": fails,
        "leaf": leaf,
        "np": np,
        "warnings": warnings,
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.set_warn_always(True)  # some of PyTorch's warnings come once a process
        try:
            exec(compile(textwrap.dedent(source), "<snippet>", "exec"), names)
        except Exception as error:
            shown.append(("ended with", type(error).__name__, str(error)))
        finally:
            library.set_grad_enabled(True)
            torch.set_warn_always(False)
    shown.extend(("warned", each.category.__name__, str(each.message)[:60]) for each in caught)
    return shown


def compare(source: str) -> None:
    """Hold what both libraries show equal; a snippet that shows nothing is a mistake."""
    expected = seen(torch, source)
    assert expected, "the snippet shows nothing"
    assert expected[-1][:2] != ("ended with", "NameError"), expected[-1]
    got = seen(refgrad, source)
    for position, (theirs, ours) in enumerate(zip_longest(expected, got)):
        assert ours == theirs, f"{source}\nshown at {position}\n  torch:   {theirs}\n  refgrad: {ours}"


def each(snippets: Mapping[str, str]) -> Any:
    """A parametrization over snippets by their titles."""
    return pytest.mark.parametrize("source", snippets.values(), ids=snippets.keys())
