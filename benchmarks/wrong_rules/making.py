"""Every wrong rule that is made of an op's formulas, and the op of the catalogue that has to notice it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import signature
from types import FunctionType
from typing import Any

import refgrad
from refgrad import lane, walk
from refgrad.op import NO_GRADIENT, REGISTRY, ZERO, Joint, Op, replaced

from .given import GIVEN
from .operators import Change, at_root, differentiated, inside, names_detached, names_swapped, without_sum
from .sources import called_ops, callees, code_of, compiled, parts, remade, source_of

EXTRA_USERS = {
    "t": ("mm", "matmul"),
    "squeeze_in_place": ("matmul",),
    "to_copy": ("mul", "add"),
    "unsafe_view": ("matmul",),
}
"""Ops that public functions apply without saying so."""
CAST = "to_copy"
"""What the walk casts by: as one of the ops that a formula applies, it is differentiated at second order only."""
NO_SUCH_AXES = {
    ("dot", "a"): ("reordered",),
    ("dot", "tensor"): ("reordered",),
    ("mv", "vec"): ("reordered",),
    ("masked_fill", "value"): ("reordered", "turned", "gathered"),
    ("outer", ""): ("reordered",),
    ("squeeze_in_place", "x"): ("reordered", "turned"),
    **dict.fromkeys((("sum_all", "x"), ("mean_all", "x")), ("reordered", "turned")),
}
"""Cotangents that are vectors or numbers, or whose elements are all one, and what changes nothing of such a one."""
WALK = "the walk"
WRAPPING = ("type(", "asarray", "Tensor(", " is ", "from_numpy_dtype")
"""What the walk does to the types of results and not to their numbers."""
WALK_OPS = ("mul", "add", "where", "expand", "maximum", "matmul", "getitem")
"""Ops whose gradients the walk has to sum, to fit and to bring together."""


@dataclass(frozen=True)
class WrongRule:
    """One wrong rule.

    `home` is the row it is counted in and `users` the functions on which it is judged; `installed` makes it the
    engine's while it is entered. `place` says in which function it was made, and `change` what was changed there.
    """

    home: str
    users: tuple[str, ...]
    op: str
    argument: str
    place: str
    change: Change
    installed: Callable[[], AbstractContextManager[Any]]
    part: FunctionType | None = None

    @property
    def words(self) -> str:
        """What was changed, for people."""
        where = f"{self.op}.{self.argument}" if self.argument else self.op
        inner = f" in {self.place}" if self.place else ""
        return f"{where}{inner}: {self.change.kind}: {self.change.before} -> {self.change.after}"


def users() -> dict[str, tuple[str, ...]]:
    """For each op that a formula belongs to, the functions of the catalogue whose check reaches that formula.

    Ops that functions apply are asked for a formula at first order; ops that those formulas apply, at second. An op
    that is reached only at third order is left out.
    """
    found: dict[str, list[str]] = {name: list(given) for name, given in EXTRA_USERS.items()}
    catalogue = refgrad.catalogue()
    for public in catalogue.values():
        for op in public.ops:
            found.setdefault(op.name, []).append(public.name)
    first = dict(found)
    for name, publics in first.items():
        for formula in functions_of(REGISTRY[name]).values():
            for op in called_ops(formula, Op):
                if op.name not in first:
                    found.setdefault(op.name, []).extend(
                        p for p in publics if p not in found.get(op.name, ())
                    )
    return {name: tuple(sorted(given, key=lambda p: near(name, p))) for name, given in found.items()}


def near(op: str, public: str) -> tuple[bool, bool, int]:
    """The function that is the op comes first, then those of few ops."""
    own = public.rpartition(".")[2]
    return own != op, not op.startswith(own), len(refgrad.catalogue()[public].ops)


def functions_of(op: Op) -> dict[str, FunctionType]:
    """The functions of an op's formulas, by the input; a joint one stands at its first input."""
    found: dict[str, FunctionType] = {}
    for name, said in op.formulas.items():
        function = said.formula if isinstance(said, Joint) else said
        if isinstance(function, FunctionType) and function not in found.values():
            found[name] = function
    return found


def wrong_rules(ops: Sequence[str]) -> dict[str, list[WrongRule]]:
    """The wrong rules of each function of the catalogue, and of the walk, by row."""
    rows: dict[str, list[WrongRule]] = {}
    judged = users()
    for name in ops:
        own = {op: publics for op, publics in judged.items() if publics[0] == name}
        rows[name] = distinct(of_row(name, own))
        if not rows[name]:
            shared = refgrad.catalogue()[name].ops[0]
            rules = distinct(of_row(name, {shared.name: (name,)}))
            idle = NO_SUCH_AXES.get((name, ""), ())
            rows[name] = [
                r for r in rules if r.change.before == "the result" and r.change.after.strip("_") not in idle
            ]
    if set(ops) == set(refgrad.catalogue()):
        rows[WALK] = distinct(of_walk())
    return rows


def unreached() -> list[str]:
    """Ops with formulas that nobody asks to second order."""
    known = users()
    return [op.name for op in REGISTRY.values() if functions_of(op) and op.name not in known]


def distinct(rules: Iterator[WrongRule]) -> list[WrongRule]:
    """Each wrong rule once, and none whose code is the right one's: those of one part and one code are one."""
    found: dict[Any, WrongRule] = {}
    for rule in rules:
        code = ast.dump(rule.change.tree)
        if rule.part is None or code != ast.dump(source_of(rule.part)):
            found.setdefault((rule.op, rule.argument, rule.place, code), rule)
    return list(found.values())


def of_row(home: str, ops: dict[str, tuple[str, ...]]) -> Iterator[WrongRule]:
    """The wrong rules of the ops that are counted in one row, and of the functions that their formulas share."""
    callers: dict[FunctionType, list[tuple[Op, str, FunctionType]]] = {}
    for name, publics in ops.items():
        op = REGISTRY[name]
        for argument, formula in functions_of(op).items():
            for change in of_formula(op, argument, formula):
                yield rule_of(home, publics, [(op, argument, formula)], formula, change)
            for part in parts(formula)[1:]:
                callers.setdefault(part, []).append((op, argument, formula))
        yield from of_zeros(home, publics, op)
        if only_in_formulas(op):
            yield from of_evaluation(home, publics, op)
    for part, uses in callers.items():
        publics = tuple(dict.fromkeys(p for op, _, _ in uses for p in ops[op.name]))
        tree = source_of(part)
        for change in (*names_swapped(tree, kinds_by_annotation(part)), *inside(tree)):
            yield rule_of(home, publics, uses, part, change)


def rule_of(
    home: str,
    publics: tuple[str, ...],
    uses: Sequence[tuple[Op, str, FunctionType]],
    part: FunctionType,
    change: Change,
) -> WrongRule:
    """The wrong rule that a change of one part makes of all formulas that use it."""

    @contextmanager
    def installed() -> Iterator[None]:
        with ExitStack() as stack:
            for op, argument, formula in uses:
                made = remade(formula, part, change.tree, GIVEN)
                said = op.formulas[argument]
                wrong = Joint(*said.inputs, formula=made) if isinstance(said, Joint) else made
                stack.enter_context(replaced(op, argument, wrong))
            yield

    first, argument, formula = uses[0]
    whole = part is formula
    return WrongRule(
        home,
        publics,
        first.name,
        argument if whole else "",
        "" if whole else part.__name__,
        change,
        installed,
        part,
    )


def of_zeros(home: str, publics: tuple[str, ...], op: Op) -> Iterator[WrongRule]:
    """Slopes where there are none."""
    for argument, said in op.formulas.items():
        if said is not ZERO:
            continue
        for text in ("g", "-g", "g * 0.5"):
            tree = ast.parse(f"lambda g: {text}", mode="eval").body
            assert isinstance(tree, ast.Lambda)
            wrong = FunctionType(code_of(tree), {})
            change = Change("a slope where there is none", "ZERO", text, tree)
            install = partial(replaced, op, argument, wrong)
            yield WrongRule(home, publics, op.name, argument, "", change, install)


def of_evaluation(home: str, publics: tuple[str, ...], op: Op) -> Iterator[WrongRule]:
    """Wrong evaluations of an op that only formulas apply."""
    for change in inside(source_of(op.evaluate)):
        install = partial(attribute, (op, "evaluate"), compiled(change.tree, op.evaluate, GIVEN))
        yield WrongRule(home, publics, op.name, "", "its evaluation", change, install)


def differentiable(function: FunctionType, name: str) -> bool:
    """Whether a derivative could pass through what a function reads under this name, or hands on."""
    tree = source_of(function)
    called = dict(callees(function))
    reads = set(differentiated(tree.body, name))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in called:
            part = called[call.func.id]
            for place, argument in zip(signature(part).parameters, call.args, strict=False):
                if argument in reads and part is not function and not differentiable(part, place):
                    reads.remove(argument)
    return bool(reads)


def of_formula(op: Op, argument: str, formula: FunctionType) -> Iterator[Change]:
    """Every change of a formula itself."""
    tree = source_of(formula)
    idle = NO_SUCH_AXES.get((op.name, argument), ())
    several = isinstance(op.formulas[argument], Joint) or op.lists
    yield from (c for c in at_root(tree, several) if c.after.strip("_") not in idle)
    if broadcasts(op):
        yield without_sum(tree, f"{argument}_shape")
    saved = [n for n in op.inputs if op.formulas[n] is not NO_GRADIENT]
    if not only_in_formulas(op) and op.name != CAST:  # to third order, nobody asks
        yield from names_detached(
            tree, [n for n in (*saved, op.outputs[0], "g") if differentiable(formula, n)]
        )
    yield from names_swapped(tree, kinds_of(op))
    yield from inside(tree)


def only_in_formulas(op: Op) -> bool:
    """Whether no function applies an op, but only formulas of others."""
    return op.name not in EXTRA_USERS and not any(op in public.ops for public in refgrad.catalogue().values())


def broadcasts(op: Op) -> bool:
    """Whether operands of an op are broadcast together."""
    return len(op.inputs) > 1 and isinstance(op.facts.meaning, str)


def kinds_of(op: Op) -> list[list[str]]:
    """The names of a formula that could be taken for one another: tensors, and settings of one type."""
    tensors = [n for n in op.inputs if op.formulas[n] is not NO_GRADIENT]
    kinds = [[] if op.lists else [*tensors, *op.outputs[:1]]]
    return kinds + kinds_by_annotation(op.evaluate, op.settings)


def kinds_by_annotation(function: FunctionType, among: Any = None) -> list[list[str]]:
    """Parameters that have the same annotation."""
    found: dict[str, list[str]] = {}
    for name, said in function.__annotations__.items():
        if name != "return" and (among is None or name in among):
            found.setdefault(str(said), []).append(name)
    return [names for names in found.values() if len(names) > 1]


def of_walk() -> Iterator[WrongRule]:
    """What the walks do for every rule: sum what was broadcast, cast, and add up what arrives.

    How a complex cotangent is cast to a real dtype is not among it, for the programs are of real numbers.
    """
    within = [(walk, name) for name in ("sum_to", "_fit_array", "_fit_tensor", "total")]
    for module, name in (*within, (lane, "plus")):  # which does to arrays what `total` does
        function = getattr(walk, "total" if module is lane else name)
        place = "" if module is walk else "in the short walk"
        tree = source_of(function)
        for change in (*inside(tree), *names_swapped(tree, kinds_by_annotation(function))):
            if not any(word in change.before for word in WRAPPING) and change.kind != "order of pieces":
                install = partial(attribute, (module, name), compiled(change.tree, function, GIVEN))
                yield WrongRule(WALK, WALK_OPS, name, "", place, change, install, function)


@contextmanager
def attribute(where: tuple[Any, str], value: Any) -> Iterator[None]:
    """Within it an attribute has another value."""
    before = getattr(*where)
    setattr(*where, value)
    try:
        yield
    finally:
        setattr(*where, before)
