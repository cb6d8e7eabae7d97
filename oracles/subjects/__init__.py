"""The subjects that come with the project, by name, and users' own, by file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path

from oracles.subjects.protocol import MEMBERS, Subject, SubjectError, UnknownSubject

NAMES = ("refgrad", "torch", "autograd", "jax", "mygrad", "tinygrad", "micrograd")


def available() -> tuple[str, ...]:
    """The names of the subjects that come with the project, installed or not."""
    return NAMES


def load(name: str | Path) -> Subject:
    """The subject of this name, or the one that the file at this path defines.

    A `Path`, and a text that ends in ".py" or holds a path separator, is a file; it must define `subject`.

    Raises:
        UnknownSubject: the name is none of `available()`.
        SubjectError: the file cannot be read or raises, or has no `subject`, or that one lacks something; or
        the
            library of a named subject is not installed.
    """
    if isinstance(name, Path) or name.endswith(".py") or "/" in name or "\\" in name:
        return _from_file(Path(name))
    if name not in NAMES:
        raise UnknownSubject(
            f"no subject is called {name!r}; there are {', '.join(NAMES)}, and --subject-file"
        )
    subject: Subject = importlib.import_module(f"oracles.subjects.{name}").subject
    try:
        subject.versions()
    except ImportError as error:
        raise SubjectError(f"subject {name} needs a library that cannot be imported: {error}") from error
    return subject


def _from_file(path: Path) -> Subject:
    path = path.resolve()
    if not path.is_file():
        raise SubjectError(f"{path} is not a file")
    spec = importlib.util.spec_from_file_location(f"subject_file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SubjectError(f"{path} is not a Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        last = "".join(traceback.format_exception_only(error)).strip()
        raise SubjectError(f"{path} raised while it was imported: {last}") from error
    if not hasattr(module, "subject"):
        raise SubjectError(
            f"{path} defines no `subject`: end it with subject = Functional(...) or TorchLike(...)"
        )
    return checked(module.subject, str(path))


def checked(subject: object, where: str) -> Subject:
    """The object as a subject.

    Raises:
        SubjectError: it lacks a member of the protocol; the message names each and what is expected of it.
    """
    missing = [m for m in MEMBERS if not hasattr(subject, m)]
    wrong = [m for m in MEMBERS if m != "name" and hasattr(subject, m) and not callable(getattr(subject, m))]
    if missing or wrong:
        said = [f"has no {m}{_expected(m)}" for m in missing] + [
            f"has a {m} that is not a method" for m in wrong
        ]
        raise SubjectError(f"{where}: the subject (a {type(subject).__name__}) {'; '.join(said)}")
    if not isinstance(subject, Subject):
        raise SubjectError(f"{where}: the subject does not follow oracles.subjects.protocol.Subject")
    return subject


def _expected(member: str) -> str:
    if member == "name":
        return " (a text)"
    sentence = (getattr(Subject, member).__doc__ or "").splitlines()[0]
    return f" (a method: {sentence[0].lower()}{sentence[1:].rstrip('.')})"
