"""The command line: what it passes on, what it writes, what it says, and how it exits."""

import signal
import sys
import tomllib
import types
from dataclasses import dataclass
from inspect import Parameter
from math import inf
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oracles.records import Footer, Known
from refgrad import Public, catalogue
from refgrad.op import Facts
from reports.cli import app, duration, main
from reports.stream import RUN_FILE, read_run


@dataclass(frozen=True)
class Progress:
    """What the campaign says between records."""

    done: int
    total: int
    doing: str
    findings: int
    what: str = "cases"


class Judges(types.ModuleType):
    """Stands for `oracles.campaign`: yields `script`, in which a callable is what keeps it busy.

    A KeyboardInterrupt there ends the search as the real campaign does: with a footer that says so.
    """

    Progress = Progress

    class UsageError(Exception):
        """A mistake in the command."""

    class CannotJudge(Exception):
        """The subject or the judges cannot run."""

    def __init__(self):
        super().__init__("oracles.campaign")
        self.script, self.planned, self.closed, self.refuses = [], None, False, None
        self.status = "fixed"

    def plan_check(self, *given):
        """Keep what the command line gave."""
        if self.refuses:
            raise self.refuses
        self.planned = given
        return types.SimpleNamespace(known_file=given[-3])

    def campaign(self, plan, stop):
        """Yield the script until it ends or is told to stop."""
        try:
            for item in self.script:
                if callable(item):
                    try:
                        item()
                    except KeyboardInterrupt:
                        stop.set()
                else:
                    yield item
                if stop.is_set():
                    yield Footer(0, 0, 0, 1.0, interrupted=True)
                    return
        finally:
            self.closed = True

    def replay(self, finding, subject_file):
        """Answer with the status that the test wants."""
        self.planned = (finding, subject_file)
        return types.SimpleNamespace(status=self.status, message="the gradient is 0.5")


@pytest.fixture
def judges(monkeypatch):
    """The stand-in, where the command line imports the campaign from."""
    module = Judges()
    monkeypatch.setitem(sys.modules, "oracles.campaign", module)
    return module


@pytest.fixture
def out(tmp_path):
    """An output folder that does not exist yet."""
    return tmp_path / "out"


def refgrad(*arguments):
    """Run the command line in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def ctrl_c():
    """What the terminal does to the process."""
    signal.raise_signal(signal.SIGINT)


def test_agreement_exits_0_and_writes_everything(judges, build, out):
    """A run without findings writes the run, three pages and the conclusion, and exits 0."""
    judges.script = [
        build.header(),
        Progress(0, 1, "add", 0),
        build.judged(1, ("add",)),
        Footer(1, 1, 0, 1.0),
    ]
    result = refgrad("check", "tinytape", "--out", out)
    assert result.exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "junit.xml",
        "report.html",
        "run.jsonl",
        "summary.md",
    ]
    assert "tinytape agrees with the enclosed truth in every one of the 1 case judged." in result.output
    assert f"report: {out / 'report.html'}" in result.output
    assert judges.closed
    assert read_run(out / RUN_FILE).problems == ()


def test_findings_exit_1_and_are_printed_as_they_come(judges, build, out):
    """A finding is printed with its command before the conclusion, and the next step is to replay it."""
    judges.script = [build.header(), build.finding(), Footer(1, 1, 1, 1.0)]
    result = refgrad("check", "tinytape", "--out", out)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0].startswith("std-x-7f3a: Gradient of `x` in `std` is wrong: expected")
    assert lines[1] == "  refgrad replay std-x-7f3a"
    assert "next:   refgrad replay std-x-7f3a" in lines


def test_nothing_judged_exits_3(judges, build, out):
    """A run that judged nothing is no success."""
    judges.script = [build.header(), build.Failure("worker 1", "no such module"), Footer(0, 0, 0, 0.1)]
    result = refgrad("check", "tinytape", "--out", out)
    assert result.exit_code == 3
    assert "worker 1: no such module" in result.output


def test_a_campaign_that_just_ends_exits_3(judges, build, out):
    """Agreement without a footer is no agreement, because nobody knows what was left."""
    judges.script = [build.header(), build.judged(1, ("add",))]
    result = refgrad("check", "tinytape", "--out", out)
    assert result.exit_code == 3
    assert "cut off before its end" in result.output


def test_options_reach_the_plan(judges, build, out):
    """Every option arrives typed, and the command in the record is the one that was given."""
    judges.script = [build.header(), Footer(0, 0, 0, 0.1)]
    options = [
        "--subject-file",
        "my adapter.py",
        "--ops",
        "add, mul,add",
        "--dtype",
        "float32",
        "--examples",
        7,
    ]
    refgrad("check", "mine", *options, "--for", "1m30s", "--seed", 5, "--jobs", 2, "--out", out)
    command = (
        "refgrad check mine --subject-file 'my adapter.py' --ops 'add, mul,add' --dtype float32 --examples 7 "
        f"--for 1m30s --seed 5 --jobs 2 --out {out}"
    )
    file = Path("my adapter.py")
    assert judges.planned == (
        "mine",
        file,
        ("add", "mul"),
        ("float32",),
        7,
        90.0,
        5,
        2,
        command,
        None,
        False,
        "",
    )


def test_defaults_are_left_to_the_plan(judges, build, out, monkeypatch, tmp_path):
    """Without options the plan chooses, one worker judges, and the report goes to refgrad-report."""
    monkeypatch.chdir(tmp_path)
    judges.script = [build.header(), Footer(0, 0, 0, 0.1)]
    refgrad("check", "mine")
    assert judges.planned == (
        "mine",
        None,
        (),
        (),
        None,
        None,
        None,
        1,
        "refgrad check mine",
        None,
        False,
        "",
    )
    assert (tmp_path / "refgrad-report" / "report.html").exists()


def known(label, finding, status="fails as listed"):
    """The entry of the list that has this finding."""
    return Known(label, finding.blame, finding.argument, finding.error, status, "a sentence")


@pytest.mark.parametrize(
    ("status", "found", "code", "said"),
    [
        ("fails as listed", True, 0, "tinytape has 1 known fault and no new one."),
        ("healed", False, 1, "out of date: 1 healed."),
        ("changed", False, 1, "out of date: 1 changed."),
        ("not reached", False, 1, "out of date: 1 not reached."),
    ],
)
def test_a_list_decides_the_exit_code(judges, build, out, status, found, code, said):
    """A known fault passes; an entry that does not fail as listed fails the run."""
    old = build.finding("old", known=True)
    judges.script = [
        build.header(),
        known("old", old, status),
        *([old] if found else []),
        build.judged(1, ("add",)),
    ]
    judges.script.append(Footer(1, 1, int(found), 1.0))
    result = refgrad("check", "tinytape", "--out", out)
    assert result.exit_code == code
    assert said in result.output
    assert refgrad("report", out / RUN_FILE).output.splitlines()[-4:] == result.output.splitlines()[-4:]


def test_an_unlisted_fault_beside_a_known_one_exits_1(judges, build, out):
    """A new finding fails the run, and the next step is to replay it, not the known one."""
    old = build.finding("old", known=True)
    judges.script = [
        build.header(),
        known("old", old),
        old,
        build.finding("new", "cat"),
        Footer(1, 1, 2, 1.0),
    ]
    result = refgrad("check", "tinytape", "--out", out)
    assert result.exit_code == 1
    assert "next:   refgrad replay new" in result.output.splitlines()


def test_fix_rewrites_the_list(judges, build, out, tmp_path):
    """--fix writes what was found into the file, says so, and does not change what the run comes to."""
    file = tmp_path / "known.toml"
    judges.script = [build.header(), build.finding("new"), build.judged(1, ("add",)), Footer(1, 1, 1, 1.0)]
    result = refgrad("check", "tinytape", "--out", out, "--known", file, "--fix")
    assert result.exit_code == 1
    assert judges.planned[-3:] == (file, True, "")
    (entry,) = tomllib.loads(file.read_text())["known"]
    assert (entry["op"], entry["since"], entry["reason"]) == ("std", "0.3.1", "")
    assert f"{file}: added new" in result.output
    assert "write their reasons" in result.output
    before = file.read_bytes()
    result = refgrad("check", "tinytape", "--out", out, "--known", file, "--fix")
    assert f"{file} is as it was" in result.output
    assert file.read_bytes() == before


@pytest.mark.parametrize("end", [[ctrl_c], []])
def test_fix_after_half_a_run_changes_nothing(judges, build, out, tmp_path, end):
    """After an interrupt, or a run that just ends, the list is left alone, and that is said."""
    file = tmp_path / "known.toml"
    judges.script = [build.header(), build.finding("new"), *end]
    result = refgrad("check", "tinytape", "--out", out, "--known", file, "--fix")
    assert result.exit_code == 1
    assert "was not rewritten: the run did not come to its end" in result.output
    assert not file.exists()


def test_a_list_that_cannot_be_written_exits_3(judges, build, out, tmp_path):
    """The run and its report stay, and the place is named."""
    (tmp_path / "file").write_text("")
    file = tmp_path / "file" / "known.toml"
    judges.script = [build.header(), build.finding("new"), Footer(1, 1, 1, 1.0)]
    result = refgrad("check", "tinytape", "--out", out, "--known", file, "--fix")
    assert result.exit_code == 3
    assert f"cannot write {file}" in result.stderr
    assert (out / "report.html").exists()


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("5m", 300), ("1h30m", 5400), ("0.5s", 0.5)])
def test_durations(text, seconds):
    """Durations are numbers with units."""
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "options",
    [
        ["--for", "5"],
        ["--for", "0s"],
        ["--for", "5m oops"],
        ["--for", "-3s"],
        ["--ops", "add,,mul"],
        ["--examples", "0"],
        ["--jobs", "none"],
        ["--unknown"],
    ],
)
def test_bad_options_exit_2(judges, out, options):
    """A mistake in an option exits 2 before anything is written or judged."""
    result = refgrad("check", "mine", "--out", out, *options)
    assert result.exit_code == 2
    assert judges.planned is None
    assert not out.exists()


def test_an_unknown_subject_exits_2(judges, out):
    """What the plan refuses is said on standard error, without a traceback or terminal controls."""
    judges.refuses = judges.UsageError("no subject 'tnsr\x1b[2J'; known are refgrad, pytorch")
    result = refgrad("check", "tnsr", "--out", out)
    assert result.exit_code == 2
    assert result.stderr == "refgrad: no subject 'tnsr\\x1b[2J'; known are refgrad, pytorch\n"
    assert not out.exists()


def raising(error):
    """A busy moment in which this goes wrong."""

    def busy():
        raise error

    return busy


def test_a_subject_that_cannot_start_exits_3(judges, out):
    """When nothing was recorded the reason is all there is to say."""
    judges.script = [raising(judges.CannotJudge("tinytape does not start: ImportError"))]
    result = refgrad("check", "tinytape", "--out", out)
    assert (result.exit_code, result.stderr) == (3, "refgrad: tinytape does not start: ImportError\n")


def test_a_subject_that_cannot_start_costs_no_older_run(judges, run_file):
    """The run of an earlier command stays whole until the next one records something."""
    before = run_file.read_bytes()
    judges.script = [raising(judges.CannotJudge("gone"))]
    assert refgrad("check", "tinytape", "--out", run_file.parent).exit_code == 3
    assert run_file.read_bytes() == before
    judges.script = [read_run(run_file).header]
    refgrad("check", "tinytape", "--out", run_file.parent)
    assert read_run(run_file).findings == ()


def test_judges_that_give_up_keep_what_they_found(judges, build, out):
    """When a campaign gives up midway its findings make a report, with the reason as a failure."""
    judges.script = [build.header(), build.finding(), raising(judges.CannotJudge("the worker keeps dying"))]
    assert refgrad("check", "tinytape", "--out", out).exit_code == 1
    assert [f.message for f in read_run(out / RUN_FILE).failures] == ["the worker keeps dying"]
    assert "the worker keeps dying" in (out / "report.html").read_text()


def test_an_output_that_cannot_be_written_exits_3_before_judging(judges, build, tmp_path):
    """The run file is opened first, so that no search is lost to a folder that cannot be made."""
    (tmp_path / "file").write_text("")
    judged = []
    judges.script = [lambda: judged.append(1), build.header()]
    result = refgrad("check", "mine", "--out", tmp_path / "file" / "out")
    assert result.exit_code == 3
    assert "cannot write" in result.stderr
    assert "--out" in result.stderr
    assert judged == []


def test_a_fault_of_our_own_keeps_its_traceback_and_the_run(judges, build, out):
    """An unexpected error is not hidden, and what was recorded before it can be read."""
    judges.script = [build.header(), build.finding(), raising(ZeroDivisionError("ours"))]
    with pytest.raises(ZeroDivisionError):
        refgrad("check", "tinytape", "--out", out)
    assert len(read_run(out / RUN_FILE).findings) == 1
    assert judges.closed


def test_a_fault_of_our_own_is_no_finding(judges, out, monkeypatch, capsys):
    """As a command, refgrad exits 3 on an error of its own, because 1 would accuse the subject."""
    judges.script = [raising(ZeroDivisionError("ours"))]
    monkeypatch.setattr(sys, "argv", ["refgrad", "check", "tinytape", "--out", str(out)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 3
    said = capsys.readouterr().err
    assert "ZeroDivisionError: ours" in said
    assert "a fault of refgrad, not of the subject" in said


@pytest.mark.parametrize(
    ("names", "code"),
    [(("header", "finding"), 1), (("header",), 3), (("header", "judged"), 130)],
)
def test_ctrl_c_keeps_what_was_found(judges, build, out, names, code):
    """The first Ctrl-C ends the search, the report is written, and the exit code says what was found."""
    records = {"header": build.header(), "finding": build.finding(), "judged": build.judged(1, ("add",))}
    judges.script = [*(records[name] for name in names), ctrl_c, build.finding("never")]
    result = refgrad("check", "tinytape", "--out", out)
    run = read_run(out / RUN_FILE)
    assert result.exit_code == code
    assert run.footer.interrupted
    assert [f.id for f in run.findings] == ["std-x-7f3a"] * names.count("finding")
    assert "was interrupted" in (out / "report.html").read_text()


def test_ctrl_c_between_records_reaches_the_campaign(judges, build, out, monkeypatch):
    """A Ctrl-C while a record is written cuts no record in half and then ends the search."""
    from reports.stream import RunWriter

    write = RunWriter.write

    def interrupted(self, record):
        if isinstance(record, type(build.finding())):
            ctrl_c()
        write(self, record)

    monkeypatch.setattr(RunWriter, "write", interrupted)
    judges.script = [build.header(), build.finding(), build.finding("never")]
    assert refgrad("check", "tinytape", "--out", out).exit_code == 1
    run = read_run(out / RUN_FILE)
    assert [f.id for f in run.findings] == ["std-x-7f3a"]
    assert run.footer.interrupted


def test_a_second_ctrl_c_leaves_at_once(judges, build, out):
    """The second Ctrl-C exits 130, keeps every record so far, and says where it is."""

    def twice():
        try:
            ctrl_c()
        except KeyboardInterrupt:
            ctrl_c()

    judges.script = [build.header(), build.finding(), twice, build.finding("never")]
    result = refgrad("check", "tinytape", "--out", out)
    assert result.exit_code == 130
    assert f"{out / RUN_FILE} holds what was recorded" in result.stderr
    assert [f.id for f in read_run(out / RUN_FILE).findings] == ["std-x-7f3a"]
    assert not (out / "report.html").exists()
    assert judges.closed


def test_ctrl_c_after_the_search_leaves(judges, build, out, monkeypatch):
    """Once the search is over there is nothing to stop, so Ctrl-C leaves with 130 and a whole run file."""
    monkeypatch.setattr("reports.cli.write_pages", lambda run, folder: ctrl_c())
    judges.script = [build.header(), build.judged(1, ("add",)), Footer(1, 1, 0, 1.0)]
    assert refgrad("check", "tinytape", "--out", out).exit_code == 130
    assert read_run(out / RUN_FILE).problems == ()


def test_ctrl_c_works_as_before_afterwards(judges, build, out):
    """The command gives the signal back to whoever had it."""
    before = signal.getsignal(signal.SIGINT)
    judges.script = [build.header(), ctrl_c]
    refgrad("check", "tinytape", "--out", out)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def run_file(judges, build, out):
    """A run with one finding, written by `check`."""
    judges.script = [build.header(), build.finding(), Footer(1, 1, 1, 1.0)]
    refgrad("check", "tinytape", "--out", out)
    return out / RUN_FILE


@pytest.mark.parametrize(("status", "code"), [("fixed", 0), ("failed", 1), ("could not run", 3)])
def test_replay_says_whether_it_is_fixed(judges, run_file, status, code):
    """The judges get the finding as recorded, and their answer is printed and decides the exit code."""
    judges.status = status
    result = refgrad("replay", "std-x-7f3a", "--out", run_file.parent, "--subject-file", "a.py")
    assert result.exit_code == code
    assert f"{status}: the gradient is 0.5" in result.output
    assert judges.planned == (read_run(run_file).findings[0], Path("a.py"))


def test_replay_of_an_unknown_id_names_the_known_ones(judges, run_file):
    """A wrong id exits 2 and lists what the run has."""
    result = refgrad("replay", "nothing", "--run", run_file)
    assert result.exit_code == 2
    assert "no finding 'nothing'" in result.stderr
    assert "std-x-7f3a" in result.stderr


def test_replay_without_a_run_exits_2(judges, tmp_path):
    """A run file that is not there is a mistake in the command."""
    result = refgrad("replay", "x", "--out", tmp_path)
    assert result.exit_code == 2
    assert "cannot read" in result.stderr


def test_report_makes_the_pages_of_a_cut_off_run(run_file, tmp_path):
    """A cut-off run gets its pages, in the folder asked for, with a notice, and without the judges."""
    run_file.write_bytes(run_file.read_bytes()[:-20])
    sys.modules["oracles.campaign"] = None
    result = refgrad("report", run_file, "--out", tmp_path / "again")
    assert result.exit_code == 0
    assert "cut off" in result.output
    assert "cut off" in (tmp_path / "again" / "report.html").read_text()


def test_report_of_a_whole_run_equals_the_first_report(run_file):
    """Making the pages again, in the run's own folder by default, changes no byte of them."""
    before = {p.name: p.read_bytes() for p in run_file.parent.iterdir()}
    assert refgrad("report", run_file).exit_code == 0
    assert {p.name: p.read_bytes() for p in run_file.parent.iterdir()} == before


def test_report_of_what_is_no_run_exits_2(tmp_path):
    """A file that is no run is named, and nothing is written beside it."""
    (tmp_path / "notes.txt").write_text("hello\n")
    result = refgrad("report", tmp_path / "notes.txt")
    assert result.exit_code == 2
    assert "is no refgrad run" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_report_into_a_file_exits_3(run_file):
    """Pages that cannot be written are told with the place, and no half page is left."""
    result = refgrad("report", run_file, "--out", run_file)
    assert result.exit_code == 3
    assert "cannot write" in result.stderr


def test_ops_prints_the_catalogue(monkeypatch):
    """Each op has its signature and the facts that it has, and the last line counts them."""
    log = Public(
        "log", ("x",), {}, Facts("log(x)", domain={"x": (0, inf)}), (), print, "log(x), elementwise."
    )
    settings = {"min": None, "shape": Parameter.empty}
    clamp = Public(
        "clamp", ("x",), settings, Facts(None, kinks={"x": (-1.0, 0.5)}), (), print, "x between bounds."
    )
    monkeypatch.setattr("refgrad.catalogue", lambda: {op.name: op for op in (log, clamp)})
    result = refgrad("ops")
    assert result.exit_code == 0
    assert result.output == (
        "log(x)\n  meaning  log(x)\n  domain   x in (0, inf)\n"
        "clamp(x, min=None, shape)\n  meaning  x between bounds.\n  kinks    x at -1, 0.5\n"
        "2 ops\n"
    )


def test_ops_knows_every_op():
    """The real catalogue prints, every op on a line of its own."""
    lines = refgrad("ops").output.splitlines()
    assert [name for name in catalogue() if not any(at.startswith(f"{name}(") for at in lines)] == []
    assert lines[-1] == f"{len(catalogue())} ops"


def test_help_needs_no_judges(monkeypatch):
    """Help answers without importing the judges, and names every command."""
    monkeypatch.setitem(sys.modules, "oracles.campaign", None)
    result = refgrad("--help")
    assert result.exit_code == 0
    assert all(command in result.output for command in ("check", "replay", "report", "ops"))
