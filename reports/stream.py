"""The run file: one JSON line per record, written as it happens and read back whatever became of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from oracles.records import (
    FORMAT,
    Accuracy,
    ClauseOutcome,
    Convention,
    Failure,
    Finding,
    Footer,
    Header,
    HistoryFinding,
    Judged,
    Known,
    Record,
)
from reports.text import line, number

RUN_FILE = "run.jsonl"
PROBLEMS_SHOWN = 10

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


class ReportError(Exception):
    """A file that cannot be written or read; the message says what, where and what to do."""


def cannot_write(path: Path, error: OSError) -> ReportError:
    """The error to raise when the system refuses to write here."""
    return ReportError(
        f"cannot write {path}: {error.strerror or error}. "
        "Free some space or make the folder writable, or choose another folder with --out."
    )


class RunWriter:
    """Appends records to a run file, each at once in the file, so that a crash loses nothing found before it.

    An older run in the file stays until the first record comes: a subject that does not start costs nothing.

    Raises:
        ReportError: from the constructor, `write` and `close`, when the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, record: Record) -> None:
        """Append one record as one line."""
        try:
            if not self.started and self._file.tell():
                self._file.truncate(0)
            self.started = True
            rest = memoryview(_encoder.encode(record) + b"\n")
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """Finish the file; a record written before this is already in it."""
        try:
            self._file.close()
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Run:
    """All that could be read of a run. `problems` says, in sentences, what could not."""

    header: Header
    cases: tuple[Judged, ...]
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]
    footer: Footer | None
    problems: tuple[str, ...] = ()
    known: tuple[Known, ...] = ()
    accuracy: tuple[Accuracy, ...] = ()
    clauses: tuple[ClauseOutcome, ...] = ()
    histories: tuple[HistoryFinding, ...] = ()
    conventions: tuple[Convention, ...] = ()


def read_run(path: Path) -> Run:
    """Read a run file, keeping every record that is whole.

    Raises:
        ReportError: the file cannot be opened, is empty, holds no record, or was made by a newer refgrad.
    """
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise ReportError(
            f"cannot read {path}: {error.strerror or error}. Give the {RUN_FILE} that `refgrad check` wrote."
        ) from error
    if not data.strip():
        raise ReportError(
            f"{path} is empty: the run ended before it wrote anything. Run `refgrad check` again."
        )
    records: list[Record] = []
    problems: list[str] = []
    for read in _lines(data, path):
        if isinstance(read, str):
            problems.append(read)
        else:
            records.append(read)
    if not records:
        raise ReportError(
            f"{path} is no refgrad run: none of its {number(len(problems), 'line')} is a record. "
            f"Give the {RUN_FILE} that `refgrad check` wrote."
        )
    return _assembled(records, problems)


def _lines(data: bytes, path: Path) -> Iterator[Record | str]:
    lines = data.split(b"\n")
    for at, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        _refuse_newer(raw, path)
        try:
            yield _decoder.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            if at == len(lines):
                yield f"Line {at} is cut off in the middle and was skipped."
            else:
                yield f"Line {at} is not a record and was skipped: {line(str(error), 120)}."


class _Stamp(msgspec.Struct):
    record: str
    format: int = 0


def _refuse_newer(raw: bytes, path: Path) -> None:
    if b'"format"' not in raw:
        return
    with contextlib.suppress(msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        stamp = msgspec.json.decode(raw, type=_Stamp)
        if stamp.record == "header" and stamp.format > FORMAT:
            raise ReportError(
                f"{path} was made by a newer refgrad: its format is {stamp.format}, "
                f"this one reads up to {FORMAT}. Update refgrad to read it."
            )


def _assembled(records: list[Record], skipped: list[str]) -> Run:
    headers = [r for r in records if isinstance(r, Header)]
    footers = [r for r in records if isinstance(r, Footer)]
    cases = tuple(r for r in records if isinstance(r, Judged))
    # A finding may be written again once it is shrunk, and a known failure once the search has ended: the last counts.
    findings = {r.id: r for r in records if isinstance(r, Finding)}
    known = {r.id: r for r in records if isinstance(r, Known)}
    problems = skipped[:PROBLEMS_SHOWN]
    if len(skipped) > len(problems):
        problems.append(f"{number(len(skipped) - len(problems), 'more line')} could not be read either.")
    if not headers:
        problems.append(
            "The header could not be read, so the subject, versions, seed and command are unknown."
        )
    if len(headers) > 1:
        problems.append(
            f"The file holds {len(headers)} headers; the first one is shown, the records of all count."
        )
    if not footers:
        problems.append(f"The run was cut off before its end: {number(len(records), 'record')} read.")
    return Run(
        header=headers[0] if headers else _lost_header(cases, findings),
        cases=cases,
        findings=tuple(findings.values()),
        failures=tuple(r for r in records if isinstance(r, Failure)),
        footer=footers[-1] if footers else None,
        problems=tuple(problems),
        known=tuple(known.values()),
        accuracy=tuple(r for r in records if isinstance(r, Accuracy)),
        histories=tuple({r.id: r for r in records if isinstance(r, HistoryFinding)}.values()),
        clauses=tuple({r.id: r for r in records if isinstance(r, ClauseOutcome)}.values()),
        conventions=tuple(r for r in records if isinstance(r, Convention)),
    )


def _lost_header(cases: tuple[Judged, ...], findings: dict[str, Finding]) -> Header:
    subject = next((f.subject for f in findings.values()), "an unknown subject")
    oracles = dict.fromkeys(v.oracle for case in cases for v in case.verdicts)
    dtypes = dict.fromkeys(case.dtype for case in cases)
    return Header(subject, {}, "", 0, "", tuple(oracles), (), tuple(dtypes))
