from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracles.answers import Answer, Check
from oracles.program import Case, Dots, Int, NewAxis, Pick, Ref, Refs, Scalar, Slice, Step
from oracles.scripts import Code
from oracles.subjects.autograd import subject as autograd_subject
from oracles.subjects.functional import Functional
from oracles.subjects.printing import functional_code, torchlike_code
from oracles.subjects.protocol import Lacking
from oracles.subjects.refgrad import subject as refgrad_subject
from oracles.subjects.torch import subject as torch_subject

MakeCase = Callable[..., Case]
X = np.array([[0.5, -1.25, 2.0], [3.0, 0.25, -0.75]])
Y = np.array([[1.5, 2.5, 0.5], [1.0, 3.0, 2.0]])
INDEX = np.array([1, 0, 1])
SUBJECTS = [refgrad_subject, torch_subject, autograd_subject]


def execute(code: Code) -> dict[str, list[Any]]:
    """Run printed code, and read every array of the answer as the script would."""
    space: dict[str, Any] = {}
    exec(code.text, space)
    found = {}
    for label, expression in code.results.items():
        space["value"] = eval(expression, space)
        found[label] = None if space["value"] is None else eval(code.elements, {"numpy": np, **space})
    return found


def elements(answer: Answer, case: Case) -> dict[str, list[Any]]:
    """Every array of an answer as a flat list, by its label."""
    arrays = answer.labelled(case)
    return {k: None if a is None else a.numpy().reshape(-1).tolist() for k, a in arrays.items()}


def printed(subject: Any, case: Case) -> Code:
    """The case as the subject's code."""
    return (
        functional_code(subject, case) if isinstance(subject, Functional) else torchlike_code(subject, case)
    )


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided", "reversed"])
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_printed_code_computes_the_answer(make_case: MakeCase, subject: Any, layout: str, order: int) -> None:
    """Code that is printed for a case, once run, gives exactly the answer of the case."""
    steps = [
        Step("add", (Ref(0), Ref(1))),
        Step("mul", (Ref(3), Ref(0))),
        Step("pow", (Ref(4), Scalar.of(2))),
        Step("mul", (Scalar.of(-0.25), Ref(5))),
        Step("getitem", (Ref(6), Ref(2)), index=(Dots(), NewAxis(), Pick(1))),
        Step("getitem", (Ref(7),), index=(Slice(), Int(0), Slice(None, None, 2))),
        Step("max", (Ref(8),), {"dim": 1, "keepdim": True}, outputs=2),
        Step("cat", (Refs((9, 9)),), {"dim": 0}),
        Step("neg", (Ref(11),)),
        Step("sum", (Ref(12),), {"dim": (0, 1)}),
    ]
    arrays = {"x": X, "y": Y, "index": INDEX}
    case = make_case(arrays, steps, (13, 6), cotangents=[np.array(2.0), X], order=order, layout=layout)
    assert execute(printed(subject, case)) == elements(subject.vjp(case), case)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_inputs_are_printed_exactly(make_case: MakeCase, subject: Any, dtype: str) -> None:
    """Decimals of a few digits stay short, and every printed number reads back as the same element."""
    x = np.array([0.1, 1 / 3, 1e-7, -0.0, 6e4, np.inf]).astype(dtype)
    case = make_case({"x": x}, [Step("reshape", (Ref(0),), {"shape": (6,)})], cotangents=[x])
    code = printed(subject, case)
    assert "[0.1, " in code.text
    assert execute(code)["output 0"] == x.tolist()


def test_bfloat16_is_printed_for_torch(make_case: MakeCase) -> None:
    """A bfloat16 case is printed as decimals that become the same bfloat16 numbers."""
    import ml_dtypes

    x = np.array([0.1, 3.0, 1e-3]).astype(ml_dtypes.bfloat16)
    case = make_case({"x": x}, [Step("mul", (Ref(0), Ref(0)))], cotangents=[x])
    assert execute(torchlike_code(torch_subject, case)) == elements(torch_subject.vjp(case), case)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0)])
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_shapes_without_axes_or_elements(make_case: MakeCase, subject: Any, shape: tuple[int, ...]) -> None:
    """Arrays of no axes and of no elements keep their shapes in printed code."""
    x = np.ones(shape)
    case = make_case({"x": x}, [Step("exp", (Ref(0),))], cotangents=[x], layout="strided")
    assert execute(printed(subject, case)) == elements(subject.vjp(case), case)


def test_a_linear_or_constant_program_is_printed(make_case: MakeCase) -> None:
    """Code for a program without second-order terms, or dependence, says None where the adapter does."""
    linear = make_case({"x": X}, [Step("neg", (Ref(0),))], cotangents=[X], order=2)
    assert execute(torchlike_code(torch_subject, linear)) == elements(torch_subject.vjp(linear), linear)
    unread = make_case(
        {"x": X, "index": INDEX}, [Step("getitem", (Ref(1), Ref(1)), index=(Pick(1),))], cotangents=[INDEX]
    )
    assert execute(torchlike_code(torch_subject, unread)) == elements(torch_subject.vjp(unread), unread)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_any_name_becomes_an_identifier(make_case: MakeCase, subject: Any) -> None:
    """Names that are keywords, modules, not words or not even printable still make code that runs."""
    names = [
        "np",
        "lambda",
        "x y",
        "x-y",
        "3",
        "",
        "'\"\n#",
        "torch",
        "program",
        "cotangent",
        "t0",
        "print",
        "_",
    ]
    steps = [Step("add", (Ref(0), Ref(1)))]
    steps += [Step("mul", (Ref(n), Ref(len(names) + n - 2))) for n in range(2, len(names))]
    case = make_case(dict.fromkeys(names, X), steps, cotangents=[Y], order=2)
    assert execute(printed(subject, case)) == elements(subject.vjp(case), case)


def test_what_the_library_lacks_is_not_printed(make_case: MakeCase) -> None:
    """A program that the library cannot run has no code in it."""
    case = make_case({"x": X}, [Step("relu", (Ref(0),))], cotangents=[X])
    with pytest.raises(Lacking, match="no relu"):
        autograd_subject.code(case)


def checks(answer: Answer, case: Case, off: float = 0.0, **more: Any) -> list[Check]:
    """Checks that an answer passes, each expected element moved by `off`."""
    return [
        Check(label, tuple(repr(v + off) for v in values), ("1e-9",) * len(values), **more)
        for label, values in elements(answer, case).items()
    ]


def run_script(text: str) -> tuple[int, str]:
    """The exit code and standard output of a script in a process of its own, outside the project."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}  # where refgrad is the library
    command = [sys.executable, "-P", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=60, env=env, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_script_confirms_or_denies(make_case: MakeCase, subject: Any) -> None:
    """A script exits with 0 on what is right and with 1 on a wrong expectation; it never needs refgrad."""
    case = make_case({"x": X}, [Step("exp", (Ref(0),))], cotangents=[Y], order=2)
    answer = subject.vjp(case)
    right = subject.script(case, checks(answer, case), "a message\nof two lines\r\x00")
    wrong = subject.script(case, checks(answer, case, off=1e-6))
    assert "oracles" not in right
    assert ("import refgrad" in right) == (subject is refgrad_subject)
    assert run_script(right)[0] == 0
    code, printed = run_script(wrong)
    assert code == 1
    assert "<- outside" in printed
    assert "confirmed" in printed


def test_script_checks_shapes_dtypes_and_exceptions(make_case: MakeCase) -> None:
    """A fault of shape, dtype or exception is confirmed by 1; a script that cannot run exits with 2."""
    case = make_case({"x": X}, [Step("exp", (Ref(0),))], cotangents=[Y])

    def code(**more: Any) -> int:
        return run_script(autograd_subject.script(case, [Check("gradient of x", **more)]))[0]

    assert code(shape=(2, 3), dtype="float64") == 0
    assert code(shape=(3, 2)) == 1
    assert code(dtype="float32") == 1
    assert code(expected=("nan",) * 6, allowed=("0",) * 6) == 1
    broken = make_case({"x": X, "y": X}, [Step("matmul", (Ref(0), Ref(1)))], cotangents=[Y])
    assert run_script(autograd_subject.script(broken, [], raises="ValueError"))[0] == 1
    assert run_script(autograd_subject.script(broken, []))[0] == 2
