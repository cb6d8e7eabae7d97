"""Random calls against torch: values, graphs, first and second derivatives."""

import itertools
import random
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

INDICES = [
    "0", "-1", "1:", "::2", ":", "None", "torch.tensor([0, 1, 1])", "torch.tensor([[0], [1]])", "[1, 0]", "True",
    "-2:", "0:1", "torch.tensor([True, False])", "torch.tensor(1)", "5:", "torch.tensor([-1, 0])", "...",
]  # fmt: skip
REDUCTIONS = [
    "x.sum({d}, {k})", "x.mean({d}, {k})", "x.std({d}, keepdim={k})", "x.std({d}, correction=0, keepdim={k})",
    "x.logsumexp({d}, {k})", "x.max({i}, {k})[0]", "x.softmax({i})", "x.cumprod({i})", "x.reshape({s})",
    "x.flatten({i})", "x.transpose({i}, {j})", "x.expand(2, -1, -1, -1)", "x.squeeze({i})", "x.squeeze()",
    "x.unsqueeze({i})", "torch.cat([x, x * 2], {i})", "x.transpose({i}, {j}).reshape({s})",
    "x.permute(2, 0, 1).sum({d}, {k})", "torch.where(x > 0, x, x.sum({d}, True))",
]  # fmt: skip
SPECIAL = [0.0, 1.0, -1.0, 2.0, 0.5, np.inf, -np.inf, np.nan, -0.5, 3.0]
ELEMENTWISE = [
    "x * y", "x / y", "x + y", "x - y", "x.exp()", "x.log()", "x.tanh()", "x.sigmoid()", "x.relu()", "x**2", "x**3",
    "x**0.5", "x**-1", "x**0", "x**1", "x.reciprocal()", "x.max()", "x.max(0)[0]", "x.logsumexp(0)", "x.softmax(0)",
    "x.std()", "torch.where(x > y, x, y)", "2 / x", "x.sum()", "x.mean()",
]  # fmt: skip


def graph(node):
    """The names of the nodes behind `node`, nested as the graph is."""
    return node and (type(node).__name__, [graph(behind) for behind, _ in node.next_functions])


def outcome(lib, text, arrays, needs):
    """The value, the graph and the derivatives of `text`, or the type of the error it raises."""
    made = {
        k: lib.from_numpy(v.copy()).requires_grad_(n)
        for (k, v), n in zip(arrays.items(), needs, strict=False)
    }
    try:
        out = eval(text, {"torch": lib, **made})
    except (RuntimeError, IndexError, TypeError) as error:
        return type(error).__name__, None, []
    leaves = [leaf for leaf in made.values() if leaf.requires_grad]
    seed = lib.from_numpy(np.cos(np.arange(out.numel())).reshape(tuple(out.shape)))
    first = lib.autograd.grad(out, leaves, seed, create_graph=True, allow_unused=True)
    squares = [(g * g).sum() for g in first if g is not None and g.requires_grad]
    second = lib.autograd.grad(squares, leaves, allow_unused=True) if squares else ()
    found = [None if g is None else g.detach().numpy() for g in (*first, *second)]
    return out.detach().numpy(), graph(out.grad_fn), found


def agree(text, arrays, needs=(True, True)):
    """Check that both libraries come to the same; a gradient of zeros may be none."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        (theirs, its_graph, its), (ours, our_graph, own) = (
            outcome(lib, text, arrays, needs) for lib in (torch, refgrad)
        )
    label = f"{text} {[v.tolist() for v in arrays.values()]} {needs}"
    assert our_graph == its_graph, label
    if isinstance(theirs, str):
        assert ours == theirs, label
        return
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, err_msg=label)
    for mine, other in itertools.zip_longest(own, its):
        if mine is None or other is None:
            assert not np.any(mine if other is None else other), label
        else:
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-11, err_msg=label)


@pytest.fixture
def draw():
    """A seeded source of choices."""
    return random.Random(0)


def normal(draw, shape):
    """Normal numbers of `shape`."""
    return np.asarray(np.random.default_rng(draw.randrange(2**32)).standard_normal(shape))


def test_matrix_products_of_any_shapes(draw):
    """Vectors, matrices and batches, broadcast, transposed, whichever needs a gradient: torch's composition."""
    for _ in range(150):
        batch = [draw.choice([1, 2, 3]) for _ in range(draw.choice([0, 0, 1, 1, 2]))]
        n, k, m = (draw.choice([1, 2, 3]) for _ in range(3))
        sides, text = [], []
        for letter, core in (("x", draw.choice([[n, k], [k]])), ("y", draw.choice([[k, m], [k]]))):
            turned = len(core) == 2 and draw.random() < 0.3
            lead = (
                [draw.choice([1, size]) for size in batch] if len(core) == 2 and draw.random() < 0.6 else []
            )
            sides.append(normal(draw, lead + (core[::-1] if turned else core)))
            text.append(f"{letter}.mT" if turned else letter)
        needs = draw.choice([(True, True), (True, False), (False, True)])
        agree(" @ ".join(text), dict(zip("xy", sides, strict=True)), needs)


def test_subscripts_of_any_parts(draw):
    """Ints, slices, None, one ellipsis, index arrays and masks, together."""
    for _ in range(300):
        parts = draw.sample(INDICES, draw.choice([1, 1, 2, 2, 3, 4]))
        x = normal(draw, (2, 2, 3)) if draw.random() < 0.8 else normal(draw, (2, 3, 2)).T
        agree(f"x[{', '.join(parts)}]", {"x": x})


def test_reductions_and_shapes_of_any_settings(draw):
    """Dimensions of either sign, several at once, kept or not, on ties and on axes of size 1."""
    for _ in range(400):
        x = normal(draw, draw.choice([(2, 3, 2), (1, 3, 2), (2, 1, 1), (3, 2, 1)]))
        text = draw.choice(REDUCTIONS).format(
            d=draw.choice(["0", "1", "-1", "(0, 1)", "(0, 2)", "(-1, -3)", "(0, 1, 2)"]),
            k=draw.choice([True, False]),
            i=draw.choice([0, 1, 2, -1, -2]),
            j=draw.choice([0, 1, 2, -1]),
            s=draw.choice([str(x.size), "-1", "-1, 2", "2, -1"]),
        )
        agree(text, {"x": np.round(x) if draw.random() < 0.3 else x})


def test_systems_of_any_shapes(draw):
    """Vectors and matrices, batches broadcast, from either side."""
    for _ in range(120):
        n, k = draw.choice([1, 2, 3]), draw.choice([1, 2, 4])
        batch = [draw.choice([1, 2]) for _ in range(draw.choice([0, 1, 2]))]
        left = draw.random() < 0.6
        core = [n, k] if left else [k, n]
        B = draw.choice(
            [[n], batch + core, core, [draw.choice([1, size]) for size in batch] + core, [*batch, n]]
        )
        A = normal(draw, [*batch, n, n]) + 3 * np.eye(n)
        agree(f"torch.linalg.solve(x, y, left={left})", {"x": A, "y": normal(draw, B)})


def test_special_values(draw):
    """Zeros, infinities and nan pass forward and back as in torch."""
    for _ in range(400):
        x, y = (np.array([draw.choice(SPECIAL) for _ in range(3)]) for _ in range(2))
        agree(draw.choice(ELEMENTWISE), {"x": x, "y": y})
