"""Promotion, conversions and half-width floats, against torch."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")

import refgrad  # noqa: E402

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
HALVES = ["float16", "bfloat16"]


OF_TWO = [
    "x + y",
    "x * y",
    "x / y",
    "x - y",
    "x > y",
    "x ** y",
    "torch.where(mask, x, y)",
    "torch.cat([x, y])",
]
WITH_NUMBER = [
    "x + n", "n + x", "x * n", "x / n", "n / x", "x - n", "n - x", "x ** n", "n ** x", "x >= n",
    "torch.where(x > 0, x, n)",
]  # fmt: skip
OF_ONE = [
    "x.exp()", "x.log()", "x.sigmoid()", "x.tanh()", "-x", "x.relu()", "x.reciprocal()", "x.sum()", "x.sum(0)",
    "x.mean()", "x.std()", "x.logsumexp(0)", "x.softmax(0)", "x.cumprod(0)", "x.max()", "x[0]", "x.T",
    "x.reshape(4)", "x.max(0).indices", "x.double()", "x.long()",
]  # fmt: skip


def ones(lib, name, shape):
    """Ones of a dtype given by name."""
    return lib.ones(shape, dtype=getattr(lib, name))


def kinds(lib, texts, **names):
    """The dtype of each result, or the type of the error in its place."""
    found = []
    for text in texts:
        try:
            found.append((text, repr(eval(text, {"torch": lib, **names}).dtype)))
        except (RuntimeError, TypeError, NotImplementedError) as error:
            found.append((text, type(error).__name__))
    return found


@pytest.mark.parametrize("left", NAMES)
@pytest.mark.parametrize("right", NAMES)
def test_two_tensors_promote_as_in_torch(left, right):
    """For every pair of dtypes, with and without dimensions, the result of arithmetic has torch's dtype."""
    for a, b in itertools.product([(), (2,)], repeat=2):
        expected, got = (
            kinds(lib, OF_TWO, x=ones(lib, left, a), y=ones(lib, right, b), mask=ones(lib, "bool", 2))
            for lib in (torch, refgrad)
        )
        assert got == expected, (a, b)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_promote_as_in_torch(name):
    """A Python number changes the dtype only where its category is higher."""
    for shape, number in itertools.product([(), (2,)], [True, 2, 2.5]):
        expected, got = (
            kinds(lib, WITH_NUMBER, x=ones(lib, name, shape), n=number) for lib in (torch, refgrad)
        )
        assert got == expected, (shape, number)


@pytest.mark.parametrize("name", NAMES)
def test_functions_of_one_tensor_have_torch_s_dtype(name):
    """Integers become float32 in exp, int64 in sum, an error in mean."""
    expected, got = (kinds(lib, OF_ONE, x=ones(lib, name, (2, 2))) for lib in (torch, refgrad))
    assert got == expected


CHAINS = [
    "a.exp()", "a.log()", "a.sigmoid()", "a.tanh()", "(a - 1).relu()", "a * b", "a / b", "a + b", "a ** 2",
    "a.sum()", "a.mean(0)", "a.std()", "a.logsumexp(0)", "a.softmax(0)", "a.max()", "a.cumprod(0)", "a @ b",
    "a[1:] * 0.1", "(a * b).sum() * a", "torch.where(a > 1, a, b)", "torch.cat([a, b])", "a.float() * b.float()",
]  # fmt: skip


@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize("text", CHAINS)
def test_half_width_results_and_gradients_are_torch_s(name, text):
    """Values are computed in float32 and rounded once; gradients keep the operand's dtype."""
    eps = 2.0**-10 if name == "float16" else 2.0**-7
    rng = np.random.default_rng(3)
    numbers = {letter: rng.random(6) + 0.5 for letter in "ab"}
    found = []
    for lib in (torch, refgrad):
        made = {k: lib.tensor(v).to(getattr(lib, name)).requires_grad_() for k, v in numbers.items()}
        out = eval(text, {"torch": lib, **made})
        grads = lib.autograd.grad(out.sum(), list(made.values()), allow_unused=True)
        found.append(
            [t if t is None else (repr(t.dtype), t.detach().double().numpy()) for t in (out, *grads)]
        )
    for theirs, ours in zip(*found, strict=True):
        assert (theirs is None) == (ours is None)
        if theirs is not None:
            assert ours[0] == theirs[0]
            np.testing.assert_allclose(ours[1], theirs[1], rtol=4 * eps, atol=4 * eps)


@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize("text", CHAINS)
def test_half_width_raw_equals_recorded(name, text):
    """A half-width gradient taken on arrays has the bits of one taken on tensors."""
    rng = np.random.default_rng(4)
    numbers = {letter: rng.random(6) + 0.5 for letter in "ab"}
    found = []
    for create_graph in (False, True):
        made = {k: refgrad.tensor(v).to(getattr(refgrad, name)).requires_grad_() for k, v in numbers.items()}
        out = eval(text, {"torch": refgrad, **made}).sum()
        grads = refgrad.autograd.grad(out, list(made.values()), allow_unused=True, create_graph=create_graph)
        found.append([None if g is None else g.detach().numpy().tobytes() for g in grads])
    assert found[0] == found[1]


def test_a_thousand_ones_sum_to_a_thousand():
    """A sum in bfloat16 is taken in float32."""
    assert refgrad.ones(1000, dtype=refgrad.bfloat16).sum().item() == 1000.0


@pytest.mark.parametrize("name", HALVES)
def test_half_types_are_floating(name):
    """What takes fractions of floating tensors takes them of both half types, as PyTorch does."""
    import torch

    for text in (
        "torch.add(x, x, alpha=0.5)",
        "torch.sub(x, 1, alpha=2.5)",
        "torch.round(x, decimals=1)",
        "2**x",
    ):
        ours, theirs = (
            eval(text, {"torch": lib, "x": lib.tensor([1.25, -2.5], dtype=getattr(lib, name))})
            for lib in (refgrad, torch)
        )
        assert repr(ours.dtype) == repr(theirs.dtype)
        assert ours.tolist() == theirs.tolist()
