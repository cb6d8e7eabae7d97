"""JUnit XML for CI systems: one test case for each op and oracle, a failure for what was found."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from oracles.records import ClauseOutcome, Finding, HistoryFinding, Known
from reports.evidence import as_text, title
from reports.semantics import said
from reports.summary import TRUTH, Cell, Row, Summary, row_of
from reports.text import clip, line, plain

BODY_SHOWN = 4000
FAULTS = ("differs", "errored")


def render(summary: Summary) -> str:
    """The XML document as text. Characters that XML cannot hold are spelled out."""
    run = summary.run
    cases = [_case(summary, row, cell) for row in summary.rows for cell in row.cells]
    cases += [_listed(summary, known) for known in summary.listed]
    cases += [_clause(summary, clause) for clause in summary.chapter.clauses]
    cases += [_history(summary, history) for history in summary.chapter.histories]
    cases += [_incomplete(summary)]
    suite = ET.Element(
        "testsuite",
        name=f"refgrad {line(run.header.subject)}",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        timestamp=line(run.header.started),
        time=f"{run.footer.seconds if run.footer else 0:.3f}",
    )
    suite.extend(cases)
    document = ET.Element("testsuites")
    document.append(suite)
    ET.indent(document)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(document, encoding="unicode") + "\n"


def _case(summary: Summary, row: Row, cell: Cell) -> ET.Element:
    case = _testcase(summary, row.name, cell.oracle)
    blamed = [f for f in summary.findings if row_of(f) == row.name and blames(f, cell.oracle)]
    findings = [f for f in blamed if not f.known]
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        message = line(as_text(title(findings[0]))) + more
        failure = ET.SubElement(case, "failure", message=message, type=line(findings[0].error))
        failure.text = "\n\n".join(_letter(f) for f in findings)
    elif blamed:
        reasons = {known.id: known.reason for known in summary.listed}
        said = "; ".join(f"{f.id}: {reasons.get(f.id, '')}" for f in blamed)
        ET.SubElement(case, "skipped", message=line(f"known: {said}", BODY_SHOWN))
    elif not cell.compared:
        ET.SubElement(case, "skipped", message=_counts(cell) or "no case of this op reached this oracle")
    return case


def _listed(summary: Summary, known: Known) -> ET.Element:
    """One test case for each known failure: skipped where it fails as listed, else a failure."""
    case = _testcase(summary, "known failures", known.id)
    said = line(f"{known.status}: {known.reason if known.status == 'fails as listed' else known.message}")
    if known.status == "fails as listed":
        ET.SubElement(case, "skipped", message=said)
    else:
        failure = ET.SubElement(case, "failure", message=said, type=known.status)
        failure.text = plain(
            clip("\n\n".join(filter(None, (known.message, known.reason, known.link))), BODY_SHOWN)
        )
    return case


def _clause(summary: Summary, clause: ClauseOutcome) -> ET.Element:
    """One test case for each clause: skipped where it was not judged or does not hold as listed."""
    case = _testcase(summary, "contract", f"{clause.id} {clause.sentence}")
    if clause.new or clause.stale:
        what = clause.status if clause.stale else clause.outcome
        failure = ET.SubElement(case, "failure", message=said(clause) or what, type=what)
        failure.text = plain(
            clip("\n\n".join(filter(None, (clause.lines, clause.reason, clause.why))), BODY_SHOWN)
        )
    elif clause.outcome != "holds":
        ET.SubElement(case, "skipped", message=line(f"{clause.outcome}: {clause.why or clause.reason}"))
    return case


def _history(summary: Summary, history: HistoryFinding) -> ET.Element:
    """One test case for each history that differs from PyTorch's: skipped where it is listed."""
    case = _testcase(summary, "histories", history.id)
    if history.known:
        ET.SubElement(case, "skipped", message=line(f"known: {history.why}", BODY_SHOWN))
    else:
        failure = ET.SubElement(case, "failure", message=line(history.kind), type="history")
        failure.text = plain(clip("\n\n".join((history.lines, *history.found)), BODY_SHOWN))
    return case


def _testcase(summary: Summary, op: str, oracle: str) -> ET.Element:
    return ET.Element(
        "testcase", classname=f"refgrad.{line(summary.run.header.subject)}.{line(op)}", name=line(oracle)
    )


def blames(finding: Finding, oracle: str) -> bool:
    """Whether this oracle found the fault; a fault that no oracle claims is put to the exact one."""
    accusers = {v.oracle for v in finding.verdicts if v.outcome in FAULTS}
    return oracle in (accusers or {TRUTH})


def _counts(cell: Cell) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in cell.outcomes.items())


def _letter(finding: Finding) -> str:
    parts = [as_text(title(finding)), finding.message, finding.program, finding.command]
    return plain("\n\n".join(clip(part, BODY_SHOWN) for part in parts if part))


def _incomplete(summary: Summary) -> ET.Element:
    """One test case for the run itself: an error if it did not end or judged nothing."""
    case = _testcase(summary, "run", "complete")
    said = [*summary.notices, *(f"{failure.where}: {failure.message}" for failure in summary.run.failures)]
    text = plain("\n".join(clip(sentence, BODY_SHOWN) for sentence in said))
    footer = summary.run.footer
    if footer is None or footer.interrupted or summary.run.problems or summary.conclusion == "nothing judged":
        ET.SubElement(case, "error", message=line((*summary.notices, summary.sentence)[0])).text = text
    elif text:
        ET.SubElement(case, "system-out").text = text
    return case
