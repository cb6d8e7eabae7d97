"""One step of a history: plain data that any library of PyTorch's shape can play, and that prints as its code."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

Number = float | int | None


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is done: a verb, the tensors that it is done on, by number, and what else it needs.

    name: which op, view, mode or kind of hook it is.
    numbers: sizes, indices, values and factors, as the verb wants them.
    flags: settings by name, such as retain_graph.
    makes: how many tensors come of it; they get the next numbers if it does not raise.
    """

    verb: str
    on: tuple[int, ...] = ()
    name: str = ""
    numbers: tuple[Number, ...] = ()
    flags: dict[str, bool] = {}
    makes: int = 0


class History(msgspec.Struct, frozen=True):
    """Actions in the order in which they were done."""

    actions: tuple[Action, ...]


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that can be observed of one tensor; values are None where they are not exact, see `exact`.

    `version` counts the writes since the tensor was first seen, and `view` is asked of what a step made as a view: what
    an op does inside is its own affair. `grad_same`: whether `.grad` is the very object that it was before.
    """

    shape: tuple[int, ...]
    dtype: str
    values: tuple[float, ...] | None
    requires_grad: bool
    is_leaf: bool
    node: str
    inputs: tuple[str, ...]
    output_nr: int
    version: int
    retains: bool
    inference: bool
    view: bool
    grad: tuple[float, ...] | str | None = None
    grad_requires: bool = False
    grad_same: bool = True


class Observed(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="is", tag="observed"):
    """What a step came to: the exception it raised, if one, what hooks saw, and every tensor there is, by number."""

    raised: str = ""
    hooks: tuple[str, ...] = ()
    tensors: dict[int, Seen] = {}


BROKEN = "internal assertion"
"""What is said to be raised where a library finds itself broken. PyTorch then says nothing of what should have been: a
history ends there."""


def differences(action: Action, ours: Observed, theirs: Observed) -> list[str]:
    """What is not the same in two observations of one step, each as a sentence; `ours` is PyTorch's."""
    if ours.raised != theirs.raised:
        return [
            f"{action.verb}: expected {ours.raised or 'no exception'}, got {theirs.raised or 'no exception'}"
        ]
    found = []
    if ours.hooks != theirs.hooks:
        found.append(f"{action.verb}: expected hooks to see {list(ours.hooks)}, got {list(theirs.hooks)}")
    if ours.tensors.keys() != theirs.tensors.keys():
        counts = len(ours.tensors), len(theirs.tensors)
        return [*found, f"{action.verb}: expected {counts[0]} tensors to be there, got {counts[1]}"]
    for number, one in ours.tensors.items():
        other = theirs.tensors[number]
        for name in Seen.__struct_fields__:
            a, b = getattr(one, name), getattr(other, name)
            if a != b and not (name in ("values", "grad") and (a is None or a == WILD)):
                found.append(f"t{number}: {name}: expected {a!r}, got {b!r}")
    return found


WILD = "not exact"
RANGE, STEP = 2.0**12, 2.0**-8


def exact(values: Sequence[float]) -> bool:
    """Whether numbers are so short that float32 adds and multiplies a few of them exactly, in any order.

    They are multiples of 2**-8 below 2**12. Where PyTorch's are not, sound libraries may differ: nothing is compared.
    """
    return all(abs(v) < RANGE and (v / STEP).is_integer() for v in values)
