"""How long forward and backward take: refgrad beside PyTorch, HIPS autograd, mygrad and NumPy written by hand.

    python -m benchmarks.engine [--rounds 30] [--only small]

Every library runs the same function on the same float64 numbers, in one process and on one thread. A round times each
of them once, in an order that changes, and the ratios are medians over the rounds of what was timed side by side.
Answers are compared before anything is timed. A library that is not installed is left out and named.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

Arrays = Sequence[np.ndarray]
Step = Callable[[], Any]
AIMS = {"small": ("torch", 0.6), "large": ("numpy", 1.15), "matmul": ("numpy", 1.15)}


@dataclass(frozen=True)
class Work:
    """A function of arrays to one number, in the words that all the libraries share, and its gradient by hand."""

    title: str
    per: int
    unit: str
    arrays: Arrays
    function: Callable[..., Any]
    by_hand: Callable[..., Arrays]


def small(xp: Any, x: Any, w: Any, b: Any) -> Any:
    """A hundred elementwise ops."""
    for _ in range(25):
        x = xp.tanh(xp.sin(x * w + b))
    return xp.sum(x)


def small_by_hand(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Arrays:
    saved = []
    for _ in range(25):
        before = x
        inner = x * w + b
        x = np.tanh(np.sin(inner))
        saved.append((before, inner, x))
    x.sum()
    g = np.ones(x.shape)
    gw = gb = None
    for before, inner, y in reversed(saved):
        g = g * (1 - y * y)
        g = g * np.cos(inner)
        gb = g if gb is None else gb + g
        gw = g * before if gw is None else gw + g * before
        g = g * w
    return g, gw, gb


def large(xp: Any, x: Any, w: Any, b: Any) -> Any:
    """Ten elementwise ops."""
    y = xp.sin(x * w + b)
    y = xp.tanh(y * w - b)
    y = xp.exp(y * x + w)
    return xp.sum(y * b)


def large_by_hand(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Arrays:
    inner = x * w + b
    s = np.sin(inner)
    t = np.tanh(s * w - b)
    e = np.exp(t * x + w)
    np.sum(e * b)
    gb = e
    g = b * e
    gx = g * t
    gw = g
    g = g * x
    g = g * (1 - t * t)
    gb = gb - g
    gw = gw + g * s
    g = g * w * np.cos(inner)
    return gx + g * w, gw + g * x, gb + g


def mlp(xp: Any, x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    """Two layers and a mean square."""
    z = xp.matmul(xp.tanh(xp.matmul(x, w1) + b1), w2) + b2
    return xp.sum(z * z) * (1 / 320)


def mlp_by_hand(x: np.ndarray, w1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: np.ndarray) -> Arrays:
    h = np.tanh(x @ w1 + b1)
    z = h @ w2 + b2
    np.sum(z * z)
    g = z * (2 / 320)
    gw2, gb2 = h.T @ g, g.sum(0)
    g = (g @ w2.T) * (1 - h * h)
    return g @ w1.T, x.T @ g, g.sum(0), gw2, gb2


def matmul(xp: Any, x: Any, *ws: Any) -> Any:
    """A chain of matrix products."""
    for w in ws:
        x = xp.matmul(x, w)
    return xp.sum(x)


def matmul_by_hand(x: np.ndarray, *ws: np.ndarray) -> Arrays:
    xs = [x]
    for w in ws:
        xs.append(xs[-1] @ w)
    xs[-1].sum()
    g, gws = np.ones(xs[-1].shape), []
    for before, w in zip(reversed(xs[:-1]), reversed(ws), strict=True):
        gws.append(before.T @ g)
        g = g @ w.T
    return g, *reversed(gws)


def works() -> dict[str, Work]:
    """The four pieces of work, with their numbers."""
    draw = np.random.default_rng(1)

    def arrays(*shapes: tuple[int, ...]) -> Arrays:
        return [
            draw.uniform(-1, 1, shape) / max(1, shape[0] if len(shape) > 1 else 1) ** 0.5 for shape in shapes
        ]

    mega = (1_000_000,)
    return {
        "small": Work(
            "100 elementwise ops, shape (8,)", 100, "us an op", arrays((8,), (8,), (8,)), small, small_by_hand
        ),
        "mlp": Work(
            "MLP 64-128-10, batch 32",
            1,
            "us",
            arrays((32, 64), (64, 128), (128,), (128, 10), (10,)),
            mlp,
            mlp_by_hand,
        ),
        "large": Work(
            "10 elementwise ops, 1e6 elements", 1, "us", arrays(mega, mega, mega), large, large_by_hand
        ),
        "matmul": Work("4 matmuls, 512 x 512", 1, "us", arrays(*[(512, 512)] * 5), matmul, matmul_by_hand),
    }


def by_numpy(work: Work) -> Step:
    return lambda: work.by_hand(*work.arrays)


def by_tape(namespace: Any, leaf: Callable[[np.ndarray], Any]) -> Callable[[Work], Step]:
    """A library with leaves and `backward`."""

    def prepare(work: Work) -> Step:
        leaves = [leaf(a) for a in work.arrays]

        def step() -> list[Any]:
            for x in leaves:
                x.grad = None
            work.function(namespace, *leaves).backward()
            return [x.grad for x in leaves]

        return step

    return prepare


def by_mygrad(mygrad: Any) -> Callable[[Work], Step]:
    """mygrad clears a leaf's gradient when the leaf is used again, and lets nobody set it."""

    def prepare(work: Work) -> Step:
        leaves = [mygrad.tensor(a) for a in work.arrays]

        def step() -> list[Any]:
            work.function(mygrad, *leaves).backward()
            return [x.grad for x in leaves]

        return step

    return prepare


def by_autograd(autograd: Any, namespace: Any) -> Callable[[Work], Step]:
    def prepare(work: Work) -> Step:
        gradient = autograd.grad(
            lambda *xs: work.function(namespace, *xs), argnum=tuple(range(len(work.arrays)))
        )
        return lambda: gradient(*work.arrays)

    return prepare


def peers() -> tuple[dict[str, Callable[[Work], Step]], list[str]]:
    """How each library that is installed takes a step, and the names of those that are not."""
    import refgrad

    found: dict[str, Callable[[Work], Step]] = {
        "refgrad": by_tape(refgrad, lambda a: refgrad.tensor(a, dtype=refgrad.float64, requires_grad=True))
    }
    missing = []
    for name in ("torch", "autograd", "mygrad"):
        try:
            library = import_module(name)
        except ImportError:
            missing.append(name)
            continue
        if name == "torch":
            library.set_num_threads(1)
            found[name] = by_tape(library, lambda a, torch=library: torch.tensor(a, requires_grad=True))
        elif name == "mygrad":
            found[name] = by_mygrad(library)
        else:
            found[name] = by_autograd(library, import_module("autograd.numpy"))
    return {**found, "numpy": by_numpy}, missing


def agree(steps: dict[str, Step]) -> None:
    """Raise ValueError unless all of them have the same gradients: what is wrong need not be timed."""
    expected = steps["numpy"]()
    for name, step in steps.items():
        for mine, theirs in zip(expected, step(), strict=True):
            if not np.allclose(mine, np.asarray(theirs), rtol=1e-7, atol=1e-9):
                raise ValueError(f"{name} has another gradient than the one by hand: it must not be timed")


def timed(steps: dict[str, Step], rounds: int, seconds: float = 0.004) -> dict[str, list[float]]:
    """Seconds a step, by library and round; a round goes once through all, starting with another each time."""
    repeats = {}
    for name, step in steps.items():
        began = perf_counter()
        step()
        repeats[name] = max(1, int(seconds / (perf_counter() - began)))
    taken: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            step, count = steps[name], repeats[name]
            began = perf_counter()
            for _ in range(count):
                step()
            taken[name].append((perf_counter() - began) / count)
    return taken


def ratio(mine: list[float], theirs: list[float]) -> float:
    return median(a / b for a, b in zip(mine, theirs, strict=True))


def main() -> None:
    """Time, and print a table for each piece of work."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", choices=["small", "mlp", "large", "matmul"], action="append")
    asked = parser.parse_args()
    libraries, missing = peers()
    versions = [f"{name} {version(name)}" for name in libraries]
    print(", ".join(versions) + (f"; not installed: {', '.join(missing)}" if missing else ""))
    for key, work in works().items():
        if asked.only and key not in asked.only:
            continue
        steps = {name: prepare(work) for name, prepare in libraries.items()}
        agree(steps)
        taken = timed(steps, asked.rounds)
        print(f"\n{work.title} ({work.unit}, forward and backward)")
        print(f"{'':10}{'median':>12}{'/ torch':>10}{'/ numpy':>10}")
        for name, times in taken.items():
            beside = [
                ratio(times, taken[peer]) if peer in taken else float("nan") for peer in ("torch", "numpy")
            ]
            print(f"{name:10}{median(times) / work.per * 1e6:12.2f}{beside[0]:10.2f}{beside[1]:10.2f}")
        peer, aim = AIMS.get(key, ("", 0.0))
        if peer in taken:
            got = ratio(taken["refgrad"], taken[peer])
            print(f"aim: at most {aim} of {peer}; {'reached' if got <= aim else 'missed'} with {got:.2f}")


if __name__ == "__main__":
    main()
