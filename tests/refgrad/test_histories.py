"""Random histories of views, writes in place, modes and backward passes, on PyTorch and on refgrad step by step."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import refgrad
from refgrad.versions import Version

torch = pytest.importorskip("torch")

Step = tuple[Any, ...]

UNARY = {
    "sin": lambda t: t.sin(),
    "exp": lambda t: t.exp(),
    "double": lambda t: t * 2,
    "add": lambda t: t + 1,
    "clone": lambda t: t.clone(),
    "detach": lambda t: t.detach(),
    "square": lambda t: t * t,
}
VIEWS: dict[str, Callable[[Any], Any]] = {
    "t": lambda t: t.t(),
    "first": lambda t: t[0],
    "last": lambda t: t[-1] if t.ndim else t[None],
    "tail": lambda t: t[1:],
    "steps": lambda t: t[::2],
    "flat": lambda t: t.view(-1),
    "reshape": lambda t: t.reshape(-1),
    "new": lambda t: t.unsqueeze(0),
    "squeeze": lambda t: t.squeeze(),
    "same": lambda t: t[...],
    "diagonal": lambda t: t.diagonal() if t.ndim > 1 else t[...],
    "expand": lambda t: t.expand(2, 2),
    "unbind": lambda t: t.unbind(0)[-1],
    "split": lambda t: t.split(1)[0],
    "chunk": lambda t: t.chunk(2)[1],
}
WRITES: dict[str, Callable[[Any], Any]] = {
    "add_": lambda t: t.add_(1),
    "mul_": lambda t: t.mul_(0.5),
    "sin_": lambda t: t.sin_(),
    "exp_": lambda t: t.exp_(),
    "pow_": lambda t: t.pow_(2),
    "zero_": lambda t: t.zero_(),
    "fill_": lambda t: t.fill_(0.25),
    "clamp_": lambda t: t.clamp_(-0.5, 0.5),
    "t_": lambda t: t.t_(),
    "unsqueeze_": lambda t: t.unsqueeze_(0),
    "squeeze_": lambda t: t.squeeze_(),
    "detach_": lambda t: t.detach_(),
    "require": lambda t: t.requires_grad_(),
    "freeze": lambda t: t.requires_grad_(False),
    "retain": lambda t: t.retain_grad(),
    "data": lambda t: t.data.mul_(2),
}
PAIRS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "add_": lambda a, b: a.add_(b),
    "mul_": lambda a, b: a.mul_(b),
    "sub_": lambda a, b: a.sub_(b),
    "div_": lambda a, b: a.div_(b),
    "copy_": lambda a, b: a.copy_(b),
    "fill_": lambda a, b: a.fill_(b.sum()),
}
PLACES: dict[str, Any] = {
    "0": 0,
    "1": 1,
    "all": slice(None),
    "tail": slice(1, None),
    "pair": (0, 1),
    "column": (slice(None), 0),
    "ellipsis": ...,
    "list": [0, 0],
}


def perform(library: Any, pool: list[Any], step: Step) -> Any:
    """Take one step; a tensor that comes of it joins the pool."""
    kind, mode, *rest = step
    with {"grad": library.enable_grad, "no_grad": library.no_grad, "inference": library.inference_mode}[
        mode
    ]():
        if kind in ("unary", "view", "write"):
            name, i = rest
            table = {"unary": UNARY, "view": VIEWS, "write": WRITES}[kind]
            made = table[name](pool[i % len(pool)])
        elif kind == "pair":
            name, i, j = rest
            made = PAIRS[name](pool[i % len(pool)], pool[j % len(pool)])
        elif kind == "put":
            place, i, j = rest
            pool[i % len(pool)][PLACES[place]] = 3.0 if j < 0 else pool[j % len(pool)]
            made = None
        elif kind == "backward":
            i, keep = rest
            pool[i % len(pool)].sum().backward(retain_graph=keep)
            made = None
        else:
            i, j, graph = rest
            root, wanted = pool[i % len(pool)].sum(), pool[j % len(pool)]
            if wanted.retains_grad:
                return None
            (found,) = library.autograd.grad(
                root, wanted, create_graph=graph, retain_graph=True, allow_unused=True
            )
            made = None if found is None else found.clone()  # PyTorch's own may be a view of an inner one
    if made is not None and all(made is not held for held in pool):
        pool.append(made)
    return made


def names(node: Any, depth: int = 3) -> Any:
    """The names of a node and of those behind it."""
    if node is None or not depth:
        return node is None
    return (node.name(), [names(behind, depth - 1) for behind, _ in node.next_functions])


def told(call: Callable[[], Any]) -> Any:
    """What a call returns, or how it fails."""
    try:
        return call()
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        return type(error).__name__, str(error)


def elements(t: Any) -> Any:
    """The elements of a tensor as an array of NumPy's."""
    if t is None:
        return None
    return t.detach().numpy() if isinstance(t, torch.Tensor) else t._array


def observed(pool: list[Any]) -> list[Any]:
    """Everything about the tensors of the pool but their elements."""
    return [
        (
            tuple(t.shape),
            t.requires_grad,
            told(lambda t=t: t.is_leaf),
            told(lambda t=t: names(t.grad_fn)),
            told(lambda t=t: t._version),
            t._is_view(),
            None if t._base is None else [t._base is other for other in pool],
            t.is_inference(),
            t.retains_grad,
            None if t.grad is None else t.grad.requires_grad,
        )
        for t in pool
    ]


def same_elements(theirs: list[Any], ours: list[Any]) -> bool:
    """Whether the elements of all tensors, and of their gradients, are equal up to rounding."""
    for a, b in zip(theirs, ours, strict=True):
        for x, y in ((elements(a), elements(b)), (elements(a.grad), elements(b.grad))):
            if (x is None) != (y is None):
                return False
            if x is not None and not np.allclose(x, y, rtol=1e-9, atol=1e-12, equal_nan=True):
                return False
    return True


def start(library: Any) -> list[Any]:
    """Two leaves, of which one requires grad, and a result."""
    x = library.tensor([[0.5, -0.25], [1.5, 0.75]], dtype=library.float64, requires_grad=True)
    c = library.tensor([[2.0, 0.5], [-1.0, 0.25]], dtype=library.float64)
    return [x, c, x * 2]


def run(history: list[Step]) -> None:
    """Take the steps on both, and compare everything after each."""
    theirs, ours = start(torch), start(refgrad)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for position, step in enumerate(history):
            if undecided(ours, step):
                continue
            expected, got = taken(torch, theirs, step), taken(refgrad, ours, step)
            trail = "\n".join(map(repr, history[: position + 1]))
            assert got == expected or both_refuse(expected, got), (
                f"{trail}\n torch {expected}\n refgrad {got}"
            )
            for i, (a, b) in enumerate(zip(observed(theirs), observed(ours), strict=True)):
                assert b == a, f"{trail}\n tensor {i}\n torch {a}\n refgrad {b}"
            grads = [[t.grad for t in pool] for pool in (theirs, ours)]
            assert same_elements(theirs, ours), f"{trail}\n{theirs}\n{ours}\n{grads}"


def taken(library: Any, pool: list[Any], step: Step) -> Any:
    """What taking a step returned, in words that both libraries share."""

    def call() -> Any:
        made = perform(library, pool, step)
        return None if made is None else tuple(made.shape)

    return told(call)


def both_refuse(expected: Any, got: Any) -> bool:
    """Whether a step that takes an invalid view was refused by both; PyTorch may find another reason first."""
    errors = [answer for answer in (expected, got) if answer and isinstance(answer[0], str)]
    return len(errors) == 2 and any("another view of its base has been" in error[1] for error in errors)


def undecided(pool: list[Any], step: Step) -> bool:
    """Whether the answer to a step is left to the library.

    That is so where it reads, in other places, what it writes, and of the layout of what operands of two layouts make.
    Left out, too, are writes to an alias that was made of an inference tensor outside the mode, which is half of each.
    """
    if step[0] in ("write", "pair", "put"):
        t = pool[step[3] % len(pool)]
        if t.is_inference() and t._state.version is not None:
            return True
    if step[0] not in ("pair", "put"):
        return False
    a, b = pool[step[3] % len(pool)]._array, pool[step[4] % len(pool)]._array
    if step[0] == "put":
        return step[4] >= 0 and bool(np.may_share_memory(a, b))
    if not step[2].endswith("_"):
        return bool(a.flags.c_contiguous != b.flags.c_contiguous or a.shape != b.shape)
    same = (a.__array_interface__["data"], a.strides) == (b.__array_interface__["data"], b.strides)
    return bool(np.may_share_memory(a, b)) and not same


def steps() -> st.SearchStrategy[Step]:
    """One step of a history."""
    mode = st.sampled_from(["grad", "grad", "grad", "grad", "no_grad", "inference"])
    i, j = st.integers(0, 9), st.integers(0, 9)

    def of(table: dict[str, Any]) -> st.SearchStrategy[str]:
        return st.sampled_from(list(table))

    return st.one_of(
        st.tuples(st.just("view"), mode, of(VIEWS), i),
        st.tuples(st.just("write"), mode, of(WRITES), i),
        st.tuples(st.just("pair"), mode, of(PAIRS), i, j),
        st.tuples(st.just("unary"), mode, of(UNARY), i),
        st.tuples(st.just("put"), mode, of(PLACES), i, st.integers(-1, 9)),
        st.tuples(st.just("backward"), st.just("grad"), i, st.booleans()),
        st.tuples(st.just("derive"), st.just("grad"), i, j, st.booleans()),
    )


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps(), min_size=1, max_size=8))
def test_both_live_through_the_same(history: list[Step]) -> None:
    """After each step shapes, flags, nodes, versions, bases, elements and gradients are the same, and so are errors."""
    run(history)


def nothing(*args: Any, **settings: Any) -> None:
    """What a forgetful engine does."""


FORGOTTEN = {
    "views are left as they were": (
        "refgrad.inplace.written",
        [("view", "grad", "t", 2), ("write", "grad", "mul_", 2)],
    ),
    "saved values are not looked at": (
        "refgrad.opnode.check_saved",
        [("unary", "grad", "sin", 2), ("write", "grad", "zero_", 2), ("derive", "grad", 3, 0, True)],
    ),
    "saved values are not looked at on the short way": (
        "refgrad.lane.check_saved",
        [
            ("unary", "no_grad", "clone", 1),
            ("pair", "grad", "mul", 0, 3),
            ("write", "grad", "zero_", 3),
            ("backward", "grad", 4, False),
        ],
    ),
    "what is overwritten is not kept": (
        "refgrad.inplace.keep_original",
        [("write", "grad", "sin_", 2), ("backward", "grad", 2, False)],
    ),
    "what an op made is not followed": (
        "refgrad.inplace.take_over",
        [("write", "grad", "exp_", 2), ("write", "grad", "mul_", 2), ("backward", "grad", 2, False)],
    ),
    "leaves may be written to": ("refgrad.inplace.check_write", [("write", "grad", "mul_", 0)]),
    "a detached alias has a version of its own": (
        "refgrad.views.version_of",
        [("unary", "grad", "detach", 2), ("write", "grad", "mul_", 3)],
    ),
}


@pytest.mark.parametrize(("forgotten", "history"), FORGOTTEN.values(), ids=FORGOTTEN.keys())
def test_an_engine_that_forgets_is_noticed(
    forgotten: str, history: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each history is the same on both as it is, and differs once the engine leaves something out."""
    run(history)
    fresh = (lambda tensor: Version()) if forgotten.endswith("version_of") else nothing
    monkeypatch.setattr(forgotten, fresh)
    with pytest.raises(AssertionError):
        run(history)
