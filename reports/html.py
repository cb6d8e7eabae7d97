"""The report: one HTML page that opens from anywhere, made from a run by templates that escape everything."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from oracles.records import Finding, Header, Known
from reports import accuracy, evidence
from reports.choices import choices
from reports.numbers import short
from reports.plot import Drawing, drawing
from reports.summary import Summary, row_of
from reports.text import clip, is_link, line, number, plain

TEXT_SHOWN = 20_000
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Exhibit:
    """One finding with everything its section shows."""

    finding: Finding
    anchor: str
    row: str
    title: tuple[evidence.Piece, ...]
    sources: tuple[evidence.Piece, ...]
    tables: tuple[evidence.Table, ...]
    witnesses: tuple[evidence.Witness, ...]
    given: tuple[evidence.Given, ...]
    step: str
    plot: Drawing | None
    listed: Known | None


def render(summary: Summary) -> str:
    """The whole page. Equal runs give equal pages."""
    run = summary.run
    rows = _anchors("op", [row.name for row in summary.rows])
    exhibits = _exhibits(summary, rows)
    found = {e.finding.id: e for e in exhibits}
    return (
        _environment()
        .get_template("page.html")
        .render(
            run=run,
            header=run.header,
            summary=summary,
            exhibits=exhibits,
            rows=rows,
            new=[e for e in exhibits if not e.finding.known],
            known=[e for e in exhibits if e.finding.known],
            found=found,
            again=again(run.header),
            choices=choices(run.conventions),
            errors=accuracy.lines(run.accuracy),
            errors_shown=accuracy.SHOWN,
            replayed=accuracy.command(run.header),
            chapter=summary.chapter,
            clauses={clause.id: at for at, clause in enumerate(summary.chapter.clauses)},
        )
    )


def again(header: Header) -> str:
    """The command that repeats the run: as it was given, with its seed if that was left to chance."""
    if not header.command or "--seed" in header.command:
        return header.command
    return f"{header.command} --seed {header.seed}"


def _exhibits(summary: Summary, rows: dict[str, str]) -> tuple[Exhibit, ...]:
    findings = summary.findings
    listed = {known.id: known for known in summary.listed}
    anchors = _anchors("finding", [f.id for f in findings])
    return tuple(
        Exhibit(
            finding=finding,
            anchor=anchors[finding.id],
            row=rows[row_of(finding)],
            title=evidence.title(finding),
            sources=evidence.sources(finding),
            tables=tuple(evidence.table(c) for c in finding.comparisons),
            witnesses=evidence.witnesses(finding),
            given=evidence.given(finding.case),
            step=evidence.blamed_step(finding),
            plot=drawing(finding.plot),
            listed=listed.get(finding.id) if finding.known else None,
        )
        for finding in findings
    )


def _anchors(kind: str, names: list[str]) -> dict[str, str]:
    """A fragment id for each name: the name where it is plain, else its number, so no two are the same."""
    return {n: f"{kind}-{n if PLAIN_NAME.fullmatch(n) else f'-{at}'}" for at, n in enumerate(names, start=1)}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": short,
        "line": line,
        "clip": lambda text: clip(text, TEXT_SHOWN),
        "number": number,
        "thousands": lambda count: f"{count:,}",
        "share": _share,
        "quote": shlex.quote,
    }
    environment.tests["link"] = is_link
    return environment


def _harmless(value: object) -> object:
    """Make every printed text harmless before it is escaped; the templates' own markup stays."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _share(part: int, whole: int) -> str:
    """A percentage that says 0 % and 100 % only where they are exact."""
    if not whole or part in (0, whole):
        return "100 %" if part and whole else "0 %"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"
