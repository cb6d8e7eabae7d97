"""Hooks on gradients: registering them on tensors, and running those of a node.

Hooks of a tensor that is no leaf belong to its node, by the number of the output, so that they stay behind when the
tensor is written to. Those of a leaf belong to the leaf, and outlive the node that stands for it.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from threading import Lock
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

from numpy import ndarray

from refgrad.dtypes import dtype
from refgrad.graph import Edge, Extras, edge_of, extras_of, link_hooks
from refgrad.handles import Hooks, MultiHandle, RemovableHandle, add
from refgrad.task import current
from refgrad.tensor import Tensor

NO_GRAD: Final = "cannot register a hook on a tensor that doesn't require gradient"


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `hook` with the gradient with respect to this tensor whenever it is computed.

    A tensor that the hook returns takes the gradient's place. Returns a handle that removes the hook.
    Raises RuntimeError if the tensor does not require grad.
    """
    if not self.requires_grad:
        raise RuntimeError(NO_GRAD)
    try:
        node = self.grad_fn
    except RuntimeError:  # an invalid view
        hooks = _kept(self)
        if hooks is None:
            self.state().hooks = Hooks()  # PyTorch too makes a table before it raises, and never asks again
            raise
        return add(hooks, hook)
    state = self.state()
    if node is not None:
        hooks = extras_of(node).tensor_hooks.setdefault(self.output_nr, Hooks())
        old = state.accumulator() if state.accumulator is not None else None
        if old is not None:  # of the leaf that it was: PyTorch's node there asks the tensor for its hooks
            extras_of(old).tensor_hooks = {0: hooks}
        return add(hooks, hook)
    if state.hooks is None:
        state.hooks = Hooks()
        _link(self)
    return add(state.hooks, hook)


def _kept(invalid: Tensor) -> Hooks | None:
    """The hooks that an invalid view has, if there is a table for them."""
    node = invalid._node
    if node is not None and node.extras is not None and invalid.output_nr in node.extras.tensor_hooks:
        return node.extras.tensor_hooks[invalid.output_nr]
    return invalid.state().hooks


def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Call `hook` with this leaf itself whenever its `.grad` has been brought up to date.

    Returns a handle that removes the hook. Raises RuntimeError unless the tensor is a leaf that requires grad.
    """
    if not self.requires_grad:
        raise RuntimeError(NO_GRAD)
    if self.grad_fn is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    state = self.state()
    if state.accumulated is None:
        state.accumulated = Hooks()
        _link(self)
    return add(state.accumulated, hook)


def _link(leaf: Tensor) -> None:
    state = leaf.state()
    node = state.accumulator() if state.accumulator is not None else None
    if node is not None:
        link_hooks(leaf, node)


def attach() -> None:
    """Give tensors these methods."""
    for method in (register_hook, register_post_accumulate_grad_hook):
        setattr(Tensor, method.__name__, method)


# Running them. Cotangents are arrays, or tensors where a graph is being made of the pass; hooks get tensors.


def run_tensor_hooks(extras: Extras, gs: list[Any]) -> list[Any]:
    """The cotangents of a node's outputs after the hooks of those tensors."""
    for nr, hooks in extras.tensor_hooks.items():
        for hook in list(hooks.values()):
            held = _shown(gs[nr])
            answer = hook(held)
            if answer is not None:
                gs[nr] = _taken(held, answer, hook, gs[nr])
    return gs


def run_pre_hooks(hooks: Hooks, gs: list[Any]) -> list[Any]:
    """The cotangents of a node's outputs after the hooks that run before the node."""
    for hook in list(hooks.values()):
        held = tuple(map(_shown, gs))
        gs = _all_taken(held, hook(held), hook, gs)
    return gs


def run_post_hooks(hooks: Hooks, sent: list[Any], gs: Sequence[Any]) -> list[Any]:
    """What a node sends on after the hooks that run after the node; `gs` is what it had got."""
    got = tuple(map(_shown, gs))
    for hook in list(hooks.values()):
        held = tuple(map(_shown, sent))
        sent = _all_taken(held, hook(held, got), hook, sent)
    return sent


def run_accumulated(hooks: Hooks, leaf: Tensor) -> None:
    """Call what waits for the `.grad` of `leaf`; RuntimeError for a hook that returns another tensor."""
    for hook in list(hooks.values()):
        answer = hook(leaf)
        if answer is not None:
            _check(leaf, answer, hook)
            if answer is not leaf:
                raise RuntimeError("Tensor post accumulate grad hooks should return None.")


def _shown(g: Any) -> Tensor | None:
    """A cotangent as hooks see it."""
    return Tensor(g) if isinstance(g, ndarray) else g


def _taken(held: Tensor | None, answer: Any, hook: Any, g: Any) -> Any:
    """What a hook returned in the place of `g`, which it saw as `held`, as the walk carries it."""
    _check(held, answer, hook)
    return answer._array if isinstance(g, ndarray) else answer


def _all_taken(held: tuple[Any, ...], answer: Any, hook: Any, gs: Sequence[Any]) -> list[Any]:
    """The same for a hook of a node, which returns a tuple, or None."""
    if answer is None:
        return list(gs)
    if not isinstance(answer, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(answer).__name__}'")
    if len(answer) != len(held):
        raise RuntimeError(
            f"hook '{_name(hook)}' has returned an incorrect number of values (got {len(answer)}, but expected "
            f"{len(held)})"
        )
    return [
        None if each is None else _taken(before, each, hook, g)
        for before, each, g in zip(held, answer, gs, strict=True)
    ]


def _check(before: Tensor | None, answer: Any, hook: Any) -> None:
    """Raise, in PyTorch's words, unless a hook may return `answer` in the place of `before`."""
    if before is None:
        raise RuntimeError("can't replace a None gradient with a non-None value")
    if not isinstance(answer, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(answer).__name__}'")
    if answer.dtype is not before.dtype:
        raise RuntimeError(
            f"hook '{_name(hook)}' has changed the type of value (was {_type_name(before.dtype)} got "
            f"{_type_name(answer.dtype)})"
        )
    if answer.shape != before.shape:
        raise RuntimeError(f"hook '{_name(hook)}' has changed the size of value")


def _name(hook: Any) -> str:
    return str(getattr(hook, "__name__", "<unknown>"))


def _type_name(kind: dtype) -> str:
    """PyTorch's old name for the type of tensors of this dtype."""
    return f"torch.{kind.word}Tensor"


# One hook for several tensors.

MODES: Final = ("all", "any")


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: Literal["all", "any"] = "all"
) -> RemovableHandle:
    """Call `fn` once in each backward pass that computes gradients with respect to some of `tensors`.

    mode: "all" to call it with all of these gradients once they are there, None for a tensor that takes no part;
        "any" to call it with the first of them.
    Raises ValueError for another mode.
    """
    if mode not in MODES:
        raise ValueError(f"Expects mode to be one of {MODES} but got {mode}")
    if mode == "any":
        return _register_any(tensors, fn)
    edges = [_edge(t) for t in tensors]
    gathered: WeakKeyDictionary[Any, list[Tensor | None]] = WeakKeyDictionary()
    missing: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
    lock = Lock()

    def gathering(position: int) -> Callable[[Tensor], None]:
        def hook(grad: Tensor) -> None:
            task = current()
            with lock:
                if task not in gathered:
                    gathered[task] = [None] * len(edges)
                    missing[task] = sum(task.will_run(node) for node, _ in edges)
                gathered[task][position] = grad
                missing[task] -= 1
                complete = missing[task] == 0
            if complete:
                fn(gathered.pop(task))

        return hook

    return MultiHandle(tuple(register_hook(t, gathering(i)) for i, t in enumerate(tensors)))


def _register_any(tensors: Sequence[Tensor], fn: Callable[[Tensor], None]) -> RemovableHandle:
    seen: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
    lock = Lock()

    @wraps(fn)
    def hook(grad: Tensor) -> None:
        task = current()
        with lock:
            first = not seen.get(task)
            seen[task] = True
        if first:
            fn(grad)

    return MultiHandle(tuple(register_hook(t, hook) for t in tensors if t.requires_grad))


def _edge(t: Tensor) -> Edge:
    edge = edge_of(t)
    if edge is None:
        raise AssertionError("Expected gradient function to be set")
    return edge
