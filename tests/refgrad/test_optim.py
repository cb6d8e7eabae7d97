"""Optimisers against torch's in float64: every setting, many steps, to the last digits."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

STEPS = 20
ROUNDINGS = 32
"""No step of an optimiser does more elementary operations on an element, its gradient included."""
SETTINGS = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.01, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.7), "eps": 1e-2}),
    (
        "Adam",
        {"lr": 0.1, "betas": (0.0, 0.0), "eps": 1.0, "weight_decay": 0.3},
    ),  # a small eps would magnify roundings
    ("Adam", {"lr": 0.01, "maximize": True}),
]


def walked(lib, name, settings, wrong=1.0):
    """Where each step leads, from the same start, downhill on a bowl that is wider one way than the other."""
    p = lib.tensor([1.5, -2.0, 0.25], dtype=lib.float64, requires_grad=True)
    wide = lib.tensor([1.0, 0.5, 2.0], dtype=lib.float64)
    optimizer = getattr(lib.optim, name)([p], **settings)
    places = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        (wide * p * p * wrong).sum().backward()
        optimizer.step()
        places.append(p.detach().numpy().copy())
    return np.array(places)


def far(name, settings, wrong=1.0):
    """How far the two libraries' ways are apart, and how far rounding alone may bring them."""
    theirs = walked(torch, name, settings)
    ours = walked(refgrad, name, settings, wrong)
    allowed = STEPS * ROUNDINGS * 2.0**-53 * np.abs(theirs).max()
    return np.abs(ours - theirs).max(), allowed


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_every_step_is_torch_s(name, settings):
    """No further apart than the roundings of all the steps."""
    apart, allowed = far(name, settings)
    assert apart <= allowed


@pytest.mark.parametrize(("name", "settings"), SETTINGS[:1] + SETTINGS[7:8], ids=str)
def test_a_gradient_a_billionth_off_is_noticed(name, settings):
    """A wrong slope leads elsewhere, by more than rounding does."""
    apart, allowed = far(name, settings, wrong=1 + 1e-9)
    assert apart > allowed
