"""Programs and cases: plain, immutable data that any subject can run.

A program is a straight line of steps over numbered values. Values 0 .. len(inputs) - 1 are the inputs; each step
then appends as many values as it has outputs. Nothing here is code: a program that arrives from outside can be
refused, but it can never run anything that the catalogue does not have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal

import msgspec

from oracles.arrays import Array

DType = Literal["float16", "bfloat16", "float32", "float64", "int64", "bool"]
Layout = Literal["contiguous", "transposed", "strided", "reversed"]


class ProgramError(ValueError):
    """A program or a case that cannot be meant: the message says which part and why."""


class Scalar(msgspec.Struct, frozen=True, tag_field="is", tag="scalar"):
    """A Python number as an operand. `text` is its exact spelling; `kind` is "int" or "float"."""

    text: str
    kind: Literal["int", "float"]

    @classmethod
    def of(cls, value: int | float) -> Scalar:
        """Record a Python number exactly (`repr` of a float reads back as the same float)."""
        return cls(repr(value), "float" if isinstance(value, float) else "int")

    @property
    def value(self) -> int | float:
        """The Python number."""
        return float(self.text) if self.kind == "float" else int(self.text)


class Ref(msgspec.Struct, frozen=True, tag_field="is", tag="value"):
    """The value with this number."""

    value: int


class Refs(msgspec.Struct, frozen=True, tag_field="is", tag="list"):
    """A list of values, for ops that take one (`cat`)."""

    values: tuple[int, ...]


Operand = Ref | Refs | Scalar


class Slice(msgspec.Struct, frozen=True, tag_field="is", tag="slice"):
    """`start:stop:step` inside an index."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None


class Int(msgspec.Struct, frozen=True, tag_field="is", tag="int"):
    """An integer inside an index."""

    at: int


class NewAxis(msgspec.Struct, frozen=True, tag_field="is", tag="newaxis"):
    """`None` inside an index."""


class Dots(msgspec.Struct, frozen=True, tag_field="is", tag="dots"):
    """`...` inside an index."""


class Pick(msgspec.Struct, frozen=True, tag_field="is", tag="pick"):
    """An integer or boolean tensor inside an index: the step's operand with this position."""

    operand: int


IndexItem = Slice | Int | NewAxis | Dots | Pick
Setting = bool | int | float | str | None | tuple[int, ...]


class Input(msgspec.Struct, frozen=True):
    """One input of a program; `shape` in elements, `requires_grad` False for indices, masks and constants."""

    name: str
    shape: tuple[int, ...]
    dtype: DType
    requires_grad: bool = True
    layout: Layout = "contiguous"

    @property
    def floating(self) -> bool:
        """Whether its elements are floats, differentiated or not."""
        return self.dtype not in ("int64", "bool")


class Step(msgspec.Struct, frozen=True):
    """One application of an op of the catalogue, under PyTorch's names for the op and its arguments.

    `operands` are the tensor arguments in the order of PyTorch's signature, `settings` the rest by keyword, and
    `index` is what stands between the brackets when the op is `getitem`.
    """

    op: str
    operands: tuple[Operand, ...]
    settings: dict[str, Setting] = {}
    index: tuple[IndexItem, ...] = ()
    outputs: int = 1

    def refs(self) -> tuple[int, ...]:
        """The numbers of the values that this step reads, in the order in which it reads them."""
        found: list[int] = []
        for operand in self.operands:
            if isinstance(operand, Ref):
                found.append(operand.value)
            elif isinstance(operand, Refs):
                found.extend(operand.values)
        return tuple(found)


class Program(msgspec.Struct, frozen=True):
    """Inputs, steps and the numbers of the values that are the outputs."""

    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    dialect: str = "torch"

    def __post_init__(self) -> None:
        known = len(self.inputs)
        for number, step in enumerate(self.steps):
            for ref in step.refs():
                if not 0 <= ref < known:
                    raise ProgramError(
                        f"step {number} ({step.op}) reads value {ref}, but only 0 to {known - 1} exist before it"
                    )
            known += step.outputs
        for ref in self.outputs:
            if not 0 <= ref < known:
                raise ProgramError(f"output {ref} does not exist: the program has values 0 to {known - 1}")

    @property
    def names(self) -> tuple[str, ...]:
        """A readable name for every value: the inputs' own, then t0, t1 ... (t1_0, t1_1 for several outputs)."""
        return tuple(self._names())

    def _names(self) -> Iterator[str]:
        yield from (i.name for i in self.inputs)
        for number, step in enumerate(self.steps):
            if step.outputs == 1:
                yield f"t{number}"
            else:
                yield from (f"t{number}_{k}" for k in range(step.outputs))

    @property
    def differentiated(self) -> tuple[int, ...]:
        """The numbers of the inputs that gradients are asked for."""
        return tuple(n for n, i in enumerate(self.inputs) if i.requires_grad)

    def first_output(self, step: int) -> int:
        """The number of the first value that this step makes."""
        return len(self.inputs) + sum(s.outputs for s in self.steps[:step])


class Case(msgspec.Struct, frozen=True):
    """A program with its inputs, the cotangent of each output, the dtype of its floating inputs, and the order.

    Order 1 asks for `vjp(outputs, inputs, cotangents)`. Order 2 asks, for those gradients weighted by `seconds` (one
    array for each differentiated input, of its shape), for their gradient with respect to the differentiated inputs
    and to the cotangents.
    """

    program: Program
    inputs: tuple[Array, ...]
    cotangents: tuple[Array, ...]
    dtype: DType
    order: Literal[1, 2] = 1
    seconds: tuple[Array, ...] = ()

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the case's content: the same case has the same id everywhere."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]


def decode_case(text: bytes | str) -> Case:
    """Read a case from JSON.

    Raises:
        ProgramError: the text is not a case; the message says where.
    """
    try:
        return msgspec.json.decode(text, type=Case)
    except msgspec.DecodeError as error:
        raise ProgramError(f"not a case: {error}") from error
