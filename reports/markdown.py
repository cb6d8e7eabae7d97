"""The short summary in Markdown, for `$GITHUB_STEP_SUMMARY` and the like."""

from __future__ import annotations

import re
from collections.abc import Iterator

from oracles.records import Finding, Known
from reports import accuracy
from reports.evidence import Piece, title
from reports.html import again
from reports.numbers import short
from reports.semantics import said
from reports.stream import Run
from reports.summary import Row, Summary
from reports.text import is_link, line, number, plain

FINDINGS_SHOWN = 20
ROWS_SHOWN = 60
ERRORS_SHOWN = 10
# A colon and a dot only where they could start a link.
SPECIAL = re.compile(r"[^\w\s,.;:/=+±…–-]|_|:(?!\s)|(?<=www)\.", re.IGNORECASE)
STAMPS = {
    "agrees": "No fault found",
    "known": "No new fault found",
    "stale": "The list of known failures is out of date",
    "differs": "Faults found",
    "nothing judged": "Could not judge",
}


def render(summary: Summary) -> str:
    """The summary as Markdown; nothing from the run can act as markup."""
    parts = (_head, _findings, _clauses, _known, _rows, _errors)
    return "\n".join([*(text for part in parts for text in part(summary)), *_tail(summary.run)]) + "\n"


def entities(text: str) -> str:
    """The text with every character that Markdown or HTML could read as markup as a numeric entity."""
    return SPECIAL.sub(lambda match: f"&#{ord(match[0])};", text)


def escape(text: str, limit: int = 300) -> str:
    """Text from the run on one line, clipped and without a character that acts as markup."""
    return entities(line(text, limit))


def code(text: str, limit: int = 80) -> str:
    """Text in the style of code; backticks and pipes in it do no harm."""
    return f"<code>{escape(text, limit)}</code>"


def fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    body = plain(text).strip("\n")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", body)), default=0))
    return f"{fence}\n{body}\n{fence}"


def _head(summary: Summary) -> Iterator[str]:
    yield f"## {STAMPS[summary.conclusion]}: refgrad on {escape(summary.run.header.subject, 80)}\n"
    yield f"{escape(summary.sentence)}\n"
    for notice in summary.notices:
        yield f"> {escape(notice)}\n"
    cases, elements = number(summary.cases, "case"), number(summary.elements, "gradient element")
    yield f"{cases}, {summary.judged:,} judged against enclosed truth, {elements} compared.\n"


def _findings(summary: Summary) -> Iterator[str]:
    if not summary.new:
        return
    yield "### Findings\n"
    for finding in summary.new[:FINDINGS_SHOWN]:
        yield from _finding(finding)
    if len(summary.new) > FINDINGS_SHOWN:
        yield f"{len(summary.new) - FINDINGS_SHOWN} more are in report.html.\n"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"**{escape(finding.id, 60)}** {''.join(_piece(piece) for piece in title(finding))}\n"
    yield fenced(finding.program[:2000]) + "\n"
    yield fenced(finding.command[:2000]) + "\n"


def _clauses(summary: Summary) -> Iterator[str]:
    chapter = summary.chapter
    if not chapter.clauses:
        return
    yield "### The autograd contract\n"
    counts = ", ".join(f"{count} {outcome}" for outcome, count in chapter.totals.items())
    yield f"{number(len(chapter.clauses), 'clause')}: {counts}.\n"
    for clause in (*chapter.new, *chapter.stale)[:FINDINGS_SHOWN]:
        state = f" ({clause.status})" if clause.stale else ""
        yield f"**{escape(clause.id, 20)}** {clause.outcome}{state}: {escape(clause.sentence)} {escape(said(clause))}\n"
        yield fenced(clause.lines[:2000]) + "\n"
    more = len(chapter.new) + len(chapter.stale) - FINDINGS_SHOWN
    if more > 0:
        yield f"{more} more are in report.html.\n"
    for history in chapter.new_histories[:FINDINGS_SHOWN]:
        yield f"**{escape(history.id, 40)}** not as PyTorch after these steps: {escape(history.kind)}\n"
        yield fenced(history.lines[:2000]) + "\n"


def _known(summary: Summary) -> Iterator[str]:
    if not summary.listed:
        return
    yield "### Known failures\n"
    yield "| entry | now | why it is listed |"
    yield "|---|---|---|"
    for known in summary.listed[:ROWS_SHOWN]:
        yield f"| {code(known.id, 60)} | {_became(known)} | {_why(known)} |"
    yield ""
    if len(summary.listed) > ROWS_SHOWN:
        yield f"{len(summary.listed) - ROWS_SHOWN} more are in report.html.\n"


def _became(known: Known) -> str:
    if known.status == "fails as listed":
        return known.status
    return f"**{known.status}**: {escape(known.message)}"


def _why(known: Known) -> str:
    reason = escape(known.reason)
    return f"{reason} [Link]({known.link})" if is_link(known.link) else reason


def _piece(piece: Piece) -> str:
    return code(piece.text) if piece.code else entities(piece.text)


def _rows(summary: Summary) -> Iterator[str]:
    if not summary.rows:
        return
    oracles = [total.oracle for total in summary.totals]
    yield "### Ops by oracle\n"
    yield f"| op | {' | '.join(escape(o, 40) for o in oracles)} |"
    yield f"|---|{'---|' * len(oracles)}"
    for row in summary.rows[:ROWS_SHOWN]:
        yield _row(row)
    yield ""
    if len(summary.rows) > ROWS_SHOWN:
        yield f"{len(summary.rows) - ROWS_SHOWN} more rows are in report.html.\n"


def _row(row: Row) -> str:
    cells = (
        ", ".join(f"{count:,} {outcome}" for outcome, count in cell.outcomes.items()) for cell in row.cells
    )
    return f"| {code(row.name, 60)} | {' | '.join(cell or '–' for cell in cells)} |"


def _errors(summary: Summary) -> Iterator[str]:
    errors = accuracy.lines(summary.run.accuracy)[:ERRORS_SHOWN]
    if not errors:
        return
    yield "### Worst gradient errors found\n"
    yield "| op | dtype | order | budgets | ulps | case |"
    yield "|---|---|--:|--:|--:|---|"
    for error in errors:
        numbers = " | ".join(
            escape(short(text), 40) or "–" for text in (error.worst.budgets, error.worst.ulps)
        )
        shown = f"{code(error.given, 120)} {code(error.worst.id, 40)}"
        yield f"| {code(error.op, 60)} | {escape(error.dtype, 20)} | {error.order} | {numbers} | {shown} |"
    yield f"\nSee one again: {code(accuracy.command(summary.run.header), 300)} and its case.\n"


def _tail(run: Run) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in run.header.versions.items())
    yield f"Seed {run.header.seed}; {escape(versions, 500)}. Again:\n"
    yield fenced(again(run.header)[:2000])
