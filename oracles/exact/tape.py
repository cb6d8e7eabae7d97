"""What the truth's tape holds: results made together, and how their adjoints go back to what they were made of.

A block stands for one operation on many nodes, so that what Python does once for an operation is not done for each of
its elements. The numbers are those of the chain rule, element by element.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from flint import arb, arb_mat

ZERO = arb(0)


class Node:
    """One scalar: its value and tangent and, after the sweep, the adjoint of each."""

    __slots__ = ("adjoint", "adjoint_tangent", "tangent", "value")

    def __init__(self, value: arb, tangent: arb = ZERO) -> None:
        self.value = value
        self.tangent = tangent
        self.adjoint: arb | None = None
        self.adjoint_tangent = ZERO


class Constant(Node):
    """A number that nothing is differentiated by."""

    __slots__ = ()


Column = Sequence[Node]


class Block(Protocol):
    """One operation."""

    def pull(self, second: bool) -> None:
        """Add to the adjoints of what the operation was applied to, to second order where asked for."""


class Weighted:
    """One result with its slope towards each parent; None means that every slope is 1."""

    __slots__ = ("bends", "parents", "partials", "result")

    def __init__(
        self, result: Node, parents: Column, partials: Sequence[arb] | None, bends: Sequence[arb] | None
    ) -> None:
        self.result = result
        self.parents = parents
        self.partials = partials
        self.bends = bends

    def pull(self, second: bool) -> None:
        """The chain rule for one scalar."""
        bar, dot = self.result.adjoint, self.result.adjoint_tangent
        if bar is None:
            return
        for i, x in enumerate(self.parents):
            p = self.partials[i] if self.partials is not None else None
            step = bar if p is None else p * bar
            x.adjoint = step if x.adjoint is None else x.adjoint + step
            if second:
                bend = dot if p is None else p * dot
                if self.bends is not None:
                    bend = bend + self.bends[i] * bar
                x.adjoint_tangent = x.adjoint_tangent + bend


class Elementwise:
    """Results, row by row, of a function of one node of each column, with columns of its slopes."""

    __slots__ = ("bends", "columns", "partials", "results")

    def __init__(self, results: Column, columns: Sequence[Column], partials: Sequence[Sequence[arb]]) -> None:
        self.results = results
        self.columns = columns
        self.partials = partials
        self.bends: Sequence[Sequence[arb] | None] = [None] * len(columns)

    def pull(self, second: bool) -> None:
        """The chain rule in every row whose result has an adjoint."""
        bars = [y.adjoint for y in self.results]
        dots = [y.adjoint_tangent for y in self.results] if second else ()
        for column, slopes, bends in zip(self.columns, self.partials, self.bends, strict=True):
            if is_constant(column):
                continue
            for x, p, bar in zip(column, slopes, bars, strict=True):
                if bar is not None:
                    step = p * bar
                    x.adjoint = step if x.adjoint is None else x.adjoint + step
            if second:
                assert bends is not None
                for x, p, b, bar, dot in zip(column, slopes, bends, bars, dots, strict=True):
                    if bar is not None:
                        x.adjoint_tangent = x.adjoint_tangent + (p * dot + b * bar)


class Running:
    """The sums of a line up to each of its elements: an adjoint goes to all that came before."""

    __slots__ = ("line", "results")

    def __init__(self, results: Column, line: Column) -> None:
        self.results = results
        self.line = line

    def pull(self, second: bool) -> None:
        """The running sums of the adjoints, from the end."""
        bar: arb | None = None
        dot = ZERO
        for y, x in zip(reversed(self.results), reversed(self.line), strict=True):
            if y.adjoint is not None:
                bar = y.adjoint if bar is None else bar + y.adjoint
                dot = dot + y.adjoint_tangent
            if bar is not None:
                x.adjoint = bar if x.adjoint is None else x.adjoint + bar
                if second:
                    x.adjoint_tangent = x.adjoint_tangent + dot


class Product:
    """A matrix product, row-major, of shapes (n, k) and (k, m)."""

    __slots__ = ("left", "results", "right", "shape")

    def __init__(self, left: Column, right: Column, shape: tuple[int, int, int]) -> None:
        self.left = left
        self.right = right
        self.shape = shape
        self.results: Column = ()

    def values(self) -> list[arb]:
        """The product's elements."""
        (a, _), (b, _) = self._factors(second=False)
        return list((a * b).entries())

    def tangents(self) -> list[arb]:
        """The tangents of the product's elements."""
        (a, da), (b, db) = self._factors(second=True)
        return list((da * b + a * db).entries())

    def _factors(self, second: bool) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        n, k, m = self.shape
        return _matrices(self.left, n, k, second), _matrices(self.right, k, m, second)

    def pull(self, second: bool) -> None:
        """G B^T to the left and A^T G to the right, and the tangents of both."""
        if all(y.adjoint is None for y in self.results):
            return
        n, _, m = self.shape
        g = arb_mat(n, m, [ZERO if y.adjoint is None else y.adjoint for y in self.results])
        dg = arb_mat(n, m, [y.adjoint_tangent for y in self.results]) if second else None
        (a, da), (b, db) = self._factors(second)
        if not is_constant(self.left):
            bt = b.transpose()
            _arrive(self.left, g * bt, dg * bt + g * db.transpose() if second else None)
        if not is_constant(self.right):
            at = a.transpose()
            _arrive(self.right, at * g, at * dg + da.transpose() * g if second else None)


def _matrices(column: Column, rows: int, columns: int, second: bool) -> tuple[Any, Any]:
    """A row-major matrix of nodes: its values, and its tangents where asked for."""
    tangents = arb_mat(rows, columns, [x.tangent for x in column]) if second else None
    return arb_mat(rows, columns, [x.value for x in column]), tangents


def _arrive(column: Column, bars: Any, dots: Any) -> None:
    for x, bar in zip(column, bars.entries(), strict=True):
        x.adjoint = bar if x.adjoint is None else x.adjoint + bar
    if dots is not None:
        for x, dot in zip(column, dots.entries(), strict=True):
            x.adjoint_tangent = x.adjoint_tangent + dot


def steep_unseen(blocks: Iterable[Block], most: float) -> bool:
    """Whether a slope is beyond `most`, or has no value, where no adjoint came.

    A library comes there with 0, and 0 times infinity is NaN.
    """
    return any(_steep_unseen(block, most) for block in blocks)


def _steep_unseen(block: Block, most: float) -> bool:
    if isinstance(block, Weighted):
        unseen = block.result.adjoint is None
        return unseen and not _within(most, *(block.partials or ()), *(block.bends or ()))
    if not isinstance(block, Elementwise):
        return False
    rows = [n for n, y in enumerate(block.results) if y.adjoint is None]
    if not rows:
        return False
    columns = zip(block.columns, block.partials, block.bends, strict=True)
    used = [slopes for column, *both in columns if not is_constant(column) for slopes in both if slopes]
    return not all(_within(most, slopes[n]) for n in rows for slopes in used)


def _within(most: float, *slopes: Any) -> bool:
    return all(abs(p) < most for p in slopes)


def is_constant(column: Iterable[Node]) -> bool:
    """Whether nothing in the column is differentiated."""
    return all(type(x) is Constant for x in column)
