"""The node of a custom Function: what `ctx` is to the walk.

The node and `ctx` are two objects that answer for each other, because users hang whatever they like on `ctx`
(`ctx.shape = x.shape`), and the walk reads `shape` of a node.
"""

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from refgrad.graph import FREED, Edge, Extras, Meta, Node, next_number
from refgrad.modes import mode
from refgrad.record import SAVED_INFERENCE
from refgrad.tensor import Tensor
from refgrad.versions import Version, check_tensor, version_of

if TYPE_CHECKING:
    from refgrad.customctx import BackwardCFunction

NOTHING: Final[Meta] = ((), np.dtype(np.float32))
"""Stands for an output that is no tensor."""


def metas_of(outputs: Sequence[Any]) -> tuple[Meta, ...]:
    """The shape and dtype of each output."""
    return tuple((y._array.shape, y._array.dtype) if isinstance(y, Tensor) else NOTHING for y in outputs)


class FunctionNode(Node):
    """One application of a custom Function.

    ctx: what its methods are given.
    edges: one for each argument that is a tensor; `places` says which arguments those are.
    kinds: for each output whether it is a tensor.
    """

    __slots__ = ("__weakref__", "arguments", "ctx", "kinds", "places")
    run: ClassVar[Callable[..., Any]]  # what the Function's `backward` returns; set by `refgrad.function`

    def __init__(self, ctx: "BackwardCFunction", arguments: int, places: Sequence[int]) -> None:
        self.ctx = ctx
        self.arguments = arguments
        self.places = tuple(places)
        self.kinds: tuple[bool, ...] = ()
        self.edges = ()
        self.number = next_number()
        self.extras = Extras()

    def lead_to(self, edges: Sequence[Edge | None]) -> None:
        """Set the edges, one for each argument that is a tensor."""
        assert self.extras is not None
        self.edges = tuple(edge and edge[0] for edge in edges)
        self.extras.ports = tuple(edge[1] if edge else 0 for edge in edges)

    def answer_for(self, outputs: Sequence[Any]) -> None:
        """Note the shape and dtype of each output."""
        assert self.extras is not None
        self.extras.metas = metas_of(outputs)
        self.kinds = tuple(isinstance(y, Tensor) for y in outputs)
        self.shape, self.dtype = next(iter(self.extras.metas), NOTHING)

    def answers(
        self, gs: Sequence[Any], useful: set[Node] | None, create_graph: bool
    ) -> Iterable[tuple[Edge, Any]]:
        """What the Function's `backward` returns, each with its edge; None where it returns None.

        Raises RuntimeError, in PyTorch's words, for a wrong number, type or shape of gradients.
        """
        returned = self.run(self.ctx, self._given(gs))
        returned = self._one_for_each(returned if isinstance(returned, tuple) else (returned,))
        for position, g in enumerate(returned):
            if position not in self.places and g is not None:
                raise RuntimeError(
                    f"function {self.name()} returned a gradient different than None at position "
                    f"{position + 1}, but the corresponding forward input was not a Variable"
                )
            if g is not None and not isinstance(g, Tensor):
                raise RuntimeError(f"expected Variable or None (got {type(g).__name__})")
        for index, place in enumerate(self.places):
            edge, g = self.edge(index), returned[place]
            if edge is None or (useful is not None and edge[0] not in useful):
                continue
            if g is not None:
                self._check(index, g._array.shape, edge[0].metas[edge[1]][0])
                g = g if create_graph else g._array
            yield edge, g

    def _given(self, gs: Sequence[Any]) -> list[Any]:
        """The cotangents as `backward` is to get them: tensors, zeros or None where none arrived."""
        given: list[Any] = []
        for g, tensor, (shape, stored) in zip(gs, self.kinds, self.metas, strict=True):
            if g is None and tensor and self.ctx.materialize_grads:
                g = np.zeros(shape, stored)
            given.append(Tensor(g) if isinstance(g, np.ndarray) else g)
        return given

    def _one_for_each(self, returned: tuple[Any, ...]) -> tuple[Any, ...]:
        """One gradient for each argument: superfluous Nones at the end are left out."""
        count = len(returned)
        if count > self.arguments and all(g is None for g in returned[self.arguments :]):
            returned = returned[: self.arguments]
        if len(returned) != self.arguments:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients "
                f"(expected {self.arguments}, got {count})"
            )
        return returned

    def _check(self, index: int, found: tuple[int, ...], shape: tuple[int, ...]) -> None:
        """RuntimeError unless a gradient of the shape `found` can be summed to the argument's."""
        spare = len(found) - len(shape)
        if spare < 0 or any(n not in (1, m) for n, m in zip(shape, found[spare:], strict=True)):
            raise RuntimeError(
                f"Function {self.name()} returned an invalid gradient at index {index} - got {list(found)} "
                f"but expected shape compatible with {list(shape)}"
            )

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{self.name()} object at {id(self):#x}>"

    def free(self) -> None:
        """Forget the saved tensors."""
        self.ctx._forget(FREED)

    def __getattr__(self, name: str) -> Any:
        """What users have hung on `ctx`, and `saved_tensors` and its like."""
        if name != "ctx" and not name.startswith("__"):  # `ctx` is missing only while the node is made
            ctx = self.ctx
            if name in ctx.__dict__ or hasattr(type(ctx), name):
                return getattr(ctx, name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


class Error(Node):
    """Stands in the graph where differentiating again is an error."""

    __slots__ = ("message",)

    def __init__(self, message: str, outputs: Sequence[Any]) -> None:
        self.message = message
        self.edges = ()
        self.number = next_number()
        self.extras = Extras(None, metas_of(outputs))
        self.shape, self.dtype = self.metas[0]

    def name(self) -> str:
        """PyTorch's name for it."""
        return "torch::autograd::Error"

    def answers(
        self, gs: Sequence[Any], useful: set[Node] | None, create_graph: bool
    ) -> Iterable[tuple[Edge, Any]]:
        """Nothing: raises RuntimeError."""
        raise RuntimeError(self.message)


class Kept:
    """A tensor that `ctx` has saved: itself, or for an output of the node its array, to be made anew."""

    __slots__ = ("array", "nr", "owner", "since", "tensor", "version")

    def __init__(self, t: Tensor, node: FunctionNode) -> None:
        if t.is_inference():
            raise RuntimeError(SAVED_INFERENCE)
        own = t._node is node
        self.tensor: Tensor | None = None if own else t
        self.array, self.nr = t._array, t._nr
        self.owner = weakref.ref(node) if own else None
        self.version: Version | None = version_of(t) if own else None
        self.since = next_number()

    def unpacked(self) -> Tensor:
        """The tensor; RuntimeError if it was written to since."""
        if self.tensor is not None:
            check_tensor(self.tensor, self.since)
            return self.tensor
        assert self.owner is not None
        made = Tensor(self.array, self.owner(), self.nr)
        made.state().version = self.version
        check_tensor(made, self.since)
        return made if mode.level is None else mode.level.restore(made)
