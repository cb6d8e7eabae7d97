"""Clauses on threads."""

from __future__ import annotations

import threading
from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause


def in_threads(count: int, task: Any) -> None:
    """Run the task in so many threads at once, each with its number, wait for all, and raise what one raised."""
    raised: list[BaseException] = []

    def run(k: int) -> None:
        try:
            task(k)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


@clause("TH-1", "notes/autograd › Multithreaded Autograd")
def separate_graphs(torch: Any, claim: Claim) -> None:
    """autograd.grad runs in several threads at once, on graphs of their own over one leaf, each with its own result."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    found = {}

    def task(k: int) -> None:
        y = x
        for _ in range(50):
            y = y + x * k
        (found[k],) = torch.autograd.grad(y.sum(), x)

    in_threads(4, task)
    claim.equal([found[k] for k in range(4)], [[1.0 + 50 * k] * 2 for k in range(4)])


@clause("TH-2", "notes/autograd › Graph retaining")
def shared_part(torch: Any, claim: Claim) -> None:
    """Of threads that share a part of a graph, all but the first to free it get the error of a second backward."""
    x = torch.tensor(2.0, requires_grad=True)
    shared = x * x
    said = []
    turn = threading.Lock()

    def task(k: int) -> None:
        y = shared * k
        with turn:
            try:
                torch.autograd.grad(y, x)
            except RuntimeError as error:
                said.append("second time" in str(error))

    in_threads(4, task)
    claim.equal(said, [True, True, True])


@clause(
    "TH-3", "notes/autograd › Non-determinism", withdrawn="the page promises nothing that could be tested"
)
def racy(torch: Any, claim: Claim) -> None:
    """Threads that call backward() at once into one .grad may get any sum."""
    x = torch.tensor(2.0, requires_grad=True)
    in_threads(2, lambda k: (x * 3).backward())
    claim.true(x.grad is not None, "some gradient")
