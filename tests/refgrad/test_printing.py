"""What a tensor prints, against torch on identical values."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

SHAPES = [
    (),
    (0,),
    (0, 3),
    (2, 0),
    (1,),
    (5,),
    (40,),
    (7, 30),
    (2, 3, 4),
    (2, 1, 2, 2),
    (1001,),
    (40, 50),
    (9, 8, 20),
]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
WHOLE = ["bool", "uint8", "int8", "int16", "int32", "int64"]


def values(rng, shape):
    """Numbers of one of several characters: whole, small, large, mixed, with zeros and non-finite ones."""
    exponent = rng.choice([0, 0, 1, 3, 5, 9, -3, -5])
    made = np.asarray(rng.standard_normal(shape) * 10.0**exponent)
    if rng.random() < 0.4:
        made = np.round(made)
    if rng.random() < 0.3:
        made = made * 10.0 ** rng.integers(-4, 4, shape)
    for special in (0.0, np.nan, np.inf, -np.inf):
        if rng.random() < 0.2:
            made = np.where(rng.random(shape) < 0.3, special, made)
    return np.asarray(made)


def same_text(array, name, requires_grad=False):
    """Check that a tensor of these elements, and what is computed from it, print alike."""
    with np.errstate(all="ignore"):
        ours, theirs = (lib.tensor(array).to(getattr(lib, name)) for lib in (refgrad, torch))
        if requires_grad:
            ours.requires_grad_()
            theirs.requires_grad_()
        assert repr(ours) == repr(theirs)
        if requires_grad and array.size:
            assert repr(ours * 1) == repr(theirs * 1)


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_floats_print_as_in_torch(name, shape):
    """Width, digits, exponents, non-finite numbers, line breaks, edges, dtype and graph notes."""
    if name == "bfloat16":
        pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(len(shape) * 100 + sum(shape))
    for n in range(12 if np.prod(shape) < 100 else 4):
        same_text(values(rng, shape), name, requires_grad=n % 2 == 1)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_integers_and_booleans_print_as_in_torch(name, shape):
    """Whole numbers of every width, and booleans."""
    rng = np.random.default_rng(sum(shape))
    for high in (2, 100):
        same_text(rng.integers(0, high, shape), name)


def test_shapes_and_dtypes_print_as_in_torch():
    """`torch.Size([2, 3])` and `torch.float32`, as PyTorch prints them."""
    assert repr(refgrad.ones(2, 3).shape) == repr(torch.ones(2, 3).shape)
    assert [repr(getattr(refgrad, name)) for name in FLOATS + WHOLE] == [
        repr(getattr(torch, name)) for name in FLOATS + WHOLE
    ]
    x = refgrad.tensor([1.0, 3.0])
    assert repr(x.max(0)) == repr(torch.tensor([1.0, 3.0]).max(0))
