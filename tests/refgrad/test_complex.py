"""Complex numbers: what is accepted has torch's values and gradients, and the rest is refused."""

import zlib
from unittest import mock

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402
from refgrad.op import REGISTRY, evaluated, replaced  # noqa: E402
from refgrad.ops import complexes  # noqa: E402
from refgrad.record import FOR_COMPLEX  # noqa: E402

from .cases import CASES  # noqa: E402

torch.set_num_threads(1)
COMPARED_HERE = {
    "conj": [("a.conj()", {"a": (2, 3)}), ("torch.conj(a) * a", {"a": ()})],
    "parts": [("a.real * a.imag", {"a": (2, 3)}), ("torch.imag(a.t())", {"a": (2, 3)})],
    "view_as_real": [("torch.view_as_real(a) * 2", {"a": (2, 3)}),
                     ("torch.view_as_real(a.t())[..., 1]", {"a": (2, 3)})],
    "view_as_complex": [("torch.view_as_complex(torch.view_as_real(a) * 3) * a", {"a": (2, 3)})],
    "abs": [("a.abs()", {"a": (2, 3)}), ("abs(a) * a", {"a": ()})],
    "angle": [("a.angle()", {"a": (2, 3)}), ("torch.angle(a) * a", {"a": ()})],
    "sgn": [("a.sgn()", {"a": (2, 3)}), ("torch.sgn(a) * b", {"a": (3,), "b": (2, 3)})],
    "complex": [("torch.complex(a.abs(), b.angle())", {"a": (2, 1), "b": (3,)})],
    "polar": [("torch.polar(a.abs(), b.angle())", {"a": (2, 1), "b": (3,)})],
    "pow": [("a ** (1 + 2j)", {"a": (2, 3)}), ("a ** 2.5", {"a": (3,)}), ("a ** -1", {"a": ()}),
            ("(1 - 2j) ** a", {"a": (3,)}), ("(-2) ** a", {"a": (3,)}), ("a ** 4", {"a": (3,)})],
    "numbers": [("(a + 1j) * (2 - 1j) - 3j", {"a": (3,)}), ("1j / a - (2j - a) / 3j", {"a": (3,)}),
                ("torch.add(a, b, alpha=2j)", {"a": (3,), "b": (3,)}),
                ("torch.sub(a, b, alpha=1 - 1j)", {"a": (3,), "b": ()})],
    "casts": [("a.cdouble() * a.to(torch.complex64)", {"a": (3,)})],
    "matrices": [("a.mH @ a", {"a": (3, 2)}),
                 ("torch.linalg.solve(a, b.t(), left=False).t()", {"a": (3, 3), "b": (3, 2)}),
                 ("torch.linalg.det(a)", {"a": (2, 3, 3)})],
    "in place": [("a.clone().mul_(b).add_(2j)", {"a": (2, 3), "b": (3,)}),
                 ("a.clone().t().mul_(b)", {"a": (3, 2), "b": (3,)}),
                 ("(lambda x: (x[0].mul_(b), x[1].fill_(1j), x)[-1])(a * 1)", {"a": (2, 3), "b": (3,)}),
                 ("(lambda x: (x[0].fill_(b), x)[-1])(a * 1)", {"a": (2, 3), "b": ()}),
        ("(lambda x: (x[0].copy_(b), x[1].zero_(), x)[-1])(a * 1)", {"a": (2, 3), "b": (3,)}),
                 ("(lambda x: (x.__setitem__(torch.tensor([0, 1]), b), x)[-1])(a * 1)", {"a": (3, 3), "b": (3,)}),
                 ("(lambda x: (x.exp_().t_(), x)[-1])(a * 1)", {"a": (2, 3)}),
                 ("(lambda x: x.unsqueeze_(0).transpose_(0, 1).squeeze_())(a * 1)", {"a": (2, 3)})],
    "unbind": [("a.unbind(1)[2] * a.unbind(1)[0]", {"a": (2, 3)})],
    "as_strided": [("a.as_strided((2, 2), (1, 2))", {"a": (2, 3)})],
    "masked_fill": [("a.masked_fill(torch.tensor([True, False, True]), 2.0)", {"a": (2, 3)})],
    "where": [("torch.where(torch.tensor([True, False, True]), a, b)", {"a": (2, 3), "b": (3,)})],
    "getitem": [("a[torch.tensor([True, False])]", {"a": (2, 3)})],
}  # fmt: skip
REFUSED_BY_TORCH = {
    *(
        "sign",
        "floor",
        "ceil",
        "trunc",
        "round",
        "erf",
        "erfc",
        "maximum",
        "minimum",
        "clamp",
        "relu",
        "atan2",
        "hypot",
    ),
    *("max", "min", "amax", "amin", "softmax", "log_softmax"),
    *(f"nn.functional.{name}" for name in ("softplus", "gelu", "leaky_relu", "elu", "mse_loss", "nll_loss")),
    *(f"nn.functional.{name}" for name in ("binary_cross_entropy",)),
}
"""Functions of the catalogue that PyTorch has for no complex operands; `silu` it cannot differentiate."""
REFUSED_HERE = {
    "ldexp",
    "sinc",
    *("std", "var", "logsumexp", "linalg.vector_norm", "nn.functional.silu"),
    "nn.functional.binary_cross_entropy_with_logits",
}
NOT_ALONE = "a > 1", ".float()", "torch.tensor([True, False, True]), b)", "rounding_mode"
"""In these calls something is refused beside the function in question."""


def calls():
    """Calls of every function, with the dtypes of their operands: all complex, and mixed with real ones."""
    for name, texts in {**CASES, **COMPARED_HERE}.items():
        here = COMPARED_HERE.get(name, [])
        known = CASES.get(name, []) + here if name in CASES else texts
        for text, shapes in known:
            if name in REFUSED_BY_TORCH | REFUSED_HERE or any(part in text for part in NOT_ALONE):
                continue
            yield text, shapes, ("complex128",) * len(shapes)
            yield text, shapes, ("complex64",) * len(shapes)
            if len(shapes) == 2 and "meshgrid" not in text and "copy_" not in text and "fill_(b" not in text:
                yield text, shapes, ("complex128", "float64")
                yield text, shapes, ("float64", "complex128")
                yield text, shapes, ("complex64", "float64")


CALLS = list(
    {
        f"{text}-{list(shapes.values())}-{kinds}": (text, shapes, kinds) for text, shapes, kinds in calls()
    }.items()
)


def numbers(letter, shape, kind, text=""):
    """Distinct reproducible numbers, complex ones all over the plane, real ones positive."""
    rng = np.random.default_rng(zlib.crc32(f"{letter}{shape}{text}".encode()))
    drawn = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return np.asarray(drawn if kind.startswith("complex") else np.abs(drawn) + 0.3).astype(kind)


def weighted(lib, x):
    """A real number that depends on every part of `x`."""
    weights = lib.from_numpy(numbers("g", tuple(x.shape), str(x.dtype).removeprefix("torch.")))
    return lib.real(x * weights).sum()


def array(x):
    """The elements of a tensor or None."""
    return None if x is None else (x.detach() + 0).resolve_conj().numpy().copy()


def found(lib, text, shapes, kinds):
    """The value of a call, its gradients by a plain pass and by a recorded one, and their gradients."""
    made = {
        letter: lib.from_numpy(numbers(letter, shape, kind, text)).requires_grad_()
        for (letter, shape), kind in zip(shapes.items(), kinds, strict=True)
    }
    leaves = list(made.values())
    out = eval(text, {"torch": lib, **made})
    arrays = [array(out)]
    if not out.requires_grad:
        return arrays
    loss = weighted(lib, out)
    arrays += map(array, lib.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True))
    first = lib.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
    arrays += map(array, first)
    second = [None] * len(leaves)
    recorded = [g for g in first if g is not None and g.requires_grad]
    if recorded:
        second = lib.autograd.grad(
            sum((weighted(lib, g * g) for g in recorded[1:]), weighted(lib, recorded[0] * recorded[0])),
            leaves,
            allow_unused=True,
        )
    return arrays + [array(g) for g in second]


def check(text, shapes, kinds):
    """Values and gradients to second order are torch's, or both libraries refuse the call."""
    try:
        expected = found(torch, text, shapes, kinds)
    except (RuntimeError, TypeError) as error:
        if "isFloatingType" not in str(error):  # an assertion in PyTorch's own formulas
            with pytest.raises(type(error)):
                found(refgrad, text, shapes, kinds)
        return False
    got = found(refgrad, text, shapes, kinds)
    # The four passes multiply numbers of up to 1e2, each rounded to 1e-16 or 6e-8.
    tolerance = 1e-3 if "complex64" in kinds else 1e-10
    for n, (e, r) in enumerate(zip(expected, got, strict=True)):
        if e is None and r is None:
            continue
        e, r = (np.zeros_like(r) if e is None else e), (np.zeros_like(e) if r is None else r)
        assert (r.shape, r.dtype) == (e.shape, e.dtype), n
        scale = max(1.0, np.max(np.abs(e), initial=0))
        np.testing.assert_allclose(r, e, rtol=tolerance, atol=tolerance * scale, err_msg=str(n))
    return True


def check_all(calls):
    """The same of each call."""
    for call in calls:
        check(*call)


@pytest.mark.parametrize(
    ("text", "shapes", "kinds"), [call for _, call in CALLS], ids=[name for name, _ in CALLS]
)
def test_values_and_gradients_to_second_order_are_torch_s(text, shapes, kinds):
    """Every function that takes complex numbers, on complex and on mixed operands, in both widths."""
    check(text, shapes, kinds)


def test_every_op_that_takes_complex_numbers_is_among_those_compared():
    """No op is let through that no comparison reaches, and enough of the calls are compared, not refused."""
    reached = set()
    apply = refgrad.record._apply

    def noting(op, inputs, settings):
        reached.add(op)
        return apply(op, inputs, settings)

    with mock.patch.object(refgrad.record, "_apply", noting):
        compared = [check(*call) for name, call in CALLS if "complex64" not in name]
    assert sum(compared) >= 380
    unseen = {op.name for op in FOR_COMPLEX.values()} - {op.name for op in reached} - ONLY_IN_PLACE
    assert not unseen


ONLY_IN_PLACE = {"eq_in_place", "ne_in_place", "eq_in_place_number", "ne_in_place_number", "ne"}
"""Compared below: nothing flows through them."""


@pytest.mark.parametrize("name", sorted(REFUSED_BY_TORCH | REFUSED_HERE))
def test_other_functions_are_refused(name):
    """In PyTorch's words where they are PyTorch's, on each call that runs there with no complex operand."""
    for text, shapes in CASES[name]:
        if "a - a" in text or "a > 1" in text or "l1_loss" in text:
            continue
        kinds = ("complex64",) * len(shapes)
        made = {k: refgrad.from_numpy(numbers(k, s, "complex64", text)) for k, s in shapes.items()}
        theirs = {k: torch.from_numpy(numbers(k, s, "complex64", text)) for k, s in shapes.items()}
        with pytest.raises((RuntimeError, TypeError)) as mine:
            eval(text, {"torch": refgrad, **made})
        if name in REFUSED_HERE:
            assert "omplex" in str(mine.value)
            continue
        with pytest.raises((RuntimeError, TypeError)) as its:
            eval(text, {"torch": torch, **theirs})
        assert len(kinds) > 1 or "nn." in name or "softmax" in name or str(mine.value) == str(its.value)


def test_an_op_nobody_has_compared_is_refused():
    """Whatever is added refuses complex operands until it is named."""
    with mock.patch.dict(FOR_COMPLEX):
        del FOR_COMPLEX[REGISTRY["sin"]]
        with pytest.raises(NotImplementedError, match="sin is not implemented for complex"):
            refgrad.tensor(1j).sin()


@pytest.mark.parametrize(
    ("name", "operand", "formula"),
    [
        ("mul", "a", lambda g, b: g * b.conj()),
        ("abs_complex", "x", lambda g, x: g * complexes.sgn(x)),
        ("complex", "imag", lambda g: g * 1j),
        ("conj", "x", lambda g: g),
    ],
)
def test_a_wrong_conjugate_is_noticed(name, operand, formula):
    """A formula that conjugates once too often, or once too little, does not pass."""
    with replaced(REGISTRY[name], operand, formula), pytest.raises(AssertionError):
        check_all([call for _, call in CALLS if call[2] == ("complex128",) * len(call[2])])


def test_a_wrong_value_is_noticed():
    """So does one that takes the other branch of a square root."""
    with evaluated(REGISTRY["sqrt"], lambda x: -np.sqrt(x)), pytest.raises(AssertionError):
        check("a.sqrt()", {"a": (2, 3)}, ("complex128",))


ON_CUTS = ["log", "sqrt", "rsqrt", "log1p", "asin", "acos", "acosh", "asinh", "atanh", "atan"]


@pytest.mark.parametrize("name", [*ON_CUTS, "pow"])
def test_on_a_cut_the_sign_of_zero_names_the_side(name):
    """Value and slope are the limits from the side at which the zero part stands."""

    def value_and_slope(z):
        leaf = refgrad.from_numpy(z).requires_grad_()
        y = leaf**2.5 if name == "pow" else getattr(refgrad, name)(leaf)
        y.backward(refgrad.full((len(z),), 1 + 0j, dtype=refgrad.cdouble))
        return y.detach().numpy(), leaf.grad.numpy()

    zeros, on = np.array([0.0, -0.0]), np.empty((2, 4), np.complex128)
    on.real[:, :2], on.imag[:, :2] = [-2.0, 3.0], zeros[:, None]
    on.real[:, 2:], on.imag[:, 2:] = zeros[:, None], [-2.0, 3.0]
    beside = on.copy()
    beside.imag[:, :2] = np.copysign(1e-9, on.imag[:, :2])
    beside.real[:, 2:] = np.copysign(1e-9, on.real[:, 2:])
    for here, near in zip(value_and_slope(on.ravel()), value_and_slope(beside.ravel()), strict=True):
        np.testing.assert_allclose(here, near, rtol=1e-7, atol=1e-7)  # slopes below 1e2, over 1e-9


AT_ZERO = {
    **{name: f"torch.{name}(z)" for name in ("abs", "sgn", "angle", "square", "exp", "asin", "sigmoid")},
    "product": "z.prod()",
    "running": "z.cumprod(0)",
    "cube": "z**3",
    "constant": "z**0",
    "det": "torch.linalg.det(z * z[:, None])",
    "power of zero": "0 ** (z.real + 3 + 0j)",
    "power": "z ** 2.5",
}


@pytest.mark.parametrize("text", AT_ZERO.values(), ids=AT_ZERO)
def test_slopes_at_zero_are_torch_s(text):
    """What is a convention is PyTorch's, and a zero that divides nothing does no harm."""
    slopes = []
    for lib in (torch, refgrad):
        z = lib.tensor([0, 1 + 1j, -2], dtype=lib.cdouble, requires_grad=True)
        weighted(lib, eval(text, {"torch": lib, "z": z})).backward()
        slopes.append(z.grad.numpy())
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-12, atol=1e-12)
