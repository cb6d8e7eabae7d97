"""The gradient checkers side by side: each is given the same function with the same wrong gradient.

A checker takes a `Wrong` and returns a function that says, for a factor d, whether it flags the gradient times 1 + d.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from oracles.arrays import Array
from oracles.comparison import compare
from oracles.program import Case, Input, Program, Ref, Scalar, Step
from oracles.truth import Enclosed, enclose

Look = Callable[[float], bool]


@dataclass(frozen=True)
class Function:
    """A function in the words of each library, on one or two arrays of the shape that `n` numbers take."""

    step: Step
    shape: Callable[[int], tuple[int, ...]]
    count: int
    in_torch: Callable[..., Any]
    in_numpy: Callable[..., Any]


def _line(n: int) -> tuple[int, ...]:
    return (n,)


def _square(n: int) -> tuple[int, ...]:
    return (round(n**0.5),) * 2


def _softmax(np: Any, x: Any) -> Any:
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def _one(op: str, torch: Callable[..., Any], numpy: Callable[..., Any], **settings: Any) -> Function:
    return Function(Step(op, (Ref(0),), settings), _line, 1, torch, numpy)


FUNCTIONS = {
    "sin": _one("sin", lambda t, x: t.sin(x), lambda np, x: np.sin(x)),
    "exp": _one("exp", lambda t, x: t.exp(x), lambda np, x: np.exp(x)),
    "tanh": _one("tanh", lambda t, x: t.tanh(x), lambda np, x: np.tanh(x)),
    "mul": Function(Step("mul", (Ref(0), Ref(1))), _line, 2, lambda t, a, b: a * b, lambda np, a, b: a * b),
    "matmul": Function(
        Step("matmul", (Ref(0), Ref(1))),
        _square,
        2,
        lambda t, a, b: t.matmul(a, b),
        lambda np, a, b: np.matmul(a, b),
    ),
    "softmax": _one("softmax", lambda t, x: t.softmax(x, 0), _softmax, dim=0),
    "logsumexp": _one(
        "logsumexp", lambda t, x: t.logsumexp(x, 0), lambda np, x: np.log(np.sum(np.exp(x))), dim=0
    ),
    "cumsum": _one("cumsum", lambda t, x: t.cumsum(x, 0), lambda np, x: np.cumsum(x), dim=0),
    "norm": _one(
        "linalg.vector_norm", lambda t, x: t.linalg.vector_norm(x), lambda np, x: np.sqrt(np.sum(x * x))
    ),
}


@dataclass(frozen=True)
class Wrong:
    """A function times a scale, whose gradient by its first input is wrong everywhere, or in one element."""

    name: str
    n: int
    scale: float
    everywhere: bool
    seed: int

    @property
    def function(self) -> Function:
        return FUNCTIONS[self.name]

    @cached_property
    def inputs(self) -> list[np.ndarray]:
        draw = np.random.default_rng(self.seed)
        return [draw.uniform(0.1, 1.1, self.function.shape(self.n)) for _ in range(self.function.count)]

    def wrong(self, factor: float) -> np.ndarray:
        """What the gradient of the first input is multiplied by."""
        shape = self.function.shape(self.n)
        if self.everywhere:
            return np.full(shape, 1 + factor)
        factors = np.ones(shape)
        factors.reshape(-1)[self.seed % factors.size] = 1 + factor
        return factors


def by_refgrad() -> Callable[[Wrong], Look]:
    """The derived budget, on the gradient that PyTorch computes, made wrong."""
    import torch

    def check(given: Wrong) -> Look:
        leaves = [torch.tensor(x, requires_grad=True) for x in given.inputs]
        out = given.function.in_torch(torch, *leaves) * given.scale
        draw = np.random.default_rng(given.seed)
        cotangent = draw.uniform(0.5, 1.5, tuple(out.shape)) * draw.choice([-1.0, 1.0], tuple(out.shape))
        gradient = torch.autograd.grad(out, leaves, torch.tensor(cotangent).reshape(out.shape))[0].numpy()
        names = "ab"[: given.function.count]
        program = Program(
            tuple(Input(name, x.shape, "float64") for name, x in zip(names, given.inputs, strict=True)),
            (given.function.step, Step("mul", (Ref(len(names)), Scalar.of(given.scale)))),
            (len(names) + 1,),
        )
        case = Case(program, tuple(map(Array.of, given.inputs)), (Array.of(cotangent),), "float64")
        truth = enclose(case)
        if not isinstance(truth, Enclosed):
            raise ValueError(f"{given} has no enclosure: {truth.reason}")
        enclosure = truth.arrays["gradient of a"]
        return lambda factor: bool(compare(enclosure, gradient * given.wrong(factor), "float64").fault)

    return check


def by_gradcheck(fast: bool) -> Callable[[], Callable[[Wrong], Look]]:
    def make() -> Callable[[Wrong], Look]:
        import torch

        def check(given: Wrong) -> Look:
            def flagged(factor: float) -> bool:
                torch.manual_seed(given.seed)
                leaves = [torch.tensor(x, requires_grad=True) for x in given.inputs]
                function = _in_torch(torch, given, torch.tensor(given.wrong(factor)))
                return not torch.autograd.gradcheck(function, leaves, fast_mode=fast, raise_exception=False)

            return flagged

        return check

    return make


def _in_torch(torch: Any, given: Wrong, factors: Any) -> Callable[..., Any]:
    right = given.function.in_torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *xs: Any) -> Any:
            ctx.save_for_backward(*xs)
            return right(torch, *xs) * given.scale

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            with torch.enable_grad():
                xs = [x.detach().requires_grad_() for x in ctx.saved_tensors]
                first, *rest = torch.autograd.grad(right(torch, *xs) * given.scale, xs, g)
            return first * factors, *rest

    return Function.apply


def by_jax() -> Callable[[Wrong], Look]:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    def check(given: Wrong) -> Look:
        def right(*xs: Any) -> Any:
            return given.function.in_numpy(jnp, *xs) * given.scale

        def flagged(factor: float) -> bool:
            function = jax.custom_vjp(right)

            def pull(xs: Any, g: Any) -> Any:
                first, *rest = jax.vjp(right, *xs)[1](g)
                return first * given.wrong(factor), *rest

            function.defvjp(lambda *xs: (right(*xs), xs), pull)
            try:
                check_grads(function, tuple(map(jnp.asarray, given.inputs)), order=1, modes=("rev",))
            except AssertionError:
                return True
            return False

        return flagged

    return check


def by_hips() -> Callable[[Wrong], Look]:
    import autograd
    import autograd.numpy as anp
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def check(given: Wrong) -> Look:
        def right(*xs: Any) -> Any:
            return given.function.in_numpy(anp, *xs) * given.scale

        def flagged(factor: float) -> bool:
            np.random.seed(given.seed)  # what the checker draws from
            function = primitive(lambda *xs: right(*xs))

            def rule(place: int) -> Callable[..., Any]:
                factors = given.wrong(factor) if place == 0 else 1.0

                def make(y: Any, *xs: Any) -> Callable[[Any], Any]:
                    return lambda g: autograd.make_vjp(right, place)(*xs)[0](g) * factors

                return make

            defvjp(function, *(rule(place) for place in range(given.function.count)))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    check_grads(function, modes=["rev"], order=1)(*given.inputs)
            except AssertionError:
                return True
            return False

        return flagged

    return check


CHECKERS: dict[str, Callable[[], Callable[[Wrong], Look]]] = {
    "refgrad": by_refgrad,
    "gradcheck": by_gradcheck(fast=False),
    "gradcheck fast": by_gradcheck(fast=True),
    "JAX": by_jax,
    "HIPS": by_hips,
}
"""Each checker; making it imports its library, and raises ImportError where that is not installed."""
