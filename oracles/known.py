"""A subject's list of known failures: what may stand in the file, and judging each entry again from its case.

The list is strict, as protobuf's is: an entry that passes, fails otherwise or is not reached fails the run as much as a
fault that is not listed. So it cannot go stale in silence. Nothing in the file is evaluated: a case is data, and its
ops are looked up in the catalogue.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

import refgrad
from oracles.arrays import Array, ArrayError
from oracles.blame import WALK, Accusation, Kind, accuse, finding_id
from oracles.findings import finding
from oracles.judge import Bench
from oracles.program import Case, ProgramError, decode_case
from oracles.records import Finding, Known, Status

KEYS = ("op", "argument", "error", "reason", "link", "since", "case")
"""What every entry has, all of it text."""
LINKS = ("https://", "http://")


class ListError(ValueError):
    """A list of known failures that cannot be read; the message names the file, the entry and the key."""


@dataclass(frozen=True)
class Entry:
    """One known failure: its kind, why it is there, where that is discussed, since when, and a case that shows it."""

    kind: Kind
    reason: str
    link: str
    since: str
    case: Case

    def concerns(self, ops: tuple[str, ...]) -> bool:
        """Whether a run on these ops has to judge it; the walk is part of every run."""
        return self.kind.blame == WALK or self.kind.blame in ops

    def record(self, subject: str, status: Status, message: str = "", now: str = "") -> Known:
        """What became of it."""
        kind = self.kind
        return Known(
            id=finding_id(subject, kind),
            blame=kind.blame,
            argument=kind.argument,
            error=kind.error,
            status=status,
            reason=self.reason,
            link=self.link,
            since=self.since,
            message=message,
            now=now,
        )


def packaged(subject: str) -> Path:
    """Where the list of a subject that comes with the project is, or would be."""
    return Path(__file__).with_name("deviations") / f"{subject}.toml"


def read_known(path: Path, unwritten: bool = False) -> tuple[Entry, ...]:
    """The entries of a list; with `unwritten`, also those whose reason is still to be written.

    Raises:
        ListError: the file cannot be read, is not TOML, or has an entry that is not as it must be.
    """
    try:
        data = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ListError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ListError(f"{path} is not TOML: it is not UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ListError(f"{path} is not TOML: {error}") from error
    return tuple(_entries(data, path, unwritten))


def _entries(data: dict[str, Any], path: Path, unwritten: bool) -> Iterator[Entry]:
    if strange := sorted(set(data) - {"known", "clause"}):
        raise ListError(
            f"{path}: unknown key {strange[0]!r}: only [[known]] and [[clause]] entries may stand here"
        )
    tables = data.get("known", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ListError(f"{path}: known: write each entry under a [[known]] of its own")
    first: dict[Kind, int] = {}
    for number, table in enumerate(tables, start=1):
        where = f"{path}, entry {number}" + (f" ({table['op']})" if isinstance(table.get("op"), str) else "")
        entry = _entry(table, where, unwritten)
        if entry.kind in first:
            raise ListError(f"{where}: op, argument and error are those of entry {first[entry.kind]}")
        first[entry.kind] = number
        yield entry


def _entry(table: dict[str, Any], where: str, unwritten: bool) -> Entry:
    if strange := sorted(set(table) - set(KEYS)):
        raise ListError(f"{where}: {strange[0]}: no such key; there are {', '.join(KEYS)}")
    for key in KEYS:
        if key not in table:
            raise ListError(f"{where}: {key} is missing")
        if not isinstance(table[key], str):
            raise ListError(f"{where}: {key} is not text")
    if not table["reason"].strip() and not unwritten:
        raise ListError(f"{where}: reason is empty: write why this fails")
    if table["link"] and not table["link"].startswith(LINKS):
        raise ListError(f"{where}: link starts neither with https:// nor with http://")
    if not table["error"].strip():
        raise ListError(f"{where}: error is empty")
    kind = Kind(table["op"], table["argument"], table["error"])
    if kind.blame != WALK and kind.blame not in refgrad.catalogue():
        raise ListError(f"{where}: op {kind.blame!r} is not in the catalogue; `refgrad ops` lists it")
    try:
        case = _case(table["case"], kind.blame)
    except (ProgramError, ArrayError) as error:
        raise ListError(f"{where}: case: {error}") from error
    return Entry(kind, table["reason"], table["link"], table["since"], case)


def _case(text: str, op: str) -> Case:
    """The case, whole, of ops that exist, with the blamed one among them.

    Raises:
        ProgramError: it is none, or its parts do not fit each other.
        ArrayError: one of its arrays contradicts itself.
    """
    case = decode_case(text)
    program = case.program
    for step in program.steps:
        public = refgrad.catalogue().get(step.op)
        if public is None:
            raise ProgramError(f"op {step.op!r} is not in the catalogue; `refgrad ops` lists it")
        if strange := sorted(set(step.settings) - set(public.settings)):
            raise ProgramError(f"op {step.op} has no setting {strange[0]!r}")
    if op != WALK and op not in {step.op for step in program.steps}:
        raise ProgramError(f"its program has no step {op}")
    if [array.shape for array in case.inputs] != [given.shape for given in program.inputs]:
        raise ProgramError("its arrays have not the shapes of the program's inputs")
    weights = [program.inputs[n].shape for n in program.differentiated] if case.order == 2 else []
    if [array.shape for array in case.seconds] != weights:
        raise ProgramError("its seconds have not the shapes of the differentiated inputs")
    if len(case.cotangents) != len(program.outputs):
        raise ProgramError(f"it has {len(case.cotangents)} cotangents for {len(program.outputs)} outputs")
    arrays: tuple[Array, ...] = (*case.inputs, *case.cotangents, *case.seconds)
    for array in arrays:
        array.numpy()
    return case


class Again(NamedTuple):
    """What an entry's case shows when it is judged again, and the fault that it shows, if any."""

    status: Literal["fails", "healed", "not reached"]
    message: str
    accusation: Accusation | None = None


def judge_again(entry: Entry, bench: Bench) -> Again:
    """Judge an entry's case; whatever keeps it from being judged is the answer."""
    try:
        judgement = bench.judge(entry.case, witnesses=False)
        if judgement.fault:
            return Again("fails", judgement.message, accuse(bench, judgement))
    except Exception as error:  # the case is a person's: it may ask of an op what no op has
        return Again("not reached", f"{type(error).__name__}: {error}")
    exact = next(v for v in judgement.verdicts if v.oracle == "exact")
    if exact.outcome in ("agrees", "convention"):
        return Again("healed", "its case passes now: take it off the list")
    return Again("not reached", f"{exact.outcome}: {exact.reason}")


class Listed:
    """The entries of a list that a run judges again, and what became of each.

    `kinds` are those of the whole list, `left_out` counts the entries of ops that were not asked for, and `shown` are
    the kinds whose finding an entry's case has given.
    """

    def __init__(self, entries: Iterable[Entry], ops: tuple[str, ...], subject: str, command: str) -> None:
        every = tuple(entries)
        self.entries = tuple(entry for entry in every if entry.concerns(ops))
        self.kinds = {entry.kind for entry in every}
        self.left_out = len(every) - len(self.entries)
        self.shown: set[Kind] = set()
        self._subject, self._command = subject, command
        self._records: dict[Kind, Known] = {}

    @property
    def settled(self) -> set[Kind]:
        """The kinds that fail as listed: the search need not shrink them again."""
        return {kind for kind, record in self._records.items() if record.status == "fails as listed"}

    @property
    def stale(self) -> int:
        """How many entries do not fail as listed."""
        return len(self._records) - len(self.settled)

    def judged(self, bench: Bench, stopped: Callable[[], bool]) -> Iterator[Known | Finding]:
        """What became of each entry, and the finding that its case shows."""
        for entry in self.entries:
            if stopped():
                break
            again = judge_again(entry, bench)
            record = self._records[entry.kind] = self._record(entry, again)
            yield record
            accusation = again.accusation
            if accusation is not None and accusation.kind not in self.shown:
                self.shown.add(accusation.kind)
                same = accusation.kind == entry.kind
                shown = finding(bench, accusation, self._subject, self._command, same, 1)
                yield msgspec.structs.replace(shown, known=accusation.kind in self.kinds)
        bench.lost.clear()  # what hung here takes nothing from the search

    def _record(self, entry: Entry, again: Again) -> Known:
        if again.accusation is None:
            assert again.status != "fails"
            return entry.record(self._subject, again.status, again.message)
        kind = again.accusation.kind
        if kind == entry.kind:
            return entry.record(self._subject, "fails as listed", again.message)
        message = f"was {_told(entry.kind)}, is {_told(kind)}"
        return entry.record(self._subject, "changed", message, finding_id(self._subject, kind))

    def revised(self, found: Iterable[Kind]) -> Iterator[Known]:
        """The entries whose case does not show them any more, although the search found their kind."""
        seen = set(found)
        for entry in self.entries:
            record = self._records.get(entry.kind)
            if record is not None and record.status != "fails as listed" and entry.kind in seen:
                message = "its case does not show it any more, but another one does"
                self._records[entry.kind] = entry.record(self._subject, "changed", message, record.id)
                yield self._records[entry.kind]


def _told(kind: Kind) -> str:
    """A kind in words."""
    return f"{kind.error} in {kind.blame}" + (f", argument {kind.argument}" if kind.argument else "")
