"""The clauses that a subject is known not to hold: the `[[clause]]` tables of its list of known failures.

An entry says which clause, what became of it, why, and whether the subject means it so. It is as strict as the rest of
the list: a clause that is held after all, or not held in another way, makes the entry stale.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oracles.clauses.clause import clauses

KEYS = {"id": str, "outcome": str, "reason": str, "design": bool}
OUTCOMES = ("violated", "errored")


class DeviationError(ValueError):
    """A `[[clause]]` table that is not as it must be; the message names the file, the entry and the key."""


@dataclass(frozen=True)
class Deviation:
    """One listed clause. `design` says that the subject means to differ here: it is shown as a convention."""

    id: str
    outcome: str
    reason: str
    design: bool


def read_deviations(path: Path, unwritten: bool = False) -> Mapping[str, Deviation]:
    """The listed clauses of a file by id; with `unwritten`, also those whose reason is still to be written.

    The file is known to be TOML.

    Raises:
        DeviationError: an entry is not as it must be.
    """
    tables = tomllib.loads(path.read_bytes().decode()).get("clause", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise DeviationError(f"{path}: clause: write each entry under a [[clause]] of its own")
    found: dict[str, Deviation] = {}
    for number, table in enumerate(tables, start=1):
        entry = _deviation(table, f"{path}, clause entry {number}", unwritten)
        if entry.id in found:
            raise DeviationError(f"{path}, clause entry {number}: {entry.id} is listed twice")
        found[entry.id] = entry
    return found


def _deviation(table: dict[str, Any], where: str, unwritten: bool) -> Deviation:
    if strange := sorted(set(table) - set(KEYS)):
        raise DeviationError(f"{where}: {strange[0]}: no such key; there are {', '.join(KEYS)}")
    for key, kind in KEYS.items():
        if key not in table:
            raise DeviationError(f"{where}: {key} is missing")
        if not isinstance(table[key], kind):
            raise DeviationError(f"{where}: {key} is no {'text' if kind is str else 'true or false'}")
    if table["id"] not in clauses():
        raise DeviationError(f"{where}: there is no clause {table['id']!r}; `refgrad clauses` lists them")
    if table["outcome"] not in OUTCOMES:
        raise DeviationError(f"{where}: outcome is neither {' nor '.join(OUTCOMES)}")
    if not table["reason"].strip() and not unwritten:
        raise DeviationError(f"{where}: reason is empty: write why the clause does not hold")
    return Deviation(table["id"], table["outcome"], table["reason"], table["design"])
