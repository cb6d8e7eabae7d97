"""Random tensors: the numbers that torch draws after the same seed."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

SEEDS = [0, 1, 42, 2**32 - 1, 2**40 + 5]
EXACT = [
    "torch.rand(5)",
    "torch.rand(1000)",
    "torch.rand((2, 3), dtype=torch.float64)",
    "torch.rand(33, dtype=torch.float16)",
    "torch.rand(2000, dtype=torch.bfloat16)",
    "torch.rand_like(torch.ones(3, 2))",
    "torch.randn(())",
    "torch.randn(15)",
    "torch.randn(3, 5, dtype=torch.float64)",
    "torch.randn(16, dtype=torch.float64)",
    "torch.randn(100, dtype=torch.float64)",
    "torch.randn_like(torch.ones(3, dtype=torch.float64))",
    "torch.randint(10, (20,))",
    "torch.randint(-5, 5, (4, 5), dtype=torch.int32)",
    "torch.randint(0, 2**28 - 1, (50,))",
    "torch.randint(0, 2**28, (50,))",
    "torch.randint(-(2**40), 2**40, (50,))",
    "torch.randperm(1)",
    "torch.randperm(100)",
    "torch.nn.Linear(7, 5).weight.detach()",
    "torch.nn.Linear(7, 5).bias.detach()",
    "torch.nn.Linear(7, 50, dtype=torch.float64).weight.detach()",
    "torch.nn.Linear(1, 1).bias.detach()",
]
MIXED = [
    "torch.randn(3)",
    "torch.rand(2)",
    "torch.randn(2)",
    "torch.randint(9, (3,))",
    "torch.randn(1)",
    "torch.randn(20, dtype=torch.float64)",
    "torch.randn(1)",
]
"""Drawn one after the other: a normal number made but not yet used waits for the next call."""


def drawn(lib, seed, texts):
    """What each of `texts` draws after the seed, as arrays; half-width floats in float32."""
    lib.manual_seed(seed)
    tensors = [eval(text, {"torch": lib}) for text in texts]
    return [
        t.float().numpy() if t.dtype.is_floating_point and t.dtype.itemsize == 2 else t.numpy()
        for t in tensors
    ]


@pytest.mark.parametrize("text", EXACT)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_numbers_are_torch_s(seed, text):
    """Bit for bit, whatever the seed."""
    (ours,), (theirs,) = (drawn(lib, seed, [text]) for lib in (refgrad, torch))
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_draws_follow_each_other_as_torch_s(seed):
    """Words are used up alike, and of a pair of normal numbers the second waits alike."""
    for ours, theirs in zip(drawn(refgrad, seed, MIXED), drawn(torch, seed, MIXED), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("count", [16, 17, 40, 1000])
def test_many_normal_numbers_are_torch_s_to_a_few_roundings(count):
    """From 16 on float32 numbers come from vector instructions: each of logarithm, root, cosine and product may round.

    The radius is below 6 and each of the four functions errs by no more than 2 ulps of float32, so by 12 * 4 * 2**-23.
    """
    (ours,), (theirs,) = (drawn(lib, 3, [f"torch.randn({count})"]) for lib in (refgrad, torch))
    assert np.abs(ours - theirs).max() <= 12 * 4 * 2.0**-23
    assert (ours == theirs).mean() > 0.5


def test_generators_are_apart():
    """A generator of one's own is seeded and drawn from by itself."""
    found = []
    for lib in (refgrad, torch):
        own = lib.Generator().manual_seed(9)
        lib.manual_seed(1)
        first = lib.rand(3, generator=own).tolist()
        then = [lib.rand(2), lib.randn(2, generator=own), lib.randperm(5, generator=own)]
        then.append(lib.randint(9, (3,), generator=own))
        found.append((first, [t.tolist() for t in then], own.initial_seed()))
        assert own.seed() == own.initial_seed() != 9
        assert lib.seed() == lib.initial_seed()
    assert found[0] == found[1]


def test_what_was_not_seeded_differs():
    """Without a seed two processes, and so two fresh seeds, give other numbers."""
    refgrad.seed()
    first = refgrad.rand(4).tolist()
    refgrad.seed()
    assert refgrad.rand(4).tolist() != first


EVENLY = [(0, 1, 3), (0, 6.283185307179586, 25), (-1, 1, 7), (-3.14159, 3.14159, 2000), (0.1, 0.7, 100), (5, -5, 33),
          (0, 1, 1), (2, 2, 4), (0, 1, 0), (1e-3, 1e3, 1001)]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ends", EVENLY, ids=str)
def test_linspace_is_torch_s(ends, dtype):
    """Counted from the nearer end with one rounding each: torch's numbers, bit for bit."""
    ours, theirs = (lib.linspace(*ends, dtype=getattr(lib, dtype)).numpy() for lib in (refgrad, torch))
    np.testing.assert_array_equal(ours, theirs)
