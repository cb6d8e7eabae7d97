"""Kinks, ties, edges and chance, beside PyTorch: what the table of calls in `cases` does not meet."""

import warnings
from math import inf, nan

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402
from oracles.clauses.clause import clauses  # noqa: E402
from oracles.clauses.holding import hold  # noqa: E402

from .cases import call  # noqa: E402

POINTS = [
    ("torch.nn.functional.relu6(a)", [0.0, 6.0, nan, -inf]),
    ("torch.nn.functional.hardtanh(a)", [-1.0, 1.0, nan, inf]),
    ("torch.nn.functional.hardswish(a)", [-3.0, 3.0, nan, inf, -inf]),
    ("torch.nn.functional.softshrink(a)", [0.5, -0.5, nan, -inf]),
    ("torch.nn.functional.hardshrink(a)", [0.5, -0.5, nan, -inf]),
    ("torch.nn.functional.threshold(a, 0.5, 2.0)", [0.5, nan, -inf]),
    ("torch.nn.functional.prelu(a, a[1])", [0.0, 0.25, -2.0]),
    ("torch.fmax(a, torch.tensor([1.0, nan, nan, 2.0]))", [1.0, 1.0, nan, nan]),
    ("torch.fmin(a, torch.tensor([1.0, nan, nan, 2.0]))", [1.0, 1.0, nan, nan]),
    ("torch.fmin(torch.tensor([1.0, nan, 2.0]), a)", [1.0, 1.0, nan]),
    ("a.median()", [1.0, 1.0, 2.0, 0.0]),
    ("a.median()", [nan, 1.0, nan]),
    ("a.nanmedian()", [nan, nan]),
    ("a.median(0)[0]", [1.0, 1.0, 1.0]),
    ("a.median(0)[0]", [3.0, nan, 2.0, nan]),
    ("a.nanmedian(0)[0]", [3.0, nan, 2.0, nan]),
    ("a.nanmedian(0)[0]", [nan, nan]),
    ("a.sort()[0] * weights", [nan, 1.0, 1.0, nan]),
    ("a.sort(descending=True, stable=True)[0] * weights", [nan, 3.0, nan, 1.0, 1.0]),
    ("a.topk(2)[0] * weights[:2]", [nan, 3.0, nan, 1.0, 2.0]),
    ("a.kthvalue(4)[0]", [nan, 3.0, nan, 1.0, 2.0]),
    ("a.mode(0)[0]", [2.0, 3.0, 2.0, 1.0, 3.0, 2.0, 3.0]),
    ("a.mode(0)[0]", [nan, nan, 2.0, 1.0]),
    ("a.cummax(0)[0] * weights", [2.0, nan, 2.0, nan, 3.0]),
    ("a.cummin(0)[0] * weights", [2.0, 2.0, 1.0, 1.0, nan, 0.0]),
    ("a.aminmax().max", [1.0, 0.0, 1.0]),
    ("a.aminmax(dim=0).min", [nan, 0.0, 1.0]),
    ("a.quantile(0.5)", [2.0, 1.0, nan]),
    ("torch.xlogy(a, torch.tensor([0.0, 1.0, -1.0, nan]))", [0.0, 0.0, 0.0, 0.0]),
    ("torch.xlogy(torch.tensor([0.0, 0.0, 1.0]), a)", [0.0, nan, 0.0]),
    ("a.xlogy(0.0) + a.xlogy(-1.0)", [0.0]),
    ("torch.special.entr(a)", [0.0, -1.0, inf, nan]),
    ("a.logit()", [0.0, 1.0, -1.0, 2.0, nan]),
    ("a.logit(0.2)", [0.0, 0.2, 0.8, 1.0, 2.0, nan]),
    ("a.logit(-1.0)", [0.0, 1.0, -1.0, 2.0, nan]),
    ("a.sinc()", [0.0, nan, inf, 1.0]),
    ("a.frac()", [1.0, -1.5, inf]),
    ("torch.fmod(a, torch.tensor([1.0, 0.0, 2.0, inf]))", [1.0, 1.0, inf, 1.0]),
    ("torch.fmod(torch.tensor([1.0, -3.0, 1.0]), a)", [1.0, 2.0, inf]),
    ("torch.remainder(torch.tensor([1.0, -3.0, 1.0, -1.0]), a)", [1.0, 2.0, inf, inf]),
    ("torch.copysign(a, torch.tensor([1.0, -1.0, 1.0, -0.0]))", [0.0, -0.0, -2.0, 3.0]),
    ("torch.nextafter(a, torch.tensor([1.0, 1.0, 1.0, 1.0]))", [0.0, 1.0, nan, 2.0]),
    ("torch.ldexp(torch.tensor([0.0, 1.0]), a)", [1.0, 2000.0]),
    ("a.nan_to_num()", [nan, inf, -inf, 1.0]),
    ("inf * a.nan_to_num()", [nan, 1.0]),
    ("torch.nn.functional.smooth_l1_loss(a, 0 * a.detach(), reduction='none')", [1.0, -1.0, 0.5, 0.0]),
    ("torch.nn.functional.huber_loss(a, 0 * a.detach(), reduction='sum', delta=2.0)", [2.0, -2.0, 0.0, 3.0]),
    ("torch.nn.functional.hinge_embedding_loss(a, torch.tensor([-1, 1, 1]))", [1.0, 1.0, -1.0]),
    ("torch.nn.functional.margin_ranking_loss(a, a.detach(), torch.tensor([1, -1]))", [0.0, 1.0]),
    ("torch.nn.functional.max_pool1d(a[None], 2)", [1.0, 1.0, nan, 2.0, -inf, -inf]),
    ("torch.pdist(a.view(3, 2))", [0.0, 1.0, 0.0, 1.0, 2.0, 5.0]),
    *((f"torch.pdist(a.view(3, 2), {p})", [1.0, 2.0, 1.0, 4.0, 6.0, 9.0]) for p in (0, 0.5, 1, 1.5, 3, inf)),
    *(
        (f"torch.cdist(a.view(2, 2), torch.tensor([[0.0, 1.0], [2.0, 5.0], [3.0, 8.0]]).double(), {p})", at)
        for p in (0, 0.5, 1, 1.5, 2, 3, inf)
        for at in ([0.0, 1.0, 2.0, 3.0], [2.0, 5.0, 1.0, 7.0])
    ),
    ("torch.cdist(a.view(2, 1, 2), a.view(2, 2))",
     [1.0, 2.0, 4.0, 7.0]),
    ("torch.cosine_similarity(a, torch.tensor([1.0, 0.0]).double(), dim=0, eps=0.5)", [0.0, 0.0]),
    ("a.scatter_reduce(0, torch.tensor([0, 0]), torch.tensor([4.0, 1.0]).double(), 'amax', include_self=False)", [4.0]),
    ("a[:1].scatter_reduce(0, torch.tensor([0, 0, 0]), a[1:], 'amin')", [1.0, 1.0, nan, 1.0]),
    ("torch.bernoulli(a)", [0.0, 1.0]),
    ("torch.poisson(a)", [0.0, 0.0]),
    ("a.clone().uniform_(3.0, 3.0)", [1.0]),
]  # fmt: skip


def slopes(lib, text, at, dtype):
    """The value of `text` and its gradient at a point."""
    a = lib.tensor(at, dtype=dtype, requires_grad=True)
    weights = lib.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], dtype=dtype)[: len(at)]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        made = {"a": a, "weights": weights, "nan": nan, "inf": inf}
        out = call(lib, text, made)
        out.sum().backward()
    return out.detach().numpy(), a.grad.numpy()


@pytest.mark.parametrize(("text", "at"), POINTS, ids=[f"{text}-{at}" for text, at in POINTS])
def test_values_and_gradients_at_kinks_and_edges_are_torch_s(text, at):
    """At a kink, a tie, an end of a domain and nan the value and the gradient are PyTorch's."""
    for expected, got in zip(
        slopes(torch, text, at, torch.float64), slopes(refgrad, text, at, refgrad.float64), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


def test_hardsigmoid_has_the_slope_of_its_middle():
    """PyTorch rounds 1/6 to float32 at every dtype, and has no second order; 1 at the ends and 0 beyond are its."""
    text, at = "torch.nn.functional.hardsigmoid(a)", [-3.0, 3.0, nan, 0.5, 7.0]
    theirs, ours = slopes(torch, text, at, torch.float64), slopes(refgrad, text, at, refgrad.float64)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_allclose(ours[1], theirs[1], rtol=2.0**-24)
    np.testing.assert_array_equal(ours[1], [0, 0, 0, 1 / 6, 0])


@pytest.mark.parametrize("number", range(18, 44))
def test_clauses_on_kinks_hold(number):
    """The engine holds every clause on what PyTorch chooses where there is no derivative."""
    held = hold(clauses()[f"ND-{number}"], refgrad)
    assert held.outcome == "holds", (held.expected, held.got, held.reason)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("torch.nn.functional.relu6(a)", "int64"),
        ("torch.nn.functional.hardtanh(a)", "int64"),
        ("torch.nn.functional.threshold(a, 1, 5)", "int64"),
        ("torch.fmod(a, 2)", "int64"),
        ("torch.remainder(a, -2)", "int64"),
        ("torch.fmod(a, 2.5)", "int64"),
        ("torch.ldexp(a, a)", "int64"),
        ("torch.xlogy(a, a)", "int64"),
        ("torch.logit(a)", "int64"),
        ("a.median()", "int64"),
        ("a.sort(descending=True)[0]", "int64"),
        ("a.cummax(0)[1]", "int64"),
        ("a.kthvalue(2)[1]", "int64"),
        ("torch.nan_to_num(a / 0)", "float16"),
        ("torch.nan_to_num(a / 0)", "bfloat16"),
        ("torch.frac(a * 1.25)", "float16"),
        ("torch.nn.functional.hardswish(a)", "bfloat16"),
        ("a.scatter_reduce(0, torch.tensor([0, 0, 0]), a, 'mean')", "int64"),
        ("a.scatter_reduce(0, torch.tensor([0, 0, 1]), a, 'amax', include_self=False)", "int64"),
    ],
)
def test_other_dtypes_are_torch_s(text, kind):
    """Integers and half-width floats give PyTorch's values and dtypes."""
    with np.errstate(all="ignore"):
        theirs, ours = (
            call(lib, text, {"a": lib.tensor([3, 1, 2], dtype=getattr(lib, kind))})
            for lib in (torch, refgrad)
        )
    assert str(ours.dtype) == str(theirs.dtype)
    np.testing.assert_allclose(ours.double().numpy(), theirs.double().numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "torch.nn.functional.hardtanh(a, 2.0, 1.0)",
        "torch.nn.functional.hardsigmoid(a.long())",
        "torch.nn.functional.softshrink(a, -1.0)",
        "torch.threshold(a > 1, 1, 2)",
        "torch.nn.functional.prelu(a, a[:2])",
        "torch.nn.functional.prelu(a.long(), a)",
        "torch.nn.functional.prelu(a, torch.ones(1, 1))",
        "torch.fmax(a, 1.0)",
        "(a > 1).median()",
        "a[:0].median(0)",
        "a.topk(5)",
        "a.kthvalue(5)",
        "a.mode(3)",
        "a.quantile(1.5)",
        "a.long().quantile(0.5)",
        "a.quantile(a.double())",
        "a.quantile(torch.ones(2, 2))",
        "a[:0].quantile(0.5)",
        "a.quantile(0.5, interpolation='x')",
        "torch.pdist(a)",
        "torch.cdist(a, a)",
        "torch.cdist(torch.ones(2, 2), torch.ones(2, 3))",
        "torch.cdist(torch.ones(2, 2), torch.ones(2, 2), -1.0)",
        "torch.cosine_similarity(a.long(), a.long(), dim=0)",
        "torch.frac(a.long())",
        "torch.fmod(a.long(), 0)",
        "torch.remainder(a > 1, a > 1)",
        "torch.heaviside(a, a.double())",
        "torch.nextafter(a, 1.0)",
        "torch.ldexp(a, 2)",
        "torch.nn.functional.smooth_l1_loss(a, a, beta=-1.0)",
        "torch.nn.functional.huber_loss(a, a, delta=0.0)",
        "torch.nn.functional.margin_ranking_loss(a, a, a[None])",
        "torch.nn.functional.max_pool1d(a, 2)",
        "torch.nn.functional.max_pool1d(a[None], 4)",
        "torch.nn.functional.max_pool1d(a[None], 2, padding=2)",
        "torch.nn.functional.max_pool1d(a[None], 2, stride=0)",
        "torch.nn.functional.max_pool1d(a.long()[None], 2)",
        "torch.bernoulli(a.long())",
        "torch.normal(a, -1.0)",
        "torch.poisson(-a)",
        "torch.multinomial(a, 5)",
        "torch.multinomial(-a, 1)",
        "torch.multinomial(a * 0, 1)",
        "a.clone().uniform_(2.0, 1.0)",
        "a.scatter_reduce(0, torch.tensor([0]), a, 'foo')",
        "a.scatter_reduce(0, torch.tensor([3]), a, 'amax')",
        "a[:0].aminmax()",
        "torch.flip(a, 0)",
        "a.flip()",
        "a.flip(0, 0)",
    ],
)
def test_what_torch_refuses_is_refused_in_its_words(text):
    """A call that PyTorch refuses raises the same error, with the same first sentence."""
    said = []
    for lib in (torch, refgrad):
        with pytest.raises((RuntimeError, TypeError, ValueError, IndexError, NotImplementedError)) as caught:
            call(lib, text, {"a": lib.tensor([1.0, 2.0, 3.0])})
        said.append((caught.type, str(caught.value).split("  (Could")[0].split("\n")[0]))
    assert said[1] == said[0]


def test_results_print_as_torch_s():
    """What has names prints them."""
    for text in ("a.sort()", "a.aminmax()", "a.topk(1)", "a.mode()", "a.median(0)"):
        theirs, ours = (repr(call(lib, text, {"a": lib.tensor([2.0, 1.0])})) for lib in (torch, refgrad))
        assert ours == theirs


def test_flip_as_a_method_takes_numbers_one_by_one():
    """x.flip(0, 1) is x.flip((0, 1))."""
    for lib in (torch, refgrad):
        x = lib.tensor([[1.0, 2.0], [3.0, 4.0]])
        assert x.flip(0, 1).tolist() == x.flip((0, 1)).tolist() == x.flip(dims=[0, 1]).tolist()


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_uniform_draws_torch_s_numbers(kind):
    """After the same seed `uniform_` writes the same bits, and so does `normal` with few elements."""
    drawn = []
    for lib in (torch, refgrad):
        lib.manual_seed(7)
        x = lib.zeros(5, dtype=getattr(lib, kind)).uniform_(-2.0, 3.0)
        drawn.append((x.numpy().tobytes(), lib.normal(lib.ones(5, dtype=getattr(lib, kind)), 2.0).numpy()))
    assert drawn[0][0] == drawn[1][0]
    np.testing.assert_allclose(drawn[1][1], drawn[0][1], rtol=1e-6)


def test_draws_have_their_distributions():
    """Means of many draws lie within five standard errors of what they should be; the seed decides the draws."""
    size = 4000

    def draw():
        refgrad.manual_seed(11)
        rates = refgrad.full((size,), 3.0)
        return (
            refgrad.bernoulli(refgrad.full((size,), 0.25)).numpy(),
            refgrad.poisson(rates).numpy(),
            refgrad.multinomial(refgrad.tensor([1.0, 0.0, 3.0]), size, replacement=True).numpy(),
            refgrad.multinomial(refgrad.tensor([[1.0, 0.0, 3.0]] * size), 1).numpy(),
        )

    first, again = draw(), draw()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for drawn, mean, spread in zip(
        first, (0.25, 3.0, 1.5, 1.5), (0.1875**0.5, 3**0.5, 0.75**0.5, 0.75**0.5), strict=True
    ):
        assert abs(drawn.mean() - mean) < 5 * spread / size**0.5
    assert not (first[2] == 1).any()
    assert not (first[3] == 1).any()


def test_product_of_scattered_elements_is_not_offered():
    """reduce="prod" says that it is missing, rather than being half right."""
    x = refgrad.ones(2)
    with pytest.raises(NotImplementedError, match="prod"):
        x.scatter_reduce(0, refgrad.tensor([0, 1]), x, "prod")


@pytest.mark.parametrize("text", ["a.clone().uniform_()", "torch.heaviside(a, a)", "torch.pdist(a[:, None])"])
def test_nodes_have_torch_s_names(text):
    """Nodes of calls that the table of calls cannot hold: what is written at random, and what has no second order."""
    names = []
    for lib in (torch, refgrad):
        node = call(lib, text, {"a": lib.tensor([1.0, 2.0], requires_grad=True)}).grad_fn
        names.append((type(node).__name__, [type(behind).__name__ for behind, _ in node.next_functions]))
    assert names[0] == names[1]
