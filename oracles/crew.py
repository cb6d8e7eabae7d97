"""Who does the work of a campaign: this process alone, or a pool of processes, each with a bench of its own."""

from __future__ import annotations

import gc
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from multiprocessing import get_context
from typing import Any

from oracles.blame import Accusation
from oracles.findings import finding
from oracles.judge import Bench
from oracles.plan import CannotJudge, Plan, has_pytorch
from oracles.records import Finding
from oracles.remote import Remote
from oracles.search import Searched, Unit, search, shrink
from oracles.subjects.protocol import SubjectError

AHEAD = 3
"""Units submitted for each worker before their results are asked for."""


@contextmanager
def bench_of(plan: Plan) -> Iterator[Bench]:
    """The subject's worker and PyTorch's, started.

    Raises:
        CannotJudge: the subject cannot be started.
    """
    with ExitStack() as stack:
        try:
            subject = stack.enter_context(Remote(plan.where, ops=plan.ops))
        except SubjectError as error:
            raise CannotJudge(str(error)) from error
        peer = None
        if plan.where != "torch" and has_pytorch():
            peer = stack.enter_context(Remote("torch"))
        yield Bench(subject, peer)


class Inline:
    """One worker in this process; it notices a request to stop between two cases."""

    def __init__(self, plan: Plan, bench: Bench, stop: threading.Event) -> None:
        self.plan, self.bench, self.stop = plan, bench, stop
        self.known: set[str] = set()

    def searched(self, pieces: list[Unit]) -> Iterator[tuple[Unit, Searched]]:
        """Each unit with what it came to, until it is to stop."""
        for unit in pieces:
            if self.stop.is_set():
                return
            result = search(unit, self.plan.subject, self.bench, self.known, self.stop.is_set)
            if result.interrupted:
                self.stop.set()
            yield unit, result

    def found(self, unit: Unit, accusation: Accusation, seen: int, small: bool) -> Finding:
        """The finding for an accusation, made `small` first if there is time."""
        return _find(self.plan, self.bench, unit, accusation, seen, small)


def _find(plan: Plan, bench: Bench, unit: Unit, first: Accusation, seen: int, small: bool) -> Finding:
    best, finished = shrink(unit, first, bench) if small else (first, False)
    return finding(bench, best, plan.subject, replay_command(plan), finished, seen)


def replay_command(plan: Plan) -> str:
    """The command that judges a finding again; `{id}` stands for which."""
    file = "" if plan.subject_file is None else f" --subject-file {plan.subject_file}"
    return "refgrad replay {id}" + file


_worker: dict[str, Any] = {}


def _start_worker(plan: Plan) -> None:
    """Run once in each process of the pool: Ctrl-C is the parent's business, and the bench is this process's own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # what has been imported lives as long as the process
    stack = ExitStack()
    _worker.update(plan=plan, bench=stack.enter_context(bench_of(plan)), known=set(), stack=stack)


def _search_in_worker(unit: Unit) -> Searched:
    return search(unit, _worker["plan"].subject, _worker["bench"], _worker["known"], lambda: False)


def _find_in_worker(unit: Unit, accusation: Accusation, seen: int, small: bool) -> Finding:
    return _find(_worker["plan"], _worker["bench"], unit, accusation, seen, small)


class Pool:
    """Several processes, each with a bench of its own; results come in the order of the units."""

    def __init__(self, plan: Plan, stop: threading.Event) -> None:
        self.stop = stop
        self.workers = plan.jobs
        self.executor = ProcessPoolExecutor(plan.jobs, get_context("spawn"), _start_worker, (plan,))
        for _ in range(plan.jobs):
            self.executor.submit(gc.collect)  # they start now, while known failures are judged here

    def searched(self, pieces: list[Unit]) -> Iterator[tuple[Unit, Searched]]:
        """Results in the order of the pieces. Few are submitted ahead, so that a finding need not wait for all."""
        rest = iter(pieces)
        ahead = deque((unit, self._submit(unit)) for unit in islice(rest, AHEAD * self.workers))
        try:
            while ahead and not self.stop.is_set():
                unit, future = ahead.popleft()
                yield unit, future.result()
                ahead.extend((unit, self._submit(unit)) for unit in islice(rest, 1))
        finally:
            for _, future in ahead:
                future.cancel()

    def _submit(self, unit: Unit) -> Future[Searched]:
        return self.executor.submit(_search_in_worker, unit)

    def found(self, unit: Unit, accusation: Accusation, seen: int, small: bool) -> Finding:
        """The finding for an accusation, made in one of the processes."""
        return self.executor.submit(_find_in_worker, unit, accusation, seen, small).result()
