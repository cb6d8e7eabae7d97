"""What SymPy has derived once, kept in files from one run to the next.

A file holds one derivation as plain JSON, the question that it answers, and a checksum. It is read as data and never as
code. One that is damaged, answers something else or cannot be written is as good as none: SymPy is asked again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

SOURCES = ("derivation.py", "lowering.py")
"""The modules that decide what a derivation is: a change in one makes all files old."""


def once(
    question: list[Any], derive: Callable[[Any], dict[str, Any]], use: Callable[[dict[str, Any]], None]
) -> None:
    """Have `use` take in what answers the question: from its file, else as `derive` makes it with SymPy's module.

    `use` raises ValueError, KeyError or TypeError where what it is given is no answer.
    """
    path = _path(question)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        use(_read(path, question))
        return
    answer = derive(import_module("oracles.exact.derivation"))
    use(answer)
    with contextlib.suppress(OSError):
        _write(path, question, answer)


def folder() -> Path:
    """Where the files are: under XDG_CACHE_HOME, which must be absolute to count, or ~/.cache."""
    asked = Path(os.environ.get("XDG_CACHE_HOME", ""))
    home = asked if asked.is_absolute() else Path("~/.cache").expanduser()
    return home / "refgrad" / f"derived-{_makers()}"


@cache
def _makers() -> str:
    """A digest of SymPy's version and of the code that derives."""
    code = [Path(__file__).with_name(name).read_bytes() for name in SOURCES]
    return hashlib.sha256(b"\0".join([version("sympy").encode(), *code])).hexdigest()[:16]


def _path(question: list[Any]) -> Path:
    return folder() / f"{_digest(question)[:32]}.json"


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()


def _read(path: Path, question: list[Any]) -> dict[str, Any]:
    """The answer in a file.

    Raises:
        OSError, ValueError, KeyError, TypeError: there is none that is whole.
    """
    held = json.loads(path.read_bytes())
    answer: dict[str, Any] = held["answer"]
    if _digest(held["question"]) != _digest(question) or held["checksum"] != _digest(answer):
        raise ValueError(f"{path} is damaged")
    return answer


def _write(path: Path, question: list[Any], answer: dict[str, Any]) -> None:
    """Put a whole file in place at once, so that no other process reads a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"question": question, "checksum": _digest(answer), "answer": answer})
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as file:
        try:
            file.write(text)
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
