"""Tensors and factories: what they hold, and how they go out to Python and NumPy."""

import numpy as np
import pytest

import refgrad as torch

MADE = [
    ("torch.tensor([1, 2])", "int64", [1, 2]),
    ("torch.tensor([1, 2.5, True])", "float32", [1.0, 2.5, 1.0]),
    ("torch.tensor([True, False])", "bool", [True, False]),
    ("torch.tensor([])", "float32", []),
    ("torch.tensor(np.float32(1))", "float32", 1.0),
    ("torch.tensor(np.ones(2))", "float64", [1.0, 1.0]),
    ("torch.tensor([torch.tensor(1.0), torch.tensor(2.0)])", "float32", [1.0, 2.0]),
    ("torch.tensor(torch.tensor([1.5]), dtype=torch.int32)", "int32", [1]),
    ("torch.as_tensor([1, 2])", "int64", [1, 2]),
    ("torch.as_tensor(np.ones(1, np.int16))", "int16", [1]),
    ("torch.zeros(1, 2)", "float32", [[0.0, 0.0]]),
    ("torch.ones((2,), dtype=torch.uint8)", "uint8", [1, 1]),
    ("torch.full((2,), 3)", "int64", [3, 3]),
    ("torch.full((1,), True)", "bool", [True]),
    ("torch.arange(3)", "int64", [0, 1, 2]),
    ("torch.arange(1, 2, 0.5)", "float32", [1.0, 1.5]),
    ("torch.linspace(0, 1, 3)", "float32", [0.0, 0.5, 1.0]),
    ("torch.zeros_like(torch.ones(2).double())", "float64", [0.0, 0.0]),
    ("torch.ones_like(torch.ones(2), dtype=torch.int8)", "int8", [1, 1]),
    ("torch.from_numpy(np.arange(2.0))", "float64", [0.0, 1.0]),
]


@pytest.mark.parametrize(("text", "name", "values"), MADE)
def test_factories(text, name, values):
    """Each factory makes the dtype and elements that PyTorch's makes."""
    made = eval(text, {"torch": torch, "np": np})
    assert made.dtype is getattr(torch, name)
    assert made.tolist() == values


def test_data_is_copied_or_shared_as_asked():
    """`tensor` copies; `from_numpy`, `as_tensor`, `numpy` and `detach` share."""
    array = np.ones(2)
    copied, shared, same = torch.tensor(array), torch.from_numpy(array), torch.as_tensor(array)
    array[0] = 5
    assert copied.tolist() == [1.0, 1.0]
    assert shared.tolist() == same.tolist() == [5.0, 1.0]
    assert shared.numpy() is array
    assert np.shares_memory(shared.detach().numpy(), array)
    assert torch.as_tensor(shared) is shared
    assert torch.as_tensor(shared, dtype=torch.float32).dtype is torch.float32


def test_shape_and_layout():
    """Sizes, strides in elements, and contiguity."""
    x = torch.ones(2, 3)
    assert (x.shape, x.size(), x.size(-1), x.shape.numel()) == ((2, 3), (2, 3), 3, 6)
    assert (x.dim(), x.ndim, x.numel(), len(x)) == (2, 2, 6, 2)
    assert (x.stride(), x.T.stride(), x.stride(0)) == ((3, 1), (1, 3), 3)
    assert x.is_contiguous()
    assert not x.T.is_contiguous()
    assert x.contiguous() is x
    assert x.T.contiguous().is_contiguous()


def test_out_to_python():
    """One element is a number; many are lists; rows are tensors."""
    assert (float(torch.tensor(2.5)), int(torch.tensor([2.5])), bool(torch.tensor(0.0))) == (2.5, 2, False)
    assert torch.tensor(3).item() == 3
    assert [10, 20][torch.tensor(1)] == 20
    assert [row.tolist() for row in torch.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    with pytest.raises(TypeError, match="only integer tensors"):
        [10, 20][torch.tensor(1.0)]


def test_out_to_numpy():
    """A detached tensor converts; NumPy never takes one that requires grad for an array."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    assert np.asarray(x.detach()).tolist() == [1.0, 2.0]
    with pytest.raises(TypeError, match="ufunc"):
        np.exp(x.detach())
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(x)


def test_a_tensor_is_a_key_by_identity():
    """`==` compares elements, so two equal tensors are two keys."""
    x, y = torch.tensor([1.0]), torch.tensor([1.0])
    assert (x == y).tolist() == [True]
    assert len({id(x), id(y)}) == 2
    assert {x: 1, y: 2}[y] == 2


def test_leaves_and_what_is_computed_from_them():
    """RG-3, RG-4: results that require grad are no leaves; everything else is."""
    x = torch.tensor([1.0], requires_grad=True)
    y = x * 2
    assert (x.is_leaf, y.is_leaf, y.detach().is_leaf) == (True, False, True)
    assert (x.requires_grad, y.requires_grad, y.data.requires_grad) == (True, True, False)
    assert x.requires_grad_() is x
    assert y.requires_grad_() is y
    assert y.grad_fn.next_functions[0][0].variable is x
    assert x.long().grad_fn is None
    x.grad = torch.ones(1)
    x.grad = None
    assert x.grad is None


def test_conversions_keep_what_fits():
    """A tensor of the dtype asked for is itself; another is converted, and gradients come back."""
    x = torch.tensor([1.5, 2.5], requires_grad=True)
    assert x.float() is x
    assert x.to(torch.float32) is x
    x.double().sum().backward()
    assert x.grad.dtype is torch.float32
    assert x.detach().int().tolist() == [1, 2]
    assert x.sum(dtype=torch.float64).dtype is torch.float64
