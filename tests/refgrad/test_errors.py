"""What is refused, in torch's words."""

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

REFUSED = """
torch.exp(np.ones(2))
torch.exp(2.0)
torch.mul(np.ones(2), x)
torch.mul(x, 'a')
torch.add(torch.tensor([1]), torch.tensor([1]), alpha=0.5)
x + 'a'
x + None
np.ones((2, 3)) * x
x * np.ones((2, 3))
x * torch.ones(4)
torch.ones(2) * torch.ones(3, 2, 4)
torch.ones(2) > torch.ones(3)
torch.where(x, x, x)
torch.pow(torch.tensor([2]), -1)
torch.relu(2)
torch.relu(torch.tensor([True]))
-torch.tensor([True])
torch.tensor([True]) - torch.tensor([True])
x.sum(2)
x.sum(-3)
x.sum((0, 0))
torch.tensor(1.0).sum(1)
torch.tensor([1, 2]).mean()
torch.tensor([1, 2]).std()
torch.tensor([1, 2]).softmax(0)
x.max(2)
torch.ones(0).max()
torch.ones(0, 3).max(0)
torch.cat([])
torch.cat(x)
torch.cat([x, torch.ones(3)])
torch.cat([x, torch.ones(2, 2)])
torch.cat([x, torch.ones(2, 2)], 2)
torch.cat([torch.tensor(1.0)])
torch.cat([x, np.ones(3)])
x[2]
x[0, 3]
x[0, 0, 0]
x['a']
x[0.5]
x[torch.tensor([5])]
x[torch.tensor([1.0])]
x[torch.tensor([True, False, True])]
x[::-1]
x[0:2:0]
torch.tensor(1.0)[0]
x.reshape(4)
x.reshape(-1, -1)
x.reshape(-2)
x.view(4)
x.t().view(6)
torch.ones(0, 3).view(0, -1)
x.transpose(0, 2)
x.expand(3, 3)
x.expand(3)
x.expand(-1, 4, 3)
x.expand(-1, 2, 3)
x.unsqueeze(3)
x.squeeze(2)
x.permute(0)
x.permute(0, 0)
x.flatten(1, 0)
torch.ones(2, 2, 2).t()
torch.ones(2).mT
x @ torch.ones(2)
x @ x
x @ 2
torch.ones(2) @ torch.ones(3)
x @ torch.tensor(1.0)
x.mm(torch.ones(2))
x.mv(x)
x.dot(x)
x.bmm(x)
x @ torch.ones(3, 3).double()
x @ torch.ones(3).double()
torch.ones(2) @ torch.ones(2).double()
torch.ones(3, 2, 3) @ torch.ones(4, 3, 2)
torch.ones(3, 2, 3) @ torch.ones(3, 2, 2)
torch.linalg.solve(torch.ones(2, 3), torch.ones(2))
torch.linalg.solve(torch.ones(2), torch.ones(2))
torch.linalg.solve(torch.ones(2, 2).double(), torch.ones(2))
torch.linalg.solve(torch.ones(2, 2).long(), torch.ones(2).long())
torch.linalg.solve(torch.ones(2, 2), torch.ones(3))
torch.linalg.solve(torch.ones(2, 2), torch.ones(2), left=False)
torch.linalg.solve(torch.ones(2, 2), 1.0)
torch.linalg.solve(torch.zeros(2, 2), torch.ones(2))
torch.linalg.solve(torch.zeros(3, 2, 2), torch.ones(3, 2))
x.backward()
torch.ones(1).backward()
x.sum().backward(torch.ones(2))
torch.autograd.backward([x.sum(), x.sum()], [None])
torch.autograd.grad(x.sum(), [])
torch.autograd.grad(x.sum(), torch.ones(1, requires_grad=True))
torch.autograd.grad(x.sum(), torch.ones(1))
torch.autograd.grad(x.sum(), x, materialize_grads=True, allow_unused=False)
torch.autograd.grad(x, x)
torch.autograd.grad(torch.ones(1), x)
torch.autograd.grad(x.sum(), [x, None])
x.sum().backward(inputs=[])
x.sum().backward(inputs=torch.ones(1))
x.exp().requires_grad_(False)
torch.tensor([1]).requires_grad_()
torch.tensor([1], requires_grad=True)
torch.ones(1).retain_grad()
setattr(x, 'grad', 3)
setattr(x, 'grad', x)
setattr(x, 'grad', torch.ones(3))
setattr(x, 'grad', torch.ones(2, 3).double())
x.numpy()
np.asarray(x)
np.asarray(x.exp())
float(x)
bool(x)
bool(torch.tensor([]))
x.item()
len(torch.tensor(1.0))
iter(torch.tensor(1.0))
x.size(5)
x.foo
torch.tensor([[1, 2], [3]])
torch.tensor('a')
torch.tensor(None)
torch.from_numpy([1])
torch.full(2, 1.0)
torch.full_like(2, 1.0)
torch.arange(1, 0)
torch.softmax(x, 5)
torch.div(x, x, rounding_mode='up')
torch.nn.functional.gelu(x, approximate='erf')
torch.linalg.vector_norm(x, 'nuc')
torch.linalg.vector_norm(torch.ones(0), -1.5)
torch.linalg.vector_norm(torch.ones(0), float('inf'))
torch.einsum('..i', x[0])
torch.round(torch.tensor([1]), decimals=1)
torch.ones(2) > None
""".strip().splitlines()


def refusal(lib, text):
    """The error that `text` raises: its built-in type and its words."""
    x = lib.ones(2, 3, requires_grad=True)
    try:
        eval(text, {"torch": lib, "np": np, "x": x, "setattr": setattr})
    except Exception as error:
        kind = next(t for t in type(error).__mro__ if t.__module__ == "builtins")
        return kind.__name__, re.sub(r"refgrad\.tensor\.", "torch.", str(error))
    return None


@pytest.mark.parametrize("text", REFUSED)
def test_refused_in_torch_s_words(text):
    """The same type of error, and the same sentence."""
    expected = refusal(torch, text)
    assert expected is not None
    assert refusal(refgrad, text) == expected
