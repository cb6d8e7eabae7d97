"""A program, run on scalars: every op by its meaning, in whichever algebra the scalars live.

An algebra may work on whole arrays instead (`oracles.arrayed`): `Whole` ones stand where object arrays of scalars do.

`evaluate` is the one door. It knows three kinds of op: those with a scalar meaning (applied element by element), those
that NumPy carries over objects (`structure`), and those defined by a short program over simpler ops, whose own
definition runs here on `Sheet`s through `__apply_op__`. The engine's evaluation and formulas are never asked.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import refgrad
from oracles.exact.lowering import derive
from oracles.exact.objects import Objects, Whole, dims, objects
from oracles.exact.structure import STRUCTURE
from oracles.program import Dots, Int, NewAxis, Operand, Pick, Program, Ref, Refs, Scalar, Slice, Step
from refgrad.op import REGISTRY


class NoMeaning(LookupError):
    """An op that the exact oracle has no meaning for; the message says what to write, and where."""


class Sheet:
    """An object array of scalars that decides what an op of the engine means for it."""

    __array_ufunc__ = None

    def __init__(self, algebra: Any, scalars: Objects) -> None:
        self.algebra = algebra
        self.scalars = scalars

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        shape: tuple[int, ...] = self.scalars.shape
        return shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.scalars.ndim

    @staticmethod
    def __apply_op__(op: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Sheet:
        algebra = next(x.algebra for x in inputs if isinstance(x, Sheet))
        operands = [x.scalars if isinstance(x, Sheet) else x for x in inputs]
        (result, *_) = apply(op.name, op, algebra, operands, settings)
        return Sheet(algebra, result)

    def _with(self, name: str, *operands: Any) -> Sheet:
        plain = [x.scalars if isinstance(x, Sheet) else x for x in operands]
        (result,) = apply(name, refgrad.catalogue()[name], self.algebra, plain, {})
        return Sheet(self.algebra, result)

    def __add__(self, other: Any) -> Sheet:
        return self._with("add", self, other)

    def __radd__(self, other: Any) -> Sheet:
        return self._with("add", other, self)

    def __sub__(self, other: Any) -> Sheet:
        return self._with("sub", self, other)

    def __rsub__(self, other: Any) -> Sheet:
        return self._with("sub", other, self)

    def __mul__(self, other: Any) -> Sheet:
        return self._with("mul", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Sheet:
        return self._with("div", self, other)

    def __rtruediv__(self, other: Any) -> Sheet:
        return self._with("div", other, self)

    def __pow__(self, other: Any) -> Sheet:
        return self._with("pow", self, other)


ALIASES = {
    "sum_dim": "sum",
    "mean_dim": "mean",
    "max_dim": "max",
    "pow_scalar": "pow",
    "pow_base": "pow",
    "vector_norm": "linalg.vector_norm",
}
"""Ops of the engine that are one overload of a public op; the meaning belongs to the public name."""


def overload(
    name: str, declared: Any, operands: Sequence[Any], settings: dict[str, Any]
) -> tuple[str, Any, dict[str, Any]]:
    """The op that a call of a public function means, where a setting or a tensor makes it another function."""
    if name == "nn.functional.gelu" and settings.get("approximate") == "tanh":
        return "gelu_tanh", REGISTRY["gelu_tanh"], {}
    if name == "div" and settings.get("rounding_mode"):
        made = f"div_{settings['rounding_mode']}"
        return made, REGISTRY[made], {}
    if name == "round" and settings.get("decimals") is not None:
        return "round_decimals", REGISTRY["round_decimals"], settings
    if name == "clamp" and len(operands) > 1:
        return "clamp", REGISTRY["clamp_tensor"], {}
    return name, declared, settings


UNBOUNDED = {"min": -math.inf, "max": math.inf}
"""What a bound that is None means."""


def apply(
    name: str, declared: Any, algebra: Any, operands: Sequence[Any], settings: dict[str, Any]
) -> list[Any]:
    """One op on object arrays: one object array for each of its outputs. `declared` is the engine's op or function.

    Raises:
        NoMeaning: nothing says what the op means.
    """
    name, declared, settings = overload(ALIASES.get(name, name), declared, operands, settings)
    special = algebra.special.get(name)
    if special is not None:
        made: list[Any] = special(algebra, *operands, **settings)
        return made
    if name in STRUCTURE:
        return getattr(algebra, "structure", STRUCTURE)[name](algebra, *operands, **settings)  # type: ignore[no-any-return]
    meaning = declared.facts.meaning
    if isinstance(meaning, str):
        return [_elementwise(name, declared, algebra, operands, settings)]
    if callable(meaning):
        sheets = [Sheet(algebra, x) if _is_of_scalars(x) else x for x in operands]
        return [meaning(*sheets, **settings).scalars]
    raise NoMeaning(
        f"{name} has no meaning: give its declaration Facts(meaning), or add it to oracles/exact/structure.py"
    )


def _elementwise(
    name: str, declared: Any, algebra: Any, operands: Sequence[Any], settings: dict[str, Any]
) -> Objects:
    """A scalar meaning over broadcast operands.

    Settings are part of the function. So is a number in a power: x**2 is a function of x alone, with slope 2*x even at
    0, where the slope of a**b by way of a logarithm has no value.
    """
    meaning, letters = declared.facts.meaning, declared.inputs
    given = {k: settings.get(k, default) for k, default in declared.settings.items()}
    given |= {k: bound for k, bound in UNBOUNDED.items() if k in given and given[k] is None}
    fixed = {k: v for k, v in given.items() if isinstance(v, int | float)}
    if name == "pow":
        fixed |= {
            k: x for k, x in zip(letters, operands, strict=True) if not isinstance(x, np.ndarray | Whole)
        }
    free = [(k, x) for k, x in zip(letters, operands, strict=True) if k not in fixed]
    f = derive(meaning, tuple(k for k, _ in free), tuple(sorted(fixed.items())))
    if any(isinstance(x, Whole) for _, x in free):
        whole: Any = algebra.each(name, f, [algebra.lift(x) for _, x in free])
        return whole  # type: ignore[no-any-return]
    arrays = [_scalars(algebra, x) for _, x in free]
    spread = np.broadcast_arrays(*arrays)
    shape = spread[0].shape
    return objects(
        algebra.each(name, f, [a.ravel().tolist() for a in spread]) if spread[0].size else (), shape
    )


def _is_of_scalars(x: Any) -> bool:
    return isinstance(x, Whole) or (isinstance(x, np.ndarray) and x.dtype == object)


def _scalars(algebra: Any, x: Any) -> Objects:
    """An operand as scalars: a number, and an array of integers, are constants."""
    if isinstance(x, np.ndarray) and x.dtype == object:
        return x
    numbers = np.asarray(x)
    return objects((algebra.constant(float(v)) for v in numbers.flat), numbers.shape)


def evaluate(program: Program, algebra: Any, values: Sequence[Any]) -> list[Any]:
    """Every value of the program, inputs first, as object arrays (integer and boolean ones stay plain).

    Args:
        program: what to run.
        algebra: where the scalars live.
        values: the inputs, as object arrays of the algebra's scalars or as plain arrays.

    Raises:
        NoMeaning: an op that the oracle has no meaning for.
    """
    catalogue = refgrad.catalogue()
    known = list(values)
    for number, step in enumerate(program.steps):
        algebra.enter(number)
        public = catalogue.get(step.op)
        if public is None:
            raise NoMeaning(f"{step.op} is not in the catalogue")
        operands = [_operand(o, known) for o in step.operands]
        settings = dict(step.settings)
        if step.op == "getitem":
            settings["index"] = as_index(step, operands)
        elif callable(public.facts.meaning) and step.op not in STRUCTURE and step.op not in algebra.special:
            settings = _normalised(public, settings, operands)
        known.extend(apply(step.op, public, algebra, operands, settings))
    return known


def _normalised(public: Any, settings: dict[str, Any], operands: Sequence[Any]) -> dict[str, Any]:
    """The settings as a definition in ops expects them: all given, and dimensions counted from the front.

    A definition that can keep its dimensions reduces over a tuple of them; one that cannot works along one.
    """
    names = list(inspect.signature(public.facts.meaning).parameters)[len(operands) :]
    defaults = {n: None if d is inspect.Parameter.empty else d for n, d in public.ops[0].settings.items()}
    full = {n: settings.get(n, defaults.get(n)) for n in names}
    if "dim" in full:
        axes = dims(full["dim"], operands[0].ndim)
        full["dim"] = axes if "keepdim" in full else axes[0] if axes else 0
    full["keepdim"] = bool(full.get("keepdim"))
    return {n: full[n] for n in names}


def _operand(operand: Operand, known: Sequence[Any]) -> Any:
    if isinstance(operand, Ref):
        return known[operand.value]
    if isinstance(operand, Refs):
        return [known[v] for v in operand.values]
    assert isinstance(operand, Scalar)
    return operand.value


def as_index(step: Step, operands: Sequence[Any]) -> tuple[Any, ...]:
    """What stands between the brackets of a `getitem` step, as Python objects."""
    parts: list[Any] = []
    for item in step.index:
        match item:
            case Slice(start, stop, stride):
                parts.append(slice(start, stop, stride))
            case Int(at):
                parts.append(at)
            case NewAxis():
                parts.append(None)
            case Dots():
                parts.append(...)
            case Pick(operand):
                parts.append(operands[operand])
    return tuple(parts)
