"""The run file survives crashes, garbage and strangers, and says what it lost."""

import os
from pathlib import Path

import msgspec
import pytest

from oracles.records import FORMAT
from reports.stream import ReportError, RunWriter, read_run


@pytest.fixture
def written(tmp_path, build):
    """The rich run in a file."""
    path = tmp_path / "deep" / "run.jsonl"
    with RunWriter(path) as writer:
        for record in build.records():
            writer.write(record)
    return path


def test_a_run_reads_back_as_it_was_written(written, build):
    """Every record, hostile text and exact arrays included, is equal after the round trip."""
    assert read_run(written) == build.run()


def test_each_record_is_in_the_file_at_once(tmp_path, build):
    """A record can be read by others as soon as `write` returns, before the file is closed."""
    writer = RunWriter(tmp_path / "run.jsonl")
    writer.write(build.header())
    assert read_run(tmp_path / "run.jsonl").header == build.header()
    writer.close()


def test_a_cut_off_last_line_loses_only_itself(written, build):
    """After a cut in the last line every earlier record is there, and the run says that it was cut off."""
    data = written.read_bytes()
    written.write_bytes(data[: -len(data.splitlines()[-1]) // 2 - 1])
    run = read_run(written)
    assert (run.cases, run.findings) == (build.run().cases, build.run().findings)
    assert run.footer is None
    lines = len(data.splitlines())
    assert run.problems == (
        f"Line {lines} is cut off in the middle and was skipped.",
        f"The run was cut off before its end: {lines - 1} records read.",
    )


def test_every_prefix_of_a_run_reads_or_is_refused_with_a_sentence(tmp_path, build):
    """However many bytes of a short run remain, reading gives its whole records or a ReportError."""
    path = tmp_path / "run.jsonl"
    records = [build.header(), build.judged(1, ("add",)), build.Footer(1, 1, 0, 0.5)]
    data = b"\n".join(msgspec.json.encode(r) for r in records)
    kept = []
    for size in range(0, len(data) + 1, 7):
        path.write_bytes(data[:size])
        try:
            kept.append(len(read_run(path).cases))
        except ReportError:
            kept.append(-1)
    assert kept == sorted(kept)
    assert set(kept) == {-1, 0, 1}


def test_garbage_lines_are_skipped_and_named(written):
    """Lines that are no records are skipped, and the first ones are named with their numbers."""
    lines = written.read_bytes().splitlines(keepends=True)
    garbage = [b"\xff\xfe\x00\n", b'{"record": "case"}\n', b"[" * 100_000 + b"\n", b"null\n", b'"text"\n'] * 4
    written.write_bytes(b"".join(lines[:3] + garbage + lines[3:]))
    run = read_run(written)
    assert len(run.cases) == 901
    assert run.footer is not None
    assert run.problems[0].startswith("Line 4 is not a record")
    assert run.problems[-1] == "10 more lines could not be read either."


def test_a_lost_header_is_made_up_from_what_is_left(written):
    """Without its header a run still reads, names its subject and oracles, and says what is unknown."""
    lines = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join(lines[1:]))
    run = read_run(written)
    assert run.header.subject == "tinytape"
    assert run.header.oracles[:2] == ("exact", "pytorch")
    assert "The header could not be read" in run.problems[0]


def test_joined_runs_say_so(written):
    """A file with two headers reads, and says that it has two."""
    written.write_bytes(written.read_bytes() * 2)
    assert "2 headers" in read_run(written).problems[0]


def test_a_finding_written_twice_counts_once(tmp_path, build):
    """The later record of a finding replaces the earlier one, as when it has been shrunk since."""
    path = tmp_path / "run.jsonl"
    with RunWriter(path) as writer:
        for record in (build.header(), build.finding(shrunk=False), build.finding(seen=99)):
            writer.write(record)
    assert [f.seen for f in read_run(path).findings] == [99]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"<html>\n<body>\n", "is no refgrad run: none of its 2 lines is a record"),
        (bytes(range(256)) * 10, "is no refgrad run"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path, content, says):
    """An empty file and a file of something else are refused with a sentence that says which it is."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(content)
    with pytest.raises(ReportError, match=says):
        read_run(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    """A path that cannot be read is named together with the system's reason."""
    with pytest.raises(ReportError, match=r"nothing\.jsonl: No such file"):
        read_run(tmp_path / "nothing.jsonl")
    with pytest.raises(ReportError, match="Is a directory"):
        read_run(tmp_path)


def test_a_newer_format_is_refused(tmp_path):
    """A run of a newer format is refused even where its header has fields that this version cannot read."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"record": "header", "format": %d, "subject": {"name": "new"}}\n' % (FORMAT + 1))
    with pytest.raises(ReportError, match=r"newer refgrad.*Update refgrad"):
        read_run(path)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(written, build):
    """A run that passed through an editor still reads."""
    written.write_bytes(b"\xef\xbb\xbf" + written.read_bytes().replace(b"\n", b"\r\n"))
    assert read_run(written) == build.run()


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path):
    """When a file stands where the folder should be, the error says what, where and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"cannot write .*run\.jsonl: .*choose another folder with --out"):
        RunWriter(tmp_path / "file" / "run.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_in_words(build):
    """A write to a full disk raises an error that names the file and advises to free space."""
    with (
        RunWriter(Path("/dev/full")) as writer,
        pytest.raises(ReportError, match=r"No space left.*Free some space"),
    ):
        writer.write(build.header())


def test_a_write_in_pieces_is_finished(tmp_path, build, monkeypatch):
    """When the system takes only part of a line at a time, the whole line arrives."""
    writer = RunWriter(tmp_path / "run.jsonl")

    class Slow:
        def write(self, data):
            return os.write(inner.fileno(), bytes(data[:5]))

        def tell(self):
            return inner.tell()

        def close(self):
            inner.close()

    inner = writer._file
    monkeypatch.setattr(writer, "_file", Slow())
    writer.write(build.finding())
    writer.close()
    assert read_run(tmp_path / "run.jsonl").findings == (build.finding(),)
