"""Deliberate wrongdoers: the reference engine with one thing broken, and what that must be blamed as.

`install(name)` breaks the engine of this process for good. A subject file that does so is judged as any other
subject; `subject_text` writes one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

import refgrad
from refgrad import lane, walk
from refgrad.op import NO_GRADIENT, REGISTRY, Joint, replan
from refgrad.ops import (
    arithmetic,
    exponential,
    extremes,
    indexing,
    linear,
    matrices,
    reductions,
    running,
    shaping,
)
from refgrad.tensor import Tensor

MILLIONTH = 1 + 1e-6
calls = count()


@dataclass(frozen=True)
class Mutant:
    """One thing broken.

    `check` is the op to judge; `kinds` the (argument, error) of every finding that it must cause, blamed on `blame`
    (the op itself unless told otherwise), and `also` of those that it may cause besides. A gradient that is wrong to
    first order may be wrong to second order too; neither lists that.
    """

    name: str
    check: str
    breaks: str
    install: Callable[[], None]
    kinds: frozenset[tuple[str, str]]
    also: frozenset[tuple[str, str]] = frozenset()
    blame: str = ""
    tags: frozenset[str] = field(default_factory=frozenset)

    @property
    def blamed(self) -> str:
        """What the findings must name."""
        return self.blame or self.check


def formula(op: str, argument: str, wrong: Any) -> Callable[[], None]:
    """Give an op of the engine another formula for one input."""

    def install() -> None:
        target = REGISTRY[op]
        names = wrong.inputs if isinstance(wrong, Joint) else (argument,)
        target.rebind({**target.formulas, **dict.fromkeys(names, wrong)})

    return install


def evaluation(op: str, wrong: Callable[..., Any]) -> Callable[[], None]:
    """Give an op that only formulas use another evaluation."""

    def install() -> None:
        REGISTRY[op].evaluate = REGISTRY[op].direct = wrong
        replan()

    return install


def detached(x: Any) -> Any:
    """The same numbers, cut off from the graph."""
    return x.detach() if isinstance(x, Tensor) else x


def ndim(x: Any) -> int:
    """The number of dimensions of an array or a tensor."""
    return len(x.shape)


def forgetful_sum(held: Any, g: Any) -> Any:
    """Of two contributions the last alone."""
    return g


def first_of(g: Any, shape: tuple[int, ...]) -> Any:
    """What was broadcast, taken from the first place and not summed over all."""
    lead = len(g.shape) - len(shape)
    for _ in range(lead):
        g = shaping.view(shaping.slice_(g, dim=0, start=0, end=1, step=1), shape=g.shape[1:])
    for dim, size in enumerate(shape):
        if size == 1 and g.shape[dim] != 1:
            g = shaping.slice_(g, dim=dim, start=0, end=1, step=1)
    return g


def last_wins(x: Any, *, shape: tuple[int, ...], indices: Any) -> Any:
    """Zeros of `shape` with `x` at `indices`; of what is named twice the last alone."""
    out = np.zeros(shape, x.dtype)
    out[indexing.places(indices)] = x
    return out


def last_row(x: Any, *, shape: tuple[int, ...], dim: int, index: int) -> Any:
    """Zeros of `shape` with `x` at the last place, whichever was selected."""
    out = np.zeros(shape, x.dtype)
    out[(slice(None),) * dim + (-1,)] = x
    return out


def unsigned(g: Any, A: Any, LU: Any, pivots: Any, y: Any) -> Any:
    """det's gradient, at singular matrices from minors that are all positive."""
    right = matrices.det_backward(g, A, LU, pivots, y)
    singular = int(matrices.sum_all(y == 0))
    return where(matrices.minors(A.shape[-1])[2], right, -right) if singular else right


def unsteady(g: Any, y: Any) -> Any:
    """exp's gradient, an ulp larger every other time."""
    return g * y * (1 + 2.0**-52 * (next(calls) % 2))


def scribbled(g: Any, x: Any) -> Any:
    """log's gradient, after which the operand is another."""
    found = g / x
    array = x._array if isinstance(x, Tensor) else x
    if array.flags.writeable:
        array[...] = np.nextafter(array, np.inf)
    return found


def refusing(g: Any, y: Any) -> Any:
    """sigmoid's gradient, but for matrices."""
    if ndim(g) == 2:
        raise ValueError("matrices on Tuesdays only")
    return g * ((1 - y) * y)


def uncast(ct: Any, meta: Any) -> Any:
    """An array of the operand's shape, in whatever dtype it came."""
    ct = np.asarray(ct)
    return ct if ct.shape == meta[0] else walk.sum_to(ct, meta[0])


def doubled(g: Any, y: Any) -> Any:
    """exp's gradient in float64."""
    product = g * y
    return (
        product.astype(np.float64)
        if isinstance(product, np.ndarray)
        else shaping.to_copy(product, dtype=refgrad.float64)
    )


def install_wrong_dtype() -> None:
    """exp widens its gradient, and the walk does not cast it back."""
    formula("exp", "x", doubled)()
    walk._fit_array = uncast  # type: ignore[assignment]


def install_walk(name: str, wrong: Any, module: Any = walk) -> Callable[[], None]:
    """Give the backward walk, or its short way, another function."""

    def install() -> None:
        setattr(module, name, wrong)

    return install


def no_offset(g: Any, shapes: Any, dim: int) -> list[Any]:
    """The pieces of cat's cotangent, all cut from its start."""
    return [shaping.slice_(g, dim=dim, start=0, end=shape[dim], step=1) for shape in shapes]


def wrong_solve(g: Any, A: Any, LU: Any, pivots: Any, y: Any, left: bool, needs: Any) -> Any:
    """solve's cotangents, A's without its minus."""
    by_a, by_b = linear.solve_backward(g, A, LU, pivots, y, left, False, needs)
    return (None if by_a is None else -by_a), by_b


def same_system(g: Any, A: Any, LU: Any, pivots: Any, y: Any, left: bool, needs: Any) -> Any:
    """solve's cotangents, B's by the system itself and not by its transpose."""
    by_a, _ = linear.solve_backward(g, A, LU, pivots, y, left, False, (True, True))
    return by_a, linear.solve_factored(A, g, LU=LU, pivots=pivots, left=left, adjoint=False)


def unflipped(g: Any, x: Any, y: Any, dim: int) -> Any:
    """cumprod's cotangent, summed from the wrong end."""
    return g if not ndim(x) else running.cumsum(g * y, dim=dim) / x


def std_of_all(g: Any, x: Any, y: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    """std's cotangent, divided by the count and not by the count less the correction."""
    scale = shaping.restore(g / (y * reductions.count(x.shape, dim)), x.shape, dim)
    return scale * (x - reductions.mean_dim(x, dim=dim, keepdim=True))


def backwards(g: Any, x_shape: tuple[int, ...]) -> Any:
    """reshape's cotangent with the last dimension reversed."""
    back = shaping.view(g, shape=x_shape)
    return shaping.flip(back, dims=(len(x_shape) - 1,)) if x_shape else back


def last_axis(g: Any, x_shape: Any, dim: Any, keepdim: bool) -> Any:
    """sum's cotangent, its dimensions put back at the end."""
    kept = tuple(n for i, n in enumerate(x_shape) if i not in dim)
    wide = shaping.view(g, shape=(*kept, *(1 for _ in dim)))
    order = [i for i in range(len(x_shape)) if i not in dim] + list(dim)
    wide = shaping.expand(wide, shape=tuple(x_shape[i] for i in order))
    return shaping.view(wide, shape=x_shape)


def unshared(g: Any, x: Any, y: Any, dim: Any) -> Any:
    """amax's cotangent, all of it to each of the tied."""
    return where(extremes.tied(x, restore(y, x.shape, dim)), restore(g, x.shape, dim), 0.0)


def saturated(g: Any, y: Any) -> Any:
    """exp's gradient, from an output that is kept finite."""
    return g * where(y > LARGEST, LARGEST, y)


LARGEST = 1e37
where = arithmetic.where
log = exponential.log
exp = exponential.exp
mm, t = linear.mm, shaping.t
restore = shaping.restore
WRONG = "wrong value"


def one(
    name: str,
    check: str,
    breaks: str,
    install: Callable[[], None],
    argument: str,
    error: str = WRONG,
    **more: Any,
) -> Mutant:
    """A mutant that causes one kind of finding."""
    return Mutant(name, check, breaks, install, frozenset({(argument, error)}), **more)


MUTANTS = {
    m.name: m
    for m in (
        one("add-sign", "add", "sign", formula("add", "b", lambda g: -g), "b"),
        one("sub-sign", "sub", "sign", formula("sub", "b", lambda g: g), "b"),
        one("sub-none", "sub", "no gradient at all", formula("sub", "b", NO_GRADIENT), "b", "no gradient"),
        one("neg-sign", "neg", "sign", formula("neg", "x", lambda g: g), "x"),
        one(
            "relu-side",
            "relu",
            "wrong side of the mask",
            formula("relu", "x", lambda g, y: where(y > 0, 0.0, g)),
            "x",
        ),
        one("div-term", "div", "missing division", formula("div", "b", lambda g, a, b: -g * (a / b)), "b"),
        one(
            "div-millionth",
            "div",
            "factor 1 + 1e-6",
            formula("div", "a", lambda g, b: g / b * MILLIONTH),
            "a",
        ),
        one(
            "pow-factor",
            "pow",
            "missing factor",
            formula(
                "pow_scalar", "x", lambda g, x, exponent: g * arithmetic.pow_scalar(x, exponent=exponent - 1)
            ),
            "a",
            also=frozenset({("a", "infinite")}),  # 0**-1, where the factor 0 is missing
        ),
        one(
            "pow-swapped",
            "pow",
            "swapped operands",
            formula("pow", "exponent", lambda g, a, exponent, y: g * (y * log(exponent * exponent) / 2)),
            "exponent",
            also=frozenset({("exponent", "infinite"), ("exponent", "nan")}),
        ),
        Mutant(
            "pow-nan",
            "pow",
            "division by a zero base",
            formula("pow_scalar", "x", lambda g, x, exponent, y: g * (exponent * y / x)),
            frozenset({("a", "nan")}),
        ),
        one(
            "where-side",
            "where",
            "wrong side of the mask",
            formula("where", "x", lambda g, condition: where(condition, 0.0, g)),
            "x",
        ),
        one(
            "getitem-repeats",
            "getitem",
            "repeated indices lost",
            evaluation("index_backward", last_wins),
            "x",
        ),
        one("getitem-place", "getitem", "wrong place", evaluation("select_backward", last_row), "x"),
        one(
            "matmul-millionth",
            "matmul",
            "factor 1 + 1e-6",
            formula("mm", "mat2", lambda g, a: mm(t(a), g) * MILLIONTH),
            "mat2",
            also=frozenset({("a", WRONG)}),  # a matrix times a batch is folded into the turned product
        ),
        one(
            "matmul-sign",
            "matmul",
            "sign, in one overload",
            formula("dot", "a", lambda g, tensor: -g * tensor),
            "a",
        ),
        one("det-cofactors", "linalg.det", "signs of the cofactors", formula("det", "A", unsigned), "A"),
        one(
            "solve-sign",
            "linalg.solve",
            "sign",
            formula(
                "solve",
                "A",
                Joint(
                    "A",
                    "B",
                    formula=lambda g, A, LU, pivots, y, left, needs: wrong_solve(
                        g, A, LU, pivots, y, left, needs
                    ),
                ),
            ),
            "A",
        ),
        one(
            "solve-transpose",
            "linalg.solve",
            "missing transpose",
            formula(
                "solve",
                "B",
                Joint(
                    "A",
                    "B",
                    formula=lambda g, A, LU, pivots, y, left, needs: same_system(
                        g, A, LU, pivots, y, left, needs
                    ),
                ),
            ),
            "B",
        ),
        one("reshape-order", "reshape", "order of elements", formula("view", "x", backwards), "x"),
        one(
            "transpose-order",
            "transpose",
            "wrong axis",
            formula("transpose", "x", lambda g, x_shape: shaping.view(g, shape=x_shape)),
            "x",
        ),
        one("expand-broadcast", "expand", "un-broadcast, in the walk", install_walk("sum_to", first_of), "x"),
        one(
            "cat-offset",
            "cat",
            "offset of the pieces",
            formula("cat", "tensors", lambda g, tensors_shapes, dim: no_offset(g, tensors_shapes, dim)),
            "tensors",
            also=frozenset({("", "raises IndexError"), ("", "raises ValueError")}),  # a piece of shape (0,)
        ),
        one("sum-axis", "sum", "wrong axis", formula("sum_dim", "x", last_axis), "x"),
        one(
            "mean-count",
            "mean",
            "missing division",
            formula("mean_all", "x", lambda g, x_shape: shaping.expand(g, shape=x_shape)),
            "x",
        ),
        one(
            "std-correction",
            "std",
            "wrong count",
            formula("std", "x", std_of_all),
            "x",
            also=frozenset({("x", "nan")}),  # of constants, by whose y = 0 it divides
        ),
        one(
            "logsumexp-saved",
            "logsumexp",
            "wrong saved value",
            formula(
                "logsumexp",
                "x",
                lambda g, x, y, dim: (
                    restore(g, x.shape, dim) * exp(x - reductions.mean_dim(x, dim=dim, keepdim=True))
                ),
            ),
            "x",
            also=frozenset({("x", "infinite")}),
        ),
        one("softmax-term", "softmax", "missing term", formula("softmax", "x", lambda g, y: y * g), "x"),
        one(
            "cumprod-end",
            "cumprod",
            "summed from the wrong end",
            formula("cumprod", "x", unflipped),
            "x",
            also=frozenset({("x", "nan"), ("x", "infinite")}),
        ),
        one(
            "max-side",
            "max",
            "wrong side of the mask",
            formula("max_all", "x", lambda g, x, y: where(extremes.tied(x, y), 0.0, g)),
            "x",
        ),
        one("amax-unshared", "amax", "ties not shared", formula("amax", "x", unshared), "x"),
        one("exp-saved", "exp", "wrong saved value", formula("exp", "x", lambda g, x: g * x), "x"),
        one(
            "exp-millionth",
            "exp",
            "factor 1 + 1e-6",
            formula("exp", "x", lambda g, y: g * y * MILLIONTH),
            "x",
        ),
        Mutant(
            "exp-saturates",
            "exp",
            "a finite number for what overflows, and for what nearly does",
            formula("exp", "x", saturated),
            frozenset({("x", "finite where infinite"), ("x", WRONG)}),
            tags=frozenset({"float32"}),
        ),
        one(
            "exp-unsteady",
            "exp",
            "another answer each time",
            formula("exp", "x", unsteady),
            "",
            "not repeatable",
            also=frozenset({("", "not linear")}),
        ),
        one(
            "exp-dtype",
            "exp",
            "wrong dtype of a gradient",
            install_wrong_dtype,
            "x",
            "wrong dtype",
            tags=frozenset({"float32"}),
        ),
        one("log-inverse", "log", "inverse", formula("log", "x", lambda g, x: g * x), "x"),
        one(
            "log-writes",
            "log",
            "writes into its operand",
            formula("log", "x", scribbled),
            "",
            "changes its inputs",
        ),
        one("sigmoid-term", "sigmoid", "missing term", formula("sigmoid", "x", lambda g, y: g * y), "x"),
        one(
            "sigmoid-raises",
            "sigmoid",
            "raises for some shapes",
            formula("sigmoid", "x", refusing),
            "",
            "raises ValueError",
        ),
        one(
            "tanh-second",
            "tanh",
            "second order only: the output detached",
            formula("tanh", "x", lambda g, y: g * (1 - detached(y) * detached(y))),
            "x",
            "no gradient at second order",
            tags=frozenset({"second"}),
        ),
        one(
            "mul-second",
            "mul",
            "second order only: the cotangent detached",
            formula("mul", "a", lambda g, b: detached(g) * b),
            "cotangent",
            "wrong value at second order",
            also=frozenset({("cotangent", "no gradient at second order")}),
            tags=frozenset({"second"}),
        ),
        one(
            "mul-swapped",
            "mul",
            "swapped operands",
            formula("mul", "a", lambda g, a: g * a),
            "a",
            also=frozenset({("b", WRONG)}),  # of a number times a tensor, the tensor is the engine's a
        ),
        one(
            "mul-lost-by-backward",
            "mul",
            "last contribution wins, in the short way that only backward takes",
            install_walk("plus", forgetful_sum, lane),
            "",
            "not repeatable",
            blame="walk",
        ),
        one(
            "mul-lost",
            "mul",
            "last contribution wins, in the walk",
            install_walk("total", forgetful_sum),
            "",
            WRONG,
            blame="walk",
            tags=frozenset({"walk"}),
        ),
        one(
            "add-broadcast",
            "add",
            "un-broadcast, in the walk",
            install_walk("sum_to", first_of),
            "b",
            also=frozenset({("a", WRONG)}),
        ),
        one(
            "reciprocal-sign", "reciprocal", "sign", formula("reciprocal", "x", lambda g, y: g * (y * y)), "x"
        ),
    )
}


def install(*names: str) -> None:
    """Break the engine of this process, once for each name."""
    for name in names:
        MUTANTS[name].install()


def subject_text(*names: str) -> str:
    """The text of a subject file: the engine with these mutants in it."""
    return f"""
import importlib.util
import sys

spec = importlib.util.spec_from_file_location("mutants", {str(Path(__file__).resolve())!r})
mutants = importlib.util.module_from_spec(spec)
sys.modules["mutants"] = mutants
spec.loader.exec_module(mutants)
mutants.install(*{list(names)!r})

from oracles.subjects.torchlike import TorchLike

subject = TorchLike("mutant", "refgrad")
"""
