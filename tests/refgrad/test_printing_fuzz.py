"""What tensors print, fuzzed: the same bits, the same options and the same place in a graph as in torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")
hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import _tensor_str as torch_printing  # noqa: E402

import refgrad  # noqa: E402
from refgrad import printing  # noqa: E402
from refgrad.dtypes import ALL, to_numpy  # noqa: E402

LIMITS = [0, 1, 2, 3, 6, 7, 13]
SHAPES = st.one_of(
    st.just(()),
    st.tuples(st.integers(0, 60)),
    st.lists(st.sampled_from(LIMITS), min_size=2, max_size=4).map(tuple),
    st.sampled_from([(1000,), (1001,), (3, 400), (40, 50), (9, 8, 20), (2, 11, 1, 60), (1, 1, 1, 2, 2)]),
)
PLACES = {
    "leaf": lambda x: x,
    "leaf that requires grad": lambda x: x.requires_grad_(),
    "product": lambda x: x.requires_grad_() * 1,
    "view": lambda x: x.requires_grad_().reshape(-1).view(x.shape),
    "sum": lambda x: x.requires_grad_().reshape(-1)[:1].sum(),
    "transposed": lambda x: x.transpose(0, -1) if x.ndim else x,
}
"""Where in a graph the tensor stands that is printed; ints and booleans cannot stand behind a leaf."""


def magnitudes(stored):
    """Numbers of a floating dtype: any bits, whole numbers, short decimals of one magnitude, and the edges."""
    size = stored.itemsize * 8
    bits = st.integers(0, 2**size - 1).map(lambda n: np.array(n, f"u{stored.itemsize}").view(stored)[()])
    whole = st.integers(-(10**9), 10**9).map(float) | st.integers(-9, 9).map(float)
    decimal = st.tuples(st.integers(-99999, 99999), st.integers(-9, 3)).map(lambda p: p[0] * 10.0 ** p[1])
    edges = st.sampled_from(
        [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-4, 9.99e-5, 1e8, 1.1e8, 1000.0, 1001.0, 0.5]
    )
    return st.one_of(*[st.lists(kind, min_size=1, max_size=6) for kind in (bits, whole, decimal, edges)],
                     st.lists(bits | whole | decimal | edges, min_size=1, max_size=6))  # fmt: skip


def elements(kind, stored):
    """A few elements of the dtype, of one character or of several."""
    if kind.kind == "b":
        return st.lists(st.booleans(), min_size=1, max_size=4)
    if kind.kind == "f":
        return magnitudes(stored)
    if kind.kind == "c":
        floats = magnitudes(np.zeros((), stored).real.dtype)
        pairs = st.tuples(floats, floats).map(lambda both: list(zip(*both, strict=False)))
        return pairs.map(lambda few: np.array(few, np.zeros((), stored).real.dtype).view(stored)[:, 0])
    limits = np.iinfo(stored)
    return st.lists(st.integers(int(limits.min), int(limits.max)) | st.integers(0, 9), min_size=1, max_size=6)


@st.composite
def arrays(draw):
    """A dtype, and an array of it in which a few elements return in some order."""
    kind = draw(st.sampled_from(ALL))
    stored = to_numpy(kind)
    shape = draw(SHAPES)
    with np.errstate(all="ignore"):
        few = np.array(draw(elements(kind, stored)), dtype=stored)
    count = int(np.prod(shape))
    stride = draw(st.integers(1, 7))
    return kind, few[np.arange(count) * stride % len(few)].reshape(shape)


OPTIONS = st.just({}) | st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 9),
        "threshold": st.sampled_from([0, 1, 5, 20, float("inf")]),
        "edgeitems": st.integers(0, 4),
        "linewidth": st.sampled_from([1, 12, 40, 79, 81, 200]),
        "profile": st.sampled_from(["default", "short", "full", "none such"]),
        "sci_mode": st.sampled_from([None, True, False]),
    },
)


def both(kind, array):
    """The same bits as a tensor of each library."""
    ours = refgrad.as_tensor(array.copy())
    name = str(kind).removeprefix("torch.")
    if name == "bfloat16":
        return ours, torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return ours, torch.from_numpy(array.copy())


@given(made=arrays(), options=OPTIONS, place=st.sampled_from(sorted(PLACES)))
def test_the_same_bits_print_the_same(made, options, place):
    """`repr`, `str` and `format` of any tensor under any options."""
    kind, array = made
    if kind.kind not in "fc" or (place == "view" and not array.size):
        place = "leaf"
    ours, theirs = both(kind, array)
    with np.errstate(all="ignore"):
        ours, theirs = PLACES[place](ours), PLACES[place](theirs)
    with printing.printoptions(**options), torch_printing.printoptions(**options):
        assert printing.get_printoptions() == torch_printing.get_printoptions()
        assert repr(ours) == repr(theirs)
        assert str(ours) == str(theirs)
        assert f"{ours}" == f"{theirs}"


SPECS = ["", ".3f", "8.2f", ">12", "e", "+.1e", "05d", "g", "%", "x"]


def formatted(tensor, spec):
    """What `format` makes of a tensor, or the error it raises."""
    try:
        return format(tensor, spec)
    except (TypeError, ValueError) as error:
        return type(error), str(error)


@given(made=arrays(), spec=st.sampled_from(SPECS))
def test_one_number_is_formatted_the_same(made, spec):
    """A tensor without dimensions takes a number's format; another refuses one, in the same words."""
    kind, array = made
    ours, theirs = both(kind, array.reshape(-1)[:1].reshape(()) if array.size else array)
    assert formatted(ours, spec) == formatted(theirs, spec)


def test_options_stay_until_they_are_set_again():
    """`sci_mode` alone falls back when it is not named, and profiles do not touch it."""
    try:
        for call in ({"precision": 2}, {"edgeitems": 1, "sci_mode": True}, {"profile": "full"}, {"linewidth": 40},
                     {"profile": "short", "precision": 7}, {"profile": "default"}):  # fmt: skip
            refgrad.set_printoptions(**call)
            torch.set_printoptions(**call)
            assert printing.get_printoptions() == torch_printing.get_printoptions()
    finally:
        refgrad.set_printoptions(profile="default")
        torch.set_printoptions(profile="default")


@pytest.mark.parametrize(
    ("attribute", "wrong"),
    [
        ("number", lambda self, value: format(value, self.form)),
        ("number", lambda self, value: str(value) + " "),
    ],
)
def test_another_text_is_noticed(attribute, wrong, monkeypatch):
    """A printer that forgets the point of whole floats, or pads, does not pass."""
    monkeypatch.setattr(printing._Style, attribute, wrong)
    with pytest.raises(AssertionError):
        test_the_same_bits_print_the_same()
