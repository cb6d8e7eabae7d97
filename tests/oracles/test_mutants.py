"""Every mutant is found, blamed as it declares and as nothing else, and shrunk; its script shows it to a stranger."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import refgrad
from oracles.records import Finding

from .campaigns import Ran, plan, ran
from .mutants import MUTANTS, Mutant, subject_text

ROOT = Path(__file__).parents[2]
EXAMPLES = 40
SCRIPTED = (
    *("softmax-term", "exp-dtype", "exp-saturates", "sigmoid-raises"),
    *("mul-lost", "tanh-second", "solve-sign", "pow-nan"),
)
COMMANDED = ("exp-millionth", "mul-lost", "getitem-repeats", "softmax-term", "expand-broadcast")


@pytest.fixture(autouse=True)
def _without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second opinion: it costs seconds and can accuse nobody."""
    monkeypatch.setattr("oracles.crew.has_pytorch", lambda: False)


def judged(mutant: Mutant, folder: Path) -> Ran:
    """A campaign against one mutant, over the op that it breaks."""
    file = folder / "subject.py"
    file.write_text(subject_text(mutant.name))
    dtypes = ("float32",) if "float32" in mutant.tags else ("float64",)
    return ran(plan("mutant", file, (mutant.check,), EXAMPLES * (2 if mutant.check == "pow" else 1), dtypes))


def wrongly_blamed(mutant: Mutant, kinds: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """The findings that the mutant does not declare and that no declared one brings about to second order."""
    declared = {(mutant.blamed, argument, error) for argument, error in mutant.kinds | mutant.also}
    if all(error.endswith("at second order") for _, error in mutant.kinds):
        return kinds - declared
    ops = {mutant.blamed, mutant.check}
    return {k for k in kinds - declared if not (k[0] in ops and k[2].endswith("at second order"))}


def script_code(script: str, folder: Path, *mutants: str) -> int:
    """How a finding's script ends, run beside an engine with these mutants in it."""
    path = folder / "finding.py"
    path.write_text(script)
    runner = folder / "runner.py"
    runner.write_text(
        f"{subject_text(*mutants)}\nimport runpy\nrunpy.run_path({str(path)!r}, run_name='__main__')\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(runner)], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode


def test_there_are_enough() -> None:
    """At least 40 mutants break ops of the catalogue, the walk, the dtype and the second order."""
    assert len(MUTANTS) >= 40
    assert {m.check for m in MUTANTS.values()} <= set(refgrad.catalogue())
    assert {"walk"} <= {m.blamed for m in MUTANTS.values()}
    assert sum("second" in m.tags for m in MUTANTS.values()) >= 2


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name: str, tmp_path: Path) -> None:
    """The campaign finds exactly the kinds that the mutant declares, each shrunk to at most two steps."""
    mutant = MUTANTS[name]
    began = time.monotonic()
    found = judged(mutant, tmp_path)
    took = time.monotonic() - began
    for finding in found.findings:
        print(f"{name}: {finding.blame} {finding.argument} {finding.error} after {took:.1f} s")
    assert {(mutant.blamed, *k) for k in mutant.kinds} <= found.kinds
    assert wrongly_blamed(mutant, found.kinds) == set()
    assert all(len(f.case.program.steps) <= 2 for f in found.findings)
    assert took < 60
    if name in SCRIPTED:
        _confirm(mutant, found.findings, tmp_path)


def _confirm(mutant: Mutant, findings: list[Finding], folder: Path) -> None:
    """The first declared finding's script exits with 1 beside the mutant, and with 0 without it."""
    finding = next(f for f in findings if (f.argument, f.error) in mutant.kinds)
    assert script_code(finding.script, folder, mutant.name) == 1
    assert script_code(finding.script, folder) == 0


def test_the_engine_itself_is_right(tmp_path: Path) -> None:
    """The same campaign over every op, with nothing broken, finds nothing."""
    file = tmp_path / "subject.py"
    file.write_text(subject_text())
    found = ran(plan("mutant", file, (), 10, ("float64", "float32")))
    assert found.kinds == set()
    assert found.footers[0].judged > 500


def test_two_mutants_are_two_findings(tmp_path: Path) -> None:
    """Two things broken at once are told apart, also where their ops are composed."""
    file = tmp_path / "subject.py"
    file.write_text(subject_text("exp-saved", "neg-sign"))
    found = ran(plan("mutant", file, ("exp", "neg"), 40))
    first = {k for k in found.kinds if not k[2].endswith("at second order")}
    assert first == {("exp", "x", "wrong value"), ("neg", "x", "wrong value")}
    assert len({f.id for f in found.findings}) == len(found.findings)


@pytest.mark.parametrize("name", COMMANDED)
def test_the_command_finds_it(name: str, tmp_path: Path) -> None:
    """`refgrad check` on a mutant exits with 1 within a minute, and its run blames what the mutant declares."""
    read_run = pytest.importorskip("reports.stream").read_run
    mutant = MUTANTS[name]
    file, out = tmp_path / "subject.py", tmp_path / "out"
    file.write_text(subject_text(name))
    command = [
        sys.executable,
        "-c",
        "from reports.cli import main; main()",
        "check",
        "mutant",
        "--subject-file",
        str(file),
    ]
    command += ["--ops", mutant.check, "--seed", "1", "--examples", "60", "--out", str(out)]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    took = time.monotonic() - began
    print(f"{name}: the command took {took:.1f} s")
    assert done.returncode == 1, done.stdout + done.stderr
    assert took < 60
    run = read_run(out / "run.jsonl")
    kinds = {(f.blame, f.argument, f.error) for f in run.findings}
    assert {(mutant.blamed, *k) for k in mutant.kinds} <= kinds
    assert wrongly_blamed(mutant, kinds) == set()
    assert all(len(f.case.program.steps) <= 2 for f in run.findings)
