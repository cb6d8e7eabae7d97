"""A library without a tape: its gradients are of the steps that were made, by its own vector-Jacobian product."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("autograd")

from oracles.clauses.claim import Unsupported
from oracles.clauses.clause import clauses
from oracles.clauses.holding import hold
from oracles.subjects.autograd import subject


def test_gradients_of_steps():
    """Of one output or several, with vectors or without, and of a result on the way."""
    torch = subject.tape
    x, w = torch.tensor([2.0, 3.0]), torch.tensor([5.0, 7.0])
    y = x * w
    z = (y * y).sum()
    assert [g.tolist() for g in torch.autograd.grad(z, (x, w))] == [[100.0, 294.0], [40.0, 126.0]]
    assert torch.autograd.grad(z, y)[0].tolist() == [20.0, 42.0]
    both = torch.autograd.grad([y, z], x, [torch.tensor([1.0, 10.0]), torch.tensor(1.0)])
    assert both[0].tolist() == [105.0, 364.0]


def test_settings_are_steps_too():
    """A tensor among the settings is differentiated."""
    torch = subject.tape
    x, low = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 1.0])
    y = torch.maximum(x, low)
    assert [g.tolist() for g in torch.autograd.grad(y.sum(), (x, low))] == [[0.0, 1.0], [1.0, 0.0]]
    assert torch.autograd.grad(x.clamp(max=low * 1.0).sum(), x)[0].tolist() == [1.0, 0.0]


def test_gradients_of_gradients():
    """A gradient is a step like any other."""
    torch = subject.tape
    x = torch.tensor([2.0])
    (first,) = torch.autograd.grad((x * x * x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((first * x).sum(), x, create_graph=True)
    (third,) = torch.autograd.grad(second.sum(), x)
    assert [first.tolist(), second.tolist(), third.tolist()] == [[12.0], [36.0], [36.0]]


def test_what_needs_a_tape_is_lacking():
    """With the reason, and never as a violation."""
    torch = subject.tape
    x = torch.tensor([2.0], requires_grad=True)
    for ask in (
        lambda: x.grad,
        lambda: x.requires_grad,
        lambda: (x * 2).sum().backward(),
        lambda: torch.no_grad(),
        lambda: torch.tensor([2.0], requires_grad=False),
        lambda: torch.tensor([2], requires_grad=True),
    ):
        with pytest.raises(Unsupported, match="keeps no tape"):
            ask()
    for ask, said in (
        (lambda: torch.autograd.grad(x * 2, x), "asks for a vector"),
        (lambda: torch.autograd.grad(x.sum(), x, allow_unused=True), "nothing like allow_unused"),
        (lambda: torch.autograd.grad(x.sum(), []), "takes inputs"),
        (lambda: torch.autograd.grad(x.sum(), {"x": x}), "no names"),
    ):
        with pytest.raises(Unsupported, match=said):
            ask()


def test_functions_of_functions():
    """vjp, jacobian and hessian, each by the library's own."""
    torch = subject.tape
    x = torch.tensor([2.0, 3.0])
    outputs, product = torch.autograd.functional.vjp(lambda x: x * x, x, torch.tensor([1.0, 10.0]))
    assert (outputs.tolist(), product.tolist()) == ([4.0, 9.0], [4.0, 60.0])
    assert torch.autograd.functional.jacobian(lambda x: x * x.sum(), x).tolist() == [[7.0, 2.0], [3.0, 8.0]]
    assert torch.autograd.functional.hessian(lambda x: (x * x * x).sum(), x).tolist() == [
        [12.0, 0.0],
        [0.0, 18.0],
    ]
    for ask, said in (
        (lambda: torch.autograd.functional.jacobian(lambda x: x, (x,)), "of one array"),
        (lambda: torch.autograd.functional.jacobian(lambda x: x, x, strict=True), "of one array"),
        (lambda: torch.autograd.functional.jacobian(lambda x: 1.0, x), "gives one array"),
        (lambda: torch.autograd.functional.vhp(lambda x: x, x), "no torch.autograd.functional.vhp"),
    ):
        with pytest.raises(Unsupported, match=said):
            ask()


def test_the_script_does_the_same(tmp_path):
    """What was noted runs with the library alone, gradients of gradients included."""
    torch = subject.tape
    x = torch.tensor([2.0, 3.0])
    (first,) = torch.autograd.grad((x * x * x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    torch.claim().equal([first, second], [[12.0, 27.0], [12.0, 18.0]])
    torch.claim().equal(torch.autograd.functional.jacobian(lambda x: x * x, x), [[4.0, 0.0], [0.0, 6.0]])
    (tmp_path / "noted.py").write_text("\n".join(torch.recorded()))
    done = subprocess.run(
        [sys.executable, "noted.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[array([12., 27.]), array([12., 18.])]\n[[4. 0.]\n [0. 6.]]\n"


def test_threads_note_their_steps_at_once(tmp_path):
    """Nothing of one thread stands in another's function: the clause holds, and its script runs."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for k in range(40):
            tape = subject.tape
            assert hold(clauses()["TH-1"], tape).outcome == "holds"
            (tmp_path / f"noted{k}.py").write_text("\n".join(tape.recorded()))
    finally:
        sys.setswitchinterval(before)
    runner = "import pathlib, runpy\nfor p in pathlib.Path('.').glob('noted*.py'): runpy.run_path(str(p))\n"
    command = [sys.executable, "-W", "ignore", "-c", runner]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
