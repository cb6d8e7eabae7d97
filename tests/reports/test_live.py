"""Live progress, on a terminal and off it."""

import io
import re
from types import SimpleNamespace

from rich.console import Console

from reports.live import EVERY_SECONDS, Bar, Lines, live


def at(done, total=1000, findings=0, doing="softmax float32"):
    """How far a campaign is."""
    return SimpleNamespace(done=done, total=total, doing=doing, findings=findings, what="cases")


def test_the_console_decides():
    """A terminal gets a bar, anything else gets lines."""
    assert isinstance(live(Console(file=io.StringIO(), force_terminal=True)), Bar)
    assert isinstance(live(Console(file=io.StringIO())), Lines)


def test_lines_come_every_few_seconds(build):
    """Of many reports only one every few seconds is printed, each whole on its line."""
    file, now = io.StringIO(), [0.0]
    with Lines(Console(file=file, width=20), clock=lambda: now[0]) as display:
        for step in range(12):
            now[0] = step * EVERY_SECONDS / 4
            display.progress(at(step * 100, findings=step // 6))
    assert file.getvalue().splitlines() == [
        "0 s: 0 of 1,000 cases, 0 findings, judging softmax float32",
        "5 s: 400 of 1,000 cases, 0 findings, judging softmax float32",
        "10 s: 800 of 1,000 cases, 1 finding, judging softmax float32",
    ]


def test_lines_without_a_known_end_name_none():
    """A run for a given time shows how many cases are done, and no total."""
    file = io.StringIO()
    Lines(Console(file=file)).progress(at(7, total=0))
    assert "7 cases" in file.getvalue()
    assert " of " not in file.getvalue()


def test_lines_hold_no_control_characters(build):
    """Neither hostile names nor styles put anything but text into a log."""
    file = io.StringIO()
    with Lines(Console(file=file, width=100_000)) as display:
        display.progress(at(1, doing=build.HOSTILE))
        for record in build.records():
            display.record(record)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", file.getvalue())
    assert file.getvalue().count("\n") == 1 + 2 * 6 + 2


def test_the_bar_shows_counts_and_findings_above_it(build):
    """On a terminal the bar says what is judged and how far, and a finding is printed whole."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=160, color_system=None)
    with Bar(console) as display:
        display.progress(at(250, findings=1))
        display.record(build.finding())
        display.record(build.Failure("worker 2", "killed"))
        display._bar.refresh()
    shown = file.getvalue()
    assert "250/1000" in shown
    assert "1 finding  softmax float32" in shown
    assert "std-x-7f3a: Gradient of `x` in `std` is wrong" in shown
    assert "  refgrad replay std-x-7f3a" in shown
    assert "worker 2: killed" in shown
