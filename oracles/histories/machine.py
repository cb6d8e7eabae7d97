"""The state machine: Hypothesis draws a history step by step, PyTorch and a subject play it, and must look the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from msgspec import structs

from oracles.histories.action import BROKEN, WILD, Action, History, Observed, differences
from oracles.histories.drawing import Drawing
from oracles.histories.player import Player


class Partner(Protocol):
    """A subject that plays along."""

    def play(self, action: Action) -> Observed:
        """Do it, and look."""

    def close(self) -> None:
        """Leave every mode."""


class Differs(AssertionError):
    """PyTorch and the subject are not the same after the last action of a history."""

    def __init__(self, history: History, found: list[str], raised: dict[int, str]) -> None:
        super().__init__("\n".join(found))
        self.history, self.found, self.raised = history, found, raised


def both(pytorch: Player, partner: Partner, action: Action) -> tuple[Observed, Observed]:
    """What an action comes to on either. A mode that PyTorch enters first it leaves last: a partner may share it."""
    if action.verb == "leave":
        theirs = partner.play(action)
        return pytorch.play(action), theirs
    return pytorch.play(action), partner.play(action)


Pair = Callable[[], tuple[Player, Partner]]


class LockStep(RuleBasedStateMachine):
    """PyTorch and a partner, both at the beginning; `pair` makes them and `steps` counts what was compared.

    `fit` are the tensors that further steps may be done on: those whose values are exact.

    `excused` says, of a step that differs, whether that is known; then the history ends there without a fault.
    """

    pair: ClassVar[Pair]
    excused: ClassVar[Callable[[Action, list[str]], bool]] = staticmethod(lambda action, found: False)
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.pytorch, self.partner = type(self).pair()
        self.actions: list[Action] = []
        self.raised: dict[int, str] = {}
        self.over = False
        self.fit: list[int] = []

    def teardown(self) -> None:
        """Leave every mode."""
        self.partner.close()
        self.pytorch.close()

    def do(self, action: Action) -> None:
        """Play an action on both and compare.

        Raises:
            Differs: something that can be observed is not the same.
        """
        before = set(self.pytorch.tensors)
        ours, theirs = both(self.pytorch, self.partner, action)
        if ours.raised == BROKEN:
            self.over = True
            return
        type(self).steps += 1
        found = differences(action, ours, theirs)
        if ours.raised or theirs.raised:
            self.raised[len(self.actions)] = ours.raised or theirs.raised
        made = sorted(set(ours.tensors) - before)
        self.actions.append(structs.replace(action, makes=len(made)))
        if found and type(self).excused(action, found):
            self.over = True
        elif found:
            raise Differs(History(tuple(self.actions)), found, self.raised)
        self.fit += [n for n in made if ours.tensors[n].values is not None and ours.tensors[n].grad != WILD]

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """One more step, if the two are still the same."""
        if self.over:
            return
        drawn = Drawing(data.draw, self.pytorch, self.fit)
        action = drawn.action()
        if action.verb == "forget":
            self.fit.remove(action.on[0])
        self.do(action)


def machine(pair: Pair, excused: Callable[[Action, list[str]], bool] | None = None) -> type[LockStep]:
    """The machine for a subject; its `steps` begin at 0."""
    members: dict[str, Any] = {"pair": staticmethod(pair), "steps": 0}
    if excused is not None:
        members["excused"] = staticmethod(excused)
    return type("LockStep", (LockStep,), members)
