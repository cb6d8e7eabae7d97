"""What is asked of tensors without a gradient, what they offer beside ops, and shapes: the same answers as torch's."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

ASKED = """
torch.isnan(x)
torch.isinf(x)
torch.isfinite(x)
x.isnan().any(), x.isfinite().all()
torch.isnan(i)
torch.isnan(h)
torch.logical_not(i), torch.logical_and(i, i - 3), torch.logical_or(i, i * 0), torch.logical_xor(i, i - 3)
torch.logical_and(i, torch.ones(3))
x.all(), x.any(), torch.zeros(0).all(), torch.zeros(0).any()
m.all(1), m.any(0, keepdim=True), m.all(dim=-1), torch.tensor(1.0).all(0)
torch.tensor([1, 2], dtype=torch.uint8).all()
m.all(5)
x.argmax(), x.argmin(), m.argmax(1), m.argmin(0, keepdim=True), m.argmax(keepdim=True), torch.tensor(2.0).argmax(0)
h.argmax(), i.argmin()
torch.argmax(torch.tensor([]))
torch.argmax(torch.ones(2, 0), 1)
b.argmax()
m.argmax(7)
torch.argmax(3)
torch.equal(x, x), torch.equal(i, i), torch.equal(i, i.float()), torch.equal(i, torch.ones(3))
torch.equal(i, 3)
torch.isclose(x, x), torch.isclose(x, x, equal_nan=True), torch.isclose(i, i + 1, rtol=0.5), torch.isclose(h, h)
torch.isclose(m, m + 1e-6), torch.isclose(m, m + 1e-3), torch.isclose(m, -m, atol=100)
torch.isclose(x, x.double())
torch.allclose(m, m + 1e-7), torch.allclose(m, m + 1), torch.allclose(x, x), torch.allclose(x, x, equal_nan=True)
torch.allclose(i, torch.ones(3, dtype=torch.int64))
~b, ~i
~x
b & True, b & 1, b | b, i & 1, i.int() | i, i | b, i ^ i, 1 & i, True | b
x & x
i | 2.0
i & torch.tensor([1, 2, 3])
i & "a"
2.0 in x, 7 in i, torch.tensor(5) in i
"a" in x
torch.numel(m), m.nelement(), m.ndimension(), m.element_size(), m.itemsize, m.nbytes, m.is_cuda, m.device
torch.is_tensor(m), torch.is_tensor(3), torch.is_floating_point(i), torch.get_default_dtype()
m.type(), i.type(), b.type(), h.type(), m.double().type()
m.type(torch.float64), m.type("torch.IntTensor"), m.type_as(i)
m.type("a")
m.to("cpu") is m, m.cpu() is m, m.to(torch.float32) is m, m.to(i), m.to(torch.device("cpu"), torch.float64)
m.to(dtype=torch.int32, device="cpu"), m.to(torch.float32, copy=True) is m
m.cuda()
m.to("cuda:0")
torch.cuda.is_available(), torch.cuda.device_count()
torch.device("cpu"), str(torch.device("cpu")), torch.device("cpu", 0), torch.device("cuda:1"), torch.device(m.device)
torch.device("cpu") == m.device, torch.device("cpu") == "cpu", len({torch.device("cpu"), m.device})
i.new_zeros(2, 3), h.new_ones((2,)), m.double().new_full((2,), 3), m.double().new_tensor([1, 2])
i.new_zeros(2, dtype=torch.float32), m.double().new_tensor(3, requires_grad=True), m.new_empty(0)
m.shape[:1], m.shape[0], m.shape + (1,), (1,) + m.shape, m.shape * 2, 2 * m.shape, m.shape[::-1], m.shape + m.shape
m.shape == (2, 3), hash(m.shape) == hash((2, 3)), sorted(m.shape), [*m.shape], m.shape.numel(), m.size()[1:]
m.shape + [1]
torch.eye(2), torch.eye(2, 3, dtype=torch.int64), torch.eye(0)
torch.zeros(size=(2,)), torch.ones([2, 1]), torch.full((2,), True), torch.full((1,), torch.tensor(2.0))
torch.zeros(2, torch.tensor(3)), torch.zeros(()), torch.ones(0, 2), torch.zeros_like(m, dtype=torch.float64)
torch.pi, torch.e, torch.inf, torch.nan
torch.clip(m, 0, 1), torch.multiply(m, m), torch.subtract(m, 1), torch.divide(m, 2), torch.negative(m)
torch.absolute(m), torch.concat([m, m]), torch.concatenate([m, m], 1), m.clip(max=0.0)
""".strip().splitlines()


def answer(lib, text):
    """What a line evaluates to, as text, or the error it raises."""
    scope = {
        "torch": lib,
        "x": lib.tensor([1.0, float("nan"), 2.0, float("inf"), -0.0]),
        "m": lib.tensor([[0.5, -1.0, 0.0], [2.0, 2.0, -3.0]]),
        "h": lib.tensor([1.0, 3.0, 2.0], dtype=lib.bfloat16),
        "i": lib.tensor([3, 5]),
        "b": lib.tensor([True, False]),
    }
    try:
        return repr(eval(text, scope))
    except Exception as error:
        kind = next(t for t in type(error).__mro__ if t.__module__ == "builtins")
        return kind.__name__, str(error)


@pytest.mark.parametrize("text", ASKED)
def test_the_answer_is_torch_s(text):
    """The same values, dtypes and text, or the same error."""
    pytest.importorskip("ml_dtypes")
    assert answer(refgrad, text) == answer(torch, text)


def test_another_answer_is_noticed():
    """Lines whose answers depend on the library do not pass."""
    with pytest.raises(AssertionError):
        test_the_answer_is_torch_s("torch.__name__")


def test_empty_holds_zeros():
    """What PyTorch leaves to chance is zero here."""
    assert refgrad.empty(2, 3).tolist() == refgrad.empty_like(refgrad.ones(2, 3)).tolist() == [[0.0] * 3] * 2
    assert np.shape(refgrad.empty(2, 3).numpy()) == (2, 3)


@pytest.mark.parametrize("kind", ["mps", "meta"])
def test_other_devices_are_refused(kind):
    """Each with a sentence that names it."""
    with pytest.raises(RuntimeError, match=kind):
        refgrad.ones(2).to(kind)
