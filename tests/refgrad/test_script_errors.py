"""What scripts do wrong, and how both libraries say so: the same type of error, and the same words."""

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

MISTAKES = """
"a" + x
x * [1, 2]
x - None
x / "a"
x ** "a"
x @ [1.0]
x + torch.ones(4)
torch.matmul(x, torch.ones(4))
torch.mm(x, torch.ones(2))
x @ torch.ones(2, 2)
torch.dot(x, x)
torch.ones(3) @ torch.ones(4)
int(x)
if_(x > 1)
torch.ones(2).backward()
torch.ones(2).sum().backward()
x.sum().backward(torch.ones(3))
x.sum().backward(2.0)
torch.tensor([1, 2], requires_grad=True)
torch.tensor([1, 2]).requires_grad_()
torch.ones(2, dtype=torch.int64, requires_grad=True)
torch.zeros(2, dtype=torch.bool, requires_grad=True)
torch.zeros("a")
torch.zeros(2, "a")
torch.zeros(1.5)
torch.ones((2, 1.5))
torch.zeros(-1)
torch.zeros(2, dtype="float")
torch.tensor([1, "a"])
torch.tensor([[1.0, 2.0], [3.0]])
torch.tensor({1: 2})
torch.tensor(1, 2)
torch.full((2,), "a")
torch.arange("a")
torch.linspace(0, 1, -1)
torch.eye(-1)
torch.exp("a")
torch.exp(x, x)
torch.sum("a")
torch.cat(x, 0)
torch.cat([x, 1])
torch.cat([x, torch.ones(2, 2)], dim=0)
torch.stack([x, torch.ones(2)])
torch.stack([])
x.view(7)
x.reshape(7)
x.sum(dim=5)
x.mean(dim=2)
x.softmax(3)
x[5]
x[0, 7]
x[1.5]
x.transpose(0, 5)
x.squeeze(4)
x.unsqueeze(9)
x.t().t().foo
x.foo()
torch.foo
torch.nn.foo
torch.nn.functional.foo
x.clamp()
torch.max(x, 3)
torch.autograd.grad(x.sum(), torch.ones(2))
torch.autograd.grad(x.sum(), x, torch.ones(2))
torch.autograd.grad(x.sum(), "a")
torch.autograd.grad(x.sum(), torch.ones(2, requires_grad=True))
x.grad_fn.next_functions
x.sum().grad_fn.foo
setattr(x, "grad", 1.0)
setattr(x, "grad", torch.ones(5))
setattr(x.exp(), "requires_grad", False)
x.to("cuda")
x.cuda()
torch.ones(2, device="cuda")
torch.device("foo")
torch.device("")
torch.rand("a")
torch.rand(2, dtype=torch.int64)
torch.randn(2, dtype=torch.int64)
torch.rand(-1)
torch.randint(3, 3, (2,))
torch.manual_seed("a")
[i for i in torch.tensor(1.0)]
list(torch.tensor(1))[0]
torch.tensor([1.0]).item().foo
~x
x & x
x.long() & x
"a" in x
x.long().exp().foo
x.long().mean()
torch.tensor([1]) ** -1
torch.tensor([2, 3]) @ torch.tensor([2.0, 3.0])
torch.isnan("a")
torch.equal(x, 1)
torch.allclose(x, x.double())
torch.argmax(torch.tensor([]))
torch.argmax(x, 4)
torch.as_tensor("a")
F.relu("a")
F.linear(x, torch.ones(2, 4))
F.linear(x, torch.ones(2, 3), torch.ones(5))
F.linear(x, "a")
F.linear("a", x)
F.mse_loss(x, x, reduction="foo")
F.mse_loss(x.long(), x.long())
F.binary_cross_entropy(x, torch.ones(2))
F.binary_cross_entropy(x * 5, x)
F.binary_cross_entropy(x, x.double())
F.binary_cross_entropy_with_logits(x, torch.ones(2))
F.cross_entropy(x, torch.tensor([0]))
F.cross_entropy(x, torch.tensor([0, 3]))
F.cross_entropy(x, torch.tensor([0.0, 1.0]))
F.cross_entropy(x, torch.tensor([0, 1]), weight=torch.ones(2))
F.nll_loss(torch.ones(3), torch.tensor([0, 1]))
F.nll_loss(torch.ones(2, 3, 4), torch.zeros(2, 3).long())
F.nll_loss(torch.ones(2, 3, 4), torch.zeros(3, 4).long())
F.nll_loss(torch.ones(2, 3, 4, 5), torch.zeros(2, 4, 4).long())
F.nll_loss(torch.ones(2, 3, 4, 5), torch.zeros(2, 3).long())
F.nll_loss(torch.ones(2, 3, 4), torch.ones(2, 4))
F.leaky_relu(x.long())
F.elu(x.long())
F.one_hot(x)
F.one_hot(torch.tensor([-1]))
F.one_hot(torch.tensor([3]), 2)
nn.Linear(2, 3)(x)
nn.Linear(3, 2)(x.double())
nn.Linear(2)
nn.ReLU(foo=1)
nn.Parameter(torch.tensor([1]))
nn.Parameter(3.0)
nn.Module()(1)
nn.Module().foo
nn.Sequential(nn.ReLU())[3]
nn.Sequential(3)
nn.Sequential(nn.ReLU(), "a")
nn.Linear(2, 3).load_state_dict({})
nn.Linear(2, 3).load_state_dict({"weight": torch.ones(3, 3), "bias": torch.ones(3), "b": torch.ones(1)})
nn.Linear(2, 3).train("a")
setattr(nn.Linear(2, 3), "weight", torch.ones(3, 2))
setattr(nn.Linear(2, 3), "weight", 1.0)
nn.Linear(2, 3).register_buffer("weight", torch.ones(1))
nn.Linear(2, 3).register_parameter("a.b", None)
nn.Linear(2, 3).register_parameter("", None)
nn.Linear(2, 3).register_parameter("a", torch.ones(1))
nn.Linear(2, 3).add_module("a", 1)
torch.optim.SGD([], lr=0.1)
torch.optim.SGD(x, lr=0.1)
torch.optim.SGD([x], lr=-0.1)
torch.optim.SGD([x * 1], lr=0.1)
torch.optim.SGD([1.0], lr=0.1)
torch.optim.SGD([x], nesterov=True)
torch.optim.Adam([x], betas=(1.0, 0.0))
torch.optim.Adam([x], eps=-1.0)
torch.optim.Adam([{"params": [x]}, {"params": [x]}])
torch.optim.SGD([x], lr="a")
f"{x:.2f}"
x.movedim((0, 1), (0,))
torch.tensor(1.0).select(0, 0)
x.select(0, 5)
torch.tensor(1.0).narrow(0, 0, 1)
x.narrow(1, 0, 7)
x.narrow(1, 9, 1)
x.narrow(1, 0, -1)
torch.hstack([])
torch.vstack([])
torch.vstack([x, torch.ones(2)])
torch.meshgrid(x[0], x[1], indexing="foo")
x.expand_as(torch.ones(3))
x.view_as(torch.ones(5))
torch.device("a b")
torch.eye(1.5)
torch.full((2, "a"), 1.0)
torch.full(3, 1.0)
torch.randperm("a")
torch.randperm(-1)
torch.zeros()
torch.zeros([1.5])
torch.tensor(1, dtype="a")
F.nll_loss(torch.tensor(1.0), torch.tensor(0))
F.nll_loss(torch.ones(2, 3), torch.zeros(2, 3).long())
F.nll_loss(torch.ones(2, 3).long(), torch.zeros(2).long())
F.cross_entropy(torch.ones(2, 3), torch.ones(2, 3).long())
F.binary_cross_entropy(x.long(), x.long())
F.softmax(x, dim=7)
F.one_hot(torch.tensor([], dtype=torch.int64))
nn.Module().register_buffer("forward", None)
nn.Linear(2, 3).register_buffer("b", 3)
nn.Linear(2, 3).register_parameter(3, None)
nn.Linear(2, 3).add_module("a.b", nn.ReLU())
nn.Linear(2, 3).add_module("weight", nn.ReLU())
setattr(nn.Sequential(nn.ReLU()), "0", 3)
delattr(nn.Linear(2, 3), "foo")
nn.ModuleList([nn.ReLU()])[4]
torch.optim.SGD([x], lr=0.1).add_param_group(3)
torch.optim.SGD([{"params": {x}}], lr=0.1)
torch.optim.SGD([x], lr=0.1).load_state_dict({"param_groups": [], "state": {}})
torch.optim.SGD([x], lr=0.1).load_state_dict({"param_groups": [{"params": [0, 1]}], "state": {}})
f"{torch.tensor(2.5):d}"
torch.optim.foo
""".strip().splitlines()
OTHER_WORDS = """
torch.tensor()
torch.exp()
torch.linspace(0, 1)
torch.where(x > 1, x)
torch.clamp(x, "a")
x.sum(dim="a")
torch.linspace(0, 1, 2, dtype="a")
x.movedim((0, 1), 0)
""".strip().splitlines()
"""Calls that fit no signature: torch lists all its signatures, refgrad says what Python says, or what is wrong."""


def refuse(condition):
    """Ask a tensor whether it is true."""
    if condition:
        pass


def mistake(lib, text):
    """The error that `text` raises, by its built-in type and its words, where the library's own name is torch."""
    lib.manual_seed(0)
    x = lib.ones(2, 3, requires_grad=True)
    scope = {"torch": lib, "np": np, "x": x, "F": lib.nn.functional, "nn": lib.nn, "if_": refuse}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            eval(text, scope)
    except Exception as error:
        kind = next(t for t in type(error).__mro__ if t.__module__ == "builtins")
        return kind.__name__, str(error).replace("module 'refgrad", "module 'torch")
    return None


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_answered_in_torch_s_words(text):
    """The same type of error, and the same sentence."""
    expected = mistake(torch, text)
    assert expected is not None
    assert mistake(refgrad, text) == expected


@pytest.mark.parametrize("text", OTHER_WORDS)
def test_a_call_of_no_signature_is_a_type_error(text):
    """TypeError in both libraries."""
    assert mistake(torch, text)[0] == mistake(refgrad, text)[0] == "TypeError"


def test_another_sentence_is_noticed(monkeypatch):
    """A library with other words for a mistake does not pass."""
    monkeypatch.setattr(refgrad.nn.Linear, "forward", lambda self, x: x.missing)
    with pytest.raises(AssertionError):
        test_a_mistake_is_answered_in_torch_s_words("nn.Linear(2, 3)(x)")
