"""A request is checked before anything starts; what is wrong with it is told with what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import refgrad
from oracles.plan import DEFAULT_DTYPES, EXAMPLES, Plan, UsageError, plan_check


def checked(**changes: Any) -> Plan:
    """The plan for a plain request with these changes."""
    given: dict[str, Any] = {
        "subject": "refgrad", "subject_file": None, "ops": (), "dtypes": (), "examples": None, "seconds": None,
        "seed": None, "jobs": 1, "command": "refgrad check refgrad",
    }  # fmt: skip
    return plan_check(**{**given, **changes})


def test_defaults() -> None:
    """All ops, two dtypes, a number of examples and a drawn seed are filled in."""
    found = checked()
    assert found.ops == tuple(refgrad.catalogue())
    assert (found.dtypes, found.examples, found.where) == (DEFAULT_DTYPES, EXAMPLES, "refgrad")
    assert found.seed >= 0
    assert len({checked().seed for _ in range(5)}) > 1


def test_a_request_is_kept_in_the_catalogues_order() -> None:
    """Ops and dtypes come in the project's order, whatever order they were asked for in."""
    found = checked(ops=("exp", "add"), dtypes=("float32", "float64"), seed=0, examples=3)
    assert found.ops == ("add", "exp")
    assert found.dtypes == ("float64", "float32")
    assert (found.seed, found.examples) == (0, 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subject": "pytorch"}, "unknown subject 'pytorch': did you mean torch"),
        (
            {"subject": "zzz"},
            "mygrad, tinygrad, micrograd; --subject-file FILE judges any other",
        ),
        ({"ops": ("expp",)}, "unknown op 'expp': did you mean exp"),
        ({"ops": ("zzzzz",)}, "`refgrad ops` lists them"),
        ({"dtypes": ("float46",)}, "unknown dtype 'float46': did you mean float64"),
        ({"dtypes": ("q",)}, "there are float64, float32, float16, bfloat16"),
        ({"subject_file": Path("/nowhere/mine.py")}, "--subject-file: /nowhere/mine.py is not a file"),
    ],
)
def test_what_does_not_exist_is_refused(changes: dict[str, Any], said: str) -> None:
    """An unknown subject, op, dtype or file is named, with the nearest that exists or all that do."""
    with pytest.raises(UsageError) as caught:
        checked(**changes)
    assert said in str(caught.value)


def test_a_subject_file_may_have_any_name(tmp_path: Path) -> None:
    """With a file the subject's name is free, and the file is what a worker loads."""
    file = tmp_path / "mine.py"
    file.touch()
    assert checked(subject="zzz", subject_file=file).where == file
