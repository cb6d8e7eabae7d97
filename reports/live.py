"""What a person sees while a campaign runs: a bar on a terminal, plain lines everywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from oracles.records import ClauseOutcome, Failure, Finding, HistoryFinding, Known, Record
from reports.evidence import as_text, title
from reports.semantics import announced as announced_clause
from reports.semantics import announced_history
from reports.text import line, number

EVERY_SECONDS = 5.0
DOING_SHOWN = 36


class Doing(Protocol):
    """How far a campaign is. `total` is 0 where nobody can know it, as in a run for a given time."""

    @property
    def done(self) -> int: ...  # noqa: D102
    @property
    def total(self) -> int: ...  # noqa: D102
    @property
    def doing(self) -> str: ...  # noqa: D102
    @property
    def findings(self) -> int: ...  # noqa: D102
    @property
    def what(self) -> str: ...  # noqa: D102


class Live(Protocol):
    """Shows a campaign as it goes; entered before the first item, left after the last."""

    def progress(self, at: Doing) -> None:
        """Show how far the campaign is."""

    def record(self, record: Record) -> None:
        """Show a finding, a known failure or a failure as soon as it is made; other records pass in silence."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def live(console: Console) -> Live:
    """The display that suits the console."""
    return Bar(console) if console.is_terminal else Lines(console)


def announced(finding: Finding) -> str:
    """A finding in two lines: the claim, and how to see it again."""
    return f"{line(finding.id, 60)}: {as_text(title(finding))}\n  {line(finding.command)}"


def listed(known: Known) -> str:
    """An entry of the list of known failures in one line: what became of it."""
    said = "" if known.status == "fails as listed" else f": {line(known.message)}"
    return f"known failure {line(known.id, 60)}: {known.status}{said}"


def unjudged(failure: Failure) -> str:
    """A failure in one line."""
    return f"{line(failure.where)}: {line(failure.message)}"


class Lines:
    """A line every few seconds, without control characters, for logs and pipes."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._start = clock()
        self._next = self._start

    def progress(self, at: Doing) -> None:
        """Print how far the campaign is, unless the last such line is recent."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + EVERY_SECONDS
        of = f" of {at.total:,}" if at.total else ""
        found = number(at.findings, "finding")
        self._say(
            f"{int(now - self._start)} s: {at.done:,}{of} {at.what}, {found}, judging {line(at.doing, 60)}"
        )

    def record(self, record: Record) -> None:
        """Print a finding that is not known, a known failure, or a failure."""
        if isinstance(record, Finding) and not record.known:
            self._say(announced(record))
        elif isinstance(record, Known):
            self._say(listed(record))
        elif isinstance(record, ClauseOutcome) and (record.new or record.stale):
            self._say(announced_clause(record))
        elif isinstance(record, HistoryFinding) and not record.known:
            self._say(announced_history(record))
        elif isinstance(record, Failure):
            self._say(unjudged(record))

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind: every line is already printed."""


class Bar:
    """A progress bar at the foot of the terminal, findings scrolling above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[found]}  {task.description}", markup=False),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None, found="0 findings")

    def progress(self, at: Doing) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            completed=at.done,
            total=at.total or None,
            description=line(at.doing, DOING_SHOWN),
            found=number(at.findings, "finding"),
        )

    def record(self, record: Record) -> None:
        """Print a finding that is not known, a known failure, or a failure above the bar."""
        if isinstance(record, Finding) and not record.known:
            claim, _, command = announced(record).partition("\n")
            self._console.print(Text.assemble((claim, "bold red"), "\n", (command, "dim")), soft_wrap=True)
        elif isinstance(record, Known):
            style = "dim" if record.status == "fails as listed" else "bold red"
            self._console.print(Text(listed(record), style), soft_wrap=True)
        elif isinstance(record, ClauseOutcome) and (record.new or record.stale):
            claim, _, more = announced_clause(record).partition("\n")
            self._console.print(Text.assemble((claim, "bold red"), "\n", (more, "dim")), soft_wrap=True)
        elif isinstance(record, HistoryFinding) and not record.known:
            self._console.print(Text(announced_history(record), "bold red"), soft_wrap=True)
        elif isinstance(record, Failure):
            self._console.print(Text(unjudged(record), "yellow"), soft_wrap=True)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
