"""What the gradient checkers of PyTorch, JAX and HIPS autograd say of the same wrong rules, used as they usually are.

The op's value and its vector-Jacobian product, both the engine's, are handed to each as a function with a custom
derivative; random inputs in the op's domain, three seeds, the tool's default tolerances.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

import refgrad
from oracles.signatures import call

from .usual import Call, usual_calls

SEEDS = 3
Array = np.ndarray[Any, Any]
Checker = Callable[["Function"], None]


@dataclass(frozen=True, eq=False)
class Function:
    """An op of the catalogue as a function of its floating operands, with what pulls cotangents back through it.

    `point` holds those operands and `others` the rest, each with its place.
    """

    op: str
    call: Call
    point: tuple[Array, ...]
    others: tuple[tuple[int, Any], ...]

    def outputs(self, xs: Sequence[Any]) -> list[Any]:
        """The floating outputs on tensors."""
        operands = list(xs)
        for place, other in self.others:
            operands.insert(place, refgrad.tensor(other) if isinstance(other, np.ndarray) else other)
        if self.op == "getitem":
            (x,) = xs
            return [x[self.call.settings["index"]]]
        if self.op in ("cat", "stack"):
            operands = [operands]
        arguments, settings = call(self.op, operands, self.call.settings)
        result = refgrad.catalogue()[self.op].function(*arguments, **settings)
        several = result if isinstance(result, tuple) else (result,)
        return [y for y in several if y.is_floating_point()]

    def joined(self, xs: Sequence[Any]) -> Any:
        """The one output, or all of them in a row."""
        outputs = self.outputs(xs)
        return outputs[0] if len(outputs) == 1 else refgrad.cat([y.reshape(-1) for y in outputs])

    def value(self, *xs: Array) -> Array:
        """The op's value."""
        return np.array(self.joined([tensor(x, False) for x in xs]).numpy())

    def pulled(self, g: Array, *xs: Array) -> list[Array]:
        """The cotangent of each operand."""
        leaves = [tensor(x, True) for x in xs]
        found = refgrad.autograd.grad([self.joined(leaves)], leaves, [tensor(g, False)], allow_unused=True)
        return [filled(d, x) for d, x in zip(found, xs, strict=True)]

    def pulled_twice(self, ws: Sequence[Array], g: Array, *xs: Array) -> list[Array]:
        """The cotangents of `g` and of each operand, through `pulled`."""
        leaves = [tensor(x, True) for x in (g, *xs)]
        first = refgrad.autograd.grad(
            [self.joined(leaves[1:])], leaves[1:], [leaves[0]], allow_unused=True, create_graph=True
        )
        pairs = [
            (d, tensor(w, False)) for d, w in zip(first, ws, strict=True) if d is not None and d.requires_grad
        ]
        if not pairs:
            return [np.zeros_like(x) for x in (g, *xs)]
        found = refgrad.autograd.grad([d for d, _ in pairs], leaves, [w for _, w in pairs], allow_unused=True)
        return [filled(d, x) for d, x in zip(found, (g, *xs), strict=True)]


def tensor(x: Array, requires_grad: bool) -> Any:
    return refgrad.tensor(np.array(x), dtype=refgrad.float64, requires_grad=requires_grad)


def filled(d: Any, x: Array) -> Array:
    return np.zeros_like(x) if d is None else np.array(d.detach().numpy())


def by_torch() -> Checker:
    """torch.autograd.gradcheck, slow mode, on a torch.autograd.Function."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)

    class Custom(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, function: Function, *xs: Any) -> Any:
            ctx.function = function
            ctx.save_for_backward(*xs)
            return torch.from_numpy(function.value(*(x.detach().numpy() for x in xs)))

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            xs = (x.detach().numpy() for x in ctx.saved_tensors)
            found = ctx.function.pulled(g.detach().numpy(), *xs)
            return None, *(torch.from_numpy(d) for d in found)

    def check(function: Function) -> None:
        given = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in function.point]
        torch.autograd.gradcheck(lambda *ts: Custom.apply(function, *ts), given)

    return check


def by_hips() -> Checker:
    """autograd.test_util.check_grads, reverse mode to its default order of 2, on a primitive."""
    extend = importlib.import_module("autograd.extend")
    check_grads = importlib.import_module("autograd.test_util").check_grads

    @cache
    def primitive(function: Function) -> Any:
        value = extend.primitive(function.value)
        places = range(len(function.point))

        def puller(i: int) -> Any:
            pull = extend.primitive(lambda g, *ys: function.pulled(g, *ys)[i])

            def second(j: int) -> Any:
                def made(ans: Any, g: Any, *ys: Any) -> Any:
                    zeros = [np.zeros_like(y) for y in ys]
                    return lambda w: function.pulled_twice([*zeros[:i], w, *zeros[i + 1 :]], g, *ys)[j]

                return made

            extend.defvjp(pull, *(second(j) for j in range(len(places) + 1)))
            return lambda ans, *ys: lambda g: pull(g, *ys)

        extend.defvjp(value, *(puller(i) for i in places))
        return value

    def check(function: Function) -> None:
        check_grads(primitive(function), modes=["rev"])(*function.point)

    return check


def by_jax() -> Checker:
    """jax.test_util.check_grads, reverse mode and order 1, in float64, on a custom_vjp."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    check_grads = importlib.import_module("jax.test_util").check_grads
    logging.getLogger("jax").setLevel(logging.CRITICAL)  # what raises in a callback is an answer, not news
    numpy = jax.numpy

    @cache
    def customised(function: Function) -> Any:
        @jax.custom_vjp
        def custom(*ys: Any) -> Any:
            return numpy.asarray(
                function.value(*map(np.asarray, ys))
            )  # nothing is traced, so these are numbers

        def backward(ys: Any, g: Any) -> Any:
            return tuple(map(numpy.asarray, function.pulled(np.asarray(g), *map(np.asarray, ys))))

        custom.defvjp(lambda *ys: (custom(*ys), ys), backward)
        return custom

    def check(function: Function) -> None:
        xs = tuple(numpy.asarray(x) for x in function.point)
        check_grads(customised(function), xs, order=1, modes=["rev"])

    return check


TOOLS: dict[str, tuple[str, Callable[[], Checker]]] = {
    "gradcheck": ("torch", by_torch),
    "JAX": ("jax", by_jax),
    "HIPS": ("autograd", by_hips),
}


class Peers:
    """The tools that are installed; `missing` names the others."""

    def __init__(self, wanted: Sequence[str] = tuple(TOOLS)) -> None:
        there = {name: make for name, (module, make) in TOOLS.items() if name in wanted and find_spec(module)}
        self.missing = [name for name in wanted if name not in there]
        self.checkers = {name: make() for name, make in there.items()}

    def caught(self, op: str) -> dict[str, bool]:
        """Which of them complain of an op as the engine has it now."""
        return {name: self.complains(name, op) for name in self.checkers}

    def complains(self, name: str, op: str) -> bool:
        """Whether one of them raises on any of the op's usual calls."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for number in range(len(usual_calls(op))):
                for seed in range(SEEDS):
                    try:
                        self.checkers[name](prepared(op, number, seed))
                    except Exception:
                        return True
        return False


@cache
def prepared(op: str, number: int, seed: int) -> Function:
    """One of an op's usual calls at a random point."""
    usual = usual_calls(op)[number]
    operands = usual.operands(np.random.default_rng(seed))
    floating = [isinstance(x, np.ndarray) and x.dtype.kind == "f" for x in operands]
    xs = tuple(x for x, f in zip(operands, floating, strict=True) if f)
    others = tuple((i, x) for i, (x, f) in enumerate(zip(operands, floating, strict=True)) if not f)
    return Function(op, usual, xs, others)
