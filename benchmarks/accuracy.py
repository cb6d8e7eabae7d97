"""The worst gradient errors that were found, op by op and library by library, as a Markdown table.

Each op is judged alone, on the programs that `refgrad check` draws, a fifth of which climb towards the worst error.
An error is measured against the enclosed truth, in ulps and in budgets; every one has the input that shows it. What a
search finds is a lower bound: the true worst may be larger.

    python -m benchmarks.accuracy [--examples 80] [--seed 1] [--subjects torch,refgrad,autograd] [--ops ...]
        [--out docs/accuracy.md] [--keep FILE] [--made FILE]

`--keep` also appends the records to a file, one line for each library; `--made` makes the table from such a file and
judges nothing.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from oracles.campaign import units
from oracles.crew import bench_of
from oracles.judge import Bench
from oracles.plan import plan_check
from oracles.records import Accuracy, Farthest
from oracles.search import search
from oracles.truth import enclose
from oracles.worst import WorstErrors, trimmed
from reports.accuracy import given_text
from reports.numbers import short
from reports.text import clip

DTYPES = {
    "torch": ("float64", "float32", "float16", "bfloat16"),
    "refgrad": ("float64", "float32", "float16", "bfloat16"),
    "autograd": ("float64", "float32"),
}
NAMES = {"torch": "PyTorch", "refgrad": "refgrad", "autograd": "HIPS autograd"}

HEAD = """\
The largest error that a search has found in the gradients of each op, with the input that shows it. Each is a lower
bound: the worst *found*, not the worst there is. Errors are distances from an enclosed truth, measured in budgets (up
to 1 is what a sound implementation may err, see [budgets.md](budgets.md)) and, of the same element, in ulps. `–` stands
for an op that the library lacks, and among the ulps for a true gradient of 0, which has no last place. **Bold** is
outside the budget; what is known of it is listed under `oracles/deviations/` with its cause. A missing or infinite
gradient has no error to compare and is not here.
"""


class Alone(Bench):
    """Judges by truth and laws; witnesses have no part in an error."""

    def judge(self, case, witnesses=True, truth=enclose):
        """Every verdict that can accuse."""
        return super().judge(case, False, truth)


class Measured(msgspec.Struct):
    """One library: its versions, what was searched, and its worst errors."""

    subject: str
    versions: dict[str, str]
    examples: int
    seed: int
    cases: int
    seconds: float
    records: list[Accuracy]


def measured(subject: str, examples: int, seed: int, ops: tuple[str, ...]) -> Measured:
    """Search one library's ops."""
    plan = plan_check(subject, None, ops, DTYPES[subject], examples, None, seed, 1, "")
    worst, known, cases, began = WorstErrors(), set(), 0, time.monotonic()
    with bench_of(plan) as both:
        bench = Alone(both.subject, None)
        lacking = both.subject.ready.unsupported
        pieces = [u for u in units(plan) if u.face and u.ops[0] not in lacking]
        for unit in pieces:
            result = search(unit, subject, bench, known, lambda: False)
            worst.join(result.worst)
            cases += len(result.judged)
        records = list(trimmed(worst.records(), bench, lambda: False))
        versions = dict(both.subject.ready.versions)
    return Measured(subject, versions, examples, seed, cases, time.monotonic() - began, records)


def document(found: list[Measured], command: str) -> Iterator[str]:
    """The page, line by line."""
    yield "# Worst gradient errors\n"
    yield from _head(found, command)
    for order in (1, 2):
        for dtype in DTYPES["torch"]:
            those = [m for m in found if any(r.dtype == dtype and r.order == order for r in m.records)]
            if those:
                yield f"## {dtype}, {'first' if order == 1 else 'second'} order\n"
                yield from _table(those, dtype, order)


def _head(found: list[Measured], command: str) -> Iterator[str]:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    yield HEAD
    yield f"Made on {today} by `{command}`, on {platform.python_implementation()} {platform.python_version()},"
    yield f"{platform.machine()}.\n"
    yield "| library | versions | programs of each op | seed | cases | seconds |"
    yield "|---|---|--:|--:|--:|--:|"
    for m in found:
        versions = ", ".join(f"{k} {v}" for k, v in m.versions.items())
        yield f"| {NAMES[m.subject]} | {versions} | {m.examples} | {m.seed} | {m.cases:,} | {m.seconds:.0f} |"
    yield ""


def _table(found: list[Measured], dtype: str, order: int) -> Iterator[str]:
    cells = {m.subject: {r.op: r for r in m.records if r.dtype == dtype and r.order == order} for m in found}
    ops = list(dict.fromkeys(op for rows in cells.values() for op in rows))
    worst = {op: max(float(rows[op].worst.budgets) for rows in cells.values() if op in rows) for op in ops}
    yield f"| op | {' | '.join(f'{NAMES[s]}: budgets | ulps' for s in cells)} | the worst input |"
    yield f"|---|{'--:|--:|' * len(cells)}---|"
    for op in sorted((op for op in ops if worst[op]), key=lambda op: -worst[op]):
        rows = [by_op.get(op) for by_op in cells.values()]
        leader = max((r for r in rows if r), key=lambda r: float(r.worst.budgets))
        where = next(s for s, by_op in cells.items() if by_op.get(op) is leader)
        said = f"{NAMES[where]}, {shown(leader.worst)}"
        yield f"| `{op}` | {' | '.join(_cell(r.worst if r else None) for r in rows)} | {said} |"
    yield ""
    exact = [f"`{op}`" for op in ops if not worst[op]]
    if exact:
        yield f"Exact in every case: {', '.join(exact)}.\n"


def shown(found: Farthest) -> str:
    """What the case was given, as code: it is the catalogue's and NumPy's spelling, in which no markup is."""
    return f"`{clip(given_text(found), 100)}`"


def _cell(found: Farthest | None) -> str:
    if found is None:
        return "– | –"
    budgets = short(found.budgets)
    ulps = short(found.ulps) if found.ulps else "–"
    return f"**{budgets}** | {ulps}" if float(found.budgets) > 1 else f"{budgets} | {ulps}"


def read(path: Path) -> list[Measured]:
    """What `--keep` wrote."""
    return [msgspec.json.decode(line, type=Measured) for line in path.read_bytes().splitlines()]


def names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def main(given: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=80, help="programs drawn for each op")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--subjects", type=names, default=tuple(DTYPES))
    parser.add_argument("--ops", type=names, default=())
    parser.add_argument(
        "--keep", type=Path, help="a file for the records; what it has of these libraries goes"
    )
    parser.add_argument("--made", type=Path, help="make the table from such a file")
    parser.add_argument("--out", type=Path, help="where to write; standard output by default")
    options = parser.parse_args(given)
    found = read(options.made) if options.made else []
    if not options.made:
        for subject in options.subjects:
            found.append(measured(subject, options.examples, options.seed, options.ops))
            print(f"{subject}: {found[-1].cases} cases in {found[-1].seconds:.0f} s", file=sys.stderr)
            if options.keep:
                with options.keep.open("ab") as file:
                    file.write(msgspec.json.encode(found[-1]) + b"\n")
    examples, seed = found[0].examples, found[0].seed
    text = "\n".join(document(found, f"python -m benchmarks.accuracy --examples {examples} --seed {seed}"))
    if options.out:
        options.out.write_text(f"{text}\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
