"""A program under construction: it draws, and follows concrete values while it draws.

Values are followed in float64 through the engine's own forward functions, which only steer: an op is offered only
where its facts allow it, so that nearly nothing is rejected, and no judgement rests on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

import refgrad
from oracles.exact.evaluate import as_index
from oracles.generation.values import (
    NEIGHBOURS,
    REALS,
    Domain,
    Draw,
    draw_array,
    draw_neighbours,
    draw_scaled,
    holds,
    integers,
    one_of,
    table,
)
from oracles.program import IndexItem, Input, Layout, Operand, Program, Ref, Refs, Scalar, Setting, Step
from oracles.signatures import call

Array = np.ndarray[Any, Any]
SIDES = (1, 2, 3)
NAMES = "abcdefghijkl"
HUGE = 1e300
STEERED = "steered"
"""No face: small shapes of numbers from the whole line, so that a search can move each of them little by little."""
VALUED = frozenset({"negative", "zero", "ties", "large", "tiny"})
"""The faces that are about the numbers alone."""
FORMULAS = frozenset({"settings", "scalar", "zero"})
"""The faces on which an elementwise op may have formulas, or branches, of their own: they want axes and elements."""


@dataclass(frozen=True)
class Drawn:
    """A drawn program with its first point: float64, integer and boolean arrays, one for each input.

    `domains` are the open intervals that further points must stay in, one for each input.
    """

    program: Program
    point: tuple[Array, ...]
    domains: tuple[Domain, ...]
    outputs: tuple[Array, ...]
    face: str

    @property
    def other(self) -> int | None:
        """The place of the input that has another dtype than the rest, where the face asks for one."""
        floating = [n for n, i in enumerate(self.program.inputs) if i.floating]
        return floating[-1] if self.face == "mixed dtypes" and len(floating) > 1 else None


@dataclass
class Drawing:
    """A program that grows step by step, with the concrete value of everything in it.

    `values` are numbered in the order in which they came to be, inputs and results alike; `finish` renumbers them.
    `also` are further results of the latest step that may be outputs too. `elementwise` says that elements do not meet.
    """

    draw: Draw
    face: str = "plain"
    elementwise: bool = False
    values: list[Array] = field(default_factory=list)
    inputs: dict[int, Input] = field(default_factory=dict)
    domains: dict[int, Domain] = field(default_factory=dict)
    steps: list[tuple[Step, tuple[int, ...]]] = field(default_factory=list)
    also: list[int] = field(default_factory=list)

    def one_of(self, *choices: Any) -> Any:
        """One of the choices; shrinks towards the first."""
        try:
            return self.draw(one_of(*choices))
        except TypeError:  # a choice cannot be hashed
            return self.draw(st.sampled_from(choices))

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high]; shrinks towards low."""
        return int(self.draw(integers(low, high)))

    def shape(self, least: int = 0, most: int = 3) -> tuple[int, ...]:
        """A small shape of `least` to `most` dimensions, as the face would have it."""
        if self.face == "0-d" and least == 0:
            return ()
        if self.face == "empty" and most:
            rank = max(least, self.integer(1, min(most, 2)))
            hole = self.integer(0, rank - 1)
            return tuple(0 if i == hole else 2 for i in range(rank))
        if self.face == "bulk" and most:
            return (9,) if most == 1 else (4, 5)[: max(least, min(2, most))]
        if self.elementwise and self.face in FORMULAS and most > 1 and self.one_of(False, True):
            return (2, 3)
        if self.face == "non-square" and most > 1:
            return (2, 3, 1)[: self.integer(max(2, least), max(2, min(most, 3)))]
        if self.face == STEERED:
            if self.elementwise:
                return (len(NEIGHBOURS),)
            return tuple(self.one_of(1, 2) for _ in range(max(least, min(1, most))))
        rank = self.integer(max(least, min(1, most)), max(least, min(most, 3)))
        return tuple(self.one_of(*SIDES) for _ in range(rank))

    def new(self, shape: tuple[int, ...], domain: Domain = REALS, kinks: tuple[float, ...] = ()) -> int:
        """The number of a new differentiable input whose elements suit the face and lie inside the domain."""
        if self.face == STEERED:
            near = self.elementwise and shape == (len(NEIGHBOURS),)
            return self.given(
                draw_neighbours(self.draw, domain) if near else draw_scaled(self.draw, shape, domain), domain
            )
        kind = self.face if self.face in VALUED else "kink" if self.face == "kink" and kinks else "plain"
        if self.face == "0-d":  # a formula that divides by what it saved may take a number for a line of one
            kind = self.one_of("plain", "zero")
        return self.given(draw_array(self.draw, shape, table(kind, domain, kinks)), domain)

    def given(self, array: Array, domain: Domain = REALS, constant: bool = False) -> int:
        """The number of a new input with these elements; constants, integers and booleans are not differentiated."""
        floating = array.dtype.kind == "f"
        layout: Layout = "contiguous"
        if floating and self.face == "non-contiguous" and array.ndim:
            layout = self.one_of("strided", "transposed", "reversed")
        dtype = "float64" if floating else "bool" if array.dtype.kind == "b" else "int64"
        number = self._number(array)
        differentiable = floating and not constant
        self.inputs[number] = Input(NAMES[len(self.inputs)], array.shape, dtype, differentiable, layout)  # type: ignore[arg-type]
        self.domains[number] = domain
        return number

    def _number(self, array: Array) -> int:
        self.values.append(array)
        return len(self.values) - 1

    def results(self) -> list[int]:
        """The numbers of all floating values, latest first."""
        return [n for n in reversed(range(len(self.values))) if self.values[n].dtype.kind == "f"]

    def inside(self, number: int, domain: Domain) -> bool:
        """Whether every element of a value lies inside an open domain."""
        return bool(np.all(holds(domain, self.values[number])))

    def operand(
        self, domain: Domain = REALS, kinks: tuple[float, ...] = (), least: int = 0, most: int = 3
    ) -> int:
        """A value to compute with: the latest that fits, where the program already has one, else a new input."""
        if self.steps:
            fitting = [
                n for n in self.results() if least <= self.values[n].ndim <= most and self.inside(n, domain)
            ]
            if fitting and self.integer(0, 3) < 3:
                return fitting[0] if len(fitting) == 1 or self.integer(0, 2) < 2 else self.one_of(*fitting)
        return self.new(self.shape(least, most), domain, kinks)

    def partner(self, first: int, domain: Domain = REALS, kinks: tuple[float, ...] = ()) -> int:
        """A second operand that broadcasts with the first, in the way that the face asks for."""
        shape = self.values[first].shape
        if self.face == "same twice" and self.inside(first, domain):
            return first
        if self.face == "ties" and self.inside(first, domain) and not self.steps:
            return self.given(self.values[first].copy(), domain)
        if self.face == "size-1 axis" and shape:
            return self.new(
                tuple(1 if i == len(shape) - 1 else n for i, n in enumerate(shape)), domain, kinks
            )
        if self.face == "mixed ranks" and shape:
            return self.new(shape[1:], domain, kinks)
        if self.steps and self.integer(0, 2) == 2:
            like = [n for n in self.results() if self.values[n].shape == shape and self.inside(n, domain)]
            if like:
                return int(self.one_of(*like))
        return self.new(shape, domain, kinks)

    def apply(
        self,
        op: str,
        *operands: Operand,
        settings: dict[str, Setting] | None = None,
        index: tuple[IndexItem, ...] = (),
        outputs: int = 1,
    ) -> int:
        """Append a step and follow it; the number of its first result. A result that is not finite is drawn again."""
        step = Step(op, operands, settings or {}, index, outputs)
        made = [self._number(np.asarray(r)) for r in self._follow(step)]
        if any(not np.all(np.abs(self.values[n]) < HUGE) for n in made):
            reject()
        self.steps.append((step, tuple(made)))
        return made[0]

    def _follow(self, step: Step) -> list[Array]:
        operands = [self._tensor(o) for o in step.operands]
        with np.errstate(all="ignore"):
            return [r.numpy() for r in follow(step, operands, step.outputs > 1)]

    def _tensor(self, operand: Operand) -> Any:
        match operand:
            case Ref(value):
                return refgrad.tensor(self.values[value])
            case Refs(values):
                return [refgrad.tensor(self.values[v]) for v in values]
            case Scalar():
                return operand.value

    def _hold_one(self) -> None:
        """Where the face asks for it, one of several floating inputs is not differentiated."""
        floating = [n for n, i in self.inputs.items() if i.requires_grad]
        if self.face == "constant operand" and len(floating) > 1:
            held = self.one_of(*floating)
            self.inputs[held] = msgspec.structs.replace(self.inputs[held], requires_grad=False)

    def finish(self, *outputs: int) -> Drawn:
        """The finished program; values that no output needs are drawn for nothing and left in."""
        self._hold_one()
        order = [*self.inputs, *(n for _, made in self.steps for n in made)]
        place = {number: i for i, number in enumerate(order)}
        steps = tuple(renumbered(step, place) for step, _ in self.steps)
        program = Program(tuple(self.inputs.values()), steps, tuple(place[n] for n in outputs))
        return Drawn(
            program,
            tuple(self.values[n] for n in self.inputs),
            tuple(self.domains[n] for n in self.inputs),
            tuple(self.values[n] for n in outputs),
            self.face,
        )


def follow(step: Step, operands: list[Any], several: bool) -> Sequence[Any]:
    """What a step makes of the engine's tensors: one, or where there are several outputs all of them."""
    if step.op == "getitem":
        result = operands[0][as_index(step, operands)]
    else:
        arguments, keywords = call(step.op, operands, step.settings)
        result = refgrad.catalogue()[step.op].function(*arguments, **keywords)
    return result if several else (result,)


def renumbered(step: Step, place: dict[int, int]) -> Step:
    """The step with every value that it reads under its new number."""

    def moved(operand: Operand) -> Operand:
        match operand:
            case Ref(value):
                return Ref(place[value])
            case Refs(values):
                return Refs(tuple(place[v] for v in values))
            case _:
                return operand

    return Step(step.op, tuple(moved(o) for o in step.operands), step.settings, step.index, step.outputs)
