"""PyTorch's own samples (`op_db`): each the same call on any library of PyTorch's shape."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import settings

import refgrad
from oracles.program import Ref, Refs, Step
from oracles.subjects.protocol import Lacking
from oracles.subjects.torchlike import TorchLike
from refgrad.public import FUNCTIONS
from refgrad.tensor import Tensor

PROFILE = settings.get_current_profile_name()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db
settings.load_profile(PROFILE)  # PyTorch's test utilities load a profile of their own

ELSEWHERE = {"__getitem__": "getitem", "nn.functional.relu": "relu"}
"""Names in op_db of ops that the catalogue has under PyTorch's other name, which op_db does not list."""
REVERSED = {
    "__radd__": "add",
    "__rdiv__": "div",
    "__rmatmul__": "matmul",
    "__rmul__": "mul",
    "__rpow__": "pow",
    "__rsub__": "sub",
}
"""Operators to the right of a number, and the op each is."""
OPERATORS = {"__rdiv__": "__rtruediv__"}
"""Operators that Python calls otherwise than op_db."""
ORDER: Mapping[str, Callable[..., tuple[Any, ...]]] = {
    "einsum": lambda tensors, equation: (equation, *tensors),
    "where": lambda x, condition, other: (condition, x, other),
}
"""Samples that begin with the tensor although the function does not; op_db calls it through a lambda."""


@dataclass(frozen=True)
class Entry:
    """One OpInfo: the op of the catalogue that it samples."""

    info: Any
    op: str

    @property
    def id(self) -> str:
        """op_db's name, with its variant."""
        variant = self.info.variant_test_name
        return f"{self.info.name}-{variant}" if variant else str(self.info.name)

    def samples(self) -> list[Call]:
        """PyTorch's samples for float64, from a seed of their own."""
        torch.manual_seed(0)
        drawn = self.info.sample_inputs("cpu", torch.float64, requires_grad=True)
        return [Call(self, (s.input, *s.args), s.kwargs) for s in drawn]


def entries() -> list[Entry]:
    """Every OpInfo whose name, or an alias of it, is in the catalogue, and the reversed operators."""
    return [Entry(info, op) for info in op_db if (op := op_of(info))]


def op_of(info: Any) -> str:
    """The op of the catalogue that an OpInfo samples; empty if it is not there."""
    named = [info.name, *(alias.name for alias in info.aliases)]
    named += [ELSEWHERE.get(info.name, ""), REVERSED.get(info.name, "")]
    return next((n for n in named if n in refgrad.catalogue()), "")


@dataclass(frozen=True)
class Call:
    """One sample: what is called, and with what."""

    entry: Entry
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def tensors(self) -> list[torch.Tensor]:
        """The tensors among the arguments, each once, in the order of the call."""
        return list({id(t): t for t in tensors_in([*self.args, *self.kwargs.values()])}.values())

    @property
    def lists(self) -> list[list[int]]:
        """Lists of places between the brackets of a getitem, which are inputs of the program."""
        found = items_of(self.args[1]) if self.entry.op == "getitem" else ()
        return [item for item in found if isinstance(item, list)]

    def __call__(self, module: Any, tensors: Sequence[Any]) -> list[Any]:
        """The outputs, on these tensors of a library in the place of the sample's own."""
        places = {id(t): new for t, new in zip(self.tensors, tensors, strict=True)}
        args, kwargs = (put(part, places, module) for part in (self.args, self.kwargs))
        made = self._function(module)(*args, **kwargs)
        return list(made) if isinstance(made, tuple | list) else [made]

    def _function(self, module: Any) -> Callable[..., Any]:
        name = self.entry.info.name
        if module is torch:
            function: Callable[..., Any] = self.entry.info.op
            return function
        if name in REVERSED:
            method: Callable[..., Any] = getattr(Tensor, OPERATORS.get(name, name))
            return method
        order = ORDER.get(name)
        public = FUNCTIONS[self.entry.op]
        return public if order is None else lambda *args, **kwargs: public(*order(*args, **kwargs))

    def __str__(self) -> str:
        spelled = [spell(a) for a in self.args] + [f"{k}={spell(v)}" for k, v in self.kwargs.items()]
        return f"{self.entry.id}({', '.join(spelled)})"


def tensors_in(tree: Any) -> Iterator[torch.Tensor]:
    """The tensors in lists, tuples and dictionaries, in order."""
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, list | tuple):
        for each in tree:
            yield from tensors_in(each)


def put(tree: Any, places: Mapping[int, Any], module: Any) -> Any:
    """The same arguments for another library: its tensors, and its dtypes by the same names."""
    if isinstance(tree, torch.Tensor):
        return places[id(tree)]
    if isinstance(tree, torch.dtype):
        return getattr(module, str(tree).removeprefix("torch."))
    if isinstance(tree, dict):
        return {k: put(v, places, module) for k, v in tree.items()}
    if isinstance(tree, list | tuple):
        kind = tuple if isinstance(tree, torch.Size) else type(tree)
        return kind(put(v, places, module) for v in tree)
    return tree


def spell(value: Any) -> str:
    """An argument in a message: a tensor by its shape."""
    if isinstance(value, torch.Tensor):
        return f"<{', '.join(map(str, value.shape))}>"
    return f"[{', '.join(map(spell, value))}]" if isinstance(value, list | tuple) else repr(value)


def items_of(index: Any) -> Sequence[Any]:
    """What stands between the brackets; PyTorch takes a list of more than ints for a tuple."""
    if isinstance(index, list):
        return index if any(not isinstance(i, int) for i in index) else [index]
    return index if isinstance(index, tuple) else [index]


class Sampled(TorchLike):
    """A library of PyTorch's shape that answers a case by the sample's own call, not by the program's steps."""

    def __init__(self, base: TorchLike, call: Call) -> None:
        super().__init__(
            base.name,
            base.module_name,
            layouts=base.layouts,
            dtypes=(*base.dtypes, "int32", "uint8"),
            from_numpy=base._from_numpy,
            to_numpy=base._to_numpy,
        )
        self.call = call

    def supports(self, step: Step) -> str:
        """Whatever the call raises says it."""
        return ""

    def apply(self, module: Any, step: Step, operands: list[Any]) -> Any:
        """The call's outputs, with the step's operands in the place of the sample's tensors."""
        given: dict[int, Any] = {}
        for operand, value in zip(step.operands, operands, strict=True):
            if isinstance(operand, Ref):
                given[operand.value] = value
            elif isinstance(operand, Refs):
                given.update(zip(operand.values, value, strict=True))
        try:
            made = self.call(module, [given[n] for n in range(len(self.call.tensors))])
        except (NotImplementedError, TypeError) as error:
            raise Lacking(f"{type(error).__name__}: {error}", step.op) from error
        return made[0] if len(made) == 1 else tuple(made)
