"""Runs made by hand: a rich one with every kind of record and outcome, and hostile names."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from oracles.arrays import Array
from oracles.program import Case, Input, Program, Ref, Scalar, Slice, Step
from oracles.records import (
    Accuracy,
    ClauseOutcome,
    Comparison,
    Convention,
    Failure,
    Farthest,
    Finding,
    Footer,
    Header,
    HistoryFinding,
    Judged,
    Known,
    Plot,
    Record,
    Verdict,
)
from reports.stream import Run

HOSTILE = (
    "<script>alert(1)</script>\"'`|&]]>\x1b[31m\x00\u202eevil\u2066 | --> ${{ x }} **b** [a](javascript:1)"
)
ORACLES = ("exact", "pytorch", "differences", "laws")
OPS = (
    "add",
    "cat",
    "clamp",
    "cumsum",
    "exp",
    "log",
    "log_softmax",
    "matmul",
    "mul",
    "prod",
    "softmax",
    "std",
)
FACES = (
    "negative values",
    "exact zero",
    "tie",
    "broadcast size-1 axis",
    "non-contiguous",
    "0-d",
    "empty",
    "large",
)
VERSIONS = {"refgrad": "0.1.0", "tinytape": "0.3.1", "python": "3.11.9", "numpy": "2.4.0", "torch": "2.13.0"}


def array(values: Any, dtype: str = "float32") -> Array:
    """An array record of these values."""
    return Array.of(np.array(values, dtype=dtype))


def header(**changes: Any) -> Header:
    """The header of an ordinary run."""
    given: dict[str, Any] = {
        "subject": "tinytape",
        "versions": VERSIONS,
        "command": "refgrad check tinytape --subject-file adapters/tinytape.py --examples 2000",
        "seed": 20261121,
        "started": "2026-11-21T21:04:09Z",
        "oracles": ORACLES,
        "ops": (*OPS, "std_mean", "trace"),
        "dtypes": ("float64", "float32", "bfloat16"),
    }
    return Header(**given | changes)


def judged(number: int, ops: tuple[str, ...], *verdicts: Verdict, **more: Any) -> Judged:
    """One case with these verdicts, an exact agreement if there are none."""
    verdicts = verdicts or (Verdict("exact", "agrees", ratio="0.25", ulps="0.5"),)
    given: dict[str, Any] = {"dtype": "float32", "order": 1, "elements": 4}
    return Judged(f"{number:012x}", ops, verdicts=verdicts, **given | more)


def program(op: str = "std", name: str = "x", **settings: Any) -> Program:
    """One input and one step."""
    return Program((Input(name, (2,), "float32"),), (Step(op, (Ref(0),), settings),), (1,))


def finding(label: str = "std-x-7f3a", blame: str = "std", **changes: Any) -> Finding:
    """A wrong value in the gradient of `std`, with a comparison and two verdicts."""
    case = Case(program(blame if blame != "walk" else "std"), (array([0.5, 0.25]),), (array(1.0),), "float32")
    worst = Comparison(
        argument="gradient of x",
        shape=(2,),
        got=array([0.5, -0.70710677]),
        expected=("0.70710678118654752440084436210484903928", "-0.70710678118654752440084436210484903928"),
        radius=("3.1e-41", "3.1e-41"),
        budget=("4.2e-7", "4.2e-7"),
        error_ulps=("3474675.2", "0.13"),
        error_budgets=("493112.9", "0.018"),
        others={
            "pytorch": array([0.70710677, -0.70710677]),
            "differences": array([0.7071, -0.7071], "float64"),
        },
    )
    given: dict[str, Any] = {
        "subject": "tinytape",
        "argument": "x",
        "error": "wrong value",
        "message": "The gradient divides by n where the unbiased estimate divides by n - 1.",
        "case": case,
        "step": 0,
        "program": "x = tensor([0.5, 0.25], requires_grad=True)\ny = std(x)\ny.backward()\nx.grad",
        "script": "import numpy as np\nimport tinytape\n\nx = tinytape.tensor(np.float32([0.5, 0.25]))\n"
        "y = tinytape.std(x)\ny.backward()\nprint('expected', [0.7071068, -0.7071068], 'got', x.grad)\n",
        "command": f"refgrad replay {label}",
        "verdicts": (
            Verdict("exact", "differs", ratio="493112.9", ulps="3474675.2"),
            Verdict("pytorch", "differs", ratio="493112.9"),
            Verdict("differences", "differs", ratio="120.4"),
            Verdict("laws", "agrees"),
        ),
        "comparisons": (worst,),
        "seen": 37,
    }
    return Finding(id=label, blame=blame, **given | changes)


def plot() -> Plot:
    """An error that grows toward 1, crosses the budget, and is nan at one place and zero at another."""
    draw = random.Random(3)
    xs = [round(-2 + 0.04 * i, 2) for i in range(101)]
    errors = [10 ** (draw.uniform(-1, 0.4) + 5.5 * np.exp(-((x - 0.6) ** 2) / 0.15)) for x in xs]
    texts = ["0" if i == 20 else "nan" if i == 66 else f"{e:.6g}" for i, e in enumerate(errors)]
    budgets = [f"{6 + 30 * np.exp(-((x - 0.6) ** 2)):.4g}" for x in xs]
    return Plot("x", 0, tuple(str(x) for x in xs), tuple(texts), tuple(budgets))


def findings() -> tuple[Finding, ...]:
    """One finding of each class: wrong value, nan, through the walk, wrong dtype, raises, a hostile one."""
    return (
        finding(plot=plot()),
        _nan(),
        _walk(),
        _dtype(),
        finding(
            "cat-tensors-9c2e",
            "cat",
            argument="tensors[1]",
            error="raises TypeError",
            message="TypeError: unsupported operand type(s) for +: 'NoneType' and 'float'",
            comparisons=(),
            verdicts=(
                Verdict("exact", "errored", "the subject raised TypeError"),
                Verdict("pytorch", "errored"),
            ),
            traceback='Traceback (most recent call last):\n  File "tinytape/ops.py", line 212, in backward\n'
            "TypeError: unsupported operand type(s) for +: 'NoneType' and 'float'",
            captured="warning: empty segment\n",
            seen=12,
        ),
        _hostile(),
    )


def _dtype() -> Finding:
    wide = Comparison(
        "gradient of x",
        (2,),
        array([0.25, -0.25], "float64"),
        ("0.25", "-0.25"),
        ("0", "0"),
        ("1e-7", "1e-7"),
        ("0", "0"),
        ("0", "0"),
    )
    says = (
        Verdict("laws", "differs", "the gradient of a float32 input is float64"),
        Verdict("exact", "agrees", "", "0"),
    )
    return finding(
        "softmax-x-01ab",
        "softmax",
        error="wrong dtype",
        message="A gradient has the dtype of its input.",
        comparisons=(wide,),
        verdicts=says,
        program="x = tensor([0.5, 0.25], requires_grad=True)\ny = softmax(x, dim=0)\ny[0].backward()",
        seen=4,
    )


def _nan() -> Finding:
    one = Comparison(
        "gradient of x",
        (1, 3),
        array([[np.nan, np.nan, 0.0]], "float64"),
        ("0", "0", "0"),
        ("0", "0", "0"),
        ("5e-324", "5e-324", "5e-324"),
        ("nan", "nan", "0"),
        ("nan", "nan", "0"),
        others={"pytorch": array([[0.0, 0.0, 0.0]], "float64")},
    )
    case = Case(
        program("prod", dim=1), (array([[0.0, 0.0, 3.0]], "float64"),), (array([1.0], "float64"),), "float64"
    )
    return finding(
        "prod-x-44d0",
        "prod",
        error="nan",
        message="Two zeros in one row: the product of the others is zero, but 0 / 0 is taken.",
        case=case,
        comparisons=(one,),
        verdicts=(Verdict("exact", "differs", ratio="nan"), Verdict("pytorch", "differs", ratio="nan")),
        program="x = tensor([[0.0, 0.0, 3.0]], requires_grad=True)\ny = prod(x, dim=1)\ny.sum().backward()",
    )


def _walk() -> Finding:
    inputs = (Input("a", (2,), "float64"), Input("b", (2,), "float64", layout="reversed"))
    steps = (
        Step("mul", (Ref(0), Ref(1))),
        Step("getitem", (Ref(2),), index=(Slice(0, 1),)),
        Step("add", (Ref(3), Ref(0)), {"alpha": 2}),
        Step("mul", (Ref(4), Scalar.of(0.5))),
    )
    arrays = (array([2.0, 3.0], "float64"), array([5.0, 7.0], "float64"))
    ones = array([1.0, 1.0], "float64")
    case = Case(Program(inputs, steps, (5,)), arrays, (ones,), "float64", 2, (ones, ones))
    worst = Comparison(
        "second-order gradient of a",
        (2,),
        array([0.5, 0.0], "float64"),
        ("1", "0.5"),
        ("0", "0"),
        ("2.2e-16", "2.2e-16"),
        ("2251799813685248", "4503599627370496"),
        ("2.27e15", "2.27e15"),
        1,
        {"pytorch": array([1.0, 0.5], "float64")},
    )
    return finding(
        "walk-a-e100",
        "walk",
        argument="a",
        message="A value that is used twice receives only its last contribution.",
        case=case,
        step=-1,
        comparisons=(worst,),
        program="t0 = a * b\nt1 = t0[0:1]\nt2 = add(t1, a, alpha=2)\nt3 = t2 * 0.5",
        verdicts=(
            Verdict("exact", "differs", ratio="2.27e15"),
            Verdict("pytorch", "differs", ratio="2.27e15"),
            Verdict("differences", "cannot tell", "the estimate is poor: its error is 0.3 of its value"),
        ),
        seen=1204,
    )


def _hostile() -> Finding:
    case = Case(program(HOSTILE, HOSTILE), (array([1e30, -0.0]),), (array(1.0),), "float32")
    return finding(
        HOSTILE,
        HOSTILE,
        argument=HOSTILE + "x" * 3000,
        error=HOSTILE,
        message=HOSTILE * 3,
        case=case,
        program=HOSTILE,
        script=HOSTILE + "```\n````",
        command=f"refgrad replay '{HOSTILE}'",
        verdicts=(
            Verdict(HOSTILE, "errored", HOSTILE, ratio=HOSTILE),
            Verdict("exact", "differs", ratio="1e99999"),
        ),
        comparisons=(
            Comparison(
                HOSTILE, (9,), Array(HOSTILE, (3,), HOSTILE, HOSTILE), (HOSTILE,), others={HOSTILE: array(1)}
            ),
        ),
        traceback=HOSTILE,
        captured=HOSTILE,
        shrunk=False,
    )


def farthest(number: int = 1, op: str = "std", **changes: Any) -> Farthest:
    """The element of a gradient that is half a budget off."""
    given: dict[str, Any] = {
        "id": f"{number:012x}",
        "case": Case(program(op), (array([0.5, 0.25]),), (array(1.0),), "float32"),
        "argument": "gradient of x",
        "element": 1,
        "expected": "-0.70710678118654752440",
        "got": "-0.7071067690849304",
        "budgets": "0.5",
        "ulps": "1.25",
    }
    return Farthest(**given | changes)


def accuracy() -> Iterator[Accuracy]:
    """Worst errors of the twelve ops at two dtypes, one with more ulps elsewhere, and a hostile one."""
    for at, op in enumerate(OPS):
        for dtype in ("float64", "float32"):
            found = farthest(at, op, budgets=f"{0.9 - at / 20:.2f}")
            yield Accuracy(op, dtype, 1, 40, found, found)
    most = farthest(99, budgets="0.01", ulps="1e15")
    yield Accuracy("std", "float32", 2, 8, farthest(98, budgets="493112.9", ulps=""), most)
    odd = Case(program(HOSTILE, HOSTILE), (Array(HOSTILE, (3,), HOSTILE, HOSTILE),), (array(1.0),), "float32")
    texts = dict.fromkeys(("id", "argument", "expected", "got", "budgets", "ulps"), HOSTILE)
    yield Accuracy(HOSTILE, HOSTILE, 1, 1, farthest(case=odd, **texts), farthest(case=odd, **texts))


def conventions() -> Iterator[Convention]:
    """PyTorch's choice, another allowed one, one that nobody can compare, a fault, and a hostile one."""
    relu, clamp = (
        Case(program(op), (array([0.0, 0.0]),), (array(1.0),), "float64") for op in ("relu", "clamp")
    )
    yield Convention("relu", "0", relu, "minimum norm", ("0.0",), "minimum norm", ("-0.0",), "agrees")
    yield Convention(
        "clamp",
        "its lower bound",
        clamp,
        "minimum norm",
        ("0.0",),
        "right derivative",
        ("1.0",),
        "convention",
    )
    yield Convention(
        "std",
        "equal elements",
        relu,
        "nan",
        ("nan", "nan"),
        "zero",
        ("0.0", "0.0"),
        "cannot tell",
        "no derivative",
    )
    yield Convention(
        "prod", "zeros", relu, "infinity", ("inf",), "zero", ("0.0",), "differs", "infinitely far off"
    )
    yield Convention(HOSTILE, HOSTILE, relu, HOSTILE, (HOSTILE,), HOSTILE, (HOSTILE,), "differs", HOSTILE)


def cases() -> Iterator[Judged]:
    """Some 900 cases over twelve ops, composed programs and a hostile op, with every outcome among them."""
    draw = random.Random(7)
    for number in range(900):
        alone = draw.random() < 0.8
        ops = (draw.choice(OPS),) if alone else tuple(draw.choices(OPS, k=3))
        dtype = draw.choice(("float64", "float32", "bfloat16"))
        verdicts = tuple(_verdict(draw, oracle, ops[0], dtype) for oracle in ORACLES)
        visited = tuple(sorted(draw.sample(FACES, k=draw.randint(1, 3))))
        order = draw.choice((1, 1, 2))
        yield judged(
            number, ops, *verdicts, dtype=dtype, order=order, elements=draw.randint(1, 64), faces=visited
        )
    yield judged(
        900, (HOSTILE,), Verdict("exact", "differs", HOSTILE, "7"), faces=(HOSTILE,), finding=HOSTILE
    )


def _verdict(draw: random.Random, oracle: str, op: str, dtype: str) -> Verdict:
    chance = draw.random()
    if op == "std" and oracle != "laws" and chance < 0.4:
        return Verdict(oracle, "differs", ratio=f"{10 ** draw.uniform(2, 6):.6g}", ulps="3e5")
    if op == "prod" and oracle in ("exact", "pytorch") and chance < 0.2:
        return Verdict(oracle, "differs", ratio="nan", ulps="nan")
    if op == "cat" and chance < 0.1:
        return Verdict(oracle, "errored", "the subject raised TypeError")
    if op == "clamp" and chance < 0.15:
        return Verdict(
            oracle, "convention", "at the bound: inside the allowed set, not the contract's choice", "0"
        )
    if oracle == "pytorch" and op == "cumsum":
        return Verdict(oracle, "unsupported", "torch has no bfloat16 cumsum of this layout")
    if oracle == "differences" and chance < 0.3:
        return Verdict(
            oracle, "cannot tell", draw.choice(("near a kink", "the estimate is poor", "float16 forward"))
        )
    if dtype == "bfloat16" and chance < 0.1:
        return Verdict(oracle, "uninformative", "the budget is as large as the answer")
    if oracle == "laws":
        return Verdict(oracle, "agrees")
    return Verdict(oracle, "agrees", ratio=f"{draw.betavariate(1, 6):.4g}", ulps=f"{draw.uniform(0, 4):.3g}")


def records() -> list[Record]:
    """The rich run as the campaign would yield it."""
    failures = [
        Failure("worker 2", "killed after 30 s without an answer; its case was given to another worker"),
        Failure("oracle pytorch", HOSTILE),
    ]
    last = Footer(cases=901, judged=801, findings=6, seconds=74.25)
    return [header(), *cases(), *findings(), *conventions(), *accuracy(), *failures, last]


def run(*given: Record) -> Run:
    """A run of these records; the rich one if there are none."""
    held = list(given) or records()
    return Run(
        header=next((r for r in held if isinstance(r, Header)), header()),
        cases=tuple(r for r in held if isinstance(r, Judged)),
        findings=tuple(r for r in held if isinstance(r, Finding)),
        failures=tuple(r for r in held if isinstance(r, Failure)),
        footer=next((r for r in held if isinstance(r, Footer)), None),
        known=tuple(r for r in held if isinstance(r, Known)),
        accuracy=tuple(r for r in held if isinstance(r, Accuracy)),
        conventions=tuple(r for r in held if isinstance(r, Convention)),
        clauses=tuple(r for r in held if isinstance(r, ClauseOutcome)),
        histories=tuple(r for r in held if isinstance(r, HistoryFinding)),
    )


@pytest.fixture
def build() -> SimpleNamespace:
    """The builders of this file."""
    return SimpleNamespace(**globals())
