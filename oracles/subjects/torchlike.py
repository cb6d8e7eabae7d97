"""Libraries of PyTorch's shape: tensors that record, functions under PyTorch's names, `autograd.grad`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from oracles.answers import Answer, Check, labels
from oracles.program import Case, Program, Scalar, Step
from oracles.scripts import script
from oracles.signatures import call
from oracles.subjects.printing import torchlike_code
from oracles.subjects.protocol import Lacking, NDArray, WrongAnswer, all_recorded, recorded_outputs
from oracles.subjects.running import OPERATORS, Handed, index_of, outputs_of, run, settings_of

NO_DTYPE = "Low precision dtypes not supported"
"""How PyTorch says, without a NotImplementedError, that an op lacks a dtype."""
METHODS = ("expand", "repeat", "view")


def from_numpy(module: Any, array: NDArray) -> Any:
    """A tensor over the array's own memory, in its layout."""
    return module.from_numpy(array)


def to_numpy(module: Any, tensor: Any) -> NDArray:
    """The tensor's elements as an array."""
    array: NDArray = tensor.detach().numpy()
    return array


class TorchLike:
    """A subject of PyTorch's shape.

    `module` is the name to import. `ops` holds what differs: for an op's name a formula over the module, the
    operands and the settings, or the reason (text) why the library lacks it. `layouts` are the layouts its
    tensors can hold; an input in another is handed over contiguous.
    """

    def __init__(
        self,
        name: str,
        module: str,
        *,
        ops: Mapping[str, Callable[..., Any] | str] | None = None,
        dtypes: Sequence[str] = ("float16", "bfloat16", "float32", "float64"),
        layouts: Sequence[str] = ("contiguous", "transposed", "strided"),  # PyTorch has no negative strides
        from_numpy: Callable[[Any, NDArray], Any] = from_numpy,
        to_numpy: Callable[[Any, Any], NDArray] = to_numpy,
        prepare: Callable[[Any], None] = lambda module: None,
    ) -> None:
        self.name = name
        self.module_name = module
        self.ops = dict(ops or {})
        self.dtypes = tuple(dtypes)
        self.layouts = tuple(layouts)
        self._from_numpy = from_numpy
        self._to_numpy = to_numpy
        self._prepare = prepare

    @cached_property
    def module(self) -> Any:
        """The library, imported when it is first needed."""
        module = importlib.import_module(self.module_name)
        self._prepare(module)
        return module

    @property
    def tape(self) -> Any:
        """What clauses are asked of: the library itself."""
        return self.module

    def versions(self) -> dict[str, str]:
        """The version of the library and of NumPy."""
        found = getattr(self.module, "__version__", None)
        if found is None:
            try:
                found = version(self.module_name)
            except PackageNotFoundError:
                found = "unknown"
        return {self.module_name: str(found), "numpy": np.__version__}

    def supports(self, step: Step) -> str:
        """Nothing if the library has this step's op, else the reason why not."""
        own = self.ops.get(step.op)
        if own is not None:
            return own if isinstance(own, str) else ""
        if step.op in OPERATORS or step.op in ("getitem", "neg"):
            return ""
        home, what = (
            (self.module.Tensor, "tensors have") if step.op in METHODS else (self.module, "the module has")
        )
        return "" if _find(home, step.op) is not None else f"{self.name}: {what} no {step.op}"

    def apply(self, module: Any, step: Step, operands: list[Any]) -> Any:
        """The step's result on tensors with the real module, or its spelling on names with a spelled one.

        Raises:
            Lacking: the library has no such op.
        """
        reason = self.supports(step)
        if reason:
            raise Lacking(reason, step.op)
        own = self.ops.get(step.op)
        if callable(own):
            return own(module, *operands, **step.settings)
        if step.op == "getitem":
            return operands[0][index_of(step, operands)]
        if step.op == "neg":
            return -operands[0]
        if step.op in OPERATORS and not settings_of(step, lambda name: False):
            return OPERATORS[step.op](*operands)
        if step.op in METHODS:
            return getattr(operands[0], step.op)(*operands[1:], **step.settings)
        if step.op in OPERATORS and isinstance(step.operands[0], Scalar):
            raise Lacking(f"{step.op} of a number and a tensor takes no {', '.join(step.settings)}", step.op)
        arguments, keywords = call(step.op, operands, step.settings)
        try:
            return _find(module, step.op)(*arguments, **keywords)
        except RuntimeError as error:
            if NO_DTYPE in str(error):
                raise Lacking(str(error), step.op) from error
            raise

    def values(self, program: Program, arrays: Sequence[NDArray]) -> list[NDArray]:
        """The program's outputs for these inputs, without a tape."""
        self._refuse_dtypes([a.dtype.name for a in arrays])
        inputs = [self._from_numpy(self.module, a) for a in arrays]
        with self.module.no_grad():
            outputs = self._outputs(program, inputs)
        return [self._array(v, f"output {k}") for k, v in enumerate(outputs)]

    def _outputs(self, program: Program, inputs: list[Any]) -> list[Any]:
        values = run(program, inputs, lambda step, operands: self.apply(self.module, step, operands))
        return outputs_of(program, values)

    def vjp(self, case: Case) -> Answer:
        """The case's outputs and its gradients of first and, at order 2, second order.

        Raises:
            Lacking: the library has no such op or dtype.
            WrongAnswer: something that should be a tensor is not.
        """
        return self._answer(case, self._grad)

    def again(self, case: Case) -> Answer:
        """The same asked a second time, to first order by the library's other door: `backward`, then `.grad`."""
        other = case.order == 1 and hasattr(self.module.autograd, "backward")
        return self._answer(case, self._backward if other else self._grad)

    def _answer(self, case: Case, pull: Callable[..., tuple[Any, ...]]) -> Answer:
        self._refuse_dtypes([a.dtype for a in (*case.inputs, *case.cotangents)])
        handed = Handed(case, lambda asked: asked if asked in self.layouts else "contiguous")
        tensors = [self._from_numpy(self.module, a) for a in handed.arrays]
        inputs, cotangents = tensors[: len(case.inputs)], tensors[len(case.inputs) :]
        leaves = [inputs[n].requires_grad_() for n in case.program.differentiated]
        if case.order == 2:
            cotangents = [c.requires_grad_() for c in cotangents]
        outputs = self._outputs(case.program, inputs)
        gradients = pull(outputs, leaves, cotangents, create_graph=case.order == 2)
        found = self._record(outputs, labels(case, "outputs"), recorded_outputs)
        first = self._record(gradients, labels(case, "gradients"))
        second = self._second(case, gradients, leaves, cotangents) if case.order == 2 else ((), ())
        return Answer(found, first, second[0], second[1], handed.changed())

    def _second(
        self, case: Case, gradients: Any, leaves: list[Any], cotangents: list[Any]
    ) -> tuple[Any, Any]:
        """The second-order gradients with respect to the inputs, and to the cotangents."""
        weights = [self._from_numpy(self.module, w.numpy()) for w in case.seconds]
        found = self._grad(gradients, leaves + cotangents, weights)
        arrays = self._record(found, labels(case, "seconds") + labels(case, "second_cotangents"))
        return arrays[: len(leaves)], arrays[len(leaves) :]

    def _grad(self, outputs: Any, inputs: Any, weights: Any, create_graph: bool = False) -> tuple[Any, ...]:
        """`autograd.grad` of those outputs that depend on anything; None for every input where none does."""
        given = [(y, w) for y, w in zip(outputs, weights, strict=True) if y is not None and y.requires_grad]
        if not given or not inputs:
            return (None,) * len(inputs)
        ys, ws = zip(*given, strict=True)
        found: tuple[Any, ...] = self.module.autograd.grad(
            list(ys), list(inputs), list(ws), create_graph=create_graph, allow_unused=True
        )
        return found

    def _backward(self, outputs: Any, leaves: Any, weights: Any, create_graph: bool) -> tuple[Any, ...]:
        """What `backward` leaves in the `.grad` of the leaves."""
        given = [(y, w) for y, w in zip(outputs, weights, strict=True) if y.requires_grad]
        if given:
            ys, ws = zip(*given, strict=True)
            self.module.autograd.backward(list(ys), list(ws), create_graph=create_graph)
        return tuple(leaf.grad for leaf in leaves)

    def _array(self, value: Any, argument: str) -> Any:
        if value is None:
            return None
        if not isinstance(value, self.module.Tensor):
            raise WrongAnswer(f"{argument} is a {type(value).__name__}, not a tensor")
        return self._to_numpy(self.module, value)

    def _record(self, values: Any, arguments: list[str], record: Callable[..., Any] = all_recorded) -> Any:
        if isinstance(values, tuple | list) and len(values) == len(arguments):
            values = [self._array(v, a) for v, a in zip(values, arguments, strict=True)]
        return record(values, arguments)

    def _refuse_dtypes(self, dtypes: Sequence[str]) -> None:
        for dtype in dtypes:
            if dtype not in (*self.dtypes, "int64", "bool"):
                raise Lacking(f"{self.name} has no {dtype}")

    def code(self, case: Case) -> str:
        """The case's inputs and steps as this library's code."""
        return torchlike_code(self, case).program

    def script(self, case: Case, checks: Sequence[Check], message: str = "", raises: str = "") -> str:
        """A script that compares what the library computes with what is expected; see `oracles.scripts`."""
        return script(torchlike_code(self, case), case, checks, message, raises)


def _find(home: Any, path: str) -> Any:
    """What stands at a dotted path under a module, real or spelled; None if there is nothing."""
    for part in path.split("."):
        home = getattr(home, part, None)
    return home
