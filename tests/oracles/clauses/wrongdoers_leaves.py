"""Wrongdoers on requires_grad, leaves, detach, and what is recorded, made of the engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import refgrad
from refgrad import factories, graph, held, views, walk
from refgrad.tensor import Tensor

from .wrongdoers_kit import Install, Wrongdoer, edited, swapped, wrongdoer


def around(method: str, wrong: Callable[[Callable[..., Any], Tensor, Any], Any]) -> Install:
    """The fault of a binary method of tensors; `wrong` is given the right one and the operands."""
    right = getattr(Tensor, method)
    return swapped(Tensor, **{method: lambda self, other: wrong(right, self, other)})


def requiring(right: Callable[..., Any], a: Tensor, b: Any) -> Any:
    """A result that requires grad, recorded or not."""
    made = right(a, b)
    return made if made.requires_grad or not made.is_floating_point() else made.requires_grad_()


def by_the_first(right: Callable[..., Any], a: Tensor, b: Any) -> Any:
    """A result that is recorded if the first operand requires grad."""
    made = right(a, b)
    return made if a.requires_grad else made.detach()


def retaining(right: Callable[..., Any], a: Tensor, b: Any) -> Any:
    """A result that retains its gradient unasked."""
    made = right(a, b)
    if made.grad_fn is not None:
        made.retain_grad()
    return made


@contextmanager
def traced_once() -> Iterator[None]:
    """The fault of recording what a place in the program does when it is run first, and never again."""
    right, recorded = Tensor.__mul__, {}

    def wrong(self: Tensor, other: Any) -> Any:
        made, caller = right(self, other), sys._getframe(1)
        place = (id(caller), caller.f_lasti)
        made._node = recorded.setdefault(place, (made._node, caller))[0]
        return made

    with swapped(Tensor, __mul__=wrong)():
        yield


LEAVES: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "parameters-frozen",
        "an nn.Parameter requires no grad unless asked to",
        swapped(refgrad.nn, Parameter=lambda data, requires_grad=False: data),
        breaks="RG-1",
    ),
    wrongdoer(
        "products-require-grad",
        "a product requires grad even if both factors are constants",
        around("__mul__", requiring),
        breaks="RG-2 BW-5 GM-1 GM-2 GM-3 GM-4 GM-5 GM-10 CF-1 SH-6 FW-7",
    ),
    wrongdoer(
        "first-operand-decides",
        "a sum is recorded if its first operand requires grad, whatever the second does",
        around("__add__", by_the_first),
        breaks="RG-3",
    ),
    wrongdoer(
        "constants-are-no-leaves",
        "a tensor that requires no grad is no leaf",
        swapped(Tensor, is_leaf=property(lambda self: self.requires_grad and self.grad_fn is None)),
        breaks="RG-4 RG-12",
    ),
    wrongdoer(
        "fills-products",
        "backward fills .grad of products, not of leaves alone",
        around("__mul__", retaining),
        breaks="RG-5 RG-6 GR-9",
    ),
    wrongdoer(
        "silent-on-results",
        "reading .grad of a result does not warn",
        edited(held._grad, "warnings.warn(NON_LEAF_GRAD, UserWarning, stacklevel=2)", "pass"),
        breaks="RG-6",
    ),
    wrongdoer(
        "results-switched-off",
        "turning requires_grad off on a result is passed over in silence",
        edited(
            Tensor.requires_grad.fset, "if wanted and self._node is not None:", "if self._node is not None:"
        ),
        breaks="RG-7",
    ),
    wrongdoer(
        "integers-require-grad",
        "requires_grad_() takes integers too",
        edited(Tensor.requires_grad.fset, "not is_continuous(self._array.dtype)", "False"),
        breaks="RG-8",
    ),
    wrongdoer(
        "requires-grad-on-a-copy",
        "requires_grad_() sets the flag and returns another tensor over the same elements",
        edited(
            Tensor.requires_grad_,
            "return self",
            "return self if self.grad_fn else Tensor(self._array)._flagged(requires_grad)",
        ),
        swapped(Tensor, _flagged=lambda self, wanted: setattr(self, "requires_grad", wanted) or self),
        breaks="RG-9",
    ),
    wrongdoer(
        "detach-copies",
        "detach() gives a copy that shares no memory",
        edited(
            views.detach,
            "return made",
            """
            made._array = made._array.copy()
            return made
            """,
        ),
        breaks="RG-10",
    ),
    wrongdoer(
        "detach-keeps-requiring",
        "what detach() gives requires grad if the original did",
        edited(
            views.detach,
            "return made",
            """
            made.state().requires_grad = self.requires_grad
            return made
            """,
        ),
        breaks="RG-7 RG-10 RG-11 RG-17 FN-4",
    ),
    wrongdoer(
        "detach-counts-alone",
        "what detach() gives counts its writes by itself",
        edited(views.detach, "made.state().version = version_of(self)", "pass"),
        breaks="RG-11",
    ),
    wrongdoer(
        "views-detached-in-place",
        "detach_() takes views",
        edited(views.detach_, "if state.view is not None:", "if False:"),
        breaks="RG-12",
    ),
    wrongdoer(
        "detached-in-place-elsewhere",
        "detach_() leaves the tensor as it is and returns a detached one",
        edited(
            views.detach_,
            "state = self.state()",
            """
            return self.detach()
            state = self.state()
            """,
        ),
        breaks="RG-12 AC-9 IP-16",
    ),
    wrongdoer(
        "data-counts-writes",
        "a write through x.data is counted and noticed",
        swapped(Tensor, data=property(lambda self: self.detach(), views._set_data)),
        breaks="RG-15",
    ),
    wrongdoer(
        "factories-obey-no-grad",
        "a factory that is asked for requires_grad=True within no_grad ignores it",
        edited(
            factories.made,
            "if requires_grad:",
            """
            from refgrad.modes import mode
            if requires_grad and mode.enabled:
            """,
        ),
        breaks="RG-16",
    ),
    wrongdoer(
        "numpy-in-spite-of-grad",
        "numpy() gives the array of what requires grad",
        edited(Tensor.numpy, "if self.requires_grad:", "if False:"),
        breaks="RG-17",
    ),
    wrongdoer(
        "traced-once",
        "what a line of the program does is recorded when it is run first, and taken from there when it is run again",
        traced_once,
        breaks="ND-14 BW-20 IP-5",
    ),
    wrongdoer(
        "frozen-still-filled",
        "a leaf that has taken part in a graph goes on receiving gradients after requires_grad_(False)",
        edited(graph.leaf_node, "not state.requires_grad", "not (state.requires_grad or state.accumulator)"),
        edited(walk._accumulate, "wanted = leaf.requires_grad", "wanted = True"),
        breaks="RG-14",
    ),
    wrongdoer(
        "bools-require-grad",
        "requires_grad_() refuses integers, and takes bools",
        edited(
            Tensor.requires_grad.fset,
            "not is_continuous(self._array.dtype)",
            "self._array.dtype.kind in 'iu'",
        ),
        breaks="RG-8",
    ),
)
