"""False alarms and tightness of the budgets, on generated cases, at every dtype and at orders 1 and 2 apart.

    python -m benchmarks.false_alarms [--cases 100000] [--dtype float16,bfloat16] [--ops exp,sum] [--by-op]

Cases are drawn as `refgrad check` draws them: every op of the catalogue on each of its faces, and composed programs.
Each is judged by what can accuse, the enclosed truth and the laws, once for all subjects: they share one truth and one
budget. The figures, for one dtype and order:

- cases: distinct (program, inputs, cotangent, dtype, order) that at least one subject has an answer to. Where dtypes
  are mixed, a case counts under the coarsest, for which its budget is derived
- accused: judgements (a case and a subject) that find a fault. Each kind is listed below the tables: the op to blame,
  its argument, the class, whether it stands on the subject's list of known failures, and the smallest case of it. A
  kind that is not listed is a false alarm, or a fault whose cause nobody has found yet: the gate is that there is none
- cannot tell: the share of cases where the exact oracle has no answer, with the reasons counted. Gate: at most 5 %
- empty: the share where the answer has no elements, so that there is nothing to be informed about
- uninformative: the share of the cases with elements where every budget is wider than a quarter of the largest element
- informative: the share of the cases with elements that get a verdict: neither "cannot tell" nor "uninformative".
  Gate: at least 90 %
- tightness: the median of budget over worst error. The worst error of a case is the largest error, in budgets, over
  all elements of the outputs and gradients and over all subjects that are not accused on this case; an element on
  another branch than the contract's has no error to speak of and is left out. Its reciprocal is the case's budget
  over its worst error. A case in which no subject errs at all has none, and counts under "exact". Gate: at most 50
- largest: the largest error, in budgets, that was not accused. Above 1 it would have been

HIPS autograd takes part at float64 and float32: NumPy's linear algebra has no half types. Figures by op are of programs
of one step.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import torch
from hypothesis import Phase
from rich.console import Console
from rich.progress import Progress, TextColumn
from rich.table import Table

from oracles.answers import Evaluate, Judge, Unsupported, Values
from oracles.arrays import Array
from oracles.blame import Accusation, Kind, accuse, first_order
from oracles.campaign import units
from oracles.generation.programs import pairs
from oracles.judge import Bench, Judgement
from oracles.known import packaged, read_known
from oracles.plan import DTYPES, plan_check
from oracles.program import Case
from oracles.search import POINTS, Unit, _run, size
from oracles.subjects import available, load
from oracles.trim import single_elements
from oracles.truth import Truths, Unknown
from oracles.worker import answer as replied

CANNOT_TELL, INFORMATIVE, TIGHTNESS = 0.05, 0.9, 50.0
WHOLE = {"autograd": ("float64", "float32")}
"""Subjects that are not asked at every dtype."""
EXAMPLES = 20
"""Programs drawn of each op in one round."""


class Local:
    """A subject in this process, asked as `oracles.remote.Remote` is: its answers are those of a worker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.subject = load(name)
        path = packaged(name)
        self.known = {e.kind for e in read_known(path)} if path.exists() else set()

    def judge(self, case: Case, laws: bool = True):
        return replied(self.subject, Judge(case, laws))

    def values(self, program, dtype, points):
        request = Evaluate(program, dtype, tuple(tuple(Array.of(a) for a in p) for p in points))
        answer = replied(self.subject, request)
        return list(answer.points) if isinstance(answer, Values) else answer

    def lists(self, kind: Kind) -> bool:
        return kind in self.known or first_order(kind) in self.known


@dataclasses.dataclass
class Figures:
    """What was seen of one dtype and order, or of one op at one dtype."""

    cases: int = 0
    empty: int = 0
    vague: int = 0
    judged: int = 0
    exact: int = 0
    accused: int = 0
    reasons: Counter[str] = dataclasses.field(default_factory=Counter)
    budgets: list[float] = dataclasses.field(default_factory=list)
    largest: float = 0.0

    def add(self, judgements: Sequence[Judgement]) -> None:
        self.cases += 1
        self.accused += sum(bool(j.fault) for j in judgements)
        truth = judgements[0].truth
        if isinstance(truth, Unknown):
            self.reasons[truth.reason] += 1
            return
        if not any(e.truth for e in truth.arrays.values()):
            self.empty += 1
            return
        if any(v.oracle == "exact" and v.outcome == "uninformative" for j in judgements for v in j.verdicts):
            self.vague += 1
        self.judged += any(j.judged for j in judgements)
        sound = [c for j in judgements if not j.fault for c in j.compared.values()]
        worst = max((r for c in sound for r in c.ratios if r <= 1), default=None)
        if worst is None:
            return
        self.largest = max(self.largest, worst)
        if worst:
            self.budgets.append(1 / worst)
        else:
            self.exact += 1

    @property
    def unsure(self) -> int:
        return sum(self.reasons.values())

    @property
    def full(self) -> int:
        """The cases that have elements."""
        return self.cases - self.empty

    @property
    def tightness(self) -> float:
        return float(np.median(self.budgets)) if self.budgets else 0.0

    def passes(self) -> bool:
        return (
            self.unsure <= CANNOT_TELL * self.cases
            and self.judged >= INFORMATIVE * self.full
            and self.tightness <= TIGHTNESS
        )


@dataclasses.dataclass
class Found:
    """The accusations of one kind: how many, and the smallest."""

    count: int
    smallest: Accusation
    dtypes: set[str]


class Run:
    """Cases drawn so far, what they show, and what is accused."""

    def __init__(self, subjects: Sequence[Local], wanted: dict[str, int]) -> None:
        self.benches = {s.name: Bench(s, None) for s in subjects}  # type: ignore[arg-type] # a Local answers as a Remote does
        self.subjects = {s.name: s for s in subjects}
        self.wanted = wanted
        self.seen: set[str] = set()
        self.figures: dict[tuple[str, int], Figures] = defaultdict(Figures)
        self.ops: dict[tuple[str, str], Figures] = defaultdict(Figures)
        self.found: dict[tuple[str, Kind], Found] = {}
        self.lacking: Counter[str] = Counter()

    def done(self, dtype: str) -> int:
        return sum(self.figures[dtype, order].cases for order in (1, 2))

    @property
    def left(self) -> int:
        return sum(max(0, most - self.done(dtype)) for dtype, most in self.wanted.items())

    def unit(self, unit: Unit) -> None:
        def look(sample) -> None:
            dtypes = [d for d in unit.dtypes if self.done(d) < self.wanted[d]]
            drawn = list(pairs(sample, dtypes, POINTS))
            for pair, truths in zip(drawn, Truths.together([pair[-1] for pair in drawn]), strict=True):
                for case in pair:
                    if case.id not in self.seen and self.done(case.dtype) < self.wanted.get(case.dtype, 0):
                        self.seen.add(case.id)
                        self.case(case, truths)

        _run(unit.strategy(), look, unit.seed, unit.examples, (Phase.generate,))

    def case(self, case: Case, truths: Truths) -> None:
        once: list = []

        def truth(asked: Case):
            if not once:
                once.append(truths.at(asked))
            return once[0]

        asked = {n: b for n, b in self.benches.items() if case.dtype in WHOLE.get(n, DTYPES)}
        judgements = {n: b.judge(case, witnesses=False, truth=truth) for n, b in asked.items()}
        answered = {n: j for n, j in judgements.items() if not isinstance(j.answer, Unsupported)}
        self.lacking.update(n for n in judgements if n not in answered)
        if not answered:
            return
        self.figures[case.dtype, case.order].add([*answered.values()])
        if len(case.program.steps) == 1:
            self.ops[case.program.steps[0].op, case.dtype].add([*answered.values()])
        for name, judgement in answered.items():
            if judgement.fault:
                self.note(name, accuse(self.benches[name], judgement))

    def note(self, name: str, accusation: Accusation) -> None:
        known = self.found.get((name, accusation.kind))
        if known is None:
            self.found[name, accusation.kind] = Found(1, accusation, {accusation.case.dtype})
            return
        known.count += 1
        known.dtypes.add(accusation.case.dtype)
        if size(accusation.case) < size(known.smallest.case):
            known.smallest = accusation

    def smallest(self, name: str, found: Found) -> Accusation:
        """The smallest case of a kind, down to one element where that shows it too."""
        bench = self.benches[name]
        for case in single_elements(found.smallest.case):
            judgement = bench.judge(case, witnesses=False)
            if judgement.fault and accuse(bench, judgement).kind == found.smallest.kind:
                return dataclasses.replace(found.smallest, case=case, message=judgement.message)
        return found.smallest


def drawn(ops: tuple[str, ...], dtypes: tuple[str, ...], seed: int) -> Iterator[Unit]:
    """Units of `refgrad check`, round after round."""
    plan = plan_check("refgrad", None, ops, dtypes, EXAMPLES, None, seed, 1, "")
    round_ = 0
    while True:
        yield from units(plan, round_)
        round_ += 1


def gather(run: Run, pieces: Iterator[Unit], console: Console, minutes: float) -> float:
    """Judge until every dtype has its cases, or time is up; the CPU seconds that it took."""
    began, total = time.process_time(), sum(run.wanted.values())
    late = time.monotonic() + 60 * minutes
    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[found]}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total, found="")
        idle = 0
        while run.left and idle < 1000 and time.monotonic() < late:  # a small op runs out of distinct cases
            unit, before = next(pieces), run.left
            progress.update(task, description=unit.doing)
            run.unit(unit)
            idle = 0 if run.left < before else idle + 1
            unlisted = sum(not run.subjects[name].lists(kind) for name, kind in run.found)
            unsure = sum(f.unsure for f in run.figures.values())
            kinds = f"{len(run.found)} kinds accused ({unlisted} not listed)"
            said = f"{run.left} cases left, {kinds}, {unsure} cannot tell"
            progress.update(task, completed=total - run.left, found=said)
    return time.process_time() - began


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"


def row(f: Figures) -> tuple[str, ...]:
    return (
        f"{f.cases}",
        f"{f.accused}",
        percent(f.unsure, f.cases),
        percent(f.empty, f.cases),
        percent(f.vague, f.full),
        percent(f.judged, f.full),
        percent(f.exact, f.full),
        f"{f.tightness:.1f}",
        f"{f.largest:.3f}",
    )


COLUMNS = (
    *("cases", "accused", "cannot tell", "empty", "uninformative", "informative"),
    *("exact", "tightness", "largest"),
)


def report(run: Run, console: Console, by_op: bool) -> bool:
    """Print the tables; whether every gate is met."""
    table = Table("dtype", "order", *COLUMNS, "gates", title="budgets: false alarms and tightness")
    good = True
    for (dtype, order), figures in sorted(
        run.figures.items(), key=lambda i: (DTYPES.index(i[0][0]), i[0][1])
    ):
        if figures.cases:
            good &= figures.passes()
            table.add_row(dtype, str(order), *row(figures), "met" if figures.passes() else "MISSED")
    console.print(table)
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for (dtype, _), figures in run.figures.items():
        for reason, count in figures.reasons.items():
            reasons[reason][dtype] += count
    for reason, counts in sorted(reasons.items(), key=lambda i: -i[1].total()):
        console.print(f"cannot tell, {dict(counts)}: {reason}", markup=False, highlight=False)
    for name, count in run.lacking.items():
        console.print(f"{name} lacks the op or the dtype of {count} cases")
    if by_op:
        console.print(ops_table(run))
    return accusations(run, console) and good


def ops_table(run: Run) -> Table:
    table = Table("op", "dtype", *COLUMNS, title="programs of one step, by op and dtype; the loosest first")
    for (op, dtype), figures in sorted(run.ops.items(), key=lambda i: -i[1].tightness):
        table.add_row(op, dtype, *row(figures))
    return table


def accusations(run: Run, console: Console) -> bool:
    """Print every kind of accusation with its smallest case; whether all are listed."""
    alarms = 0
    for (name, kind), found in sorted(run.found.items(), key=lambda i: (i[0][0], repr(i[0][1]))):
        listed = run.subjects[name].lists(kind)
        alarms += not listed
        smallest = run.smallest(name, found)
        dtypes = ", ".join(d for d in DTYPES if d in found.dtypes)
        said = f"{name}: {kind.blame} {kind.argument}: {kind.error} ({found.count} times, {dtypes}; "
        console.print(
            said + ("listed" if listed else "NOT LISTED") + ")", markup=False, style="" if listed else "bold"
        )
        console.print(f"  {described(smallest)}", markup=False, highlight=False, soft_wrap=True)
        if not listed:
            console.print(
                f"  {msgspec.json.encode(smallest.case).decode()}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    console.print(f"{len(run.found)} kinds of accusation, {alarms} of them not listed")
    return not alarms


def described(accusation: Accusation) -> str:
    """A case in one line: its inputs, its steps, and what is wrong with the answer."""
    case = accusation.case
    names = case.program.names
    given = [f"{i.name} = {a.text}" for i, a in zip(case.program.inputs, case.inputs, strict=True)]
    steps = [
        f"{s.op}({', '.join([*(names[r] for r in s.refs()), *(f'{k}={v}' for k, v in s.settings.items())])})"
        for s in case.program.steps
    ]
    weights = [f"cotangent {c.text}" for c in case.cotangents] + [f"second {s.text}" for s in case.seconds]
    return "; ".join([f"{case.dtype} order {case.order}", *given, *steps, *weights, accusation.message])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dtype", default=",".join(DTYPES), help="dtypes, separated by commas")
    parser.add_argument(
        "--cases", type=int, default=100_000, help="cases of each dtype, both orders together"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many, and report")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--subjects", default="torch,refgrad,autograd", help=f"of {', '.join(available())}")
    parser.add_argument("--ops", default="", help="ops, separated by commas; all unless given")
    parser.add_argument("--by-op", action="store_true", help="a further table, of each op at each dtype")
    asked = parser.parse_args(argv)
    torch.set_num_threads(1)
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    split: Callable[[str], tuple[str, ...]] = lambda text: tuple(filter(None, text.split(",")))
    dtypes = split(asked.dtype)
    run = Run([Local(name) for name in split(asked.subjects)], dict.fromkeys(dtypes, asked.cases))
    pieces = drawn(split(asked.ops), dtypes, asked.seed)
    gc.freeze()  # what has been imported lives as long as the process
    console = Console(width=None if sys.stdout.isatty() else 160)
    seconds = gather(run, pieces, console, asked.minutes)
    good = report(run, console, asked.by_op)
    total = sum(f.cases for f in run.figures.values())
    console.print(f"{total} cases in {seconds:.0f} CPU seconds, {total / max(seconds, 1e-9):.0f} a second")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
