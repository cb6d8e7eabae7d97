"""Forward mode: every clause of the contract, and every op, beside torch and beside backward passes."""

import importlib
import threading

import numpy as np
import pytest

import refgrad
from refgrad.op import replaced
from refgrad.ops.exponential import exp

from .beside import attempt, check, function, leaf, scenarios
from .cases import EVERY, call, operand, tensors

scenario, test_the_same_on_torch = scenarios()


def forward(torch):
    """`torch.autograd.forward_ad` of a library."""
    return importlib.import_module(f"{torch.__name__}.autograd.forward_ad")


def pair(torch):
    """A primal and a tangent."""
    return torch.tensor([3.0, 4.0]), torch.tensor([1.0, -2.0])


def within(torch, action):
    """What `action` returns, or the error it raises, inside a level."""
    with forward(torch).dual_level():
        return attempt(action)


@scenario
def tangents_live_as_long_as_the_level(torch):  # FW-1
    """After it there are none, and a new level knows nothing of them."""
    fw = forward(torch)
    x, t = pair(torch)
    with fw.dual_level() as level:
        dual = fw.make_dual(x, t)
        y = dual * dual
        yield level, fw.unpack_dual(y), fw.unpack_dual(y, level=0)
    yield fw.unpack_dual(y), fw.unpack_dual(dual), fw.unpack_dual(x)
    with fw.dual_level():
        yield fw.unpack_dual(y)
        yield fw.unpack_dual(y * fw.make_dual(x, t))


@scenario
def levels_are_not_nested(torch):  # FW-2
    """And not left twice, and a dual tensor needs one."""
    fw = forward(torch)
    x, t = pair(torch)
    yield attempt(lambda: fw.make_dual(x, t))
    yield within(torch, fw.enter_dual_level)
    yield attempt(fw.exit_dual_level)
    yield attempt(lambda: fw.exit_dual_level(level=0))
    level = fw.enter_dual_level()
    yield level, attempt(lambda: fw.exit_dual_level(level=5))
    fw.exit_dual_level(level=level)
    yield within(torch, lambda: fw.make_dual(x, t, level=3))


@scenario
def a_level_as_a_decorator(torch):
    """And one that is left by an error."""
    fw = forward(torch)
    x, t = pair(torch)

    @fw.dual_level()
    def squared():
        return fw.unpack_dual(fw.make_dual(x, t) * x)

    yield squared(), squared()
    yield attempt(lambda: [fw.dual_level().__enter__(), fw.exit_dual_level(), 1 / 0])
    try:
        with fw.dual_level():
            raise KeyError
    except KeyError:
        yield attempt(fw.exit_dual_level)


@scenario
def what_can_be_dual(torch):  # FW-4
    """Floating point, of equal size, once."""
    fw = forward(torch)
    x, t = pair(torch)
    three = torch.ones(3)
    yield within(torch, lambda: fw.make_dual(x.long(), t))
    yield within(torch, lambda: fw.make_dual(x, t.long()))
    yield within(torch, lambda: fw.make_dual(x, three))
    yield within(torch, lambda: fw.make_dual(fw.make_dual(x, t), t))
    yield within(torch, lambda: fw.make_dual(x, fw.make_dual(x, t)))
    yield within(torch, lambda: fw.make_dual(3.0, t))
    yield within(torch, lambda: fw.make_dual(x, 3.0))


@scenario
def tangents_as_they_are_or_copied(torch):  # FW-3
    """Where the layout differs, the tangent takes the primal's."""
    fw = forward(torch)
    x, t = pair(torch)
    with fw.dual_level():
        dual = fw.make_dual(x, t)
        yield dual is x, fw.unpack_dual(dual).tangent is t
        turned = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).T
        for tangent in (turned, turned.requires_grad_()):
            copied = fw.unpack_dual(fw.make_dual(torch.ones(2, 3), tangent)).tangent
            yield copied is tangent, copied.stride(), copied
        kept = fw.unpack_dual(fw.make_dual(torch.ones(3, 2).T, turned)).tangent
        yield kept is turned, kept.stride()


@scenario
def unpacked_duals(torch):  # FW-5
    """A named tuple; both parts are differentiable, and the primal has no tangent."""
    fw = forward(torch)
    x, t = leaf(torch, 1, 2), leaf(torch, 3, 4)
    with fw.dual_level():
        dual = fw.make_dual(x, t)
        yield dual.is_leaf, dual.requires_grad
        y = dual * dual * dual
        both = fw.unpack_dual(y)
        yield type(both), both.primal, both.tangent, both._fields
        yield fw.unpack_dual(both.primal), fw.unpack_dual(both.tangent)
        yield torch.autograd.grad(both.primal.sum(), x, retain_graph=True)
        yield torch.autograd.grad(both.tangent.sum(), [x, t], retain_graph=True)
        (gx,) = torch.autograd.grad(both.tangent.sum(), x, create_graph=True)
        yield torch.autograd.grad(gx.sum(), x)
        w = torch.ones(2).double()
        plain = fw.make_dual(w, w)
        yield plain.is_leaf, fw.unpack_dual(plain * 2)
    both.tangent.sum().backward()
    yield x.grad, t.grad


@scenario
def detached_and_constant(torch):  # RG-13
    """What drops the tangent, and what never has one."""
    fw = forward(torch)
    x, t = pair(torch)
    with fw.dual_level():
        dual = fw.make_dual(x, t)
        for y in (
            dual.detach(),
            dual.data,
            dual.clone(),
            dual.double(),
            dual.half(),
            dual.long(),
            dual > 1,
            dual.floor(),
            dual.sign(),
            dual.max(0)[0],
            dual.max(0)[1],
            torch.ones_like(dual),
            x * 2,
            dual.reshape(2, 1),
            dual[1:],
            dual[torch.tensor([1, 1])],
            torch.where(x > 3, dual, x),
            torch.stack([x, dual]),
            torch.cat([dual, x]),
            dual.split(1)[1],
            dual.expand(3, 2),
            dual.cumsum(0),
            dual * 0,
        ):
            yield fw.unpack_dual(y)
        yield repr(dual), repr(dual * 2), repr(fw.make_dual(x.requires_grad_(), t)), repr(x)


@scenario
def grad_mode_is_another_matter(torch):  # GM-9
    """no_grad records no node, and tangents still propagate."""
    fw = forward(torch)
    x, t = leaf(torch, 1, 2), leaf(torch, 3, 4)
    with fw.dual_level():
        dual = fw.make_dual(x, t)
        with torch.no_grad():
            yield fw.unpack_dual(dual * dual), torch.is_grad_enabled()
            with torch.enable_grad():
                yield fw.unpack_dual(dual * dual), torch.is_grad_enabled()
            yield fw.unpack_dual(dual.exp() * 0)
        torch.set_grad_enabled(False)
        yield fw.unpack_dual(-dual)
        torch.set_grad_enabled(True)
        yield fw.unpack_dual(-dual)
    yield (x * 2).requires_grad, torch.is_grad_enabled()


@scenario
def forward_over_reverse(torch):
    """Gradients have tangents, whether they are recorded or not."""
    fw = forward(torch)
    x, t = leaf(torch, 1, 2), torch.tensor([1.0, 3.0], dtype=torch.float64)
    with fw.dual_level():
        dual = fw.make_dual(x, t)
        y = (dual * dual * dual).sum()
        for create_graph in (True, False):
            for wanted in (x, dual):
                (g,) = torch.autograd.grad(y, wanted, create_graph=create_graph, retain_graph=True)
                yield fw.unpack_dual(g)
        cotangent = fw.make_dual(torch.tensor(1.0).double(), torch.tensor(2.0).double())
        yield fw.unpack_dual(torch.autograd.grad((x * x).sum(), x, cotangent)[0])
        (x * x).sum().backward(cotangent)
        yield fw.unpack_dual(x.grad)


@scenario
def custom_functions(torch):  # CF-18
    """jvp gets a tangent for each argument, and returns one for each output."""
    fw = forward(torch)
    x, t = pair(torch)
    told = []

    def run(forward_, jvp, *args):
        mine = function(torch, forward_, lambda ctx, *gs: gs[0], jvp=jvp)
        with fw.dual_level():
            found = mine.apply(fw.make_dual(x, t), *args)
            several = found if isinstance(found, tuple) else (found,)
            return [fw.unpack_dual(y) if hasattr(y, "dtype") else y for y in several]

    def noted(ctx, *tangents):
        told.append([tangents, torch.is_grad_enabled(), ctx.saved_tensors])
        return tangents[0] * 2

    w = torch.ones(2)
    for forward_, jvp, *args in (
        (lambda ctx, x, k: x * k, noted, 2),
        (lambda ctx, x, k: x * k, noted, w),
        (lambda ctx, x, k: (ctx.set_materialize_grads(False), x * k)[1], noted, w),
        (lambda ctx, x, k: (x * 2, k, 7), lambda ctx, t, k: (t * 2, k, None), w),
        (lambda ctx, x: x * 2, None),
        (lambda ctx, x: x * 2, lambda ctx, t: (t, t)),
        (lambda ctx, x: (x * 2, x * 3), lambda ctx, t: t),
        (lambda ctx, x: x * 2, lambda ctx, t: t[:1]),
        (lambda ctx, x: x * 2, lambda ctx, t: 3),
        (lambda ctx, x: (x * 3, x.long()), lambda ctx, t: (t, None)),
        (lambda ctx, x: (x * 3, x.long()), lambda ctx, t: (t, t)),
        (lambda ctx, x: (ctx.mark_non_differentiable(y := x * 2), y)[1], lambda ctx, t: t),
        (lambda ctx, x: (ctx.mark_non_differentiable(y := x * 2), (x * 3, y))[1], lambda ctx, t: (t, None)),
        (lambda ctx, x: x, lambda ctx, t: t),
        (lambda ctx, x: x, lambda ctx, t: t * 2),
        (lambda ctx, x: x, lambda ctx, t: t.view(2)),
        (lambda ctx, x: x.view(2, 1), lambda ctx, t: t.view(2, 1)),
        (lambda ctx, x: x.view(2, 1), lambda ctx, t: t.view(2, 1) * 2),
        (lambda ctx, x: [x * 2], lambda ctx, t: None),
    ):
        yield attempt(lambda forward_=forward_, jvp=jvp, args=args: run(forward_, jvp, *args))
    yield told


@scenario
def tensors_saved_for_forward(torch):  # CF-27
    """Are what `saved_tensors` is in jvp, whatever is saved for backward."""
    fw = forward(torch)
    x, t = leaf(torch, 1, 2), torch.tensor([3.0, 4.0], dtype=torch.float64)
    told = []

    def forward_(ctx, x):
        y = x * x
        ctx.save_for_forward(x)
        ctx.save_for_backward(x, y)
        return y

    def jvp(ctx, t):
        told.append(ctx.saved_tensors)
        return 2 * t * ctx.saved_tensors[0]

    def backward(ctx, g):
        told.append(ctx.saved_tensors)
        return 2 * g * ctx.saved_tensors[0]

    with fw.dual_level():
        y = function(torch, forward_, backward, jvp=jvp).apply(fw.make_dual(x, t))
        both = fw.unpack_dual(y)
        yield both, told
        yield torch.autograd.grad(both.tangent.sum(), x, retain_graph=True)
        yield torch.autograd.grad(both.primal.sum(), x)
    yield told
    mine = function(torch, lambda ctx, x: (ctx.save_for_forward(3), x * 1)[1])
    yield attempt(lambda: mine.apply(x))


@scenario
def a_function_sees_no_tangents(torch):
    """Neither in forward nor in jvp."""
    fw = forward(torch)
    x, t = pair(torch)
    told = []

    def forward_(ctx, x):
        told.append(fw.unpack_dual(x * 2).tangent)
        return x * 2

    with fw.dual_level():
        yield fw.unpack_dual(function(torch, forward_, jvp=lambda ctx, t: t * 2).apply(fw.make_dual(x, t)))
    yield told


@scenario
def saved_outputs_have_their_tangents(torch):
    """A backward that reads what forward returned is itself pushed forward."""
    fw = forward(torch)
    x, t = leaf(torch, 1, 2), torch.tensor([3.0, 4.0], dtype=torch.float64)

    def forward_(ctx, x):
        y = x * x
        ctx.save_for_backward(y)
        ctx.save_for_forward(x)
        return y

    mine = function(
        torch,
        forward_,
        lambda ctx, g: g * ctx.saved_tensors[0],
        jvp=lambda ctx, t: 2 * t * ctx.saved_tensors[0],
    )
    with fw.dual_level():
        dual = fw.make_dual(x, t)
        (g,) = torch.autograd.grad(mine.apply(dual).sum(), x, create_graph=True)
        yield fw.unpack_dual(g)


# Every op.


def duals(fw, made, needs):
    """The operands, those that are needed with a tangent of their own."""
    lib = refgrad if fw.__name__.startswith("refgrad") else pytest.importorskip("torch")
    return {
        letter: fw.make_dual(x, lib.from_numpy(operand("t" + letter, tuple(x.shape)))) if need else x
        for (letter, x), need in zip(made.items(), needs, strict=True)
    }


def pushed(lib, text, shapes, needs, requires_grad):
    """The value of `text` and its tangent, as arrays; None for a tangent that is missing or unknown."""
    fw = forward(lib)
    made = tensors(lib, shapes, text, needs=None if requires_grad else (False,) * len(shapes))
    with fw.dual_level():
        try:
            primal, tangent = fw.unpack_dual(call(lib, text, duals(fw, made, needs)))
        except NotImplementedError:
            return None
        return primal.detach().numpy(), None if tangent is None else tangent.detach().numpy()


IDS = [f"{text}-{list(shapes.values())}" for _, text, shapes in EVERY]


@pytest.mark.parametrize(("name", "text", "shapes"), EVERY, ids=IDS)
@pytest.mark.filterwarnings("ignore:.*jit.script.*:DeprecationWarning")
def test_tangents_are_torch_s(name, text, shapes):
    """Tangents agree with PyTorch's to 1e-10, whichever operands have one, recorded or not."""
    torch = pytest.importorskip("torch")
    for needs in [(True, True), (True, False), (False, True)][: 1 if len(shapes) == 1 else 3]:
        needs = needs[: len(shapes)] if len(shapes) < 3 else (True,) * len(shapes)
        expected = pushed(torch, text, shapes, needs, False)
        for requires_grad in (False, True):
            got = pushed(refgrad, text, shapes, needs, requires_grad)
            assert got is not None
            if expected is None:  # PyTorch has no formula
                continue
            for e, r in zip(expected, got, strict=True):
                if e is None or r is None:
                    assert e is r or not np.any(r if e is None else e)
                else:
                    assert (r.shape, r.dtype) == (e.shape, e.dtype)
                    np.testing.assert_allclose(r, e, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "text", "shapes"), EVERY, ids=IDS)
def test_second_order_in_three_ways(name, text, shapes):
    """Forward over reverse, reverse over forward, and reverse over reverse give the same."""
    fw = forward(refgrad)
    made = tensors(refgrad, shapes, text)
    ts = {letter: refgrad.from_numpy(operand("t" + letter, tuple(x.shape))) for letter, x in made.items()}

    def total(operands):
        out = call(refgrad, text, operands).double()
        return (out * out * refgrad.from_numpy(operand("w", tuple(out.shape)))).sum()

    leaves, way = list(made.values()), {"allow_unused": True, "materialize_grads": True}
    gs = refgrad.autograd.grad(total(made), leaves, create_graph=True, **way)
    along = sum(((g * t).sum() for g, t in zip(gs, ts.values(), strict=True)), refgrad.zeros(()))
    double = [refgrad.zeros_like(x) for x in leaves]
    if along.requires_grad:
        double = refgrad.autograd.grad(along, leaves, **way)
    with fw.dual_level():
        y = total({letter: fw.make_dual(x, ts[letter]) for letter, x in made.items()})
        over_reverse = [
            fw.unpack_dual(g).tangent for g in refgrad.autograd.grad(y, leaves, retain_graph=True, **way)
        ]
        tangent = fw.unpack_dual(y).tangent
        over_forward = refgrad.autograd.grad(tangent, leaves, **way)
    single = call(refgrad, text, made).dtype is refgrad.float32  # of operands in float64
    near = {"rtol": 1e-5 if single else 1e-9, "atol": 1e-11}
    np.testing.assert_allclose(tangent.item(), along.item(), **near)
    for expected, one, other in zip(double, over_reverse, over_forward, strict=True):
        one = refgrad.zeros_like(expected) if one is None else one
        np.testing.assert_allclose(one.detach().numpy(), expected.numpy(), **near)
        np.testing.assert_allclose(other.numpy(), expected.numpy(), **near)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_tangents_have_the_dtype_of_their_primal(dtype):
    """Also where a formula computes in float32."""

    def run(torch):
        fw = forward(torch)
        kind = getattr(torch, dtype)
        x = torch.tensor([0.5, 2.0], dtype=kind)
        with fw.dual_level():
            dual = fw.make_dual(x, torch.ones(2, dtype=kind))
            for y in (dual * dual, dual.exp(), dual.sum(), dual.softmax(0), dual + torch.ones(2).double()):
                both = fw.unpack_dual(y)
                yield both.primal.dtype, both.tangent.dtype

    check(run)


def test_tangents_come_from_the_one_set_of_formulas():
    """A wrong formula is wrong in forward mode too."""
    fw = forward(refgrad)
    x = refgrad.tensor([1.0, 2.0])
    with replaced(exp, "x", lambda g, y: g * y * 2), fw.dual_level():
        y = fw.make_dual(x, refgrad.ones(2)).exp()
        assert fw.unpack_dual(y).tangent.tolist() == (y * 2).tolist()


def test_levels_belong_to_threads():
    """Another thread has no level, and may open its own."""
    fw = forward(refgrad)
    seen = []

    def other():
        seen.append(attempt(lambda: fw.make_dual(refgrad.ones(2), refgrad.ones(2))))
        with fw.dual_level():
            seen.append(fw.unpack_dual(fw.make_dual(refgrad.ones(2), refgrad.ones(2)) * 3).tangent.tolist())

    with fw.dual_level():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert isinstance(seen[0], RuntimeError)
    assert seen[1] == [3.0, 3.0]


def test_an_error_leaves_the_level_open():
    """An op that fails inside, or a formula that does, does not suspend tangents for what follows."""
    fw = forward(refgrad)

    def broken(g, y):
        raise KeyError("formula")

    with fw.dual_level():
        dual = fw.make_dual(refgrad.ones(2), refgrad.ones(2))
        with replaced(exp, "x", broken), pytest.raises(KeyError):
            dual.exp()
        assert fw.unpack_dual(dual.exp()).tangent is not None
        assert refgrad.is_grad_enabled()


def test_tangents_cost_nothing_outside_a_level():
    """Nothing is left on the tensors, and the short ways are open again."""
    fw = forward(refgrad)
    with fw.dual_level():
        y = fw.make_dual(refgrad.ones(2), refgrad.ones(2)) * 2
    assert y._state.tangent.tensor is None
    assert refgrad.modes.mode.enabled is True
