"""What a campaign will do, checked before anything starts."""

from __future__ import annotations

import difflib
import importlib.util
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import refgrad
from oracles.program import DType
from oracles.subjects import available

DTYPES: tuple[DType, ...] = ("float64", "float32", "float16", "bfloat16")
DEFAULT_DTYPES: tuple[DType, ...] = ("float64", "float32")
EXAMPLES = 100
"""Programs drawn for each op by default."""


class UsageError(ValueError):
    """The command asks for something that does not exist; the message says what does."""


class CannotJudge(RuntimeError):
    """Nothing could be judged: the subject does not start, or the judges are not installed."""


@dataclass(frozen=True)
class Plan:
    """A campaign: which subject, on which ops and dtypes, how far, and from which seed.

    `examples` programs are drawn for each op; with `seconds`, rounds follow until that time has passed. `subject_file`
    defines the subject where refgrad does not.
    """

    subject: str
    subject_file: Path | None
    ops: tuple[str, ...]
    dtypes: tuple[DType, ...]
    examples: int
    seconds: float | None
    seed: int
    jobs: int
    command: str

    @property
    def where(self) -> str | Path:
        """What a worker loads."""
        return self.subject if self.subject_file is None else self.subject_file


def plan_check(
    subject: str,
    subject_file: Path | None,
    ops: tuple[str, ...],
    dtypes: tuple[str, ...],
    examples: int | None,
    seconds: float | None,
    seed: int | None,
    jobs: int,
    command: str,
) -> Plan:
    """Check a request and fill in its defaults.

    Raises:
        UsageError: an unknown subject, op or dtype, or a subject file that is not there.
    """
    if subject_file is not None and not subject_file.is_file():
        raise UsageError(f"--subject-file: {subject_file} is not a file")
    if subject_file is None:
        _known("subject", (subject,), available(), "; --subject-file FILE judges any other")
    catalogue = tuple(refgrad.catalogue())
    _known("op", ops, catalogue, "; `refgrad ops` lists them")
    _known("dtype", dtypes, DTYPES, "")
    return Plan(
        subject,
        subject_file,
        tuple(o for o in catalogue if o in ops) or catalogue,
        tuple(d for d in DTYPES if d in dtypes) or DEFAULT_DTYPES,
        examples or EXAMPLES,
        seconds,
        secrets.randbelow(1_000_000) if seed is None else seed,
        jobs,
        command,
    )


def _known(what: str, given: Iterable[str], known: Iterable[str], more: str) -> None:
    there = list(known)
    for name in given:
        if name not in there:
            close = difflib.get_close_matches(name, there, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(there)}{more}"
            raise UsageError(f"unknown {what} {name!r}: {hint}")


def has_pytorch() -> bool:
    """Whether PyTorch is installed to be asked."""
    return importlib.util.find_spec("torch") is not None
