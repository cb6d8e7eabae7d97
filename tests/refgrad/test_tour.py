"""The whole engine on one page."""

import numpy as np
import pytest

import refgrad as torch
from refgrad.op import REGISTRY, Facts, op
from refgrad.ops.exponential import sigmoid


def test_a_tour():
    """Ordinary autograd code runs, and prints what PyTorch prints."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    w = torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float32)

    loss = ((x @ w.T).relu() ** 2).sum()
    assert repr(loss) == "tensor(20.2500, grad_fn=<SumBackward0>)"
    assert loss.grad_fn.next_functions[0][0].name() == "PowBackward0"

    loss.backward()
    assert repr(x.grad) == "tensor([ 4.5000, -9.0000, 18.0000])"
    (x * x).sum().backward()  # gradients add up
    assert x.grad.tolist() == [6.5, -5.0, 24.0]
    x.grad = None

    with torch.no_grad():
        assert not (x * 2).requires_grad

    (slope,) = torch.autograd.grad(x.exp().sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    np.testing.assert_array_equal(curvature.numpy(), np.exp(np.float32([1, 2, 3])))

    y = x.log()
    y.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()


def test_an_op_in_three_lines():
    """One declaration gives an op on arrays, on tensors, to any order."""
    try:

        @op(Facts("log(1 + exp(x))"), x=lambda g, x: g * sigmoid(x))
        def softplus_of_tour(x):
            return np.logaddexp(x, 0)

        x = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
        (g,) = torch.autograd.grad(softplus_of_tour(x).sum(), x, create_graph=True)
        (h,) = torch.autograd.grad(g.sum(), x)
        s = 1 / (1 + np.exp(-np.array([0.0, 1.0])))
        np.testing.assert_allclose(g.detach().numpy(), s, rtol=1e-15)
        np.testing.assert_allclose(h.numpy(), s * (1 - s), rtol=1e-15)
    finally:
        REGISTRY.pop("softplus_of_tour", None)
