"""PyTorch and a partner in lock step: equal ones never differ, and every wrongdoer is found, shrunk and shown."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import msgspec
import pytest
import torch

import refgrad
from oracles.histories.action import BROKEN, Action, History, Observed, Seen, differences, exact
from oracles.histories.player import Player
from oracles.histories.search import RemotePartner, kind_of, replay, search
from oracles.histories.spelling import script, spelled
from oracles.histories.verbs import CHANGES, HOOKS, MODES, OPS, VERBS, VIEWS, WRITES
from oracles.records import HistoryFinding
from oracles.remote import Remote

LEAF = Action("leaf", name="float32", numbers=(1, 1.0, 2.0), flags={"requires_grad": True}, makes=1)


def changed(**what):
    """PyTorch with something of its own in place of some names."""

    class Changed(SimpleNamespace):
        def __getattr__(self, name):
            return getattr(torch, name)

    return Changed(**what)


class Silent(Player):
    """PyTorch, but no hook of it is ever called."""

    def told(self, label, value):
        """Say nothing."""


class Stale(Player):
    """PyTorch, but versions never grow."""

    def play(self, action):
        """Forget the versions."""
        seen = super().play(action)
        tensors = {n: msgspec.structs.replace(t, version=0) for n, t in seen.tensors.items()}
        return msgspec.structs.replace(seen, tensors=tensors)


class Careless(Player):
    """PyTorch, but nothing that is written in place ever raises."""

    def play(self, action):
        """Write under no_grad."""
        if action.verb != "write":
            return super().play(action)
        with torch.no_grad():
            return super().play(action)


WRONGDOERS = {
    "detached leaves": lambda: Player(changed(tensor=lambda data, **k: torch.tensor(data, dtype=k["dtype"]))),
    "doubles": lambda: Player(
        changed(tensor=lambda data, **k: torch.tensor(data, **k | {"dtype": torch.float64}))
    ),
    "hooks are silent": lambda: Silent(torch),
    "versions stay": lambda: Stale(torch),
    "writes are not recorded": lambda: Careless(torch),
}


def found(partner, examples=60, seed=1):
    """The findings of a search, and the steps that it compared."""
    *findings, steps = search(partner, "other", examples, seed, {})
    return findings, steps


def test_pytorch_is_as_pytorch():
    """Nothing differs from itself: what is compared does not hang on chance, and enough is compared."""
    findings, steps = found(lambda: Player(torch))
    assert findings == []
    assert steps > 500


@pytest.mark.parametrize("name", WRONGDOERS)
def test_a_wrongdoer_is_found_and_shrunk(name):
    """To a history of a few steps, none of which can be left out."""
    findings, _ = found(WRONGDOERS[name])
    assert findings
    first = min(findings, key=lambda f: len(f.history.actions))
    assert isinstance(first, HistoryFinding)
    assert len(first.history.actions) <= 3
    assert replay(first.history, WRONGDOERS[name]()) is not None
    assert replay(first.history, Player(torch)) is None


def test_kinds_are_found_one_after_the_other():
    """A known kind ends a history, and does not hide another."""

    class Both(Silent, Stale):
        """Two faults in one."""

    findings, _ = found(lambda: Both(torch))
    kinds = [f.kind for f in findings]
    assert len(kinds) == len(set(kinds)) >= 2
    assert any("version" in k for k in kinds)
    assert any("hooks" in k for k in kinds)
    *again, _ = search(lambda: Both(torch), "other", 60, 1, {}, settled=kinds)
    assert not set(kinds) & {f.kind for f in again}


EVERY = (
    *(Action("apply", (0, 0)[: OPS[name][0]], name, makes=1) for name in OPS if name != "matmul"),
    *(Action("view", (0,), name, makes=VIEWS[name][0]) for name in VIEWS),
    *(Action("write", (1, 0)[: WRITES[name][0]], name) for name in WRITES if name != "set_first"),
    *(Action("change", (0,), name) for name in CHANGES if name != "detach_"),
    *(Action("hook", (1 if name in ("node", "prenode") else 0,), name) for name in HOOKS),
    *(Action("enter", name=name) for name in MODES),
    Action("leave"),
    Action("unhook", numbers=(0,)),
    Action("backward", (2,), flags={"retain_graph": True}),
    Action("grad", (2, 0), flags={"seeded": True}, makes=1),
    Action("forget", (0,)),
)


RUN_ALL = """
import contextlib, io, json, runpy, sys
printed = []
for path in sys.argv[2:]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path(path)
    printed.append(out.getvalue().splitlines())
print(json.dumps(printed))
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """For each action a history that ends with it: what the player saw, and what the printed script prints."""
    folder = tmp_path_factory.mktemp("histories")
    seen, paths = [], []
    for number, action in enumerate(EVERY):
        product = Action("apply", (0,), "double", makes=1)
        total = Action("apply", (1,), "sum", makes=1)
        history = History((LEAF, product, total, action))
        player = Player(torch)
        seen.append([player.play(a) for a in history.actions])
        player.close()
        raised = {k: o.raised for k, o in enumerate(seen[-1]) if o.raised}
        parts = ("requires_grad", "version", "is_leaf")
        sentences = [f"t{n}: {part}: expected x, got y" for n in seen[-1][-1].tensors for part in parts]
        paths.append(folder / f"{number}.py")
        code = (
            script(history, raised, "refgrad", sentences)
            + "\nwhile modes: modes.pop().__exit__(None, None, None)\n"
        )
        paths[-1].write_text(code)
    command = [sys.executable, "-c", RUN_ALL, "--pytorch", *map(str, paths)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return list(zip(EVERY, seen, json.loads(ran.stdout), strict=True))


def test_a_verb_is_spelled_as_it_is_played(played):
    """The printed script does on PyTorch what the player does: the same raises, hooks run, and flags are left."""
    for action, seen, printed in played:
        for number, observed in enumerate(seen):
            if observed.raised:
                assert f"step {number}: {observed.raised}" in printed, action
        for n, tensor in seen[-1].tensors.items():
            assert f"t{n} requires_grad: {tensor.requires_grad}" in printed, action
            assert f"t{n} is_leaf: {tensor.is_leaf}" in printed, action
            assert f"t{n} version: {tensor.version}" in printed, action
        hooks = sum(len(o.hooks) for o in seen)
        assert sum(line.startswith("a hook") for line in printed) == hooks, action


def test_every_verb_is_spelled():
    """As a line of code that Python can read."""
    for action in (LEAF, *EVERY):
        compile(VERBS[action.verb].spell(action), "history", "exec")
    assert {a.verb for a in (LEAF, *EVERY)} == set(VERBS)


def test_numbers_follow_what_is_made():
    """Each tensor has its own name, also where one step makes several."""
    lines = spelled(
        History((LEAF, Action("view", (0,), "split", makes=2), Action("apply", (2,), "neg", makes=1)))
    )
    assert lines[1:] == ["t1, t2 = t0.split(1)[:2]", "t3 = -t2"]


def test_what_is_not_exact_is_not_compared():
    """A value that PyTorch rounds is nobody's fault."""
    assert exact((0.5, -3.0, 4095.0))
    assert not exact((1 / 3,))
    assert not exact((4096.0,))
    assert not exact((float("nan"),))
    seen = Seen((), "float32", None, False, True, "", (), 0, 0, False, False, False)
    other = msgspec.structs.replace(seen, values=(1.0,))
    assert differences(LEAF, Observed(tensors={0: seen}), Observed(tensors={0: other})) == []
    assert differences(LEAF, Observed(tensors={0: other}), Observed(tensors={0: seen})) != []


def test_a_kind_says_what_was_done_and_what_differed():
    """Without numbers, so that equal faults are one."""
    assert (
        kind_of(Action("write", (1,), "zero_"), ["t1: version: expected 1, got 0"]) == "write zero_: version"
    )
    assert (
        kind_of(LEAF, ["leaf: expected no exception, got TypeError"])
        == "leaf float32: expected no exception, got TypeError"
    )


def test_a_worker_plays_along():
    """In a process of its own, history after history."""
    with Remote("torch") as remote:
        *findings, steps = search(lambda: RemotePartner(remote), "torch", 8, 1, {})
    assert findings == []
    assert steps > 50


def without_no_grad(path, instead):
    """A subject in a file: PyTorch, but for what `no_grad` is."""
    path.write_text(
        "import contextlib, os, types\n"
        "import torch\n"
        "from oracles.subjects.torchlike import TorchLike\n"
        "class Odd(TorchLike):\n"
        "    @property\n"
        "    def tape(self):\n"
        "        made = types.ModuleType('odd')\n"
        f"        made.__getattr__ = lambda name: {instead} if name == 'no_grad' else getattr(torch, name)\n"
        "        return made\n"
        "subject = Odd('odd', 'torch')\n"
    )
    return path


def test_a_worker_that_dies_differs(tmp_path):
    """And the search goes on with a new one."""
    with Remote(without_no_grad(tmp_path / "dying.py", "os._exit(3)")) as remote:
        *findings, _ = search(lambda: RemotePartner(remote), "dying", 10, 1, {})
    assert [f.kind for f in findings] == [
        "enter no_grad: expected no exception, got the process ended with exit code 3"
    ]


def test_a_mode_without_effect_is_found(tmp_path):
    """In a process of its own, as PyTorch's modes are the process's."""
    with Remote(without_no_grad(tmp_path / "idle.py", "contextlib.nullcontext")) as remote:
        *findings, _ = search(lambda: RemotePartner(remote), "idle", 30, 1, {})
    assert findings
    assert min(len(f.history.actions) for f in findings) <= 4


def test_nothing_is_expected_of_a_library_that_finds_itself_broken():
    """PyTorch fails an internal assertion where a tensor that retained its gradient was detached and is written to."""
    history = History(
        (
            LEAF,
            Action("apply", (0,), "double", makes=1),
            Action("change", (1,), "retain_grad"),
            Action("change", (1,), "detach_"),
            Action("write", (1, 0), "copy_"),
        )
    )
    player = Player(torch)
    assert [player.play(action).raised for action in history.actions][-1] == BROKEN
    assert replay(history, Player(refgrad)) is None
