"""Campaigns: what they yield, in which order, whatever the subject or the user does."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import refgrad
from oracles import crew
from oracles.campaign import CannotJudge, Progress, campaign, replay, units
from oracles.judge import Bench
from oracles.records import Finding, Footer, Header, Judged
from oracles.remote import Remote
from oracles.search import Unit

from .campaigns import Ran, plan, ran
from .mutants import subject_text

UNRELIABLE = Path(__file__).with_name("unreliable.py")


@pytest.fixture(autouse=True)
def _without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second opinion: it costs seconds and can accuse nobody."""
    monkeypatch.setattr(crew, "has_pytorch", lambda: False)


def mutant_file(folder: Path, *names: str) -> Path:
    """A subject file: the engine with these mutants in it."""
    file = folder / "subject.py"
    file.write_text(subject_text(*names))
    return file


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ran, Path]]:
    """A finished campaign against an engine whose exp and neg are wrong."""
    file = mutant_file(tmp_path_factory.mktemp("broken"), "exp-saved", "neg-sign")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew, "has_pytorch", lambda: False)
        yield ran(plan("mutant", file, ("exp", "neg"), 24)), file


def test_the_records_come_in_order_and_add_up(broken: tuple[Ran, Path]) -> None:
    """A header, then cases, findings and progress, then a footer that counts exactly them."""
    found, _ = broken
    assert found.order[0] == "Header"
    assert found.order[-1] == "Footer"
    assert (len(found.headers), len(found.footers)) == (1, 1)
    (footer,) = found.footers
    assert footer.cases == len(found.judged) > 50
    outcomes = [v.outcome for j in found.judged for v in j.verdicts if v.oracle == "exact"]
    assert footer.judged == sum(o in ("agrees", "differs", "convention") for o in outcomes)
    assert footer.judged < footer.cases or "uninformative" not in outcomes
    assert footer.findings == len(found.findings) == 2
    assert not footer.interrupted
    assert footer.seconds > 0


def test_the_header_says_what_is_judged(broken: tuple[Ran, Path]) -> None:
    """Subject, versions, seed, command, ops, dtypes and oracles stand in the header."""
    header = broken[0].headers[0]
    assert (header.subject, header.seed, header.command) == ("mutant", 1, "refgrad check ...")
    assert header.ops == ("neg", "exp")
    assert header.dtypes == ("float64",)
    assert header.oracles == ("exact", "differences", "laws")
    assert {"refgrad", "numpy"} <= set(header.versions)


def test_progress_grows_to_its_total(broken: tuple[Ran, Path]) -> None:
    """Progress never goes back, says what is being judged, and ends where it said it would."""
    steps = broken[0].progress
    assert [p.done for p in steps] == sorted(p.done for p in steps)
    assert steps[-1].done == steps[-1].total == len(broken[0].judged)
    assert steps[-1].findings == 2
    assert {p.doing for p in steps} >= {"exp: plain", "neg: plain", "composed programs"}


def test_cases_are_judged_once(broken: tuple[Ran, Path]) -> None:
    """No case is judged twice, and accused cases name their findings."""
    found = broken[0]
    ids = [j.id for j in found.judged]
    assert len(ids) == len(set(ids))
    assert {j.finding for j in found.judged} - {""} == {f.id for f in found.findings}


def test_a_finding_tells_a_stranger_everything(broken: tuple[Ran, Path]) -> None:
    """The shrunk finding names the op, its step, the numbers, the code, the script and the command."""
    finding = next(f for f in broken[0].findings if f.blame == "exp")
    assert (finding.argument, finding.error, finding.step, finding.shrunk) == ("x", "wrong value", 0, True)
    assert finding.seen > 1
    assert len(finding.case.program.steps) == 1
    assert finding.case.inputs[0].numpy().size <= 2
    assert "exp" in finding.program
    assert "refgrad" in finding.script
    assert finding.command == f"refgrad replay {finding.id} --subject-file {broken[1]}"
    wrong = next(c for c in finding.comparisons if c.argument.startswith("gradient"))
    assert float(wrong.error_budgets[wrong.worst]) > 1
    assert finding.message.startswith("x of exp: wrong value: gradient of ")
    assert {v.oracle: v.outcome for v in finding.verdicts}["exact"] == "differs"
    assert finding.plot is not None


def test_records_survive_json(broken: tuple[Ran, Path]) -> None:
    """Every record reads back from JSON as itself."""
    for record in (*broken[0].headers, *broken[0].findings, *broken[0].footers, *broken[0].judged[:20]):
        assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record


def test_the_same_seed_gives_the_same_run(broken: tuple[Ran, Path]) -> None:
    """Cases, verdicts and findings are a function of the seed; another seed draws other cases."""
    found, file = broken
    again = ran(plan("mutant", file, ("exp", "neg"), 24))
    assert again.judged == found.judged
    assert [(f.id, f.case) for f in again.findings] == [(f.id, f.case) for f in found.findings]
    other = ran(plan("mutant", file, ("exp", "neg"), 24, seed=2))
    assert {j.id for j in other.judged} != {j.id for j in found.judged}


def test_two_jobs_find_the_same(broken: tuple[Ran, Path]) -> None:
    """With several workers the findings are those of one, the cases do not hang on how many, and each is counted.

    The cases are compared between workers: Hypothesis draws constants from the modules of a project that are loaded,
    which in this process, where refgrad is not installed but edited, hang on the tests before.
    """
    found, file = broken
    both, three = (ran(plan("mutant", file, ("exp", "neg"), 24, jobs=jobs)) for jobs in (2, 3))
    assert both.kinds == found.kinds
    assert [f.id for f in both.findings] == [f.id for f in found.findings]
    assert both.footers[0].cases == len(both.judged)
    assert {j.id for j in both.judged} == {j.id for j in three.judged}


def interrupted_by(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, after: int) -> None:
    """Make the function raise KeyboardInterrupt once, on the call with this number."""
    original, count = getattr(where, name), iter(range(10_000))

    def interrupt(*args: Any, **settings: Any) -> Any:
        if next(count) == after:
            raise KeyboardInterrupt
        return original(*args, **settings)

    monkeypatch.setattr(where, name, interrupt)


@pytest.mark.parametrize(("where", "name", "after"), [(Bench, "judge", 40), (crew, "shrink", 0)])
def test_an_interrupt_keeps_what_was_found(
    where: Any, name: str, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a case is judged, or while a finding is shrunk, still yields the finding and a footer."""
    interrupted_by(monkeypatch, where, name, after)
    found = ran(plan("mutant", mutant_file(tmp_path, "exp-saved"), ("exp",), 200))
    (footer,) = found.footers
    assert footer.interrupted
    assert footer.cases == len(found.judged) < 400
    assert ("exp", "x", "wrong value") in found.kinds
    assert footer.findings == len(found.findings)


def test_an_interrupt_where_records_are_taken(tmp_path: Path) -> None:
    """Ctrl-C in the consumer, given into the campaign, ends it with its footer."""
    items: Any = campaign(plan("mutant", mutant_file(tmp_path), ("exp", "log"), 200))
    found = Ran()
    for item in items:
        found.take(item)
        if len(found.judged) == 3:
            break
    found.take(items.throw(KeyboardInterrupt()))
    for item in items:
        found.take(item)
    assert found.footers[0].interrupted
    assert len(found.judged) < 400


def test_stop_ends_the_search(tmp_path: Path) -> None:
    """Setting the event ends the run between two cases, and the footer says so."""
    stop = threading.Event()
    found = Ran()
    for item in campaign(plan("mutant", mutant_file(tmp_path), ("exp", "log"), 200), stop):
        found.take(item)
        if isinstance(item, Judged):
            stop.set()
    assert found.footers[0].interrupted
    assert len(found.judged) < 250


def test_time_ends_the_search_without_interrupting_it(tmp_path: Path) -> None:
    """A run of one second goes in rounds, ends soon after its time, and is not interrupted."""
    found = ran(plan("mutant", mutant_file(tmp_path), ("neg",), 36, seconds=1.0))
    assert 1 <= found.footers[0].seconds < 5
    assert not found.footers[0].interrupted
    assert found.progress[-1].total >= found.progress[-1].done > 10


def test_a_subject_that_dies_hangs_and_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Death, silence and exceptions become findings, what is lacking is said, and the run goes on to its end."""
    monkeypatch.setattr(crew, "Remote", functools.partial(Remote, timeout=1.0))
    found = ran(plan("unreliable", UNRELIABLE, ("exp", "log", "neg", "tanh", "add"), 40))
    assert found.kinds >= {("exp", "", "died"), ("log", "", "hung"), ("neg", "", "raises ArithmeticError")}
    assert {k[0] for k in found.kinds} <= {"exp", "log", "neg"}
    assert found.headers[0].unsupported == {"tanh": "unreliable has no tanh"}
    assert {f.where for f in found.failures} == {"exp", "log"}
    assert not any("tanh" in j.ops for j in found.judged)
    agreed = {j.ops for j in found.judged if any(v.outcome == "agrees" for v in j.verdicts)}
    assert {("add",), ("exp",), ("log",), ("neg",)} <= agreed
    assert len(found.footers) == 1
    died = next(f for f in found.findings if f.error == "died")
    assert "exit code 3" in died.message
    raised = next(f for f in found.findings if f.error == "raises ArithmeticError")
    assert "no negative numbers" in raised.message
    assert "ArithmeticError" in raised.traceback


def test_a_subject_that_cannot_start_is_no_run(tmp_path: Path) -> None:
    """A file that raises, or a name that is not there, ends before the header with the reason."""
    file = tmp_path / "subject.py"
    file.write_text("raise RuntimeError('not today')\n")
    with pytest.raises(CannotJudge, match="not today"):
        next(campaign(plan("mine", file, ("exp",), 5)))


def test_replay(broken: tuple[Ran, Path], tmp_path: Path) -> None:
    """A finding replays as failed with the mutant, fixed without it, and not at all without a subject."""
    found, file = broken
    finding = next(f for f in found.findings if f.blame == "exp")
    assert replay(finding, file).status == "failed"
    assert "(now" not in replay(finding, file).message
    assert replay(finding, mutant_file(tmp_path)).status == "fixed"
    gone = replay(finding, tmp_path / "gone.py")
    assert gone.status == "could not run"
    assert "gone.py" in gone.message
    other = tmp_path / "other"
    other.mkdir()
    again = replay(msgspec.structs.replace(finding, error="nan"), file)
    assert again.status == "failed"
    assert "now wrong value in exp" in again.message


def test_replay_of_what_is_lacking_could_not_run(broken: tuple[Ran, Path], tmp_path: Path) -> None:
    """A subject that has lost the op has not fixed it."""
    finding = next(f for f in broken[0].findings if f.blame == "exp")
    file = tmp_path / "subject.py"
    text = subject_text().replace(
        'TorchLike("mutant", "refgrad")', 'TorchLike("mutant", "refgrad", ops={"exp": "gone"})'
    )
    file.write_text(text)
    lacking = replay(finding, file)
    assert lacking.status == "could not run"
    assert "gone" in lacking.message


def test_units_cover_every_face_and_use_every_example() -> None:
    """Each op's examples are shared among all of its faces, composed programs follow, and no seed is used twice."""
    given = plan("refgrad", None, (), 100)
    found = units(given)
    for op in refgrad.catalogue():
        own = [u for u in found if u.face and u.ops == (op,) and not u.steered]
        assert sum(u.examples for u in own) == 100
        assert len({u.face for u in own}) == len(own)
    assert sum(u.examples for u in found if not u.face) == 100 * len(given.ops) // 4
    assert len({u.seed for u in found}) == len(found)
    assert {u.seed for u in found}.isdisjoint({u.seed for u in units(given, 1)})
    assert found[-1] == Unit(given.ops, "", found[-1].examples, found[-1].seed, given.dtypes)
    assert all(isinstance(kind, type) for kind in (Header, Finding, Footer, Progress))
