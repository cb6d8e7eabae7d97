"""A library in PyTorch's shape: what it is called by, what it lacks, and what is noted."""

from __future__ import annotations

import contextlib
import io
import sys
import types

import pytest

from oracles.clauses.claim import Unsupported
from oracles.clauses.clause import Clause
from oracles.clauses.holding import hold
from oracles.clauses.shape import Kind, Lacks, Shape

TOY = """
RECORDING = True

class Number:
    def __init__(self, value, constant=False):
        self.value, self.constant, self.slope, self.parts = value, constant, None, ()

    def __mul__(self, other):
        made = Number(self.value * getattr(other, "value", other))
        made.parts = (self, other)
        return made

    def back(self, seed=None):
        if seed is not None and seed != 1.0:
            raise ValueError("only 1 will do")
        self.parts[0].slope = Number(getattr(self.parts[1], "value", self.parts[1]))  # replaces: a fault

def number(value, constant=False):
    return Number(value, constant)

def pair(x):
    return [x * 2, x * 3]

class Silence:
    def __enter__(self):
        global RECORDING
        RECORDING = False

    def __exit__(self, *raised):
        global RECORDING
        RECORDING = True

    def __call__(self, function):
        def called(*arguments):
            with self:
                return function(*arguments)
        return called
"""


@pytest.fixture
def shape(monkeypatch):
    """A library of numbers whose backward replaces what there was."""
    module = types.ModuleType("toy")
    exec(TOY, module.__dict__)
    monkeypatch.setitem(sys.modules, "toy", module)
    return Shape(
        "toy",
        {"toy": "toy", "builtins": "builtins"},
        {
            "toy.Number": Kind(
                values=lambda x: x.value,
                attributes={
                    "grad": lambda x: x.slope,
                    "requires_grad": lambda x: x.constant,
                    "_version": "toy counts nothing",
                },
                methods={
                    "backward": lambda x, gradient=None: x.back() if gradient is None else x.back(gradient)
                },
                written={
                    "grad": "slope",
                    "data": lambda builtins, x, value: builtins.setattr(x, "value", value),
                },
                printed=lambda x: x.value,
            )
        },
        {
            "tensor": lambda toy, data, requires_grad=None: toy.number(data),
            "autograd.grad": "toy keeps its gradients",
            "pair": lambda toy, x: toy.pair(x),
            "recording": lambda toy: toy.RECORDING,
            "later": lambda toy, x: toy.later(x),
            "cosine": lambda toy, x: x.cosine(),
            "broken": lambda toy, x: toy.number(x.value.none),
        },
        {"no_grad": lambda toy: toy.Silence()},
        {"two": lambda toy: 2.0},
    )


def printed(lines):
    """What a script of these lines prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec("\n".join(lines), {})
    return out.getvalue()


def accumulates(torch, claim):
    """Gradients are added."""
    x = torch.tensor(2.0, requires_grad=True)
    (x * 3).backward()
    (x * 4).backward()
    claim.equal(x.grad, 7.0)


def test_a_fault_stays_a_fault(shape):
    """The body runs on the library's own calls, and the script shows by itself what it came to."""
    tape = shape.tape()
    held = hold(Clause("BW-4", "Gradients are added.", "nowhere", accumulates), tape)
    assert (held.outcome, held.expected, held.got) == ("violated", "7.0", "4")
    assert tape.recorded() == [
        "import toy",
        "",
        "x1 = toy.number(2.0)",
        "y2 = x1 * 3",
        "y2.back()",
        "y3 = x1 * 4",
        "y3.back()",
        "y4 = x1.slope",
        "print(y4.value)  # PyTorch: 7.0",
    ]
    assert printed(tape.recorded()) == "4\n"


def test_the_same_object_is_the_same(shape):
    """What the library calls one object is one, however it was come by; what is new is another."""
    torch = shape.tape()
    x = torch.tensor(2.0)
    (x * 3).backward()
    first = x.grad
    assert x.grad is first
    (x * 3).backward()
    assert x.grad is not first
    given = torch.tensor(5.0)
    x.grad = given
    assert x.grad is given
    assert torch.recorded()[-1] == "x1.slope = x6"
    claim = torch.claim()
    claim.same(x.grad, given)
    assert torch.recorded()[-1] == "print(x1.slope is x6)  # PyTorch: True"
    claim.different(x.grad, first)
    assert torch.recorded()[-1] == "print(x1.slope is y3)  # PyTorch: False"


def test_what_is_lacking_is_said(shape):
    """With the reason that is given, or by name; hasattr sees it."""
    torch = shape.tape()
    x = torch.tensor(2.0)
    for ask, said in (
        (lambda: x._version, "toy counts nothing"),
        (lambda: torch.autograd.grad, "toy keeps its gradients"),
        (lambda: torch.autograd.graph.Node, "toy has no torch.autograd.graph.Node"),
        (lambda: torch.vmap, "toy has no torch.vmap"),
        (lambda: x.sum(), "toy: a Number has no sum"),
        (lambda: x[0], "toy: a Number has no elements"),
        (
            lambda: x.backward(retain_graph=True),
            "toy: backward got an unexpected keyword argument 'retain_graph'",
        ),
        (lambda: setattr(x, "requires_grad", True), "toy: requires_grad of a Number cannot be assigned"),
        (lambda: torch.tensor(1j), "toy: a complex has no spelling"),
        (lambda: torch.later(x), "toy: module 'toy' has no attribute 'later'"),
        (lambda: torch.cosine(x), "toy: 'Number' object has no attribute 'cosine'"),
    ):
        with pytest.raises(Unsupported, match=said.replace(".", r"\.")):
            ask()
    with pytest.raises(AttributeError) as caught:
        torch.broken(x)
    assert not isinstance(caught.value, Unsupported), "a fault within the library is none of lacking"
    assert not hasattr(torch, "vmap")
    assert not hasattr(x, "_version")
    assert issubclass(Lacks, AttributeError)


def test_what_raises_is_noted_as_raising(shape):
    """The exception is the library's own, and the script goes on after it."""
    torch = shape.tape()
    y = torch.tensor(2.0) * 3
    with pytest.raises(ValueError, match="only 1 will do"):
        y.backward(2.0)
    assert printed(torch.recorded()) == "ValueError: only 1 will do\n"


def test_blocks_and_decorators_are_noted(shape):
    """The library's own block is entered, and its own decorator applied; the script does both."""
    torch = shape.tape()
    x = torch.tensor(2.0)
    with torch.no_grad():
        assert torch.recording() is False
    with torch.no_grad():
        pass

    @torch.no_grad()
    def called():
        return x * (3.0 if torch.recording() else 5.0)

    assert called().tolist() == 10.0
    assert torch.recording() is True
    assert torch.recorded()[3:] == [
        "with toy.Silence():",
        "    print(toy.RECORDING)",
        "with toy.Silence():",
        "    pass",
        "@toy.Silence()",
        "def called():",
        "    global y2",
        "    print(toy.RECORDING)",
        "    y2 = x1 * 5.0",
        "called()",
        "print(toy.RECORDING)",
    ]
    assert printed(torch.recorded()) == "False\nFalse\nTrue\n"


def test_several_results_constants_and_settings(shape):
    """A list's objects are wrapped, a constant is no call, and an attribute may be set by a way."""
    torch = shape.tape()
    x = torch.tensor(torch.two)
    first, second = torch.pair(x)
    assert [first.tolist(), second.tolist()] == [4.0, 6.0]
    x.data = 7.0
    assert x.tolist() == 7.0
    claim = torch.claim()
    claim.equal([first, second], [4.0, 6.0])
    assert torch.recorded()[-2:] == [
        "setattr(x1, 'value', 7.0)",
        "print([y2[0].value, y2[1].value])  # PyTorch: [4.0, 6.0]",
    ]


def test_claims_leave_what_pytorch_does(shape):
    """Each claim leaves a remark, on the line that prints what is claimed where there is one."""
    torch = shape.tape()
    x = torch.tensor(2.0)
    claim = torch.claim()
    claim.none(x.grad)
    claim.true(not x.requires_grad, "it is none")
    with claim.raises(ValueError, "only 1"):
        (x * 3).backward(5.0)
    with pytest.raises(AssertionError), claim.warns(UserWarning, "much"):
        pass
    assert [line for line in torch.recorded() if "#" in line] == [
        "print(x1.slope)  # PyTorch: None",
        "print(x1.constant)  # PyTorch: it is none",
        "# PyTorch: the next raises ValueError saying 'only 1'",
        "# PyTorch: the next warns, a UserWarning saying 'much'",
    ]
    assert claim.count == 4
