"""CopySlices: how a base is differentiated through a write to one of its views."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from refgrad.dtypes import Array
from refgrad.graph import FREED, Edge, Extras, Node, next_number
from refgrad.layout import REPEATED, repeats
from refgrad.opnode import OpNode
from refgrad.ops.strided import as_strided, lay_out, place, strides_of, window
from refgrad.tensor import Tensor
from refgrad.views import strided_node


class CopySlices(Node):
    """A write to a view, seen from its base: the base's elements go through but those of the view, which `inner` made.

    inner: the node of the write; None once freed.
    laid: the strides of the base; size, stride, offset: where in its memory the view lies. In elements.
    """

    __slots__ = ("inner", "laid", "offset", "others", "size", "stride")

    def __init__(self, inner: Node, before: Edge | None, base: Array, view: Array) -> None:
        self.inner: Node | None = inner
        self.laid, self.size, self.stride = strides_of(base), view.shape, strides_of(view)
        self.offset = place(view) - place(base) if view.size else 0
        self.others = inner.next_functions[1:]
        node, nr = before or (None, 0)
        self.edges = (node, *inner.edges[1:])
        others = [inner.edge(i) for i in range(1, len(inner.edges))]
        self.extras = Extras((nr, *(0 if edge is None else edge[1] for edge in others)))
        self.shape, self.dtype = base.shape, base.dtype
        self.number = next_number()

    def name(self) -> str:
        """PyTorch's name for it."""
        return "torch::autograd::CopySlices"

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The base's node before the write, then what else was written came from."""
        return (self.edge(0) or (None, 0), *self.others)

    def answers(
        self, gs: Sequence[Any], useful: set[Node] | None, create_graph: bool
    ) -> Iterable[tuple[Edge, Any]]:
        """The cotangent of the base before the write, and those of what was written."""
        if self.inner is None:
            raise RuntimeError(FREED)
        g = gs[0]
        part = self._part(g)
        answers = self._answers_of_inner(part, create_graph)
        first = answers.pop(0)[1] if self.inner.edges[0] is not None else None
        edge = self.edge(0)
        if edge is not None and (useful is None or edge[0] in useful):
            if repeats(self.size, self.stride):
                raise RuntimeError(REPEATED)
            yield edge, self._replaced_tensor(g, first) if create_graph else self._replaced(g, first)
        for behind, ct in answers:
            if useful is None or behind[0] in useful:
                yield behind, ct

    def _answers_of_inner(self, part: Any, create_graph: bool) -> list[tuple[Edge, Any]]:
        """What the write answers. What it saved of its result is, in tensors, a view of what this node made."""
        inner = self.inner
        assert inner is not None
        if not create_graph or not isinstance(inner, OpNode):
            return list(inner.answers([part], None, create_graph))
        base = np.empty(self.shape, self.dtype)
        made = strided_node((self, 0), base, self.laid, self.size, self.stride, self.offset)
        inner.maker = made
        try:
            return list(inner.answers([part], None, create_graph))
        finally:
            del inner.maker

    def _part(self, g: Any) -> Any:
        """The cotangent of the view, from that of the base."""
        part = as_strided(g, laid=self.laid, size=self.size, stride=self.stride, offset=self.offset)
        return part if isinstance(part, Tensor) else part.copy()

    def _replaced(self, g: Array, first: Any) -> Array:
        """`g`, but where the view lies what the write answers."""
        whole = lay_out(g, self.laid)
        part = window(whole, self.size, self.stride, self.offset)
        part[...] = 0 if first is None else sum_like(first, part.shape)
        return whole

    def _replaced_tensor(self, g: Tensor, first: Any) -> Tensor:
        """The same in tensors, by writes that are recorded."""
        from refgrad.ops.shaping import clone

        whole: Any = Tensor(lay_out(np.zeros(g._array.shape, g._array.dtype), self.laid)).copy_(g)
        part = as_strided(whole, laid=self.laid, size=self.size, stride=self.stride, offset=self.offset)
        if first is None:
            part.zero_()
        else:
            part.copy_(clone(first) if isinstance(first, Tensor) else Tensor(np.asarray(first)))
        return whole  # type: ignore[no-any-return]

    def free(self) -> None:
        """Forget what was saved. PyTorch forgets the write too, so that no second pass is possible."""
        if self.inner is not None:
            self.inner.free()
            self.inner = None


def sum_like(ct: Any, shape: tuple[int, ...]) -> Any:
    """What a formula answered, at the shape of what it answers for."""
    from refgrad.walk import sum_to

    ct = np.asarray(ct)
    return ct if ct.shape == shape else sum_to(ct, shape)
