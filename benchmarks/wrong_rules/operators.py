"""What can be changed in the tree of a formula, one thing at a time.

Each operator takes a node and yields what may stand in its place, with a word for the change. A change may use the
names in `given.GIVEN`, which the changed formula gets besides its own.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .sources import Function, rewritten, swapped

Changes = Iterator[tuple[str, Any]]
AXES = {"dim", "dims", "dim0", "dim1", "dim2"}
FLAGS = {"keepdim", "left", "adjoint"}
OTHER_NAME = {
    "sin": "cos",
    "cos": "sin",
    "sinh": "cosh",
    "cosh": "sinh",
    "tril": "triu",
    "triu": "tril",
    "max": "min",
    "min": "max",
    "exp": "erfc",
    "log": "exp",
}
FLAT = {"tied", "tally", "zeros_of", "zeros_like", "int"}
"""Functions whose result has no slope."""
SYMMETRIC = {"max", "min", "zip"}
CONVERSIONS = {"int", "float", "tuple", "list", "reversed", "len", "range"}
"""Functions whose argument is the same number, or the same numbers, in another type."""
COMPARED: dict[type, tuple[tuple[str, type], ...]] = {
    ast.Lt: (("< made <=", ast.LtE), ("< turned", ast.Gt)),
    ast.LtE: (("<= made <", ast.Lt), ("<= turned", ast.GtE)),
    ast.Gt: (("> made >=", ast.GtE), ("> turned", ast.Lt)),
    ast.GtE: (("> made strict", ast.Gt), (">= turned", ast.LtE)),
    ast.Eq: (("== made !=", ast.NotEq),),
    ast.NotEq: (("!= made ==", ast.Eq),),
    ast.In: (("in made not in", ast.NotIn),),
}


@dataclass(frozen=True)
class Change:
    """One change: its kind, what stood there and what stands there now, and the whole tree with it."""

    kind: str
    before: str
    after: str
    tree: Function


ROOT = {
    "sign": "lambda ct: -ct",
    "factor 1 + 1e-6": "lambda ct: ct * (1 + 1e-6)",
    "factor 2": "lambda ct: ct * 2",
    "factor 0.5": "lambda ct: ct * 0.5",
    "nothing but zeros": "lambda ct: ct * 0",
    "wrong dtype": "_narrowed",
    "extra un-broadcast": "_gathered",
    "wrong axis: turned over": "_turned",
    "wrong axis: transposed": "_reordered",
}
"""What can be done to the result of any formula."""


def expression(text: str) -> Any:
    return ast.parse(text, mode="eval").body


def called(name: str, *args: Any) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def at_root(tree: Function, several: bool) -> Iterator[Change]:
    """The result changed as a whole; of several results, also the first alone."""
    for kind, change in ROOT.items():
        yield Change(kind, "the result", change, around_result(tree, called("_mapped", expression(change))))
    if several:
        first = expression("lambda cts: type(cts)((None if cts[0] is None else -cts[0], *cts[1:]))")
        last = expression("lambda cts: type(cts)((*cts[:-1], None if cts[-1] is None else -cts[-1]))")
        for which, change in (("first", first), ("last", last)):
            yield Change(
                f"sign of the {which} alone", "the result", "-", around_result(tree, ast.Call(change, [], []))
            )


def around_result(tree: Function, call: ast.Call) -> Function:
    """The function with its results handed on to a call, as its last argument."""

    def handed(value: Any) -> Any:
        return ast.Call(call.func, [*call.args, value], [])

    if isinstance(tree, ast.Lambda):
        return ast.Lambda(tree.args, handed(tree.body))

    def change(node: ast.AST) -> Any:
        return ast.Return(handed(node.value)) if isinstance(node, ast.Return) else None

    return rewritten(tree, change)  # type: ignore[no-any-return]


def without_sum(tree: ast.Lambda, shape: str) -> Change:
    """A cotangent of what was broadcast, of which one place is taken and not the sum."""
    args = copy.deepcopy(tree.args)
    if shape not in [a.arg for a in args.args]:
        args.args.append(ast.arg(shape))
    body = called("_first_of", tree.body, ast.Name(shape, ast.Load()))
    return Change(
        "missing un-broadcast", "the sum over what was broadcast", "its first place", ast.Lambda(args, body)
    )


def inside(tree: Function) -> Iterator[Change]:
    """Every change of one node."""
    body = [tree.body] if isinstance(tree, ast.Lambda) else tree.body
    guards = {id(k.value) for k in ast.walk(tree) if isinstance(k, ast.keyword) and k.arg == "strict"}
    for part in body:
        for node in ast.walk(part):
            if is_no_rule(node):
                continue
            for kind, new in changes(node):
                if isinstance(node, ast.Constant) and id(node) in guards:
                    continue
                text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(new)))
                yield Change(kind, ast.unparse(node), text, swapped(tree, node, new))


def is_no_rule(node: ast.AST) -> bool:
    """Whether a node says nothing about the gradient: a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def changes(node: ast.AST) -> Changes:
    """What may stand in the place of a node."""
    for kind in type(node).__mro__[:-1]:
        for operator in OPERATORS.get(kind, ()):
            yield from operator(node)


def of_arithmetic(node: ast.BinOp) -> Changes:
    left, right = node.left, node.right
    other = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}.get(type(node.op))
    part = "term" if isinstance(node.op, ast.Add | ast.Sub) else "factor"
    if other:
        yield f"other {part} sign" if part == "term" else "swapped * and /", ast.BinOp(left, other(), right)
        yield f"dropped {part}", left
    match node.op:
        case ast.Sub():
            yield "dropped term", ast.UnaryOp(ast.USub(), right)
        case ast.Add() | ast.Mult():
            yield f"dropped {part}", right
        case ast.Div():
            yield "dropped factor", ast.BinOp(ast.Constant(1), ast.Div(), right)
    if isinstance(node.op, ast.Sub | ast.Div):
        yield "swapped operands", ast.BinOp(right, node.op, left)


def of_minus(node: ast.UnaryOp) -> Changes:
    if isinstance(node.op, ast.USub | ast.Not):
        yield "dropped sign" if isinstance(node.op, ast.USub) else "dropped not", node.operand


def of_constant(node: ast.Constant) -> Changes:
    if isinstance(node.value, bool):
        yield "flag turned", ast.Constant(not node.value)
    elif isinstance(node.value, int | float):
        yield "constant + 1", ast.Constant(node.value + 1)


def of_comparison(node: ast.Compare) -> Changes:
    for kind, op in COMPARED.get(type(node.ops[0]), ()):
        yield kind, ast.Compare(node.left, [op()], node.comparators)


def of_logic(node: ast.BoolOp) -> Changes:
    op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    yield "swapped and and or", ast.BoolOp(op, node.values)
    for value in node.values:
        rest = [v for v in node.values if v is not value]
        yield "dropped condition", ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0]


def of_call(node: ast.Call) -> Changes:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "where":
        condition, then, otherwise = node.args
        yield "branches swapped", ast.Call(node.func, [condition, otherwise, then], [])
        yield "mask dropped", then
        yield "mask dropped", otherwise
        return
    plain = not any(isinstance(a, ast.Starred) for a in node.args)
    if len(node.args) == 2 and plain and name not in SYMMETRIC:
        yield "swapped operands", ast.Call(node.func, node.args[::-1], node.keywords)
    if node.args and name and plain and name not in CONVERSIONS:
        yield f"dropped {name}", node.args[0]
    if name in OTHER_NAME:
        yield "other function", ast.Call(ast.Name(OTHER_NAME[name], ast.Load()), node.args, node.keywords)


def of_keyword(node: ast.keyword) -> Changes:
    if node.arg in AXES:
        yield "wrong axis", ast.keyword(node.arg, called("_mirrored", node.value))
    if node.arg in FLAGS and not isinstance(node.value, ast.Constant):
        yield "flag turned", ast.keyword(node.arg, ast.UnaryOp(ast.Not(), node.value))


def of_choice(node: ast.IfExp) -> Changes:
    yield "branches swapped", ast.IfExp(node.test, node.orelse, node.body)
    yield "branch dropped", node.body
    yield "branch dropped", node.orelse


def of_branch(node: ast.If) -> Changes:
    yield "condition turned", ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    yield "branch never taken", ast.If(ast.Constant(False), node.body, node.orelse)
    yield "branch always taken", ast.If(ast.Constant(True), node.body, node.orelse)


def of_step(node: ast.AugAssign) -> Changes:
    yield "dropped accumulation", ast.Pass()
    yield "last replaces all", ast.Assign([node.target], node.value)


def of_statement(node: ast.Expr) -> Changes:
    """np.add.at(out, places, x) becomes out[places] = x."""
    call = node.value
    if isinstance(call, ast.Call) and ast.unparse(call.func) == "np.add.at":
        out, at, x = call.args
        target = ast.Subscript(out, at, ast.Store())
        yield "dropped accumulation", ast.Assign([target], x)
    elif isinstance(call, ast.Call):
        yield "dropped statement", ast.Pass()


def of_list(node: ast.ListComp) -> Changes:
    (loop,) = node.generators
    backwards = called("reversed", called("list", loop.iter))
    turned = ast.comprehension(loop.target, backwards, loop.ifs, loop.is_async)
    yield "order of pieces", ast.ListComp(node.elt, [turned])


OPERATORS: dict[type, tuple[Callable[[Any], Changes], ...]] = {
    ast.BinOp: (of_arithmetic,),
    ast.UnaryOp: (of_minus,),
    ast.Constant: (of_constant,),
    ast.Compare: (of_comparison,),
    ast.BoolOp: (of_logic,),
    ast.Call: (of_call,),
    ast.keyword: (of_keyword,),
    ast.IfExp: (of_choice,),
    ast.If: (of_branch,),
    ast.AugAssign: (of_step,),
    ast.Expr: (of_statement,),
    ast.ListComp: (of_list,),
}


def names_swapped(tree: Function, kinds: Sequence[Sequence[str]]) -> Iterator[Change]:
    """Parameters read in the place of others of the same kind: each everywhere, and in one place of several."""
    own = [a.arg for a in (*tree.args.args, *tree.args.kwonlyargs)]
    for kind in kinds:
        for name in own:
            if name not in kind:
                continue
            for other in kind:
                if other != name:
                    yield from _read_as(tree, name, other, own)


def _read_as(tree: Function, name: str, other: str, own: Sequence[str]) -> Iterator[Change]:
    reads = list(_read(tree.body, name))
    args = copy.deepcopy(tree.args)
    if other not in own:
        if not isinstance(tree, ast.Lambda):
            return
        before_needs = len(args.args) - (own[-1] == "needs")
        args.args.insert(before_needs, ast.arg(other))

    def everywhere(node: ast.AST) -> Any:
        return ast.Name(other, ast.Load()) if node in reads else None

    if reads:
        changed = rewritten(tree, everywhere)
        yield Change("swapped operand", name, other, swapped(changed, changed.args, args))
    if len(reads) > 1:
        for read in reads:
            changed = swapped(tree, read, ast.Name(other, ast.Load()))
            yield Change("swapped operand, once", name, other, swapped(changed, changed.args, args))


def _read(node: Any, name: str, closed: Callable[[ast.AST], bool] | None = None) -> Iterator[ast.Name]:
    """Where a name is read outside what is `closed`: by default, what only asks for a shape or a dtype."""
    if isinstance(node, list):
        for part in node:
            yield from _read(part, name, closed)
    elif isinstance(node, ast.Name) and node.id == name and is_read(node):
        yield node
    elif isinstance(node, ast.AST) and not (closed or asks_form)(node):
        for part in ast.iter_child_nodes(node):
            yield from _read(part, name, closed)


def asks_form(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("tally", "zeros_like")
    return isinstance(node, ast.Attribute) and node.attr == "shape"


def is_read(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def names_detached(tree: Function, names: Sequence[str]) -> Iterator[Change]:
    """Saved values that are stale to the second order: the same numbers, cut off from the graph."""
    for name in names:
        reads = list(differentiated(tree.body, name))
        if reads:

            def cut(node: ast.AST, reads: Sequence[ast.AST] = reads) -> Any:
                return called("_detached", node) if node in reads else None

            yield Change("cut off from the graph", name, f"{name}.detach()", rewritten(tree, cut))


def differentiated(node: Any, name: str) -> Iterator[ast.Name]:
    """Where a name is read and a derivative could pass: not in conditions, and not for a shape."""
    return _read(node, name, _flat)


def _flat(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FLAT:
        return True
    return isinstance(node, ast.Compare | ast.Attribute | ast.Lambda)
