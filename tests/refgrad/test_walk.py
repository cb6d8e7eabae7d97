"""The backward walk: accumulation, freeing, order, length, memory."""

import gc
import warnings
import weakref

import numpy as np
import pytest

import refgrad as torch
from refgrad.op import REGISTRY, replaced


def leaf(values, dtype=torch.float64):
    """A leaf that requires grad."""
    return torch.tensor(values, dtype=dtype, requires_grad=True)


def test_gradients_add_up_in_place():
    """AC-1, AC-3: a second backward adds to the same `.grad` object."""
    x = leaf([1.0, 2.0])
    assert x.grad is None
    (x * x).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first
    assert first.tolist() == [4.0, 8.0]
    assert not first.requires_grad


def test_with_create_graph_the_gradient_is_replaced():
    """AC-4: `.grad` becomes a new tensor, old plus new, and the old one stays as it was."""
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    first = x.grad
    with pytest.warns(UserWarning, match="reference cycle"):
        (x * x).sum().backward(create_graph=True)
    assert x.grad is not first
    assert first.tolist() == [2.0, 4.0]
    assert x.grad.tolist() == [4.0, 8.0]
    assert x.grad.requires_grad


def test_leaves_do_not_share_their_gradients():
    """Two leaves of one sum, and the caller's cotangent, each keep their own memory."""
    x, y, g = leaf([1.0, 2.0]), leaf([1.0, 2.0]), torch.ones(2, dtype=torch.float64)
    (x + y).backward(g)
    (x + 0).backward(g)
    assert (x.grad.tolist(), y.grad.tolist(), g.tolist()) == ([2.0, 2.0], [1.0, 1.0], [1.0, 1.0])


def test_a_gradient_has_the_layout_of_its_leaf():
    """AC-1, AC-2: the leaf's strides where it is dense, else row by row."""
    x = torch.from_numpy(np.ones((2, 3)).T).requires_grad_()
    (x * 2).sum().backward()
    assert x.grad.stride() == x.stride()
    y = torch.from_numpy(np.ones((4, 6))[:, ::2]).requires_grad_()
    (y * 2).sum().backward()
    assert y.grad.is_contiguous()


def test_retain_graph_keeps_what_was_saved():
    """A second pass needs it where a tensor was saved, and only there."""
    x = leaf([1.0, 2.0])
    y = x.exp().sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()
    with pytest.raises(RuntimeError, match="already been freed"):
        y.grad_fn.next_functions[0][0]._saved_result  # noqa: B018
    z = (x + 1).sum()
    z.backward()
    z.backward()


def test_inputs_restrict_where_gradients_go():
    """Only the tensors named get one, leaves or not."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = x * w
    (y * y).sum().backward(inputs=[x, y])
    assert x.grad.tolist() == [18.0, 64.0]
    assert y.grad.tolist() == [6.0, 16.0]
    assert w.grad is None


def test_a_tensor_that_is_no_leaf_may_retain_its_gradient():
    """Reading `.grad` warns and gives None, unless it was asked to keep it."""
    x = leaf([1.0, 2.0])
    y = x * x
    with pytest.warns(UserWarning, match="not a leaf"):
        assert y.grad is None
    y.retain_grad()
    (y * 3).sum().backward()
    assert y.grad.tolist() == [3.0, 3.0]
    assert x.grad.tolist() == [6.0, 12.0]


def test_grad_leaves_no_trace():
    """`autograd.grad` returns gradients, by position or by key, and changes no `.grad`."""
    x, unused = leaf([1.0, 2.0]), leaf([1.0])
    y = (x * x).sum()
    assert torch.autograd.grad(y, {"x": x}, retain_graph=True)["x"].tolist() == [2.0, 4.0]
    _, nothing = torch.autograd.grad(y, [x, unused], retain_graph=True, allow_unused=True)
    assert nothing is None
    _, zeros = torch.autograd.grad(y, [x, unused], materialize_grads=True)
    assert zeros.tolist() == [0.0]
    assert x.grad is None


def test_several_roots_add():
    """Contributions of several roots, or of one named twice, add."""
    x = leaf([1.0, 2.0])
    y = x.sum()
    torch.autograd.backward([y, y, (x * x).sum()], retain_graph=True)
    assert x.grad.tolist() == [4.0, 6.0]
    (g,) = torch.autograd.grad([x, x], x, [torch.ones(2).double(), torch.ones(2).double()])
    assert g.tolist() == [2.0, 2.0]


def test_only_nodes_on_the_way_run():
    """A gradient that stops half way does not touch, or free, what lies beyond."""
    x = leaf([1.0, 2.0])
    y = x.exp()
    z = y.exp().sum()
    torch.autograd.grad(z, y)
    y.sum().backward()
    assert x.grad is not None


def test_the_graph_has_no_cycles():
    """Without the collector, a graph goes with the last tensor that refers to it, run or not."""
    gc.collect()
    gc.disable()
    try:
        for run in (False, True):
            x = leaf([1.0, 2.0])
            y = (x.exp() * x.std() + x.max(0).values).softmax(0).sum()
            ends = [weakref.ref(x), weakref.ref(y)]
            if run:
                y.backward()
            del x, y
            assert [end() for end in ends] == [None, None]
    finally:
        gc.enable()


def test_a_chain_of_a_million_ops():
    """Forward, backward and deallocation do not recurse."""
    x = leaf(1.0)
    y = x
    gc.disable()  # it would look through the growing chain again and again
    try:
        for _ in range(1_000_000):
            y = -y
        y.backward()
        assert x.grad.item() == 1.0
        del y
    finally:
        gc.enable()


def test_a_gradient_has_its_operand_s_shape_and_dtype():
    """Broadcast and mixed operands get sums, cast; results without dimensions stay arrays."""
    x, y = leaf([[1.0], [2.0]], torch.float32), leaf(3.0)
    z = leaf([1.0, 2.0, 3.0])
    (x * y * z).sum().backward()
    assert (x.grad.shape, x.grad.dtype) == ((2, 1), torch.float32)
    assert (y.grad.shape, y.grad.dtype) == ((), torch.float64)
    assert z.grad.tolist() == [9.0, 9.0, 9.0]


def test_non_finite_gradients_are_silent():
    """The walk divides by zero without a warning, as PyTorch does."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = leaf([0.0])
        (x**0.5).sum().backward()
    assert x.grad.item() == np.inf


def test_freezing_a_leaf_keeps_its_gradient():
    """RG-14: `requires_grad_(False)` leaves `.grad` alone, and ops are then not recorded."""
    x = leaf([1.0])
    (x * 2).sum().backward()
    x.requires_grad_(False)
    assert x.grad.tolist() == [2.0]
    assert (x * 2).grad_fn is None


def programs(x, w, b):
    """Graphs that the short way takes whole, or in part, or not at all."""
    yield (x * w + b).sin().tanh().sum()
    yield ((x * x) * (x * 2.0) - w / x).sum() + (x * w).sum()
    yield (x * b[0] + x.exp()).max(0)[0]
    yield torch.cat([x * w, (b * x).split(2)[0].tanh()]).logsumexp(0)
    yield (w.sum() * w.sum() + x[0] * w.mean()).sqrt()


def gradients(function, leaves):
    """What `backward` leaves behind."""
    for each in leaves:
        each.grad = None
    function().backward()
    return [None if each.grad is None else each.grad.numpy().tobytes() for each in leaves]


@pytest.mark.parametrize("nr", range(5))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_short_way_goes_where_the_long_one_goes(nr, dtype, monkeypatch):
    """The same gradients, bit for bit."""
    leaves = [leaf(v, dtype) for v in ([0.1, 0.7, 1.3], [0.3, -0.9, 2.1], [1.7, 0.2, -0.4])]
    short = gradients(lambda: list(programs(*leaves))[nr], leaves)
    monkeypatch.setattr("refgrad.walk.take_lane", lambda *_, **__: None)
    assert gradients(lambda: list(programs(*leaves))[nr], leaves) == short


def test_a_formula_that_raises_leaves_behind_what_was_done_before():
    """As in PyTorch: leaves that had all of their gradient have it, the others have none."""
    early, late = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    middle = late.exp()
    root = (early * middle).sum()

    def raises(g, y):
        raise ZeroDivisionError("a formula")

    with replaced(REGISTRY["exp"], "x", raises):
        again = (early * late.exp()).sum()
        with pytest.raises(ZeroDivisionError, match="a formula"):
            again.backward()
    assert early.grad is not None
    assert late.grad is None
    root.backward()
    assert late.grad is not None


def test_a_gradient_is_handed_over_only_where_nothing_else_holds_it():
    """The seed, and an array that two leaves would share, are copied."""
    seed, x, y = torch.ones(3, dtype=torch.float64), leaf([1.0, 2.0, 3.0]), leaf([4.0, 5.0, 6.0])
    x.backward(seed)
    (x + y).backward(seed)
    x.grad.numpy()[:] = 7.0
    assert seed.tolist() == [1.0, 1.0, 1.0]
    assert y.grad.tolist() == [1.0, 1.0, 1.0]
