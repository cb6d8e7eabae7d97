"""Forward-mode differentiation: a dual tensor carries its tangent with it.

There is no second set of formulas. An op's vector-Jacobian product is linear in its cotangent, so the product of that
with the tangents, differentiated by the cotangent, is the Jacobian times the tangents.
"""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ContextDecorator, contextmanager
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from refgrad.backward import grad
from refgrad.dtypes import is_continuous
from refgrad.graph import Node, leaf_node
from refgrad.modes import enable_grad, is_grad_enabled, mode, set_level
from refgrad.op import Op
from refgrad.ops.shaping import clone, view
from refgrad.ops.strided import as_strided, place, strides_of
from refgrad.record import apply
from refgrad.tensor import Tensor
from refgrad.walk import sum_to

__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "unpack_dual",
]


class Tangent:
    """The tangent of one tensor, for as long as its level is open."""

    __slots__ = ("__weakref__", "level", "tensor")

    def __init__(self, level: "Level", tensor: Tensor) -> None:
        self.level = level
        self.tensor: Tensor | None = tensor


class Level:
    """What is known while a dual level is open: which tensors have a tangent.

    outputs: the tangents of what nodes have made, as a node that saves its output makes the tensor anew.
    """

    def __init__(self) -> None:
        self.tangents: weakref.WeakSet[Tangent] = weakref.WeakSet()
        self.outputs: dict[tuple[Node, int], Tensor] = {}

    def of(self, x: Any) -> Tensor | None:
        """The tangent of `x`, if it is a tensor that has one."""
        state = x._state if isinstance(x, Tensor) and not mode.inference else None
        held = None if state is None else state.tangent
        return held.tensor if held is not None and held.level is self else None

    def give(self, x: Tensor, tangent: Tensor) -> None:
        """Let `x` have this tangent, unless the mode is one in which nothing has."""
        if mode.inference:
            return
        held = Tangent(self, tangent)
        self.tangents.add(held)
        x.state().tangent = held
        if x._node is not None:
            self.outputs[x._node, x._nr] = tangent

    def restore(self, x: Tensor) -> Tensor:
        """`x`, an output that its node has made anew, with the tangent that the output had."""
        tangent = None if x._node is None else self.outputs.get((x._node, x._nr))
        if tangent is not None:
            self.give(x, tangent)
        return x

    def cut_off(self, x: Tensor) -> Tensor:
        """The same elements and tangent, cut off the graph."""
        made: Tensor = x.detach()
        tangent = self.of(x)
        if tangent is not None:
            self.give(made, tangent.detach())
        return made

    def written(self, target: Tensor, made: Tensor) -> None:
        """The elements of `made` were written over `target`: so is the tangent, which views of it share."""
        tangent, own = self.of(made), self.of(target)
        if tangent is None and own is None:
            return
        with suspended():
            if own is None:
                own = self._zero(target)
            if tangent is None:
                own.zero_()
            else:
                own.copy_(tangent)
        self.give(target, own)

    def turned(self, target: Tensor, made: Tensor) -> None:
        """`target` itself has the shape of `made` now; so has its tangent."""
        tangent = self.of(made)
        if tangent is not None:
            self.give(target, tangent)

    def _zero(self, target: Tensor) -> Tensor:
        """A tangent of zeros; that of a view is a view of its base's."""
        view = None if target._state is None else target._state.view
        if view is None:
            zeros = Tensor(np.zeros_like(target._array))
            self.give(target, zeros)
            return zeros
        base, array = view.base, target._array
        whole = self.of(base) or self._zero(base)
        offset = place(array) - place(base._array) if array.size else 0
        settings = {"size": array.shape, "stride": strides_of(array), "offset": offset}
        own: Tensor = apply(as_strided, (whole,), {"laid": strides_of(base._array), **settings})
        self.give(target, own)
        return own

    def close(self) -> None:
        """Let go of all tangents."""
        for held in self.tangents:
            held.tensor = None
        self.outputs.clear()

    def push(
        self, op: Op, inputs: Sequence[Any], settings: Mapping[str, Any], outputs: Sequence[Tensor]
    ) -> None:
        """Give the outputs of an op the tangents that follow from those of its inputs, if any has one."""
        tangents = [self.of(x) for x in inputs]
        if not op.lists:
            tangents = [t if able else None for t, able in zip(tangents, op.has_formula, strict=True)]
        places = [i for i, y in enumerate(outputs) if is_continuous(y._array.dtype)]
        if not op.many:
            places = [i for i in places if i in op.binding.cotangents]
        if not places or all(t is None for t in tangents):
            return
        refuse_complex(*inputs, *outputs)
        with suspended():
            if len(inputs) == 1 and np.may_share_memory(outputs[0]._array, inputs[0]._array):
                moved = apply(op, tangents, settings)  # the outputs are views, and so are their tangents
                found = list(moved) if isinstance(moved, tuple) else [moved]
            else:
                found = products(op, inputs, settings, tangents)
        for nr in places:
            self.give(outputs[nr], found[nr])


@contextmanager
def suspended() -> Iterator[None]:
    """Within it tensors have no tangents."""
    level = set_level(None)
    try:
        yield
    finally:
        set_level(level)


def products(
    op: Op, inputs: Sequence[Any], settings: Mapping[str, Any], tangents: Sequence[Tensor | None]
) -> list[Any]:
    """The Jacobian of an op times `tangents`, for each output; recorded where its inputs and the tangents are.

    An input with a tangent is taken through an edge of its own, so that what the node answers can be told apart.
    """
    recorded = is_grad_enabled() and any(
        x.requires_grad for x in (*inputs, *tangents) if isinstance(x, Tensor)
    )
    with enable_grad(), np.errstate(all="ignore"):
        own = [x if t is None else _own(x, recorded) for x, t in zip(inputs, tangents, strict=True)]
        made = apply(op, own, settings)
        outputs = list(made) if isinstance(made, tuple) else [made]
        node = next(y._node for y in outputs if y._node is not None)
        us = [Tensor(np.zeros(*meta)).requires_grad_() for meta in node.metas]
        ends = {_end(x): t for x, t in zip(own, tangents, strict=True) if t is not None}
        answers = [
            (_fitted(ct, end.metas[nr][0]), ends[end]) for (end, nr), ct in node.answers(us, set(ends), True)
        ]
    live = [
        (ct, t) for ct, t in answers if ct.requires_grad
    ]  # a derivative that is zero forgets its cotangent
    gs: Sequence[Any] = (None,) * len(us)
    if live:
        cts, ts = zip(*live, strict=True)
        gs = grad(cts, us, ts, create_graph=recorded, allow_unused=True)
    zeroed = [Tensor(np.zeros(*meta)) if g is None else g for g, meta in zip(gs, node.metas, strict=True)]
    return [zeroed[y._nr] if y._node is node else None for y in outputs]


def _fitted(ct: Any, shape: tuple[int, ...]) -> Tensor:
    """What a formula answered as a tensor of the shape of its input."""
    made: Tensor = ct if isinstance(ct, Tensor) else Tensor(np.asarray(ct))
    return made if made._array.shape == shape else sum_to(made, shape)


def _own(x: Tensor, recorded: bool) -> Tensor:
    """`x` with an edge of its own: leading on to `x` where that is recorded, else a leaf."""
    if recorded and x.requires_grad:
        made: Tensor = view(x, shape=x._array.shape)
        return made
    return Tensor(x._array).requires_grad_()


def _end(x: Tensor) -> Node:
    """The node at the end of the edge of `x`."""
    node = x._node or leaf_node(x)
    assert node is not None
    return node


class UnpackedDualTensor(NamedTuple):
    """A tensor and its tangent, None if it has none."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Open a dual level in this thread and return its number; RuntimeError if one is open."""
    if mode.level is not None:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    set_level(Level())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the dual level, and forget all tangents; RuntimeError if it is not the one that is open."""
    current = -1 if mode.level is None else 0
    if level is not None and level != current:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not "
            "supported."
        )
    if mode.level is None:
        raise RuntimeError("Dual level must be a positive number.")
    set_level(None).close()


class dual_level(ContextDecorator):  # noqa: N801 (PyTorch's name)
    """Within it tensors can have tangents, and ops compute those of their results."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        exit_dual_level()


def refuse_complex(*tensors: Any) -> None:
    """NotImplementedError if one of the tensors is complex."""
    if any(isinstance(x, Tensor) and x._array.dtype.kind == "c" for x in tensors):
        raise NotImplementedError("forward mode is not implemented for complex numbers here")


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A view of `tensor` that has `tangent`: that very tensor, or where its layout differs a copy.

    Raises ValueError unless both are floating point, RuntimeError if their sizes differ or no level is open.
    """
    current = mode.level
    if current is None and (level is None or level < 0):
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    refuse_complex(tensor, tangent)
    for name, each in (("primal", tensor), ("tangent", tangent)):
        if not each.is_floating_point():
            raise ValueError(f"Expected {name} to be floating point or complex, but got: {each.dtype}")
    if current is None or level not in (None, 0):
        raise RuntimeError("Invalid level given to _make_dual")
    if current.of(tensor) is not None:
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level 0 is "
            "not supported."
        )
    if current.of(tangent) is not None:
        raise RuntimeError(
            "Setting a forward grad that itself has a forward gradient at the same level0 is not supported."
        )
    with suspended():
        dual: Tensor = view(tensor, shape=tensor._array.shape)
        set_tangent(current, dual, tangent)
    return dual


def set_tangent(level: Level, x: Tensor, tangent: Tensor) -> None:
    """Let `x` have this tangent, copied if its layout differs; RuntimeError if its size does."""
    if tangent.shape != x.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this "
            f"is not supported. Tensor is of size {list(x.shape)} while the given forward gradient is of size "
            f"{list(tangent.shape)}."
        )
    if tangent.stride() != x.stride():
        copied: Tensor = clone(tangent)
        laid_out = np.empty_like(x._array, dtype=copied._array.dtype)
        np.copyto(laid_out, copied._array)
        copied._array = laid_out
        tangent = copied
    level.give(x, tangent)


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """A view of `tensor` without its tangent, and the tangent; None outside a level, and where there is none."""
    current = mode.level
    if current is None or (level is not None and level < 0):
        return UnpackedDualTensor(tensor, None)
    with suspended():
        return UnpackedDualTensor(view(tensor, shape=tensor._array.shape), current.of(tensor))
