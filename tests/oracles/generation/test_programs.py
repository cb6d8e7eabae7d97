"""Drawn programs: on every face, the same from the same seed, rarely rejected, and plain data."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import reject

import refgrad
from oracles.campaign import units
from oracles.generation import drawing, programs
from oracles.generation.faces import SEEN, faces_of_case, faces_of_op
from oracles.generation.programs import alone, cases, composed
from oracles.generation.steps import DRAWERS, draw_step
from oracles.generation.values import PLAIN, TABLES, table
from oracles.program import Case, ProgramError, decode_case
from oracles.search import POINTS
from oracles.truth import Enclosed, Unknown, enclose

from ..building import case, drawn, step  # noqa: TID252
from ..campaigns import plan  # noqa: TID252

OPS = tuple(refgrad.catalogue())


def first_hundred(op: str, start: int) -> list[Case]:
    """The cases of the first hundred programs that a campaign over this op draws, before it climbs."""
    samples = [
        s
        for u in units(plan("refgrad", None, (op,), 100, seed=start))
        if not u.steered
        for s in drawn(u.strategy(), u.examples, u.seed)
    ]
    assert len(samples) <= 100
    return [c for s in samples for c in cases(s, ("float64",), POINTS)]


@pytest.mark.parametrize("op", OPS)
def test_every_face_is_visited(op: str) -> None:
    """Within the first hundred programs of an op each of its faces is seen, whatever the seed."""
    for start in (1, 2):
        seen = {face for c in first_hundred(op, start) for face in faces_of_case(c)}
        missing = set(faces_of_op(op, refgrad.catalogue()[op])) - seen - {"plain"}
        assert missing == set(), f"{op}, seed {start}"
        assert "second order" in seen


@pytest.mark.parametrize("op", ["log", "mul", "sum", "div"])
@pytest.mark.parametrize("face", ["large", "tiny"])
def test_float16_has_what_is_drawn(op: str, face: str) -> None:
    """At float16 no number becomes infinite, and none leaves its domain or the side of 0 that it was on."""
    for sample in drawn(alone(op, face), 20):
        wide, narrow = (next(iter(cases(sample, (dtype,)))) for dtype in ("float64", "float16"))
        for a, b in zip(wide.inputs, narrow.inputs, strict=True):
            assert np.all(np.isfinite(b.numpy()))
            assert np.array_equal(np.sign(a.numpy()), np.sign(b.numpy().astype(float)))


@pytest.mark.parametrize("op", OPS)
def test_faces_are_a_fact_of_the_case(op: str) -> None:
    """Every face has a predicate, and the plainest case shows few of them."""
    assert set(faces_of_op(op, refgrad.catalogue()[op])) <= set(SEEN)
    plainest = next(iter(cases(drawn(alone(op, "plain"), 1)[0], ("float64",))))
    assert "bulk" not in faces_of_case(plainest)
    assert "second order" not in faces_of_case(plainest)


@pytest.mark.parametrize("op", OPS)
def test_faces_name_negatives_and_zeros_where_an_input_may_be_any(op: str) -> None:
    """An op with an input that may be any real has the face of negatives, and of zeros unless there is a pole."""
    public = refgrad.catalogue()[op]
    free = [n for n in public.inputs if n not in public.facts.domain]
    if free:
        poles = all(0 in public.facts.poles.get(n, ()) for n in free)
        assert {"negative", *(() if poles else ("zero",))} <= set(faces_of_op(op, public))


@pytest.mark.parametrize("strategy", [composed(OPS), alone("getitem", "mask"), alone("matmul", "bulk")])
def test_cases_round_trip_through_json(strategy: Any) -> None:
    """A drawn case reads back from JSON as itself, with the same id."""
    for sample in drawn(strategy, 15):
        for one in cases(sample, ("float64", "bfloat16")):
            again = decode_case(msgspec.json.encode(one))
            assert again == one
            assert again.id == one.id
    with pytest.raises(ProgramError, match="not a case"):
        decode_case(b'{"program": 3}')


def test_the_same_seed_draws_the_same_cases() -> None:
    """Cases are a function of the seed, and differ between seeds."""

    def ids(start: int) -> list[str]:
        return [c.id for s in drawn(composed(OPS), 20, start) for c in cases(s, ("float32",), 2)]

    assert ids(5) == ids(5)
    assert set(ids(5)) != set(ids(6))


@pytest.fixture
def rejected(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one whenever a draw is thrown away."""
    thrown: list[int] = []

    def counted() -> None:
        thrown.append(1)
        reject()

    monkeypatch.setattr(drawing, "reject", counted)
    monkeypatch.setattr(programs, "reject", counted)
    return thrown


@pytest.mark.parametrize("op", OPS)
def test_an_op_alone_is_rarely_rejected(op: str, rejected: list[int]) -> None:
    """Of the draws of an op over its faces, under a tenth is thrown away."""
    kept = sum(len(drawn(alone(op, face), 20, 3)) for face in faces_of_op(op, refgrad.catalogue()[op]))
    assert len(rejected) < 0.1 * (kept + len(rejected))


def test_composed_programs_are_rarely_rejected(rejected: list[int]) -> None:
    """Of the draws of composed programs, under a tenth is thrown away, and most of the rest has a truth."""
    assert len(drawn(composed(OPS), 200, 3)) > 100
    assert len(rejected) < 20
    judged = [
        isinstance(enclose(next(cases(s, ("float64",)))), Enclosed) for s in drawn(composed(OPS), 60, 2)
    ]
    assert np.mean(judged) > 0.9


def test_composed_programs_feed_their_steps() -> None:
    """Programs have one to five steps over many ops, and later steps read what earlier ones made."""
    draws = drawn(composed(OPS), 3 * len(OPS), 4)  # Hypothesis makes most of them from a few by mutation
    made = [s.drawn.program for s in draws]
    assert {len(p.steps) for p in made} >= {1, 2, 3, 4, 5}
    assert len({s.op for p in made for s in p.steps}) > len(OPS) // 2
    fed = [any(r >= len(p.inputs) for s in p.steps for r in s.refs()) for p in made if len(p.steps) > 1]
    assert np.mean(fed) > 0.6


@pytest.mark.parametrize(
    ("op", "setting", "values"),
    [
        ("div", "rounding_mode", {"floor", "trunc"}),
        ("nn.functional.gelu", "approximate", {"tanh"}),
        ("round", "decimals", {1, -1, 2}),
        ("linalg.vector_norm", "ord", {0, 0.5, 1, 3, "inf", "-inf"}),
        ("std", "correction", {0, 2, 1.5}),
        ("var", "correction", {0, 2, 1.5}),
    ],
)
def test_settings_that_choose_a_formula_are_drawn(op: str, setting: str, values: set[Any]) -> None:
    """Every formula of an op is met that a setting chooses."""
    drawn_here = [
        s.drawn.program.steps[-1].settings for n in (1, 2) for s in drawn(alone(op, "settings"), 60, n)
    ]
    assert values <= {s.get(setting) for s in drawn_here}


def test_clamp_is_drawn_between_tensors_of_any_shape() -> None:
    """Three tensors, of which any one may be the smaller; the bounds may be equal, and in the wrong order."""
    seen: set[str] = set()
    for face in ("size-1 axis", "mixed ranks", "ties", "plain"):
        for s in drawn(alone("clamp", face), 60):
            step = s.drawn.program.steps[-1]
            if len(step.operands) == 3:
                x, low, high = (s.drawn.point[r] for r in step.refs())
                seen |= {n for n, a in (("x", x), ("bound", low)) if a.size < s.drawn.outputs[0].size}
                seen |= {"equal"} if np.any((x < low) & (low == high)) else set()
                seen |= {"crossed"} if np.any(low > high) else set()
    assert seen == {"x", "bound", "equal", "crossed"}


@pytest.mark.parametrize("op", ["add", "matmul", "linalg.solve", "cat", "clamp", "where"])
def test_a_constant_operand_is_a_float_without_a_gradient(op: str) -> None:
    """Of several floating operands one is not differentiated, and the case is judged."""
    held = 0
    for sample in drawn(alone(op, "constant operand"), 12):
        first, second = list(cases(sample, ("float32",)))[:2]
        floating = [i for i in first.program.inputs if i.floating]
        assert {i.dtype for i in floating} == {"float32"}
        assert len(second.seconds) == len(first.program.differentiated) > 0
        held += len(first.program.differentiated) < len(floating)
        assert isinstance(enclose(second), Enclosed)
    assert held


def test_zero_cotangents_are_drawn() -> None:
    """Some elements 0 and others not: what is masked by the cotangent loses a slope of it."""
    cotangents = [c for s in drawn(alone("std", "zero cotangent"), 40) for c in s.cotangents]
    assert any(np.any(c == 0) and np.any(c != 0) for c in cotangents)


def test_standard_deviations_of_equal_numbers_are_drawn_and_judged() -> None:
    """Where std is 0 its least slope is 0; of numbers whose sums are exact this is told, of 0.1 it is not."""
    flat = [s for s in drawn(alone("std", "zero"), 60) if np.any(s.drawn.outputs[0] == 0)]
    assert flat
    for sample in flat[:5]:
        truth = enclose(next(iter(cases(sample, ("float32",)))))
        assert isinstance(truth, Enclosed)
        assert truth.at_kink
    tenths = case({"a": [0.1, 0.1, 0.1]}, [step("std", 0)], [1.0])
    assert isinstance(enclose(tenths), Unknown)


def test_determinants_of_singular_matrices_are_drawn() -> None:
    """Among zeros: of every rank, of one row up to three, and beside a regular one; judged to second order."""
    seen: set[tuple[int, int]] = set()
    judged, batches = 0, 0
    for sample in (s for start in (0, 1) for s in drawn(alone("linalg.det", "zero"), 60, start)):
        (point,) = sample.drawn.point
        if np.any(sample.drawn.outputs[0] == 0):
            batches += point.ndim > 2
            first = point[0] if point.ndim > 2 else point
            seen.add((len(first), int(np.linalg.matrix_rank(first))))
            judged += all(isinstance(enclose(c), Enclosed) for c in cases(sample, ("float64", "float32")))
    assert {(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)} <= seen
    assert batches >= 2
    assert judged >= 30


def test_further_points_stay_in_their_domains() -> None:
    """Points after the first move every number a little and none out of its domain."""
    for sample in drawn(alone("log", "tiny"), 10):
        points = [c.inputs[0].numpy() for c in cases(sample, ("float64",), 4) if c.order == 1]
        assert len(points) == 4
        assert all((p > 0).all() for p in points)
        assert any((p != points[0]).any() for p in points[1:]) or not points[0].size


def test_tables_hold_short_decimals_inside_the_domain() -> None:
    """Numbers of a kind lie inside the domain asked for, mirrored or plain where none does."""
    for kind in TABLES:
        assert all(0 < v < np.inf for v in table(kind, (0, np.inf)))
        assert table(kind)
        assert all(len(f"{v:g}") <= 7 for v in TABLES[kind])
    assert table("kink", kinks=(0.0,))[0] == 0.0
    assert table("negative", (0, np.inf)) == tuple(-v for v in TABLES["negative"])
    assert PLAIN[0] == 1.0


def test_an_op_without_a_drawer_is_named() -> None:
    """An op that is not elementwise and has no drawer is an error that says where to write one."""
    public = refgrad.catalogue()["reshape"]
    with pytest.raises(LookupError, match=r"fold is not elementwise.*oracles/generation/steps.py"):
        draw_step(None, "fold", public)  # type: ignore[arg-type]
    assert set(DRAWERS) <= set(OPS)
