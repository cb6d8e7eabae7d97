"""Whether a library holds a clause: its body is run, and what happens is the outcome."""

from __future__ import annotations

import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from msgspec import structs

from oracles.answers import Held
from oracles.clauses.claim import Claim, Violated, lacks
from oracles.clauses.clause import Clause
from oracles.clauses.script import Unwritable, script


def hold(clause: Clause, library: Any) -> Held:
    """The outcome of a clause on a library.

    The body runs in a thread of its own, so that a mode which it leaves set is left in no other clause.
    """
    if clause.withdrawn:
        return Held("withdrawn", reason=clause.withdrawn)
    found: list[Held] = []
    thread = threading.Thread(target=lambda: found.append(_held(clause, library)))
    thread.start()
    thread.join()
    return found[0]


def shown(clause: Clause, library: Any) -> Held:
    """The outcome, and where the clause does not hold a script that shows it with the library alone."""
    held = hold(clause, library)
    if held.outcome not in ("violated", "errored"):
        return held
    if not isinstance(library, ModuleType):  # it has noted what was called, in the library's own words
        noted = "\n".join(library.recorded())
        return structs.replace(held, lines=noted, script=noted)
    try:
        return structs.replace(held, script=script(clause, library.__name__))
    except Unwritable:
        return held


@contextmanager
def every_warning(library: Any) -> Iterator[None]:
    """Within, what a library warns of once a process it warns of each time, if it can be told to as PyTorch can."""
    tell = getattr(library, "set_warn_always", None)
    if tell is None:
        yield
        return
    before = library.is_warn_always_enabled()
    tell(True)
    try:
        yield
    finally:
        tell(before)


def _held(clause: Clause, library: Any) -> Held:
    claim = library.claim() if hasattr(library, "claim") else Claim(library)
    try:
        with warnings.catch_warnings(), every_warning(library):
            warnings.simplefilter("ignore")
            clause.body(library, claim)
    except Violated as error:
        return Held("violated", error.expected, error.got)
    except Exception as error:
        reason = lacks(error, library)
        if reason:
            return Held("unsupported", reason=reason)
        said = "".join(traceback.format_exception(error, limit=-5))
        return Held("errored", got=f"{type(error).__name__}: {error}", reason=said)
    if not claim.count:
        return Held("errored", reason=f"the body of clause {clause.id} claims nothing")
    return Held("holds")
