"""A case as code of a library: the same formulas that run, run on names."""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import textwrap
from collections.abc import Callable, Sequence
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from oracles.answers import labels
from oracles.arrays import Array
from oracles.program import Case, Program, Step
from oracles.scripts import Code
from oracles.spelling import Spelled, identifiers, spell, spell_array
from oracles.subjects.protocol import Lacking, NDArray
from oracles.subjects.running import base_and_view, run

if TYPE_CHECKING:
    from oracles.subjects.functional import Functional
    from oracles.subjects.torchlike import TorchLike


class Names:
    """A valid and distinct identifier for everything in a case that has a name in its code."""

    def __init__(self, case: Case, taken: Sequence[str]) -> None:
        program, count = case.program, len(case.cotangents)
        used = list(taken)
        self.values = self._choose(program.names, used)
        self.leaves = [self.values[n] for n in program.differentiated]
        self.cotangents = self._choose(
            ["cotangent"] if count == 1 else [f"cotangent_{k}" for k in range(count)], used
        )
        self.gradients = self._choose([f"gradient_{name}" for name in self.leaves], used)
        self.weights = (
            self._choose([f"weight_{name}" for name in self.leaves], used) if case.order == 2 else []
        )
        second = [f"second_{name}" for name in self.leaves + self.cotangents] if case.order == 2 else []
        self.second = self._choose(second, used)

    @staticmethod
    def _choose(names: Sequence[str], used: list[str]) -> list[str]:
        chosen = identifiers(names, used)
        used.extend(chosen)
        return chosen

    def results(self, case: Case) -> dict[str, str]:
        """The name in code of each array of the answer, by its name in records."""
        found = {
            label: self.values[n]
            for label, n in zip(labels(case, "outputs"), case.program.outputs, strict=True)
        }
        found.update(zip(labels(case, "gradients"), self.gradients, strict=True))
        seconds = labels(case, "seconds") + labels(case, "second_cotangents")
        found.update(zip(seconds, self.second, strict=False))
        return found


def steps_of(
    program: Program, names: Sequence[str], apply: Callable[[Step, list[Any]], Any], alone: bool
) -> list[str]:
    """One assignment for each step; with `alone`, a single expression is the first of several outputs."""
    lines: list[str] = []
    number = len(program.inputs)

    def write(step: Step, operands: list[Any]) -> Any:
        nonlocal number
        targets = list(names[number : number + step.outputs])
        number += step.outputs
        result = apply(step, operands)
        many = isinstance(result, tuple)
        if many or alone:
            targets = targets[: len(result) if many else 1]
        lines.append(f"{', '.join(targets)} = {', '.join(map(spell, result)) if many else spell(result)}")
        spelled = tuple(Spelled(t) for t in targets)
        return spelled[0] if step.outputs == 1 else spelled

    values = run(program, [Spelled(n) for n in names[:number]], write)
    if not all(isinstance(values[n], Spelled) for n in program.outputs):
        raise Lacking("an output of the program is a result that the library does not give")
    return lines


def unpacked(names: Sequence[str]) -> str:
    """Names as the target of an assignment from a tuple."""
    return f"({names[0]},)" if len(names) == 1 else ", ".join(names)


def listed(names: Sequence[str]) -> str:
    """Names as a list."""
    return f"[{', '.join(names)}]"


def paired(names: Sequence[str]) -> str:
    """Names as a tuple."""
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def torchlike_code(subject: TorchLike, case: Case) -> Code:
    """The case for a library of PyTorch's shape.

    Raises:
        Lacking: the library has no such op.
    """
    torch = subject.module_name.rpartition(".")[2]
    names = Names(case, (torch, "pairs", "gradients", "compute"))
    second = case.order == 2
    lines = [f"import {subject.module_name}" + (f" as {torch}" if torch != subject.module_name else ""), ""]

    def tensor(array: Array, layout: str = "contiguous", leaf: bool = False) -> str:
        held = layout if layout in subject.layouts else "contiguous"
        base, view = base_and_view(array.numpy(), held, "permute")
        empty = f".reshape({spell(tuple(base.shape))})" if not base.size else ""
        made = Spelled(f"{torch}.tensor({_elements(base)}, dtype={torch}.{array.dtype}){empty}")
        return f"{view(made)}{'.requires_grad_()' if leaf else ''}"

    inputs = [
        f"{name} = {tensor(array, given.layout, given.requires_grad)}"
        for name, array, given in zip(names.values, case.inputs, case.program.inputs, strict=False)
    ]
    lines += inputs
    lines += [
        f"{n} = {tensor(c, leaf=second)}" for n, c in zip(names.cotangents, case.cotangents, strict=True)
    ]
    lines += [f"{n} = {tensor(w)}" for n, w in zip(names.weights, case.seconds, strict=False)]
    module = Spelled(torch)
    steps = steps_of(case.program, names.values, lambda s, o: subject.apply(module, s, o), alone=False)
    lines += ["", *steps, ""]
    lines += _torchlike_gradients(case, names, torch)
    return Code(
        "\n".join(lines) + "\n",
        "\n".join([*inputs, *steps]) + "\n",
        names.results(case),
        "value.detach().reshape(-1).tolist()",
        subject.versions(),
    )


def _torchlike_gradients(case: Case, names: Names, torch: str) -> list[str]:
    reached = _reached(case.program)
    pairs = [
        (names.values[n], c)
        for n, c in zip(case.program.outputs, names.cotangents, strict=True)
        if n in reached
    ]
    leaves = names.leaves
    if not leaves or not pairs:
        return [f"{name} = None  # nothing to differentiate" for name in names.gradients + names.second]
    outputs, cotangents = listed([y for y, _ in pairs]), listed([c for _, c in pairs])
    graph = ", create_graph=True" if case.order == 2 else ""
    grad = f"{torch}.autograd.grad"
    lines = [f"gradients = {grad}({outputs}, {listed(leaves)}, {cotangents}{graph}, allow_unused=True)"]
    lines.append(f"{unpacked(names.gradients)} = gradients")
    if case.order == 2:
        wanted = listed(leaves + names.cotangents)
        lines += [
            "",
            f"pairs = list(zip(gradients, {listed(names.weights)}))",
            "pairs = [(g, w) for g, w in pairs if g is not None and g.requires_grad]",
            f"{unpacked(names.second)} = [None] * {len(names.second)}",
            "if pairs:",
            f"    {unpacked(names.second)} = {grad}(",
            f"        [g for g, _ in pairs], {wanted}, [w for _, w in pairs], allow_unused=True",
            "    )",
        ]
    return lines


def _reached(program: Program) -> set[int]:
    """The values that depend on a differentiated input; the indices of a maximum do not."""
    reached = set(program.differentiated)
    for number, step in enumerate(program.steps):
        if reached.intersection(step.refs()):
            reached.add(program.first_output(number))
    return reached


def functional_code(subject: Functional, case: Case) -> Code:
    """The case for a library of functions.

    Raises:
        Lacking: the library has no such op.
    """
    spaces = subject.namespaces
    numpy = identifiers(["numpy"], spaces)[0]
    names = Names(case, (*spaces, numpy, "make_vjp", "program", "gradients_of", "outputs", "pull", "compute"))
    lines = [f"import numpy{'' if numpy == 'numpy' else f' as {numpy}'}"]
    if any(a.dtype == "bfloat16" for a in case.inputs):
        lines.append("import ml_dtypes")
    lines += [
        f"import {module} as {name}" for name, module in spaces.items() if (name, module) != (numpy, "numpy")
    ]
    lines += ["", *make_vjp_source(subject.make_vjp), ""]

    def array(value: Array, layout: str = "contiguous") -> str:
        base, view = base_and_view(value.numpy(), layout)
        empty = f".reshape({spell(tuple(base.shape))})" if not base.size else ""
        return str(view(Spelled(f'{numpy}.array({_elements(base)}, dtype="{value.dtype}"){empty}')))

    inputs = [
        f"{name} = {array(value, given.layout)}"
        for name, value, given in zip(names.values, case.inputs, case.program.inputs, strict=False)
    ]
    lines += inputs
    lines += [f"{n} = {array(c)}" for n, c in zip(names.cotangents, case.cotangents, strict=True)]
    lines += [f"{n} = {array(w)}" for n, w in zip(names.weights, case.seconds, strict=False)]
    modules = {name: Spelled(name) for name in spaces}
    body = steps_of(case.program, names.values, lambda s, o: subject.apply(modules, s, o), alone=True)
    outputs = [names.values[n] for n in case.program.outputs]
    lines += ["", f"def program({', '.join(names.leaves)}):"]
    lines += [f"    {line}" for line in (*body, f"return {paired(outputs)}")]
    lines += ["", *_functional_gradients(case, names)]
    results = names.results(case)
    results.update({label: f"outputs[{k}]" for k, label in enumerate(labels(case, "outputs"))})
    return Code(
        "\n".join(lines) + "\n",
        "\n".join([*inputs, *body]) + "\n",
        results,
        "numpy.asarray(value).reshape(-1).tolist()",
        subject.versions(),
    )


def _functional_gradients(case: Case, names: Names) -> list[str]:
    if not names.leaves:
        return ["outputs = program()", *(f"{name} = None" for name in names.second)]
    leaves, cotangents = paired(names.leaves), paired(names.cotangents)
    lines = [
        f"outputs, pull = make_vjp(program, {leaves})",
        f"{unpacked(names.gradients)} = pull({cotangents})",
    ]
    if case.order == 2:
        both = names.leaves + names.cotangents
        lines += [
            "",
            f"def gradients_of({', '.join(both)}):",
            f"    _, pull = make_vjp(program, {leaves})",
            f"    return pull({cotangents})",
            "",
            f"_, pull = make_vjp(gradients_of, {paired(both)})",
            f"{unpacked(names.second)} = pull({paired(names.weights)})",
        ]
    return lines


def make_vjp_source(make_vjp: Any) -> list[str]:
    """Lines that define `make_vjp`: its own source if that stands alone, else an import of it."""
    home, name = getattr(make_vjp, "__module__", None), getattr(make_vjp, "__qualname__", "")
    if isinstance(make_vjp, FunctionType) and name.isidentifier() and not _outside(make_vjp.__code__):
        tree = ast.parse(textwrap.dedent(inspect.getsource(make_vjp)))
        lines = ast.unparse(_Unannotated().visit(tree)).splitlines()
        return lines if name == "make_vjp" else [*lines, "", f"make_vjp = {name}"]
    if home and name.isidentifier() and not home.startswith("subject_file_"):
        return [f"from {home} import {name} as make_vjp"]
    return [
        "import importlib.util",
        "",
        f'spec = importlib.util.spec_from_file_location("subject_file", {inspect.getsourcefile(make_vjp)!r})',
        "subject_file = importlib.util.module_from_spec(spec)",
        "spec.loader.exec_module(subject_file)",
        "make_vjp = subject_file.subject.make_vjp",
    ]


class _Unannotated(ast.NodeTransformer):
    """Takes annotations away: they name types that only the function's own module imports."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """A function that says nothing of types."""
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """A parameter that says nothing of its type."""
        node.annotation = None
        return node


def _outside(code: CodeType) -> set[str]:
    """The names that a function and those in it take from their module, or from around them."""
    used = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"} - set(dir(builtins))
    inner = [_outside(c) for c in code.co_consts if isinstance(c, CodeType)]
    return used.union(*inner)


def _elements(array: NDArray) -> str:
    return spell_array(array) if array.size else "[]"
