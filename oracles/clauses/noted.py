"""Claims that leave in the script of a clause what PyTorch does, beside what the library is seen to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from oracles.clauses.claim import Claim, shown


class Script(Protocol):
    """Where lines are noted."""

    def add(self, text: str) -> None:
        """A statement."""

    def remark(self, text: str) -> None:
        """What PyTorch does, beside the last line."""


class NotedClaim(Claim):
    """Claims on a library in another shape."""

    def __init__(self, library: Any, script: Script) -> None:
        super().__init__(library)
        self._script = script

    def _print(self, thing: Any) -> None:
        """Print what is claimed of objects of the library; what is none was printed when it was asked for."""
        printed = _printed(thing)
        if printed:
            self._script.add(f"print({printed})")

    def _compare(self, one: Any, other: Any) -> None:
        """Print whether two are the same object."""
        names = [str(getattr(one, "latest", "")), str(getattr(other, "name", ""))]
        if all(names):
            self._script.add(f"print({names[0]} is {names[1]})")

    def equal(self, got: Any, expected: Any) -> None:
        """As `Claim.equal`."""
        self._print(got)
        self._script.remark(f"PyTorch: {shown(expected)}")
        super().equal(got, expected)

    def true(self, condition: Any, expected: str) -> None:
        """As `Claim.true`."""
        self._script.remark(f"PyTorch: {expected}")
        super().true(condition, expected)

    def same(self, got: Any, expected: Any) -> None:
        """As `Claim.same`."""
        self._compare(got, expected)
        self._script.remark("PyTorch: True")
        super().same(got, expected)

    def different(self, got: Any, other: Any) -> None:
        """As `Claim.different`."""
        self._compare(got, other)
        self._script.remark("PyTorch: False")
        super().different(got, other)

    def none(self, got: Any) -> None:
        """As `Claim.none`."""
        self._print(got)
        self._script.remark("PyTorch: None")
        super().none(got)

    @contextmanager
    def raises(
        self, kind: type[BaseException] | tuple[type[BaseException], ...], words: str = ""
    ) -> Iterator[None]:
        """As `Claim.raises`."""
        kinds = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        self._script.add(f"# PyTorch: the next raises {kinds}" + (f" saying {words!r}" if words else ""))
        with super().raises(kind, words):
            yield

    @contextmanager
    def warns(self, kind: type[Warning], words: str = "") -> Iterator[None]:
        """As `Claim.warns`."""
        self._script.add(
            f"# PyTorch: the next warns, a {kind.__name__}" + (f" saying {words!r}" if words else "")
        )
        with super().warns(kind, words):
            yield


def _printed(thing: Any) -> str:
    """How an object of the library is printed, or a list of them; nothing if it is none."""
    if isinstance(thing, tuple | list):
        names = [_printed(t) for t in thing]
        return f"[{', '.join(names)}]" if names and all(names) else ""
    return str(thing.printed()) if hasattr(thing, "latest") else ""
