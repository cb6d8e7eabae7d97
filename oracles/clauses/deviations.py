"""What a subject is known to do otherwise: the `[[clause]]` and `[[history]]` tables of its list of known failures.

An entry says which clause or kind of history, why, and whether the subject means it so. It is as strict as the rest of
the list: a clause that is held after all or not held in another way, or a history that differs no more, makes it stale.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from oracles.clauses.clause import clauses
from oracles.histories.action import History
from oracles.histories.verbs import VERBS

KEYS = {"id": str, "outcome": str, "reason": str, "design": bool}
HISTORY_KEYS = {"kind": str, "reason": str, "design": bool, "history": str}
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


@dataclass(frozen=True)
class HistoryDeviation:
    """One listed kind of history, with one that shows it."""

    kind: str
    reason: str
    design: bool
    history: History


@dataclass(frozen=True)
class Deviations:
    """What a list says of clauses, by id, and of histories, by kind."""

    clauses: Mapping[str, Deviation] = field(default_factory=dict)
    histories: Mapping[str, HistoryDeviation] = field(default_factory=dict)


def read_deviations(path: Path, unwritten: bool = False) -> Deviations:
    """The listed clauses and histories of a file; with `unwritten`, also those whose reason is still to be written.

    The file is known to be TOML.

    Raises:
        DeviationError: an entry is not as it must be.
    """
    data = tomllib.loads(path.read_bytes().decode())
    listed: dict[str, Deviation] = {}
    for where, table in _tables(data, "clause", KEYS, path, unwritten):
        entry = _deviation(table, where)
        if entry.id in listed:
            raise DeviationError(f"{where}: {entry.id} is listed twice")
        listed[entry.id] = entry
    histories: dict[str, HistoryDeviation] = {}
    for where, table in _tables(data, "history", HISTORY_KEYS, path, unwritten):
        if table["kind"] in histories:
            raise DeviationError(f"{where}: {table['kind']} is listed twice")
        history = _history(table["history"], where)
        histories[table["kind"]] = HistoryDeviation(table["kind"], table["reason"], table["design"], history)
    return Deviations(listed, histories)


def _tables(
    data: dict[str, Any], name: str, keys: Mapping[str, type], path: Path, unwritten: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of one name, each with where it stands, of these keys and types and with a reason."""
    tables = data.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise DeviationError(f"{path}: {name}: write each entry under a [[{name}]] of its own")
    for number, table in enumerate(tables, start=1):
        where = f"{path}, {name} entry {number}"
        if strange := sorted(set(table) - set(keys)):
            raise DeviationError(f"{where}: {strange[0]}: no such key; there are {', '.join(keys)}")
        for key, kind in keys.items():
            if key not in table:
                raise DeviationError(f"{where}: {key} is missing")
            if not isinstance(table[key], kind):
                raise DeviationError(f"{where}: {key} is no {'text' if kind is str else 'true or false'}")
        if not table["reason"].strip() and not unwritten:
            raise DeviationError(f"{where}: reason is empty: write why it differs")
        yield where, table


def _history(text: str, where: str) -> History:
    """A history of verbs that exist, in which each action is on tensors that were made before it."""
    try:
        history = msgspec.json.decode(text, type=History)
    except msgspec.DecodeError as error:
        raise DeviationError(f"{where}: history: {error}") from error
    made = 0
    for number, action in enumerate(history.actions):
        if action.verb not in VERBS:
            raise DeviationError(f"{where}: history: step {number}: there is no verb {action.verb!r}")
        if any(not 0 <= n < made for n in action.on):
            raise DeviationError(f"{where}: history: step {number} is on a tensor that there is not yet")
        made += action.makes
    return history


def _deviation(table: dict[str, Any], where: str) -> Deviation:
    if table["id"] not in clauses():
        raise DeviationError(f"{where}: there is no clause {table['id']!r}; `refgrad clauses` lists them")
    if table["outcome"] not in OUTCOMES:
        raise DeviationError(f"{where}: outcome is neither {' nor '.join(OUTCOMES)}")
    return Deviation(table["id"], table["outcome"], table["reason"], table["design"])
