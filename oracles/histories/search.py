"""Searching for histories after which PyTorch and a subject are not the same, one of each kind, shrunk."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from oracles.answers import Died, Hung, Unsupported
from oracles.clauses.deviations import HistoryDeviation
from oracles.histories.action import BROKEN, Action, History, Observed, differences
from oracles.histories.machine import Differs, LockStep, Partner, both, machine
from oracles.histories.player import Player
from oracles.histories.shrink import shrunk
from oracles.histories.spelling import script, spelled
from oracles.records import HistoryFinding
from oracles.remote import Remote

STEPS = 40
"""Steps of one history at most."""
MOST_KINDS = 12
"""Kinds after which the search ends."""


class Lacking(Exception):
    """The subject cannot play histories; the message says why."""


class RemotePartner:
    """A subject in its worker, as a partner."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.fresh = True

    def play(self, action: Action) -> Observed:
        """Do it there; a worker that dies or hangs has raised that."""
        reply = self.remote.play(action, self.fresh)
        self.fresh = False
        if isinstance(reply, Observed):
            return reply
        if isinstance(reply, Unsupported):
            raise Lacking(reply.reason)
        if isinstance(reply, Died):
            return Observed(raised=f"the process ended with {reply.how}")
        if isinstance(reply, Hung):
            return Observed(raised=f"no answer within {reply.seconds:g} s")
        return Observed(raised=reply.type)

    def close(self) -> None:
        """Begin anew there too, so that no mode stays entered in the worker."""
        if not self.fresh:
            self.remote.play(Action("leave"), fresh=True)


def kind_of(action: Action, found: list[str]) -> str:
    """The kind of a difference: what was done, and what then differed first."""
    doing = f"{action.verb} {action.name}".strip()
    name, _, rest = found[0].partition(": ")
    if rest.startswith("expected hooks"):
        return f"{doing}: what hooks saw"
    if name == action.verb:
        return f"{doing}: {rest}"
    return f"{doing}: {rest.partition(':')[0]}"


def can_play(remote: Remote) -> str:
    """Why a subject cannot play histories; nothing if it can."""
    reply = remote.play(Action("leaf", name="float32", numbers=(0, 1.0)), fresh=True)
    return reply.reason if isinstance(reply, Unsupported) else ""


def search(
    partner: Callable[[], Partner],
    subject: str,
    examples: int,
    seed_: int,
    known: Mapping[str, HistoryDeviation],
    settled: Iterable[str] = (),
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[HistoryFinding | int]:
    """The findings as they are made, one of each kind, and at the end the number of steps that were compared.

    partner: called for each history, it gives the subject at its beginning.
    known: the listed kinds. settled: those that need not be found again; a history ends where one of them shows.
    """
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    seen: set[str] = set(settled)
    steps = found_now = 0

    def excused(action: Action, found: list[str]) -> bool:
        return kind_of(action, found) in seen

    while found_now < MOST_KINDS and not stopped():
        made = machine(lambda: (Player(torch), partner()), excused)
        differs = _run(made, examples, seed_ + found_now)
        steps += made.steps
        if differs is None:
            break
        kind = kind_of(differs.history.actions[-1], differs.found)
        finding = finding_of(_shrunk(differs, kind, partner), subject, known)
        seen.add(finding.kind)
        found_now += 1
        yield finding
    yield steps


def replay(history: History, partner: Partner) -> Differs | None:
    """Play a history again, to the first step after which the two are not the same, if there is one."""
    torch = importlib.import_module("torch")
    player = Player(torch)
    raised: dict[int, str] = {}
    try:
        for number, action in enumerate(history.actions):
            if any(n not in player.tensors for n in action.on):
                return None
            ours, theirs = both(player, partner, action)
            if ours.raised == BROKEN:
                return None
            if ours.raised or theirs.raised:
                raised[number] = ours.raised or theirs.raised
            found = differences(action, ours, theirs)
            if found:
                return Differs(History(history.actions[: number + 1]), found, raised)
        return None
    finally:
        partner.close()
        player.close()


def _shrunk(differs: Differs, kind: str, partner: Callable[[], Partner]) -> Differs:
    def same(other: Differs) -> bool:
        return kind_of(other.history.actions[-1], other.found) == kind

    return shrunk(differs, lambda history: replay(history, partner()), same)


def _run(made: type[LockStep], examples: int, seed_: int) -> Differs | None:
    """A history that differs, if one was found."""
    chosen = settings(
        max_examples=examples,
        derandomize=False,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(seed_)(made), settings=chosen)
    except Differs as differs:
        return differs
    return None


def finding_of(differs: Differs, subject: str, known: Mapping[str, HistoryDeviation]) -> HistoryFinding:
    """The record of a difference."""
    history = differs.history
    kind = kind_of(history.actions[-1], differs.found)
    digest = hashlib.sha256(kind.encode()).hexdigest()[:4]
    entry = known.get(kind)
    return HistoryFinding(
        id=f"history-{digest}",
        subject=subject,
        kind=kind,
        found=tuple(differs.found),
        lines="\n".join(spelled(history)),
        history=history,
        script=script(history, differs.raised, subject, differs.found),
        known=entry is not None,
        why="" if entry is None else entry.reason,
        design=entry is not None and entry.design,
    )
