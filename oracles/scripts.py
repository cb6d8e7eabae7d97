"""The script at the end of a finding: it needs the library, nothing of ours, and a stranger can read it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from oracles.answers import Check
from oracles.program import Case

PREAMBLE = """
import sys
import traceback
from fractions import Fraction
"""

COMPARISON = '''
def within(got, expected, allowed):
    """Whether an element is as near to what is expected as it should be; exact arithmetic."""
    if allowed == "inf":
        return True
    if expected in ("inf", "-inf"):
        return repr(got) in (expected, "nan")
    if repr(got) in ("nan", "inf", "-inf") or expected == "nan":
        return repr(got) == expected
    return abs(Fraction(got) - Fraction(expected)) <= Fraction(allowed)


def faults(label, value, expected, allowed, shape, dtype):
    """Print what was expected beside what was got; count what is wrong."""
    if value is None:
        print(f"{label}: got None, which says that there is no gradient")
        return int(bool(shape or dtype)) + sum(not within(0.0, e, a) for e, a in zip(expected, allowed))
    found = 0
    if shape is not None and tuple(value.shape) != shape:
        print(f"{label}: expected shape {shape}, got {tuple(value.shape)}")
        found += 1
    if dtype and str(value.dtype).rpartition(".")[2] != dtype:
        print(f"{label}: expected dtype {dtype}, got {value.dtype}")
        found += 1
    if not expected:
        return found
    got = elements(value)
    if len(got) != len(expected):
        print(f"{label}: expected {len(expected)} elements, got {len(got)}")
        return found + 1
    for number, (g, e, a) in enumerate(zip(got, expected, allowed)):
        fine = within(g, e, a)
        found += not fine
        mark = "" if fine else "   <- outside"
        print(f"{label}, element {number}: expected {e} within {a}, got {g!r}{mark}")
    return found
'''

VERDICT = """
try:
    results = compute()
except Exception as error:
    traceback.print_exc()
    known = type(error).__name__ == RAISES
    print(f"confirmed: it raises {RAISES}" if known else "could not run")
    sys.exit(1 if known else 2)

count = sum(faults(label, results[label], *expected) for label, expected in EXPECTED.items())
print(f"confirmed: {count} faults" if count else "not confirmed: everything is as expected")
sys.exit(1 if count else 0)
"""


@dataclass(frozen=True)
class Code:
    """A case as code: `text` computes all of the answer, `program` are its inputs and steps alone.

    `results` maps the name in records of each array of the answer to the expression for it.
    `elements` is an expression for the list of the elements of the array `value`, row-major; it may use
    `numpy`.
    """

    text: str
    program: str
    results: dict[str, str]
    elements: str
    versions: dict[str, str]


def script(code: Code, case: Case, checks: Sequence[Check] = (), message: str = "", raises: str = "") -> str:
    """The code with a comparison after it, as one script.

    It prints each expected element beside what it got, and exits with 0 if all are within what is allowed, 1
    if not or if the exception called `raises` is raised, and 2 if it could not run.
    """
    versions = ", ".join(f"{name} {number}" for name, number in code.versions.items())
    head = [
        *message.splitlines(),
        f"Case {case.id}; made with {versions}.",
        "Exits with 1 if the fault shows, else 0.",
    ]
    comments = "".join(f"# {_printable(line)}\n" for line in head)
    answer = "".join(f"    {label!r}: {name},\n" for label, name in code.results.items())
    body = textwrap.indent(f"{code.text}\nreturn {{\n{answer}}}\n", "    ")
    numpy = "    import numpy\n\n" if "numpy" in code.elements else ""
    expected = "".join(_expected(check) for check in checks)
    return (
        f"{comments}{PREAMBLE}\n\ndef compute():\n{body}\n\n"
        f"def elements(value):\n{numpy}    return {code.elements}\n\n{COMPARISON}\n\n"
        "# for each array: its elements, the error allowed in each, its shape and dtype where checked\n"
        f"EXPECTED = {{\n{expected}}}\nRAISES = {raises!r}\n{VERDICT}"
    )


def _expected(check: Check) -> str:
    parts = [list(check.expected), list(check.allowed), check.shape, check.dtype]
    lines = "".join(f"        {part!r},\n" for part in parts)
    return f"    {check.argument!r}: (\n{lines}    ),\n"


def _printable(line: str) -> str:
    """The line without characters that would end a comment or vanish in it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
