"""Wrongdoers on what accumulates in `.grad`, made of the engine."""

from __future__ import annotations

import refgrad
from refgrad import accumulate, graph, held, optim, walk

from .wrongdoers_kit import Wrongdoer, edited, swapped, wrongdoer

ACCUMULATION: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "row-by-row",
        "the first gradient of a leaf is contiguous, whatever the leaf's strides are",
        edited(accumulate.store, '"K" if dense else "C"', '"C"'),
        breaks="AC-1",
    ),
    wrongdoer(
        "gaps-copied",
        "the first gradient of a leaf with gaps in memory has its dimensions in the leaf's order",
        edited(accumulate.store, '"K" if dense else "C"', '"K"'),
        breaks="AC-2",
    ),
    wrongdoer(
        "new-tensor-each-time",
        "an existing .grad gives way to a new tensor, without create_graph too",
        edited(
            accumulate.accumulate,
            "np.add(state.grad._array, g, out=state.grad._array)",
            "state.grad = Tensor(state.grad._array + g)",
        ),
        breaks="AC-3 AC-5",
    ),
    wrongdoer(
        "in-place-with-a-graph",
        "an existing .grad is updated in place with create_graph too",
        edited(accumulate.accumulate, "state.grad = state.grad + g", "state.grad.add_(g)"),
        breaks="AC-4",
    ),
    wrongdoer(
        "assigned-as-a-copy",
        "assigning .grad copies what is assigned",
        edited(
            held._set_grad,
            "self.state().grad = value",
            "self.state().grad = value and Tensor(value._array.copy())",
        ),
        swapped(refgrad.Tensor, __bool__=lambda self: True),
        breaks="AC-5 AC-7",
    ),
    wrongdoer(
        "zeros-at-first",
        "a leaf that requires grad has zeros in .grad from the start",
        edited(
            held._grad,
            "return None if state is None else state.grad",
            """
            import numpy as np
            if state is not None and state.grad is None and state.requires_grad:
                return Tensor(np.zeros_like(self._array))
            return None if state is None else state.grad
            """,
        ),
        breaks="BW-2 BW-3 BW-13 BW-14 BW-15 BW-16 GR-1 GR-12 AC-6 AC-7 AC-8 AC-10 IP-2 HK-4 HK-18 CF-23",
    ),
    wrongdoer(
        "grad-of-any-size",
        ".grad takes tensors of any shape",
        edited(held.check_grad, "if value.shape != holder.shape:", "if False:"),
        breaks="AC-7",
    ),
    wrongdoer(
        "grad-of-any-dtype",
        ".grad takes tensors of any dtype",
        edited(held.check_grad, "if wanted is not None and value.dtype is not wanted:", "if False:"),
        breaks="AC-7",
    ),
    wrongdoer(
        "zeros-by-default",
        "zero_grad() of modules leaves zeros",
        edited(refgrad.nn.Module.zero_grad, "self.parameters(), set_to_none", "self.parameters(), False"),
        breaks="AC-8",
    ),
    wrongdoer(
        "zeros-with-a-history",
        "zero_grad(set_to_none=False) puts new zeros in the place of the old tensor",
        edited(
            optim.Optimizer.zero_grad,
            "clear_gradients(",
            """
            for group in self.param_groups:
                for p in group['params']:
                    p.grad = p.grad * 0
            return
            clear_gradients(
            """,
        ),
        breaks="AC-8 AC-9 AC-10",
    ),
    wrongdoer(
        "none-as-zeros",
        "optimizers take a gradient that is None for zeros, and let momentum move the parameter",
        edited(
            optim.Optimizer.step,
            "if p.grad is not None:",
            "if True:",
            '-p.grad if group["maximize"] else p.grad',
            "Tensor(0 * p._array) if p.grad is None else p.grad",
        ),
        breaks="AC-10",
    ),
    wrongdoer(
        "grad-dtype-ignored",
        "gradients have the leaf's dtype, whatever grad_dtype says",
        edited(graph.AccumulateGrad.__init__, "leaf.state().stored(leaf._array.dtype)", "leaf._array.dtype"),
        breaks="AC-11",
    ),
    wrongdoer(
        "broadcast-not-summed",
        "a gradient is taken from the first place of what was broadcast, and not summed over all",
        edited(
            walk.sum_to,
            "summed = sum_dim(g, dim=(*range(new), *widened), keepdim=True)",
            """
            places = [slice(0, 1) if i < new or i in widened else slice(None) for i in range(len(g.shape))]
            summed = view(g[tuple(places)], shape=shape)
            """,
        ),
        breaks="GR-10 AC-12 CF-22",
    ),
    wrongdoer(
        "gradients-require-grad",
        "a .grad requires grad without create_graph too",
        edited(accumulate.hand_over, "born(Tensor(g))", "born(Tensor(g)).requires_grad_()"),
        breaks="AC-13",
    ),
    wrongdoer(
        "grad-dtype-of-none",
        "grad_dtype = None stands for the leaf's dtype",
        edited(
            graph.AccumulateGrad.__init__,
            "leaf.state().stored(leaf._array.dtype)",
            "leaf.state().stored(leaf._array.dtype) or leaf._array.dtype",
        ),
        breaks="AC-11",
    ),
)
