"""Which op is to blame for a wrong program, by name and argument, and the walk when each op is right alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pytest

from oracles.answers import Answer, Errored
from oracles.arrays import Array
from oracles.blame import Kind, accuse, finding_id
from oracles.generation.values import COTANGENTS
from oracles.judge import Bench
from oracles.program import Case, Pick, Ref, Refs, Step
from oracles.reaching import Reaching

from .answering import Answering
from .building import case, right_answer, step, with_gradient

X, Y = np.array([0.5, -1.25]), np.array([3.0, 0.1])


def off(answer: Answer, which: int) -> Answer:
    """The answer with one gradient's sign flipped."""
    array = answer.gradients[which]
    assert array is not None
    return with_gradient(answer, -array.numpy(), which)


def accused(given: Case, answer: Any) -> Kind:
    """Who is blamed by a bench whose subject answers so."""
    bench = Bench(Answering(answer), None)  # type: ignore[arg-type]
    judgement = bench.judge(given, witnesses=False)
    assert judgement.fault
    return accuse(bench, judgement).kind


def wrong_if(op: str, which: int = 0) -> Any:
    """A subject that is wrong in every program with this op."""

    def answer(given: Case) -> Answer:
        right = right_answer(given)
        return off(right, which) if any(s.op == op for s in given.program.steps) else right

    return answer


def test_one_op_is_blamed_itself() -> None:
    """In a program of one step the op is to blame, and the argument has the op's own name for it."""
    given = case({"p": X, "q": Y}, [step("mul", 0, 1)], [[1.0, 2.0]])
    assert accused(given, wrong_if("mul")) == Kind("mul", "a", "wrong value")
    assert accused(given, wrong_if("mul", 1)) == Kind("mul", "b", "wrong value")


@pytest.mark.parametrize("op", ["exp", "tanh"])
def test_the_step_that_is_wrong_alone_is_blamed(op: str) -> None:
    """In a longer program each step is tried alone on the values that reach it, and the wrong one is found."""
    given = case({"x": X}, [step("exp", 0), step("tanh", 1), step("neg", 2)], [[1.0, 2.0]])
    assert accused(given, wrong_if(op)) == Kind(op, "x", "wrong value")


def test_the_walk_is_blamed_when_every_step_is_right_alone() -> None:
    """A wrong answer to a program whose steps are all right is the walk's, also where one value is read twice."""

    def long_only(given: Case) -> Answer:
        return (
            off(right_answer(given), 0)
            if len(given.inputs) == 1 and given.program.steps[-1].op == "mul"
            else right_answer(given)
        )

    square = case({"x": X}, [step("mul", 0, 0)], [[1.0, 2.0]])
    assert accused(square, long_only) == Kind("walk", "", "wrong value")
    longer = case({"x": X}, [step("exp", 0), step("mul", 1, 0)], [[1.0, 2.0]])
    assert accused(longer, long_only) == Kind("walk", "", "wrong value")


def test_a_list_and_an_index_are_named() -> None:
    """The tensors of a list share one name, and indices are no arguments."""
    joined = case({"p": X, "q": Y}, [Step("cat", (Refs((0, 1)),), {"dim": 0})], [np.arange(1.0, 5.0)])
    assert accused(joined, wrong_if("cat", 1)) == Kind("cat", "tensors", "wrong value")


def test_second_order_output_and_laws_are_told_apart() -> None:
    """The error says second order, the argument says output or cotangent, and laws have no argument."""
    given = case({"x": X}, [step("exp", 0)], [[1.0, 2.0]], order=2, seconds=[[1.0, -1.0]])
    right = right_answer(given)
    wrong = Array.of(np.array([9.0, 9.0]))
    assert accused(given, msgspec.structs.replace(right, seconds=(wrong,))) == Kind(
        "exp", "x", "wrong value at second order"
    )
    assert accused(given, msgspec.structs.replace(right, second_cotangents=(wrong,))) == Kind(
        "exp", "cotangent", "wrong value at second order"
    )
    assert accused(given, msgspec.structs.replace(right, outputs=(wrong,))) == Kind(
        "exp", "output", "wrong value"
    )
    assert accused(given, msgspec.structs.replace(right, repeated=False)) == Kind("exp", "", "not repeatable")
    assert accused(given, Errored("ValueError", "no")) == Kind("exp", "", "forward raises ValueError")


def test_steps_alone_see_the_true_values() -> None:
    """Each step alone gets the values that reach it, rounded to the dtype, and no step without tensors is tried."""
    seen: list[Case] = []

    def answer(given: Case) -> Answer:
        seen.append(given)
        return off(right_answer(given), 0) if len(given.program.steps) > 1 else right_answer(given)

    picks = np.array([1, 0])
    steps = [step("exp", 0), Step("getitem", (Ref(2), Ref(1)), index=(Pick(1),))]
    assert accused(case({"x": X, "i": picks}, steps, [[1.0, 2.0]], dtype="float32"), answer).blame == "walk"
    alone = [c for c in seen if len(c.program.steps) == 1]
    assert [c.program.steps[0].op for c in alone] == ["exp", "getitem"] * 2
    np.testing.assert_array_equal(alone[0].cotangents[0].numpy(), np.float32([2.0, 1.0]))
    np.testing.assert_array_equal(alone[1].cotangents[0].numpy(), np.float32([1.0, 2.0]))
    np.testing.assert_array_equal(alone[1].inputs[0].numpy(), np.exp(X).astype("float32"))
    np.testing.assert_array_equal(alone[1].inputs[1].numpy(), picks)
    assert not alone[1].program.inputs[1].requires_grad


def far(arrays: Iterable[Array], beyond: float) -> bool:
    """Whether a number in them is farther from 0."""
    return any(bool(np.any(np.abs(a.numpy()) > beyond)) for a in arrays)


def second_off(answer: Answer) -> Answer:
    """The answer with the second-order gradients' signs flipped."""
    flipped = tuple(Array.of(-a.numpy()) for a in answer.seconds if a is not None)
    return msgspec.structs.replace(answer, seconds=flipped)


def test_a_step_is_asked_what_the_program_asks_of_it() -> None:
    """What fails for some cotangents alone is found where they reach a step, and no drawn one is among them."""

    def only_large(given: Case) -> Answer:
        right = right_answer(given)
        ops = [s.op for s in given.program.steps]
        return off(right, 0) if ops == WHOLE or (ops == ["tanh"] and far(given.cotangents, 50)) else right

    assert max(map(abs, COTANGENTS)) < 50
    given = case({"x": X}, [step("exp", 0), step("tanh", 1), step("mul", 2, 100.0)], [[1.0, 2.0]])
    WHOLE = [s.op for s in given.program.steps]
    assert accused(given, only_large) == Kind("tanh", "x", "wrong value")


def test_to_second_order_a_step_is_asked_along_the_program_s_directions() -> None:
    """What fails for some directions alone, at second order, is found where they reach a step."""

    def only_along(given: Case) -> Answer:
        right, ops = right_answer(given), [s.op for s in given.program.steps]
        wrong = given.order == 2 and (len(ops) > 1 or (ops == ["tanh"] and far(given.seconds, 50)))
        return second_off(right) if wrong else right

    steps = [step("mul", 0, 100.0), step("tanh", 1)]
    given = case({"x": X / 50}, steps, [[1.0, 2.0]], order=2, seconds=[[1.0, -1.0]])
    assert accused(given, only_along) == Kind("tanh", "x", "wrong value at second order")


def test_what_comes_back_a_second_time_is_asked_too() -> None:
    """A step that pulls back only some numbers wrongly is found where these come from the steps after it alone."""

    def only_large(given: Case) -> Answer:
        right, ops = right_answer(given), [s.op for s in given.program.steps]
        if given.order == 2 and len(ops) > 1:
            return second_off(right)
        return off(right, 0) if ops == ["tanh"] and given.order == 1 and far(given.cotangents, 50) else right

    steps = [step("tanh", 0), step("pow", 1, 2.0), step("mul", 2, 10.0)]
    given = case({"x": X}, steps, [[1.0, 2.0]], order=2, seconds=[[30.0, -30.0]])
    assert accused(given, only_large) == Kind("tanh", "x", "wrong value")


def test_a_step_s_own_result_is_asked_about_and_no_other_use_of_the_same_numbers() -> None:
    """A value that a step has moved gets what comes back to it, without what comes back to where it was before."""
    given = case({"x": X}, [Step("flip", (Ref(0),), {"dims": (0,)}), step("mul", 0, 1)], [[1.0, 2.0]])
    reaching = Reaching(given)
    np.testing.assert_array_equal(reaching.cotangent(1), [0.5, -2.5])
    np.testing.assert_array_equal(reaching.cotangent(0), [-1.25 - 2.5, 0.5 * 2 + 0.5])
    np.testing.assert_array_equal(reaching.direction(1), [0, 0])
    along = msgspec.structs.replace(given, order=2, seconds=(Array.of(np.array([3.0, 5.0])),))
    np.testing.assert_array_equal(Reaching(along).direction(1), [5.0, 3.0])
    np.testing.assert_array_equal(Reaching(along).again(1), [3.0, 10.0])


def test_the_second_of_several_results_is_asked_about() -> None:
    """Only the results that something comes back to are outputs of the step alone."""
    seen: list[Case] = []

    def answer(given: Case) -> Answer:
        seen.append(given)
        return off(right_answer(given), 0) if len(given.program.steps) > 1 else right_answer(given)

    split = Step("split", (Ref(0),), {"split_size_or_sections": 1, "dim": 0}, (), 2)
    assert accused(case({"x": X}, [split, step("exp", 2)], [[3.0]]), answer).blame == "walk"
    (first, *_) = [c for c in seen if c.program.steps[0].op == "split" and len(c.program.steps) == 1]
    assert first.program.outputs == (2,)
    np.testing.assert_allclose(first.cotangents[0].numpy(), 3 * np.exp(X[1:]), rtol=1e-15)


def test_the_same_kind_has_the_same_id() -> None:
    """An id is a function of subject and kind, sayable, and differs between kinds and subjects."""
    kind = Kind("linalg.solve", "A", "nan")
    name = finding_id("mine", kind)
    assert name.startswith("linalg-solve-A-")
    assert finding_id("mine", kind) == name
    others = {finding_id("mine", Kind("linalg.solve", "A", "wrong value")), finding_id("yours", kind)}
    assert name not in others
    assert finding_id("mine", Kind("walk", "", "nan")).count("-") == 1
