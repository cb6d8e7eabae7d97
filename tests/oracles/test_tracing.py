"""Tracing: what a reference is written with becomes steps of the catalogue, and what it cannot say is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import refgrad
from oracles.numpy_names import FUNCTIONS, UFUNCS, Untraceable
from oracles.program import Input
from oracles.tracing import Reference, trace
from refgrad.public import FUNCTIONS as PUBLIC

X = np.array([[0.5, -1.0, 2.0], [0.25, 3.0, -0.125]])
SQUARE = np.array([[4.0, 1.0], [0.5, 3.0]])


def traced(function: Callable[..., Any], *arrays: Any) -> Reference:
    """The reference at these inputs, in float64."""
    given = [np.asarray(a) for a in arrays]
    specs = [
        Input("xyz"[k], a.shape, a.dtype.name, a.dtype.kind == "f")  # type: ignore[arg-type]
        for k, a in enumerate(given)
    ]
    return trace(function, specs, given, "float64")


def steps(function: Callable[..., Any], *arrays: Any) -> list[str]:
    """The ops of its steps."""
    return [step.op for step in traced(function, *(arrays or (X,))).program.steps]


NUMPY: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: np.sum(x, axis=0),
    "mean": lambda x: np.mean(x, axis=(0, 1), keepdims=True),
    "max": lambda x: np.max(x, axis=1),
    "amax": lambda x: np.amax(x),
    "min": lambda x: np.min(x),
    "amin": lambda x: np.amin(x, axis=-1),
    "prod": lambda x: np.prod(x, axis=(0, 1)),
    "std": lambda x: np.std(x, axis=1),
    "var": lambda x: np.var(x, ddof=1),
    "cumsum": lambda x: np.cumsum(x),
    "cumprod": lambda x: np.cumprod(x, axis=1),
    "reshape": lambda x: np.reshape(x, (3, -1)),
    "ravel": lambda x: np.ravel(x),
    "transpose": lambda x: np.transpose(x),
    "permute_dims": lambda x: np.permute_dims(x, (1, 0)),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "squeeze": lambda x: np.squeeze(x[:1]),
    "expand_dims": lambda x: np.expand_dims(x, (0, 2)),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 2, 3)),
    "concatenate": lambda x: np.concatenate([x, 2 * x], axis=1),
    "stack": lambda x: np.stack([x, x], axis=1),
    "split": lambda x: np.split(x, [1], axis=1)[1],
    "where": lambda x: np.where(x > 0, x, -2 * x),
    "clip": lambda x: np.clip(x, -0.5, None),
    "dot": lambda x: np.dot(x, x.T),
    "outer": lambda x: np.outer(x[0], x[1]),
    "einsum": lambda x: np.einsum("ij, kj -> ik", x, x),
    "diagonal": lambda x: np.diagonal(x, 1),
    "trace": lambda x: np.trace(x),
    "tril": lambda x: np.tril(x, 1),
    "triu": lambda x: np.triu(x),
    "flip": lambda x: np.flip(x, 1),
    "roll": lambda x: np.roll(x, 1),
    "tile": lambda x: np.tile(x, 2),
    "take": lambda x: np.take(x, [1, 1], axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[0], [2]]), 1),
    "round": lambda x: np.round(x),
    "linalg.inv": lambda x: np.linalg.inv(x @ x.T),
    "linalg.det": lambda x: np.linalg.det(x @ x.T),
    "linalg.solve": lambda x: np.linalg.solve(x @ x.T, x),
    "linalg.norm": lambda x: np.linalg.norm(x, axis=1),
    "shape": lambda x: x * np.shape(x)[0],
    "ndim": lambda x: x * np.ndim(x),
    "size": lambda x: x / np.size(x),
    "zeros_like": lambda x: x + np.zeros_like(x),
    "ones_like": lambda x: x + np.ones_like(x),
}


def test_every_numpy_function_is_tried() -> None:
    """The table of functions and the calls below name the same."""
    assert set(NUMPY) == set(FUNCTIONS)


@pytest.mark.parametrize("name", NUMPY)
def test_a_numpy_function_means_what_numpy_means(name: str) -> None:
    """The traced program's value is NumPy's own."""
    (found,) = traced(NUMPY[name], X).outputs
    expected = NUMPY[name](X)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", UFUNCS)
def test_a_ufunc_means_what_numpy_means(name: str) -> None:
    """Of one operand or of two."""
    special = pytest.importorskip("scipy.special")
    ufunc = getattr(np, name, None) or getattr(special, name)
    inside = np.array([1.25, 1.5]) if name == "arccosh" else np.array([0.25, 0.5])
    arrays = [inside, inside + 0.125][: ufunc.nin]
    if name == "matmul":
        arrays = [SQUARE, SQUARE]
    (found,) = traced(lambda *xs: ufunc(*xs) * 1, *arrays).outputs
    np.testing.assert_allclose(found, ufunc(*arrays), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(set(refgrad.catalogue()) & set(PUBLIC) - {"getitem"}))
def test_every_function_of_the_engine_asks_a_traced_value(name: str) -> None:
    """No function of the catalogue refuses a traced value for its type; what else is wrong with the call it may."""
    home, _, short = name.rpartition(".")
    place = refgrad
    for part in filter(None, home.split(".")):
        place = getattr(place, part)
    with pytest.raises(Exception) as caught:  # a wrong number of arguments, mostly
        traced(lambda x: getattr(place, short)(x, *[x] * 5), X)
    assert "must be Tensor, not Traced" not in str(caught.value)


def test_the_dialects_agree() -> None:
    """Operators, methods, the engine's functions and NumPy's make the same steps."""
    ways = (
        lambda x: (x * x).exp().sum(),
        lambda x: refgrad.sum(refgrad.exp(refgrad.mul(x, x))),
        lambda x: np.sum(np.exp(np.multiply(x, x))),
        lambda x: np.add.reduce(np.exp(x * x), axis=None),
    )
    assert [steps(way) for way in ways] == [["mul", "exp", "sum"]] * 4


def test_pytorch_s_own_functions_are_understood() -> None:
    """torch.exp of a traced value is a step."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    assert steps(lambda x: F.softmax(torch.exp(x), dim=-1) * torch.ones(3)) == ["exp", "softmax", "mul"]
    assert steps(lambda x: torch.linalg.vector_norm(F.silu(x)) + torch.einsum("ij->", x)) == [
        "nn.functional.silu", "linalg.vector_norm", "einsum", "add",
    ]  # fmt: skip
    assert steps(lambda x: torch.max(x, 1).values + x.max(dim=1)[0] + torch.special.expit(x)[:, 0]) == [
        "max", "max", "add", "sigmoid", "getitem", "add",
    ]  # fmt: skip


def test_indices_and_masks_are_inputs() -> None:
    """What stands between brackets is written into the program as data."""
    found = traced(
        lambda x, i: x[i, None, ..., 0] + x[[1, 0], np.array([True, False, False])].sum(), X, np.array([1, 1])
    )
    assert [i.dtype for i in found.program.inputs] == ["float64", "int64", "int64", "bool"]
    with pytest.raises(Untraceable, match="asks for a computed value"):
        traced(lambda x: [1, 2][x], X)


def test_a_dtype_is_followed_and_changes_no_value() -> None:
    """`float()` says what is expected back."""
    found = traced(lambda x: x.float().exp().to(refgrad.float16), X)
    assert found.outputs[0].dtype == np.float16
    assert [s.op for s in found.program.steps] == ["exp"]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: np.cumsum(x, axis=0, dtype=np.float32), "the setting dtype"),
        (lambda x: np.reshape(x, (3, 2), order="F"), "the setting order"),
        (lambda x: np.add.outer(x, x), "np.add.outer"),
        (lambda x: np.linalg.norm(x, 1), "matrix norm"),
        (lambda x: np.where(x), "computed values"),
        (lambda x: x.frobnicate(), "the tensor method frobnicate"),
        (lambda x: refgrad.add(x, "y"), "str"),
        (lambda x: x.to(refgrad.int64), "cannot turn"),
        (lambda x: x[0].__setitem__(0, 1.0), "writes into a tensor"),
        (lambda x: x * np.inf, "an infinity"),
        (lambda x: x + 1j, "complex"),
        (lambda x: [x for _ in iter(x[0, 0])], "0-d"),
    ],
)
def test_what_a_program_cannot_say_is_refused(function: Any, said: str) -> None:
    """By name, and never silently."""
    with pytest.raises(Untraceable, match=said):
        traced(function, X)


def test_a_value_of_another_trace_is_refused() -> None:
    """A reference that keeps what it was given is noticed."""
    kept: list[Any] = []

    def hoard(x: Any) -> Any:
        kept.append(x)
        return kept[0] * x

    traced(hoard, X)
    with pytest.raises(Untraceable, match="keeps values"):
        traced(hoard, X)
