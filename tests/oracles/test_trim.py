"""What shrinking leaves out by itself: steps at the front of a program, and elements of an elementwise one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracles.answers import Answer, labels
from oracles.arrays import Array
from oracles.blame import Accusation, Kind, accuse
from oracles.generation.programs import cases, composed
from oracles.judge import Bench
from oracles.program import Case, Ref, Step
from oracles.search import Unit, shrink
from oracles.trim import single_elements, without_a_first_step
from oracles.truth import Enclosed, enclose

from .answering import Answering
from .building import case, drawn, right_answer, step, with_gradient
from .campaigns import plan, ran
from .mutants import subject_text

X, Y = np.array([0.5, -1.25]), np.array([3.0, 0.1])
NOTHING = Unit(("exp",), "", 0, 0, ("float64",))


def twice_read(given: Case) -> Answer:
    """Wrong where a program's `mul` reads a value twice, which no step alone does."""
    right = right_answer(given)
    twice = any(s.op == "mul" and len(set(s.refs())) == 1 for s in given.program.steps)
    return with_gradient(right, -right.gradients[0].numpy()) if twice else right  # type: ignore[union-attr]


def shrunk(given: Case, answer: Any) -> Accusation:
    """What shrinking makes of a case by itself: Hypothesis draws nothing."""
    bench = Bench(Answering(answer), None)  # type: ignore[arg-type]
    judgement = bench.judge(given, witnesses=False)
    assert judgement.fault
    return shrink(NOTHING, accuse(bench, judgement), bench)[0]


def test_a_chain_of_needless_first_steps_is_cut() -> None:
    """A fault of the walk keeps its last step alone, on the value that the others made, each rounded to the dtype."""
    chain = [step("exp", 0), step("tanh", 1), step("mul", 2, 2)]
    best = shrunk(case({"x": X}, chain, [[1.0, 2.0]], dtype="float32"), twice_read)
    assert best.kind == Kind("walk", "", "wrong value")
    assert [s.op for s in best.case.program.steps] == ["mul"]
    (value,) = best.case.inputs
    assert value.shape == (1,)
    assert value.numpy()[0] == np.tanh(np.float64(np.exp(0.5).astype("float32"))).astype("float32")


def test_a_step_that_the_fault_needs_stays() -> None:
    """Where only a computed value shows the fault, the step that computes it is not cut, and those before it are."""

    def computed(given: Case) -> Answer:
        last = given.program.steps[-1]
        inside = len(given.program.steps) > 1 and last.op == "mul" and last.refs()[0] >= len(given.inputs)
        right = right_answer(given)
        return with_gradient(right, -right.gradients[0].numpy()) if inside else right  # type: ignore[union-attr]

    chain = [step("exp", 0), step("tanh", 1), step("neg", 2), step("mul", 3, 3)]
    best = shrunk(case({"x": X}, chain, [[1.0, 2.0]]), computed)
    assert [s.op for s in best.case.program.steps] == ["neg", "mul"]


def test_a_blamed_step_is_shown_alone() -> None:
    """A fault that is one op's, found in a longer program, is shown by the op on what reached it."""

    def wrong_tanh(given: Case) -> Answer:
        right = right_answer(given)
        wrong = any(s.op == "tanh" for s in given.program.steps)
        return with_gradient(right, -right.gradients[0].numpy()) if wrong else right  # type: ignore[union-attr]

    steps = [step("exp", 0), step("tanh", 1), step("sum", 2), step("neg", 3)]
    best = shrunk(case({"x": X}, steps, [2.0]), wrong_tanh)
    assert best.kind == Kind("tanh", "x", "wrong value")
    assert [s.op for s in best.case.program.steps] == ["tanh"]
    assert best.step == 0
    np.testing.assert_array_equal(best.case.cotangents[0].numpy(), [-2.0])


def test_what_is_left_asks_the_same() -> None:
    """Of drawn programs, to either order: what is left has the same outputs, and as many directions as inputs."""
    compared = 0
    for sample in drawn(composed(("exp", "mul", "sum", "cat", "split", "max", "getitem", "sin")), 25, 5):
        for whole in cases(sample, ("float64",), 1):
            compared += sum(_agree(whole, shorter) for shorter in without_a_first_step(whole))
    assert compared > 40


def _agree(whole: Case, shorter: Case) -> bool:
    """Whether the two could be compared; their outputs, then, and their second-order answers are the same."""
    assert len(shorter.program.steps) == len(whole.program.steps) - 1
    assert len(shorter.seconds) == (len(shorter.program.differentiated) if whole.order == 2 else 0)
    before, after = enclose(whole), enclose(shorter)
    if not (isinstance(before, Enclosed) and isinstance(after, Enclosed)):
        return False
    if before.at_kink or after.at_kink or len(shorter.cotangents) != len(whole.cotangents):
        return False
    for part in ("outputs", "second_cotangents") if whole.order == 2 else ("outputs",):
        for name in labels(whole, part):
            pairs = zip(before.arrays[name].truth, after.arrays[name].truth, strict=True)
            assert all(abs(float((a - b).mid())) <= 1e-7 * (1 + abs(float(a.mid()))) for a, b in pairs), name
    return True


def test_of_several_results_those_that_are_read_become_inputs() -> None:
    """A step with two results leaves an input for the one that is read, with its direction, and old inputs go."""
    split = Step("split", (Ref(0),), {"split_size_or_sections": 1, "dim": 0}, (), 2)
    given = case(
        {"x": X, "y": Y[:1]}, [split, step("mul", 3, 1)], [[3.0]], order=2, seconds=[[1.0, 2.0], [5.0]]
    )
    (shorter,) = without_a_first_step(given)
    assert [i.name for i in shorter.program.inputs] == ["y", "x0"]
    assert [a.numpy().tolist() for a in shorter.inputs] == [[3.0], [-1.25]]
    assert [a.numpy().tolist() for a in shorter.seconds] == [[5.0], [2.0]]
    assert shorter.program.steps == (step("mul", 1, 0),)
    assert isinstance(enclose(shorter), Enclosed)


def test_what_cannot_be_cut_is_left() -> None:
    """One step alone, results that are the only outputs, and values that the dtype has no number for."""
    assert not list(without_a_first_step(case({"x": X}, [step("exp", 0)], [[1.0, 2.0]])))
    both = case({"x": X}, [step("exp", 0), step("tanh", 1)], [[1.0, 2.0]], outputs=(1,))
    assert not list(without_a_first_step(both))
    endless = case({"x": X * 1e4}, [step("exp", 0), step("tanh", 1)], [[1.0, 2.0]], dtype="float16")
    assert not list(without_a_first_step(endless))


def test_single_elements_are_tried_in_order() -> None:
    """Each element of an elementwise program by itself, and none of a program whose elements meet."""
    given = case({"x": X}, [step("exp", 0)], [[1.0, 2.0]])
    assert [c.inputs[0].numpy().tolist() for c in single_elements(given)] == [[0.5], [-1.25]]
    assert not list(single_elements(case({"x": X}, [step("exp", 0), step("sum", 1)], [2.0])))


@pytest.mark.parametrize("name", ["mul-lost", "mul-lost-by-backward"])
def test_a_fault_of_the_walk_in_a_composed_program_is_small(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over ops that show it when they are composed, a broken walk shrinks to at most two steps and two elements."""
    monkeypatch.setattr("oracles.crew.has_pytorch", lambda: False)
    file = tmp_path / "subject.py"
    file.write_text(subject_text(name))
    found = ran(plan("mutant", file, ("exp", "add", "sin"), 60)).findings
    walks = [f for f in found if f.blame == "walk"]
    assert walks
    assert all(len(f.case.program.steps) <= 2 for f in walks)
    assert all(sum(Array.seen(a).size for a in f.case.inputs) <= 2 for f in walks)
