"""What NumPy carries over objects, beside the engine's own evaluation: two evaluations that share no code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refgrad
from oracles.answers import labels
from oracles.exact import linear, structure
from oracles.exact.evaluate import NoMeaning, apply, evaluate
from oracles.exact.scalars import Truth
from oracles.exact.structure import STRUCTURE, dims, objects
from oracles.generation.faces import faces_of_op
from oracles.generation.programs import alone, cases
from oracles.program import Program, Step
from oracles.subjects import load
from oracles.truth import Enclosed, enclose

from ..building import case, drawn, step  # noqa: TID252


@pytest.mark.parametrize("op", refgrad.catalogue())
def test_meaning_and_evaluation_agree(op: str) -> None:
    """On every face the op's NumPy evaluation, at float64, is within its budget of the meaning in balls."""
    public, engine = refgrad.catalogue()[op], load("refgrad")
    seen = 0
    for number, face in enumerate(faces_of_op(op, public)):
        for sample in drawn(alone(op, face), 2, number):
            for one in cases(sample, ("float64",)):
                truth = enclose(one)
                if one.order == 2 or not isinstance(truth, Enclosed):
                    continue
                outputs = engine.values(one.program, [a.numpy() for a in one.inputs])
                for name, output in zip(labels(one, "outputs"), outputs, strict=True):
                    enclosure = truth.arrays[name]
                    assert output.shape == enclosure.shape
                    for got, ball, budget in zip(output.flat, enclosure.truth, enclosure.budget, strict=True):
                        assert abs(float(got) - float(ball.mid())) <= budget + 1e-300, (op, face)
                        seen += 1
    assert seen >= 10


def test_dims() -> None:
    """PyTorch's `dim` in all its spellings, and one that is out of range is refused."""
    assert dims(None, 3) == dims((), 3) == (0, 1, 2)
    assert dims(-1, 3) == (2,)
    assert dims((2, -3), 3) == (0, 2)
    assert dims(0, 0) == dims(-1, 0) == ()
    for wrong in (2, -3, (0, 5)):
        with pytest.raises(ValueError, match="out of range for 2 dimensions"):
            dims(wrong, 2)


def test_shapes_that_do_not_fit_are_refused() -> None:
    """A product of matrices whose inner sizes differ is an error and no product."""
    algebra = Truth(1)
    a, b = (objects((algebra.leaf(1.0) for _ in range(6)), (2, 3)) for _ in range(2))
    with pytest.raises(ValueError, match="matmul of shapes"):
        linear.matmul(algebra, a, b)


@pytest.mark.parametrize(
    "index", [(0, slice(None), 1), (..., 1), (None, slice(1, None)), (slice(None), 0, None)]
)
def test_basic_indices_are_numpys(index: Any) -> None:
    """Integers, slices, dots and new axes pick the elements that NumPy picks."""
    x = np.arange(24).reshape(2, 3, 4)
    (picked,) = structure.getitem(Truth(1), x.astype(object), index=index)
    np.testing.assert_array_equal(picked.astype(int), x[index])


def test_an_integer_beside_an_index_array_moves_no_axis() -> None:
    """x[0, :, picks] has the shape that PyTorch gives it, (3, 2), where NumPy gives (2, 3)."""
    x, picks = np.arange(24).reshape(2, 3, 4), np.array([1, 1])
    assert x[0, :, picks].shape == (2, 3)
    (picked,) = structure.getitem(Truth(1), x.astype(object), picks, index=(0, slice(None), picks))
    np.testing.assert_array_equal(picked.astype(int), x[0][:, picks])


def test_a_vector_and_a_batch_of_vectors_are_told_apart() -> None:
    """solve takes B for vectors by PyTorch's rule, and solves each."""
    rng = np.random.default_rng(3)
    A = rng.integers(-3, 4, (2, 3, 3)) + 7.0 * np.eye(3)
    for shape in ((3,), (2, 3), (2, 3, 2)):
        B = rng.integers(-3, 4, shape).astype(float)
        one = case(
            {"A": A, "B": B}, [step("linalg.solve", 0, 1)], [np.ones((2, 3) if len(shape) < 3 else shape)]
        )
        found = enclose(one)
        assert isinstance(found, Enclosed)
        output = found.arrays["output 0"]
        X = np.array([float(t.mid()) for t in output.truth]).reshape(output.shape)
        back = A @ X if len(shape) == 3 else np.einsum("bij,bj->bi", A, X)
        np.testing.assert_allclose(back, np.broadcast_to(B, X.shape), atol=1e-13)


def test_a_missing_meaning_says_where_to_write_it() -> None:
    """An op of the engine with neither meaning nor structure is refused, and the message names both places."""

    class Declared:
        facts = refgrad.catalogue()["reshape"].facts

    with pytest.raises(
        NoMeaning, match=r"nothing has no meaning: .*Facts\(meaning\).*oracles/exact/structure.py"
    ):
        apply("nothing", Declared(), Truth(1), [], {})
    program = Program((), (Step("frobnicate", ()),), ())
    with pytest.raises(NoMeaning, match="frobnicate is not in the catalogue"):
        evaluate(program, Truth(1), [])


def test_every_structure_is_an_op() -> None:
    """No function in STRUCTURE outlives the op that it was written for."""
    assert set(STRUCTURE) <= set(refgrad.catalogue())
