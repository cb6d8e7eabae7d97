"""Tangents that are written in place, and inference mode: run on torch and on refgrad."""

from .beside import attempt, function, leaf, scenarios
from .test_forward_ad import forward, pair

scenario, test_the_same_on_torch = scenarios()


@scenario
def tangents_written_in_place(torch):  # FW-7
    """The very tangent is, and views see it."""
    fw = forward(torch)
    x, t = pair(torch)
    with fw.dual_level():
        dual = fw.make_dual(x, t)
        dual.mul_(2)
        yield fw.unpack_dual(dual), x, t
        view = dual[:1]
        view.mul_(3)
        yield fw.unpack_dual(dual), fw.unpack_dual(view), t
        dual.add_(1)
        yield fw.unpack_dual(view), fw.unpack_dual(dual)
        dual.exp_()
        yield fw.unpack_dual(view).tangent is not None
        dual.zero_()
        yield fw.unpack_dual(view), fw.unpack_dual(dual), t
        dual.fill_(3.0)
        yield fw.unpack_dual(dual)


@scenario
def tangents_that_are_written_where_there_was_none(torch):
    """The base of a view gets one, zeros elsewhere."""
    fw = forward(torch)
    x, t = pair(torch)
    with fw.dual_level():
        dual = fw.make_dual(x, t)
        z = torch.zeros(2)
        z.copy_(dual)
        yield fw.unpack_dual(z)
        w = torch.zeros(3)
        w[1:] = dual
        yield fw.unpack_dual(w), fw.unpack_dual(w[2:])
        w[0] = dual[1] * 2
        yield fw.unpack_dual(w)
        w.mul_(
            w.clone()
        )  # w.mul_(w) is wrong in PyTorch 2.13: it writes over the tangent that it goes on to read
        yield fw.unpack_dual(w)
        plain = torch.ones(2)
        plain.mul_(3)
        yield fw.unpack_dual(plain)
        dual.copy_(torch.tensor([7.0, 8.0]))
        yield fw.unpack_dual(dual), t


@scenario
def recorded_tangents_written_in_place(torch):
    """Backward passes go through what was written."""
    fw = forward(torch)
    x, t = leaf(torch, 1, 2), leaf(torch, 3, 4)
    with fw.dual_level():
        dual = fw.make_dual(x * 1, t * 1)
        dual.mul_(dual)
        view = dual[:1]
        view.mul_(3)
        both = fw.unpack_dual(dual)
        yield both
        yield torch.autograd.grad(both.tangent.sum(), [x, t], retain_graph=True)
        yield torch.autograd.grad(both.primal.sum(), [x])


@scenario
def inputs_that_a_function_modifies(torch):  # CF-18
    """Need their tangent modified in place too."""
    fw = forward(torch)
    x, t = pair(torch)

    def forward_(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    for jvp in (lambda ctx, t: t.mul_(2), lambda ctx, t: t * 2):
        with fw.dual_level():
            dual = fw.make_dual(x.clone(), t.clone())
            mine = function(torch, forward_, jvp=jvp)
            y = attempt(lambda mine=mine, dual=dual: mine.apply(dual))
            yield y is dual, y if y is not dual else fw.unpack_dual(y)


@scenario
def inference_mode_has_no_tangents(torch):  # GM-16
    """They are neither given nor seen in it, and are there again after it."""
    fw = forward(torch)
    x, t = pair(torch)
    with fw.dual_level():
        dual = fw.make_dual(x, t)
        with torch.inference_mode():
            yield (
                fw.unpack_dual(dual * 2),
                fw.unpack_dual(dual.exp() * 0),
                fw.unpack_dual(fw.make_dual(x * 2, t * 1)),
            )
            with torch.inference_mode(False):
                yield fw.unpack_dual(dual * 2)
        yield fw.unpack_dual(dual * 2)
        with torch.no_grad():
            yield fw.unpack_dual(dual * 2)
