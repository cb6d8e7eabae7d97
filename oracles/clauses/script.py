"""A clause as a script that needs a library of PyTorch's shape and nothing else: its body, each claim an assert."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from oracles.clauses import claim as claims
from oracles.clauses.clause import Clause


class Unwritable(ValueError):
    """A body that no script can be made of."""


def script(clause: Clause, module: str) -> str:
    """The clause's body over the module with this name; it exits with 0 where the clause holds, and with 1 where not.

    Raises:
        Unwritable: the body claims something in the middle of an expression.
    """
    body = _Asserts().visit(_definition(clause.body))
    needed = _needed(clause.body)
    text = ast.unparse(ast.fix_missing_locations(ast.Module(body.body[1:], [])))
    if "claim." in text:
        raise Unwritable(
            f"clause {clause.id} makes a claim that is no statement: write each on a line of its own"
        )
    parts = [
        "\n".join(
            textwrap.wrap(f"{clause.id}: {clause.sentence}", 100, initial_indent="# ", subsequent_indent="# ")
        ),
        f"# {clause.page}\n",
        "from __future__ import annotations\n",
        *_imports(text, needed),
        "import torch" if module == "torch" else f"import {module} as torch",
        *(
            ["\ntorch.set_warn_always(True)  # not once a process"]
            if "catch_warnings" in text and module == "torch"
            else []
        ),
        "",
        *(f"\n{inspect.getsource(f)}" for f in _helpers(text, needed)),
        "",
        text,
        f'print("{clause.id} holds")',
    ]
    return "\n".join(parts) + "\n"


class _Asserts(ast.NodeTransformer):
    """Claims become asserts."""

    def visit_Expr(self, node: ast.Expr) -> Any:
        name, arguments = _claim(node.value)
        if name is None:
            return self.generic_visit(node)
        said = [ast.unparse(a) for a in arguments]
        if name == "equal":
            return _statements(
                f"assert _same(plain(_got := {said[0]}), plain({said[1]})), "
                f"{f'expected {said[1]}, got '!r} + str(plain(_got))"
            )
        if name == "true":
            return _statements(f"assert ({said[0]}) is True, 'expected: ' + {said[1]}")
        if name == "none":
            return _statements(f"assert (_got := {said[0]}) is None, f'expected None, got {{_got}}'")
        word = {"same": "is", "different": "is not"}[name]
        return _statements(
            f"assert ({said[0]}) {word} ({said[1]}), {f'not so: {said[0]} {word} {said[1]}'!r}"
        )

    def visit_With(self, node: ast.With) -> Any:
        first, *others = node.items
        name, arguments = _claim(first.context_expr)
        if name is None and not others:
            return self.generic_visit(node)
        inner = [ast.With(others, node.body)] if others else node.body
        inside = [s for statement in inner for s in _listed(self.visit(statement))]
        if name is None:
            return ast.With([first], inside)
        said = [ast.unparse(a) for a in arguments]
        words = ast.literal_eval(said[1]) if len(said) > 1 else ""
        wanted = (said[0] if said else "") + (f" saying {words!r}" if words else "")
        if name == "raises":
            return _raises(inside, said[0], words, wanted)
        return _warns(inside, said[0] if said else "", words, wanted)


def _raises(inside: list[ast.stmt], kind: str, words: str, wanted: str) -> list[ast.stmt]:
    (statement,) = _statements(
        f"try:\n    pass\nexcept {kind} as error:\n"
        f"    assert {words.lower()!r} in str(error).lower(), {f'expected {wanted}, got '!r} + repr(error)\n"
        f"else:\n    raise AssertionError({f'expected {wanted}, got nothing raised'!r})"
    )
    assert isinstance(statement, ast.Try)
    statement.body = inside
    return [statement]


def _warns(inside: list[ast.stmt], kind: str, words: str, wanted: str) -> list[ast.stmt]:
    """A kind of warning that is asked for; without one, that there be no warning."""
    found = f"issubclass(w.category, {kind}) and {words.lower()!r} in str(w.message).lower()"
    expected = f"any({found} for w in caught)" if kind else "not caught"
    said = f"expected {wanted or 'no warning'}, got "
    statement, check = _statements(
        "with warnings.catch_warnings(record=True) as caught:\n    warnings.simplefilter('always')\n"
        f"assert {expected}, {said!r} + str([str(w.message) for w in caught])"
    )
    assert isinstance(statement, ast.With)
    statement.body += inside
    return [statement, check]


def _statements(text: str) -> list[ast.stmt]:
    return ast.parse(text).body


def _listed(found: Any) -> list[ast.stmt]:
    return found if isinstance(found, list) else [found]


def _claim(node: ast.expr) -> tuple[str | None, list[ast.expr]]:
    """Which claim an expression makes, if it is one, and of what."""
    call = node if isinstance(node, ast.Call) else None
    made = call.func if call else None
    if (
        call
        and isinstance(made, ast.Attribute)
        and isinstance(made.value, ast.Name)
        and made.value.id == "claim"
    ):
        return made.attr, call.args
    return None, []


def _definition(function: Any) -> ast.FunctionDef:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(definition, ast.FunctionDef)
    return definition


def _needed(function: Any) -> dict[str, Any]:
    """What the function's text names of its module: helpers, modules and numbers; what those name, too."""
    found: dict[str, Any] = {}
    for node in ast.walk(_definition(function)):
        if isinstance(node, ast.Name) and node.id in function.__globals__ and node.id not in found:
            found[node.id] = function.__globals__[node.id]
            if _helper(found[node.id]):
                found = {**_needed(found[node.id]), **found}
    return found


def _helper(thing: Any) -> bool:
    return isinstance(thing, FunctionType) and thing.__module__.startswith("oracles.clauses.") and (
        thing.__module__ not in ("oracles.clauses.clause", "oracles.clauses.claim")
    )  # fmt: skip


def _imports(text: str, needed: dict[str, Any]) -> Iterator[str]:
    modules = {n: m for n, m in needed.items() if isinstance(m, ModuleType)}
    if "plain(" in text:
        modules["math"] = math
    for name, module in sorted(modules.items()):
        yield f"import {module.__name__}" + (f" as {name}" if module.__name__ != name else "")
    if "warnings.catch" in text and "warnings" not in modules:
        yield "import warnings"
    numbers = [n for n, value in needed.items() if isinstance(value, float)]
    if numbers:
        yield f"from math import {', '.join(sorted(numbers))}"


def _helpers(text: str, needed: dict[str, Any]) -> Iterator[Any]:
    if "plain(" in text:
        yield claims.plain
        yield claims._same
    yield from (thing for thing in needed.values() if _helper(thing))
