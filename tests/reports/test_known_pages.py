"""Known failures on every page: new findings first, what is wrong with the list loud, reasons and links harmless."""

import io
import re
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from oracles.records import Known
from reports import html, junit, markdown
from reports.live import Bar, Lines
from reports.stream import RunWriter, read_run
from reports.summary import summarize
from reports.text import is_link

from .test_html import Page


def known(label, status="fails as listed", **changes):
    """An entry of the list, about `std`."""
    given = {
        "blame": "std",
        "argument": "x",
        "error": "wrong value",
        "reason": f"the reason of {label}",
        "link": "https://example.org/issues/1",
        "since": "0.3.1",
        "message": "" if status == "fails as listed" else f"{label} said so",
    }
    return Known(label, status=status, **given | changes)


@pytest.fixture
def runs(build):
    """Runs against a list: one where it holds, one with a new fault, and one where it is out of date."""
    case = build.judged(1, ("add",))
    old = build.finding("old", "cat", known=True)
    held = [build.header(), known("old", blame="cat"), old, case]
    stale = [known("gone", "healed"), known("other", "changed", now="new"), known("lost", "not reached")]
    footer = build.Footer(1, 1, 1, 2.0, known=1)
    return SimpleNamespace(
        holds=build.run(*held, footer),
        new=build.run(*held, build.finding("new", seen=2), build.Footer(1, 1, 2, 2.0, known=1, left_out=3)),
        stale=build.run(*held, *stale, build.Footer(1, 1, 1, 2.0, known=1, stale=3)),
        only_stale=build.run(build.header(), case, *stale[:1], build.Footer(1, 1, 0, 2.0, stale=1)),
        both=build.run(*held, *stale, build.finding("new"), build.Footer(1, 1, 2, 2.0, known=1, stale=3)),
    )


def test_the_conclusions(runs):
    """A list that holds is no fault; a new finding is one, and so is a list that is out of date."""
    said = {name: (s.conclusion, s.sentence) for name, s in map_summaries(runs)}
    stale = "Its list of known failures is out of date: 1 healed, 1 changed and 1 not reached."
    assert said == {
        "holds": ("known", "tinytape has 1 known fault and no new one."),
        "new": ("differs", "tinytape is wrong: 1 new fault in std beside 1 known one, found in 1 case."),
        "stale": ("stale", f"tinytape has 1 known fault and no new one. {stale}"),
        "only_stale": (
            "stale", "No new fault was found in tinytape. Its list of known failures is out of date: 1 healed."
        ),
        "both": ("differs", f"tinytape is wrong: 1 new fault in std beside 1 known one, found in 1 case. {stale}"),
    }  # fmt: skip


def map_summaries(runs):
    """Each run's name with its summary."""
    return [(name, summarize(run)) for name, run in vars(runs).items()]


def test_known_faults_alone_judge_nothing(build):
    """A run that compared nothing with the truth says so, even where all that fails is known."""
    records = [build.header(), known("old"), build.finding("old", known=True)]
    assert summarize(build.run(*records)).conclusion == "nothing judged"


def test_new_findings_come_before_known_ones(build):
    """However grave a known finding is, every new one comes before it, and so do their rows."""
    grave = build.finding("grave", "prod", known=True)
    mild = build.finding("mild", "cat", error="raises TypeError", verdicts=())
    summary = summarize(build.run(build.header(), known("grave"), grave, mild))
    assert [f.id for f in summary.findings] == ["mild", "grave"]
    assert [f.id for f in summary.new] == ["mild"]
    assert [row.name for row in summary.rows] == ["cat", "prod"]


def test_the_last_record_of_an_entry_counts(build, tmp_path):
    """An entry that is written again once the search has ended is read as it was then."""
    with RunWriter(tmp_path / "run.jsonl") as writer:
        for record in (build.header(), known("old", "healed"), known("old", "changed", now="old")):
            writer.write(record)
    assert [k.status for k in read_run(tmp_path / "run.jsonl").known] == ["changed"]


@pytest.mark.parametrize("name", ["holds", "new", "stale", "only_stale", "both"])
def test_the_page_is_whole(runs, name):
    """With every state of a list the page is balanced, and each of its links leads somewhere."""
    page = Page(html.render(summarize(getattr(runs, name))))
    assert page.errors == []
    inside = [attrs["href"][1:] for tag, attrs in page.tags if tag == "a" and attrs["href"].startswith("#")]
    assert set(inside) <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    assert "known" in page.ids


def test_the_page_shows_the_list(runs):
    """Each entry is there with its status, reason, link and age; a known finding carries them too."""
    text = html.render(summarize(runs.new))
    page = Page(text)
    assert "the reason of old" in page.text
    assert ("a", {"href": "https://example.org/issues/1", "rel": "noreferrer"}) in page.tags
    assert "Fails as listed, since 0.3.1: the reason of old" in page.text
    assert "3 more entries of ops that this run was not asked about." in page.text
    assert text.index('id="finding-new"') < text.index('id="finding-old"')
    assert "seen in 2 cases" in page.text


def test_a_list_that_is_out_of_date_is_loud(runs):
    """What is wrong with the list comes before the matrix, the entries that fail the run first."""
    text = html.render(summarize(runs.stale))
    assert "List of known failures out of date" in text
    assert text.index('id="known"') < text.index('id="ops"')
    rows = re.findall(
        r'<tr( class="worst")?><th scope="row">(?:<a [^>]*>)?(\w+)', text.partition('id="ops"')[0]
    )
    assert rows == [(' class="worst"', n) for n in ("gone", "other", "lost")] + [("", "old")]
    held = html.render(summarize(runs.holds))
    assert held.index('id="known"') > held.index('id="findings"')
    assert "differs-text" not in held.partition('id="known"')[2].partition("</section>")[0]


def test_junit_skips_what_is_known(runs):
    """A known finding is skipped with its reason, a new one fails beside it, and a stale entry fails."""
    cases = _cases(runs.both)
    assert "old: the reason of old" in cases[("cat", "exact")].find("skipped").get("message")
    assert cases[("cat", "exact")].find("failure") is None
    assert cases[("std", "exact")].find("failure") is not None
    listed = {
        name: [child.tag for child in case] for (op, name), case in cases.items() if op == "known failures"
    }
    assert listed == {"gone": ["failure"], "other": ["failure"], "lost": ["failure"], "old": ["skipped"]}
    assert cases[("known failures", "gone")].find("failure").get("message") == "healed: gone said so"


def _cases(run):
    root = ET.fromstring(junit.render(summarize(run)))
    return {(c.get("classname").rsplit(".", 1)[-1], c.get("name")): c for c in root.iter("testcase")}


def test_markdown_says_the_same_in_short(runs):
    """The list is a table with statuses, reasons and links, and only new findings are shown whole."""
    text = markdown.render(summarize(runs.both))
    assert (
        "| <code>gone</code> | **healed**: gone said so | the reason of gone [Link](https://example.org/issues/1) |"
        in text
    )
    assert "| <code>old</code> | fails as listed | the reason of old" in text
    assert text.index("<code>gone</code>") < text.index("<code>old</code>")
    assert "refgrad replay new" in text
    assert "refgrad replay old" not in text
    assert "## No new fault found: refgrad on tinytape" in markdown.render(summarize(runs.holds))


HOSTILE_LINKS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "https://a.b/)[x](javascript:1)",
    'https://a.b/"onmouseover="alert(1)',
    "https://a.b/\njavascript:alert(1)",
    " https://a.b",
    "//a.b",
    "https://",
]


@pytest.mark.parametrize("link", HOSTILE_LINKS)
def test_only_web_addresses_become_links(build, link):
    """Any other address, however it is written, is shown as text or not at all."""
    assert not is_link(link)
    run = build.run(build.header(), known("old", link=link), build.finding("old", known=True))
    page = Page(html.render(summarize(run)))
    assert page.errors == []
    assert [a["href"] for tag, a in page.tags if tag == "a" and not a["href"].startswith("#")] == []
    assert "](" not in markdown.render(summarize(run))


def test_hostile_text_stays_text(build):
    """Whatever an entry holds, no page is broken by it and nothing of it acts."""
    words = dict.fromkeys(("blame", "argument", "error", "reason", "link", "since", "message"), build.HOSTILE)
    entries = [
        known(f"{build.HOSTILE}{n}", s, **words)
        for n, s in enumerate(("healed", "changed", "fails as listed"))
    ]
    run = build.run(build.header(), *entries, build.finding(f"{build.HOSTILE}2", known=True))
    summary = summarize(run)
    page = Page(html.render(summary))
    assert page.errors == []
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [a for tag, a in page.tags if tag == "a" and "javascript" in a["href"]]
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", html.render(summary))
    outside = re.sub(r"^(`{3,})\n.*?\n\1$", "", markdown.render(summary), flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"<(?!/?code>)|\]\(", outside)
    assert {
        row.count("|") for row in outside.partition("### Known failures")[2].splitlines()[2:7] if row
    } == {4}
    assert len(_cases(run)) > 3
    file = io.StringIO()
    with Lines(Console(file=file, width=100_000)) as display:
        for entry in entries:
            display.record(entry)
    assert file.getvalue().count("\n") == 3
    assert "\x1b" not in file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_live_says_what_became_of_the_list(build, terminal):
    """Each entry is a line as it is judged; a known finding is not announced as a new one."""
    file = io.StringIO()
    console = Console(file=file, width=200, force_terminal=terminal, color_system=None)
    with (Bar if terminal else Lines)(console) as display:
        for record in (
            known("old"),
            build.finding("old", known=True),
            known("gone", "healed"),
            build.finding("new"),
        ):
            display.record(record)
    said = file.getvalue()
    assert "known failure old: fails as listed" in said
    assert "known failure gone: healed: gone said so" in said
    assert "refgrad replay new" in said
    assert "refgrad replay old" not in said
