"""One function of anybody's, judged against a plain definition of it, at the dtype of its inputs.

    from oracles import check_gradient

    check_gradient(my_gelu, lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)), x)

The definition is traced to a program; the exact oracle and the derived budget judge every element of the value and of
the gradients, at the given inputs and around them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from oracles.around import KINDS, TAME, NDArray, Point, Shrinking, neighbours
from oracles.checked import CannotTell, Checked, GradientMismatch, evidence
from oracles.judge import Judgement
from oracles.numpy_names import Untraceable
from oracles.program import Case
from oracles.question import Question, Reference
from oracles.tracing import trace

__all__ = ["CannotTell", "Checked", "GradientMismatch", "check_gradient"]

SEARCHING = 20.0
"""Seconds after which the search begins no further example."""


def check_gradient(
    function: Callable[..., Any],
    reference: Reference,
    *inputs: Any,
    order: Literal[1, 2] = 1,
    examples: int = 20,
    cotangents: int = 3,
    cotangent: Any = None,
    seed: int = 0,
    vjp: Callable[..., Any] | None = None,
    raises: bool = True,
) -> Checked:
    """Judge the value and the gradients of a function.

    Args:
        function: takes the inputs, returns a tensor or a tuple of them.
        reference: the same function, written with PyTorch's or NumPy's functions, or a tuple of several forms of it, of
            which each array may follow any; None leaves differences and laws.
        inputs: tensors of PyTorch or of refgrad, of which those that require grad are differentiated and the others are
            constants; or NumPy arrays, of which all floating ones are, by HIPS autograd or by `vjp`.
        order: 2 also judges the gradient of the gradient.
        examples: how many other inputs of the same shapes to try around the given ones.
        cotangents: how many cotangents are drawn for the given inputs.
        cotangent: the one to use for them instead, an array or tensor, or a tuple with one for each output.
        seed: of everything that is drawn.
        vjp: for any other library: `vjp(function, inputs, cotangents)`, on arrays, gives (outputs, gradients).
        raises: False returns the result whatever it is.

    Raises:
        GradientMismatch: something is wrong; the message has the smallest case that shows it.
        CannotTell: what was given could not be judged; the message says why.
        TypeError, ValueError: the call itself makes no sense.
    """
    asked = Question(function, reference, inputs, vjp)
    result = Checked(asked.name, asked.dtype, asked.judges, reference is not None)
    given = None if cotangent is None else asked.arrays_of(cotangent)
    orders: tuple[Literal[1, 2], ...] = (1, 2) if order == 2 else (1,)
    try:
        with np.errstate(all="ignore"):
            Examination(asked, result, orders, seed).run(given, 1 if given else cotangents, examples)
    except Untraceable as error:
        result.reason = str(error)
    if raises:
        result.raise_if_wrong()
    return result


class Examination:
    """Judging a question: at the given inputs, around them, and at ever smaller ones once something is wrong."""

    def __init__(self, asked: Question, result: Checked, orders: Sequence[Literal[1, 2]], seed: int) -> None:
        self.asked, self.result, self.orders = asked, result, orders
        self.rng = np.random.default_rng(seed)

    def run(self, cotangent: tuple[NDArray, ...] | None, count: int, examples: int) -> None:
        """Fill in the result.

        Raises:
            Untraceable: the reference says nothing at the given inputs.
        """
        base = Point(self.asked.arrays, cotangent)
        for order in self.orders:
            for _ in range(count):
                point = replace(base, order=order, seed=int(self.rng.integers(2**31)))
                case = self.asked.case(point)
                judgement = self.asked.judge(case, point)
                self.result.note(judgement, given=True)
                if judgement.fault:
                    return self._accuse(
                        point, judgement, "shown at the given inputs, and made as small as it gets"
                    )
        found = self._search(base, examples)
        if found is not None:
            return self._accuse(
                *found, "not shown by the given inputs: found around them, and made as small as it gets"
            )
        vague = [name for name, told in self.result.told.items() if not told]
        if self.result.given_judged < self.result.given:
            (reason, _), *_ = self.result.unjudged.most_common(1)
            left = self.result.given - self.result.given_judged
            self.result.reason = (
                f"{left} of {self.result.given} cases at the given inputs not judged: {reason}"
            )
        elif vague:
            self.result.reason = (
                f"{' and '.join(vague)}: the budget is as large as the truth, so agreement means nothing"
            )
        else:
            self.result.outcome = "agrees"
        return None

    def _search(self, base: Point, examples: int) -> tuple[Point, Judgement] | None:
        """Other inputs of the same shapes; the first that shows a fault."""
        end = time.monotonic() + SEARCHING
        kinds = KINDS if self.asked.references else TAME
        for number in range(examples):
            if time.monotonic() > end:
                return None
            kind, order = kinds[number % len(kinds)], self.orders[number % len(self.orders)]
            point, case = self._allowed(replace(base, order=order, cotangents=None), kind)
            if case is None:
                continue
            judgement = self.asked.judge(case, point)
            if judgement.fault.startswith(
                "forward raises"
            ):  # a function may well insist on values and layouts
                self.result.refused += 1
                continue
            self.result.note(judgement, given=False)
            if judgement.fault:
                return point, judgement
        return None

    def _allowed(self, base: Point, kind: str) -> tuple[Point, Case | None]:
        """The boldest neighbour at which the reference has finite values."""
        point = base
        for point in neighbours(base, kind, self.asked.library.layouts, self.rng):
            try:
                case = self.asked.case(point)
            except Untraceable:
                continue
            if not self.asked.references or self._finite(case):
                return point, case
        return point, None

    def _finite(self, case: Case) -> bool:
        """Whether the reference has a finite value at a point, which its domain is read from."""
        arrays = [a.numpy() for a in case.inputs[: len(self.asked.specs)]]
        specs = case.program.inputs[: len(arrays)]
        outputs = trace(self.asked.references[-1], specs, arrays, self.asked.dtype).outputs
        return all(bool(np.all(np.isfinite(o.astype(np.float64)))) for o in outputs)

    def _accuse(self, point: Point, judgement: Judgement, found: str) -> None:
        """Shrink what shows a fault, and say so."""

        def judge(smaller: Point) -> Judgement | None:
            try:
                return self.asked.judge(self.asked.case(smaller), smaller)
            except Untraceable:
                return None

        cotangents = tuple(c.numpy() for c in judgement.case.cotangents)
        seconds = tuple(s.numpy() for s in judgement.case.seconds) or None
        best = Shrinking(judgement, judge).shrink(replace(point, cotangents=cotangents, seconds=seconds))
        shown = evidence(best, self.asked.library.spelled, len(self.asked.specs), found)
        self.result.outcome, self.result.reason, self.result.evidence = "differs", shown.what, shown
