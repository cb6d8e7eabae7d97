"""How many wrong rules the check catches: every formula of the engine, changed mechanically in one place at a time.

    python -m benchmarks.mutation [--ops sin,mul] [--jobs 2] [--seed 1] [--limit 50] [--json FILE] [--no-peers]

Each wrong rule meets the cases that `refgrad check --ops OP` judges by default, until one accuses it. What survives is
listed with its reason; it is called equivalent only if that is proved on symbols. A rule that differs from the right
one only at kinks, within what is a slope there, gets the verdict `convention` and not a fault; it is counted apart.
Beside it stands what gradcheck, JAX and HIPS autograd say of the same wrong rules, each asked on the first function
that the rule belongs to. Exits with 1 where fewer than 99 % of what is not equivalent are noticed.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import refgrad
from benchmarks.wrong_rules.checking import Caught, Check
from benchmarks.wrong_rules.making import WrongRule, unreached, wrong_rules
from benchmarks.wrong_rules.peers import TOOLS, Peers
from benchmarks.wrong_rules.proofs import equivalent

GATE = 0.99
CAUGHT, CONVENTION, SURVIVED, EQUIVALENT = "caught", "convention", "survived", "equivalent"


@dataclass(frozen=True)
class Outcome:
    """What became of one wrong rule; `reason` is the fault, or the proof, or why it could not be told apart."""

    row: str
    words: str
    status: str
    reason: str
    cases: int
    peers: dict[str, bool]


@dataclass(frozen=True)
class Asked:
    """What the command asks for."""

    ops: tuple[str, ...]
    seed: int
    limit: int | None
    peers: tuple[str, ...]


class Row:
    """The wrong rules of one function, judged one after the other; checks and peers are kept between them."""

    def __init__(self, name: str, rules: Sequence[WrongRule], seed: int, peers: Peers) -> None:
        self.name, self.rules, self.seed, self.peers = name, rules, seed, peers
        self.checks: dict[str, Check] = {}

    def outcomes(self) -> Iterator[Outcome]:
        for rule in self.rules:
            status, reason, cases = self.judged(rule)
            yield Outcome(self.name, rule.words, status, reason, cases, self.beside(rule))

    def judged(self, rule: WrongRule) -> tuple[str, str, int]:
        found = []
        for op in rule.users:
            check = self.checks.setdefault(op, Check(op, self.seed))
            found.append(check.of(rule))
            if found[-1].fault:
                return CAUGHT, f"{op}: {found[-1].fault}", sum(c.after for c in found)
        cases = sum(c.after for c in found)
        proof = equivalent(rule)
        if proof:
            return EQUIVALENT, proof, cases
        if any(c.conventions for c in found):
            count = sum(c.conventions for c in found)
            return CONVENTION, f"{count} verdicts: another slope than the right rule's at a kink", cases
        return SURVIVED, reason_of(found), cases

    def beside(self, rule: WrongRule) -> dict[str, bool]:
        """What the other tools say of the first function that the rule belongs to."""
        with rule.installed():
            return self.peers.caught(rule.users[0])


def reason_of(found: Sequence[Caught]) -> str:
    """What is known of a survivor: how its answers differ from the right ones."""
    others, cases = sum(c.others for c in found), sum(c.after for c in found)
    if not others:
        return f"every answer to {cases} cases is the right rule's to the last bit"
    largest = max(c.largest for c in found)
    said = f"another answer than the right rule's to {others} of {cases} cases, {largest:.3g} budgets off at most"
    untold = Counter(reason for c in found for reason in c.untold)
    return said + "".join(f"; {count} cannot be told: {reason}" for reason, count in untold.items())


def judged_row(name: str, asked: Asked) -> list[Outcome]:
    """The outcomes of one row, in a process of its own."""
    warnings.simplefilter("ignore")
    return list(Row(name, rules_of(asked)[name], asked.seed, Peers(asked.peers)).outcomes())


def rules_of(asked: Asked) -> dict[str, list[WrongRule]]:
    """The wrong rules by row; with a limit, only so many of each, spread over all."""
    found = wrong_rules(asked.ops)
    if asked.limit is None:
        return found
    return {name: rules[:: -(-len(rules) // asked.limit)] if rules else [] for name, rules in found.items()}


def judged(asked: Asked, jobs: int, console: Console) -> list[Outcome]:
    """Every outcome, with progress while it is worked out."""
    rows = rules_of(asked)
    total = sum(map(len, rows.values()))
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), "{task.fields[survived]} survived")
    with Progress(*map(column, columns), TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("starting", total=total, survived=0)
        outcomes: list[Outcome] = []
        for outcome in in_turn(rows, asked) if jobs == 1 else in_processes(rows, asked, jobs):
            if not console.is_terminal and (not outcomes or outcomes[-1].row != outcome.row):
                console.print(f"{len(outcomes)} of {total} judged, now {outcome.row}", highlight=False)
            outcomes.append(outcome)
            survived = sum(o.status == SURVIVED for o in outcomes)
            bar.update(task, advance=1, description=outcome.row, survived=survived)
    order = list(rows)
    return sorted(outcomes, key=lambda o: order.index(o.row))


def column(what: str | BarColumn | MofNCompleteColumn) -> TextColumn | BarColumn | MofNCompleteColumn:
    return TextColumn(what) if isinstance(what, str) else what


def in_turn(rows: dict[str, list[WrongRule]], asked: Asked) -> Iterator[Outcome]:
    peers = Peers(asked.peers)
    for name, rules in rows.items():
        yield from Row(name, rules, asked.seed, peers).outcomes()


def in_processes(rows: dict[str, list[WrongRule]], asked: Asked, jobs: int) -> Iterator[Outcome]:
    largest_first = sorted(rows, key=lambda name: -len(rows[name]))
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for done in as_completed([pool.submit(judged_row, name, asked) for name in largest_first]):
            yield from done.result()


def table_of(outcomes: Sequence[Outcome], tools: Sequence[str]) -> Table:
    """One line for each function, and all together."""
    table = Table(box=None, pad_edge=False)
    table.add_column("op")
    for title in ("rules", CAUGHT, CONVENTION, SURVIVED, EQUIVALENT, *tools):
        table.add_column(title, justify="right")
    for row in dict.fromkeys(o.row for o in outcomes):
        table.add_row(row, *figures([o for o in outcomes if o.row == row], tools))
    table.add_row("all", *figures(outcomes, tools), style="bold")
    return table


def figures(outcomes: Sequence[Outcome], tools: Sequence[str]) -> list[str]:
    counts = [
        sum(o.status == status for o in outcomes) for status in (CAUGHT, CONVENTION, SURVIVED, EQUIVALENT)
    ]
    wrong = [o for o in outcomes if o.status != EQUIVALENT]
    return [str(n) for n in (len(outcomes), *counts, *(sum(o.peers[t] for o in wrong) for t in tools))]


def share(outcomes: Sequence[Outcome], tool: str = "") -> float:
    """The part of the wrong rules that was caught, by us or by a tool; what is equivalent is not wrong."""
    wrong = [o for o in outcomes if o.status != EQUIVALENT]
    seen = [o.peers[tool] if tool else o.status in (CAUGHT, CONVENTION) for o in wrong]
    return sum(seen) / len(seen) if seen else 1.0


def report(outcomes: Sequence[Outcome], peers: Sequence[str], seconds: float, console: Console) -> bool:
    """Print what was found; whether the gate is passed."""
    tools = [name for name in peers if all(name in o.peers for o in outcomes)]
    console.print(table_of(outcomes, tools))
    for status in (SURVIVED, CONVENTION):
        for o in outcomes:
            if o.status == status:
                console.print(
                    f"{status}: {o.words}: {o.reason}", markup=False, highlight=False, soft_wrap=True
                )
    strictly = sum(o.status == CAUGHT for o in outcomes) / max(
        1, sum(o.status != EQUIVALENT for o in outcomes)
    )
    console.print(f"{len(outcomes)} wrong rules in {seconds:.0f} s")
    console.print(
        f"noticed: {share(outcomes):.2%} of those not equivalent; accused of a fault: {strictly:.2%}"
    )
    for name in peers:
        console.print(f"{name}: {share(outcomes, name):.2%}" if name in tools else f"{name}: not installed")
    passed = share(outcomes) >= GATE
    console.print(f"gate: at least {GATE:.0%} noticed; {'reached' if passed else 'missed'}")
    return passed


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ops", help="names with commas between; all by default")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most about so many wrong rules of each op")
    parser.add_argument("--json", type=Path, help="where to write every outcome")
    parser.add_argument("--no-peers", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge, print, and say with the exit code whether the gate is passed."""
    given = options(arguments)
    catalogue = tuple(refgrad.catalogue())
    ops = tuple(given.ops.split(",")) if given.ops else catalogue
    if unknown := sorted({*ops} - {*catalogue}):
        print(f"no such op: {', '.join(unknown)}", file=sys.stderr)
        return 2
    asked = Asked(ops, given.seed, given.limit, () if given.no_peers else tuple(TOOLS))
    console = Console(width=None if sys.stdout.isatty() else 200)
    began = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = judged(asked, given.jobs, console)
    passed = report(outcomes, asked.peers, perf_counter() - began, console)
    if not given.ops:
        console.print(f"asked for at third order only, and not judged: {', '.join(unreached())}")
        console.print("nor is what the walk does to complex cotangents: the programs are of real numbers")
    if given.json:
        given.json.write_text(json.dumps([asdict(o) for o in outcomes], indent=1))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
