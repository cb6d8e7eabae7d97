"""Which op is to blame: the step whose own vector-Jacobian product is wrong, else the walk that composes them.

Each step of an accused program is judged alone, on the true values that reach it, rounded to the dtype, with every
operand a separate input. If all are right alone, the fault lies in how their gradients are brought together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

import refgrad
from oracles.arrays import DTYPES, Array
from oracles.exact.evaluate import evaluate
from oracles.exact.scalars import Truth
from oracles.generation.values import COTANGENTS
from oracles.judge import Bench, Judgement
from oracles.program import Case, Input, Operand, Program, Ref, Refs, Scalar, Step
from oracles.truth import working_bits

WALK = "walk"


@dataclass(frozen=True)
class Kind:
    """What makes two accusations the same finding."""

    blame: str
    argument: str
    error: str


SECOND = " at second order"


def first_order(kind: Kind) -> Kind | None:
    """The kind that makes this one no news: the same op and argument, already wrong at first order in this way."""
    if not kind.error.endswith(SECOND):
        return None
    return Kind(kind.blame, kind.argument, kind.error.removesuffix(SECOND))


def finding_id(subject: str, kind: Kind) -> str:
    """A name to say aloud, and four digits of the kind: the same fault has the same id in every run."""
    digest = hashlib.sha256(repr((subject, kind.blame, kind.argument, kind.error)).encode()).hexdigest()[:4]
    return "-".join(p for p in (kind.blame.replace(".", "-"), kind.argument, digest) if p)


@dataclass(frozen=True)
class Accusation:
    """A kind, the step that it names in this program (-1 for the walk), and the case that shows it."""

    kind: Kind
    step: int
    case: Case
    message: str


def accuse(bench: Bench, judgement: Judgement) -> Accusation:
    """Name the op and its argument behind a faulty judgement."""
    case = judgement.case
    if len(case.program.steps) == 1 and not _repeats(case.program.steps[0]):
        op = case.program.steps[0].op
        return Accusation(
            Kind(op, _argument(case.program, judgement.argument), _error(judgement)),
            0,
            case,
            judgement.message,
        )
    for number, local in _alone(case):
        if local is None:
            continue
        verdict = bench.judge(local, witnesses=False)
        if verdict.fault:
            argument = _argument(local.program, verdict.argument)
            return Accusation(
                Kind(case.program.steps[number].op, argument, _error(verdict)),
                number,
                case,
                judgement.message,
            )
    return Accusation(Kind(WALK, "", _error(judgement)), -1, case, judgement.message)


def _error(judgement: Judgement) -> str:
    """The class of the fault; one that only the second order shows says so."""
    second = judgement.argument.startswith(("second-order", "gradient of the cotangent"))
    return f"{judgement.fault}{SECOND}" if second else judgement.fault


def _repeats(step: Step) -> bool:
    return len(set(step.refs())) < len(step.refs())


def _argument(program: Program, label: str) -> str:
    """The blamed op's own name for the argument that an array's label speaks of."""
    if label.startswith("output"):
        return "output"
    if label.startswith("gradient of the cotangent"):
        return "cotangent"
    if not label:
        return ""
    name = label.rpartition("gradient of ")[2]
    number = next(n for n, i in enumerate(program.inputs) if i.name == name)
    step = program.steps[0]
    names = refgrad.catalogue()[step.op].inputs
    for position, operand in enumerate(step.operands):
        hit = (
            operand.value == number
            if isinstance(operand, Ref)
            else number in operand.values
            if isinstance(operand, Refs)
            else False
        )
        if hit:
            return names[min(position, len(names) - 1)]
    return name


def _alone(case: Case) -> Sequence[tuple[int, Case | None]]:
    """Each step as a program of its own, at the values that reach it; None where there is nothing to differentiate."""
    with working_bits(160):
        algebra = Truth(1)
        values: list[Any] = []
        for spec, array in zip(case.program.inputs, case.inputs, strict=True):
            numbers = array.seen()
            if spec.requires_grad:
                cells = np.empty(numbers.shape, dtype=object)
                for place in np.ndindex(numbers.shape):
                    cells[place] = algebra.leaf(float(numbers[place]))
                values.append(cells)
            else:
                values.append(numbers)
        known = evaluate(case.program, algebra, values)
    arrays = [_rounded(v, case.dtype) for v in known]
    return [(n, _local(case, n, arrays)) for n in range(len(case.program.steps))]


def _rounded(value: Any, dtype: str) -> np.ndarray[Any, Any]:
    if value.dtype != object:
        return np.asarray(value)
    floats = np.array([float(n.value.mid()) for n in value.flat]).reshape(value.shape)
    return floats.astype(DTYPES[dtype])


def _local(case: Case, number: int, arrays: Sequence[np.ndarray[Any, Any]]) -> Case | None:
    program, step = case.program, case.program.steps[number]
    inputs: list[Input] = []
    values: list[np.ndarray[Any, Any]] = []

    def separate(ref: int) -> int:
        array = arrays[ref]
        floating = array.dtype.kind not in "iub"
        layout = program.inputs[ref].layout if ref < len(program.inputs) else "contiguous"
        dtype = case.dtype if floating else "bool" if array.dtype.kind == "b" else "int64"
        inputs.append(Input(f"x{len(inputs)}", array.shape, dtype, floating, layout))
        values.append(array)
        return len(inputs) - 1

    def moved(operand: Operand) -> Operand:
        match operand:
            case Ref(value):
                return Ref(separate(value))
            case Refs(refs):
                return Refs(tuple(separate(r) for r in refs))
            case Scalar():
                return operand

    operands = tuple(moved(o) for o in step.operands)
    if not any(i.requires_grad for i in inputs):
        return None
    alone = msgspec.structs.replace(step, operands=operands)
    result = arrays[program.first_output(number)]
    rng = np.random.default_rng(number)

    def numbers(shape: tuple[int, ...]) -> Array:
        return Array.of(rng.choice(COTANGENTS, shape).astype(DTYPES[case.dtype]))

    seconds = tuple(numbers(i.shape) for i in inputs if i.requires_grad) if case.order == 2 else ()
    return Case(
        Program(tuple(inputs), (alone,), (len(inputs),), program.dialect),
        tuple(Array.of(v) for v in values),
        (numbers(result.shape),),
        case.dtype,
        case.order,
        seconds,
    )
