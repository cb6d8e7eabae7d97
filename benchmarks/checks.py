"""Cases per CPU second: refgrad's judging beside torch.autograd.gradcheck, both on PyTorch, in one interleaved run.

A case is one distinct (program, inputs, cotangent, dtype, order). One call of gradcheck is one case at order 1, one of
gradgradcheck one at order 2; every call has inputs of its own. For refgrad a case is an answer of PyTorch, asked for
through the adapter that campaigns use, with every element of its outputs and gradients compared against an enclosure
and a derived budget. gradcheck compares with differences: in its slow mode every element, in its fast mode one random
projection.

Four tables:

- by function and size: the same inputs, made beforehand, through each checker. refgrad judges them as campaigns do,
  cases of one program together, here `TOGETHER` at a time; what it does with one case alone stands beside it
- generated cases: refgrad's drawing with Hypothesis included, then the same inputs through gradcheck
- the cost of truth and budget against the number of scalar steps, to the size where balls are refused
- the whole path of `refgrad check`: drawing, two worker processes, four oracles, records

Figures are CPU seconds of this process and, in the last table, of its workers.

    python -m benchmarks.checks [--seconds 0.3] [--programs 160]
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec
import numpy as np
import torch
from hypothesis import Phase

from oracles.arrays import Array
from oracles.budget.rounded import MOST_STEPS
from oracles.campaign import units
from oracles.comparison import compare
from oracles.crew import bench_of
from oracles.generation.programs import pairs
from oracles.judge import judge_exactly
from oracles.plan import plan_check
from oracles.program import Case, Input, Program, Ref, Step
from oracles.search import POINTS, _run, search
from oracles.subjects import load
from oracles.subjects.protocol import Lacking
from oracles.subjects.running import outputs_of, run
from oracles.truth import Enclosed, Truths, Unknown

TORCH = load("torch")
SIZES = (1, 10, 100)
TOGETHER = POINTS
"""A drawn program is judged at so many points together."""
MODES = {"fast": {"fast_mode": True}, "slow": {}}


def one(op: str, **settings) -> tuple[Step, ...]:
    return (Step(op, (Ref(0),), settings),)


FUNCTIONS: dict[str, tuple[int, tuple[Step, ...]]] = {
    "sin": (1, one("sin")),
    "exp": (1, one("exp")),
    "tanh": (1, one("tanh")),
    "mul": (2, (Step("mul", (Ref(0), Ref(1))),)),
    "matmul": (2, (Step("matmul", (Ref(0), Ref(1))),)),
    "softmax": (1, one("softmax", dim=-1)),
    "logsumexp": (1, one("logsumexp", dim=-1)),
    "cumsum": (1, one("cumsum", dim=-1)),
    "norm": (1, one("linalg.vector_norm")),
    "tanh, mul, sum, exp": (
        2,
        (
            Step("tanh", (Ref(0),)),
            Step("mul", (Ref(2), Ref(1))),
            Step("sum", (Ref(3),)),
            Step("exp", (Ref(4),)),
        ),
    ),
}
"""Inputs and steps; inputs have the table's number of elements, those of matmul about as many."""


def made(name: str, size: int, rng: np.random.Generator) -> Iterator[tuple[Case, Case]]:
    """Cases of a function at both orders, each with inputs of its own."""
    count, steps = FUNCTIONS[name]
    side = max(1, round(size**0.5))
    shape = (side, side) if name == "matmul" else (size,)
    inputs = tuple(Input("ab"[n], shape, "float64") for n in range(count))
    program = Program(inputs, steps, (count + len(steps) - 1,))
    out = result_shape(program, shape)

    def numbers(shape: tuple[int, ...], scale: float = 1.0) -> Array:
        return Array.of(rng.normal(size=shape) * scale)

    while True:
        arrays = tuple(numbers(shape, size**-0.5 if name.startswith("tanh,") else 1.0) for _ in inputs)
        first = Case(program, arrays, (numbers(out),), "float64")
        yield first, msgspec.structs.replace(first, order=2, seconds=tuple(numbers(shape) for _ in inputs))


def result_shape(program: Program, shape: tuple[int, ...]) -> tuple[int, ...]:
    (value,) = TORCH.values(program, [np.ones(shape) for _ in program.inputs])
    return value.shape


def judged_together(cases: Sequence[Case]) -> int:
    """How many of these cases, of one program, agree."""
    return sum(map(judged, cases, Truths.together(cases)))


def judged(case: Case, truths: Truths) -> bool:
    """Whether refgrad has compared every element of PyTorch's answer with an enclosure, and accuses none."""
    answer = TORCH.vjp(case)
    truth = truths.at(case)
    if not isinstance(truth, Enclosed):
        return False
    named = answer.labelled(case)
    compared = {
        name: compare(enclosure, None if named[name] is None else named[name].seen(), case.dtype)
        for name, enclosure in truth.arrays.items()
    }
    return judge_exactly(truth, compared, True).outcome == "agrees"


def function_of(case: Case) -> tuple[Callable, list[torch.Tensor]]:
    """What gradcheck is given: a function of the differentiated inputs, and those."""
    fixed = [torch.from_numpy(a.numpy()) for a in case.inputs]
    places = case.program.differentiated

    def function(*leaves: torch.Tensor):
        values = list(fixed)
        for place, leaf in zip(places, leaves, strict=True):
            values[place] = leaf
        known = run(case.program, values, lambda step, operands: TORCH.apply(torch, step, operands))
        return tuple(y for y in outputs_of(case.program, known) if y.requires_grad)

    return function, [fixed[n].clone().requires_grad_() for n in places]


def gradchecked(case: Case, mode: str) -> bool:
    function, leaves = function_of(case)
    check = torch.autograd.gradcheck if case.order == 1 else torch.autograd.gradgradcheck
    return bool(check(function, leaves, raise_exception=False, **MODES[mode]))


class Clock:
    """Cases and CPU seconds of one checker; `passed` counts the cases that it finds right."""

    def __init__(self) -> None:
        self.cases, self.passed, self.seconds = 0, 0, 0.0

    def time(self, check: Callable[[], int], cases: int = 1) -> None:
        before = time.process_time()
        found = check()
        self.seconds += time.process_time() - before
        self.passed += found
        self.cases += cases

    @property
    def rate(self) -> float:
        return self.cases / self.seconds if self.seconds else float("nan")


def by_function(seconds: float) -> None:
    """The same inputs through each checker, turn about, until each has had its time."""
    print("cases per CPU second, by function, elements of each input, and order\n")
    print(
        f"{'function':22}{'n':>5}{'order':>6}{'refgrad':>10}{'alone':>8}{'fast':>8}{'slow':>8}"
        f"{'of fast':>9}{'alone':>7}{'of slow':>9}"
    )
    rng, least = np.random.default_rng(1), {}
    for name in FUNCTIONS:
        for size in SIZES:
            for order, clocks in timed(made(name, size, rng), seconds).items():
                mine, alone, fast, slow = (clocks[k].rate for k in ("refgrad", "alone", "fast", "slow"))
                least[size] = min(least.get(size, float("inf")), mine / fast)
                print(
                    f"{name:22}{size:5}{order:6}{mine:10.0f}{alone:8.0f}{fast:8.0f}{slow:8.1f}"
                    f"{mine / fast:9.2f}{alone / fast:7.2f}{mine / slow:9.1f}"
                )
    said = ", ".join(f"{ratio:.2f} at n = {size}" for size, ratio in least.items())
    print(f"\nthe least of fast mode: {said}")


def timed(given: Iterator[tuple[Case, Case]], seconds: float) -> dict[int, dict[str, Clock]]:
    """The rates by order and checker. Here each order has its truth found by itself."""
    clocks = {order: {k: Clock() for k in ("refgrad", "alone", *MODES)} for order in (1, 2)}
    for cases in drawn_together(given):  # what each loads or derives once is not what is counted
        judged_together(cases)
        judged(cases[0], Truths(cases[0]))
        gradchecked(cases[0], "fast")
    while True:
        waiting = False
        for cases in drawn_together(given):
            for name, clock in clocks[cases[0].order].items():
                if clock.seconds < seconds:
                    waiting = True
                    check(cases, name, clock)
        if not waiting:
            return clocks


def drawn_together(given: Iterator[tuple[Case, Case]]) -> list[tuple[Case, ...]]:
    """So many cases at order 1, and those at order 2."""
    return list(zip(*itertools.islice(given, TOGETHER), strict=True))


def check(cases: Sequence[Case], name: str, clock: Clock) -> None:
    """Give each of these cases to a checker; slow mode, whose calls are long, is given the first."""
    if name == "refgrad":
        clock.time(lambda: judged_together(cases), len(cases))
        return
    for case in cases[:1] if name == "slow" else cases:
        clock.time(
            partial(judged, case, Truths(case)) if name == "alone" else partial(gradchecked, case, name)
        )


SPARSE = 20
"""Of the cases that refgrad draws and judges, gradcheck is given one in so many."""


def generated(programs: int) -> None:
    """Cases as campaigns draw them, at float64; gradcheck is given some of those whose inputs it can take."""
    mine, theirs = Clock(), {mode: Clock() for mode in MODES}
    kept: list[Case] = []
    seen: set[str] = set()

    def look(sample) -> None:
        drawn = list(pairs(sample, ("float64",), POINTS))
        for pair, truths in zip(drawn, Truths.together([pair[-1] for pair in drawn]), strict=True):
            for case in pair:
                if case.id in seen:
                    continue
                seen.add(case.id)
                try:
                    mine.passed += judged(case, truths)
                except (Lacking, RuntimeError):
                    continue
                mine.cases += 1
                kept.append(case)

    plan = plan_check("torch", None, (), ("float64",), programs, None, 1, 1, "")
    for unit in units(plan)[::9]:
        before, first = time.process_time(), len(kept)
        _run(unit.strategy(), look, unit.seed, unit.examples, (Phase.generate,))
        mine.seconds += time.process_time() - before
        for case in kept[first::SPARSE]:
            for mode, clock in theirs.items():
                try:
                    clock.time(partial(gradchecked, case, mode))
                except (ValueError, RuntimeError, IndexError):
                    continue  # gradcheck refuses overlapping inputs, and functions of nothing
    print("\ncases that campaigns draw, float64, both orders; refgrad's drawing included\n")
    print(f"refgrad               {mine.rate:8.0f} cases per CPU second ({mine.cases} cases)")
    print(f"of fast mode          {mine.rate / theirs['fast'].rate:8.2f}")
    for mode, clock in theirs.items():
        print(f"gradcheck, {mode} mode  {clock.rate:8.0f} cases per CPU second ({clock.cases} cases)")


CHAIN = ("sin", "exp", "tanh", "mul", "sigmoid", "neg", "square", "atan", "add", "cos")
"""Ten elementwise ops, one after the other; a binary one is given the input as its second operand."""
LENGTHS = (100, 1_000, 10_000, 100_000)


def chained(steps: int) -> Program:
    """A program of so many scalar steps: each op of the chain on a tenth as many elements."""
    binary = ("mul", "add")
    made = tuple(Step(op, (Ref(n), Ref(0)) if op in binary else (Ref(n),)) for n, op in enumerate(CHAIN))
    return Program((Input("a", (steps // len(CHAIN),), "float64"),), made, (len(CHAIN),))


def summed(steps: int) -> Program:
    return Program((Input("a", (steps,), "float64"),), one("sum"), (1,))


def running(steps: int) -> Program:
    return Program((Input("a", (steps,), "float64"),), one("cumsum", dim=0), (1,))


def multiplied(steps: int) -> Program:
    """A matrix product of about so many products."""
    side = round(steps ** (1 / 3))
    inputs = tuple(Input(name, (side, side), "float64") for name in "ab")
    return Program(inputs, FUNCTIONS["matmul"][1], (2,))


CURVES = {"ten ops in a chain": chained, "sum": summed, "cumsum": running, "matmul": multiplied}


def curve() -> None:
    """CPU time of truth and budget against scalar steps; a slope of 1 is linear cost."""
    print("\nms of CPU for truth and budget at order 2, by scalar steps; a slope of 1 is linear cost\n")
    print(f"{'':20}" + "".join(f"{n:>10,}" for n in LENGTHS) + f"{'slope':>8}")
    rng = np.random.default_rng(3)
    for name, program in CURVES.items():
        spent = [cost(program(n), rng) for n in LENGTHS]
        slope = np.polyfit(np.log(LENGTHS), np.log(spent), 1)[0]
        print(f"{name:20}" + "".join(f"{1e3 * s:10.1f}" for s in spent) + f"{slope:8.2f}")
    refused = Truths(case_of(chained(2 * MOST_STEPS), rng))
    found = refused.at(refused.case)
    assert isinstance(found, Unknown)
    print(f"\nBalls up to {MOST_STEPS:,} steps, where ten products within a matrix product count as one.")
    print(f"Beyond, the exact oracle cannot tell ({found.reason});")
    print("differences, PyTorch's answer and the laws, which need no balls, still judge.")


def case_of(program: Program, rng: np.random.Generator) -> Case:
    shape = result_shape(program, program.inputs[0].shape)
    inputs = tuple(Array.of(rng.normal(size=i.shape)) for i in program.inputs)
    seconds = tuple(Array.of(rng.normal(size=i.shape)) for i in program.inputs)
    return Case(program, inputs, (Array.of(rng.normal(size=shape)),), "float64", 2, seconds)


def cost(program: Program, rng: np.random.Generator) -> float:
    """CPU seconds, the least of three."""
    spent = []
    for _ in range(3):
        case = case_of(program, rng)
        before = time.process_time()
        assert isinstance(Truths(case).at(case), Enclosed)
        spent.append(time.process_time() - before)
    return min(spent)


def whole_path(programs: int) -> None:
    """`refgrad check torch` and `refgrad check refgrad` without the command line: all dtypes that are its default."""
    print("\nthe whole path of refgrad check: drawing, workers, four oracles, records\n")
    for subject in ("torch", "refgrad"):
        plan = plan_check(subject, None, (), (), programs, None, 1, 1, "")
        known: set[str] = set()
        before, started = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
        cases = 0
        with bench_of(plan) as bench:
            startup = time.process_time()
            for unit in units(plan)[::9]:
                cases += len(search(unit, subject, bench, known, lambda: False).judged)
            own = time.process_time() - startup
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        workers = ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime
        total = time.process_time() - before + workers
        print(
            f"{subject:8} {cases} cases in {total:.1f} CPU seconds, the start of the workers included: "
            f"{cases / total:.0f} a second (judges {own:.1f} s, workers {workers:.1f} s)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="CPU seconds for each checker in each row")
    parser.add_argument("--programs", type=int, default=160, help="programs drawn for each op")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    by_function(options.seconds)
    generated(options.programs)
    curve()
    whole_path(options.programs)


if __name__ == "__main__":
    main()
