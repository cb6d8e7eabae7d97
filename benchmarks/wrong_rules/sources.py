"""The source of a formula as a tree, and a formula made again from a tree that was changed.

A formula may call functions beside it, and they others; each is a part in which a rule can be wrong. What is compiled
here is this repository's own code, changed by `operators`.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

Function = ast.Lambda | ast.FunctionDef


def parts(formula: FunctionType) -> list[FunctionType]:
    """The formula, and every function of the engine's ops that it calls, near ones first."""
    found = [formula]
    for function in found:
        found += [called for _, called in callees(function) if called not in found]
    return found


def callees(function: FunctionType) -> list[tuple[str, FunctionType]]:
    """The functions of the engine's ops that a function calls, with the names it calls them by."""
    named = [(name, function.__globals__.get(name)) for name in function.__code__.co_names]
    return [(n, f) for n, f in named if type(f) is FunctionType and f.__module__.startswith("refgrad.ops")]


def remade(formula: FunctionType, part: FunctionType, tree: Function, given: dict[str, Any]) -> FunctionType:
    """The formula again, with `tree` for one of its parts wherever that is called; `given` are names it may use."""
    made: dict[FunctionType, FunctionType] = {}

    def again(function: FunctionType) -> FunctionType:
        if function not in made:
            made[function] = function  # one that calls itself
            new = {name: again(called) for name, called in callees(function)}
            names = {**given, **new}
            made[function] = (
                compiled(tree, part, names) if function is part else with_globals(function, names)
            )
        return made[function]

    return again(formula)


def called_ops(formula: FunctionType, kind: type) -> set[Any]:
    """The ops that a formula names, itself or in a function that it calls."""
    found = set()
    for function in parts(formula):
        found |= {function.__globals__[n] for n in function.__code__.co_names if n in function.__globals__}
    return {x for x in found if isinstance(x, kind)}


@cache
def _functions(file: str) -> dict[int, list[Function]]:
    """The functions of a file by the line at which their code begins."""
    found: dict[int, list[Function]] = {}
    for node in ast.walk(ast.parse(Path(file).read_text())):
        if isinstance(node, ast.Lambda | ast.FunctionDef):
            lines = [node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]
            found.setdefault(min(lines), []).append(node)
    return found


@cache
def source_of(function: FunctionType) -> Function:
    """The tree that a function was compiled from; LookupError if none at its line compiles to the same code."""
    code = function.__code__
    there = _functions(code.co_filename)[code.co_firstlineno]
    there = [n for n in there if getattr(n, "name", "<lambda>") == code.co_name]
    for node in there:
        if len(there) == 1 or same(code_of(node), code):
            return node
    raise LookupError(f"no source at {code.co_filename}:{code.co_firstlineno} for {function.__qualname__}")


def code_of(tree: Function, file: str = "<changed>") -> CodeType:
    """The code of a function's tree."""
    if isinstance(tree, ast.Lambda):
        whole: Any = ast.Expression(tree)
    else:
        bare = ast.FunctionDef(tree.name, tree.args, tree.body, [], tree.returns, None)
        bare.type_params = []  # of Python 3.12 on
        whole = ast.Module([bare], [])
    mode = "eval" if isinstance(tree, ast.Lambda) else "exec"
    made = compile(at_one_line(whole), file, mode, dont_inherit=True)
    names = {"<lambda>"} if isinstance(tree, ast.Lambda) else {tree.name}
    return next(c for c in made.co_consts if isinstance(c, CodeType) and c.co_name in names)


def at_one_line(tree: Any) -> Any:
    """A copy of a tree in which nothing says where it stood: what is changed stands nowhere."""
    tree = copy.deepcopy(tree)
    for node in ast.walk(tree):
        if "lineno" in node._attributes:
            node.lineno = node.end_lineno = 1  # type: ignore[attr-defined]
            node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
    return tree


def same(one: CodeType, other: CodeType) -> bool:
    """Whether two codes do the same, wherever they stand."""

    def essence(code: CodeType) -> tuple[Any, ...]:
        consts = [essence(c) if isinstance(c, CodeType) else (type(c), c) for c in code.co_consts]
        return code.co_code, code.co_names, code.co_varnames, code.co_freevars, consts

    return essence(one) == essence(other)


def compiled(tree: Function, model: FunctionType, given: dict[str, Any]) -> FunctionType:
    """A function of this tree in the surroundings of `model`."""
    outer = dict(
        zip(model.__code__.co_freevars, (c.cell_contents for c in model.__closure__ or ()), strict=True)
    )
    names = {**model.__globals__, **outer, **given}
    made = FunctionType(code_of(tree), names, model.__name__, model.__defaults__)
    made.__kwdefaults__ = model.__kwdefaults__
    names[model.__name__] = made if names.get(model.__name__) is model else names.get(model.__name__)
    return made


def with_globals(function: FunctionType, changed: dict[str, Any]) -> FunctionType:
    """The same function, to which some names mean something else."""
    made = FunctionType(
        function.__code__,
        {**function.__globals__, **changed},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def swapped(node: Any, old: ast.AST, new: Any) -> Any:
    """A copy of a tree with `new` in the place of `old`; the tree stays as it was."""
    if node is old:
        return new
    if isinstance(node, list):
        return [swapped(n, old, new) for n in node]
    if not isinstance(node, ast.AST):
        return node
    fields = {name: swapped(value, old, new) for name, value in ast.iter_fields(node)}
    return ast.copy_location(type(node)(**fields), node) if hasattr(node, "lineno") else type(node)(**fields)


def rewritten(node: Any, change: Callable[[ast.AST], Any]) -> Any:
    """A copy of a tree in which every node is what `change` makes of it; None means that it stays."""
    if isinstance(node, list):
        return [rewritten(n, change) for n in node]
    if not isinstance(node, ast.AST):
        return node
    new = change(node)
    if new is not None:
        return new
    fields = {name: rewritten(value, change) for name, value in ast.iter_fields(node)}
    return ast.copy_location(type(node)(**fields), node) if hasattr(node, "lineno") else type(node)(**fields)
