from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd
import autograd.numpy as anp
import autograd.scipy.special as special
import ml_dtypes
import numpy as np
import pytest
import torch

from oracles.arrays import Array
from oracles.program import Case, Dots, Int, NewAxis, Pick, Ref, Refs, Scalar, Slice, Step
from oracles.subjects.autograd import subject as autograd_subject
from oracles.subjects.protocol import Lacking
from oracles.subjects.torch import subject as torch_subject
from oracles.subjects.torchlike import TorchLike

MakeCase = Callable[..., Case]
X = np.array([[0.5, -1.25, 2.0], [3.0, 0.25, -0.75]])
Y = np.array([[1.5, 2.5, 0.5], [1.0, 3.0, 2.0]])
P = np.abs(X)
A = np.array([[2.0, 0.5], [-0.25, 1.5]])
INDEX = np.array([1, 0, 1, 1])
MASK = np.array([[True, False, True], [False, True, True]])
X0, X1, X2 = Ref(0), Ref(1), Ref(2)


@dataclass(frozen=True)
class Direct:
    """A step, its operands, and the same written by hand for each library; None where autograd lacks it."""

    name: str
    arrays: tuple[np.ndarray[Any, Any], ...]
    step: Step
    torch: Callable[..., Any]
    autograd: Callable[..., Any] | None


def item(*index: Any) -> Step:
    """A `getitem` step on value 0 with index tensors from value 1 on."""
    picks = sum(isinstance(i, Pick) for i in index)
    return Step("getitem", (X0, *(Ref(n + 1) for n in range(picks))), index=index)


DIRECT = [
    Direct("add", (X, Y), Step("add", (X0, X1)), lambda x, y: x + y, lambda x, y: x + y),
    Direct(
        "add alpha", (X, Y), Step("add", (X0, X1), {"alpha": 2}), lambda x, y: torch.add(x, y, alpha=2), None
    ),
    Direct("sub", (X,), Step("sub", (Scalar.of(2.5), X0)), lambda x: 2.5 - x, lambda x: 2.5 - x),
    Direct("mul", (X, Y), Step("mul", (X0, X1)), lambda x, y: x * y, lambda x, y: x * y),
    Direct("div", (X, Y), Step("div", (X0, X1)), lambda x, y: x / y, lambda x, y: x / y),
    Direct("pow", (P, Y), Step("pow", (X0, X1)), lambda x, y: x**y, lambda x, y: x**y),
    Direct("pow scalar", (X,), Step("pow", (X0, Scalar.of(3))), lambda x: x**3, lambda x: x**3),
    Direct(
        "pow base", (X,), Step("pow", (Scalar.of(-2.0), X0)), lambda x: (-2.0) ** x, lambda x: (-2.0) ** x
    ),
    Direct("neg", (X,), Step("neg", (X0,)), lambda x: -x, lambda x: -x),
    Direct("exp", (X,), Step("exp", (X0,)), torch.exp, anp.exp),
    Direct("log", (P,), Step("log", (X0,)), torch.log, anp.log),
    Direct("sigmoid", (X,), Step("sigmoid", (X0,)), torch.sigmoid, special.expit),
    Direct("tanh", (X,), Step("tanh", (X0,)), torch.tanh, anp.tanh),
    Direct("relu", (X,), Step("relu", (X0,)), torch.relu, None),
    Direct(
        "where",
        (X, MASK, Y),
        Step("where", (X1, X0, X2)),
        lambda x, m, y: torch.where(m, x, y),
        lambda x, m, y: anp.where(m, x, y),
    ),
    Direct(
        "where number",
        (X, MASK),
        Step("where", (X1, X0, Scalar.of(0.5))),
        lambda x, m: torch.where(m, x, 0.5),
        lambda x, m: anp.where(m, x, 0.5),
    ),
    Direct("max", (X,), Step("max", (X0,)), torch.max, anp.max),
    Direct(
        "cat",
        (X, Y),
        Step("cat", (Refs((0, 1, 0)),), {"dim": 1}),
        lambda x, y: torch.cat([x, y, x], dim=1),
        lambda x, y: anp.concatenate([x, y, x], axis=1),
    ),
    Direct("sum", (X,), Step("sum", (X0,)), torch.sum, anp.sum),
    Direct(
        "sum dims",
        (X,),
        Step("sum", (X0,), {"dim": (0, 1), "keepdim": True}),
        lambda x: torch.sum(x, (0, 1), keepdim=True),
        lambda x: anp.sum(x, axis=(0, 1), keepdims=True),
    ),
    Direct("sum dim None", (X,), Step("sum", (X0,), {"dim": None}), torch.sum, anp.sum),
    Direct(
        "mean",
        (X,),
        Step("mean", (X0,), {"dim": 0}),
        lambda x: torch.mean(x, 0),
        lambda x: anp.mean(x, axis=0),
    ),
    Direct(
        "std",
        (X,),
        Step("std", (X0,), {"dim": -1}),
        lambda x: torch.std(x, -1),
        lambda x: anp.std(x, axis=-1, ddof=1),
    ),
    Direct(
        "std 0",
        (X,),
        Step("std", (X0,), {"dim": 1, "correction": 0, "keepdim": True}),
        lambda x: torch.std(x, 1, correction=0, keepdim=True),
        lambda x: anp.std(x, axis=1, keepdims=True),
    ),
    Direct(
        "logsumexp",
        (X,),
        Step("logsumexp", (X0,), {"dim": 1, "keepdim": True}),
        lambda x: torch.logsumexp(x, 1, True),
        lambda x: special.logsumexp(x, axis=1, keepdims=True),
    ),
    Direct(
        "reshape",
        (X,),
        Step("reshape", (X0,), {"shape": (3, -1)}),
        lambda x: torch.reshape(x, (3, -1)),
        lambda x: anp.reshape(x, (3, -1)),
    ),
    Direct(
        "transpose",
        (X,),
        Step("transpose", (X0,), {"dim0": 0, "dim1": 1}),
        lambda x: x.transpose(0, 1),
        lambda x: x.T,
    ),
    Direct(
        "expand",
        (X,),
        Step("expand", (X0,), {"size": (2, 2, 3)}),
        lambda x: x.expand((2, 2, 3)),
        None,
    ),
    Direct(
        "expand one",
        (X[:1],),
        Step("expand", (X0,), {"size": (2, 3)}),
        lambda x: x.expand((2, 3)),
        lambda x: anp.broadcast_to(x, (2, 3)),
    ),
    Direct(
        "expand -1", (X,), Step("expand", (X0,), {"size": (2, -1, 3)}), lambda x: x.expand((2, -1, 3)), None
    ),
    Direct(
        "matmul", (X, Y.T.copy()), Step("matmul", (X0, X1)), lambda a, b: a @ b, lambda a, b: anp.matmul(a, b)
    ),
    Direct("solve", (A, X), Step("linalg.solve", (X0, X1)), torch.linalg.solve, anp.linalg.solve),
    Direct(
        "solve right",
        (A, A),
        Step("linalg.solve", (X0, X1), {"left": False}),
        lambda a, b: torch.linalg.solve(a, b, left=False),
        None,
    ),
    Direct(
        "solve left",
        (A, X),
        Step("linalg.solve", (X0, X1), {"left": True}),
        torch.linalg.solve,
        anp.linalg.solve,
    ),
    Direct("cumprod", (X,), Step("cumprod", (X0,), {"dim": 1}), lambda x: torch.cumprod(x, 1), None),
    Direct("softmax", (X,), Step("softmax", (X0,), {"dim": 1}), lambda x: torch.softmax(x, 1), None),
    Direct("item", (X,), item(Slice(1, None, None), Int(-1)), lambda x: x[1:, -1], lambda x: x[1:, -1]),
    Direct(
        "item step",
        (X,),
        item(Dots(), NewAxis(), Slice(None, None, 2)),
        lambda x: x[..., None, ::2],
        lambda x: x[..., None, ::2],
    ),
    Direct("item pick", (X, INDEX), item(Pick(1)), lambda x, i: x[i], lambda x, i: x[i]),
    Direct(
        "item picks",
        (X, INDEX, INDEX),
        item(Pick(1), Pick(2)),
        lambda x, i, j: x[i, j],
        lambda x, i, j: x[i, j],
    ),
    Direct("item mask", (X, MASK), item(Pick(1)), lambda x, m: x[m], lambda x, m: x[m]),
]


def cases(make_case: MakeCase, direct: Direct, order: int = 1, layout: str = "contiguous") -> Case:
    """The case of a direct call, its cotangent of the shape that PyTorch's own answer has."""
    arrays = {f"v{n}": a for n, a in enumerate(direct.arrays)}
    like = direct.torch(*(torch.from_numpy(a.copy()) for a in direct.arrays))
    return make_case(arrays, [direct.step], order=order, layout=layout, like=[like])


def by_torch(direct: Direct, case: Case) -> tuple[Any, list[Any]]:
    """The output and gradients by plain PyTorch."""
    tensors = [torch.from_numpy(a.copy()) for a in direct.arrays]
    leaves = [t.requires_grad_() for t in tensors if t.is_floating_point()]
    output = direct.torch(*tensors)
    gradients = torch.autograd.grad(output, leaves, torch.from_numpy(case.cotangents[0].numpy()))
    return output.detach().numpy(), [g.numpy() for g in gradients]


def by_autograd(direct: Direct, case: Case) -> tuple[Any, list[Any]]:
    """The output and gradients by plain autograd, one argument at a time."""
    assert direct.autograd is not None
    gradients = []
    for n, array in enumerate(direct.arrays):
        if array.dtype.kind == "f":
            pull, output = autograd.make_vjp(direct.autograd, n)(*direct.arrays)
            gradients.append(pull(case.cotangents[0].numpy()))
    return output, gradients


def same(found: Array | None, expected: Any) -> bool:
    """Whether the record holds exactly these elements, in this dtype and shape."""
    return found is not None and found == Array.packed(np.asarray(expected))


@pytest.mark.parametrize("direct", DIRECT, ids=lambda d: d.name)
def test_torch_adapter_is_pytorch(make_case: MakeCase, direct: Direct) -> None:
    """Every op of the catalogue, asked through the adapter, is the call that a person would have written."""
    case = cases(make_case, direct)
    output, gradients = by_torch(direct, case)
    answer = torch_subject.vjp(case)
    assert same(answer.outputs[0], output)
    assert all(same(g, e) for g, e in zip(answer.gradients, gradients, strict=True))
    assert np.array_equal(torch_subject.values(case.program, list(direct.arrays))[0], output, equal_nan=True)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("direct", DIRECT, ids=lambda d: d.name)
def test_autograd_adapter_is_autograd(make_case: MakeCase, direct: Direct) -> None:
    """Every op that autograd has is the call that a person would have written; every other is refused."""
    case = cases(make_case, direct)
    if direct.autograd is None:
        with pytest.raises(Lacking):
            autograd_subject.vjp(case)
        return
    output, gradients = by_autograd(direct, case)
    answer = autograd_subject.vjp(case)
    assert same(answer.outputs[0], output)
    assert all(same(g, e) for g, e in zip(answer.gradients, gradients, strict=True))
    assert np.array_equal(
        autograd_subject.values(case.program, list(direct.arrays))[0], output, equal_nan=True
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("direct", [d for d in DIRECT if d.autograd], ids=lambda d: d.name)
def test_libraries_agree_on_what_is_asked(make_case: MakeCase, direct: Direct) -> None:
    """Where both libraries have an op they answer alike, so neither adapter means another function."""
    case = cases(make_case, direct)
    left, right = torch_subject.vjp(case), autograd_subject.vjp(case)
    for a, b in zip(left.outputs + left.gradients, right.outputs + right.gradients, strict=True):
        assert a is not None
        assert b is not None
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-12, equal_nan=True)


def test_max_along_a_dim(make_case: MakeCase) -> None:
    """PyTorch gives values and indices; autograd values alone, so a program that reads indices is refused."""
    step = Step("max", (Ref(0),), {"dim": 1}, outputs=2)
    case = make_case({"x": X}, [step], (1,), cotangents=[np.array([1.0, 2.0])])
    expected = np.array([[0.0, 0.0, 1.0], [2.0, 0.0, 0.0]])
    for subject in (torch_subject, autograd_subject):
        assert same(subject.vjp(case).gradients[0], expected)
    picked = [step, Step("getitem", (Ref(0), Ref(2)), index=(Slice(), Pick(1)))]
    case = make_case({"x": X}, picked, (3,), cotangents=[np.ones((2, 2))])
    assert same(torch_subject.vjp(case).outputs[0], X[:, [2, 0]])
    with pytest.raises(Lacking, match="does not give"):
        autograd_subject.vjp(case)


@pytest.mark.parametrize("subject", [torch_subject, autograd_subject], ids=lambda s: s.name)
def test_second_order_of_a_known_function(make_case: MakeCase, subject: Any) -> None:
    """For f = x**2 * y with cotangent c and weights u, v, all second-order terms are what calculus says."""
    x, y, c = np.array([1.0, 2.0]), np.array([3.0, -4.0]), np.array([0.5, 2.0])
    steps = [Step("pow", (Ref(0), Scalar.of(2))), Step("mul", (Ref(2), Ref(1)))]
    case = make_case({"x": x, "y": y}, steps, cotangents=[c], order=2)
    u, v = (w.numpy() for w in case.seconds)
    answer = subject.vjp(case)
    assert same(answer.outputs[0], x**2 * y)
    assert same(answer.gradients[0], 2 * x * y * c)
    assert same(answer.gradients[1], x**2 * c)
    assert same(answer.seconds[0], 2 * y * c * u + 2 * x * c * v)
    assert same(answer.seconds[1], 2 * x * c * u)
    assert same(answer.second_cotangents[0], 2 * x * y * u + x**2 * v)


def test_second_order_of_a_linear_program(make_case: MakeCase) -> None:
    """A gradient that depends on no input has no second-order gradient, or a zero one: both are answers."""
    case = make_case({"x": X}, [Step("add", (Ref(0), Scalar.of(1.0)))], cotangents=[Y], order=2)
    by_torch, by_autograd = torch_subject.vjp(case), autograd_subject.vjp(case)
    assert by_torch.seconds == (None,)
    assert same(by_autograd.seconds[0], np.zeros_like(X))
    assert by_torch.second_cotangents == by_autograd.second_cotangents
    assert same(by_torch.second_cotangents[0], case.seconds[0].numpy())


def test_an_input_that_nothing_reads_has_no_gradient(make_case: MakeCase) -> None:
    """PyTorch says None for an input that no output depends on, and that reaches the record as None."""
    case = make_case({"x": X, "y": Y}, [Step("exp", (Ref(0),))], cotangents=[Y])
    assert torch_subject.vjp(case).gradients[1] is None
    case = make_case({"x": X, "y": Y}, [Step("exp", (Ref(1),))], cotangents=[Y], order=2)
    assert torch_subject.vjp(case).second_cotangents[0] is not None


@pytest.mark.parametrize("layout", ["transposed", "strided", "reversed"])
@pytest.mark.parametrize("subject", [torch_subject, autograd_subject], ids=lambda s: s.name)
def test_layout_changes_memory_and_not_values(make_case: MakeCase, subject: Any, layout: str) -> None:
    """An input in another layout holds the same elements, so the answer is the same."""
    steps = [Step("mul", (Ref(0), Ref(1))), Step("exp", (Ref(2),))]
    plain = make_case({"x": X, "y": Y}, steps, cotangents=[Y], order=2)
    other = make_case({"x": X, "y": Y}, steps, cotangents=[Y], order=2, layout=layout)
    assert subject.vjp(plain) == subject.vjp(other)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_dtypes_pass_through_exactly(make_case: MakeCase, dtype: str) -> None:
    """Each dtype arrives and returns as itself, bit for bit; autograd has no bfloat16 and says so."""
    kind = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    x = np.array([0.1, -0.0, 3e-5, np.inf, np.nan]).astype(kind)
    case = make_case({"x": x}, [Step("mul", (Ref(0), Scalar.of(1.0)))], cotangents=[x], layout="strided")
    answer = torch_subject.vjp(case)
    assert answer.outputs[0].data == answer.gradients[0].data == case.inputs[0].data  # type: ignore[union-attr]
    if dtype == "bfloat16":
        with pytest.raises(Lacking, match="no bfloat16"):
            autograd_subject.vjp(case)
    else:
        found = autograd_subject.vjp(case).gradients[0]
        assert found is not None
        assert found.dtype == dtype
        np.testing.assert_array_equal(found.numpy(), x)  # it adds to zeros, so -0.0 comes back as 0.0


@pytest.mark.parametrize(
    ("step", "operands", "reason"),
    [
        (Step("mul", (X0, X1)), [X, Y.astype("float32")], "mixed dtypes"),
        (Step("sum", (X0,), {"dim": ()}), [X], "reduces nothing"),
        (Step("cat", (Refs((0, 1)),)), [[X, np.zeros(0)]], "empty operand"),
        (Step("linalg.solve", (X0, X1)), [np.stack([A, A]), A], "stack of vectors"),
        (item(Int(0), Slice(), Pick(1)), [np.stack([X, X]), INDEX], "elsewhere"),
    ],
)
def test_where_numpy_means_something_else(step: Step, operands: list[Any], reason: str) -> None:
    """A step that autograd would understand differently from PyTorch is refused, with the difference."""
    with pytest.raises(Lacking, match=reason):
        autograd_subject._apply(step, operands)


def test_a_library_of_pytorchs_shape_with_differences(make_case: MakeCase) -> None:
    """A difference replaces a call by a formula, or says why there is none; unknown ops are unsupported."""
    ops = {"softmax": lambda torch, x, dim: torch.exp(torch.log_softmax(x, dim)), "relu": "it was taken out"}
    subject = TorchLike("mine", "torch", ops=ops, layouts=("contiguous",))
    step = Step("softmax", (X0,), {"dim": 1})
    case = make_case({"x": X}, [step], cotangents=[Y], layout="reversed")
    np.testing.assert_allclose(subject.vjp(case).outputs[0].numpy(), torch.softmax(torch.from_numpy(X), 1))
    assert "t0 = torch.exp(torch.log_softmax(x, 1))" in subject.code(case)
    assert subject.supports(Step("relu", (X0,))) == "it was taken out"
    assert subject.supports(Step("linalg.nothing", (X0,))) == "mine: the module has no linalg.nothing"
    assert set(subject.versions()) == {"torch", "numpy"}


@pytest.mark.parametrize("subject", [torch_subject, autograd_subject], ids=lambda s: s.name)
def test_a_program_without_differentiated_inputs(make_case: MakeCase, subject: Any) -> None:
    """Where nothing is differentiated there are outputs and no gradients."""
    case = make_case({"index": INDEX}, [Step("getitem", (X0, X0), index=(Pick(1),))], cotangents=[INDEX])
    answer = subject.vjp(case)
    assert same(answer.outputs[0], INDEX[INDEX])
    assert answer.gradients == ()
