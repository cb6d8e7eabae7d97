"""The same code, run on refgrad and on torch: what it yields, what it warns of, and what it raises in the end."""

import itertools
import re
import warnings

import numpy as np
import pytest

import refgrad


def attempt(action):
    """What `action` returns, or the error that it raises."""
    try:
        return action()
    except Exception as error:
        return error


def seen(scenario, library):
    """Everything that `scenario(library)`, a generator, lets one see."""
    noted = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            noted += [plain(each) for each in scenario(library)]
        except Exception as error:
            noted.append(plain(error))
    told = [
        f"{w.category.__name__}: {cleaned(str(w.message))}"
        for w in warned
        if "jit.script" not in str(w.message)
    ]
    return [*noted, *told]


def plain(value):
    """`value` without what may differ: tensors as their dtype, shape, values, and whether they require grad."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {cleaned(str(value))}"
    if hasattr(value, "requires_grad_"):
        return f"{value.dtype} {list(value.shape)} {value.detach().tolist()} {value.requires_grad}"
    if isinstance(value, tuple | list):
        return [type(value).__name__, *map(plain, value)]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, type):
        return value.__name__
    return value if isinstance(value, bool | int | float | np.generic | None) else cleaned(str(value))


def cleaned(text):
    """A message without addresses, the library's name, and where in C++ it comes from."""
    text = re.sub(r" at 0x[0-9a-f]+| \(Triggered internally at .*\)", "", text)
    return re.sub(r"\brefgrad\.(?:autograd\.)?(?:function|gradcheck)\b", "torch.autograd.function", text)


def check(scenario):
    """Assert that refgrad lets one see what torch does, and that there is something to see."""
    torch = pytest.importorskip("torch")
    expected, found = seen(scenario, torch), seen(scenario, refgrad)
    assert expected
    for position, (theirs, ours) in enumerate(itertools.zip_longest(expected, found)):
        assert ours == theirs, f"{position}: torch shows {theirs}, refgrad {ours}"


def scenarios():
    """A decorator that collects scenarios, and the test that runs each of them on both libraries."""
    collected = []

    def scenario(made):
        """Run `made` on both libraries."""
        collected.append(made)
        return made

    @pytest.mark.parametrize("each", collected, ids=lambda each: each.__name__)
    def test_the_same_on_torch(each):
        """What is returned, warned of and raised."""
        check(each)

    return scenario, test_the_same_on_torch


def function(torch, forward, backward=lambda ctx, g: g, **more):
    """A custom Function of these methods, and of settings in `more`."""
    methods = {"forward": forward, "backward": backward, **more}
    bound = {name: staticmethod(m) if callable(m) else m for name, m in methods.items() if m is not None}
    return type("Mine", (torch.autograd.Function,), bound)


def leaf(torch, *values):
    """A float64 leaf that requires grad."""
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True)
