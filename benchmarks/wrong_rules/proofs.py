"""Whether a changed rule is the rule it was: proved on symbols, or not at all.

Two formulas of an elementwise op are run on symbols that lie in the op's domain. They are equivalent if their
difference and its slopes are 0 in every case that their conditions distinguish, also where one holds with equality, and
if the changed one divides by nothing that might be 0 by which the other does not divide. The same is done with a
function that a formula calls, on any real numbers. Numerical evidence is never a proof.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import sympy

import refgrad
from refgrad.op import REGISTRY, Op

from .given import GIVEN, mirrored
from .making import WrongRule, functions_of
from .operators import expression
from .sources import FunctionType, compiled, parts, remade, source_of
from .symbols import CONDITIONS, Named, Term, Unproved, decided, exact, meaning, ordered

SECONDS = 20
MOST_CONDITIONS = 6
NOT_SCALAR = (
    "wrong dtype",
    "extra un-broadcast",
    "missing un-broadcast",
    "wrong axis",
    "cut off from the graph",
)
"""Changes that a formula on single numbers does not show."""
FIXED = {"rsub": {"alpha": 1}}
"""Settings that no function of the catalogue passes on: a number less a tensor is written with a minus."""
DOMAINS = {"rpow": {"base": (0, math.inf)}, "xlogy_number": {"other": (0, math.inf)}}
"""Settings that have a domain: what is a number here is elsewhere an operand with that domain."""


def equivalent(rule: WrongRule) -> str:
    """How it was proved that a changed rule is the rule it was; nothing if it was not."""
    if rule.part is None:
        return ""
    if rule.change.before == "the result" and (said := first_said(lambda: _nothing(rule))):
        return said
    if rule.change.kind == "wrong axis" and (said := first_said(lambda: _same_axis(rule))):
        return said
    if rule.change.kind.startswith(NOT_SCALAR[:-1]):
        return ""
    ways: list[Callable[[], str]] = [lambda: _same_part(rule), lambda: _symmetric(rule)]
    op = REGISTRY.get(rule.op)
    if op is not None and isinstance(op.facts.meaning, str):
        cut = rule.change.kind == "cut off from the graph"
        if cut:
            ways = [lambda: _no_slope(op, rule)]
        else:
            ways = [lambda: _no_difference(op, rule), lambda: _in_every_order(op, rule), *ways]
    elif rule.change.kind == "cut off from the graph":
        return ""
    return first_said(*ways)


def first_said(*ways: Callable[[], str]) -> str:
    """What the first way that proves it says; nothing where none does in time."""
    for way in ways:
        CONDITIONS.clear()
        try:
            with time_limit(SECONDS):
                if said := way():
                    return said
        except Exception:
            continue
    return ""


def _formulas(op: Op, rule: WrongRule) -> Iterator[tuple[FunctionType, FunctionType]]:
    """The right formulas with this part, and the changed ones, for which a number without a value is a float."""
    given = {**GIVEN, "float": lambda x: x}
    part = rule.part
    assert part is not None
    for argument, formula in functions_of(op).items():
        if part in parts(formula) and argument in (rule.argument, argument if not rule.argument else ""):
            tree = source_of(part)
            yield remade(formula, part, tree, given), remade(formula, part, rule.change.tree, given)


def _same_part(rule: WrongRule) -> str:
    """The changed function is the function it was, for any real numbers."""
    part = rule.part
    assert part is not None
    wrong = compiled(rule.change.tree, part, GIVEN)
    said = part.__annotations__
    if not {str(said[n]) for n in inspect.signature(part).parameters} <= {str(Any), str(float)}:
        return ""
    choices = [
        [Named(n, real=True), 0, 1, 2] if said[n] is float else [Term(Named(n, real=True))]
        for n in inspect.signature(part).parameters
    ]
    for values in itertools.product(*choices):
        names = dict(zip(inspect.signature(part).parameters, values, strict=True))
        (a, before), (b, after) = run(part, names), run(wrong, names)
        if unsafe(after - before) or not all(map(vanishes, with_slopes(number(a) - number(b), names))):
            return ""
    return f"{part.__name__} is the same function of real numbers"


def _nothing(rule: WrongRule) -> str:
    """The formula answers zeros whatever it is given, and the change to its result leaves zeros as they are."""
    part = rule.part
    assert part is not None
    names = {n: Term(Named(n, real=True)) for n in inspect.signature(part).parameters}
    value, divisors = run(part, names)
    if value != 0 or divisors:
        return ""
    change = GIVEN.get(rule.change.after) or eval(rule.change.after)
    for shape in itertools.chain.from_iterable(itertools.product((0, 1, 2, 3), repeat=n) for n in range(4)):
        zeros = np.zeros(shape)
        changed = np.asarray(change(zeros))
        if changed.shape != shape or changed.any():
            return ""
    return "zeros on any symbols, which the change leaves as they are"


def _same_axis(rule: WrongRule) -> str:
    """An axis of an operand, counted from the other end, is the axis that it was: the op takes one rank alone."""
    op, part = REGISTRY.get(rule.op), rule.part
    keyword = ast.parse(f"f({rule.change.before})").body[0].value.keywords[0]  # type: ignore[attr-defined]
    if op is None or part is None or not isinstance(keyword.value, ast.Constant):
        return ""
    calls = [n for n in ast.walk(source_of(part)) if isinstance(n, ast.Call)]
    asked = [c for c in calls if any(ast.dump(k) == ast.dump(keyword) for k in c.keywords)]
    if not asked or not all(isinstance(c.args[0], ast.Name) and c.args[0].id in op.inputs for c in asked):
        return ""
    ranks = {rank for taken in ranks_taken(rule.users[0]) for rank in taken}
    axis = keyword.value.value
    if len(ranks) != 1 or any(mirrored(axis) % rank != axis % rank for rank in ranks):
        return ""
    (rank,) = ranks
    return f"{rule.op} takes tensors of {rank} dimensions alone, of which axis {axis} is {mirrored(axis)} as well"


MOST_DIMENSIONS = 5


def ranks_taken(name: str) -> list[tuple[int, ...]]:
    """The numbers of dimensions, of each operand, that a function of the catalogue does not refuse."""
    public = refgrad.catalogue()[name]
    taken = []
    for ranks in itertools.product(range(MOST_DIMENSIONS + 1), repeat=len(public.inputs)):
        try:
            public.function(*(refgrad.tensor(np.ones((1,) * rank)) for rank in ranks))
        except (RuntimeError, IndexError, ValueError):
            continue
        taken.append(ranks)
    return taken


def _symmetric(rule: WrongRule) -> str:
    """Operands were swapped for a function that is the same either way, for any real numbers."""
    part, change = rule.part, rule.change
    if change.kind != "swapped operands" or part is None:
        return ""
    call = expression(change.before)
    called = part.__globals__.get(call.func.id) if isinstance(call, ast.Call) else None
    if type(called) is not FunctionType:
        return ""
    first, second = (Term(Named(n, real=True)) for n in ("first", "second"))
    names = inspect.signature(called).parameters
    if len(names) != 2:
        return ""
    one, other = (
        run(called, dict(zip(names, xs, strict=True)))[0] for xs in ((first, second), (second, first))
    )
    both = {"first": first, "second": second}
    same = all(map(vanishes, with_slopes(number(one) - number(other), both)))
    return f"{called.__name__} is symmetric in real numbers" if same else ""


def number(value: Any) -> Any:
    """A condition as 1 where it holds, else 0."""
    boolean = value in (sympy.true, sympy.false) or isinstance(value, sympy.logic.boolalg.BooleanFunction)
    return sympy.Piecewise((1, value), (0, True)) if boolean or value in CONDITIONS else value


def unsafe(divisors: set[Any]) -> bool:
    """Whether any of them might be 0."""
    return any(not (d.is_nonzero or d.is_positive or d.is_negative) for d in divisors)


def _no_difference(op: Op, rule: WrongRule) -> str:
    ways = 0
    for right, wrong in _formulas(op, rule):
        for names in frames(op, (right, wrong)):
            (a, before), (b, after) = run(right, names), run(wrong, names)
            if unsafe(after - before) or not all(map(vanishes, with_slopes(a - b, names))):
                return ""
            ways += 1
    return f"the difference of the two is 0 on symbols in the domain, in {ways} settings" if ways else ""


def _in_every_order(op: Op, rule: WrongRule) -> str:
    """No difference, whichever of the inputs are smaller than others or equal to them."""
    inputs = {n: Named(n, real=True) for n in op.inputs}
    if op.settings or op.facts.domain or not 2 <= len(inputs) <= 3:
        return ""
    ways = 0
    for right, wrong in _formulas(op, rule):
        for ranks in weak_orders(len(inputs)):
            with ordered(dict(zip(inputs.values(), ranks, strict=True))):
                y = decided(meaning(op, inputs, {}))
                names: dict[str, Any] = {n: Term(x) for n, x in inputs.items()}
                names |= {
                    "g": Term(Named("g", real=True)),
                    "y": Term(y),
                    **dict.fromkeys(op.frame.shapes, ()),
                }
                (a, before), (b, after) = run(right, names), run(wrong, names)
            equal = {
                x: list(inputs.values())[ranks.index(r)] for x, r in zip(inputs.values(), ranks, strict=True)
            }
            if unsafe(after - before) or not all(vanishes(d.subs(equal)) for d in with_slopes(a - b, names)):
                return ""
            ways += 1
    return f"the difference of the two is 0 on symbols in each of {ways} orders of the inputs" if ways else ""


def weak_orders(count: int) -> Iterator[tuple[int, ...]]:
    """Every order of so many things of which some may be equal, as the rank of each."""
    for ranks in itertools.product(range(count), repeat=count):
        if {*ranks} == {*range(len({*ranks}))}:
            yield ranks


def _no_slope(op: Op, rule: WrongRule) -> str:
    """What is cut off may be, if the formula does not depend on it."""
    right = functions_of(op)[rule.argument]
    name = rule.change.before
    for names in frames(op, (right,)):
        alone = sympy.Symbol("alone", real=True, positive=exact(names[name]).is_positive or None)
        value, _ = run(right, {**names, name: Term(alone)})
        if not vanishes(sympy.diff(value, alone)):
            return ""
    return f"the slope by {name} is 0 on symbols in the domain"


def with_slopes(difference: Any, names: dict[str, Any]) -> list[Any]:
    """A difference, and its slope by everything that is differentiated: what has to vanish for second order too."""
    asked = {s for name in names.values() if isinstance(name, Term) for s in name.expression.free_symbols}
    asked -= CONDITIONS.keys()
    return [difference, *(sympy.diff(difference, s) for s in sorted(asked, key=str))]


def frames(op: Op, formulas: tuple[FunctionType, ...]) -> Iterator[dict[str, Any]]:
    """What a formula may ask for, by name: once for every choice of settings that it tells apart."""
    inputs = {n: symbol(n, op.facts.domain.get(n)) for n in op.inputs}
    constants = {c for f in formulas for c in f.__code__.co_consts if type(c) in (int, float)}
    choices = []
    for name, default in op.settings.items():
        if name in FIXED.get(op.name, {}):
            choices.append([FIXED[op.name][name]])
            continue
        generic = symbol(name, DOMAINS.get(op.name, {}).get(name))
        allowed = [c for c in sorted({0, 1, 2, *constants}) if not (generic.is_positive and c <= 0)]
        numbers = [generic, *allowed]
        kept = isinstance(default, int | float | type(None)) or default is inspect.Parameter.empty
        choices.append([None, *numbers] if default is None else numbers if kept else [default])
    for values in itertools.product(*choices):
        settings = dict(zip(op.settings, values, strict=True))
        y = (
            meaning(op, inputs, {k: v for k, v in settings.items() if v is not None})
            if "y" in op.outputs
            else 0
        )
        terms = {n: Term(x) for n, x in inputs.items()}
        shapes = dict.fromkeys(op.frame.shapes, ())
        yield {"g": Term(Named("g", real=True)), "y": Term(y), **terms, **settings, **shapes}


def symbol(name: str, domain: tuple[float, float] | None) -> Any:
    """A number of which nothing is known but that it lies in a domain."""
    match domain:
        case None:
            return Named(name, real=True)
        case (0, math.inf):
            return Named(name, positive=True)
        case (low, math.inf):
            return Named(name, positive=True) + sympy.sympify(low)
        case (-1, 1):
            return sympy.tanh(Named(name, real=True))
        case _:
            raise Unproved(f"there is no symbol for {domain}")


def run(formula: FunctionType, names: dict[str, Any]) -> tuple[Any, set[Any]]:
    """The formula's value, and what it divides by."""
    Term.divisors = set()
    value = formula(*(names[p] for p in inspect.signature(formula).parameters))
    return exact(value), Term.divisors


def vanishes(difference: Any) -> bool:
    """Whether an expression is 0 in every case that its conditions distinguish."""
    difference = sympy.sympify(difference)
    letters = sorted(difference.free_symbols & CONDITIONS.keys(), key=str)
    if not letters:
        return difference == 0 or sympy.simplify(difference) == 0
    if len(letters) > MOST_CONDITIONS:
        return False
    return all(vanishes(case) for case in cases(difference, letters))


SIDES = {-1: sympy.StrictLessThan, 0: sympy.Eq, 1: sympy.StrictGreaterThan}


def cases(difference: Any, letters: list[Any]) -> Iterator[Any]:
    """The expression below the border of its first condition, on it and above; on it, with the equality put in."""
    first = CONDITIONS[letters[0]]
    border = first.lhs - first.rhs
    for sign, side in SIDES.items():
        if side(border, 0) == sympy.false:
            continue
        known = {}
        for letter in letters:
            gap = CONDITIONS[letter].lhs - CONDITIONS[letter].rhs
            if gap in (border, -border):
                known[letter] = CONDITIONS[letter].func(sympy.Integer(sign if gap == border else -sign), 0)
        case = difference.subs(known)
        yield put_in(case, border) if sign == 0 else case


def put_in(expression: Any, border: Any) -> Any:
    """An expression at the border between two cases."""
    for free in sorted(border.free_symbols, key=str):
        found = sympy.solve(border, free, dict=False)
        if len(found) == 1:
            return expression.subs(free, found[0])
    return expression


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Unproved after so many seconds."""

    def late(*_: Any) -> None:
        raise Unproved("late")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
