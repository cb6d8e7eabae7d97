"""Lists of known failures: what may stand in one, what becomes of each entry, and how a list is rewritten."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oracles import crew
from oracles.blame import Kind
from oracles.campaign import campaign
from oracles.known import KEYS, ListError, packaged, read_known
from oracles.plan import UsageError
from oracles.program import decode_case
from oracles.records import Finding, Footer, Known
from oracles.relist import relist
from oracles.subjects import available

from .campaigns import Ran, plan, ran
from .mutants import subject_text

LACKING = 'TorchLike("mutant", "refgrad", ops={"exp": "gone"})'


@pytest.fixture(autouse=True)
def _without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second opinion: it costs seconds and can accuse nobody."""
    monkeypatch.setattr(crew, "has_pytorch", lambda: False)


def subject_file(folder: Path, *names: str, lacking: bool = False) -> Path:
    """A subject: the engine with these mutants in it, and perhaps without exp."""
    text = subject_text(*names)
    file = folder / "subject.py"
    file.write_text(text.replace('TorchLike("mutant", "refgrad")', LACKING) if lacking else text)
    return file


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Finding]]:
    """What is found in an engine whose exp and neg are wrong, by op."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew, "has_pytorch", lambda: False)
        file = subject_file(tmp_path_factory.mktemp("found"), "exp-saved", "neg-sign")
        yield {
            f.blame: f for f in ran(plan("mutant", file, ("exp", "neg"), 24)).findings if f.case.order == 1
        }


def written(finding: Finding, **changes: str) -> str:
    """An entry for a finding, with these keys changed."""
    keys = {
        "op": finding.blame, "argument": finding.argument, "error": finding.error, "reason": "a sentence",
        "link": "https://example.org/1", "since": "0.1", "case": msgspec.json.encode(finding.case).decode(),
    }  # fmt: skip
    return "[[known]]\n" + "".join(f"{key} = '''{text}'''\n" for key, text in (keys | changes).items())


def listed(folder: Path, *entries: str) -> Path:
    """A list with these entries."""
    file = folder / "known.toml"
    file.write_text("\n".join(entries))
    return file


def run(folder: Path, file: Path, *entries: str, ops: tuple[str, ...] = ("exp", "neg")) -> Ran:
    """A short run against a list with these entries."""
    return ran(plan("mutant", file, ops, 1, known_file=listed(folder, *entries)))


def statuses(ran: Ran) -> dict[str, str]:
    """What became of each entry in the end, by op."""
    return {known.blame: known.status for known in ran.known}


def test_a_listed_fault_fails_as_listed(found: dict[str, Finding], tmp_path: Path) -> None:
    """A listed fault is judged from its case before the search, shown with its evidence, and known."""
    file = subject_file(tmp_path, "exp-saved")
    result = run(tmp_path, file, written(found["exp"]), ops=("exp",))
    assert statuses(result) == {"exp": "fails as listed"}
    assert result.order[:3] == ["Header", "Known", "Finding"]
    assert [f.known for f in result.findings if f.id == found["exp"].id] == [True]
    shown = result.findings[0]
    assert (shown.id, shown.case, shown.comparisons) == (
        found["exp"].id,
        found["exp"].case,
        found["exp"].comparisons,
    )
    assert (result.known[0].reason, result.known[0].link) == ("a sentence", "https://example.org/1")
    assert result.footers[0].known == 1
    assert result.footers[0].stale == 0


def test_an_unlisted_fault_is_new(found: dict[str, Finding], tmp_path: Path) -> None:
    """A fault that is not on the list is no known one, and the footer counts both."""
    file = subject_file(tmp_path, "exp-saved", "neg-sign")
    result = ran(plan("mutant", file, ("exp", "neg"), 24, known_file=listed(tmp_path, written(found["exp"]))))
    assert {(f.blame, f.known) for f in result.findings if f.case.order == 1} == {
        ("exp", True),
        ("neg", False),
    }
    footer: Footer = result.footers[0]
    assert footer.findings == len(result.findings)
    assert footer.known == sum(f.known for f in result.findings)
    assert result.progress[-1].findings == footer.findings - footer.known


def test_a_healed_entry(found: dict[str, Finding], tmp_path: Path) -> None:
    """An entry whose case passes is healed, whether or not the search finds anything."""
    result = run(tmp_path, subject_file(tmp_path), written(found["exp"]), written(found["neg"]))
    assert statuses(result) == {"exp": "healed", "neg": "healed"}
    assert (result.findings, result.footers[0].stale) == ([], 2)
    assert "take it off the list" in result.known[0].message


def test_a_changed_entry(found: dict[str, Finding], tmp_path: Path) -> None:
    """An entry that fails otherwise says what it was and what it is, and its case shows that as a new finding."""
    file = subject_file(tmp_path, "exp-saved")
    result = run(tmp_path, file, written(found["exp"], error="nan"), ops=("exp",))
    (known,) = result.known
    assert (known.status, known.message) == (
        "changed",
        "was nan in exp, argument x, is wrong value in exp, argument x",
    )
    assert known.now == found["exp"].id
    assert {f.known for f in result.findings if f.id == known.now} == {False}
    assert result.footers[0].stale == 1


def test_an_entry_that_only_another_case_shows_has_changed(found: dict[str, Finding], tmp_path: Path) -> None:
    """Where the case passes but the search finds the kind, the entry is not healed: its case is out of date."""
    case = msgspec.json.encode(found["exp"].case).decode()
    zero = msgspec.json.decode(case)
    zero["cotangents"] = [array | _zeros(array) for array in zero["cotangents"]]
    entry = written(found["exp"], case=msgspec.json.encode(zero).decode())
    file = subject_file(tmp_path, "exp-saved")
    result = ran(plan("mutant", file, ("exp",), 24, known_file=listed(tmp_path, entry)))
    assert [known.status for known in result.known] == ["healed", "changed"]
    last = result.known[-1]
    assert last.now == last.id == found["exp"].id
    assert [f.known for f in result.findings if f.id == last.id] == [True]
    new = relist(entry, [last], result.findings, "0.2")
    assert new.updated == [last.id]
    changed = tomllib.loads(new.text)["known"][0]
    assert changed["reason"] == "a sentence"
    assert decode_case(changed["case"]) == next(f.case for f in result.findings if f.id == last.id)


def _zeros(array: dict[str, Any]) -> dict[str, Any]:
    """The same array with nothing but zeros in it."""
    import numpy as np

    from oracles.arrays import Array

    record = Array.of(np.zeros(array["shape"], dtype=array["dtype"]))
    return {"data": record.data, "text": record.text}


def test_an_entry_of_an_op_that_is_gone(found: dict[str, Finding], tmp_path: Path) -> None:
    """An entry whose op the subject does not support is not reached, with the subject's reason."""
    result = run(tmp_path, subject_file(tmp_path, lacking=True), written(found["exp"]))
    assert statuses(result) == {"exp": "not reached"}
    assert "gone" in result.known[0].message
    assert result.footers[0].stale == 1


def test_an_entry_whose_case_no_longer_runs(found: dict[str, Finding], tmp_path: Path) -> None:
    """A case that asks of an op what it cannot do is not reached, and the run goes on to its end."""
    broken = msgspec.json.decode(msgspec.json.encode(found["exp"].case))
    broken["program"]["steps"][0] |= {"op": "logsumexp", "settings": {"dim": 7}}
    entry = written(found["exp"], op="logsumexp", case=msgspec.json.encode(broken).decode())
    result = run(tmp_path, subject_file(tmp_path), entry, ops=("logsumexp",))
    assert statuses(result) == {"logsumexp": "not reached"}
    assert result.findings == []
    assert len(result.footers) == 1


def test_an_entry_of_another_op_is_left_out(found: dict[str, Finding], tmp_path: Path) -> None:
    """An entry of an op that was not asked for is counted and nothing else; the walk is asked for by every run."""
    walk = written(found["exp"], op="walk", argument="")
    result = run(tmp_path, subject_file(tmp_path), written(found["exp"]), walk, ops=("neg",))
    assert statuses(result) == {"walk": "healed"}
    assert result.footers[0].left_out == 1


def test_two_jobs_and_an_interrupt(found: dict[str, Finding], tmp_path: Path) -> None:
    """With two workers the list is judged once; after an interrupt the rest of it is neither judged nor accused."""
    entries = written(found["exp"]), written(found["neg"])
    file = subject_file(tmp_path, "exp-saved", "neg-sign")
    both = ran(plan("mutant", file, ("exp", "neg"), 1, jobs=2, known_file=listed(tmp_path, *entries)))
    assert [known.status for known in both.known] == ["fails as listed"] * 2
    items: Any = campaign(plan("mutant", file, ("exp", "neg"), 1, known_file=tmp_path / "known.toml"))
    cut = Ran()
    for item in items:
        cut.take(item)
        if isinstance(item, Known):
            break
    cut.take(items.throw(KeyboardInterrupt()))
    for item in items:
        cut.take(item)
    assert cut.footers[0].interrupted
    assert statuses(cut) == {"exp": "fails as listed"}


WRONG = {
    "no TOML": ("[[known]\n", "is not TOML"),
    "a bare entry": ("[known]\nop = 'exp'\n", "known: write each entry under a [[known]]"),
    "another table": ("[[skip]]\nop = 'exp'\n", "unknown key 'skip'"),
    "a key of its own": ({"severity": "low"}, "entry 1 (exp): severity: no such key; there are op, argument"),
    "an empty reason": ({"reason": " "}, "entry 1 (exp): reason is empty: write why this fails"),
    "an empty error": ({"error": ""}, "entry 1 (exp): error is empty"),
    "a link that runs": ({"link": "javascript:alert(1)"}, "entry 1 (exp): link starts neither with https://"),
    "no op": ({"op": "expp"}, "entry 1 (expp): op 'expp' is not in the catalogue"),
    "no case": ({"case": "{}"}, "entry 1 (exp): case: not a case"),
    "another op's case": ({"op": "neg"}, "entry 1 (neg): case: its program has no step neg"),
}


@pytest.mark.parametrize(("wrong", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_list_is_refused(
    wrong: str | dict[str, str], said: str, found: dict[str, Finding], tmp_path: Path
) -> None:
    """What is wrong with a list is told with the file, the entry and the key, before anything runs."""
    file = listed(tmp_path, wrong if isinstance(wrong, str) else written(found["exp"], **wrong))
    with pytest.raises(UsageError) as caught:
        plan("mutant", subject_file(tmp_path), (), 1, known_file=file)
    assert str(caught.value).startswith(str(file))
    assert said in str(caught.value)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_needed_and_is_text(key: str, found: dict[str, Finding], tmp_path: Path) -> None:
    """An entry without a key, or with a number in its place, is refused by that key's name."""
    lines = written(found["exp"]).splitlines()
    without = "\n".join(line for line in lines if not line.startswith(f"{key} ="))
    with pytest.raises(ListError, match=f"entry 1.*: {key} is missing"):
        read_known(listed(tmp_path, without))
    with pytest.raises(ListError, match=f"entry 1.*: {key} is not text"):
        read_known(listed(tmp_path, f"{without}\n{key} = 3\n"))


def test_an_entry_stands_once(found: dict[str, Finding], tmp_path: Path) -> None:
    """Two entries of one kind are refused, with the numbers of both."""
    file = listed(tmp_path, written(found["exp"]), written(found["neg"]), written(found["exp"]))
    with pytest.raises(ListError, match=r"entry 3 .exp.: op, argument and error are those of entry 1"):
        read_known(file)


def test_a_case_must_fit_itself(found: dict[str, Finding], tmp_path: Path) -> None:
    """Cases whose ops, arrays or shapes cannot be meant are refused; none of it is looked up anywhere else."""
    whole = msgspec.json.decode(msgspec.json.encode(found["exp"].case))

    def refused(**changes: Any) -> str:
        case = msgspec.json.encode(whole | changes).decode()
        with pytest.raises(ListError) as caught:
            read_known(listed(tmp_path, written(found["exp"], case=case)))
        return str(caught.value)

    program = whole["program"]
    assert "op '__import__' is not in the catalogue" in refused(
        program=program | {"steps": [program["steps"][0] | {"op": "__import__"}]}
    )
    assert "op exp has no setting 'nonsense'" in refused(
        program=program | {"steps": [program["steps"][0] | {"settings": {"nonsense": 3}}]}
    )
    assert "have not the shapes" in refused(inputs=[])
    assert "0 cotangents for 1" in refused(cotangents=[])
    assert "seconds have not the shapes" in refused(order=2)
    assert "not base64" in refused(inputs=[whole["inputs"][0] | {"data": "%"}])


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    """A file that was asked for must be there, unless the run may write it; one that nobody asked for need not."""
    file = subject_file(tmp_path)
    with pytest.raises(UsageError, match=r"nowhere.toml is not a file; with --fix the run writes it"):
        plan("mutant", file, (), 1, known_file=tmp_path / "nowhere.toml")
    assert plan("mutant", file, (), 1, known_file=tmp_path / "nowhere.toml", fix=True).known == ()
    assert plan("mutant", file, (), 1).known_file is None
    assert plan("refgrad", None, (), 1).known_file == packaged("refgrad")
    with pytest.raises(UsageError, match="cannot read"):
        plan("mutant", file, (), 1, known_file=tmp_path)


@pytest.mark.parametrize("part", [{"ops": ("exp",)}, {"seconds": 3.0}])
def test_a_part_of_a_run_rewrites_nothing(part: dict[str, Any], tmp_path: Path) -> None:
    """A run on some ops or for some time may not rewrite the list."""
    with pytest.raises(UsageError, match="--fix rewrites the list from a whole run"):
        plan("mutant", subject_file(tmp_path), **{"ops": (), "examples": 1, **part, "fix": True})


def test_a_subject_from_a_file_has_no_list_to_rewrite(tmp_path: Path) -> None:
    """Without --known there is nothing that --fix could write for a subject from a file."""
    with pytest.raises(UsageError, match="--fix needs --known FILE"):
        plan("mutant", subject_file(tmp_path), (), 1, fix=True)


def record(finding: Finding, status: Any, **more: str) -> Known:
    """What became of the entry of a finding."""
    return Known(finding.id, finding.blame, finding.argument, finding.error, status, "a sentence", **more)


def test_untouched_entries_keep_every_byte(found: dict[str, Finding]) -> None:
    """Comments, order, spelling and reasons of entries that did not change stay byte for byte, whatever is added."""
    odd = (
        "# The head.\r\n\n# About exp,\n# in two lines.\n"
        + written(found["exp"]).replace(
            "reason = '''a sentence'''", 'reason   = """\n[[known]]\nnot an entry"""   # said so'
        )
        + "# under it\n\n\n# Of sections.\n\n[[ known ]]  # neg\n"
        + written(found["neg"]).partition("\n")[2]
    )
    other = msgspec.structs.replace(found["neg"], id="other", error="nan")
    held = [record(found["exp"], "fails as listed"), record(found["neg"], "not reached")]
    assert relist(odd, held, [found["exp"]], "0.2").text == odd
    new = relist(odd, held, [found["exp"], other], "0.2")
    assert new.text.startswith(odd)
    assert (new.added, new.updated, new.removed) == (["other"], [], [])
    assert "\n\n# Write the reason" in new.text
    entry = tomllib.loads(new.text)["known"][-1]
    assert (entry["op"], entry["error"], entry["reason"], entry["since"]) == ("neg", "nan", "", "0.2")
    assert decode_case(entry["case"]) == other.case


def test_healed_entries_go_with_their_comments(found: dict[str, Finding]) -> None:
    """A healed entry is removed with the comments directly above it, and nothing else is."""
    exp, neg = written(found["exp"]), written(found["neg"])
    text = f"# Head.\n\n# about exp\n{exp}\n# A section.\n\n# about neg\n{neg}\n# The foot.\n"
    first = relist(text, [record(found["exp"], "healed"), record(found["neg"], "fails as listed")], [], "")
    assert first.text == f"# Head.\n\n\n# A section.\n\n# about neg\n{neg}\n# The foot.\n"
    assert first.removed == [found["exp"].id]
    last = relist(text, [record(found["exp"], "fails as listed"), record(found["neg"], "healed")], [], "")
    assert last.text == f"# Head.\n\n# about exp\n{exp}\n# A section.\n\n\n# The foot.\n"
    none = relist(text, [record(f, "healed") for f in found.values()], [], "")
    assert tomllib.loads(none.text) == {}


def test_a_changed_entry_is_updated_in_its_place(found: dict[str, Finding], tmp_path: Path) -> None:
    """The kind and the case are written anew, the reason and the comments stay, and a comment asks to look again."""
    text = "# mine\n" + written(found["exp"]).replace("since = '''0.1'''", "since = '''0.1''' # then") + "\n"
    now = msgspec.structs.replace(found["exp"], id="exp-x-new", error="nan")
    new = relist(text, [record(found["exp"], "changed", now=now.id)], [now], "0.2")
    assert new.text.startswith(
        "# This was wrong value of x in exp: see whether the reason still holds.\n# mine\n[[known]]\n"
    )
    assert "since = '''0.1''' # then" in new.text
    assert (new.added, new.updated) == ([], [found["exp"].id])
    (entry,) = read_known(listed(tmp_path, new.text))
    assert (entry.kind, entry.reason) == (Kind("exp", "x", "nan"), "a sentence")


def test_an_entry_that_changed_into_another_one_goes(found: dict[str, Finding]) -> None:
    """Where the list has the new kind already, the changed entry is removed, so that no kind stands twice."""
    now = msgspec.structs.replace(found["exp"], id="exp-x-new", error="nan", known=True)
    kept = written(now)
    text = f"{written(found['exp'])}\n{kept}"
    states = [record(found["exp"], "changed", now=now.id), record(now, "fails as listed")]
    assert relist(text, states, [now], "").text == kept


def test_a_new_entry_must_be_given_its_reason(found: dict[str, Finding], tmp_path: Path) -> None:
    """What --fix writes is refused by the next run until its reason is written, but not by the next --fix."""
    file = listed(tmp_path, relist("", [], found.values(), "0.1").text)
    with pytest.raises(ListError, match=r"entry 1 .*: reason is empty"):
        read_known(file)
    assert {entry.kind.blame for entry in read_known(file, unwritten=True)} == {"exp", "neg"}
    file.write_text(file.read_text().replace('reason = ""', 'reason = "because"'))
    assert len(read_known(file)) == len(found)


def test_text_that_would_end_a_string(found: dict[str, Finding]) -> None:
    """A case or a kind with quotes, controls or TOML in it comes back as it was."""
    case = msgspec.json.decode(msgspec.json.encode(found["exp"].case))
    case["inputs"][0]["text"] = "'''\nop = \"x\"\u0007"
    odd = msgspec.structs.replace(
        found["exp"], error='raises \'"E\nop = "neg"', case=decode_case(msgspec.json.encode(case))
    )
    (entry,) = tomllib.loads(relist("", [], [odd], "").text)["known"]
    assert (entry["error"], decode_case(entry["case"])) == (odd.error, odd.case)


def test_clauses_stay_as_they_are(found: dict[str, Finding], tmp_path: Path) -> None:
    """Tables of clauses are no known failures: they are read past, and rewritten by nothing."""
    clause = '[[clause]]\nid = "BW-4"\noutcome = "violated"\nreason = "It replaces."\ndesign = true\n'
    known = written(found["exp"])
    text = f"# The list.\n\n{clause}\n{known}\n# On the next.\n{clause}"
    assert [entry.kind.blame for entry in read_known(listed(tmp_path, text))] == ["exp"]
    assert relist(text, [record(found["exp"], "fails as listed")], [], "").text == text
    healed = relist(text, [record(found["exp"], "healed")], [], "").text
    assert healed.count(clause) == 2
    assert "known" not in tomllib.loads(healed)
    more = tomllib.loads(relist(text, [], [found["neg"]], "").text)
    assert (len(more["clause"]), [k["op"] for k in more["known"]]) == (2, ["exp", "neg"])


@pytest.mark.parametrize("subject", available())
def test_the_lists_of_the_project_can_be_read(subject: str) -> None:
    """Each list that comes with the project is whole, and every reason in it is a sentence."""
    if not packaged(subject).exists():
        return
    entries = read_known(packaged(subject))
    assert entries or "[[clause]]" in packaged(subject).read_text()
    assert all(len(entry.reason.split()) > 4 and entry.since for entry in entries)


def test_every_packaged_list_is_of_a_subject() -> None:
    """No list stands among the packaged ones that no subject reads."""
    assert {path.stem for path in packaged("x").parent.glob("*")} <= set(available())
