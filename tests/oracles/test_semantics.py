"""Judging clauses in a run: records, the list of deviations, and workers that fail."""

from __future__ import annotations

import pytest

from oracles.answers import Died, Errored, Held, Hung, Unsupported
from oracles.campaign import Progress, campaign
from oracles.clauses.clause import clauses
from oracles.clauses.deviations import Deviation, DeviationError, read_deviations
from oracles.plan import UsageError, plan_check
from oracles.records import ClauseOutcome, Footer, Judged
from oracles.relist import relist
from oracles.semantics import outcome_of

BW4 = clauses()["BW-4"]
ENTRY = '[[clause]]\nid = "BW-4"\noutcome = "violated"\nreason = "it overwrites"\ndesign = true\n'


def test_a_run_on_semantics_alone():
    """A record for each clause, progress, and a footer that counts them."""
    plan = plan_check("torch", None, (), (), 1, None, 1, 1, "", only="semantics")
    items = list(campaign(plan))
    outcomes = [item for item in items if isinstance(item, ClauseOutcome)]
    assert [o.id for o in outcomes] == list(clauses())
    assert {o.outcome for o in outcomes} == {"holds", "withdrawn"}
    assert not any(isinstance(item, Judged) for item in items)
    assert next(i for i in items if isinstance(i, Progress)).what == "clauses"
    footer = items[-1]
    assert isinstance(footer, Footer)
    assert (footer.clauses, footer.violated, footer.cases) == (len(outcomes), 0, 0)


def test_a_run_on_gradients_alone_asks_no_clause():
    """Nor does one on some ops."""
    for ops, only in ((("sin",), ""), (("sin",), "gradients")):
        plan = plan_check("torch", None, ops, ("float64",), 2, None, 1, 1, "", only=only)
        assert not any(isinstance(item, ClauseOutcome) for item in campaign(plan))


def test_an_unknown_part_is_refused():
    """And --fix wants a whole run."""
    with pytest.raises(UsageError, match="unknown part 'gradient': did you mean gradients"):
        plan_check("torch", None, (), (), 1, None, 1, 1, "", only="gradient")
    with pytest.raises(UsageError, match="--only"):
        plan_check("torch", None, (), (), 1, None, 1, 1, "", fix=True, only="semantics")


@pytest.mark.parametrize(
    ("reply", "outcome", "said"),
    [
        (Unsupported("no tape"), "unsupported", "no tape"),
        (Errored("TypeError", "odd"), "errored", "TypeError: odd"),
        (Died("signal SIGSEGV"), "errored", "the process ended with signal SIGSEGV"),
        (Hung(10.0), "errored", "no answer within 10 s"),
        (Held("violated", "7", "4"), "violated", "4"),
    ],
)
def test_every_reply_is_an_outcome(reply, outcome, said):
    """Also of a worker that dies."""
    record = outcome_of(BW4, reply, None)
    assert record.outcome == outcome
    assert said in (record.got, record.reason)
    assert record.new is (outcome in ("violated", "errored"))


def test_the_list_is_strict():
    """As listed is known; healed and changed are stale; a design is said to be one."""
    listed = Deviation("BW-4", "violated", "it overwrites", True)
    known = outcome_of(BW4, Held("violated", "7", "4"), listed)
    assert (known.status, known.new, known.stale, known.design, known.why) == (
        "as listed", False, False, True, "it overwrites",
    )  # fmt: skip
    healed = outcome_of(BW4, Held("holds"), listed)
    changed = outcome_of(BW4, Held("errored", got="x"), listed)
    gone = outcome_of(BW4, Unsupported("removed"), listed)
    assert [(o.status, o.stale) for o in (healed, changed, gone)] == [
        ("healed", True), ("changed", True), ("changed", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ENTRY.replace("BW-4", "BW-4000"), "no clause 'BW-4000'"),
        (ENTRY.replace("violated", "holds"), "outcome is neither violated nor errored"),
        (ENTRY.replace("it overwrites", " "), "reason is empty"),
        (ENTRY.replace("design = true", 'design = "yes"'), "design is no true or false"),
        (ENTRY.replace("design = true", ""), "design is missing"),
        (ENTRY + "more = 1\n", "more: no such key"),
        (ENTRY + ENTRY, "BW-4 is listed twice"),
        ("clause = 3\n", "[[clause]]"),
    ],
)
def test_a_wrong_entry_is_refused(tmp_path, text, said):
    """With the file, the entry and the key."""
    path = tmp_path / "list.toml"
    path.write_text(text)
    with pytest.raises(DeviationError) as raised:
        read_deviations(path)
    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_the_list_is_rewritten():
    """Healed entries go, changed ones say so, new ones come without a reason; comments stay."""
    text = "# Ours.\n\n" + ENTRY + "\n" + ENTRY.replace("BW-4", "BW-1") + "\n" + ENTRY.replace("BW-4", "BW-2")
    listed = {k: Deviation(k, "violated", "it overwrites", True) for k in ("BW-4", "BW-1", "BW-2")}
    every = clauses()
    outcomes = [
        outcome_of(every["BW-4"], Held("holds"), listed["BW-4"]),
        outcome_of(every["BW-1"], Held("errored", got="x"), listed["BW-1"]),
        outcome_of(every["BW-2"], Held("violated", "a", "b"), listed["BW-2"]),
        outcome_of(every["BW-8"], Held("violated", "a", "b"), None),
    ]
    new = relist(text, (), (), "1.0", outcomes)
    assert (new.removed, new.updated, new.added) == (["BW-4"], ["BW-1"], ["BW-8"])
    assert new.text.startswith("# Ours.\n")
    assert "BW-4" not in new.text
    assert 'outcome = "errored"' in new.text
    assert new.text.endswith('[[clause]]\nid = "BW-8"\noutcome = "violated"\nreason = ""\ndesign = false\n')


HISTORY = (
    '[[history]]\nkind = "leaf float32: version"\nreason = "counts from 1"\ndesign = true\n'
    'history = \'\'\'{"actions":[{"verb":"leaf","name":"float32","numbers":[0,1.0],"makes":1}]}\'\'\'\n'
)


def test_a_listed_history_is_read(tmp_path):
    """With its actions."""
    path = tmp_path / "list.toml"
    path.write_text(HISTORY)
    (entry,) = read_deviations(path).histories.values()
    assert (entry.kind, entry.reason, entry.design) == ("leaf float32: version", "counts from 1", True)
    assert entry.history.actions[0].verb == "leaf"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"verb":"leaf"', '"verb":"exec"', "there is no verb 'exec'"),
        ('"makes":1', '"makes":1,"on":[0]', "a tensor that there is not yet"),
        ('{"actions"', '{"steps"', "history: "),
        ("counts from 1", "", "reason is empty"),
    ],
)
def test_a_wrong_history_is_refused(tmp_path, old, new, said):
    """Nothing in it is run before it is known to be a history."""
    path = tmp_path / "list.toml"
    path.write_text(HISTORY.replace(old, new))
    with pytest.raises(DeviationError, match=said):
        read_deviations(path)


def test_a_healed_history_makes_the_list_stale(tmp_path):
    """PyTorch is as PyTorch: the entry is to be taken off, and --fix does."""
    path = tmp_path / "list.toml"
    path.write_text(HISTORY)
    file = tmp_path / "same.py"
    file.write_text(
        "from oracles.subjects.torchlike import TorchLike\nsubject = TorchLike('same', 'torch')\n"
    )
    plan = plan_check("same", file, (), (), 1, None, 1, 1, "", known_file=path, only="semantics")
    items = list(campaign(plan))
    assert items[-1].stale == 1
    assert items[-1].steps > 100
    new = relist(HISTORY, (), (), "", [i for i in items if isinstance(i, ClauseOutcome)])
    assert "[[history]]" not in new.text
