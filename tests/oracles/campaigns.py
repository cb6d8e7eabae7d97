"""Campaigns run in this process, and all that they yield, sorted."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oracles.campaign import Plan, Progress, campaign, plan_check
from oracles.records import Accuracy, Convention, Failure, Finding, Footer, Header, Judged, Known


@dataclass
class Ran:
    """What a campaign yielded."""

    headers: list[Header] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    accuracy: list[Accuracy] = field(default_factory=list)
    conventions: list[Convention] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    footers: list[Footer] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> set[tuple[str, str, str]]:
        """Every finding's kind: what is blamed, its argument, the error."""
        return {(f.blame, f.argument, f.error) for f in self.findings}

    def take(self, item: Any) -> None:
        """Put one record or progress in its place."""
        places = {
            Header: self.headers, Judged: self.judged, Known: self.known, Finding: self.findings,
            Accuracy: self.accuracy, Convention: self.conventions,
            Failure: self.failures, Footer: self.footers, Progress: self.progress,
        }  # fmt: skip
        places[type(item)].append(item)
        self.order.append(type(item).__name__)


def plan(
    subject: str,
    file: Path | None,
    ops: tuple[str, ...],
    examples: int,
    dtypes: tuple[str, ...] = ("float64",),
    **more: Any,
) -> Plan:
    """A plan from seed 1, of gradients alone, unless told otherwise; a list is rewritten from a whole run."""
    given = {
        "seconds": None,
        "seed": 1,
        "jobs": 1,
        "command": "refgrad check ...",
        "only": "" if more.get("fix") else "gradients",
        **more,
    }
    return plan_check(subject, file, ops, dtypes, examples, **given)


def ran(given: Plan, stop: threading.Event | None = None) -> Ran:
    """Run a campaign to its end."""
    found = Ran()
    for item in campaign(given, stop):
        found.take(item)
    return found
