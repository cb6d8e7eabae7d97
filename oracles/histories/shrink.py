"""Making a history smaller: steps are left out, each with what follows from it, while it still differs as it did.

Hypothesis finds a history, but it shrinks the choices that it drew, of which each step is many: that took minutes. To
leave out steps takes a second, and ends where none can be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import structs

from oracles.histories.action import Action, History
from oracles.histories.machine import Differs

Play = Callable[[History], Differs | None]


def shrunk(differs: Differs, play: Play, same: Callable[[Differs], bool]) -> Differs:
    """The smallest that is found of a history that differs.

    play: what a history comes to. same: whether that is the difference in question.
    """
    best = differs
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(best.history):
            found = play(smaller)
            if found is not None and same(found) and _size(found.history) < _size(best.history):
                best, progress = found, True
                break
    return best


def _size(history: History) -> tuple[int, ...]:
    """Fewer steps first, then simpler ones."""
    actions = history.actions
    return (
        len(actions),
        sum(len(a.flags) + len(a.on) for a in actions),
        sum(a.name == "float64" for a in actions),
        sum(len(a.numbers) for a in actions),
    )


def _smaller(history: History) -> Iterator[History]:
    """Histories with a step less, from the end, then with a simpler step."""
    for place in range(len(history.actions) - 2, -1, -1):
        yield without(history, place)
        if history.actions[place].on and history.actions[place].makes == 1:
            yield without(history, place, bypassed=True)
    for place, action in enumerate(history.actions):
        for simpler in _simpler(action):
            changed = [*history.actions]
            changed[place] = simpler
            yield History(tuple(changed))


def _simpler(action: Action) -> Iterator[Action]:
    for flag in action.flags:
        yield structs.replace(action, flags={k: v for k, v in action.flags.items() if k != flag})
    if action.verb == "leaf":
        if action.name != "float32":
            yield structs.replace(action, name="float32")
        for shape, size in ((0, 1), (1, 2), (2, 4)):
            if len(action.numbers) > size + 1:
                yield structs.replace(action, numbers=(shape, *action.numbers[1 : size + 1]))
    if action.verb == "backward" and len(action.on) > 1:
        yield structs.replace(action, on=action.on[:-1])


def without(history: History, place: int, bypassed: bool = False) -> History:
    """The history without one step, and without those on tensors that it made; the others' numbers follow.

    bypassed: what was done with the tensor that the step made is done with the first that it took.
    """
    gone: set[int] = set()
    renamed: dict[int, int] = {}
    kept: list[Action] = []
    old = new = 0
    for number, action in enumerate(history.actions):
        made = range(old, old + action.makes)
        old += action.makes
        if bypassed and number == place:
            renamed[made[0]] = renamed[action.on[0]]
            continue
        if number == place or any(n in gone for n in action.on):
            gone.update(made)
            continue
        kept.append(structs.replace(action, on=tuple(renamed[n] for n in action.on)))
        renamed.update(zip(made, range(new, new + action.makes), strict=True))
        new += action.makes
    return History(tuple(kept))
