"""Libraries of other shapes: each violation of a clause is listed with its reason, and its script shows it alone."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.util import find_spec
from shutil import which

import numpy as np
import pytest

from oracles.clauses.clause import clauses
from oracles.clauses.holding import hold
from oracles.known import packaged
from oracles.subjects import load
from oracles.subjects.protocol import Lacking

from ..building import case, step  # noqa: TID252

EVERY = clauses()
NAMES = ("autograd", "jax", "mygrad", "tinygrad", "micrograd")


def subject(name):
    """The subject, or the test is skipped."""
    if find_spec(name) is None or (name == "tinygrad" and which("clang") is None):
        pytest.skip(f"{name} is not installed, or not whole")
    return load(name)


def listed(name):
    """The clauses that a library is known not to hold."""
    return tomllib.loads(packaged(name).read_text())["clause"]


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_says_why(name):
    """Each names a clause once, an outcome, a reason, and whether it is so by design."""
    entries = listed(name)
    assert len({e["id"] for e in entries}) == len(entries)
    for entry in entries:
        assert set(entry) == {"id", "outcome", "reason", "design"}
        assert entry["id"] in EVERY
        assert entry["outcome"] in ("violated", "errored")
        assert len(entry["reason"].split()) > 5
        assert isinstance(entry["design"], bool)


@pytest.mark.parametrize("name", NAMES)
def test_the_list_is_what_is_found(name, tmp_path):
    """What is listed is found, and what is found is listed; every script runs with the library alone."""
    judged = subject(name)
    expected = {e["id"]: e["outcome"] for e in listed(name)}
    found = {}
    for number, clause in EVERY.items():
        tape = judged.tape
        held = hold(clause, tape)
        if held.outcome in ("violated", "errored"):
            found[number] = held.outcome
            (tmp_path / f"{number}.py").write_text("\n".join(tape.recorded()))
    assert {k: v for k, v in found.items() if k in expected} == expected
    assert not set(found) - set(expected), "not listed"
    runner = (
        "import pathlib, runpy\nfor p in sorted(pathlib.Path('.').glob('*-*.py')): runpy.run_path(str(p))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", runner],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["jax", "mygrad", "tinygrad"])
def test_gradients_of_arrays(name):
    """The product of two arrays, pulled back from a vector."""
    judged = subject(name)
    made = case({"a": [2.0, 3.0], "b": [5.0, 7.0]}, [step("mul", 0, 1)], [[1.0, 10.0]])
    answer = judged.vjp(made)
    assert [g.numpy().tolist() for g in answer.gradients] == [[5.0, 70.0], [2.0, 30.0]]
    assert answer.outputs[0].numpy().tolist() == [10.0, 21.0]
    assert judged.values(made.program, [a.numpy() for a in made.inputs])[0].tolist() == [10.0, 21.0]
    assert "mul" not in judged.supports(made.program.steps[0])
    assert "addmm" in judged.supports(step("addmm", 0, 1, 1))


def test_gradients_of_numbers():
    """micrograd has numbers, and its backward starts from 1: the cotangent is a factor."""
    judged = subject("micrograd")
    made = case({"a": 2.0, "b": 5.0}, [step("mul", 0, 1), step("relu", 2)], [10.0])
    answer = judged.vjp(made)
    assert [g.numpy().tolist() for g in answer.gradients] == [50.0, 20.0]
    assert [v.tolist() for v in judged.values(made.program, [a.numpy() for a in made.inputs])] == [10.0]
    with pytest.raises(Lacking, match="numbers alone"):
        judged.vjp(case({"a": [2.0]}, [step("relu", 0)], [[1.0]]))
    with pytest.raises(Lacking, match="powers are numbers"):
        judged.vjp(case({"a": 2.0, "b": 5.0}, [step("pow", 0, 1)], [1.0]))


@pytest.mark.parametrize("name", ["mygrad", "micrograd"])
def test_no_second_order(name):
    """Gradients that are no tensors cannot be differentiated."""
    made = case({"a": 2.0}, [step("mul", 0, 0)], [1.0], order=2, seconds=[1.0])
    with pytest.raises(Lacking, match="no second order"):
        subject(name).vjp(made)


@pytest.mark.parametrize("name", ["jax", "tinygrad"])
def test_second_order(name):
    """Gradients that are tensors have gradients of their own: a cube's are found."""
    judged = subject(name)
    made = case({"a": [2.0]}, [step("mul", 0, 0), step("mul", 1, 0)], [[1.0]], order=2, seconds=[[1.0]])
    answer = judged.vjp(made)
    assert [s.numpy().tolist() for s in answer.seconds] == [[12.0]]
    assert [s.numpy().tolist() for s in answer.second_cotangents] == [[12.0]]
    assert np.array_equal(answer.gradients[0].numpy(), [12.0])
