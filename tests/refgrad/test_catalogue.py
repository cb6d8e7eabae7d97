"""Every function of the catalogue against torch: values, gradients, graphs, saved tensors."""

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

from .cases import EVERY, call, operand, tensors  # noqa: E402

torch.set_num_threads(1)
IDS = [f"{text}-{list(shapes.values())}" for _, text, shapes in EVERY]
pytestmark = pytest.mark.filterwarnings("ignore:.*non-leaf:UserWarning")
every = pytest.mark.parametrize(("name", "text", "shapes"), EVERY, ids=IDS)


def weights(shape):
    """A cotangent that is not all ones."""
    return np.asarray(operand("g", tuple(shape)) - 1)


def gradients(lib, text, shapes, order):
    """The value of `text`, and its gradients up to `order`, as arrays."""
    made = tensors(lib, shapes, text)
    leaves = list(made.values())
    out = call(lib, text, made)
    found = [out.detach().numpy()]
    totals = (out.double() * lib.from_numpy(weights(out.shape))).sum()
    for _ in range(order):
        if not totals.requires_grad:
            break
        grads = lib.autograd.grad(totals, leaves, create_graph=True, allow_unused=True)
        found += [None if g is None else g.detach().clone().numpy() for g in grads]
        kept = [g for g in grads if g is not None and g.requires_grad]
        if not kept:
            break
        totals = sum(
            ((g * lib.from_numpy(weights(g.shape))).sum() for g in kept[1:]), (kept[0] * kept[0]).sum()
        )
    return found


@every
def test_values_and_gradients_to_second_order_are_torch_s(name, text, shapes):
    """Values, first and second derivatives agree with torch's to 1e-10."""
    expected, got = gradients(torch, text, shapes, 2), gradients(refgrad, text, shapes, 2)
    for n, (e, r) in enumerate(zip(expected, got, strict=False)):
        zero_either_way = {e is None, r is None} == {True, False}
        if zero_either_way:
            assert not np.any(r if e is None else e), n
        elif e is not None:
            assert r.shape == e.shape
            assert r.dtype == e.dtype
            np.testing.assert_allclose(r, e, rtol=1e-10 if e.dtype == np.float64 else 1e-5, atol=1e-12)


def graph(node):
    """The names of the nodes behind `node`, nested as the graph is."""
    if node is None:
        return None
    return (type(node).__name__, [graph(behind) for behind, _ in node.next_functions])


@every
def test_graphs_are_torch_s(name, text, shapes):
    """Node names and `next_functions` agree with torch's, whichever operands require grad."""
    for needs in [(True, True), (True, False), (False, True)][: 1 if len(shapes) == 1 else 3]:
        nodes = [call(lib, text, tensors(lib, shapes, text, needs=needs)).grad_fn for lib in (torch, refgrad)]
        assert graph(nodes[1]) == graph(nodes[0])


def saved(node, lib):
    """The tensors that a node has saved, by PyTorch's names; None where one was not needed."""
    found = {}
    for attribute in dir(node):
        if attribute.startswith("_saved_"):
            value = getattr(node, attribute)
            if value is None and attribute in (
                "_saved_dim",
                "_saved_correction",
                "_saved_alpha",
                "_saved_beta",
            ):
                continue
            if value is None or isinstance(value, lib.Tensor):
                found[attribute] = None if value is None else value.detach().numpy()
    return found


def walk_both(ours, theirs):
    """Pairs of nodes at the same place of two graphs."""
    yield ours, theirs
    for (mine, _), (its, _) in zip(ours.next_functions, theirs.next_functions, strict=True):
        if mine is not None and mine.next_functions:
            yield from walk_both(mine, its)


@every
def test_saved_tensors_are_torch_s(name, text, shapes):
    """Each node has saved the tensors that torch's node has, and left out those that torch's has left out."""
    for needs in [(True, True), (True, False), (False, True)][: 1 if len(shapes) == 1 else 3]:
        theirs, ours = (
            call(lib, text, tensors(lib, shapes, text, needs=needs)).grad_fn for lib in (torch, refgrad)
        )
        if theirs is None:
            continue
        for mine, its in walk_both(ours, theirs):
            if not its.next_functions:
                continue
            kept, expected = saved(mine, refgrad), saved(its, torch)
            assert set(kept) == set(expected), mine
            for attribute, value in expected.items():
                if value is None:
                    assert kept[attribute] is None, (mine, attribute)
                elif attribute not in ("_saved_LU", "_saved_pivots"):
                    np.testing.assert_allclose(kept[attribute], value, rtol=1e-10, err_msg=attribute)


def test_saved_input_is_the_tensor_and_saved_output_is_not():
    """A saved input is the very same object; a saved output is another that shares its memory."""
    x = refgrad.tensor([1.0, 2.0], requires_grad=True)
    assert x.log().grad_fn._saved_self is x
    y = x.exp()
    assert y.grad_fn._saved_result is not y
    assert np.shares_memory(y.grad_fn._saved_result.detach().numpy(), y.detach().numpy())
    assert y.grad_fn._saved_result.grad_fn is y.grad_fn


KINKS = [
    ("a.relu()", [0.0], [0.0]),
    ("a.max()", [1.0, 0.0, 1.0], [0.5, 0.0, 0.5]),
    ("a.max(0)[0]", [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]),
    ("a.std()", [1.0, 1.0], [0.0, 0.0]),
    ("a.var()", [1.0, 1.0], [0.0, 0.0]),
    ("a.amax()", [1.0, 0.0, 1.0], [0.5, 0.0, 0.5]),
    ("a.amin()", [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]),
    ("a.min()", [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]),
    ("a.min(0)[0]", [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
    ("torch.linalg.vector_norm(a)", [0.0, 0.0], [0.0, 0.0]),
    ("torch.linalg.vector_norm(a, 1)", [0.0, 1.0], [0.0, 1.0]),
    ("torch.linalg.vector_norm(a, float('inf'))", [1.0, -1.0], [0.5, -0.5]),
    ("a.prod()", [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    ("a.prod(0)", [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
    ("torch.linalg.det(a.reshape(2, 2))", [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]),
    ("a ** 0", [0.0], [0.0]),
    ("a ** 0.5", [0.0], [np.inf]),
    ("a.sqrt()", [0.0], [np.inf]),
    ("a.rsqrt()", [0.0], [-np.inf]),
    ("a.abs()", [0.0, -0.0], [0.0, 0.0]),
    ("a.sign()", [0.0, 2.0], [0.0, 0.0]),
    ("a.floor() + a.ceil() + a.trunc()", [1.0, -2.0], [0.0, 0.0]),
    ("a.round()", [0.5, 1.5], [0.0, 0.0]),
    ("a.asin()", [1.0, -1.0], [np.inf, np.inf]),
    ("a.acos()", [1.0], [-np.inf]),
    ("a.acosh()", [1.0], [np.inf]),
    ("a.atanh()", [1.0], [np.inf]),
    ("a.log1p()", [-1.0], [np.inf]),
    ("torch.atan2(a, torch.zeros(3, dtype=torch.float64))", [0.0, -0.0, 1.0], [0.0, 0.0, 0.0]),
    ("torch.atan2(torch.zeros(2, dtype=torch.float64), a)", [0.0, 2.0], [0.0, 0.0]),
    ("torch.maximum(a, torch.ones(4, dtype=torch.float64))", [1.0, 0.0, 2.0, np.nan], [0.5, 0.0, 1.0, 1.0]),
    ("torch.minimum(a, torch.ones(4, dtype=torch.float64))", [1.0, 0.0, 2.0, np.nan], [0.5, 1.0, 0.0, 1.0]),
    ("torch.maximum(a, a)", [1.0], [1.0]),
    ("a.clamp(0, 1)", [0.0, 1.0, 2.0, np.nan], [1.0, 1.0, 0.0, 0.0]),
    ("a.clamp(min=0)", [0.0, -1.0], [1.0, 0.0]),
    ("a.clamp(max=0)", [0.0, 1.0], [1.0, 0.0]),
    ("a.clamp(2, 1)", [1.5], [0.0]),
    ("torch.nn.functional.softplus(a)", [21.0, 800.0, np.inf], [1.0, 1.0, 1.0]),
    ("0.0 ** a", [0.0, 2.0], [0.0, 0.0]),
    ("a.log()", [0.0], [np.inf]),
    ("a.log()", [-1.0], [-1.0]),
    ("a.reciprocal()", [0.0], [-np.inf]),
    ("a.cumprod(0)", [2.0, 0.0, 3.0], [1.0, 8.0, 0.0]),
    ("a.logsumexp(0)", [-np.inf, -np.inf], [np.nan, np.nan]),
    ("a ** torch.tensor([0.0, 1.0, 2.0])", [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
    ("torch.tensor([0.0, 0.0, 0.0, -1.0]) ** a", [0.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, np.nan]),
]


@pytest.mark.parametrize(("text", "at", "gradient"), KINKS, ids=[text for text, _, _ in KINKS])
def test_kinks_and_edges_are_torch_s(text, at, gradient):
    """At kinks, ties and domain ends the gradient is the one that torch gives."""
    for lib in (torch, refgrad):
        a = lib.tensor(at, dtype=lib.float64, requires_grad=True)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            call(lib, text, {"a": a}).sum().backward()
        np.testing.assert_array_equal(a.grad.numpy(), gradient)
