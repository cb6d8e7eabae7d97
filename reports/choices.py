"""The table of conventions: what the subject chooses where there is no one derivative, beside PyTorch's choice."""

from __future__ import annotations

from dataclasses import dataclass

from oracles.records import Convention
from reports.numbers import decimal, short


@dataclass(frozen=True)
class Choice:
    """One point of one op: both choices by name and in numbers, whether they differ, and what is to be said of that."""

    op: str
    at: str
    name: str
    got: str
    mark: str
    expected: str
    differs: bool
    fault: bool
    convention: bool
    said: str


SAID = {
    "agrees": "within the budget all the same",
    "convention": "a difference of convention",
    "differs": "outside what is allowed: a fault",
    "cannot tell": "no derivative to compare with",
    "uninformative": "no derivative to compare with",
}


def choices(records: tuple[Convention, ...]) -> tuple[Choice, ...]:
    """A line for each record, in the order of the run, but faults first."""
    return tuple(sorted(map(_choice, records), key=lambda choice: not choice.fault))


def _choice(record: Convention) -> Choice:
    return Choice(
        record.op,
        record.at,
        record.name,
        _row(record.got),
        record.mark,
        _row(record.expected),
        not follows(record),
        record.outcome == "differs",
        record.outcome == "convention",
        SAID.get(record.outcome, record.outcome),
    )


def follows(record: Convention) -> bool:
    """Whether the choice is PyTorch's, number for number: 0 is -0, and nan is nan."""
    if len(record.got) != len(record.expected):
        return False
    pairs = [(decimal(a), decimal(b)) for a, b in zip(record.got, record.expected, strict=True)]
    return all(a is not None and b is not None and (a == b or (a.is_nan() and b.is_nan())) for a, b in pairs)


def _row(numbers: tuple[str, ...]) -> str:
    return ", ".join(short(number.removesuffix(".0"), 6) for number in numbers)
