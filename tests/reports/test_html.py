"""The report is one whole, harmless, offline page in which every link leads somewhere."""

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from reports import html
from reports.html import again
from reports.summary import summarize

VOID = {"meta", "br", "wbr", "line", "link", "img", "input", "hr"}


def render(run):
    """The page of a run."""
    return html.render(summarize(run))


class Page(HTMLParser):
    """A page taken apart; `errors` says where its tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.errors, self.tags, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        self.errors += self.open

    def handle_starttag(self, tag, attrs):
        """Note the tag, and that it is open unless it has no end."""
        self.tags.append((tag, dict(attrs)))
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.errors.append(f"{tag} repeats an attribute")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Note the tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """Close the last open tag, which must be this one."""
        if not self.open or self.open.pop() != tag:
            self.errors.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        """Note the text."""
        self.texts.append(data)

    @property
    def ids(self):
        """Every id, in order."""
        return [attrs["id"] for _, attrs in self.tags if "id" in attrs]

    @property
    def text(self):
        """All text with single spaces."""
        return " ".join(" ".join(self.texts).split())


def pages(build):
    """Pages of very different runs, by name."""
    cut_off = build.run(build.header(), *build.cases(), build.finding(shrunk=False))
    agreeing = build.run(build.header(), build.judged(1, ("add",)), build.Footer(1, 1, 0, 0.5))
    return {
        "rich": render(build.run()),
        "cut off": render(cut_off),
        "agreeing": render(agreeing),
        "empty": render(build.run(build.header(ops=(), versions={}, oracles=(), command=""))),
    }


@pytest.fixture(params=["rich", "cut off", "agreeing", "empty"])
def page(request, build):
    """One of the pages, taken apart."""
    return Page(pages(build)[request.param])


def test_tags_match(page):
    """Every tag is closed in order and no attribute is given twice."""
    assert page.errors == []


def test_ids_are_unique(page):
    """No two elements share an id."""
    assert [i for i, n in Counter(page.ids).items() if n > 1] == []


def test_links_and_labels_lead_somewhere(page):
    """Every link, and every reference to a label, points at an id of the same page."""
    hrefs = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert [h for h in hrefs if not h.startswith("#") or h[1:] not in page.ids] == []
    labels = [attrs["aria-labelledby"] for _, attrs in page.tags if "aria-labelledby" in attrs]
    assert set(labels) <= set(page.ids)


def test_nothing_is_loaded(page):
    """No element names a resource, and the page forbids loading any."""
    loads = [
        (t, a) for t, a in page.tags if {"src", "srcset", "data", "poster", "action"} & set(a) or t == "link"
    ]
    assert loads == []
    assert any("default-src 'none'" in (a.get("content") or "") for t, a in page.tags if t == "meta")
    assert not re.search(r"url\(|@import|https?://", " ".join(page.texts))


def test_no_script_but_our_own(page):
    """The page has one script and no event attribute."""
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert [a for _, attrs in page.tags for a in attrs if a.startswith("on")] == []


def test_what_scrolls_takes_the_keyboard(page):
    """Every box that may scroll can be focused and has a name, and headings never skip a level."""
    boxes = [a for t, a in page.tags if t == "pre" or a.get("class") in ("scroll", "drawn")]
    focusable = [a for a in boxes if a.get("tabindex") == "0" and a.get("aria-label")]
    assert focusable == boxes
    levels = [int(t[1]) for t, _ in page.tags if re.fullmatch("h[1-6]", t)]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_pages_are_small(build):
    """Without data the page stays far under 250 KB, and 900 cases with six findings add little."""
    sizes = {name: len(text.encode()) for name, text in pages(build).items()}
    assert sizes["empty"] < 40_000
    assert sizes["rich"] < 250_000


def test_equal_runs_give_equal_pages(build):
    """The page is a function of the run alone."""
    assert render(build.run()) == render(build.run())


def test_hostile_text_is_shown_and_does_nothing(build):
    """A hostile name appears as text, without its control and direction characters."""
    text = render(build.run())
    assert "<script>alert" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    shown = Page(text).text
    assert "<script>alert(1)</script>" in shown
    assert "\\x1b[31m\\x00\\u202eevil\\u2066" in shown


def test_a_finding_shows_all_that_a_stranger_needs(build):
    """Claim, program, numbers in ulps and budgets, enclosure, judges, plot, command and script are there."""
    page = Page(render(build.run(build.header(), build.finding(plot=build.plot()))))
    for part in (
        "Gradient of x in std is wrong: expected 0.70710678118654752 , got 0.5",
        "y = std(x)",
        "The step that goes wrong is t0 = std(x)",
        "± 3.1e-41",
        "4.93e5",
        "3.47e6",
        "agrees with the truth",
        "How to read it",
        "20 dots lie above the line",
        "refgrad replay std-x-7f3a",
        "import tinytape",
    ):
        assert part in page.text.replace(" ,", " ,"), part
    assert "finding-std-x-7f3a" in page.ids
    assert sum(attrs.get("class") == "dot wrong" for _, attrs in page.tags) == 20


def test_faults_link_to_their_finding_and_counts_to_their_row(build):
    """In the matrix a differing cell leads to the finding, an agreeing one to the details of the op."""
    text = render(build.run())
    row = text[text.index('<th scope="row"><a href="#op-std">') :]
    cell = row[: row.index("</td>")]
    assert re.search(r'href="#finding-std-x-7f3a">\d+ differ', cell)
    assert re.search(r'href="#op-std">\d+ agree', cell)


def test_cut_off_and_failures_are_told_first(build):
    """Notices stand before the conclusion, and the failures have a section that the notice links to."""
    run = build.run()
    text = Page(
        render(type(run)(run.header, run.cases, (), run.failures, None, ("The run was cut off.",)))
    ).text
    assert text.index("The run was cut off.") < text.index("Faults found")
    assert "See the failures." in text
    assert "killed after 30 s without an answer" in text


def test_nothing_judged_is_no_agreement(build):
    """A run without judged cases says that it could not judge, and never that no fault was found."""
    text = Page(render(build.run(build.header()))).text
    assert "Could not judge" in text
    assert "No fault found" not in text


@pytest.mark.parametrize(
    ("command", "repeats"),
    [
        ("refgrad check tinytape", "refgrad check tinytape --seed 20261121"),
        ("refgrad check tinytape --seed 3", "refgrad check tinytape --seed 3"),
        ("", ""),
    ],
)
def test_the_run_can_be_repeated(build, command, repeats):
    """The command that repeats a run has its seed."""
    assert again(build.header(command=command)) == repeats


def test_names_that_clash_keep_their_own_anchors(build):
    """Names that are equal but for odd characters, or that look like our own anchors, stay apart."""
    names = ["a b", "a_b", "-1", "-2", "title", "a_b:title", "", "é"]
    cases = [build.judged(i, (name,)) for i, name in enumerate(names)]
    page = Page(render(build.run(build.header(), *cases, *(build.finding(name, name) for name in names))))
    assert len(page.ids) == len(set(page.ids))
    assert sum(i.startswith("op-") for i in page.ids) == len(names)
