"""What judging one function came to, for people to read: in a terminal, a notebook, or a test's failure."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from oracles.answers import Answer, Errored
from oracles.comparison import Compared
from oracles.judge import Judgement
from oracles.spelling import spell_array
from oracles.truth import Enclosed

NEAR = 50.0
"""An error of no more budgets than this may well be another way to round, and the reader is told where to look."""
SHOWN = 6
"""So many elements of a wrong array are shown."""
OURS = str(Path(__file__).parent)
"""Lines of a traceback that are in here are no news."""
WIDEST = 160
"""Longer lines of code are cut."""


class GradientMismatch(AssertionError):
    """A function's value or gradient is wrong; `result` is the whole `Checked`."""

    def __init__(self, result: Checked) -> None:
        super().__init__(str(result))
        self.result = result


class CannotTell(AssertionError):
    """A function could not be judged at the inputs that were given; `result` is the whole `Checked`."""

    def __init__(self, result: Checked) -> None:
        super().__init__(str(result))
        self.result = result


@dataclass(frozen=True)
class Worst:
    """The element that was furthest off among all that were judged, in budgets."""

    ratio: float
    ulps: float
    argument: str
    element: tuple[int, ...]
    at: str

    def __str__(self) -> str:
        where = f"[{', '.join(map(str, self.element))}]" if self.element else ""
        return f"{self.ratio:.2g} budgets ({self.ulps:.2g} ulps), {self.argument}{where}{self.at}"


@dataclass(frozen=True)
class Evidence:
    """The smallest case that shows a fault: what was given, as code, and what is wrong with what came back."""

    what: str
    code: tuple[str, ...]
    elements: tuple[str, ...]
    where: str


@dataclass
class Checked:
    """What is known of a function after judging it.

    `outcome` is "agrees", "differs" or "cannot tell" and `reason` says why it is not the first. `given` and `searched`
    count the cases at the inputs that were given and at others, of which `given_judged` and `searched_judged` were
    compared with the truth, `elements` of them in all. `refused` counts other inputs that the function did not accept.
    `told` says of each array whether any budget was small enough to say something.
    """

    name: str
    dtype: str
    judges: str
    exact: bool = True
    outcome: Literal["agrees", "differs", "cannot tell"] = "cannot tell"
    reason: str = ""
    given: int = 0
    given_judged: int = 0
    searched: int = 0
    searched_judged: int = 0
    refused: int = 0
    elements: int = 0
    conventions: int = 0
    answered: int = 0
    worst: Worst | None = None
    evidence: Evidence | None = None
    unjudged: Counter[str] = field(default_factory=Counter)
    told: dict[str, bool] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether everything at the inputs that were given was judged, and nothing anywhere was wrong."""
        return self.outcome == "agrees"

    def raise_if_wrong(self) -> None:
        """Raise what a test should fail with, unless the function agrees.

        Raises:
            GradientMismatch: something is wrong.
            CannotTell: what was given could not be judged.
        """
        if self.outcome == "differs":
            raise GradientMismatch(self)
        if self.outcome == "cannot tell":
            raise CannotTell(self)

    def note(self, judgement: Judgement, given: bool) -> None:
        """Count one judged case."""
        judged = judgement.judged or any(
            v.outcome in ("agrees", "differs") for v in judgement.verdicts if v.oracle == "differences"
        )
        if given:
            self.given, self.given_judged = self.given + 1, self.given_judged + judged
        else:
            self.searched, self.searched_judged = self.searched + 1, self.searched_judged + judged
        self.answered += isinstance(judgement.answer, Answer)
        first = judgement.verdicts[0]
        self.conventions += first.outcome == "convention"
        if not judged and not judgement.fault:
            self.unjudged[
                next((v.reason for v in judgement.verdicts if v.oracle != "laws" and v.reason), first.outcome)
            ] += 1
        self.elements += judgement.elements if judgement.judged else 0
        if judgement.judged:
            for name, compared in judgement.compared.items():
                self.told[name] = self.told.get(name, False) or not compared.uninformative
                self._furthest(judgement, compared)

    def _furthest(self, judgement: Judgement, compared: Compared) -> None:
        if not compared.ratios or (self.worst and compared.ratios[compared.worst] <= self.worst.ratio):
            return
        k = compared.worst
        if compared.elsewhere and compared.ratios[k] > 1:
            return  # on another side of a kink: its distance from the contract's choice is no error
        assert isinstance(judgement.truth, Enclosed)
        element = unravelled(k, judgement.truth.arrays[compared.argument].shape)
        at = ""
        for spec, array in zip(judgement.case.program.inputs, judgement.case.inputs, strict=True):
            if compared.argument.endswith(f"of {spec.name}") and array.shape:
                at = f" at {spec.name} = {spell_array(array.numpy()[element])}"
        self.worst = Worst(compared.ratios[k], compared.ulps[k], compared.argument, element, at)

    def lines(self) -> Iterator[str]:
        """The result for people, a line at a time."""
        said = {"agrees": "agrees", "differs": "is wrong", "cannot tell": "cannot be told"}[self.outcome]
        yield f"{self.name} {said} at {self.dtype}" + (f": {self.reason}" if self.reason else "")
        if self.evidence is not None:
            yield from (f"    {line}" for line in self.evidence.code)
            yield from (f"  {line}" for line in self.evidence.elements)
            yield f"  {self.evidence.where}"
        found = f"; {self.refused} other inputs refused by the function" if self.refused else ""
        compared = f"{self.elements} elements compared" if self.exact else "one direction in each"
        yield (
            f"  judged: {self.given_judged} of {self.given} cases at the given inputs, "
            f"{self.searched_judged} of {self.searched} around them; {compared}{found}"
        )
        yield f"  by: {self.judges}"
        if self.worst is not None and self.outcome != "differs":
            yield f"  worst: {self.worst}"
        if self.answered and self.outcome != "differs":
            yield "  laws hold: the same answer twice, linear in the cotangent, shapes and dtypes, inputs unchanged"
        if self.conventions:
            yield f"  at {self.conventions} kinks: another slope than PyTorch's, which is a convention"
        for reason, count in self.unjudged.most_common(3):
            yield f"  not judged ({count}): {reason}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        colour = {"agrees": "#1a7f37", "differs": "#cf222e", "cannot tell": "#9a6700"}[self.outcome]
        first, *rest = self.lines()
        body = html.escape("\n".join(rest))
        return (
            f'<div><strong style="color:{colour}">{html.escape(first)}</strong>'
            f'<pre style="margin:0.3em 0">{body}</pre></div>'
        )


def evidence(judgement: Judgement, spelled: Any, count: int, found: str) -> Evidence:
    """What a faulty judgement shows: `spelled` writes an input as code, `count` inputs are the function's own."""
    case = judgement.case
    pairs = list(zip(case.program.inputs, case.inputs, strict=True))[:count]
    code = [f"{spec.name} = {spelled(spec, array.numpy())}" for spec, array in pairs]
    code += [
        f"{spec.name} is handed over {spec.layout} in memory"
        for spec, _ in pairs
        if spec.layout != "contiguous"
    ]
    several = len(case.cotangents) > 1
    code += [
        f"cotangent{f' {k}' if several else ''} = {spell_array(c.numpy())}"
        for k, c in enumerate(case.cotangents)
    ]
    leaves = [spec.name for spec in case.program.inputs if spec.requires_grad]
    code += [f"weight of {n} = {spell_array(w.numpy())}" for n, w in zip(leaves, case.seconds, strict=False)]
    return Evidence(claim(judgement), tuple(shortened(c) for c in code), tuple(_elements(judgement)), found)


def claim(judgement: Judgement) -> str:
    """What is wrong, as a sentence."""
    argument, fault, message = judgement.argument, judgement.fault, judgement.message
    if fault.startswith("forward raises"):
        return f"it raises {fault.removeprefix('forward raises ')} in forward: {message}"
    if fault.startswith("raises"):
        return f"its backward raises {fault.removeprefix('raises ')}: {message}"
    if fault == "wrong answer":
        return message
    if argument.startswith("output") and fault in ("wrong value", "nan", "infinite", "finite where infinite"):
        return (
            f"its value is not the reference's ({argument}: {fault}). Perhaps the reference is not the same function; "
            "nothing is said of gradients"
        )
    if fault == "no gradient":
        return f"the {argument} is None, and it is not zero"
    ratio = judgement.compared[argument].ratios if argument in judgement.compared else []
    far = f", {max(ratio):.2g} budgets off" if ratio and fault == "wrong value" else ""
    return (
        f"the {argument} is wrong: {fault}{far}"
        if argument in judgement.compared and far
        else f"{fault}: {message}"
    )


def _elements(judgement: Judgement) -> Iterator[str]:
    """The elements of the wrong array, those furthest off first."""
    if isinstance(judgement.answer, Errored) and judgement.answer.traceback:
        lines = [
            li.strip() for li in judgement.answer.traceback.splitlines() if li.strip().startswith("File ")
        ]
        yield from lines[-1:]
    compared = judgement.compared.get(judgement.argument)
    if (
        compared is None
        or not isinstance(judgement.truth, Enclosed)
        or not isinstance(judgement.answer, Answer)
    ):
        return
    enclosure = judgement.truth.arrays[judgement.argument]
    array = judgement.answer.labelled(judgement.case)[judgement.argument]
    got = None if array is None else array.numpy().reshape(-1)
    order = sorted(range(len(compared.ratios)), key=lambda i: -np.nan_to_num(compared.ratios[i], nan=np.inf))
    outside = [i for i in order if not compared.ratios[i] <= 1]
    for i in outside[:SHOWN]:
        element = unravelled(i, enclosure.shape)
        value = "None" if got is None else spell_array(got[i])
        yield (
            f"{judgement.argument}{list(element) if element else ''}: expected "
            f"{enclosure.truth[i].mid().str(17, radius=False)}, got {value}; budget {enclosure.budget[i]:.2g} "
            f"({compared.ratios[i]:.3g} budgets, {compared.ulps[i]:.3g} ulps)"
        )
    if compared.fault == "wrong value" and max(compared.ratios) <= NEAR:
        yield (
            "so small an error may be the rounding of another form than the reference's: if that form is meant, "
            "give it too, in a tuple of references"
        )
    if len(outside) > SHOWN:
        yield f"and {len(outside) - SHOWN} more elements of {len(order)}"


def unravelled(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """An element's index from its place in row-major order."""
    return tuple(int(i) for i in np.unravel_index(place, shape))


def shortened(line: str) -> str:
    """The line, cut where nobody would read on."""
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 4]} ..."
