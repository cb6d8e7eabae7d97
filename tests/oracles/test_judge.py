"""Hand-made answers: each gets exactly the outcome, the fault and the argument that it deserves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from oracles.answers import Answer, Died, Errored, Hung, Unsupported
from oracles.arrays import Array
from oracles.judge import PATIENCE, Bench, Judgement, judge_by_laws
from oracles.program import Case

from .answering import Answering
from .building import case, right_answer, step, with_gradient

X, Y, G = np.array([0.5, -1.25, 2.0]), np.array([3.0, 0.1, -7.0]), np.array([1.0, 2.0, -3.0])


def product(order: int = 1, dtype: str = "float64") -> Case:
    """x*y at three places."""
    seconds = [X - 1, Y + 2] if order == 2 else []
    return case({"x": X, "y": Y}, [step("mul", 0, 1)], [G], order=order, dtype=dtype, seconds=seconds)


def judged(given: Case, answer: Any, peer: Any = None, witnesses: bool = False) -> Judgement:
    """The judgement of this answer, with this one from PyTorch beside it."""
    forward = Answering(answer, forward=lambda *xs: xs[0] * xs[-1])
    beside: Any = None if peer is None else Answering(peer)
    return Bench(forward, beside).judge(given, witnesses=witnesses)  # type: ignore[arg-type]


def outcomes(judgement: Judgement) -> dict[str, str]:
    """What each oracle says."""
    return {v.oracle: v.outcome for v in judgement.verdicts}


def changed(**changes: Any) -> Callable[[Case], Answer]:
    """The right answer with these fields changed."""
    return lambda given: msgspec.structs.replace(right_answer(given), **changes)


def gradient(value: Any, which: int = 1) -> Callable[[Case], Answer]:
    """The right answer with one gradient changed; by default y's, which is G*X."""
    return lambda given: with_gradient(right_answer(given), value, which)


WRONG: dict[str, tuple[Callable[[Case], Answer], str, str, str, str]] = {
    "right": (right_answer, "agrees", "agrees", "", ""),
    "sign flipped": (gradient(-G * X), "differs", "agrees", "wrong value", "gradient of y"),
    "one element": (gradient(G * X * [1, 1, 1 + 1e-9]), "differs", "agrees", "wrong value", "gradient of y"),
    "none": (gradient(None), "differs", "agrees", "no gradient", "gradient of y"),
    "nan": (gradient(G * X * [1, np.nan, 1]), "differs", "agrees", "nan", "gradient of y"),
    "infinite": (gradient(G * X * [1, np.inf, 1]), "differs", "agrees", "infinite", "gradient of y"),
    "zeros": (gradient(np.zeros(3)), "differs", "agrees", "wrong value", "gradient of y"),
    "shape": (gradient((G * X)[:, None]), "cannot tell", "differs", "wrong shape", "gradient of y"),
    "too short": (gradient((G * X)[:1]), "cannot tell", "differs", "wrong shape", "gradient of y"),
    "dtype": (gradient((G * X).astype("float32")), "agrees", "differs", "wrong dtype", "gradient of y"),
    "dtype and value": (gradient(X.astype("float32")), "differs", "differs", "wrong value", "gradient of y"),
    "written into": (changed(changed=("x",)), "agrees", "differs", "changes its inputs", ""),
    "unsteady": (changed(repeated=False), "agrees", "differs", "not repeatable", ""),
    "not linear": (changed(scaled=False), "agrees", "differs", "not linear", ""),
    "nobody looked": (changed(repeated=None, scaled=None), "agrees", "agrees", "", ""),
    "output": (changed(outputs=(Array.of(X * Y + 1),)), "differs", "agrees", "wrong value", "output 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_answer_gets_what_it_deserves(name: str) -> None:
    """The exact oracle and the laws say what the table says, and the fault and its argument are the table's."""
    answer, exact, laws, fault, argument = WRONG[name]
    found = judged(product(), answer)
    assert outcomes(found) == {"exact": exact, "laws": laws}
    assert (found.fault, found.argument) == (fault, argument)
    assert bool(found.message) == bool(fault)
    assert found.judged == (exact in ("agrees", "differs"))


def test_a_wrong_dtype_alone() -> None:
    """A gradient whose values are right in another dtype breaks the law of dtypes, and no more."""
    given = case({"x": [1.0, 2.0], "y": [3.0, 4.0]}, [step("mul", 0, 1)], [[1.0, 1.0]], dtype="float32")
    found = judged(given, with_gradient(right_answer(given), np.array([3.0, 4.0])))
    assert outcomes(found) == {"exact": "agrees", "laws": "differs"}
    assert (found.fault, found.argument) == ("wrong dtype", "gradient of x")
    assert found.message == "gradient of x is float64, not float32"


def test_a_wrong_output_is_blamed_before_the_gradients_it_spoils() -> None:
    """Where output and gradients are wrong, the output is the argument; else the first gradient that is wrong."""
    both = msgspec.structs.replace(right_answer(product()), outputs=(Array.of(X),))
    assert judged(product(), with_gradient(both, X)).argument == "output 0"
    assert (
        judged(product(), with_gradient(with_gradient(right_answer(product()), X), X, 1)).argument
        == "gradient of x"
    )


@pytest.mark.parametrize(
    ("part", "which", "argument"),
    [
        ("seconds", 0, "second-order gradient of x"),
        ("seconds", 1, "second-order gradient of y"),
        ("second_cotangents", 0, "gradient of the cotangent"),
    ],
)
def test_second_order_faults(part: str, which: int, argument: str) -> None:
    """An answer that is wrong only to second order is told apart by its argument, for wrong values and for None."""
    right = right_answer(product(2))
    assert judged(product(2), right).fault == ""
    for wrong, fault in ((Array.of(X * 17), "wrong value"), (None, "no gradient")):
        arrays = list(getattr(right, part))
        arrays[which] = wrong
        found = judged(product(2), msgspec.structs.replace(right, **{part: tuple(arrays)}))
        assert (found.fault, found.argument) == (fault, argument)


@pytest.mark.parametrize(
    ("answer", "fault", "said"),
    [
        (Errored("ValueError", "bad\nsecond line"), "forward raises ValueError", "bad"),
        (Errored("ValueError", ""), "forward raises ValueError", "ValueError"),
        (Errored("wrong answer", "gradient of x is a str"), "wrong answer", "gradient of x is a str"),
        (Died("exit code 3"), "died", "the subject's process ended with exit code 3"),
        (Hung(2.5), "hung", "no answer after 2.5 s"),
    ],
)
def test_no_answer_is_a_fault_where_there_is_a_truth(answer: Any, fault: str, said: str) -> None:
    """An exception, a death or a silence accuses the subject where mathematics has an answer, and elsewhere not."""
    found = Bench(Answering(answer), None).judge(product(), witnesses=False)  # type: ignore[arg-type]
    assert (found.fault, found.message) == (fault, said)
    assert outcomes(found) == {"exact": "errored", "laws": "errored"}
    assert not found.judged
    outside = case({"x": -1.0}, [step("log", 0)], [1.0])
    assert Bench(Answering(answer), None).judge(outside, witnesses=False).fault == ""  # type: ignore[arg-type]


def test_a_backward_that_raises_is_told_from_a_forward_that_does() -> None:
    """Where the forward function has a value, the exception is the backward's."""
    found = judged(product(), Errored("ValueError", "bad"))
    assert found.fault == "raises ValueError"


def test_what_is_lacking_is_no_fault() -> None:
    """An op that the subject lacks is unsupported in every oracle's words, with its reason."""
    found = judged(product(), Unsupported("no mul here"), witnesses=True)
    assert set(outcomes(found).values()) == {"unsupported"}
    assert {v.reason for v in found.verdicts} == {"no mul here"}
    assert (found.fault, found.judged, found.elements) == ("", False, 0)


def test_an_op_that_keeps_hanging_is_given_up() -> None:
    """After so many deaths of one op alone its cases are left out, and those of other ops are not."""
    bench: Any = Bench(Answering(Hung(1.0)), None)  # type: ignore[arg-type]
    for _ in range(PATIENCE):
        assert bench.given_up(product()) == ""
        bench.judge(product(), witnesses=False)
    assert bench.given_up(product()) == "mul"
    assert bench.given_up(case({"x": 1.0}, [step("exp", 0)], [1.0])) == ""


def test_an_uninformative_budget_is_its_own_outcome() -> None:
    """Where rounding may make anything of every array, agreement is not claimed; nor where there are no elements."""
    steps = [step("add", 0, 1000.0), step("sub", 1, 1000.0), step("mul", 2, 2), step("mul", 3, 2)]
    given = case({"x": [0.5]}, steps, [[1.0]], dtype="bfloat16")
    assert judged(given, right_answer(given)).verdicts[0].outcome == "uninformative"
    assert (
        judged(msgspec.structs.replace(given, dtype="float64"), right_answer(given)).verdicts[0].outcome
        == "agrees"
    )
    empty = case({"x": np.zeros((0, 2))}, [step("exp", 0)], [np.zeros((0, 2))])
    assert judged(empty, right_answer(empty)).verdicts[0].outcome == "uninformative"


def test_laws_speak_where_there_is_no_truth() -> None:
    """Outside the domain the exact oracle cannot tell, and a broken law is still a fault."""
    given = case({"x": -1.0}, [step("log", 0)], [1.0])
    one = (Array.of(np.array(1.0)),)
    assert judged(given, Answer(one, one, repeated=True, scaled=True)).fault == ""
    found = judged(given, Answer(one, one, repeated=False, scaled=True))
    assert outcomes(found) == {"exact": "cannot tell", "laws": "differs"}
    assert found.fault == "not repeatable"


def test_the_first_broken_law_is_named() -> None:
    """A wrong shape is told before anything else that is wrong."""
    given = product()
    answer = msgspec.structs.replace(
        with_gradient(right_answer(given), X[:2]), repeated=False, changed=("x",)
    )
    verdict, fault, argument, shapes_right = judge_by_laws(given, answer)
    assert (verdict.outcome, fault, argument, shapes_right) == (
        "differs",
        "wrong shape",
        "gradient of x",
        False,
    )
    assert "(2,), not (3,)" in verdict.reason


PEERS: dict[str, tuple[Any, str]] = {
    "the same": (right_answer, "agrees"),
    "an ulp away": (lambda c: with_gradient(right_answer(c), np.nextafter(G * Y, 9)), "agrees"),
    "another value": (lambda c: with_gradient(right_answer(c), -G * Y), "differs"),
    "nan": (lambda c: with_gradient(right_answer(c), G * Y * [1, np.nan, 1]), "differs"),
    "another shape": (lambda c: with_gradient(right_answer(c), (G * Y)[:2]), "differs"),
    "none": (lambda c: with_gradient(right_answer(c), None), "differs"),
    "no answer": (Errored("RuntimeError", "not for you"), "cannot tell"),
}


@pytest.mark.parametrize("name", PEERS)
def test_pytorch_is_another_judge(name: str) -> None:
    """PyTorch's answer is compared apart, accuses nobody, and its absence is not agreement."""
    peer, outcome = PEERS[name]
    found = judged(product(), right_answer, peer, witnesses=True)
    assert outcomes(found) == {
        "exact": "agrees",
        "pytorch": outcome,
        "differences": "agrees",
        "laws": "agrees",
    }
    assert found.fault == ""


def test_pytorch_without_a_truth() -> None:
    """Where there is no budget the same bits agree, and others cannot be weighed."""
    given = case({"x": -1.0}, [step("log", 0)], [1.0])
    nan, one, two = ((Array.of(np.array(v)),) for v in (np.nan, 1.0, 2.0))
    for mine, theirs, outcome in (
        (nan, nan, "agrees"),
        (one, one, "agrees"),
        (one, two, "cannot tell"),
        (one, nan, "differs"),
    ):
        found = judged(given, Answer(mine, mine), Answer(theirs, theirs), witnesses=True)
        assert outcomes(found)["pytorch"] == outcome


def test_pytorch_at_a_kink_is_a_convention() -> None:
    """Another slope than PyTorch's at a kink is shown as a convention, not as a difference."""
    given = case({"x": [0.0]}, [step("relu", 0)], [[1.0]])
    found = judged(given, lambda c: with_gradient(right_answer(c), np.ones(1)), right_answer, witnesses=True)
    assert (outcomes(found)["exact"], outcomes(found)["pytorch"]) == ("convention", "convention")
