"""The chain rule over a tape of scalar nodes in ball arithmetic, to second order.

Each block of the tape knows its results, their parents and the slope of each towards each. Second order is forward
over reverse: every ball carries its tangent along the weights of the first gradient, so the reverse sweep's tangent
is the gradient of the weighted gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from operator import add
from types import MappingProxyType
from typing import Any

from flint import arb, ctx

from oracles.exact.lowering import Derived
from oracles.exact.tape import (
    ZERO,
    Block,
    Column,
    Constant,
    Elementwise,
    Node,
    Product,
    Running,
    Weighted,
    is_constant,
)

ONE = arb(1)
NEAR = arb(2) ** -4000
STEEP = arb(2) ** 1024
"""A slope that, so near, is beyond the range of every dtype goes to infinity."""
JUMP = 0.1
"""A slope known no better than this is a jump: at working precision a smooth one never is."""


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
        self.blocks: list[Block] = []
        self.at_kink = 0

    def enter(self, step: int) -> None:
        """What follows is the work of this step of the program, which makes no difference to its truth."""

    def leaf(self, value: float, tangent: float = 0.0) -> Node:
        """An input element, exact, with its tangent."""
        return Node(arb(value), arb(tangent))

    def constant(self, value: float | arb) -> Node:
        """A number that nothing is differentiated by. Its tangent is `ZERO` itself."""
        return Constant(arb(value))

    def _keep(
        self,
        node: Node,
        parents: Column,
        partials: Sequence[arb] | None = None,
        bends: Sequence[arb] | None = None,
    ) -> Node:
        self.blocks.append(Weighted(node, parents, partials, bends))
        return node

    def call(self, op: str, f: Derived, *xs: Node) -> Node:
        """Apply an elementwise op, by its derived meaning, to scalars."""
        (made,) = self.each(op, f, [[x] for x in xs])
        return made

    def each(self, op: str, f: Derived, columns: Sequence[Column]) -> list[Node]:
        """Apply an elementwise op, by its derived meaning, in each row of these columns."""
        values = [[x.value for x in column] for column in columns]
        partials = [p.over(values) for p in f.partials]
        if self.edges:
            points = list(zip(*values, strict=True))
            partials = [
                [_limit(f, point, i, p) for point, p in zip(points, column, strict=True)]
                for i, column in enumerate(partials)
            ]
        if f.stepped:
            rows = [self._decide(row) for row in zip(*partials, strict=True)]
            partials = [list(column) for column in zip(*rows, strict=True)]
        for (
            edge
        ) in f.edges:  # the meaning says which branch a border belongs to; another choice is a convention
            self.at_kink += sum(arb(gap).contains(0) for gap in edge.over(values))
        balls = [v if type(v) is arb else arb(v) for v in f.value.over(values)]
        if all(map(is_constant, columns)):
            return list(map(Constant, balls))
        if not all([ball.is_finite() for ball in balls]):  # noqa: C419 - a generator takes half as long again
            partials = [
                [p if ball.is_finite() else _outside(p) for p, ball in zip(column, balls, strict=True)]
                for column in partials
            ]
        results = list(map(Node, balls))
        made = Elementwise(results, columns, partials)
        if self.order == 2:
            tangents = [None if is_constant(column) else [x.tangent for x in column] for column in columns]
            for node, tangent in zip(results, _along(partials, tangents, len(results)), strict=True):
                node.tangent = tangent
            made.bends = [
                None if own is None else _along([s.over(values) for s in row], tangents, len(results))
                for row, own in zip(f.seconds, tangents, strict=True)
            ]
        self.blocks.append(made)
        return results

    def _decide(self, partials: Sequence[arb]) -> list[arb]:
        chosen = [least(p) if arb(p).rad() > JUMP else p for p in partials]
        if any(c is not p for c, p in zip(chosen, partials, strict=True)):
            self.at_kink += 1
        return chosen

    def add(self, xs: Sequence[Node]) -> Node:
        """The sum of any number of nodes."""
        if len(xs) == 1:
            return xs[0]
        value = sum((x.value for x in xs), ZERO)
        tangent = sum((x.tangent for x in xs), ZERO) if self.order == 2 else ZERO
        return self._keep(Node(value, tangent), xs)

    def running(self, xs: Sequence[Node]) -> list[Node]:
        """The sums of a line up to each of its elements."""
        value, tangent, results = ZERO, ZERO, []
        for x in xs:
            value, tangent = value + x.value, tangent + x.tangent
            results.append(Node(value, tangent))
        self.blocks.append(Running(results, xs))
        return results

    def neg(self, x: Node) -> Node:
        """-x."""
        return self._keep(Node(-x.value, -x.tangent), (x,), (-ONE,), (ZERO,))

    def mul(self, a: Node, b: Node) -> Node:
        """The product of two nodes."""
        tangent = a.tangent * b.value + a.value * b.tangent if self.order == 2 else ZERO
        return self._keep(
            Node(a.value * b.value, tangent), (a, b), (b.value, a.value), (b.tangent, a.tangent)
        )

    def dot(self, a: Sequence[Node], b: Sequence[Node]) -> Node:
        """The inner product of two equally long sequences; of empty ones, 0."""
        products = [self.mul(x, y) for x, y in zip(a, b, strict=True)]
        return self.add(products) if products else self.constant(0)

    def matmul(self, a: Column, b: Column, shape: tuple[int, int, int]) -> list[Node]:
        """The product of two row-major matrices, of shapes (n, k) and (k, m) for a `shape` (n, k, m)."""
        made = Product(a, b, shape)
        tangents = made.tangents() if self.order == 2 else repeat(ZERO)
        made.results = list(map(Node, made.values(), tangents))
        self.blocks.append(made)
        return list(made.results)

    def sub(self, a: Node, b: Node) -> Node:
        """a - b."""
        return self._keep(Node(a.value - b.value, a.tangent - b.tangent), (a, b), (ONE, -ONE), (ZERO, ZERO))

    def div(self, a: Node, b: Node) -> Node:
        """a / b."""
        y, r = a.value / b.value, 1 / b.value
        if self.order == 1:
            return self._keep(Node(y), (a, b), (r, -y * r))
        tangent = (a.tangent - y * b.tangent) * r
        dr = -b.tangent * r * r
        return self._keep(Node(y, tangent), (a, b), (r, -y * r), (dr, -(tangent * r + y * dr)))

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
        tangent = _dot(partials, [x.tangent for x in xs]) if self.order == 2 else ZERO
        return self._keep(Node(value, tangent), tuple(xs), partials, [ZERO] * len(xs))

    def is_zero(self, x: Node) -> bool:
        """Whether the node is 0 and nothing else."""
        return bool(x.value == 0)

    def tip(self, xs: Sequence[Node]) -> Node:
        """The length of a vector of zeros: at the tip of the cone the slope is 0, and there is no second derivative."""
        self.at_kink += 1
        nothing = [arb("nan")] * len(xs)
        tangent = nothing[0] if self.order == 2 else ZERO
        return self._keep(Node(ZERO, tangent), tuple(xs), [ZERO] * len(xs), nothing)

    def nominal(self, x: Node) -> float:
        """A float near the node's value, for decisions that do not change the result (the choice of a pivot)."""
        return float(x.value.mid())

    def sweep(self, outputs: Sequence[Node], cotangents: Sequence[float]) -> None:
        """Fill `adjoint` (and `adjoint_tangent`) of every node that the outputs depend on."""
        for node, g in zip(outputs, cotangents, strict=True):
            node.adjoint = arb(g) if node.adjoint is None else node.adjoint + arb(g)
        for block in reversed(self.blocks):
            block.pull(self.order == 2)


def _outside(slope: Any) -> arb:
    """A slope where there is no value: outside the domain its formula may still give a number."""
    ball = arb(slope)
    return ball if ball.is_exact() and not ball.is_finite() else arb("nan")


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


def _along(
    slopes: Sequence[Sequence[Any]], tangents: Sequence[Sequence[arb] | None], count: int
) -> list[arb]:
    """The directional derivative in each row; None, and `ZERO` itself, are tangents of constants."""
    total: list[arb] | None = None
    for column, tangent in zip(slopes, tangents, strict=True):
        if tangent is not None:
            parts = [ZERO if t is ZERO else p * t for p, t in zip(column, tangent, strict=True)]
            total = parts if total is None else list(map(add, total, parts))
    return [ZERO] * count if total is None else total
