"""The reverse sweep in rounded arithmetic: what a tape holds, and how cotangents travel along it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from oracles.budget.scalars import Column, Rounded
from oracles.budget.sums import together

if TYPE_CHECKING:
    from oracles.budget.rounded import Rounding

INPUTS = -1
"""In the place of a step's number: the inputs, where the gradients of several uses are added."""
Pull = Callable[..., Sequence[Any]]


class Block:
    """Results made together, and how their cotangents become their parents' cotangents.

    `pull(g, y, *parents)` for one scalar, and for a column with columns for parents; for scalars made jointly
    `pull(gs, ys, parents)`, where some gs may be None.
    """

    __slots__ = ("joint", "outputs", "parents", "pull", "step")

    def __init__(
        self, outputs: Any, parents: Sequence[Any], pull: Pull, joint: bool = False, step: int = 0
    ) -> None:
        self.step = step
        self.outputs = outputs
        self.parents = parents
        self.pull = pull
        self.joint = joint


def sweep(
    arena: Rounding,
    outputs: Sequence[Rounded],
    cotangents: Sequence[Rounded],
    leaves: Sequence[Rounded],
) -> list[Rounded | None]:
    """The cotangent of every leaf, None where no path leads to it."""
    for y, g in zip(outputs, cotangents, strict=True):
        _arrive(y, g)
    arena.phase += 1
    for block in reversed(arena.blocks.copy()):
        arena.enter(block.step)
        if type(block.outputs) is Column:
            _pull_column(arena, block, block.outputs)
        elif block.joint:
            gs = [_taken(arena, y) for y in block.outputs]
            if any(g is not None for g in gs):
                _spread(block.parents, block.pull(gs, block.outputs, block.parents))
        else:
            bar = _taken(arena, block.outputs)
            if bar is not None:
                _spread(block.parents, block.pull(bar, block.outputs, *block.parents))
    arena.enter(INPUTS)
    return [_taken(arena, x) for x in leaves]


def _spread(parents: Sequence[Rounded], parts: Sequence[Rounded | None]) -> None:
    for parent, part in zip(parents, parts, strict=True):
        _arrive(parent, part)


def _arrive(x: Rounded, part: Rounded | None) -> None:
    if part is not None and x.needs:
        if x.arrived is None:
            x.arrived = [part]
        else:
            x.arrived.append(part)


def _taken(arena: Rounding, y: Rounded) -> Rounded | None:
    """The cotangent of a scalar, of which all parts have arrived; it is not asked for again in this sweep."""
    parts, y.arrived = y.arrived, None
    return None if parts is None else _together(arena, parts)


def _together(arena: Rounding, parts: Sequence[Rounded]) -> Rounded:
    """The sum of all terms of these parts, in any order."""
    if len(parts) == 1:
        return parts[0]
    if not any(p.summed for p in parts):
        added: Rounded = arena.add(parts)
        return added
    terms = [(p.ball, *(p.summed or (1, abs(p.ball)))) for p in parts]
    return arena.make(together(terms, arena.u), 0, parts, lambda g, y, *xs: (g,) * len(xs))


def _pull_column(arena: Rounding, block: Block, y: Column) -> None:
    """What has arrived for a column, pulled back in the rows where anything has."""
    parents = block.parents
    parts = y.taken()
    if parts is None:
        if not y.arrived:
            return
        g, y.arrived = arena.add(y.arrived), []
    else:
        kept = [n for n, row in enumerate(parts) if row is not None]
        if len(kept) < len(parts):
            y, parents = y.rows(kept), [x.rows(kept) for x in parents]
        g = _added(arena, [row for row in parts if row is not None])
    for parent, part in zip(parents, block.pull(g, y, *parents), strict=True):
        if part is not None and parent.needs:
            parent.arrive(part)


def _added(arena: Rounding, rows: Sequence[Sequence[Rounded]]) -> Column:
    """The sum of each row's parts: columns, where the rows have as many."""
    lengths = {len(row) for row in rows}
    if lengths == {1} or (len(lengths) == 1 and not any(x.summed for row in rows for x in row)):
        columns = [Column.of(arena, column) for column in zip(*rows, strict=True)]
        added: Column = arena.add(columns)
        return added
    return Column.of(arena, [_together(arena, row) for row in rows])
