"""Drawing the next step of a history: what is worth doing with the tensors that there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from oracles.histories.action import Action
from oracles.histories.player import Player
from oracles.histories.verbs import CHANGES, HOOKS, MODES, OPS, SHAPES, VIEWS, WRITES

WEIGHTS = {
    "leaf": 2, "apply": 6, "view": 3, "write": 4, "change": 3, "forget": 1,
    "enter": 1, "leave": 2, "hook": 3, "unhook": 1, "backward": 5, "grad": 2,
}  # fmt: skip
"""How often each verb is drawn beside the others. Measured on PyTorch: a hook then sees a gradient in every history."""
FEWEST, MOST_MODES = 2, 3
KEEPING = ((), ("retain_graph",), ("create_graph",), ("retain_graph", "create_graph"))


class Drawing:
    """One step to come.

    draw: Hypothesis's. player: has PyTorch's state. fit: the tensors to choose from.
    """

    def __init__(self, draw: Callable[[Any], Any], player: Player, fit: Sequence[int]) -> None:
        self.draw, self.player, self.fit = draw, player, fit

    @property
    def inference(self) -> bool:
        """Whether inference mode is on. No leaf of it requires grad: what becomes of one differs from op to op."""
        return bool(self.player.library.is_inference_mode_enabled())

    def action(self) -> Action:
        """The step."""
        if len(self.fit) < FEWEST:
            return self.leaf()
        verbs = [verb for verb, weight in WEIGHTS.items() for _ in range(weight) if self._can(verb)]
        made: Action = getattr(self, self.draw(st.sampled_from(verbs)))()
        return made

    def _can(self, verb: str) -> bool:
        if verb == "enter":
            return len(self.player.modes) < MOST_MODES
        if verb == "leave":
            return bool(self.player.modes)
        return verb != "unhook" or bool(self.player.handles)

    def _one(self) -> int:
        """Any tensor, the latest ones more often."""
        near: int = self.draw(st.sampled_from([*self.fit, *self.fit[-3:]]))
        return near

    def _recorded(self) -> int:
        """A tensor that requires grad, if there is one; of eight times one any."""
        live = [n for n in self.fit if _requires_grad(self.player.tensors[n])]
        if not live or self.draw(st.integers(0, 7)) == 7:
            return self._one()
        chosen: int = self.draw(st.sampled_from([*live, *live[-2:]]))
        return chosen

    def _several(self, count: int) -> tuple[int, ...]:
        return tuple(self._one() for _ in range(count))

    def leaf(self) -> Action:
        """Small multiples of a half, so that what is computed from them stays exact."""
        shape = self.draw(st.sampled_from(sorted(SHAPES)))
        seed = self.draw(st.integers(0, 7))
        count = 1
        for size in SHAPES[shape]:
            count *= size
        values = [((seed + 3 * k) % 9 - 3) / 2 for k in range(count)]
        wanted = self.draw(st.sampled_from([True, True, False])) and not self.inference
        flags = {"requires_grad": True} if wanted else {}
        dtype = self.draw(st.sampled_from(["float32", "float32", "float64"]))
        return Action("leaf", name=dtype, numbers=(shape, *values), flags=flags)

    def apply(self) -> Action:
        """An op."""
        name = self.draw(st.sampled_from(list(OPS)))
        on = self._several(OPS[name][0])
        if name == "sum0" and not self.player.tensors[on[0]].shape:
            name = "sum"
        return Action("apply", on, name)

    def view(self) -> Action:
        """A view, or several.

        `.data` is taken of float64 alone: whether an op saves an operand that it casts, or what it cast it to, shows
        where that is written to and no version tells, and nothing says which it must be.
        """
        on = self._one()
        wide = self.player.tensors[on].dtype == self.player.library.float64
        names = [name for name in VIEWS if wide or name != "data"]
        return Action("view", (on,), self.draw(st.sampled_from(names)))

    def write(self) -> Action:
        """A write in place.

        What is written lies elsewhere, or at the very same place. PyTorch promises nothing of the rest, and refuses it
        only where both are contiguous.
        """
        name = self.draw(st.sampled_from(list(WRITES)))
        on = self._several(WRITES[name][0])
        if len(on) > 1 and name != "set_first" and self._tangled(*on):
            on = (on[0], on[0])
        return Action("write", on, name)

    def _tangled(self, first: int, second: int) -> bool:
        """Whether two tensors share memory, and it hangs on the order of writing what is read."""
        one, other = self.player.tensors[first], self.player.tensors[second]
        shared = one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
        return shared and first != second and not (one.is_contiguous() and other.is_contiguous())

    def change(self) -> Action:
        """A change of what a tensor is or keeps."""
        names = [name for name in CHANGES if name != "require" or not self.inference]
        return Action("change", (self._one(),), self.draw(st.sampled_from(names)))

    def forget(self) -> Action:
        """The last reference to a tensor, as far as this history knows, goes."""
        return Action("forget", (self._one(),))

    def enter(self) -> Action:
        """A mode is entered."""
        return Action("enter", name=self.draw(st.sampled_from(MODES)))

    def leave(self) -> Action:
        """The innermost mode is left."""
        return Action("leave")

    def hook(self) -> Action:
        """A hook is registered."""
        return Action("hook", (self._recorded(),), self.draw(st.sampled_from(HOOKS)))

    def unhook(self) -> Action:
        """A hook is taken away, perhaps again."""
        return Action("unhook", numbers=(self.draw(st.integers(0, 5)),))

    def _flags(self, choices: Sequence[tuple[str, ...]]) -> dict[str, bool]:
        flags = dict.fromkeys(self.draw(st.sampled_from(choices)), True)
        return flags | ({"seeded": True} if self.draw(st.integers(0, 3)) else {})

    def backward(self) -> Action:
        """A backward pass, of four times one to named inputs alone."""
        flags = self._flags(KEEPING)
        count = 0 if self.draw(st.integers(0, 3)) else self.draw(st.integers(1, 2))
        return Action("backward", (self._recorded(), *(self._recorded() for _ in range(count))), flags=flags)

    def grad(self) -> Action:
        """Gradients that accumulate nowhere."""
        flags = self._flags(KEEPING[:3]) | ({"allow_unused": True} if self.draw(st.booleans()) else {})
        count = self.draw(st.integers(1, 2))
        return Action("grad", (self._recorded(), *(self._recorded() for _ in range(count))), flags=flags)


def _requires_grad(t: Any) -> bool:
    try:
        return bool(t.requires_grad)
    except RuntimeError:  # a view of several whose base was written to can say nothing any more
        return False
