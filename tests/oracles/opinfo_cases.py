"""What a call of PyTorch's samples means: a case of one step, which the exact oracle encloses."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from types import EllipsisType
from typing import Any

import numpy as np
import torch

import refgrad
from oracles.arrays import Array
from oracles.program import (
    Case,
    Dots,
    IndexItem,
    Input,
    Int,
    Layout,
    NewAxis,
    Operand,
    Pick,
    Program,
    Ref,
    Refs,
    Scalar,
    Slice,
    Step,
)
from oracles.signatures import INFINITY, LEFT_OUT

from .opinfo import ORDER, REVERSED, Call, items_of


def as_case(call: Call, outputs: Sequence[torch.Tensor], order: Any, spread: np.random.Generator) -> Case:
    """The case that a sample means: one step, with cotangents and weights of short decimals for its outputs."""
    step = as_step(call, len(outputs))
    tensors = [*call.tensors, *map(torch.tensor, call.lists)]
    inputs = tuple(
        Input(f"x{n}", tuple(t.shape), dtype_of(t), t.requires_grad, layout_of(t))
        for n, t in enumerate(tensors)
    )
    chosen = tuple(len(inputs) + k for k, y in enumerate(outputs) if y.is_floating_point())
    shapes = [outputs[n - len(inputs)].shape for n in chosen]
    seconds = [i.shape for i in inputs if i.requires_grad] if order == 2 else []
    return Case(
        Program(inputs, (step,), chosen),
        tuple(Array.of(t.detach().numpy()) for t in tensors),
        tuple(decimals(shape, spread) for shape in shapes),
        "float64",
        order,
        tuple(decimals(shape, spread) for shape in seconds),
    )


def decimals(shape: Sequence[int], spread: np.random.Generator) -> Array:
    """Numbers such as -1.3, of either sign and never 0."""
    tenths = spread.integers(2, 20, tuple(shape)) * spread.choice([-1, 1], tuple(shape))
    return Array.of(np.asarray(tenths / 10, np.float64).reshape(tuple(shape)))


def dtype_of(t: torch.Tensor) -> Any:
    """The dtype's name in programs."""
    return str(t.dtype).removeprefix("torch.")


def layout_of(t: torch.Tensor) -> Layout:
    """The layout nearest to the tensor's own."""
    if t.is_contiguous():
        return "contiguous"
    return "transposed" if t.permute(*reversed(range(t.ndim))).is_contiguous() else "strided"


VARARGS = ("expand", "permute", "repeat", "reshape", "tile", "view")
"""Functions that take their one setting as one sequence, as many ints, or by keyword."""


def as_step(call: Call, outputs: int) -> Step:
    """The step of the judges' program that a call means."""
    name, numbers = call.entry.op, {id(t): n for n, t in enumerate([*call.tensors, *call.lists])}
    if name == "getitem":
        return _getitem(call.args[1], numbers)
    args, kwargs = call.args, call.kwargs
    if call.entry.info.name in REVERSED:
        args = (args[1], args[0], *args[2:])
    if call.entry.info.name in ORDER:
        args, kwargs = ORDER[call.entry.info.name](*args, **kwargs), {}
    if name in ("max", "min") and len(args) > 1 and isinstance(args[1], torch.Tensor):
        name = f"{name}imum"
    operands, settings = arguments(name, args, kwargs, numbers)
    return Step(name, tuple(operands), meant(name, settings), outputs=outputs)


def arguments(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], numbers: Mapping[int, int]
) -> tuple[list[Operand], dict[str, Any]]:
    """The operands in the order of the op's tensors, and the settings by name."""
    public = refgrad.catalogue()[name]
    signature = inspect.signature(public.function)
    bound = signature.bind(*args, **kwargs).arguments
    operands: list[Operand] = []
    settings: dict[str, Any] = {}
    if name == "clamp" and any(isinstance(v, torch.Tensor) for k, v in bound.items() if k != "input"):
        none = {"min": -math.inf, "max": math.inf}  # what a bound that is None means
        operands = [Ref(numbers[id(bound["input"])])]
        for key, unbounded in none.items():
            value = bound.get(key)
            operands.append(Scalar.of(unbounded) if value is None else Ref(numbers[id(value)]))
        return operands, {}
    for key in LEFT_OUT.get(name, ()) if bound.keys() & {*LEFT_OUT.get(name, ())} else ():
        bound[key] = bound.pop(key, None)  # in order, behind the other operands
        bound[key] = 1.0 if bound[key] is None else bound[key]
    for key, value in bound.items():
        if signature.parameters[key].kind is inspect.Parameter.VAR_POSITIONAL and name in VARARGS:
            (setting,) = public.settings
            settings[setting] = value[0] if isinstance(value[0], list | tuple) else value
        elif (
            key in public.settings
            and not isinstance(value, torch.Tensor)
            and key not in LEFT_OUT.get(name, ())
        ):
            settings[key] = value
        elif isinstance(value, list | tuple):
            refs = tuple(numbers[id(t)] for t in value)
            operands.extend([Refs(refs)] if key == "tensors" else map(Ref, refs))
        else:
            operands.append(Ref(numbers[id(value)]) if isinstance(value, torch.Tensor) else Scalar.of(value))
    return operands, settings


def meant(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as programs spell them: PyTorch's spellings that mean the same become one."""
    if isinstance(settings.get("dim"), bool):  # std(x, True)
        settings["unbiased"] = settings.pop("dim")
    unbiased = settings.pop("unbiased", None)
    if unbiased is not None:
        settings["correction"] = int(unbiased)
    if name in ("std", "var") and settings.get("correction") is None:
        settings["correction"] = 1
    if settings.get("dtype") is torch.float64:  # which the operands have already
        del settings["dtype"]
    return {k: spelled(v) for k, v in settings.items()}


def spelled(value: Any) -> Any:
    """A setting as JSON has it."""
    if isinstance(value, list | tuple):
        return tuple(int(v) for v in value)
    if isinstance(value, float) and math.isinf(value):
        return INFINITY if value > 0 else f"-{INFINITY}"
    return value


def _getitem(index: Any, numbers: Mapping[int, int]) -> Step:
    """`input[index]`, its tensors and lists as operands after the first."""
    items: list[IndexItem] = []
    operands: list[Operand] = [Ref(0)]
    for item in items_of(index):
        match item:
            case slice():
                items.append(Slice(item.start, item.stop, item.step))
            case None:
                items.append(NewAxis())
            case EllipsisType():
                items.append(Dots())
            case torch.Tensor() | list():
                items.append(Pick(len(operands)))
                operands.append(Ref(numbers[id(item)]))
            case _:
                items.append(Int(int(item)))
    return Step("getitem", tuple(operands), index=tuple(items))
