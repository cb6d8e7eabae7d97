"""What a campaign will do, checked before anything starts."""

from __future__ import annotations

import difflib
import importlib.util
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import refgrad
from oracles.clauses.deviations import DeviationError, Deviations, read_deviations
from oracles.known import Entry, ListError, packaged, read_known
from oracles.program import DType
from oracles.subjects import available

DTYPES: tuple[DType, ...] = ("float64", "float32", "float16", "bfloat16")
DEFAULT_DTYPES: tuple[DType, ...] = ("float64", "float32")
PARTS = ("gradients", "semantics")
"""What a run judges: gradients on small programs; clauses of the contract, and histories beside PyTorch."""
EXAMPLES = 100
"""Programs drawn for each op by default."""


class UsageError(ValueError):
    """The command asks for something that does not exist; the message says what does."""


class CannotJudge(RuntimeError):
    """Nothing could be judged: the subject does not start, or the judges are not installed."""


@dataclass(frozen=True)
class Plan:
    """A campaign: which subject, on which ops and dtypes, how far, and from which seed.

    `examples` programs are drawn for each op on its faces, climbs come on top; with `seconds`, rounds follow until that
    time has passed. `subject_file` defines the subject where refgrad does not. `known` are the entries of the list of
    known failures in `known_file`, and `deviations` the clauses and histories that it lists. `only` is one of `PARTS`,
    or nothing for all of them.
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
    known_file: Path | None = None
    known: tuple[Entry, ...] = ()
    deviations: Deviations = field(default_factory=Deviations)
    only: str = ""

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
    known_file: Path | None = None,
    fix: bool = False,
    only: str = "",
) -> Plan:
    """Check a request and fill in its defaults; with `fix`, also whether it may rewrite the list of known failures.

    Raises:
        UsageError: an unknown subject, op or dtype, a file that is not there, a list of known failures that cannot be
            read, or a run that may not rewrite it.
    """
    if subject_file is not None and not subject_file.is_file():
        raise UsageError(f"--subject-file: {subject_file} is not a file")
    if subject_file is None:
        _known("subject", (subject,), available(), "; --subject-file FILE judges any other")
    catalogue = tuple(refgrad.catalogue())
    _known("op", ops, catalogue, "; `refgrad ops` lists them")
    _known("dtype", dtypes, DTYPES, "")
    _known("part", [only] if only else [], PARTS, "")
    if fix and (ops or seconds is not None or only):
        raise UsageError("--fix rewrites the list from a whole run: leave out --ops, --for and --only")
    listed, known, deviations = _listed(subject, subject_file, known_file, fix)
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
        listed,
        known,
        deviations,
        only or ("gradients" if ops else ""),
    )


def _listed(
    subject: str, subject_file: Path | None, known_file: Path | None, fix: bool
) -> tuple[Path | None, tuple[Entry, ...], Deviations]:
    """The list of known failures and what it holds: the given file, else the one that comes with the project."""
    path = known_file or (packaged(subject) if subject_file is None else None)
    if path is None and fix:
        raise UsageError("--fix needs --known FILE: no list comes with a subject from a file")
    if path is None or not path.exists():
        if known_file is not None and not fix:
            raise UsageError(f"--known: {known_file} is not a file; with --fix the run writes it")
        return path, (), Deviations()
    try:
        return path, read_known(path, unwritten=fix), read_deviations(path, unwritten=fix)
    except (ListError, DeviationError) as error:
        raise UsageError(str(error)) from error


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
