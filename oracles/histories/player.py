"""Plays a history on one library of PyTorch's shape, and says what can be observed after each step."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from oracles.histories.action import BROKEN, WILD, Action, Observed, Seen, exact
from oracles.histories.verbs import VERBS


class Player:
    """A library and all that a history has made with it.

    tensors: by number, those that are still referred to.
    handles: of hooks, in the order of registration.
    modes: the context managers that are entered, the innermost last.
    """

    def __init__(self, library: Any) -> None:
        self.library = library
        self.tensors: dict[int, Any] = {}
        self.handles: list[Any] = []
        self.modes: list[Any] = []
        self.hooks: list[str] = []
        self._next = 0
        self._grads: dict[int, Any] = {}
        self._born: dict[int, int] = {}
        self._views: set[int] = set()

    def play(self, action: Action) -> Observed:
        """Do it, and look."""
        self.hooks.clear()
        raised = ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                made = VERBS[action.verb].play(self, action)
            except Exception as error:
                raised = BROKEN if "INTERNAL ASSERT FAILED" in str(error) else type(error).__name__
                del error  # its traceback holds tensors
            else:
                for tensor in made or ():
                    if action.verb == "view":
                        self._views.add(self._next)
                    self.tensors[self._next] = tensor
                    self._next += 1
            return Observed(raised, tuple(self.hooks), {n: self._seen(n, t) for n, t in self.tensors.items()})

    def close(self) -> None:
        """Leave every mode that is entered."""
        while self.modes:
            self.modes.pop().__exit__(None, None, None)

    def told(self, label: str, value: Any) -> None:
        """Write down what a hook saw."""
        self.hooks.append(f"{label} {_text(value)}")

    def _seen(self, number: int, t: Any) -> Seen:
        try:
            node = t.grad_fn
        except RuntimeError as error:  # a view of several whose base was written to has none any more
            return Seen(
                tuple(t.shape), "", None, False, False, type(error).__name__, (), 0, 0, False, False, True
            )
        inference = t.is_inference()
        version = -1 if inference else t._version  # one of these counts nothing
        grad = t.grad
        before, self._grads[number] = self._grads.get(number), grad
        return Seen(
            shape=tuple(t.shape),
            dtype=str(t.dtype).rpartition(".")[2],
            values=_values(t),
            requires_grad=t.requires_grad,
            is_leaf=t.is_leaf,
            node="" if node is None else node.name(),
            inputs=() if node is None else tuple(_name(n) for n, _ in node.next_functions),
            output_nr=t.output_nr,
            version=version - self._born.setdefault(number, version),
            retains=t.retains_grad,
            inference=inference,
            view=number in self._views and t._is_view(),
            grad=None if grad is None else _values(grad) or WILD,
            grad_requires=grad is not None and grad.requires_grad,
            grad_same=before is grad,
        )


def _name(node: Any) -> str:
    return "" if node is None else node.name()


def _values(t: Any) -> tuple[float, ...] | None:
    flat = tuple(float(v) + 0.0 for v in t.reshape(-1).tolist())  # one zero: its sign is a matter of order
    return flat if exact(flat) else None


def _text(value: Any) -> str:
    """What a hook saw, exact numbers only."""
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(_text, value)) + ")"
    if value is None:
        return "None"
    if hasattr(value, "reshape"):
        values = _values(value)
        return f"{tuple(value.shape)} {list(values) if values is not None else WILD}"
    return str(value)


Playing = Callable[[Player, Action], Any]
