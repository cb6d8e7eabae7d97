"""The chapter on semantics, on every page: what it concludes, what it shows, and that nothing in it acts as markup."""

import io
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from oracles.histories.action import Action, History
from oracles.records import ClauseOutcome, HistoryFinding
from reports import html, junit, markdown
from reports.live import Lines
from reports.summary import summarize

HOSTILE = '<script>alert("x")</script> & \x1b[31m`|*'


def clause(name="BW-4", outcome="holds", **more):
    """A clause about backward and what became of it."""
    given = {
        "topic": "backward()",
        "sentence": f"The sentence of {name}.",
        "page": "a page",
        "lines": "x = 1",
    }
    if outcome == "violated":
        given |= {"expected": "7", "got": "4"}
    return ClauseOutcome(name, outcome=outcome, **given | more)


def history(name="history-1", known=False, **more):
    """A history that differs."""
    action = Action("leaf", name="float32", numbers=(0, 1.0), makes=1)
    given = {
        "script": "import torch",
        "kind": "write zero_: version",
        "found": ("t0: version: expected 1, got 0",),
        "lines": "t0.zero_()",
    }
    return HistoryFinding(name, "tinytape", history=History((action,)), known=known, **given | more)


def summary(build, *records, cases=True, **footer):
    """A run with these records, and with one case that agrees."""
    judged = [build.judged(1, ("add",))] if cases else []
    return summarize(
        build.run(build.header(), *records, *judged, build.Footer(len(judged), len(judged), 0, 1.0, **footer))
    )


@pytest.mark.parametrize(
    ("records", "footer", "conclusion", "said"),
    [
        ([clause()], {}, "agrees", "It holds 1 clause of PyTorch's autograd contract."),
        (
            [clause(), clause("BW-1", "unsupported")],
            {},
            "agrees",
            "contract; 1 more are about what it lacks.",
        ),
        (
            [clause(), clause("BW-1", "violated")],
            {},
            "differs",
            "It breaks PyTorch's autograd contract in BW-1",
        ),
        ([clause("BW-1", "errored", got="TypeError")], {}, "differs", "contract in BW-1 and holds 0 clauses"),
        (
            [clause(), clause("BW-1", "violated", status="as listed", why="w")],
            {},
            "known",
            "It holds 1 clause of PyTorch's autograd contract, breaks 1 as listed.",
        ),
        (
            [clause("BW-1", "violated", status="as listed", why="w", design=True), clause()],
            {},
            "agrees",
            "breaks 1 as listed",
        ),
        (
            [clause("BW-1", "holds", status="healed", why="w")],
            {},
            "stale",
            "Its list of clauses is out of date",
        ),
        (
            [clause(), history()],
            {"steps": 9},
            "differs",
            "It differs from PyTorch after 1 history of a few steps.",
        ),
        ([clause(), history(known=True, why="w")], {"steps": 9}, "known", "It holds 1 clause"),
        ([clause()], {"stale": 1}, "stale", "It holds 1 clause"),
    ],
)
def test_the_conclusion(build, records, footer, conclusion, said):
    """What is not listed fails the run, and so does a list that is wrong."""
    found = summary(build, *records, **footer)
    assert found.conclusion == conclusion
    assert said in found.sentence


def test_semantics_alone(build):
    """Without a case the subject is named, and the page has no empty tables of gradients."""
    found = summary(build, clause(), cases=False)
    assert found.conclusion == "agrees"
    assert found.sentence.startswith("tinytape holds 1 clause")
    page = html.render(found)
    assert 'id="semantics"' in page
    assert 'id="coverage"' not in page


def test_nothing_is_lost(build):
    """Each clause that does not hold has its sentence, what was expected and got, and its lines, on every page."""
    found = summary(
        build,
        clause("BW-1", "violated", script="import torch"),
        clause("BW-2", "errored", got="TypeError: odd", reason="where it came from"),
        clause("BW-8", "violated", status="as listed", why="the reason", design=True),
        history(),
        steps=5,
    )
    page = html.render(found)
    for text in (
        "The sentence of BW-1.",
        "TypeError: odd",
        "where it came from",
        "the reason",
        "by design",
        "t0.zero_()",
    ):
        assert text in page
    assert "each of 5 steps" in page
    text = markdown.render(found)
    assert "BW-1" in text
    assert "t0.zero_()" in text
    assert "BW-8" not in text
    suite = ET.fromstring(junit.render(found))
    failures = {case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None}
    assert failures == {"BW-1 The sentence of BW-1.", "BW-2 The sentence of BW-2.", "history-1"}
    skipped = {case.get("name") for case in suite.iter("testcase") if case.find("skipped") is not None}
    assert "BW-8 The sentence of BW-8." in skipped


def test_hostile_text_is_harmless(build):
    """Whatever a subject says, it is text."""
    found = summary(
        build,
        clause(
            "BW-1", "violated", expected=HOSTILE, got=HOSTILE, reason=HOSTILE, lines=HOSTILE, script=HOSTILE
        ),
        clause("BW-2", "errored", got=HOSTILE, reason=HOSTILE, why=HOSTILE, status="changed"),
        history(kind=HOSTILE, found=(HOSTILE,), lines=HOSTILE, script=HOSTILE, why=HOSTILE),
        steps=1,
    )
    page = html.render(found)
    assert "<script>alert" not in page
    assert "\x1b" not in page
    text = markdown.render(found)
    outside = "".join(text.split("```")[::2])
    assert "<script>" not in outside
    ET.fromstring(junit.render(found))


def test_lines_tell_what_fails(build):
    """Held and listed clauses pass in silence."""
    out = io.StringIO()
    lines = Lines(Console(file=out, width=200))
    for record in (
        clause(),
        clause("BW-1", "violated"),
        clause("BW-2", "violated", status="as listed", why="w"),
        clause("BW-8", "holds", status="healed", why="w"),
        history(),
        history("history-2", known=True, why="w"),
    ):
        lines.record(record)
    said = out.getvalue()
    assert "BW-1 violated: The sentence of BW-1.\n  expected 7, got 4" in said
    assert "BW-8" in said
    assert "history-1: after a history of 1 step: write zero_: version" in said
    assert "BW-4" not in said
    assert "BW-2" not in said
    assert "history-2" not in said
