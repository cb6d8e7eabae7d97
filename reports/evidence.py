"""What one finding shows: its claim as a sentence, the numbers beside the truth, and who agrees with whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from oracles.arrays import Array, ArrayError
from oracles.program import (
    Case,
    Dots,
    IndexItem,
    Int,
    NewAxis,
    Operand,
    Pick,
    Program,
    Ref,
    Refs,
    Slice,
    Step,
)
from oracles.records import Comparison, Finding, Verdict
from reports.numbers import badness, inside, percentage, short
from reports.text import line

ELEMENTS_SHOWN = 32
VALUES_SHOWN = 64
DIGITS = 17


class Piece(NamedTuple):
    """A part of a title; `code` where it is a name or a number from the run."""

    text: str
    code: bool = False


@dataclass(frozen=True)
class Element:
    """One element of an answer beside the truth, in text; `wrong` where the error exceeds the budget."""

    index: str
    expected: str
    radius: str
    got: str
    budget: str
    ulps: str
    budgets: str
    others: tuple[str, ...]
    worst: bool
    wrong: bool


@dataclass(frozen=True)
class Table:
    """One array of the answer, element by element; `left_out` elements err less than the ones shown."""

    argument: str
    shape: tuple[int, ...]
    judges: tuple[str, ...]
    elements: tuple[Element, ...]
    left_out: int


@dataclass(frozen=True)
class Witness:
    """One judge's answer at the worst element, how it stands to the truth, and its verdict on the subject."""

    name: str
    says: str
    stands: str
    outcome: str
    reason: str
    ratio: str


@dataclass(frozen=True)
class Given:
    """One array that the case hands to the subject."""

    role: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    layout: str
    values: str


def title(finding: Finding) -> tuple[Piece, ...]:
    """The claim in one sentence: which gradient is wrong, what was expected and what was got."""
    start = _place(finding)
    error = line(finding.error, 80)
    if error.startswith("raises"):
        return (*start, Piece(" cannot be had: the subject "), Piece(error))
    if error in ("died", "hung"):
        return (*start, Piece(f" cannot be had: the subject {error}"))
    worst = worst_comparison(finding)
    if worst is None:
        return (*start, Piece(f" is wrong: {error}"))
    expected, got = _contrast(finding, worst)
    plain_error = error in ("wrong value", "nan", "wrong shape", "wrong dtype")
    wrong = f" has the {error}" if error in ("wrong shape", "wrong dtype") else " is wrong"
    wrong += "" if plain_error else f" ({error})"
    if not expected:
        return (*start, Piece(f"{wrong}: got "), Piece(got, code=True))
    return (*start, Piece(f"{wrong}: expected "), Piece(expected, True), Piece(", got "), Piece(got, True))


def _place(finding: Finding) -> tuple[Piece, ...]:
    what = _answer(line(finding.argument, 60), finding.case.order)
    if finding.blame == "walk":
        return (*what, Piece(" through the whole program"))
    return (*what, Piece(" in "), Piece(line(finding.blame, 60), code=True))


def _answer(argument: str, order: int) -> tuple[Piece, ...]:
    if argument.startswith(("output", "gradient", "second-order")):
        return (Piece(argument.capitalize()),)
    kind = "Second-order gradient" if order == 2 else "Gradient"
    return (Piece(f"{kind} of "), Piece(argument, code=True)) if argument else (Piece(kind),)


def _contrast(finding: Finding, worst: Comparison) -> tuple[str, str]:
    """What was expected and what was got, as far as the kind of error makes them differ."""
    got = worst.got
    if finding.error == "wrong shape" and got is not None:
        return str(worst.shape), str(got.shape)
    if finding.error == "wrong dtype" and got is not None:
        dtypes = {f"gradient of {i.name}": i.dtype for i in finding.case.program.inputs}
        return dtypes.get(worst.argument, ""), line(got.dtype, 40)
    expected = line(short(at(worst.expected, worst.worst), DIGITS), 60)
    return expected, at(values(got), worst.worst) or "nothing"


PHASES = ("value", "gradient", "second-order gradient")


def sources(finding: Finding) -> tuple[Piece, ...]:
    """Which steps bring in the most of the worst element's budget, as a sentence; nothing where that is not known."""
    pieces: list[Piece] = []
    steps = finding.case.program.steps
    for share in finding.shares:
        percent = f"{percentage(share.part)} from "
        if 0 <= share.step < len(steps):
            phase = PHASES[min(max(share.phase, 0), len(PHASES) - 1)]
            pieces += [Piece(f"{percent}the {phase} of "), Piece(line(steps[share.step].op, 60), code=True)]
            pieces += [Piece(f" (step {share.step + 1})")] if len(steps) > 1 else []
        else:
            pieces.append(Piece(f"{percent}adding up the gradients of an input"))
        pieces.append(Piece(", "))
    return (Piece("Of this budget "), *pieces[:-1], Piece(".")) if pieces else ()


def as_text(pieces: Sequence[Piece]) -> str:
    """A title as plain text, with names and numbers between backticks."""
    return "".join(f"`{piece.text}`" if piece.code else piece.text for piece in pieces)


def worst_comparison(finding: Finding) -> Comparison | None:
    """The comparison that holds the largest error in budgets."""
    return max(finding.comparisons, key=lambda c: badness(at(c.error_budgets, c.worst)), default=None)


def at(texts: Sequence[str], index: int) -> str:
    """The text at this place, or nothing where the record is too short."""
    return texts[index] if 0 <= index < len(texts) else ""


def values(array: Array | None) -> tuple[str, ...]:
    """The elements as the shortest decimals of their dtype, row-major; none where they cannot be read."""
    if array is None:
        return ()
    try:
        return tuple(str(v) for v in array.numpy().reshape(-1))
    except (ArrayError, ValueError):
        return ()


def nested(array: Array) -> str:
    """A small array as nested lists of decimals; any other as the text that its record carries."""
    texts = values(array)
    if not texts or len(texts) > VALUES_SHOWN:
        return array.text
    for size in reversed(array.shape):
        texts = tuple(f"[{', '.join(texts[i : i + size])}]" for i in range(0, len(texts), size))
    return texts[0]


def table(comparison: Comparison) -> Table:
    """The elements of one comparison: all of them, or the worst ones when there are many."""
    count = max(len(comparison.expected), len(values(comparison.got)), len(comparison.error_budgets))
    chosen = sorted(range(count), key=lambda i: (badness(at(comparison.error_budgets, i)), -i), reverse=True)
    shown = sorted({*chosen[:ELEMENTS_SHOWN], *(i for i in (comparison.worst,) if i < count)})
    elements = tuple(_elements(comparison, shown))
    return Table(
        comparison.argument, comparison.shape, tuple(comparison.others), elements, count - len(shown)
    )


def _elements(comparison: Comparison, shown: Sequence[int]) -> Iterator[Element]:
    got = values(comparison.got)
    others = [values(array) for array in comparison.others.values()]
    for i in shown:
        yield Element(
            index=_index(i, comparison.shape),
            expected=short(at(comparison.expected, i), DIGITS),
            radius=short(at(comparison.radius, i), 2),
            got=at(got, i),
            budget=short(at(comparison.budget, i)),
            ulps=short(at(comparison.error_ulps, i)),
            budgets=short(at(comparison.error_budgets, i)),
            others=tuple(at(other, i) for other in others),
            worst=i == comparison.worst,
            wrong=badness(at(comparison.error_budgets, i)) > badness("1"),
        )


def _index(flat: int, shape: tuple[int, ...]) -> str:
    try:
        return f"[{', '.join(str(i) for i in np.unravel_index(flat, shape))}]"
    except (ValueError, TypeError):
        return f"[{flat}]"


def witnesses(finding: Finding) -> tuple[Witness, ...]:
    """Every judge beside the subject: what it says at the worst element and of the subject's answer."""
    worst = worst_comparison(finding)
    verdicts = {v.oracle: v for v in finding.verdicts}
    others = worst.others if worst else {}
    names = dict.fromkeys([*verdicts, *others])
    return tuple(_witness(name, verdicts.get(name), worst) for name in names if name != "subject")


def _witness(name: str, verdict: Verdict | None, worst: Comparison | None) -> Witness:
    says, stands = ("", "")
    if worst is not None and name == "exact":
        says, stands = short(at(worst.expected, worst.worst), DIGITS), "is the enclosed truth"
    elif worst is not None and name in worst.others:
        says, stands = _beside_truth(values(worst.others[name]), worst)
    if verdict is None:
        return Witness(name, says, stands, "", "", "")
    return Witness(name, says, stands, verdict.outcome, verdict.reason, short(verdict.ratio))


def _beside_truth(answer: tuple[str, ...], comparison: Comparison) -> tuple[str, str]:
    says = at(answer, comparison.worst)
    holds = [
        inside(value, at(comparison.expected, i), at(comparison.radius, i), at(comparison.budget, i))
        for i, value in enumerate(answer)
    ]
    if not holds or None in holds:
        return says, ""
    return says, "agrees with the truth" if all(holds) else "differs from the truth"


def given(case: Case) -> tuple[Given, ...]:
    """All arrays of a case: inputs, cotangents, and the weights of a second-order case."""
    program = case.program
    names = program.names
    found = [
        Given("input", declared.name, array.dtype, array.shape, declared.layout, nested(array))
        for declared, array in zip(program.inputs, case.inputs, strict=False)
    ]
    for output, array in zip(program.outputs, case.cotangents, strict=False):
        found.append(Given("cotangent of", names[output], array.dtype, array.shape, "", nested(array)))
    for number, array in zip(program.differentiated, case.seconds, strict=False):
        found.append(
            Given("weight of the gradient of", names[number], array.dtype, array.shape, "", nested(array))
        )
    return tuple(found)


def blamed_step(finding: Finding) -> str:
    """The step that went wrong as one line of code, or nothing when the walk is to blame."""
    program = finding.case.program
    if not 0 <= finding.step < len(program.steps):
        return ""
    first = program.first_output(finding.step)
    made = ", ".join(program.names[first : first + program.steps[finding.step].outputs])
    return f"{made} = {call(program, finding.step)}"


def call(program: Program, number: int) -> str:
    """A step of a program as one call."""
    return _call(program.steps[number], program.names)


def _call(step: Step, names: Sequence[str]) -> str:
    operands = [_operand(operand, names) for operand in step.operands]
    if step.index:
        return f"{operands[0]}[{', '.join(_item(item, operands) for item in step.index)}]"
    settings = [f"{name}={value!r}" for name, value in step.settings.items()]
    return f"{step.op}({', '.join(operands + settings)})"


def _item(item: IndexItem, operands: Sequence[str]) -> str:
    match item:
        case Int(number):
            return str(number)
        case Slice(start, stop, step):
            ends = f"{'' if start is None else start}:{'' if stop is None else stop}"
            return ends if step is None else f"{ends}:{step}"
        case NewAxis():
            return "None"
        case Dots():
            return "..."
        case Pick(operand):
            return at(operands, operand)


def _operand(operand: Operand, names: Sequence[str]) -> str:
    match operand:
        case Ref(value):
            return names[value]
        case Refs(several):
            return f"[{', '.join(names[v] for v in several)}]"
        case _:
            return operand.text
