"""The pages for machines and CI: JUnit XML and Markdown."""

import re
from xml.etree import ElementTree as ET

from reports import junit, markdown
from reports.summary import summarize


def suite(run):
    """The test suite that a CI system would read."""
    return ET.fromstring(junit.render(summarize(run))).find("testsuite")


def cases(run):
    """Its test cases by op and oracle."""
    return {(c.get("classname").rsplit(".", 1)[-1], c.get("name")): c for c in suite(run)}


def test_a_test_case_for_each_op_and_oracle(build):
    """Findings fail the oracles that accuse, agreement passes, and the suite counts each kind."""
    run = build.run(build.header(), build.judged(1, ("add",)), build.finding(), build.Footer(1, 1, 1, 2.5))
    found = cases(run)
    outcomes = {key: [child.tag for child in case] for key, case in found.items()}
    assert outcomes[("std", "exact")] == outcomes[("std", "pytorch")] == ["failure"]
    assert outcomes[("add", "exact")] == []
    assert outcomes[("add", "pytorch")] == ["skipped"]
    assert outcomes[("run", "complete")] == []
    counts = {name: suite(run).get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "9", "failures": "3", "errors": "0", "skipped": "4", "time": "2.500"}


def test_a_failure_carries_the_letter(build):
    """A failure has the claim as its message and the program and command in its text."""
    failure = cases(build.run(build.header(), build.finding()))[("std", "exact")].find("failure")
    assert failure.get("message").startswith("Gradient of `x` in `std` is wrong")
    assert "y = std(x)" in failure.text
    assert "refgrad replay std-x-7f3a" in failure.text


def test_several_findings_of_an_op_are_one_failure(build):
    """JUnit allows one failure a test case, so the gravest finding leads and the others are counted."""
    run = build.run(build.header(), build.finding("one"), build.finding("two"), build.finding("three"))
    failures = cases(run)[("std", "exact")].findall("failure")
    assert len(failures) == 1
    assert failures[0].get("message").endswith("(and 2 more)")
    assert "refgrad replay three" in failures[0].text


def test_unsupported_ops_are_skipped_with_their_counts(build):
    """An oracle that compared nothing is skipped, and says what it answered instead."""
    run = build.run(build.header(), build.judged(1, ("add",), build.Verdict("exact", "unsupported")))
    assert cases(run)[("add", "exact")].find("skipped").get("message") == "1 unsupported"


def test_a_run_that_could_not_judge_is_an_error(build):
    """Nothing judged or a cut-off is an error of the run's own test case; a failure is told there."""
    nothing = cases(build.run(build.header(), build.Footer(0, 0, 0, 0.1)))[("run", "complete")]
    assert "Nothing can be said" in nothing.find("error").get("message")
    records = [build.header(), build.judged(1, ("add",)), build.Failure("worker 2", "killed")]
    cut_off = cases(build.run(*records))[("run", "complete")]
    assert "worker 2: killed" in cut_off.find("error").text
    whole = cases(build.run(*records, build.Footer(1, 1, 0, 0.1)))[("run", "complete")]
    assert whole.find("error") is None
    assert "worker 2: killed" in whole.find("system-out").text


def test_hostile_text_stays_text_in_xml(build):
    """The rich run is well-formed XML without characters that XML forbids, equal each time."""
    text = junit.render(summarize(build.run()))
    assert ET.fromstring(text).find("testsuite").get("tests") == str(text.count("<testcase"))
    assert not re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    assert text == junit.render(summarize(build.run()))


def test_markdown_says_what_matters_first(build):
    """The summary leads with the conclusion and has the finding, its command, and the table of ops."""
    run = build.run(build.header(), build.judged(1, ("add",)), build.finding())
    text = markdown.render(summarize(run))
    lines = text.splitlines()
    assert lines[0] == "## Faults found: refgrad on tinytape"
    assert lines[2].startswith("tinytape is wrong: 1 distinct fault in std")
    assert "**std-x-7f3a** Gradient of <code>x</code> in <code>std</code> is wrong: expected" in text
    assert "\nrefgrad replay std-x-7f3a\n" in text
    assert "| <code>add</code> | 1 agrees | – | – | – |" in lines


def test_hostile_text_stays_text_in_markdown(build):
    """Outside code blocks nothing from the run acts as Markdown or HTML, and table rows keep their shape."""
    text = markdown.render(summarize(build.run()))
    outside = re.sub(r"^(`{3,})\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"<(?!/?code>)", outside)
    assert "javascript:" not in outside
    assert "`" not in outside
    rows = [row for row in outside.splitlines() if row.startswith("|")]
    assert {row.count("|") for row in rows} == {7}
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)


def test_a_fence_outlasts_the_fences_inside():
    """Code that holds fences of its own is put between longer ones."""
    assert markdown.fenced("a\n````\nb\n") == "`````\na\n````\nb\n`````"


def test_long_runs_stay_short(build):
    """Hundreds of findings and ops are cut, and the summary says how many are left out."""
    findings = [build.finding(f"f{i:03}", f"op{i:03}") for i in range(200)]
    text = markdown.render(summarize(build.run(build.header(), *findings)))
    assert "180 more are in report.html" in text
    assert "140 more rows are in report.html" in text
    assert len(text) < 30_000
