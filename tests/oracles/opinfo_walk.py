"""The walk over PyTorch's samples: each judged by the exact oracle, with PyTorch as a second witness."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import torch

from oracles.answers import Answer, Unsupported, expected_forms
from oracles.judge import Bench, Judgement, judge_by_peer
from oracles.program import Case
from oracles.subjects import laws
from oracles.subjects.protocol import Lacking
from oracles.subjects.refgrad import subject as engine
from oracles.subjects.torch import subject as pytorch
from oracles.truth import Unknown

from .answering import Answering
from .opinfo import Call, Entry, Sampled
from .opinfo_cases import as_case


@dataclass
class Walked:
    """What one OpInfo's samples came to.

    `elements` are those compared with an enclosure; `first` and `second` count the samples judged at that order, and
    `empty` those without an element. `refused` are reasons, `accused` whole sentences.
    """

    id: str
    samples: int = 0
    elements: int = 0
    worst: float = 0.0
    first: int = 0
    second: int = 0
    empty: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    accused: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ends = [f"{self.samples} samples", f"{self.second} to second order", f"{self.first} to first"]
        ends += [f"{self.empty} empty", f"{self.elements:,} elements", f"worst {self.worst:.2f} budgets"]
        ends += [f"{n} refused: {reason}" for reason, n in self.refused.items()]
        return f"{self.id}: {', '.join(ends)}"


def walk(entry: Entry) -> Walked:
    """Judge every sample of an OpInfo."""
    seen = Walked(entry.id)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # samples leave domains, and PyTorch says so of calls it deprecates
        for call in entry.samples():
            seen.samples += 1
            try:
                reason = judged(call, seen)
            except Exception as error:
                seen.accused.append(f"{call}: raises {type(error).__name__}: {error}")
                continue
            seen.refused.update([reason] if reason else [])
    return seen


def judged(call: Call, seen: Walked) -> str:
    """Judge one sample, to second order where that exists, and add it to what was seen; why not, if it cannot be."""
    outputs = call(torch, call.tensors)
    for order in (2, 1):
        case = as_case(call, outputs, order, np.random.default_rng(0))
        judgement = ask(call, case)
        if isinstance(judgement.answer, Unsupported):
            return judgement.answer.reason
        if not isinstance(judgement.truth, Unknown):
            break
    assert isinstance(judgement.answer, Answer)
    exact, law = judgement.verdicts
    peer = judge_by_peer(judgement.answer, Sampled(pytorch, call).vjp(case), judgement.truth, case)
    for verdict in (exact, law, peer):
        if verdict.outcome not in ("agrees", "cannot tell", "uninformative"):
            far = (
                f" ({float(verdict.ratio):.3g} of both budgets)" if verdict is peer and verdict.ratio else ""
            )
            said = f"{verdict.oracle}, order {case.order}: {verdict.outcome}, {verdict.reason}{far}"
            seen.accused.append(f"{call}: {said}")
    seen.accused += [f"{call}: {text}" for text in beside(call, case, judgement.answer, outputs)]
    if isinstance(judgement.truth, Unknown):
        return judgement.truth.reason
    return counted(seen, case, judgement)


def ask(call: Call, case: Case) -> Judgement:
    """What the engine answers to the very call, and what the exact oracle and the laws say of that."""

    def answer(case: Case) -> Any:
        try:
            return laws.judge(Sampled(engine, call), case, True)
        except Lacking as error:
            return Unsupported(error.reason, error.op)

    return Bench(Answering(answer), None).judge(case, witnesses=False)  # type: ignore[arg-type]


def beside(call: Call, case: Case, answer: Answer, outputs: list[Any]) -> list[str]:
    """What enclosures do not see: whole-number outputs, and first gradients where nothing more was recorded."""
    said = []
    made = call(engine.module, [engine.module.from_numpy(t.detach().numpy()) for t in call.tensors])
    if len(made) != len(outputs):
        return [f"{len(made)} outputs, where PyTorch has {len(outputs)}"]
    for k, (mine, its) in enumerate(zip(made, outputs, strict=True)):
        if not its.is_floating_point() and not np.array_equal(mine.numpy(), its.numpy()):
            said.append(f"output {k} is not PyTorch's")
    if case.order == 2:
        raw = Sampled(engine, call).vjp(msgspec.structs.replace(case, order=1, seconds=()))
        if (raw.outputs, raw.gradients) != (answer.outputs, answer.gradients):
            said.append("the first gradient has other bits where a second is recorded")
    return said


def counted(seen: Walked, case: Case, judgement: Judgement) -> str:
    """Add a judged sample to the counts; every element of its answer must have been compared."""
    asked = sum(int(np.prod(shape)) for shape, _ in expected_forms(case).values())
    if not asked:
        seen.empty += 1
        return ""
    exact = judgement.verdicts[0]
    if exact.outcome == "uninformative":
        return exact.reason
    if judgement.elements != asked:
        seen.accused.append(f"{case.id}: {judgement.elements} elements compared of {asked}")
    seen.elements += judgement.elements
    seen.worst = max([seen.worst, *(r for c in judgement.compared.values() for r in c.ratios)])
    seen.first += case.order == 1
    seen.second += case.order == 2
    return ""
