"""`gradcheck` and `gradgradcheck`: PyTorch's contract, run on torch and on refgrad."""

import importlib
import inspect
import re

import numpy as np
import pytest

import refgrad

from .beside import attempt, check, function, leaf

MODES = pytest.mark.parametrize("fast_mode", [False, True], ids=["slow", "fast"])


def gradchecks(torch):
    """The module of a library, though the package has a function of its name."""
    importlib.import_module(f"{torch.__name__}.autograd.gradcheck")
    return inspect.getmodule(torch.autograd.gradcheck)


def square(torch, backward, jvp=None):
    """x * x with a backward of one's own."""

    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        return x * x

    more = {} if jvp is None else {"jvp": jvp}
    return function(torch, forward, backward, **more).apply


def right(ctx, g):
    """The backward of a square."""
    return 2 * g * ctx.saved_tensors[0]


def verdicts(torch, fast_mode, check_forward_ad=False):
    """What `gradcheck` answers for functions right and wrong, up to numbers that were drawn."""
    x, y = leaf(torch, 1, 2), leaf(torch, 3, 4)
    once = importlib.import_module(f"{torch.__name__}.autograd.function").once_differentiable
    functions = {
        "square": (lambda x: x * x, x),
        "square of one's own": (square(torch, right, lambda ctx, t: 2 * t * ctx.saved_tensors[0]), x),
        "too steep": (square(torch, lambda ctx, g: 3 * g * ctx.saved_tensors[0]), x),
        "one element wrong": (
            square(torch, lambda ctx, g: right(ctx, g) * torch.tensor([1.0, 1.01]).double()),
            x,
        ),
        "cut off": (lambda x: x.detach() * x, x),
        "not multiplied": (square(torch, lambda ctx, g: 2 * ctx.saved_tensors[0]), leaf(torch, 1)),
        "integers": (lambda x: (x * x).long(), leaf(torch, 1.5, 2.5)),
        "detached": (lambda x: (x * x).detach(), x),
        "constant": (lambda x: torch.ones(2, dtype=torch.float64), x),
        "two": (lambda x, y: (x * y, x / y), (x, y)),
        "first of two wrong": (lambda x, y: (x.detach() * y, x * x), (x, y)),
        "unused": (lambda x, y: x * x, (x, y)),
        "a list": (lambda x, y: [x * y], [x, y]),
        "not all tensors": (lambda x, k: x * k, (x, 2)),
        "one requires none": (lambda x, w: x * w, (x, torch.tensor([2.0, 3.0]).double())),
        "nan": (lambda x: (x - x) / (x - x), x),
        "error": (lambda x: x[5], x),
        "none": (lambda x: x * x, x.detach()),
        "stride 0": (lambda x: x * x, torch.ones(1).double().expand(3).requires_grad_()),
        "float32": (lambda x: x * x, torch.tensor([1.0, 2.0], requires_grad=True)),
        "once": (square(torch, once(right)), x),
    }
    for name, (f, inputs) in functions.items():
        for raise_exception in (True, False):
            verdict = attempt(
                lambda f=f, inputs=inputs, raise_exception=raise_exception: torch.autograd.gradcheck(
                    f,
                    inputs,
                    fast_mode=fast_mode,
                    raise_exception=raise_exception,
                    check_forward_ad=check_forward_ad,
                )
            )
            yield name, undrawn(verdict, fast_mode)


def undrawn(verdict, fast_mode):
    """A verdict without the numbers that hang on what was drawn, and on the last digits of differences."""
    if not isinstance(verdict, Exception):
        return verdict
    text = str(verdict).replace("nan", "0.0")
    if fast_mode:
        text = re.sub(r"^(numerical|analytical):.*$", r"\1:", text, flags=re.MULTILINE)
        text = re.sub(r"slow mode\) is: .*$", "slow mode) is:", text, flags=re.MULTILINE)
        text = re.sub(r"(might've passed in slow_mode!\n)[\s\S]*", r"\1", text)
    return type(verdict).__name__, re.sub(r"(nondeterminism was \S+?)\.?\s[\s\S]*", r"\1", text)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("check_forward_ad", [False, True], ids=["backward", "forward too"])
@MODES
def test_verdicts(fast_mode, check_forward_ad):
    """GC-1 to GC-5: what passes, what fails, what raises whatever was asked, and in which words."""
    check(lambda torch: without_numpy_warnings(verdicts(torch, fast_mode, check_forward_ad)))


def without_numpy_warnings(scenario):
    """The steps of a scenario; NumPy says what it thinks of 0/0, and PyTorch does not."""
    with np.errstate(all="ignore"):
        yield from scenario


@MODES
def test_an_answer_that_varies(fast_mode):
    """GC-7: it is not reentrant, unless the spread is allowed."""

    def scenario(torch):
        for tolerance in (0.0, 1e-12, 1e-3):
            calls = []

            def backward(ctx, g, calls=calls):
                calls.append(g)
                return right(ctx, g) * (1 + len(calls) * 1e-9)

            yield undrawn(
                attempt(
                    lambda backward=backward, tolerance=tolerance: torch.autograd.gradcheck(
                        square(torch, backward), leaf(torch, 1, 2), fast_mode=fast_mode, nondet_tol=tolerance
                    )
                ),
                fast_mode,
            )

    check(scenario)


@MODES
def test_undefined_gradients(fast_mode):
    """GC-8: a missing cotangent must count as zero."""

    def scenario(torch):
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(x)
            return x * x, x * 3

        ones = torch.ones(2, dtype=torch.float64)
        for backward in (
            lambda ctx, g, h: right(ctx, g) + h * 3,
            lambda ctx, g, h: None if g is None and h is None else right(ctx, g) + h * 3,
            lambda ctx, g, h: ones if g is None else right(ctx, g) + (0 if h is None else h * 3),
            lambda ctx, g, h: (
                (0 if g is None else right(ctx, g)) + (h * 0 + 1 if g is None and h is not None else 0)
                if g is not None or h is not None
                else None
            ),
            lambda ctx, g, h: [][0] if g is None else right(ctx, g) + h * 3,
            lambda ctx, g, h: torch.ones(5) if g is None else right(ctx, g) + h * 3,
        ):
            mine = function(torch, forward, backward).apply
            for told in (True, False):
                verdict = attempt(
                    lambda mine=mine, told=told: torch.autograd.gradcheck(
                        mine, leaf(torch, 1, 2), fast_mode=fast_mode, check_undefined_grad=told
                    )
                )
                yield undrawn(verdict, fast_mode)

    check(scenario)


@MODES
def test_gradients_of_gradients(fast_mode):
    """GC-9: the same test applied to what is pulled back, and arguments that make no sense."""

    def scenario(torch):
        x = leaf(torch, 1, 2)
        once = importlib.import_module(f"{torch.__name__}.autograd.function").once_differentiable
        for f, *more in (
            (lambda x: x * x * x,),
            (lambda x: x * 3,),
            (lambda x: x * x * x, leaf(torch, 1, 1)),
            (lambda x: x * x * x, torch.ones(2, dtype=torch.float64)),
            (lambda x: (x * x, x.sum()),),
            (square(torch, right),),
        ):
            for way in ({}, {"gen_non_contig_grad_outputs": True}, {"raise_exception": False}):
                yield torch.autograd.gradgradcheck(f, x, *more, fast_mode=fast_mode, **way)
        for f in (square(torch, once(right)), lambda x: x.detach() * x):
            error = attempt(lambda f=f: torch.autograd.gradgradcheck(f, x, fast_mode=fast_mode))
            yield type(error), str(error).splitlines()[0]
            yield torch.autograd.gradgradcheck(f, x, fast_mode=fast_mode, raise_exception=False)
        way = {"check_fwd_over_rev": True, "fast_mode": fast_mode}
        yield torch.autograd.gradgradcheck(lambda x: (x * x).exp(), x, **way)
        alone = {"check_rev_over_rev": False, "check_undefined_grad": False, **way}
        yield attempt(lambda: torch.autograd.gradgradcheck(lambda x: x, x, check_rev_over_rev=False, **way))
        yield torch.autograd.gradgradcheck(lambda x: x * x * x, x, **alone)
        yield attempt(lambda: torch.autograd.gradgradcheck(lambda x: x, x, check_rev_over_rev=False))
        yield attempt(lambda: torch.autograd.gradgradcheck(lambda x: x, x, check_batched_grad=True, **alone))

    check(scenario)


@MODES
def test_forward_mode(fast_mode):
    """A wrong or missing jvp, and only forward mode."""

    def scenario(torch):
        x = leaf(torch, 1, 2)
        for jvp in (None, lambda ctx, t: t * 3, lambda ctx, t: 2 * t * ctx.saved_tensors[0]):
            mine = square(torch, right, jvp)
            for backward in (True, False):
                verdict = attempt(
                    lambda mine=mine, backward=backward: torch.autograd.gradcheck(
                        mine, x, fast_mode=fast_mode, check_forward_ad=True, check_backward_ad=backward
                    )
                )
                yield undrawn(verdict, fast_mode)
        yield attempt(lambda: torch.autograd.gradcheck(lambda x: x, x, check_backward_ad=False))
        way = {"check_backward_ad": False, "check_forward_ad": True}
        yield attempt(lambda: torch.autograd.gradcheck(lambda x: x, x, check_batched_grad=True, **way))
        yield attempt(lambda: torch.autograd.gradcheck(lambda x: x, x, check_batched_forward_grad=True))

    check(scenario)


@pytest.mark.parametrize("eps", [1e-6, 1e-2])
def test_the_step(eps):
    """GC-5: a central difference of a cube is off by the step squared."""

    def scenario(torch):
        for atol in (eps**2 * 0.9, eps**2 * 1.1 + 1e-9):
            x = leaf(torch, 1)
            yield torch.autograd.gradcheck(
                lambda x: x * x * x, x, eps=eps, atol=atol, rtol=0, raise_exception=False
            ) == (atol > eps**2 or eps < 1e-3)

    if eps > 1e-3:  # below that rounding is larger than the error of the difference
        check(scenario)
    x = leaf(refgrad, 1)
    seen = []
    refgrad.autograd.gradcheck(lambda x: (seen.append(x.tolist()[0]), x * 1)[1], x, eps=eps)
    assert {1 - eps, 1 + eps} <= set(seen)
    assert x.tolist() == [1.0]


def test_fast_mode_takes_as_many_evaluations_whatever_the_size():
    """GC-6: slow mode takes two for each element."""
    counts = {}
    for fast_mode in (False, True):
        for size in (3, 30):
            calls = []
            x = refgrad.ones(size, dtype=refgrad.float64, requires_grad=True)
            refgrad.autograd.gradcheck(
                lambda x, calls=calls: (calls.append(1), x * x)[1], x, fast_mode=fast_mode
            )
            counts[fast_mode, size] = len(calls)
    assert counts[True, 3] == counts[True, 30]
    assert counts[False, 30] - counts[False, 3] == 2 * 27


def test_fast_mode_notices_any_one_wrong_element():
    """GC-6: the projection weighs every element of the Jacobian."""
    for wrong in range(6):
        factor = refgrad.tensor([1.5 if i == wrong else 1.0 for i in range(6)], dtype=refgrad.float64)
        mine = square(refgrad, lambda ctx, g, factor=factor: right(ctx, g) * factor)
        x = leaf(refgrad, 1, 2, 3, 4, 5, 6)
        assert not refgrad.autograd.gradcheck(mine, x, fast_mode=True, raise_exception=False)


def test_inputs_are_left_as_they_were():
    """Also where the function raises in the middle, and without a `.grad`."""

    def raises(x):
        if x.tolist() != [1.0, 2.0]:
            raise KeyError("in the middle")
        return x * x

    for fast_mode in (False, True):
        x = leaf(refgrad, 1, 2)
        with pytest.raises(KeyError):
            refgrad.autograd.gradcheck(raises, x, fast_mode=fast_mode)
        assert x.tolist() == [1.0, 2.0]
        assert refgrad.autograd.gradcheck(lambda x: x * x, x, fast_mode=fast_mode)
        assert x.grad is None


def test_batched_gradients_are_refused():
    """They need vmap."""
    x = leaf(refgrad, 1, 2)
    with pytest.raises(NotImplementedError, match="vmap"):
        refgrad.autograd.gradcheck(lambda x: x * x, x, check_batched_grad=True)


def test_signatures_and_the_error():
    """The parameters of both functions, their defaults, and what GradcheckError is."""
    torch = pytest.importorskip("torch")
    for name in ("gradcheck", "gradgradcheck"):
        ours, theirs = (inspect.signature(getattr(t.autograd, name)) for t in (refgrad, torch))
        assert [(p.name, p.default, p.kind) for p in ours.parameters.values()] == [
            (p.name, p.default, p.kind) for p in theirs.parameters.values()
        ]
    assert issubclass(importlib.import_module("refgrad.autograd.gradcheck").GradcheckError, RuntimeError)


def test_complete_jacobians_of_several_shapes():
    """Inputs and outputs without dimensions, without elements, and with several."""
    x = refgrad.tensor([[1.0, 2.0, 3.0]], dtype=refgrad.float64, requires_grad=True)
    s = refgrad.tensor(2.0, dtype=refgrad.float64, requires_grad=True)
    for f in (lambda x, s: x * s, lambda x, s: (x.sum() * s, x.reshape(3, 1) @ x), lambda x, s: x[:, :0] * s):
        for fast_mode in (False, True):
            assert refgrad.autograd.gradcheck(f, (x, s), fast_mode=fast_mode, check_forward_ad=True)
            assert refgrad.autograd.gradgradcheck(f, (x, s), fast_mode=fast_mode, check_fwd_over_rev=True)
