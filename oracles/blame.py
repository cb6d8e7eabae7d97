"""Which op is to blame: the step whose own vector-Jacobian product is wrong, else the walk that composes them.

Each step of an accused program is judged alone, on the true values that reach it and with the cotangents and directions
that reach it, rounded to the dtype, with every operand a separate input. If all are right alone, and with drawn
cotangents too, the fault lies in how their gradients are brought together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import msgspec
import numpy as np

import refgrad
from oracles.arrays import DTYPES, Array
from oracles.generation.values import COTANGENTS
from oracles.judge import Bench, Judgement
from oracles.program import Case, Input, Operand, Program, Ref, Refs, Scalar, Step
from oracles.reaching import NumPy, Reaching, finite

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
    """A kind, the step that it names in this program (-1 for the walk), and the case that shows it.

    `alone` is that step as a program of its own, which shows it too; None where it is the whole program, or none.
    """

    kind: Kind
    step: int
    case: Case
    message: str
    alone: Case | None = None


def accuse(bench: Bench, judgement: Judgement) -> Accusation:
    """Name the op and its argument behind a faulty judgement."""
    case = judgement.case
    if told_at_once(case):
        op = case.program.steps[0].op
        return Accusation(
            Kind(op, _argument(case.program, judgement.argument), error(judgement)),
            0,
            case,
            judgement.message,
        )
    for number, local in _alone(case):
        verdict = bench.judge(local, witnesses=False)
        if verdict.fault:
            argument = _argument(local.program, verdict.argument)
            return Accusation(
                Kind(case.program.steps[number].op, argument, error(verdict)),
                number,
                case,
                judgement.message,
                local,
            )
    return Accusation(Kind(WALK, "", error(judgement)), -1, case, judgement.message)


def error(judgement: Judgement) -> str:
    """The class of the fault; one that only the second order shows says so."""
    second = judgement.argument.startswith(("second-order", "gradient of the cotangent"))
    return f"{judgement.fault}{SECOND}" if second else judgement.fault


def told_at_once(case: Case) -> bool:
    """Whether a case has but one op to blame, with nothing more to judge: one step, and no value read twice."""
    steps = case.program.steps
    return len(steps) == 1 and len(set(steps[0].refs())) == len(steps[0].refs())


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


def _alone(case: Case) -> Iterator[tuple[int, Case]]:
    """Each step as a program of its own, at the values that reach it; none that has nothing to differentiate.

    First come the questions that the program asks of its steps, then the same steps with drawn cotangents: what is
    wrong with them is wrong, and a rounded cotangent may hide it.
    """
    reaching = Reaching(case)
    for ask in (_asked, _asked_again, _drawn):
        for number in range(len(case.program.steps)):
            alone = _local(reaching, number)
            local = None if alone is None else ask(reaching, alone)
            if local is not None:
                yield number, local


@dataclass(frozen=True)
class _Alone:
    """A step as a program: for each input and output of it the number of the value that it was."""

    program: Program
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    number: int

    @property
    def directed(self) -> tuple[int, ...]:
        """The values that its gradients are by."""
        return tuple(self.inputs[n] for n in self.program.differentiated)


def _local(reaching: Reaching, number: int) -> _Alone | None:
    program, step = reaching.case.program, reaching.case.program.steps[number]
    reads = step.refs()
    inputs = tuple(
        Input(
            f"x{place}",
            reaching.value(n).shape,
            reaching.dtype(n),
            reaching.floating(n),
            program.inputs[n].layout if n < len(program.inputs) else "contiguous",
        )
        for place, n in enumerate(reads)
    )
    if not any(i.requires_grad for i in inputs):
        return None
    first = program.first_output(number)
    made = [n for n in range(first, first + step.outputs) if reaching.floating(n)]
    outputs = tuple(n for n in made if reaching.asked(n)) or (first,)
    chosen = tuple(len(inputs) + n - first for n in outputs)
    alone = Program(inputs, (_separate(step),), chosen, program.dialect)
    return _Alone(alone, reads, outputs, number)


def _separate(step: Step) -> Step:
    """The step with every operand a value of its own, in the order in which it reads them."""
    places = count()

    def moved(operand: Operand) -> Operand:
        match operand:
            case Ref():
                return Ref(next(places))
            case Refs(refs):
                return Refs(tuple(next(places) for _ in refs))
            case Scalar():
                return operand

    return msgspec.structs.replace(step, operands=tuple(moved(o) for o in step.operands))


def _asked(reaching: Reaching, alone: _Alone) -> Case | None:
    """What the program asks of the step, if that is anything."""
    cotangents = [reaching.cotangent(n) for n in alone.outputs]
    second = reaching.case.order == 2
    seconds = [reaching.direction(n) for n in alone.directed] if second else ()
    return _question(reaching, alone, cotangents, seconds) if any(map(np.any, cotangents)) else None


def _asked_again(reaching: Reaching, alone: _Alone) -> Case | None:
    """To second order a step pulls back to first order once more."""
    if reaching.case.order == 1:
        return None
    cotangents = [reaching.again(n) for n in alone.outputs]
    return _question(reaching, alone, cotangents, ()) if any(map(np.any, cotangents)) else None


def _drawn(reaching: Reaching, alone: _Alone) -> Case | None:
    rng = np.random.default_rng(alone.number)

    def numbers(n: int) -> NumPy:
        return np.asarray(rng.choice(COTANGENTS, reaching.value(n).shape).astype(DTYPES[reaching.dtype(n)]))

    seconds = [numbers(n) for n in alone.directed] if reaching.case.order == 2 else ()
    return _question(reaching, alone, [numbers(n) for n in alone.outputs], seconds)


def _question(
    reaching: Reaching, alone: _Alone, cotangents: Sequence[NumPy], seconds: Sequence[NumPy]
) -> Case | None:
    """The step asked about these; None where a number of them is beyond the dtype."""
    if not (finite(cotangents) and finite(seconds)):
        return None
    return Case(
        alone.program,
        tuple(Array.of(reaching.value(n)) for n in alone.inputs),
        tuple(map(Array.of, cotangents)),
        reaching.case.dtype,
        2 if seconds else 1,
        tuple(map(Array.of, seconds)),
    )
