"""One function of anybody's: right ones agree at every dtype, and each way to be wrong is caught and named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refgrad
from oracles import CannotTell, Checked, GradientMismatch, check_gradient
from oracles.arrays import Array
from oracles.checked import SHOWN
from oracles.program import Case, Input, Program, Ref, Scalar, Step
from oracles.subjects.function import InTorch

torch = pytest.importorskip("torch")

DTYPES = ("float64", "float32", "float16", "bfloat16")
X = [[0.5, 1.0, 2.0], [0.1, 0.2, 0.3]]


def tensor(values: Any, dtype: str = "float64", leaf: bool = True) -> Any:
    """A tensor of PyTorch that requires grad."""
    return torch.tensor(values, dtype=getattr(torch, dtype), requires_grad=leaf)


def custom(forward: Any, backward: Any) -> Any:
    """The function of an autograd.Function: `backward` takes the cotangent and then the inputs."""

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            ctx.save_for_backward(*inputs)
            return forward(*inputs)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return backward(g, *ctx.saved_tensors)

    return Custom.apply


def wrong(function: Any, reference: Any, *inputs: Any, **settings: Any) -> str:
    """The message that a wrong function is accused with."""
    with pytest.raises(GradientMismatch) as caught:
        check_gradient(function, reference, *inputs, **settings)
    assert caught.value.result.outcome == "differs"
    assert not caught.value.result.agrees
    return str(caught.value)


sine = custom(torch.sin, lambda g, x: g * torch.cos(x))
product = custom(lambda x, w: x * w, lambda g, x, w: (g * w, g * x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", [1, 2])
def test_a_right_function_of_pytorch_agrees(dtype: str, order: Any) -> None:
    """A sound backward is within its budget at every dtype, to second order, at and around its inputs."""
    result = check_gradient(
        product, lambda x, w: x * w, tensor(X, dtype), tensor([[3.0, -1.0, 0.25]] * 2, dtype), order=order
    )
    assert result.agrees
    assert result.dtype == dtype
    assert (result.given_judged, result.searched_judged) == (3 * order, 20)
    assert result.elements > 300


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_right_function_of_refgrad_agrees(dtype: str) -> None:
    """The engine's tensors are judged as PyTorch's are."""
    x = refgrad.tensor(X, requires_grad=True, dtype=getattr(refgrad, dtype))
    result = check_gradient(lambda x: (x.exp() * x).sum(0), lambda x: (np.exp(x) * x).sum(axis=0), x, order=2)
    assert result.agrees
    assert "float" in str(result)


def test_hips_autograd_is_judged_on_arrays() -> None:
    """NumPy arrays are differentiated by HIPS autograd."""
    anp = pytest.importorskip("autograd.numpy")
    x = np.array([1.0, 2.0, -3.0])
    assert check_gradient(
        lambda x: anp.sum(anp.exp(x) * x), lambda x: np.sum(np.exp(x) * x), x, order=2
    ).agrees
    said = wrong(lambda x: anp.sum(x**2), lambda x: np.sum(x**3), x)
    assert "Perhaps the reference is not the same function" in said


@pytest.mark.parametrize(
    "reference",
    [
        lambda x: torch.softmax(x, dim=-1).log(),
        lambda x: torch.nn.functional.log_softmax(x, dim=-1),
        lambda x: refgrad.log_softmax(x, dim=-1),
        lambda x: x - refgrad.logsumexp(x, dim=1, keepdim=True),
        lambda x: x.log_softmax(-1),
        lambda x: x - np.log(np.exp(x).sum(axis=-1, keepdims=True)),
        lambda x: x - np.log(np.sum(np.exp(x), axis=-1))[:, None],
        lambda x: np.stack([row - np.log(np.exp(row).sum()) for row in x]),
    ],
)
def test_a_reference_speaks_pytorch_refgrad_or_numpy(reference: Any) -> None:
    """The same function in every dialect is the same function."""
    assert check_gradient(lambda x: torch.log_softmax(x, -1), reference, tensor(X, "float32")).agrees


def test_numbers_of_no_dtype_are_rounded_as_kernels_round_them() -> None:
    """0.1 is no float32, and the budget knows it."""
    assert check_gradient(lambda x: x * 0.1, lambda x: x * 0.1, tensor([1.0, 2.0], "float32")).agrees
    assert check_gradient(
        lambda x: x.clamp(0.1, 0.7), lambda x: np.clip(x, 0.1, 0.7), tensor(X, "float32")
    ).agrees
    array = np.array([0.1, 0.7, 1 / 3])
    given = torch.tensor(array, dtype=torch.float32)
    assert check_gradient(
        lambda x: x * given + given, lambda x: x * array + array, tensor(X, "float32")
    ).agrees


def test_a_reference_may_have_several_forms() -> None:
    """An answer may follow the rounding of any form, and all of them must be one function."""
    x = tensor([1.1, -100.0])

    def naive(x: Any) -> Any:
        return np.exp(x) / np.exp(x).sum()

    def stable(x: Any) -> Any:
        return np.exp(x - x.max()) / np.exp(x - x.max()).sum()

    def softmax(x: Any) -> Any:
        return torch.softmax(x, 0)

    assert "in a tuple of references" in wrong(softmax, naive, x, examples=0)
    assert check_gradient(softmax, (naive, stable), x, order=2).agrees
    far = tensor([1000.0, 0.0])
    with pytest.raises(CannotTell, match="overflow"):
        check_gradient(softmax, naive, far)
    assert check_gradient(softmax, (naive, stable), far).agrees
    bad = custom(softmax, lambda g, x: g * softmax(x))
    assert "the gradient of x is wrong" in wrong(bad, (naive, stable), x)
    with pytest.raises(ValueError, match="are not the same function"):
        check_gradient(softmax, (naive, lambda x: 2 * stable(x)), x)


def test_another_device_is_copied_to_and_watched() -> None:
    """Tensors that do not share the case's memory are compared with it afterwards."""
    x = tensor(X)
    program = Program((Input("x", (2, 3), "float64"),), (Step("mul", (Ref(0), Scalar.of(2))),), (1,))
    ones = Array.of(np.ones((2, 3)))
    case = Case(program, (ones,), (ones,), "float64")

    def careless(x: Any) -> Any:
        y = x * 2.0
        x.data.zero_()
        return y

    for function, changed in ((careless, ("x",)), (lambda x: x * 2.0, ())):
        library = InTorch(function, "torch", [x.dtype])
        library.device = "elsewhere"
        library._given = library._from_numpy = lambda torch, array, library=library: copied(
            library, torch, array
        )  # type: ignore[method-assign]
        answer = library.vjp(case)
        assert answer.changed == changed
        assert np.array_equal(answer.gradients[0].numpy(), np.full((2, 3), 2.0))  # type: ignore[union-attr]


def copied(library: Any, torch: Any, array: Any) -> Any:
    """What a device does: a tensor of its own memory."""
    library._copied.append((torch.from_numpy(array).clone(), array))
    return library._copied[-1][0]


def test_comparisons_of_inputs_are_decided() -> None:
    """A reference may branch on its inputs; at an element on the edge it says nothing."""

    def reference(x: Any) -> Any:
        return np.where(x > 0, x, 0.25 * x)

    assert check_gradient(
        lambda x: torch.nn.functional.leaky_relu(x, 0.25), reference, tensor([1.0, -2.0])
    ).agrees
    with pytest.raises(CannotTell, match="stand on its edge"):
        check_gradient(lambda x: torch.nn.functional.leaky_relu(x, 0.25), reference, tensor([1.0, 0.0]))


def test_integers_and_masks_are_passed_through() -> None:
    """Indices keep their dtype and are not differentiated; an input without requires_grad is a constant."""
    labels = torch.tensor([1, 0], dtype=torch.int32)

    def loss(x: Any, labels: Any, weight: Any) -> Any:
        assert labels.dtype is torch.int32
        return (torch.nn.functional.cross_entropy(x, labels.long(), reduction="none") * weight).sum()

    def reference(x: Any, labels: Any, weight: Any) -> Any:
        return -(x.log_softmax(1)[np.arange(len(labels)), labels] * weight).sum()

    result = check_gradient(loss, reference, tensor(X), labels, tensor([0.3, 2.0], leaf=False))
    assert result.agrees


# What is wrong, and how it is said.


def test_a_flipped_sign_at_scale_1e_6_is_caught() -> None:
    """gradcheck passes it: 1e-6 is its absolute tolerance."""
    flipped = custom(lambda x: 1e-7 * torch.sin(x), lambda g, x: -g * 1e-7 * torch.cos(x))
    assert torch.autograd.gradcheck(flipped, (tensor(X),))
    said = wrong(flipped, lambda x: 1e-7 * np.sin(x), tensor(X))
    assert "the gradient of x is wrong: wrong value" in said
    assert "x = torch.tensor([[1.0]], dtype=torch.float64, requires_grad=True)" in said
    assert "cotangent = [[1.0]]" in said
    assert "got -5.4" in said


def test_one_element_of_a_thousand_is_caught_at_1e_9() -> None:
    """An error of 1e-9 in one element."""

    def backward(g: Any, x: Any) -> Any:
        slope = g * torch.cos(x)
        slope[617 % len(slope)] *= 1 + 1e-9
        return slope

    x = tensor(np.linspace(0.1, 1.4, 1000))
    said = wrong(custom(torch.sin, backward), lambda x: x.sin(), x, examples=0)
    assert "gradient of x[0]: expected" in said


def test_a_dropped_accumulation_is_caught() -> None:
    """x is used twice, and one path is lost."""
    said = wrong(custom(lambda x: x * x, lambda g, x: g * x), lambda x: x * x, tensor(X, "bfloat16"))
    assert "the gradient of x is wrong" in said


def test_the_wrong_argument_is_named() -> None:
    """Of two arguments the second is wrong."""
    said = wrong(
        custom(lambda x, w: x * w, lambda g, x, w: (g * w, g * w)),
        lambda x, w: x * w,
        tensor(X),
        tensor([1.0, 2.0, 3.0]),
    )
    assert "the gradient of w is wrong" in said


def test_a_fault_that_the_inputs_do_not_show_is_found() -> None:
    """Wrong at negative inputs alone, and no given input is negative."""
    odd = custom(torch.tanh, lambda g, x: g * (1 - torch.tanh(x) ** 2) * torch.where(x < 0, 1.001, 1.0))
    assert check_gradient(odd, lambda x: x.tanh(), tensor(X), examples=0).agrees
    said = wrong(odd, lambda x: x.tanh(), tensor(X))
    assert "found around them" in said
    assert "x = torch.tensor([[-" in said


def test_a_kernel_that_believes_in_contiguous_memory_is_found() -> None:
    """The search hands over other layouts."""

    def careless(x: Any) -> Any:
        flat = torch.as_strided(x, x.shape, (x.shape[1], 1))
        return flat * 2.0

    said = wrong(careless, lambda x: x * 2, tensor(X))
    assert "in memory" in said


def test_wrong_at_second_order_alone() -> None:
    """The gradient is right and its own gradient is not."""

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * 3 * x.detach() * x

    assert check_gradient(Cube.apply, lambda x: x**3, tensor(X)).agrees
    said = wrong(Cube.apply, lambda x: x**3, tensor(X), order=2)
    assert "second-order gradient of x is wrong" in said
    assert "weight of x" in said


def test_a_function_that_refuses_the_second_order_cannot_be_told() -> None:
    """once_differentiable is no fault, and no agreement."""

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return 2 * x

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * g

    with pytest.raises(CannotTell, match="refuses the second order"):
        check_gradient(Once.apply, lambda x: 2 * x, tensor(X), order=2)


def by_rule(rule: Any) -> Any:
    """A vjp= for `x * w` on arrays, with this rule for the gradients."""
    return lambda function, inputs, cotangents: (function(*inputs), rule(cotangents[0], *inputs))


def times(x: Any, w: Any) -> Any:
    """The function of the library that vjp= stands for."""
    return x * w


def in_place(g: Any, x: Any, w: Any) -> Any:
    """The right gradients, the first in the memory of the cotangent."""
    second = (g * x).sum(0)
    return np.multiply(g, w, out=g), second


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (lambda g, x, w: (g * w, (g * x).sum(0)), ""),
        (lambda g, x, w: (g * w, g * x), "gradient of w has shape (1, 1), not (1,)"),
        (
            lambda g, x, w: ((g * w).astype("float32"), (g * x).sum(0)),
            "gradient of x is float32, not float64",
        ),
        (lambda g, x, w: (None, (g * x).sum(0)), "the gradient of x is None"),
        (lambda g, x, w: (g * w,), "got 1 arrays, expected 2"),
        (lambda g, x, w: (g * 0 + w, (g * x).sum(0)), "the gradient of x is wrong"),
        (in_place, "wrote into the cotangent"),
        (lambda g, x, w: 1 / 0, "its backward raises ZeroDivisionError: division by zero"),
        (lambda g, x, w: (g * w * np.nan, (g * x).sum(0)), "gradient of x: nan"),
    ],
)
def test_any_library_is_judged_through_a_vjp(rule: Any, said: str) -> None:
    """A library that is not known needs one callable; what it answers is judged as strictly."""
    inputs = (np.array(X), np.array([1.0, 2.0, 3.0]))
    settings = {"vjp": by_rule(rule), "cotangent": np.array([[1.0, 2.0, 0.5]] * 2)}
    if said:
        assert said in wrong(times, lambda x, w: x * w, *inputs, **settings)
    else:
        assert check_gradient(times, lambda x, w: x * w, *inputs, **settings).agrees


def test_an_answer_that_changes_is_caught() -> None:
    """The same call twice, and another answer within the budget."""
    calls = iter(range(10**6))
    unsteady = custom(torch.sin, lambda g, x: g * torch.cos(x) * (1 + 2.3e-16 * (next(calls) % 2)))
    assert "not repeatable" in wrong(unsteady, lambda x: x.sin(), tensor(X))


def test_writing_into_an_input_is_caught() -> None:
    """The value is right and the input is not what it was."""

    def careless(x: Any) -> Any:
        y = x * 2.0
        x.data.zero_()
        return y

    assert "changes its inputs" in wrong(careless, lambda x: x * 2, tensor(X))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x.detach() * 2, "the gradient of x is None"),
        (lambda x: 1 / 0, "it raises ZeroDivisionError in forward: division by zero"),
        (lambda x: (x * 2).sum(), "output 0 has shape (), the reference's has shape"),
        (lambda x: (x * 2).float(), "output 0 has dtype float32, the reference's has dtype float64"),
        (lambda x: (x * 2, x), "the function gives 2 outputs, the reference 1"),
        (lambda x: [1.0], "output 0 is a float, not a tensor"),
        (lambda x: x * 3, "its value is not the reference's"),
    ],
)
def test_other_ways_to_be_wrong_are_said_plainly(function: Any, said: str) -> None:
    """What comes back instead of the right tensor is named."""
    assert said in wrong(function, lambda x: x * 2, tensor(X))


def test_a_function_may_insist_on_its_inputs() -> None:
    """What it refuses around its inputs is counted, and shrinking does without."""

    def strict(x: Any) -> Any:
        if x.shape != (2, 3) or not bool((x > 0).all()):
            raise ValueError("two by three positive numbers, please")
        return flawed(x)

    flawed = custom(torch.sin, lambda g, x: g * torch.cos(x) * 1.01)
    right = check_gradient(lambda x: strict(x) * 0 + torch.sin(x), lambda x: x.sin(), tensor(X), examples=8)
    assert right.agrees
    assert right.refused
    said = wrong(strict, lambda x: x.sin(), tensor(X))
    assert "x = torch.tensor([[" in said
    assert said.count("gradient of x[") >= 1


def test_many_wrong_elements_are_not_all_shown() -> None:
    """The worst are, and the rest are counted."""

    def rigid(x: Any) -> Any:
        assert x.shape == (20,)
        return flawed(x)

    flawed = custom(torch.sin, lambda g, x: g * 2)
    said = wrong(rigid, lambda x: x.sin(), tensor(np.linspace(1, 2, 20)))
    assert said.count("gradient of x[") == SHOWN
    assert "and 14 more elements of 20" in said


# Where nothing can be said.


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (lambda x: np.sort(x), "the NumPy function np.sort"),
        (lambda x: np.cbrt(x), "the NumPy function np.cbrt"),
        (lambda x: np.add.accumulate(x), "np.add.accumulate"),
        (lambda x: torch.cosine_similarity(x, x), "the function cosine_similarity"),
        (lambda x: torch.nn.functional.layer_norm(x, (3,)), "write (x - x.mean"),
        (lambda x: x.detach(), "the tensor method detach"),
        (lambda x: x if x.sum() > 0 else -x, "compares computed values"),
        (lambda x: x * float(x.sum()), "asks for a computed value"),
        (lambda x: np.array([x[0], x[1]]), "use|np.stack"),
        (lambda x: x.masked_fill(x > 1, -np.inf), "an infinity"),
        (lambda x: 3.0, "depends on no input"),
        (lambda x: x.sum(axis=5), "the reference raised IndexError"),
        (lambda x: np.sum(x, where=[True, False, True]), "the setting where"),
        (lambda x: x.item(), "the tensor method item"),
    ],
)
def test_a_reference_outside_the_catalogue_is_refused_by_name(reference: Any, said: str) -> None:
    """It says which function, and what to write instead."""
    with pytest.raises(CannotTell) as caught:
        check_gradient(torch.sin, reference, tensor(X))
    assert any(part in str(caught.value) for part in said.split("|")), caught.value


def test_what_cannot_be_told_is_not_passed() -> None:
    """A pole, a size that is too large, a budget as large as the answer."""
    with pytest.raises(CannotTell, match="the derivative does not exist here"):
        check_gradient(lambda x: 1 / (x - 1), lambda x: 1 / (x - 1), tensor([1.0]))
    result = check_gradient(torch.sin, lambda x: x.sin(), tensor(np.ones(40_000)), raises=False)
    assert result.outcome == "cannot tell"
    assert "give smaller inputs" in result.reason


def test_without_a_reference_differences_judge() -> None:
    """They say so, catch a wrong slope in float64, and cannot tell in less."""
    result = check_gradient(sine, None, tensor(X))
    assert result.agrees
    assert "differences and laws only" in str(result)
    flipped = custom(torch.sin, lambda g, x: -g * torch.cos(x))
    assert "along a direction the slope is" in wrong(flipped, None, tensor(X))
    with pytest.raises(CannotTell, match="too coarse"):
        check_gradient(sine, None, tensor(X, "float32"))


def test_the_cotangent_may_be_given() -> None:
    """A fault that only ones hide."""
    hidden = custom(lambda x: x.softmax(0), lambda g, x: (g - g.mean()) * x.softmax(0) * 0)
    x = tensor([1.0, 2.0, 3.0])
    assert (
        check_gradient(
            hidden, lambda x: x.softmax(0), x, cotangent=torch.ones(3), examples=0, raises=False
        ).given
        == 1
    )
    assert "the gradient of x" in wrong(hidden, lambda x: x.softmax(0), x)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((torch.sin, None), ValueError, "needs the inputs"),
        ((torch.sin, 3, tensor([1.0])), TypeError, "the first two are functions"),
        ((torch.sin, None, tensor([1.0], leaf=False)), ValueError, "requires_grad=True"),
        ((torch.sin, None, tensor([1.0]), np.ones(1)), TypeError, "all tensors of torch"),
        ((torch.sin, None, [1.0]), TypeError, "got list"),
        ((torch.sin, None, torch.ones(1, dtype=torch.complex64, requires_grad=True)), TypeError, "complex64"),
    ],
)
def test_a_call_that_makes_no_sense_says_why(arguments: Any, error: Any, said: str) -> None:
    """Before anything is judged."""
    with pytest.raises(error, match=said):
        check_gradient(*arguments)


def test_the_result_escapes_what_it_shows() -> None:
    """Names and messages from elsewhere are text in a notebook, never markup."""

    def hostile(x: Any) -> Any:
        raise ValueError("<script>alert('boo')</script>")

    hostile.__qualname__ = "<img src=x onerror=alert(1)>"
    result = check_gradient(hostile, lambda x: x, tensor(X), raises=False)
    page = result._repr_html_()
    assert isinstance(result, Checked)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


def test_the_result_is_short_and_the_same_each_time() -> None:
    """A few lines, and everything drawn comes from the seed."""
    first, second = (str(check_gradient(sine, lambda x: x.sin(), tensor(X), seed=7)) for _ in range(2))
    assert first == second
    assert len(first.splitlines()) <= 6
    assert "worst: " in first
    assert "laws hold" in first
