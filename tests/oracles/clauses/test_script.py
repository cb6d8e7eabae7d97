"""A clause's script needs the library alone, and says by its exit code whether the clause holds."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings

import pytest

from oracles.clauses.clause import Clause, clauses
from oracles.clauses.script import Unwritable, script

EVERY = clauses()
SABOTAGED = """
import torch
from torch import *
from torch import autograd, nn

whole = torch.Tensor.backward


def backward(self, *arguments, **settings):
    for leaf in LEAVES:
        leaf.grad = None
    whole(self, *arguments, **dict(settings, retain_graph=True))


def tensor(*arguments, **settings):
    made = torch.tensor(*arguments, **settings)
    LEAVES.append(made)
    return made


LEAVES = []
torch.Tensor.backward = backward
"""
"""PyTorch, but that backward takes away what .grad held, and frees nothing."""


def ran(text, folder):
    """The exit code of a script in a folder of its own, with nothing of the project to be imported."""
    (folder / "clause.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "clause.py"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["BW-4", "BW-8", "AC-3"])
def test_pytorch_alone_holds(name, tmp_path):
    """Exit code 0, and no import but the library's."""
    text = script(EVERY[name], "torch")
    assert "oracles" not in text
    assert ran(text, tmp_path) == (0, f"{name} holds\n")


@pytest.mark.parametrize("name", ["BW-4", "BW-8", "AC-3"])
def test_a_sabotaged_library_does_not(name, tmp_path):
    """Exit code 1, and what was expected beside what there was."""
    (tmp_path / "sabotaged.py").write_text(SABOTAGED)
    code, said = ran(script(EVERY[name], "sabotaged"), tmp_path)
    assert code == 1
    assert "AssertionError: expected" in said or "AssertionError: not so" in said


@pytest.mark.parametrize("name", [n for n, c in EVERY.items() if not c.withdrawn])
def test_every_clause_can_be_written(name):
    """PyTorch holds each by its script as it does by its body."""
    text = script(EVERY[name], "torch")
    said = []

    def run():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exec(compile(text, name, "exec"), {"__name__": "__main__", "print": said.append})
            except BaseException as error:
                said.append(repr(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert said == [f"{name} holds"]


@pytest.mark.parametrize("name", [n for n, c in EVERY.items() if c.withdrawn])
def test_what_is_withdrawn_is_contradicted(name, tmp_path):
    """PyTorch does not hold a sentence that was withdrawn, or it need not have been; unless it promises nothing."""
    if name == "TH-3":
        pytest.skip("what is documented as racy can be shown by nothing")
    assert ran(script(EVERY[name], "torch"), tmp_path)[0] == 1


def within(torch, claim):
    """A claim within an expression."""
    [claim.equal(torch.tensor(n), n) for n in (1, 2)]


def test_a_claim_within_an_expression_is_refused():
    """It could not become an assert, and would be left out."""
    with pytest.raises(Unwritable, match="write each on a line of its own"):
        script(Clause("BW-1", "It is refused.", "nowhere", within), "torch")


def warning(torch, claim):
    """Warnings that are asked for, and that are not."""
    with claim.warns(UserWarning, "much"):
        torch.warn("too much")
    with claim.silent():
        torch.rest()


@pytest.mark.parametrize(
    ("said", "then", "code"), [("too much", "", 0), ("nothing", "", 1), ("too much", "more", 1)]
)
def test_warnings_are_asserted(said, then, code, tmp_path):
    """The warning must come where it is asked for, and none where none is."""
    (tmp_path / "warner.py").write_text(
        f"import warnings\ndef warn(text): warnings.warn({said!r})\ndef rest(): {then!r} and warnings.warn({then!r})\n"
    )
    assert ran(script(Clause("BW-1", "It warns.", "nowhere", warning), "warner"), tmp_path)[0] == code
