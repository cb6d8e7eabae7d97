"""The counts and sentences that all pages share."""

import random

import pytest

from reports.summary import COMPOSED, REASONS_SHOWN, severity, summarize


def test_a_run_that_agrees(build):
    """With judged cases and no finding the conclusion is agreement, with the number of cases judged."""
    cases = [build.judged(i, ("add",)) for i in range(3)]
    summary = summarize(build.run(build.header(), *cases, build.Footer(3, 3, 0, 1.0)))
    assert summary.conclusion == "agrees"
    assert summary.sentence == "tinytape agrees with the enclosed truth in every one of the 3 cases judged."
    assert (summary.cases, summary.judged, summary.elements, summary.notices) == (3, 3, 12, ())


@pytest.mark.parametrize("outcome", ["cannot tell", "uninformative", "unsupported", "errored"])
def test_an_outcome_without_comparison_judges_nothing(build, outcome):
    """Cases that the exact oracle could not compare never count as judged, whatever other oracles say."""
    verdicts = (build.Verdict("exact", outcome), build.Verdict("pytorch", "agrees"))
    summary = summarize(build.run(build.header(), build.judged(1, ("add",), *verdicts)))
    assert (summary.conclusion, summary.judged) == ("nothing judged", 0)
    assert "none of 1 case could be judged" in summary.sentence


def test_findings_decide(build):
    """One finding makes the run wrong, even where the line of its case was lost."""
    summary = summarize(build.run(build.header(), build.finding()))
    assert summary.conclusion == "differs"
    assert summary.sentence == "tinytape is wrong: 1 distinct fault in std, found in 0 cases."
    assert [(row.name, row.findings) for row in summary.rows] == [("std", ("std-x-7f3a",))]


def test_a_difference_without_a_finding_still_differs(build):
    """A run that was cut off between a differing case and its finding does not pass."""
    case = build.judged(1, ("add",), build.Verdict("exact", "differs", ratio="7"))
    summary = summarize(build.run(build.header(), case))
    assert summary.conclusion == "differs"
    assert summary.sentence == "tinytape differs from the enclosed truth in 1 case of 1."
    assert any("no finding was written" in notice for notice in summary.notices)


def test_only_programs_of_one_op_count_for_its_row(build):
    """Composed programs, even of one op twice, have their own row."""
    cases = [build.judged(1, ("add",)), build.judged(2, ("add", "add")), build.judged(3, ("add", "mul"))]
    rows = {row.name: row.cases for row in summarize(build.run(build.header(), *cases)).rows}
    assert rows == {"add": 1, COMPOSED: 2}


def test_an_op_that_was_never_compared_is_not_judged(build):
    """Ops judged alone are those that the exact oracle compared at least once."""
    unsupported = build.judged(2, ("relu",), build.Verdict("exact", "unsupported"))
    run = build.run(build.header(), build.judged(1, ("add",)), unsupported, build.judged(3, ("add", "mul")))
    assert summarize(run).ops_alone == 1


def test_rows_follow_the_gravity_of_their_findings(build):
    """Rows with findings come first in the order of the findings, then the others by name, composed last."""
    names = [row.name for row in summarize(build.run()).rows]
    assert names[0] == "prod"
    assert names[2:6] == [COMPOSED, "std", "softmax", "cat"]
    assert names[6:] == sorted(names[6:])


def test_the_worst_error_is_kept_with_its_case(build):
    """Of several compared cases a cell keeps the one with the largest ratio, nan above every number."""
    cases = [
        build.judged(i, ("add",), build.Verdict("exact", "agrees", ratio=ratio, ulps=f"{i}"), dtype=dtype)
        for i, (ratio, dtype) in enumerate([("0.5", "float64"), ("0.75", "float32"), ("0.1", "float64")])
    ]
    worst = summarize(build.run(build.header(), *cases)).rows[0].cells[0].worst
    assert (worst.ratio, worst.ulps, worst.case, worst.dtype) == ("0.75", "1", "000000000001", "float32")


def test_reasons_are_counted(build):
    """Reasons are counted by outcome for each oracle, the commonest first, the rest in one line."""
    verdicts = [build.Verdict("differences", "cannot tell", f"reason {max(i - 4, 0):02}") for i in range(20)]
    cases = [build.judged(i, ("add",), v) for i, v in enumerate(verdicts)]
    reasons = summarize(build.run(build.header(), *cases)).reasons
    assert (reasons[0].text, reasons[0].cases) == ("reason 00", (0, 0, 5, 0))
    assert len(reasons) == REASONS_SHOWN + 1
    assert (reasons[-1].text, reasons[-1].cases) == ("6 other reasons", (0, 0, 6, 0))
    assert sum(sum(reason.cases) for reason in reasons) == 20


def test_a_convention_has_no_error(build):
    """At a kink the distance from the contract's choice is not the worst error of the op."""
    said = [("agrees", "0.5"), ("convention", "inf")]
    cases = [
        build.judged(1, ("max",), build.Verdict("exact", outcome, ratio=ratio)) for outcome, ratio in said
    ]
    cell = summarize(build.run(build.header(), *cases)).rows[0].cells[0]
    assert (cell.worst.ratio, cell.compared) == ("0.5", 2)


def test_ops_never_reached_are_named(build):
    """Ops of the plan that no case used are listed."""
    assert summarize(build.run()).unreached == ("std_mean", "trace")


def test_silent_faults_come_before_loud_ones(build):
    """Findings are ordered silent before loud, then by error, nan before every number."""
    assert [f.id for f in sorted(build.findings(), key=severity) if f.id != build.HOSTILE] == [
        "prod-x-44d0",
        "walk-a-e100",
        "std-x-7f3a",
        "softmax-x-01ab",
        "cat-tensors-9c2e",
    ]


def test_the_order_of_records_does_not_matter(build):
    """A run whose cases and findings arrive in another order has the same rows and findings."""
    records = build.records()
    random.Random(1).shuffle(records)
    shuffled, ordered = summarize(build.run(*records)), summarize(build.run())
    assert [f.id for f in shuffled.findings] == [f.id for f in ordered.findings]
    assert [(r.name, r.cases, r.faces, r.findings) for r in shuffled.rows] == [
        (r.name, r.cases, r.faces, r.findings) for r in ordered.rows
    ]


def test_an_interrupted_run_says_so(build):
    """The footer's interruption and unshrunk findings are notices."""
    run = build.run(build.header(), build.finding(shrunk=False), build.Footer(0, 0, 1, 1.0, True))
    notices = " ".join(summarize(run).notices)
    assert "interrupted" in notices
    assert "1 finding was not shrunk" in notices
