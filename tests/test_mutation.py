"""The script that makes wrong rules of the formulas: it catches them, and proves what it calls equivalent."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import refgrad
from oracles.subjects import laws
from refgrad.op import REGISTRY, replaced

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def mutation() -> Iterator[ModuleType]:
    """The script, which is run from the project's folder."""
    sys.path.insert(0, str(ROOT))
    try:
        from benchmarks import mutation

        yield mutation
    finally:
        sys.path.remove(str(ROOT))


def rules(mutation: ModuleType, op: str) -> list[Any]:
    """The wrong rules of one op."""
    found: list[Any] = mutation.wrong_rules((op,))[op]
    return found


def test_every_op_has_wrong_rules(mutation: ModuleType) -> None:
    """Each function of the catalogue has a row, and a formula is changed in many ways, each once."""
    rows = mutation.wrong_rules(tuple(refgrad.catalogue()))
    assert set(rows) == {*refgrad.catalogue(), "the walk"}
    assert min(map(len, rows.values())) >= 3
    assert sum(map(len, rows.values())) > 3000
    kinds = {r.change.kind for r in rows["mul"]}
    assert {"sign", "factor 1 + 1e-6", "swapped operand", "missing un-broadcast", "wrong dtype"} <= kinds
    whole = [ast.dump(r.change.tree) for r in rows["sin"]]
    assert len(whole) == len(set(whole))


def test_what_one_rule_did_is_not_held_against_the_next(mutation: ModuleType) -> None:
    """After a rule that is not linear in the cotangent the right one, on the same case, is not accused of that."""
    check = mutation.Check("exp", 1, 4)
    crooked = lambda g, y: g * g * y
    with replaced(REGISTRY["exp"], "x", crooked):
        assert check.bench.judge(next(check.cases())[0], witnesses=False).fault
    assert laws._linear.found is False
    assert not check.of(SimpleNamespace(installed=nullcontext)).fault


def test_a_wrong_rule_is_there_only_while_it_is_installed(mutation: ModuleType) -> None:
    """Within it the engine's gradient is wrong, and after it right again, also where a formula's helper was changed."""
    x = refgrad.tensor([0.5], requires_grad=True)
    cotangents = [refgrad.tensor([1.0])]

    def slope() -> float:
        return float(refgrad.autograd.grad([x.square()], [x], cotangents)[0])

    right = slope()
    doubled = next(r for r in rules(mutation, "square") if r.change.kind == "factor 2")
    helper = next(
        r
        for r in rules(mutation, "pow")
        if r.place == "slope" and r.change.after == "g" and "*" in r.change.before
    )
    for rule, wrong in ((doubled, 2 * right), (helper, 1.0)):
        with rule.installed():
            assert slope() == wrong
        assert slope() == right


def test_it_catches_what_is_wrong(
    mutation: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On two ops it catches all, and the counts that it prints are those of the outcomes that it writes."""
    file = tmp_path / "outcomes.json"
    assert mutation.main(["--ops", "sin,neg", "--no-peers", "--json", str(file)]) == 0
    outcomes = json.loads(file.read_text())
    printed = capsys.readouterr().out
    for op in ("sin", "neg"):
        mine = [o for o in outcomes if o["row"] == op]
        assert len(mine) == len(rules(mutation, op))
        assert all(o["status"] == "caught" and o["reason"].startswith(f"{op}: ") for o in mine)
        assert [op, str(len(mine)), str(len(mine)), "0", "0", "0"] in [
            r.split() for r in printed.splitlines()
        ]
    assert "reached" in printed


def test_the_right_rule_survives(mutation: ModuleType) -> None:
    """What is right is never accused, by the check or by the other tools, and is not called caught."""
    (rule, *_) = rules(mutation, "sin")
    right = type(rule)("sin", ("sin",), "sin", "x", "", rule.change, nullcontext)
    row = mutation.Row("sin", [right], 1, mutation.Peers())
    status, reason, cases = row.judged(right)
    assert (status, cases > 500) == (mutation.SURVIVED, True), reason
    assert not any(row.beside(right).values())


@pytest.mark.parametrize(
    ("op", "kind", "before", "after"),
    [
        ("relu", "swapped operand", "y", "x"),  # the larger of x and 0 is at most 0 where x is
        (
            "amax",
            "mask dropped",
            "where(y == y, x == y, x != x)",
            "x == y",
        ),  # of real numbers, all equal themselves
        ("maximum", "swapped operand, once", "a", "y"),
        ("pow", "swapped operand", "exponent", "a"),  # read where the base is 0, and a base is positive
        ("abs", "cut off from the graph", "x", "x.detach()"),  # its sign has no slope
    ],
)
def test_what_is_equivalent_is_proved(
    mutation: ModuleType, op: str, kind: str, before: str, after: str
) -> None:
    """A rewrite that changes nothing is proved to change nothing."""
    same = [
        r
        for r in rules(mutation, op)
        if (r.change.kind, r.change.before, r.change.after) == (kind, before, after)
    ]
    assert any(mutation.equivalent(r) for r in same)


def test_a_rewritten_formula_is_proved(mutation: ModuleType) -> None:
    """-sin(x) for the slope of cos is the same as 0 - sin(x)."""
    rule = rules(mutation, "cos")[0]
    tree = ast.parse("lambda g, x: (0 - g) * sin(x)", mode="eval").body
    change = type(rule.change)("rewritten", "g * -sin(x)", "(0 - g) * sin(x)", tree)
    rewritten = type(rule)("cos", ("cos",), "cos", "x", "", change, rule.installed, rule.part)
    assert "difference" in mutation.equivalent(rewritten)


def test_nothing_wrong_is_proved(mutation: ModuleType) -> None:
    """No wrong rule that a check has caught is called equivalent: signs, factors, and the wrong side at a kink."""
    for op in ("sin", "relu", "clamp", "abs", "div", "sigmoid"):
        for rule in rules(mutation, op):
            told = rule.change.kind in (
                "sign",
                "factor 2",
                "> made strict",
                "dropped term",
                "branches swapped",
            )
            if told and rule.op not in ("div_trunc", "div_floor"):  # of which any multiple is the same: 0
                assert mutation.equivalent(rule) == "", rule.words


def test_what_is_done_to_zeros_is_proved_to_do_nothing(mutation: ModuleType) -> None:
    """A rule that answers zeros stays as it is times -1, turned over or rounded, and not with a slope."""
    flat = [r for r in rules(mutation, "div") if r.op == "div_floor"]
    done = {r.change.kind: bool(mutation.equivalent(r)) for r in flat}
    assert done == {kind: kind != "dropped zeros_like" for kind in done}
    assert {"sign", "wrong dtype", "dropped zeros_like"} <= set(done)


def test_comparisons_are_told_by_the_order_of_the_inputs(mutation: ModuleType) -> None:
    """Between tensors: whether x is at most the larger bound is whether it is at most the result; a tie is not."""
    proved = {
        (r.argument, r.change.before, r.change.after): bool(mutation.equivalent(r))
        for r in rules(mutation, "clamp")
        if r.op == "clamp_tensor" and r.change.kind.startswith(("swapped operand", "<", ">"))
    }
    assert proved["x", "max", "y"]
    assert proved["min", "min", "y"]
    assert not proved["x", "min", "y"]
    assert not proved["max", "x > max", "x >= max"]
    assert not proved["min", "x < min", "x <= min"]


def test_a_survivor_is_set_beside_the_right_rule(mutation: ModuleType) -> None:
    """What is the right rule gives its every answer, and follows no convention where the right rule follows another."""
    check = mutation.Check("clamp", 1, 40)
    found = check.of(SimpleNamespace(installed=nullcontext))
    assert (found.fault, found.conventions, found.others) == ("", 0, 0)
    assert found.after > 100
    strict = next(
        r for r in rules(mutation, "clamp") if r.change.before == "x >= low" and "strict" in r.change.kind
    )
    other = check.of(strict)
    assert (other.fault, other.conventions > 0, other.others >= other.conventions) == ("", True, True)


def test_a_division_by_zero_is_not_proved_away(mutation: ModuleType) -> None:
    """x**0 has slope 0, and 0*x**-1 has none at 0, whatever it simplifies to."""
    never = [
        r for r in rules(mutation, "pow") if r.place == "slope" and r.change.kind == "branch never taken"
    ]
    assert never
    assert not any(mutation.equivalent(r) for r in never)


def test_an_axis_is_the_same_from_the_other_end_in_one_rank_alone(mutation: ModuleType) -> None:
    """Of three dimensions, which is what bmm takes, axis 1 is -2 too; transpose and cumsum take other ranks."""
    from benchmarks.wrong_rules.proofs import equivalent, ranks_taken

    assert ranks_taken("bmm") == [(3, 3)]
    assert {(1,), (2,), (3,)} <= {*ranks_taken("neg")}
    turned = {
        op: [r for r in rules(mutation, op) if r.change.kind == "wrong axis"] for op in ("bmm", "cumsum")
    }
    said = {r.change.before: equivalent(r) for r in turned["bmm"]}
    assert "3 dimensions alone" in said["dim0=1"]
    assert said["dim1=2"] == ""
    assert turned["cumsum"]
    assert not any(map(equivalent, turned["cumsum"]))
