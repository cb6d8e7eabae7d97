"""What a subject answers, and the ways in which it can fail to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from oracles.answers import Answer, Check
from oracles.arrays import DTYPES, Array, dtype_name
from oracles.program import Case, Program, Step

NDArray = np.ndarray[Any, Any]


class SubjectError(Exception):
    """A subject that cannot be used at all: the message says what is wrong with it and what to do."""


class UnknownSubject(SubjectError):
    """No subject has this name."""


class Lacking(Exception):
    """The subject's library lacks what the case needs. `op` names the step, where one is to blame."""

    def __init__(self, reason: str, op: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.op = op


class WrongAnswer(TypeError):
    """The subject answered with something that is not an array; the message names the argument."""


@runtime_checkable
class Subject(Protocol):
    """An implementation under test, as the worker sees it. All methods may raise `Lacking`."""

    name: str

    def versions(self) -> dict[str, str]:
        """The version of each library that takes part."""

    def supports(self, step: Step) -> str:
        """Nothing if the library has this step as one op of its own, else the reason why not."""

    def values(self, program: Program, arrays: Sequence[NDArray]) -> list[NDArray]:
        """The program's outputs for these inputs; nothing is differentiated."""

    def vjp(self, case: Case) -> Answer:
        """The case's outputs and gradients; `repeated` and `scaled` are left to the worker."""

    def code(self, case: Case) -> str:
        """The case's inputs and steps as this library's code."""

    def script(self, case: Case, checks: Sequence[Check], message: str = "", raises: str = "") -> str:
        """The code, then a comparison; exits with 0 if all is as expected, 1 if not, 2 if it cannot run."""


MEMBERS = ("name", "versions", "supports", "values", "vjp", "code", "script")


def recorded(value: Any, argument: str) -> Array | None:
    """An array of an answer as it goes into the record; None stays None ("no gradient").

    Raises:
        WrongAnswer: the value is not an array, or its dtype is none that a record can hold.
    """
    if value is None:
        return None
    if not isinstance(value, np.ndarray | np.generic):
        raise WrongAnswer(f"{argument} is a {type(value).__name__}, not an array")
    if dtype_name(value.dtype) not in DTYPES:
        raise WrongAnswer(f"{argument} has dtype {value.dtype.name}, which is none of {', '.join(DTYPES)}")
    return Array.packed(np.asarray(value))


def recorded_outputs(values: Any, arguments: Sequence[str]) -> tuple[Array, ...]:
    """The outputs of a program as they go into the record.

    Raises:
        WrongAnswer: it is not a sequence of so many arrays, or one is None.
    """
    arrays = all_recorded(values, arguments)
    for array, argument in zip(arrays, arguments, strict=True):
        if array is None:
            raise WrongAnswer(f"{argument} is None, not an array")
    return arrays  # type: ignore[return-value]


def all_recorded(values: Any, arguments: Sequence[str]) -> tuple[Array | None, ...]:
    """Each of a sequence of arrays as it goes into the record, named in this order.

    Raises:
        WrongAnswer: it is not a sequence of so many arrays.
    """
    if not isinstance(values, tuple | list):
        raise WrongAnswer(f"{', '.join(arguments)}: got a {type(values).__name__}, not a tuple of arrays")
    if len(values) != len(arguments):
        raise WrongAnswer(f"{', '.join(arguments)}: got {len(values)} arrays, expected {len(arguments)}")
    return tuple(recorded(v, a) for v, a in zip(values, arguments, strict=True))
