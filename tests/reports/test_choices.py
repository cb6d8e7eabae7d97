"""The table of conventions: what differs from PyTorch's choice stands in the open, faults first, all of it escaped."""

import msgspec
import pytest

from reports import choices, html
from reports.stream import read_run
from reports.summary import summarize

from .test_html import Page


def section(run):
    """The section of a run's page."""
    text = html.render(summarize(run))
    start = text.index('aria-labelledby="conventions"')
    return text[start : text.index("</section>", start)]


def test_what_differs_is_told_from_what_is_the_same(build):
    """Numbers decide: 0 is -0 and nan is nan, and text that is no number is nobody's choice."""
    found = {choice.op: choice for choice in choices.choices(tuple(build.conventions()))}
    assert [found[op].differs for op in ("relu", "clamp", "std", "prod")] == [False, True, True, True]
    assert [op for op, choice in found.items() if choice.fault] == ["prod", build.HOSTILE]
    assert [op for op, choice in found.items() if choice.convention] == ["clamp"]
    assert (found["clamp"].got, found["clamp"].expected) == ("0", "1")
    assert found["std"].got == "nan, nan"
    (same,) = [r for r in build.conventions() if r.op == "std"]
    assert choices.follows(msgspec.structs.replace(same, expected=("nan", "nan")))
    assert not choices.follows(msgspec.structs.replace(same, expected=("nan",)))


def test_faults_come_first_and_the_same_is_folded(build):
    """The count says how many are PyTorch's, the others stand in a table, and the rest is in a details element."""
    text = section(build.run())
    assert "1 of 5 are PyTorch’s" in text
    assert text.index("prod") < text.index("clamp") < text.index("<details>") < text.index("relu")
    assert text.count('<tr class="worst">') == 2
    assert "a difference of convention" in text
    assert "1 choice of PyTorch’s" in text
    assert 'href="#op-clamp"' in text


def test_hostile_names_do_nothing(build):
    """Names, points and numbers that are markup are text."""
    hostile = [r for r in build.conventions() if r.op == build.HOSTILE]
    text = html.render(summarize(build.run(build.header(), *hostile)))
    assert "<script>alert" not in text
    assert Page(text).errors == []


def test_a_run_from_before_has_no_table(build, tmp_path):
    """An old run file reads, without a word about conventions and without their section."""
    path = tmp_path / "run.jsonl"
    kept = [r for r in build.records() if type(r) is not build.Convention]
    path.write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in kept))
    run = read_run(path)
    assert (run.problems, run.conventions) == ((), ())
    assert 'id="conventions"' not in html.render(summarize(run))
    path.write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in build.records()))
    assert read_run(path).conventions == tuple(build.conventions())


def test_a_reader_from_before_skips_the_record(build):
    """The record's tag is new: a reader that does not know it refuses the line, and no other."""
    line = msgspec.json.encode(next(build.conventions()))
    old = build.Header | build.Judged | build.Finding | build.Failure | build.Footer
    with pytest.raises(msgspec.ValidationError, match="convention"):
        msgspec.json.decode(line, type=old)
