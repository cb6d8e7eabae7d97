"""micrograd: one class, Value, a number that remembers what it was made of: tensors of no dimension, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.answers import Answer
from oracles.clauses.shape import Kind, Lacks, Shape
from oracles.program import Case, Program, Scalar, Step
from oracles.subjects.protocol import Lacking, NDArray
from oracles.subjects.taped import Taped

FUNCTIONS: dict[str, Any] = {"relu": lambda x: x.relu()}
SCALARS = "micrograd has numbers alone, no tensors with dimensions"
GRADIENTS = "micrograd has no requires_grad: every Value receives a gradient"


def _tensor(engine: Any, data: Any, requires_grad: Any = None) -> Any:
    """Every Value receives a gradient; there is no flag."""
    if not isinstance(data, float):
        raise Lacks(SCALARS if isinstance(data, list) else f"micrograd has no {type(data).__name__} tensors")
    if requires_grad is False:
        raise Lacks(GRADIENTS)
    return engine.Value(data)


def _zeroed(builtins: Any, x: Any, value: Any) -> Any:
    """micrograd's way to take a gradient away, as its own zero_grad does it."""
    if value is not None:
        raise Lacks("micrograd's gradients are numbers")
    return builtins.setattr(x, "grad", 0)


VALUE = Kind(
    values=lambda value: value.data,
    attributes={
        "grad": lambda x: x.grad,
        "data": lambda x: x.data,
        "requires_grad": GRADIENTS,
        "is_leaf": "micrograd has no leaves: every Value receives a gradient",
        "grad_fn": "micrograd's graph is made of its Values",
        "_version": "micrograd counts no versions",
    },
    methods={
        "backward": lambda x: x.backward(),
        "item": lambda x: x.data,
        "requires_grad_": GRADIENTS,
        "detach": "micrograd has no detach",
        "register_hook": "micrograd has no hooks",
        "retain_grad": "micrograd's results always keep their gradient",
    },
    written={"grad": _zeroed},
)
SHAPE = Shape(
    "micrograd",
    {"engine": "micrograd.engine", "builtins": "builtins"},
    {"micrograd.engine.Value": VALUE},
    {
        **FUNCTIONS,
        "tensor": _tensor,
        "nn.functional.relu": FUNCTIONS["relu"],
        "ones": SCALARS,
        "zeros": SCALARS,
        "no_grad": "micrograd has no grad modes",
        "enable_grad": "micrograd has no grad modes",
        "set_grad_enabled": "micrograd has no grad modes",
        "autograd.grad": "micrograd has no autograd.grad",
        "autograd.backward": "micrograd's backward starts from one Value",
    },
)


def make_vjp(function: Any, args: Any) -> Any:
    """The function's output, and the function from a tuple of one cotangent to the tuple of gradients.

    micrograd's backward takes no gradient and starts from 1, so the cotangent is a factor.
    """
    import numpy as np
    from micrograd.engine import Value

    leaves = [Value(a.item()) for a in args]
    outputs = function(*leaves)

    def pull(cotangents: Any) -> Any:
        (outputs[0] * cotangents[0].item()).backward()
        return tuple(np.array(leaf.grad, dtype=np.float64) for leaf in leaves)

    return tuple(np.array(y.data, dtype=np.float64) for y in outputs), pull


def limit(step: Step, operands: list[Any]) -> str:
    """Where micrograd has the op, but not of these operands: why, else nothing."""
    if step.op == "pow" and not isinstance(step.operands[1], Scalar):
        return "micrograd's powers are numbers"
    if step.op == "pow" and not hasattr(operands[0], "data"):
        return "micrograd raises no number to a power"
    return ""


class MicroGrad(Taped):
    """Numbers in, numbers out."""

    def _outputs(self, program: Program, inputs: list[Any]) -> tuple[Any, ...]:
        value = self.modules["engine"].Value
        if any(i.shape for i in program.inputs):
            raise Lacking(SCALARS)
        return super()._outputs(program, [x if isinstance(x, value) else value(x.item()) for x in inputs])

    def values(self, program: Program, arrays: Sequence[NDArray]) -> list[NDArray]:
        """The program's outputs for these inputs."""
        self._refuse_dtypes([a.dtype.name for a in arrays])
        return [np.array(v.data, dtype=np.float64) for v in self._outputs(program, list(arrays))]

    def vjp(self, case: Case) -> Answer:
        """As `Taped.vjp`, of numbers."""
        if any(i.shape for i in case.program.inputs):
            raise Lacking(SCALARS)
        return super().vjp(case)


subject = MicroGrad(
    "micrograd",
    {"engine": "micrograd.engine"},
    {**FUNCTIONS, "getitem": "micrograd has numbers alone, nothing to index"},
    make_vjp,
    dtypes=("float64",),
    limit=limit,
    shape=SHAPE,
    single="micrograd's backward starts from one Value",
    first="micrograd's gradients are numbers without a graph: there is no second order",
)
