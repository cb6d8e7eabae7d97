"""What can be done in a history: each verb as it is played and as it is spelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from oracles.histories.action import Action

SHAPES: Final = {0: (), 1: (2,), 2: (2, 2), 3: (3, 2)}
"""The shapes of leaves, by the number that an action has for them."""


@dataclass(frozen=True)
class Verb:
    """`play` does it with a player and returns the tensors that it makes; `spell` is the line of code, without them."""

    play: Callable[[Any, Action], Any]
    spell: Callable[[Action], str]


def t(action: Action, place: int = 0) -> str:
    """The name of a tensor that an action is done on."""
    return f"t{action.on[place]}"


def _on(player: Any, action: Action, place: int = 0) -> Any:
    return player.tensors[action.on[place]]


# Making tensors.


def _nested(flat: list[float], shape: tuple[int, ...]) -> Any:
    if not shape:
        return flat[0]
    size = len(flat) // shape[0]
    return [_nested(flat[k * size : (k + 1) * size], shape[1:]) for k in range(shape[0])]


def _data(action: Action) -> Any:
    which, *values = action.numbers
    return _nested([float(v or 0) for v in values], SHAPES[int(which or 0)])


def _leaf(player: Any, action: Action) -> Any:
    library = player.library
    data = _data(action)
    dtype = getattr(library, action.name)
    return [library.tensor(data, dtype=dtype, requires_grad=action.flags.get("requires_grad", False))]


def _spell_leaf(action: Action) -> str:
    data = _data(action)
    flag = ", requires_grad=True" if action.flags.get("requires_grad") else ""
    return f"torch.tensor({data}, dtype=torch.{action.name}{flag})"


# Ops and views.

OPS: Final[Mapping[str, tuple[int, Callable[..., Any], str]]] = MappingProxyType(
    {
        "add": (2, lambda a, b: a + b, "{0} + {1}"),
        "sub": (2, lambda a, b: a - b, "{0} - {1}"),
        "mul": (2, lambda a, b: a * b, "{0} * {1}"),
        "maximum": (2, lambda a, b: a.maximum(b), "{0}.maximum({1})"),
        "matmul": (2, lambda a, b: a @ b, "{0} @ {1}"),
        "neg": (1, lambda a: -a, "-{0}"),
        "square": (1, lambda a: a**2, "{0}**2"),
        "relu": (1, lambda a: a.relu(), "{0}.relu()"),
        "abs": (1, lambda a: a.abs(), "{0}.abs()"),
        "double": (1, lambda a: a * 2, "{0} * 2"),
        "sum": (1, lambda a: a.sum(), "{0}.sum()"),
        "sum0": (1, lambda a: a.sum(0), "{0}.sum(0)"),
        "amax": (1, lambda a: a.amax(), "{0}.amax()"),
        "clamp": (1, lambda a: a.clamp(-2, 2), "{0}.clamp(-2, 2)"),
        "clone": (1, lambda a: a.clone(), "{0}.clone()"),
        "to": (1, lambda a: a.double(), "{0}.double()"),
    }
)
"""By name: how many tensors it takes, the call, and how that is spelled."""

VIEWS: Final[Mapping[str, tuple[int, Callable[..., Any], str]]] = MappingProxyType(
    {
        "first": (1, lambda a: a[0], "{0}[0]"),
        "rest": (1, lambda a: a[1:], "{0}[1:]"),
        "flat": (1, lambda a: a.view(-1), "{0}.view(-1)"),
        "transpose": (1, lambda a: a.transpose(0, -1), "{0}.transpose(0, -1)"),
        "unsqueeze": (1, lambda a: a.unsqueeze(0), "{0}.unsqueeze(0)"),
        "expand": (1, lambda a: a.expand(2, *a.shape), "{0}.expand(2, *{0}.shape)"),
        "detach": (1, lambda a: a.detach(), "{0}.detach()"),
        "data": (1, lambda a: a.data, "{0}.data"),
        "split": (2, lambda a: a.split(1)[:2], "{0}.split(1)[:2]"),
        "unbind": (2, lambda a: a.unbind(0)[:2], "{0}.unbind(0)[:2]"),
    }
)
"""By name: how many tensors it makes, the call, and how that is spelled."""


def _apply(player: Any, action: Action) -> Any:
    count, call, _ = OPS[action.name]
    return [call(*(_on(player, action, k) for k in range(count)))]


def _view(player: Any, action: Action) -> Any:
    made = VIEWS[action.name][1](_on(player, action))
    return list(made) if isinstance(made, tuple | list) else [made]


# Writing in place.

WRITES: Final[Mapping[str, tuple[int, Callable[..., Any], str]]] = MappingProxyType(
    {
        "add_": (2, lambda a, b: a.add_(b), "{0}.add_({1})"),
        "mul_": (2, lambda a, b: a.mul_(b), "{0}.mul_({1})"),
        "copy_": (2, lambda a, b: a.copy_(b), "{0}.copy_({1})"),
        "zero_": (1, lambda a: a.zero_(), "{0}.zero_()"),
        "neg_": (1, lambda a: a.neg_(), "{0}.neg_()"),
        "relu_": (1, lambda a: a.relu_(), "{0}.relu_()"),
        "double_": (1, lambda a: a.mul_(2), "{0}.mul_(2)"),
        "fill_": (1, lambda a: a.fill_(0.5), "{0}.fill_(0.5)"),
        "set_first": (2, lambda a, b: a.__setitem__(0, b), "{0}[0] = {1}"),
        "set_rest": (1, lambda a: a.__setitem__(slice(1, None), 1.5), "{0}[1:] = 1.5"),
    }
)
"""By name: how many tensors it takes, the call, and how that is spelled. Nothing comes of it but what it changes."""


def _write(player: Any, action: Action) -> None:
    count, call, _ = WRITES[action.name]
    call(*(_on(player, action, k) for k in range(count)))


# Flags, and what a tensor keeps.

CHANGES: Final[Mapping[str, tuple[Callable[[Any], Any], str]]] = MappingProxyType(
    {
        "require": (lambda a: a.requires_grad_(True), "{0}.requires_grad_(True)"),
        "freeze": (lambda a: a.requires_grad_(False), "{0}.requires_grad_(False)"),
        "detach_": (lambda a: a.detach_(), "{0}.detach_()"),
        "retain_grad": (lambda a: a.retain_grad(), "{0}.retain_grad()"),
        "drop_grad": (lambda a: setattr(a, "grad", None), "{0}.grad = None"),
        "zero_grad": (
            lambda a: None if a.grad is None else a.grad.zero_(),
            "{0}.grad is None or {0}.grad.zero_()",
        ),
    }
)


def _change(player: Any, action: Action) -> None:
    CHANGES[action.name][0](_on(player, action))


def _forget(player: Any, action: Action) -> None:
    del player.tensors[action.on[0]]
    player._grads.pop(action.on[0], None)


# Modes.

MODES: Final = ("no_grad", "enable_grad", "inference_mode")


def _enter(player: Any, action: Action) -> None:
    mode = getattr(player.library, action.name)()
    mode.__enter__()
    player.modes.append(mode)


def _leave(player: Any, action: Action) -> None:
    if player.modes:
        player.modes.pop().__exit__(None, None, None)


# Hooks.

HOOKS: Final = ("look", "double", "node", "prenode", "accumulated")


def _hook(player: Any, action: Action) -> None:
    x = _on(player, action)
    label = f"{action.name} on t{action.on[0]}"

    def look(*seen: Any) -> None:
        player.told(label, seen)

    def double(g: Any) -> Any:
        player.told(label, g)
        return g * 2

    register = {
        "look": lambda: x.register_hook(look),
        "double": lambda: x.register_hook(double),
        "node": lambda: x.grad_fn.register_hook(look),
        "prenode": lambda: x.grad_fn.register_prehook(look),
        "accumulated": lambda: x.register_post_accumulate_grad_hook(lambda p: player.told(label, p.grad)),
    }
    player.handles.append(register[action.name]())


def _unhook(player: Any, action: Action) -> None:
    if player.handles:
        player.handles[int(action.numbers[0] or 0) % len(player.handles)].remove()


SPELLED_HOOKS: Final = {
    "look": "{0}.register_hook(look)",
    "double": "{0}.register_hook(double)",
    "node": "{0}.grad_fn.register_hook(look)",
    "prenode": "{0}.grad_fn.register_prehook(look)",
    "accumulated": "{0}.register_post_accumulate_grad_hook(lambda p: look(p.grad))",
}


# Differentiating.


def _seed(player: Any, root: Any, action: Action) -> Any:
    return player.library.ones_like(root) * 2 if action.flags.get("seeded") else None


def _backward(player: Any, action: Action) -> None:
    root, *inputs = (player.tensors[n] for n in action.on)
    flags = {k: v for k, v in action.flags.items() if k in ("retain_graph", "create_graph")}
    root.backward(_seed(player, root, action), inputs=inputs or None, **flags)


def _grad(player: Any, action: Action) -> Any:
    """Copies of the gradients: what memory a library's own share is its own affair."""
    root, *inputs = (player.tensors[n] for n in action.on)
    flags = {k: v for k, v in action.flags.items() if k in ("retain_graph", "create_graph", "allow_unused")}
    found = player.library.autograd.grad(root, inputs, _seed(player, root, action), **flags)
    return [g.clone() if g is not None else player.library.zeros(()) for g in found]


def _settings(action: Action, names: tuple[str, ...]) -> str:
    return "".join(f", {name}={action.flags[name]}" for name in names if name in action.flags)


def _spell_backward(action: Action) -> str:
    seed = f"torch.ones_like({t(action)}) * 2" if action.flags.get("seeded") else "None"
    inputs = f", inputs=[{', '.join(f't{n}' for n in action.on[1:])}]" if action.on[1:] else ""
    return f"{t(action)}.backward({seed}{_settings(action, ('retain_graph', 'create_graph'))}{inputs})"


def _spell_grad(action: Action) -> str:
    seed = f"torch.ones_like({t(action)}) * 2" if action.flags.get("seeded") else "None"
    inputs = ", ".join(f"t{n}" for n in action.on[1:])
    flags = _settings(action, ("retain_graph", "create_graph", "allow_unused"))
    call = f"torch.autograd.grad({t(action)}, [{inputs}], {seed}{flags})"
    return f"[torch.zeros(()) if g is None else g.clone() for g in {call}]"


def _filled(table: Mapping[str, Any]) -> Callable[[Action], str]:
    return lambda action: str(table[action.name][-1]).format(*(f"t{n}" for n in action.on))


VERBS: Final[Mapping[str, Verb]] = MappingProxyType(
    {
        "leaf": Verb(_leaf, _spell_leaf),
        "apply": Verb(_apply, _filled(OPS)),
        "view": Verb(_view, _filled(VIEWS)),
        "write": Verb(_write, _filled(WRITES)),
        "change": Verb(_change, _filled(CHANGES)),
        "forget": Verb(_forget, lambda action: f"del {t(action)}"),
        "enter": Verb(_enter, lambda action: f"modes.append(torch.{action.name}()); modes[-1].__enter__()"),
        "leave": Verb(_leave, lambda action: "modes and modes.pop().__exit__(None, None, None)"),
        "hook": Verb(_hook, lambda action: f"handles.append({SPELLED_HOOKS[action.name].format(t(action))})"),
        "unhook": Verb(
            _unhook, lambda action: f"handles and handles[{action.numbers[0]} % len(handles)].remove()"
        ),
        "backward": Verb(_backward, _spell_backward),
        "grad": Verb(_grad, _spell_grad),
    }
)
