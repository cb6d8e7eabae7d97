"""Libraries of functions: namespaces of NumPy's kind, and a way to pull cotangents back."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

import numpy as np

from oracles.answers import Answer, Check, labels
from oracles.program import Case, Program, Step
from oracles.scripts import script
from oracles.subjects.printing import functional_code
from oracles.subjects.protocol import Lacking, NDArray, all_recorded, recorded_outputs
from oracles.subjects.running import OPERATORS, Handed, index_of, outputs_of, run, settings_of

Formula = Callable[..., Any]
Arrays = tuple[Any, ...]
MakeVjp = Callable[[Callable[..., Arrays], Arrays], tuple[Arrays, Callable[[Arrays], Arrays]]]


class Functional:
    """A subject that is a library of functions.

    `namespaces` maps each name that formulas may ask for to the module it stands for. `ops` holds, for each
    op's name in the catalogue, one formula (a lambda or a def): its parameters that are names of namespaces
    receive them, the others the operands in PyTorch's order and the settings by PyTorch's keyword; or the
    reason (text) why the library lacks the op. Arithmetic and indexing by Python's operators need no formula.
    A formula of several outputs may give the first alone. `make_vjp(function, args)` answers the tuple of the
    function's outputs and the function from a tuple of cotangents to the tuple of gradients; its source is
    printed in scripts, so it imports what it uses. `limit(step, operands)` gives a reason where the library
    has the op but means something else by these operands.
    """

    def __init__(
        self,
        name: str,
        namespaces: Mapping[str, str],
        ops: Mapping[str, Formula | str],
        make_vjp: MakeVjp,
        *,
        dtypes: Sequence[str] = ("float16", "float32", "float64"),
        limit: Callable[[Step, list[Any]], str] = lambda step, operands: "",
    ) -> None:
        self.name = name
        self.namespaces = dict(namespaces)
        self.ops = dict(ops)
        self.make_vjp = make_vjp
        self.dtypes = tuple(dtypes)
        self._limit = limit
        self._wanted = {op: _parameters(f) for op, f in self.ops.items() if not isinstance(f, str)}

    @cached_property
    def modules(self) -> dict[str, Any]:
        """The namespaces, imported when they are first needed."""
        return {name: importlib.import_module(module) for name, module in self.namespaces.items()}

    def versions(self) -> dict[str, str]:
        """The version of each distribution that a namespace comes from."""
        found: dict[str, str] = {}
        for module in self.modules.values():
            package = module.__name__.partition(".")[0]
            for distribution in packages_distributions().get(package, (package,)):
                try:
                    found[distribution] = version(distribution)
                except PackageNotFoundError:
                    found[distribution] = str(getattr(module, "__version__", "unknown"))
        return {**found, "numpy": np.__version__}

    def supports(self, step: Step) -> str:
        """Nothing if the library has this step as one op of its own, else the reason why not."""
        formula = self.ops.get(step.op)
        if isinstance(formula, str):
            return formula
        if formula is None and step.op not in (*OPERATORS, "neg", "getitem"):
            return f"{self.name} has no {step.op}"
        has = self._wanted.get(step.op, ())
        extra = [k for k in settings_of(step, lambda name: name in has) if k not in has]
        return f"{self.name}: {step.op} has no {' and no '.join(extra)}" if extra else ""

    def apply(self, namespaces: Mapping[str, Any], step: Step, operands: list[Any]) -> Any:
        """The step's result on arrays with the real modules, or its spelling on names with spelled ones.

        Raises:
            Lacking: the library has no such op, or not with these settings.
        """
        reason = self.supports(step)
        if reason:
            raise Lacking(reason, step.op)
        formula = self.ops.get(step.op)
        if callable(formula):
            wanted = self._wanted[step.op]
            spaces = {name: namespaces[name] for name in wanted if name in namespaces}
            settings = settings_of(step, lambda name: name in wanted)
            arguments = iter(operands)
            bound = [
                spaces[n] if n in spaces else next(arguments) for n in wanted[: len(spaces) + len(operands)]
            ]
            return formula(*bound, *arguments, **settings)  # a formula may take any number of operands
        if step.op == "getitem":
            return operands[0][index_of(step, operands)]
        return -operands[0] if step.op == "neg" else OPERATORS[step.op](*operands)

    def _apply(self, step: Step, operands: list[Any]) -> Any:
        reason = self._limit(step, operands)
        if reason:
            raise Lacking(reason, step.op)
        return self.apply(self.modules, step, operands)

    def values(self, program: Program, arrays: Sequence[NDArray]) -> list[NDArray]:
        """The program's outputs for these inputs, without a tape."""
        self._refuse_dtypes([a.dtype.name for a in arrays])
        return [np.asarray(v) for v in self._outputs(program, list(arrays))]

    def _outputs(self, program: Program, inputs: list[Any]) -> Arrays:
        return tuple(outputs_of(program, run(program, inputs, self._apply)))

    def vjp(self, case: Case) -> Answer:
        """The case's outputs and its gradients of first and, at order 2, second order.

        Raises:
            Lacking: the library has no such op or dtype.
            WrongAnswer: something that should be an array is not.
        """
        self._refuse_dtypes([a.dtype for a in (*case.inputs, *case.cotangents)])
        handed = Handed(case)
        inputs = handed.arrays[: len(case.inputs)]
        cotangents = tuple(handed.arrays[len(case.inputs) :])
        differentiated = case.program.differentiated
        leaves = tuple(inputs[n] for n in differentiated)

        def program(*given: Any) -> Arrays:
            values: list[Any] = list(inputs)
            for number, value in zip(differentiated, given, strict=True):
                values[number] = value
            return self._outputs(case.program, values)

        if not leaves:
            return Answer(
                recorded_outputs(program(), labels(case, "outputs")),
                (),
                (),
                (None,) * len(cotangents) if case.order == 2 else (),
            )
        outputs, pull = self.make_vjp(program, leaves)
        found = recorded_outputs(outputs, labels(case, "outputs"))
        first = all_recorded(pull(cotangents), labels(case, "gradients"))
        second = self._second(case, program, leaves, cotangents) if case.order == 2 else ((), ())
        return Answer(found, first, second[0], second[1], handed.changed())

    def _second(self, case: Case, program: Formula, leaves: Arrays, cotangents: Arrays) -> tuple[Any, Any]:
        """The second-order gradients with respect to the inputs, and to the cotangents."""

        def gradients_of(*given: Any) -> Arrays:
            _, pull = self.make_vjp(program, given[: len(leaves)])
            return pull(given[len(leaves) :])

        _, pull = self.make_vjp(gradients_of, leaves + cotangents)
        found = pull(tuple(w.numpy() for w in case.seconds))
        arrays = all_recorded(found, labels(case, "seconds") + labels(case, "second_cotangents"))
        return arrays[: len(leaves)], arrays[len(leaves) :]

    def _refuse_dtypes(self, dtypes: Sequence[str]) -> None:
        for dtype in dtypes:
            if dtype not in (*self.dtypes, "int64", "bool"):
                raise Lacking(f"{self.name} has no {dtype}")

    def code(self, case: Case) -> str:
        """The case's inputs and steps as this library's code."""
        return functional_code(self, case).program

    def script(self, case: Case, checks: Sequence[Check], message: str = "", raises: str = "") -> str:
        """A script that compares what the library computes with what is expected; see `oracles.scripts`."""
        return script(functional_code(self, case), case, checks, message, raises)


def _parameters(formula: Formula) -> tuple[str, ...]:
    return tuple(inspect.signature(formula).parameters)
