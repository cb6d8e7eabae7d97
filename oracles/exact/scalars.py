"""The chain rule over a graph of scalar nodes in ball arithmetic, to second order.

Each node knows its value, its parents and its slope towards each parent. Second order is forward over reverse: every
ball carries its tangent along the weights of the first gradient, so the reverse sweep's tangent is the gradient of
the weighted gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flint import arb, ctx

from oracles.exact.lowering import Derived

ZERO = arb(0)
ONE = arb(1)
NEAR = arb(2) ** -4000
STEEP = arb(2) ** 1024
"""A slope that, so near, is beyond the range of every dtype goes to infinity."""
JUMP = 0.1
"""A slope known no better than this is a jump: at working precision a smooth one never is."""


class Node:
    """One scalar. `partials` None means that every slope is 1."""

    __slots__ = ("adjoint", "adjoint_tangent", "bends", "parents", "partials", "tangent", "value")

    def __init__(
        self,
        value: arb,
        tangent: arb = ZERO,
        parents: tuple[Node, ...] = (),
        partials: Sequence[arb] | None = None,
        bends: Sequence[arb] | None = None,
    ) -> None:
        self.value = value
        self.tangent = tangent
        self.parents = parents
        self.partials = partials
        self.bends = bends
        self.adjoint: arb | None = None
        self.adjoint_tangent = ZERO


class Truth:
    """The algebra that programs are evaluated in when the truth is wanted.

    `order` 2 carries tangents. At a kink the slope is the contract's choice, and `at_kink` counts it. With `edges`, a
    slope that has no value is the infinity that it goes to, if it does: sound only where operands are exact.
    """

    special: Mapping[str, Any] = MappingProxyType({})
    """No op is special here: all follow their meanings."""

    def __init__(self, order: int, edges: bool = False) -> None:
        self.order = order
        self.edges = edges
        self.nodes: list[Node] = []
        self.at_kink = 0

    def leaf(self, value: float, tangent: float = 0.0) -> Node:
        """An input element, exact, with its tangent."""
        return self._keep(Node(arb(value), arb(tangent)))

    def constant(self, value: float | arb) -> Node:
        """A number that nothing is differentiated by. Its tangent is `ZERO` itself."""
        return Node(arb(value))

    def _keep(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def call(self, op: str, f: Derived, *xs: Node) -> Node:
        """Apply an elementwise op by its derived meaning."""
        values = [x.value for x in xs]
        partials = [p(*values) for p in f.partials]
        if self.edges and not all(arb(p).is_finite() for p in partials):
            partials = [_limit(f, values, i, p) for i, p in enumerate(partials)]
        if f.stepped:
            partials = self._decide(partials)
        if f.edges:  # the meaning says which branch a border belongs to; another choice is a convention
            self.at_kink += any(arb(edge(*values)).contains(0) for edge in f.edges)
        value = arb(f.value(*values))
        if not value.is_finite():  # outside the domain a formula for the slope may still give a number
            partials = [p if arb(p).is_exact() and not arb(p).is_finite() else arb("nan") for p in partials]
        node = Node(value, ZERO, xs, partials)
        if self.order == 2:
            node.tangent = _dot(partials, [x.tangent for x in xs])
            node.bends = [_dot([s(*values) for s in row], [x.tangent for x in xs]) for row in f.seconds]
        return self._keep(node)

    def _decide(self, partials: list[arb]) -> list[arb]:
        chosen = [least(p) if arb(p).rad() > JUMP else p for p in partials]
        if any(c is not p for c, p in zip(chosen, partials, strict=True)):
            self.at_kink += 1
        return chosen

    def add(self, xs: Sequence[Node]) -> Node:
        """The sum of any number of nodes."""
        if len(xs) == 1:
            return xs[0]
        value, tangent = ZERO, ZERO
        for x in xs:
            value += x.value
            tangent += x.tangent
        return self._keep(Node(value, tangent, tuple(xs)))

    def neg(self, x: Node) -> Node:
        """-x."""
        return self._keep(Node(-x.value, -x.tangent, (x,), (-ONE,), (ZERO,)))

    def mul(self, a: Node, b: Node) -> Node:
        """The product of two nodes."""
        node = Node(a.value * b.value, ZERO, (a, b), (b.value, a.value))
        if self.order == 2:
            node.tangent = a.tangent * b.value + a.value * b.tangent
            node.bends = (b.tangent, a.tangent)
        return self._keep(node)

    def dot(self, a: Sequence[Node], b: Sequence[Node]) -> Node:
        """The inner product of two equally long sequences; of empty ones, 0."""
        products = [self.mul(x, y) for x, y in zip(a, b, strict=True)]
        return self.add(products) if products else self.constant(0)

    def sub(self, a: Node, b: Node) -> Node:
        """a - b."""
        return self._keep(Node(a.value - b.value, a.tangent - b.tangent, (a, b), (ONE, -ONE), (ZERO, ZERO)))

    def div(self, a: Node, b: Node) -> Node:
        """a / b."""
        y, r = a.value / b.value, 1 / b.value
        node = Node(y, ZERO, (a, b), (r, -y * r))
        if self.order == 2:
            node.tangent = (a.tangent - y * b.tangent) * r
            dr = -b.tangent * r * r
            node.bends = (dr, -(node.tangent * r + y * dr))
        return self._keep(node)

    def largest(self, xs: Sequence[Node], share: bool) -> Node:
        """The maximum. At a tie the slope is shared evenly (`share`), or goes to the first of the tied."""
        value = xs[0].value
        for x in xs[1:]:
            value = arb.max(value, x.value)
        tied = [x.value.overlaps(value) for x in xs]
        count = sum(tied)
        self.at_kink += count > 1
        if share:
            partials = [ONE / count if t else ZERO for t in tied]
        else:
            partials = [ONE if i == tied.index(True) else ZERO for i in range(len(xs))]
        node = Node(value, ZERO, tuple(xs), partials, [ZERO] * len(xs))
        if self.order == 2:
            node.tangent = _dot(partials, [x.tangent for x in xs])
        return self._keep(node)

    def is_zero(self, x: Node) -> bool:
        """Whether the node is 0 and nothing else."""
        return bool(x.value == 0)

    def tip(self, xs: Sequence[Node]) -> Node:
        """The length of a vector of zeros: at the tip of the cone the slope is 0, and there is no second derivative."""
        self.at_kink += 1
        nothing = [arb("nan")] * len(xs)
        node = Node(ZERO, ZERO, tuple(xs), [ZERO] * len(xs), nothing)
        if self.order == 2:
            node.tangent = nothing[0]
        return self._keep(node)

    def nominal(self, x: Node) -> float:
        """A float near the node's value, for decisions that do not change the result (the choice of a pivot)."""
        return float(x.value.mid())

    def sweep(self, outputs: Sequence[Node], cotangents: Sequence[float]) -> None:
        """Fill `adjoint` (and `adjoint_tangent`) of every node that the outputs depend on."""
        for node, g in zip(outputs, cotangents, strict=True):
            node.adjoint = arb(g) if node.adjoint is None else node.adjoint + arb(g)
        second = self.order == 2
        for node in reversed(self.nodes):
            bar = node.adjoint
            if bar is None or not node.parents:
                continue
            dot = node.adjoint_tangent
            for i, parent in enumerate(node.parents):
                p = node.partials[i] if node.partials is not None else None
                step = bar if p is None else p * bar
                parent.adjoint = step if parent.adjoint is None else parent.adjoint + step
                if second:
                    bend = dot if p is None else p * dot
                    if node.bends is not None:
                        bend = bend + node.bends[i] * bar
                    parent.adjoint_tangent = parent.adjoint_tangent + bend


def _limit(f: Derived, values: Sequence[arb], place: int, slope: arb) -> arb:
    """The infinity to which a slope without a value goes, from each side where the function has a value."""
    if arb(slope).is_finite():
        return slope
    before, ctx.prec = ctx.prec, 9000
    try:
        sides = [[v + h if n == place else v for n, v in enumerate(values)] for h in (NEAR, -NEAR)]
        slopes = [arb(f.partials[place](*near)) for near in sides if arb(f.value(*near)).is_finite()]
    finally:
        ctx.prec = before
    if slopes and all(s > STEEP for s in slopes):
        return arb("inf")
    return arb("-inf") if slopes and all(s < -STEEP for s in slopes) else slope


def least(ball: arb) -> arb:
    """The element of a ball that is nearest to zero: the minimum-norm choice among the slopes at a kink."""
    ball = arb(ball)
    if ball.contains(0):
        return ZERO
    lower, upper = ball.lower(), ball.upper()
    return lower if ball > 0 else upper


def _dot(a: Sequence[Any], b: Sequence[arb]) -> arb:
    total = ZERO
    for x, y in zip(a, b, strict=True):
        if y is not ZERO:  # a slope may be infinite towards a constant, whose tangent is ZERO itself
            total += x * y
    return total
