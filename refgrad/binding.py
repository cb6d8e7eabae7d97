"""Binding a formula's parameter names to places, once, when its op is declared.

The frame of one application of an op is the tuple (outputs, auxiliary results, inputs, settings, shapes).
A rule is a formula with the frame slots it asks for; a plan is the rules that run, and so what must be
saved, when only some of the inputs require grad.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter, mul
from types import FunctionType
from typing import Any, Self

import numpy as np

Formula = Callable[..., Any]
Picker = Callable[[tuple[Any, ...]], tuple[Any, ...]]


class Zero:
    """A word that stands in a formula's place."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __repr__(self) -> str:
        return self.word


@dataclass(frozen=True, init=False, eq=False)
class Joint:
    """One formula that returns the cotangents of several inputs, in the order named."""

    inputs: tuple[str, ...]
    formula: Formula

    def __init__(self, *inputs: str, formula: Formula) -> None:
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "formula", formula)


@dataclass(frozen=True)
class Frame:
    """The names of an op's frame, and where each stands."""

    outputs: tuple[str, ...]
    aux: tuple[str, ...]
    inputs: tuple[str, ...]
    lists: bool
    settings: Mapping[str, Any]
    slots: Mapping[str, int]
    shapes: tuple[str, ...]

    @classmethod
    def of(
        cls, op: str, evaluate: Callable[..., Any], outputs: tuple[str, ...], aux: tuple[str, ...]
    ) -> Self:
        """Read the names from the evaluation's signature; TypeError if one name means two things."""
        parameters = inspect.signature(evaluate).parameters.values()
        inputs = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        lists = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        settings = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        if lists and len(inputs) != 1:
            raise TypeError(f"{op}: a list of tensors must be the only input, found {list(inputs)}")
        shapes = tuple(f"{name}_shapes" if lists else f"{name}_shape" for name in inputs)
        names = [*outputs, *aux, *inputs, *settings, *shapes]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise TypeError(f"{op}: {repeated} would each name two things")
        slots = {name: slot for slot, name in enumerate(names)}
        return cls(outputs, aux, inputs, lists, settings, slots, shapes)

    @cached_property
    def defaults(self) -> tuple[Any, ...]:
        """The settings' defaults, in order."""
        return tuple(self.settings.values())

    @property
    def first_input(self) -> int:
        """The slot of the first input."""
        return len(self.outputs) + len(self.aux)


@dataclass(frozen=True, slots=True)
class Rule:
    """A formula, the inputs it serves, and where its arguments stand in the frame.

    `places` says where in the formula's answer each input's cotangent stands; None for a formula that
    answers with the one cotangent alone.
    """

    inputs: tuple[int, ...]
    formula: Formula
    slots: tuple[int, ...]
    places: tuple[int, ...] | None
    width: int  # how many cotangents a joint formula's answer holds
    asks_needs: bool


Step = tuple[int, Formula, int, int, int, Picker]
"""An input's position, its formula for arrays, how many saved values that takes, where the first two are, and all of
them; in the place of how many, PASSED where the formula answers the very cotangent."""
PASSED = -1

NOTHING, OUTPUT, FIRST, BOTH, OTHERWISE = "none", "output", "first", "both", ""
"""What a plan saves: no array, the one output, the first input, two inputs, or anything else."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is saved, and what runs in the backward pass."""

    slots: tuple[int, ...]  # what is saved, by its place in the frame
    save: Picker  # that, from the frame
    inputs: tuple[int, ...]  # the inputs among it, by position
    keep: Picker  # those inputs, from all
    rules: tuple[tuple[Rule, Picker], ...]  # each live rule, with its arguments from what is saved
    steps: tuple[Step, ...] | None  # the same, where each serves the one input
    saves: bool  # whether any tensor is saved, `indices` included: then a second backward pass needs retain_graph
    settings: bool  # whether any setting or shape is saved
    short: str  # what is saved, in a word, where that is common: see `NOTHING`
    constant: tuple[Any, ...]  # when `short` is "none": what is saved where settings are at their defaults


@dataclass(frozen=True)
class Binding:
    """An op's formulas with their rules."""

    formulas: Mapping[str, Formula | Zero | Joint]
    rules: tuple[Rule, ...]
    cotangents: tuple[int, ...]  # the differentiable outputs, by position
    frame: Frame

    @cached_property
    def saves_for_all(self) -> bool:
        """Whether PyTorch saves operands without a look at which gradients are wanted: there is one, or they share."""
        asked = [slot for rule in self.rules for slot in rule.slots if slot >= self.frame.first_input]
        return len(self.rules) == 1 or len(set(asked)) < len(asked)

    def plan(self, mask: int) -> Plan:
        """The plan when the inputs at the bits of `mask` require grad; a list of inputs counts as one."""
        live = tuple(
            rule for rule in self.rules if self.frame.lists or any(mask >> i & 1 for i in rule.inputs)
        )
        slots = tuple(sorted({slot for rule in live for slot in rule.slots}))
        first, count = self.frame.first_input, len(self.frame.inputs)
        inputs = tuple(i for i in range(count) if first + i in slots)
        rules = tuple((rule, _picker(tuple(map(slots.index, rule.slots)))) for rule in live)
        single = all(rule.places is None for rule in live) and len(self.cotangents) == 1
        short = self._short(slots)
        defaults = [self.frame.defaults[slot - first - count] for slot in slots] if short == NOTHING else []
        return Plan(
            slots=slots,
            save=_picker(slots),
            inputs=inputs,
            keep=_picker(inputs),
            rules=rules,
            steps=tuple(_step(rule, slots, pick) for rule, pick in rules) if single else None,
            saves=any(slot < first + count or slot == self.frame.slots.get("indices") for slot in slots),
            settings=any(slot >= first + count for slot in slots),
            short=short,
            constant=tuple(defaults),
        )

    def _short(self, slots: tuple[int, ...]) -> str:
        """What is saved, in a word."""
        frame = self.frame
        first, count = frame.first_input, len(frame.inputs)
        if frame.lists or first != 1:
            return OTHERWISE
        if all(first + count <= slot < first + count + len(frame.settings) for slot in slots):
            return NOTHING
        return {(0,): OUTPUT, (1,): FIRST, (1, 2): BOTH if count == 2 else OTHERWISE}.get(slots, OTHERWISE)


def _step(rule: Rule, slots: tuple[int, ...], pick: Picker) -> Step:
    spots = [slots.index(slot) for slot in rule.slots]
    first, second, *_ = *spots, 0, 0
    count = PASSED if _is(rule.formula, _SAME) else len(spots)
    return rule.inputs[0], for_arrays(rule.formula), count, first, second, pick


def _is(formula: Formula, other: Formula) -> bool:
    """Whether two functions are the same but for the names of their parameters."""
    code, known = getattr(formula, "__code__", None), other.__code__
    return code is not None and (code.co_code, code.co_argcount) == (known.co_code, known.co_argcount)


_SAME: Formula = lambda g: g
_TIMES: Formula = lambda g, x: g * x


def for_arrays(formula: Formula) -> Formula:
    """The same formula for arrays alone, in which an op that does no more than call one function is that function.

    Called as an op it would look at its operands first, which costs as much as a small array. A product is Python's.
    """
    if type(formula) is not FunctionType or formula.__closure__:
        return formula
    if _is(formula, _TIMES):
        return mul
    known = {
        name: formula.__globals__[name] for name in formula.__code__.co_names if name in formula.__globals__
    }
    direct = {name: x.direct for name, x in known.items() if getattr(x, "plain", False)}
    if not direct:
        return formula
    return FunctionType(formula.__code__, {**known, **direct}, formula.__name__, formula.__defaults__)


def bind(op: str, frame: Frame, formulas: Mapping[str, Formula | Zero | Joint], none: Zero) -> Binding:
    """Check every name that the formulas mention, and find its place; `none` marks an input without one."""
    if set(formulas) != set(frame.inputs):
        raise TypeError(f"{op}: inputs {list(frame.inputs)} but formulas for {list(formulas)}")
    formulas = {name: formulas[name] for name in frame.inputs}
    differentiable: set[str] = set()
    rules: list[Rule] = []
    done: list[Joint] = []
    for name, formula in formulas.items():
        if formula is none or formula in done:
            continue
        if isinstance(formula, Joint):
            done.append(formula)
        rule, cotangents = _rule(op, frame, formulas, name, formula)
        differentiable.update(cotangents)
        rules.append(rule)
    positions = tuple(i for i, output in enumerate(frame.outputs) if output in differentiable)
    return Binding(formulas, tuple(rules), positions, frame)


def _rule(
    op: str, frame: Frame, formulas: Mapping[str, Any], name: str, said: Formula | Zero | Joint
) -> tuple[Rule, list[str]]:
    """The rule for the input `name`, and the outputs whose cotangents it takes."""
    names: tuple[str, ...] = (name,)
    places: tuple[int, ...] | None = (0,) if frame.lists else None
    formula: Any = said
    if isinstance(said, Zero):
        formula = _zeros
    elif isinstance(said, Joint):
        formula = said.formula
        names = tuple(n for n in said.inputs if formulas.get(n) is said)
        places = tuple(said.inputs.index(n) for n in names)
    wanted = list(inspect.signature(formula).parameters)
    whole = wanted[:1] in (["g"], ["gs"])
    outputs = [frame.outputs[0]] if whole else [o for o in frame.outputs if f"g_{o}" in wanted]
    first = wanted[:1] if whole else [f"g_{o}" for o in outputs]
    if not first or wanted[: len(first)] != first:
        raise TypeError(f"{op}: the formula for {name!r} must take the cotangent first, not {wanted[:1]}")
    rest = wanted[len(first) :]
    asks_needs = isinstance(said, Joint) and rest[-1:] == ["needs"]
    rest = rest[:-1] if asks_needs else rest
    if unknown := [w for w in rest if w not in frame.slots]:
        offer = ", ".join(["g", *frame.slots])
        raise TypeError(f"{op}: the formula for {name!r} asks for {unknown}, but there are only {offer}")
    slots = tuple(frame.slots[w] for w in rest)
    inputs = tuple(frame.inputs.index(n) for n in names)
    width = len(said.inputs) if isinstance(said, Joint) else 1
    return Rule(inputs, formula, slots, places, width, asks_needs), outputs


def _zeros(g: Any) -> Any:
    """The cotangent of an input on which the output does not depend, as an array even where `g` is not."""
    return np.zeros(g.shape)


def _picker(slots: tuple[int, ...]) -> Picker:
    """A function from a frame to the tuple of its items at `slots`, without a line of Python."""
    if len(slots) > 1:
        return itemgetter(*slots)
    start = slots[0] if slots else 0
    return itemgetter(slice(start, start + len(slots)))
