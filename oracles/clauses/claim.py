"""What a clause's body claims of a library, compared exactly."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class Violated(AssertionError):
    """A claim that does not hold: what was expected, and what there was."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got


class Unsupported(Exception):
    """The library lacks what the clause is about; the message says what."""


class Claim:
    """The claims a body may make; each raises `Violated` where it does not hold. `count` says how many were made."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.count = 0

    def equal(self, got: Any, expected: Any) -> None:
        """Values, shape included, are exactly these: numbers, lists of numbers, or anything that is compared by ==."""
        self.count += 1
        values = plain(got)
        if not _same(values, plain(expected)):
            raise Violated(shown(expected), shown(got))

    def true(self, condition: Any, expected: str) -> None:
        """The condition holds; `expected` says in words what that means."""
        self.count += 1
        if condition is not True:
            raise Violated(expected, f"{condition!r}" if condition is not False else "not so")

    def same(self, got: Any, expected: Any) -> None:
        """It is this very object."""
        self.count += 1
        if got is not expected:
            raise Violated(f"the very object {shown(expected)}", f"another: {shown(got)}")

    def different(self, got: Any, other: Any) -> None:
        """It is an object of its own."""
        self.count += 1
        if got is other:
            raise Violated("another object", "the same object")

    def none(self, got: Any) -> None:
        """There is nothing."""
        self.count += 1
        if got is not None:
            raise Violated("None", shown(got))

    @contextmanager
    def raises(
        self, kind: type[BaseException] | tuple[type[BaseException], ...], words: str = ""
    ) -> Iterator[None]:
        """What happens within raises this kind of exception, and its message has these words, in any case."""
        self.count += 1
        expected = _kinds(kind) + (f" saying {words!r}" if words else "")
        try:
            yield
        except (Violated, Unsupported):
            raise
        except kind as error:
            if words.lower() not in str(error).lower():
                raise Violated(expected, f"{type(error).__name__}: {error}") from error
        except Exception as error:
            if lacks(error, self.library):
                raise
            raise Violated(expected, f"{type(error).__name__}: {error}") from error
        else:
            raise Violated(expected, "nothing raised")

    @contextmanager
    def warns(self, kind: type[Warning], words: str = "") -> Iterator[None]:
        """What happens within warns so."""
        self.count += 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        found = [
            w for w in caught if issubclass(w.category, kind) and words.lower() in str(w.message).lower()
        ]
        if not found:
            said = "; ".join(f"{w.category.__name__}: {w.message}" for w in caught) or "no warning"
            raise Violated(f"a {kind.__name__}" + (f" saying {words!r}" if words else ""), said)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """What happens within does not warn."""
        self.count += 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        if caught:
            raise Violated("no warning", f"{caught[0].category.__name__}: {caught[0].message}")


def lacks(error: Exception, library: Any) -> str:
    """What the library lacks, where that is what the exception says; else nothing.

    An attribute that is missing from something of the library's own is lacking; one that is missing from anything else,
    such as None where there should be a node, is not.
    """
    if isinstance(error, Unsupported | NotImplementedError | ImportError):
        return str(error) or type(error).__name__
    own = getattr(library, "packages", None) or {_root(library)}
    if isinstance(error, AttributeError) and _root(error.obj) in own:
        return re.sub(r"\s+", " ", str(error))
    return ""


def _root(thing: Any) -> str:
    """The package that a module, a class, or an object's class belongs to."""
    named = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    return str(named or type(thing).__module__).partition(".")[0]


def plain(value: Any) -> Any:
    """A tensor's elements as nested lists of numbers, a sequence of tensors as a list of those; else the value."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return value


def _same(a: Any, b: Any) -> bool:
    """Equal exactly, where a NaN equals a NaN and the sign of a zero counts for nothing."""
    if isinstance(a, list) or isinstance(b, list):
        return (
            isinstance(a, list)
            and isinstance(b, list)
            and len(a) == len(b)
            and all(_same(x, y) for x, y in zip(a, b, strict=True))
        )
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    return bool(a == b)


def shown(value: Any) -> str:
    """A value as a person reads it, on one line and short."""
    text = re.sub(r"\s+", " ", str(plain(value)) if not isinstance(value, str) else repr(value))
    return text if len(text) <= 200 else f"{text[:199]}…"


def _kinds(kind: type[BaseException] | tuple[type[BaseException], ...]) -> str:
    return " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
