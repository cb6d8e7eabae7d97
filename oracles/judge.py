"""One case, one answer, every oracle's verdict: never merged, each with its reason and numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from oracles.answers import Answer, Died, Errored, Failed, Hung, Unsupported, expected_forms
from oracles.comparison import Compared, compare
from oracles.differences import judge_by_differences
from oracles.program import Case
from oracles.records import Verdict
from oracles.remote import Remote
from oracles.ties import overdrawn
from oracles.truth import Enclosed, Unknown, enclose, in_any_order

PATIENCE = 3
"""So many hung or deadly cases of an op show what there is to see; the rest of its cases are left out."""


@dataclass(frozen=True)
class Judgement:
    """All that is known of one case.

    `fault` is the class of the worst fault and `argument` the array that shows it, both empty when nothing accuses.
    """

    case: Case
    answer: Answer | Failed
    truth: Enclosed | Unknown
    verdicts: tuple[Verdict, ...]
    fault: str = ""
    argument: str = ""
    message: str = ""
    compared: dict[str, Compared] = field(default_factory=dict)
    peer: Answer | None = None

    @property
    def judged(self) -> bool:
        """Whether the exact oracle compared the answer with an enclosure."""
        return any(
            v.oracle == "exact" and v.outcome in ("agrees", "differs", "convention") for v in self.verdicts
        )

    @property
    def elements(self) -> int:
        """How many elements the exact oracle compared."""
        return sum(len(c.ratios) for c in self.compared.values())


class Bench:
    """The subject and, unless it is the subject, PyTorch beside it; `judge` takes a case to both and to the truth.

    `lost` counts, for each op alone, the cases that hung or killed the subject: each costs a time-out or a restart.
    """

    def __init__(self, subject: Remote, pytorch: Remote | None) -> None:
        self.subject = subject
        self.pytorch = pytorch
        self.lost: Counter[str] = Counter()

    def given_up(self, case: Case) -> str:
        """An op of the case that has cost too much already, if there is one."""
        return next((s.op for s in case.program.steps if self.lost[s.op] >= PATIENCE), "")

    def judge(
        self, case: Case, witnesses: bool = True, truth: Callable[[Case], Enclosed | Unknown] = enclose
    ) -> Judgement:
        """Every oracle's verdict on a case; without `witnesses`, only those that can accuse: exact and the laws."""
        answer = self.subject.judge(case)
        if isinstance(answer, Hung | Died) and len(case.program.steps) == 1:
            self.lost[case.program.steps[0].op] += 1
        if isinstance(answer, Unsupported):
            return _unsupported(case, answer, witnesses)
        enclosed = truth(case)
        if isinstance(answer, Errored | Died | Hung):
            peer = self._peer(case) if witnesses else None
            return _errored(case, answer, enclosed, peer, self._forward_too(case, answer))
        laws, law_fault, argument, shapes_right = judge_by_laws(case, answer)
        compared = _compare_all(case, answer, enclosed) if shapes_right else {}
        if any(c.fault in ("nan", "infinite") for c in compared.values()):
            assert isinstance(enclosed, Enclosed)
            enclosed = in_any_order(case, enclosed, answer)
            compared = _compare_all(case, answer, enclosed)
        exact = judge_exactly(enclosed, compared, shapes_right)
        fault, message = law_fault, laws.reason if law_fault else ""
        if exact.outcome == "differs":
            worst = worst_fault(compared)
            fault, argument, message = worst.fault, worst.argument, exact.reason
        verdicts = [exact, laws]
        peer = None
        if witnesses:
            peer = self._peer(case)
            if self.pytorch is not None:
                verdicts.insert(1, judge_by_peer(answer, peer, enclosed, case))
            verdicts.insert(-1, judge_by_differences(case, answer, self.subject))
        return Judgement(case, answer, enclosed, tuple(verdicts), fault, argument, message, compared, peer)

    def _forward_too(self, case: Case, answer: Errored | Died | Hung) -> bool:
        """Whether the subject cannot even run the program forward."""
        if not isinstance(answer, Errored):
            return False
        return not isinstance(
            self.subject.values(case.program, case.dtype, [[a.numpy() for a in case.inputs]]), list
        )

    def _peer(self, case: Case) -> Answer | None:
        if self.pytorch is None:
            return None
        answer = self.pytorch.judge(case, laws=False)
        return answer if isinstance(answer, Answer) else None


def _unsupported(case: Case, answer: Unsupported, witnesses: bool) -> Judgement:
    names = ("exact", "pytorch", "differences", "laws") if witnesses else ("exact", "laws")
    verdicts = tuple(Verdict(n, "unsupported", answer.reason) for n in names)
    return Judgement(case, answer, Unknown(answer.reason, True), verdicts)


def _errored(
    case: Case, answer: Errored | Died | Hung, truth: Enclosed | Unknown, peer: Answer | None, forward: bool
) -> Judgement:
    """A subject that raises where the mathematics has an answer is at fault; elsewhere it may."""
    match answer:
        case Errored(type="wrong answer", message=message):
            fault = "wrong answer"
        case Errored(type=kind, message=message):
            where = "forward raises" if forward else "raises"
            fault, message = f"{where} {kind}", message.splitlines()[0] if message else kind
        case Died(how=how):
            fault, message = "died", f"the subject's process ended with {how}"
        case Hung(seconds=seconds):
            fault, message = "hung", f"no answer after {seconds:g} s"
    verdicts = (Verdict("exact", "errored", message), Verdict("laws", "errored", message))
    accused = isinstance(truth, Enclosed) and truth.everywhere
    return Judgement(
        case, answer, truth, verdicts, fault if accused else "", "", message if accused else "", peer=peer
    )


def judge_by_laws(case: Case, answer: Answer) -> tuple[Verdict, str, str, bool]:
    """What needs no truth: shapes and dtypes, the same answer twice, linear in the cotangent, nothing written into.

    Returns:
        The verdict, the class of the fault, the argument that shows it, and whether all shapes are right.
    """
    fault, argument, said, shapes_right = "", "", "", True
    forms = expected_forms(case)
    for name, array in answer.labelled(case).items():
        if array is None:
            continue
        shape, dtype = forms[name]
        if array.shape != shape:
            return (
                Verdict("laws", "differs", f"{name} has shape {array.shape}, not {shape}"),
                "wrong shape",
                name,
                False,
            )
        if array.dtype != dtype and not fault:
            fault, argument, said = "wrong dtype", name, f"{name} is {array.dtype}, not {dtype}"
    if not fault and answer.changed:
        fault, argument, said = "changes its inputs", "", f"it wrote into {', '.join(answer.changed)}"
    if not fault and answer.repeated is False:
        fault, said = "not repeatable", "asked again, by backward where there is one, it gave another answer"
    if not fault and answer.scaled is False:
        fault, said = "not linear", "-2 times the cotangent did not give -2 times the gradient"
    return Verdict("laws", "differs" if fault else "agrees", said), fault, argument, shapes_right


def _compare_all(case: Case, answer: Answer, truth: Enclosed | Unknown) -> dict[str, Compared]:
    if isinstance(truth, Unknown):
        return {}
    named = answer.labelled(case)
    compared = {
        name: compare(enclosure, None if named.get(name) is None else named[name].seen(), case.dtype)  # type: ignore[union-attr]
        for name, enclosure in truth.arrays.items()
    }
    return overdrawn(case, answer, compared) if truth.at_kink else compared


def worst_fault(compared: dict[str, Compared]) -> Compared:
    """The first array in the answer's order that shows a fault: a wrong output before a wrong gradient of it."""
    return next(c for c in compared.values() if c.fault)


def judge_exactly(truth: Enclosed | Unknown, compared: dict[str, Compared], shapes_right: bool) -> Verdict:
    """The exact oracle's verdict from the comparisons of every array."""
    if isinstance(truth, Unknown):
        return Verdict("exact", "unsupported" if truth.unsupported else "cannot tell", truth.reason)
    if not shapes_right:
        return Verdict("exact", "cannot tell", "a shape is wrong, so elements cannot be compared")
    ratio = max((r for c in compared.values() for r in c.ratios), default=0.0)
    ulps = max((u for c in compared.values() for u in c.ulps), default=0.0)
    if any(c.fault for c in compared.values()):
        worst = worst_fault(compared)
        said = f"{worst.argument}: {worst.fault}, {worst.ratios[worst.worst]:.3g} budgets off"
        return Verdict("exact", "differs", said, repr(ratio), repr(ulps))
    if any(c.elsewhere for c in compared.values()):
        if truth.at_kink:
            return Verdict("exact", "convention", "another slope than the contract's at a kink", repr(ratio))
        return Verdict("exact", "agrees", "on the other side of a kink, where rounding may take it")
    if not any(c.ratios for c in compared.values()):
        return Verdict("exact", "uninformative", "the answer has no elements", "0.0")
    if all(c.uninformative for c in compared.values() if c.ratios):
        return Verdict("exact", "uninformative", "the budget is as large as the answer", repr(ratio))
    return Verdict("exact", "agrees", "", repr(ratio), repr(ulps))


def judge_by_peer(answer: Answer, peer: Answer | None, truth: Enclosed | Unknown, case: Case) -> Verdict:
    """Agreement with PyTorch: each within its own budget of the truth, or, where there is none, the same bits."""
    if peer is None:
        return Verdict("pytorch", "cannot tell", "PyTorch does not answer this case")
    mine, theirs = answer.labelled(case), peer.labelled(case)
    worst, unsure = 0.0, False
    for name, other in theirs.items():
        own = mine.get(name)
        given = own if own is not None else other
        if given is None:
            continue
        nothing = np.zeros(given.shape)  # no gradient is a gradient of zeros, where values are compared
        a = nothing if own is None else own.seen()
        b = nothing if other is None else other.seen()
        if a.shape != b.shape:
            return Verdict("pytorch", "differs", f"{name} has shape {a.shape}, PyTorch's has {b.shape}")
        budget = truth.arrays[name].budget if isinstance(truth, Enclosed) else None
        for i, (x, y) in enumerate(zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)):
            if x == y or (math.isnan(x) and math.isnan(y)):
                continue
            if budget is not None and budget[i] == math.inf:
                unsure = True
                continue
            if not (math.isfinite(x) and math.isfinite(y)):
                return Verdict("pytorch", "differs", f"{name} has {x!r} where PyTorch has {y!r}")
            if budget is None:
                unsure = True
            else:
                worst = max(worst, abs(x - y) / (2 * budget[i]) if budget[i] else math.inf)
    if worst > 1:
        near = isinstance(truth, Enclosed) and (truth.at_kink or truth.near_kink)
        outcome, said = (
            ("convention", "another slope than PyTorch's at a kink") if near else ("differs", "another value")
        )
        return Verdict("pytorch", outcome, said, repr(worst))  # type: ignore[arg-type]
    if unsure:
        return Verdict("pytorch", "cannot tell", "other bits, and no budget to weigh the difference by")
    return Verdict("pytorch", "agrees", "", repr(worst))
