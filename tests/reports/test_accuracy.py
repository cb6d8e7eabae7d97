"""The table of worst errors: ordered, bounded, escaped, and absent where a run has none."""

import json

import msgspec
import pytest

from reports import accuracy, html, markdown
from reports.stream import read_run
from reports.summary import summarize

from .test_html import Page


def page(run):
    """The page of a run."""
    return html.render(summarize(run))


def test_the_worst_comes_first_with_its_input(build):
    """Lines are by budgets, one for each op and dtype, with the worse order and the step as code."""
    lines = accuracy.lines(tuple(build.accuracy()))
    plain = [line for line in lines if line.op in build.OPS]
    assert [float(line.worst.budgets) for line in plain] == sorted(
        (float(line.worst.budgets) for line in plain), reverse=True
    )
    first = plain[0]
    assert (first.op, first.dtype, first.order, first.wrong) == ("std", "float32", 2, True)
    assert first.cases == 48
    assert first.given == "std(x); x = [0.5, 0.25]; cotangent of t0 = 1.0"
    assert first.ulps.ulps == "1e15"
    assert len(lines) == 2 * len(build.OPS) + 1


def test_rows_beyond_the_first_are_folded(build):
    """Twenty rows stand in the open, the rest in a details element, each with what replays it."""
    text = page(build.run())
    section = text[text.index('id="accuracy"') : text.index('id="coverage"')]
    assert section.count('<tr id="error-') == 2 * len(build.OPS) + 1
    assert section.index("<details>") > section.index(f'id="error-{accuracy.SHOWN}"')
    assert section.index("<details>") < section.index(f'id="error-{accuracy.SHOWN + 1}"')
    assert f"{2 * len(build.OPS) + 1 - accuracy.SHOWN} more rows with smaller errors" in section
    assert "refgrad replay 000000000062" in section
    assert 'href="#accuracy"' in text


def test_hostile_names_do_nothing(build):
    """An op, a dtype, an id and numbers that are markup are text, in the page and in the summary."""
    hostile = [record for record in build.accuracy() if record.op == build.HOSTILE]
    run = build.run(build.header(subject_file=build.HOSTILE), *hostile)
    text = page(run)
    assert "<script>alert" not in text
    assert Page(text).errors == []
    shown = markdown.render(summarize(run))
    errors = shown[shown.index("### Worst") : shown.index("Seed ")]
    assert "<script" not in errors
    assert "**b**" not in errors
    assert all(line.count("|") == 7 for line in errors.splitlines() if line.startswith("|"))


def test_the_command_names_the_subject_file(build):
    """A subject from a file is replayed from it."""
    assert accuracy.command(build.header()) == "refgrad replay"
    assert accuracy.command(build.header(subject_file="a b.py")) == "refgrad replay --subject-file 'a b.py'"


def test_the_summary_has_the_ten_worst(build):
    """summary.md shows ten lines and how to see one again."""
    text = markdown.render(summarize(build.run()))
    errors = text[text.index("### Worst gradient errors found") : text.index("See one again")]
    assert sum(line.startswith("| <code>") for line in errors.splitlines()) == 10


def test_a_run_from_before_has_no_table(build, tmp_path):
    """An old run file reads, without a word about accuracy and without its section."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(
        b"".join(msgspec.json.encode(r) + b"\n" for r in build.records() if type(r) is not build.Accuracy)
    )
    run = read_run(path)
    assert run.problems == ()
    assert run.accuracy == ()
    assert 'id="accuracy"' not in page(run)
    assert "Worst gradient errors" not in markdown.render(summarize(run))


def test_a_reader_from_before_skips_the_record(build):
    """The record's tag is new: a reader that does not know it refuses the line, and no other."""
    line = json.loads(msgspec.json.encode(next(build.accuracy())))
    assert line["record"] == "accuracy"
    old = build.Header | build.Judged | build.Finding | build.Failure | build.Footer
    with pytest.raises(msgspec.ValidationError, match="accuracy"):
        msgspec.json.decode(json.dumps(line), type=old)
