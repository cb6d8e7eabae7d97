"""From an accusation to a finding: everything that a stranger needs to see the fault and to make it happen again."""

from __future__ import annotations

from collections.abc import Sequence

from oracles.answers import Answer, Check, Errored, expected_forms
from oracles.arrays import Array
from oracles.blame import WALK, Accusation, finding_id
from oracles.comparison import decimal, half_width
from oracles.judge import Bench, Judgement
from oracles.plots import plot
from oracles.records import Comparison, Finding, Share
from oracles.shares import shares
from oracles.truth import Enclosed


def finding(
    bench: Bench, accusation: Accusation, subject: str, command: str, shrunk: bool, seen: int
) -> Finding:
    """The record of one distinct fault, with its evidence from every oracle."""
    judgement = bench.judge(accusation.case)
    kind, case, answer = accusation.kind, judgement.case, judgement.answer
    name = finding_id(subject, kind)
    comparisons = _comparisons(judgement)
    errored = answer if isinstance(answer, Errored) else None
    message = _sentence(accusation, judgement, comparisons)
    return Finding(
        id=name,
        subject=subject,
        blame=kind.blame,
        argument=kind.argument,
        error=kind.error,
        message=message,
        case=case,
        step=accusation.step,
        program=bench.subject.code(case),
        script=bench.subject.script(case, _checks(judgement), message, errored.type if errored else ""),
        command=f"refgrad replay {name}" if not command else command.format(id=name),
        verdicts=judgement.verdicts,
        comparisons=comparisons,
        plot=plot(bench, judgement),
        traceback=errored.traceback if errored else "",
        captured=getattr(answer, "captured", ""),
        shrunk=shrunk,
        seen=seen,
        shares=_shares(judgement),
    )


def _sentence(accusation: Accusation, judgement: Judgement, comparisons: Sequence[Comparison]) -> str:
    kind = accusation.kind
    if not judgement.fault:
        return f"{kind.blame}: {kind.error}, but not every time: {accusation.message}"
    where = f"{kind.argument} of {kind.blame}" if kind.argument else kind.blame
    if kind.blame == WALK:
        where = "bringing gradients together (each op is right alone)"
    shown = next(
        (c for c in comparisons if c.argument == judgement.argument and c.expected and c.got is not None),
        None,
    )
    if shown is None or kind.error.startswith(("wrong dtype", "wrong shape")):
        return f"{where}: {kind.error}: {judgement.message}"
    got = shown.got.numpy().reshape(-1)[shown.worst].item() if shown.got is not None else None
    return f"{where}: {kind.error}: {shown.argument}, expected {_short(shown.expected[shown.worst])}, got {got!r}"


def _short(text: str) -> str:
    return repr(float(text))


def _shares(judgement: Judgement) -> tuple[Share, ...]:
    """Where the budget of the element that the fault is told by comes from."""
    told = judgement.compared.get(judgement.argument)
    if told is None or not told.ratios:
        return ()
    return shares(judgement.case, told.argument, told.worst)


def _comparisons(judgement: Judgement) -> tuple[Comparison, ...]:
    answer, truth = judgement.answer, judgement.truth
    if not isinstance(answer, Answer):
        return ()
    others = judgement.peer.labelled(judgement.case) if judgement.peer is not None else {}
    named = answer.labelled(judgement.case).items()
    if isinstance(truth, Enclosed):
        return tuple(_comparison(name, got, judgement, others.get(name)) for name, got in named)
    return tuple(Comparison(name, () if got is None else got.shape, _legible(got)) for name, got in named)


def _comparison(name: str, got: Array | None, judgement: Judgement, other: Array | None) -> Comparison:
    assert isinstance(judgement.truth, Enclosed)
    enclosure = judgement.truth.arrays[name]
    compared = judgement.compared.get(name)
    return Comparison(
        argument=name,
        shape=enclosure.shape,
        got=_legible(got),
        expected=tuple(decimal(t) for t in enclosure.truth),
        radius=tuple(half_width(t) for t in enclosure.truth),
        budget=tuple(repr(b) for b in enclosure.budget),
        error_ulps=tuple(f"{u:.4g}" for u in compared.ulps) if compared else (),
        error_budgets=tuple(f"{r:.4g}" for r in compared.ratios) if compared else (),
        worst=compared.worst if compared else 0,
        others={"pytorch": legible} if (legible := _legible(other)) is not None else {},
    )


def _legible(array: Array | None) -> Array | None:
    """An array of an answer with its decimals, which people read here for the first time."""
    return None if array is None else Array.of(array.seen())


def _checks(judgement: Judgement) -> tuple[Check, ...]:
    """What the script compares: every element with its truth and budget, every gradient's shape and dtype."""
    if not isinstance(judgement.truth, Enclosed):
        return ()
    forms = expected_forms(judgement.case)
    return tuple(
        Check(name, tuple(decimal(t, 40) for t in e.truth), tuple(repr(b) for b in e.budget), *forms[name])
        for name, e in judgement.truth.arrays.items()
    )
