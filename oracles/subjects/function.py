"""One function of a user's own as a subject, in the process that it was written in.

A case's program says what the function should compute; the function itself is what runs. It is handed as many of the
case's inputs as it takes: what follows them are constants that the reference brought along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from oracles.answers import Answer, Died, Errored, Hung, Reply, Request, labels
from oracles.program import Case, Input, Program
from oracles.remote import Remote
from oracles.spelling import spell_array
from oracles.subjects import torch as pytorch
from oracles.subjects.autograd import make_vjp
from oracles.subjects.functional import Functional
from oracles.subjects.protocol import Lacking, NDArray, WrongAnswer, all_recorded, recorded_outputs
from oracles.subjects.running import Handed, names_of
from oracles.subjects.torchlike import TorchLike
from oracles.worker import answer

Function = Callable[..., Any]
Forms = list[tuple[tuple[int, ...], str]]


class Library(Protocol):
    """What judging asks of a function in its library."""

    name: str

    @property
    def layouts(self) -> Sequence[str]:
        """The layouts that its tensors can have."""

    def values(self, program: Program, arrays: Sequence[NDArray]) -> list[NDArray]:
        """The function's outputs."""

    def vjp(self, case: Case) -> Answer:
        """Its outputs and gradients."""

    def spelled(self, spec: Input, array: NDArray) -> str:
        """An input as code of the library."""


class InTorch(TorchLike):
    """A function on PyTorch's tensors, or on the engine's: `module` is which. `kinds` are the inputs' own dtypes."""

    def __init__(self, function: Function, module: str, kinds: Sequence[Any], device: Any = "cpu") -> None:
        own = {"from_numpy": self._given, "to_numpy": self._taken} if module == "torch" else {}
        super().__init__(module, module, layouts=("contiguous", "transposed", "strided"), **own)  # type: ignore[arg-type]
        self.function, self.kinds, self.device = function, tuple(kinds), str(device)
        self._forms: Forms | None = None
        self._copied: list[tuple[Any, NDArray]] = []

    def _given(self, torch: Any, array: NDArray) -> Any:
        tensor = pytorch.from_numpy(torch, array)
        if self.device == "cpu":
            return tensor
        self._copied.append((tensor.to(self.device), array))
        return self._copied[-1][0]

    @staticmethod
    def _taken(torch: Any, tensor: Any) -> NDArray:
        return pytorch.to_numpy(torch, tensor.detach().cpu())

    def _outputs(self, program: Program, inputs: list[Any]) -> list[Any]:
        given = [
            x if x.is_floating_point() else x.to(kind) for x, kind in zip(inputs, self.kinds, strict=False)
        ]
        outputs = listed(self.function(*given))
        for k, out in enumerate(outputs):
            if not isinstance(out, self.module.Tensor):
                raise WrongAnswer(f"output {k} is a {type(out).__name__}, not a tensor of {self.name}")
        found = [(tuple(o.shape), str(o.dtype).rpartition(".")[2]) for o in outputs]
        check_forms(found, self._forms)
        return outputs

    def vjp(self, case: Case) -> Answer:
        """The case's outputs and gradients; on another device, also what was written into there."""
        self._forms, self._copied = forms_of(case), []
        try:
            answer = super().vjp(case)
            if not self._copied:
                return answer
            watched = zip(names_of(case), self._copied, strict=False)
            changed = [n for n, (t, a) in watched if self._taken(self.module, t).tobytes() != a.tobytes()]
            return msgspec.structs.replace(answer, changed=tuple(changed))
        finally:
            self._forms, self._copied = None, []

    def _second(
        self, case: Case, gradients: Any, leaves: list[Any], cotangents: list[Any]
    ) -> tuple[Any, Any]:
        for gradient in gradients:
            if (
                type(getattr(gradient, "grad_fn", None)).__name__ == "Error"
            ):  # once_differentiable leaves this node
                raise Lacking("the function refuses the second order: it is marked once_differentiable")
        return super()._second(case, gradients, leaves, cotangents)

    def spelled(self, spec: Input, array: NDArray) -> str:
        """An input as code, with what makes it a leaf."""
        name = self.module_name
        leaf = ", requires_grad=True" if spec.requires_grad else ""
        shape = f".reshape{tuple(array.shape)}" if not array.size else ""
        return f"{name}.tensor({spell_array(array)}, dtype={name}.{array.dtype.name}{leaf}){shape}"


class InNumPy(Functional):
    """A function on NumPy arrays that HIPS autograd differentiates."""

    layouts = ("contiguous", "transposed", "strided", "reversed")

    def __init__(self, function: Function, count: int) -> None:
        super().__init__("autograd", {"np": "autograd.numpy"}, {}, make_vjp)
        self.function, self.count = function, count

    def _outputs(self, program: Program, inputs: list[Any]) -> tuple[Any, ...]:
        return tuple(listed(self.function(*inputs[: self.count])))

    def vjp(self, case: Case) -> Answer:
        """The case's outputs and gradients, once its outputs are known to be what they should."""
        found = [
            (np.shape(v), np.asarray(v).dtype.name)
            for v in self.values(case.program, Handed(case).arrays[: self.count])
        ]
        check_forms(found, forms_of(case))
        return super().vjp(case)

    def spelled(self, spec: Input, array: NDArray) -> str:
        """An input as code."""
        return spelled_array(array)


class InAny:
    """A function of any library, by a callable `vjp(function, inputs, cotangents)` -> (outputs, gradients)."""

    name = "the library"
    layouts = ("contiguous",)

    def __init__(self, function: Function, vjp: Function, count: int) -> None:
        self.function, self.pull, self.count = function, vjp, count

    def values(self, program: Program, arrays: Sequence[NDArray]) -> list[NDArray]:
        """The function's outputs for these arrays."""
        return [np.asarray(v) for v in listed(self.function(*arrays[: self.count]))]

    def vjp(self, case: Case) -> Answer:
        """What the callable answers.

        Raises:
            Lacking: the second order was asked for.
        """
        if case.order == 2:
            raise Lacking("vjp= gives gradients of the first order alone")
        handed = Handed(case)
        inputs, cotangents = handed.arrays[: self.count], handed.arrays[len(case.inputs) :]
        both = self.pull(self.function, tuple(inputs), tuple(cotangents))
        if not isinstance(both, tuple) or len(both) != 2:
            raise WrongAnswer("vjp= answered something else than (outputs, gradients)")
        outputs, gradients = (list(part) if isinstance(part, tuple | list) else [part] for part in both)
        if len(gradients) == self.count:  # one for each input: those of integers and masks mean nothing
            gradients = [gradients[n] for n in case.program.differentiated]
        found = recorded_outputs([np.asarray(v) for v in outputs], labels(case, "outputs"))
        check_forms([(a.shape, a.dtype) for a in found], forms_of(case))
        arrays = [None if g is None else np.asarray(g) for g in gradients]
        return Answer(found, all_recorded(arrays, labels(case, "gradients")), changed=handed.changed())

    def spelled(self, spec: Input, array: NDArray) -> str:
        """An input as code."""
        return spelled_array(array)


class Local(Remote):
    """A subject in this process: it is asked as one in a worker is, and nothing outlives its crash."""

    def __init__(self, subject: Any) -> None:
        super().__init__(subject.name)
        self.here = subject

    def ask(self, body: Request, timeout: float | None = None) -> Reply | Died | Hung:
        """The subject's reply.

        Raises:
            KeyboardInterrupt: the user ended it.
        """
        with np.errstate(all="ignore"):
            reply = answer(self.here, body)
        if isinstance(reply, Errored) and reply.type == "KeyboardInterrupt":
            raise KeyboardInterrupt
        return reply


def listed(result: Any) -> list[Any]:
    """A function's result, one or several, as a list."""
    return list(result) if isinstance(result, tuple | list) else [result]


def forms_of(case: Case) -> Forms:
    """The shape and dtype of each output, which are its cotangent's."""
    return [(c.shape, c.dtype) for c in case.cotangents]


def check_forms(found: Forms, expected: Forms | None) -> None:
    """Refuse outputs of another number, shape or dtype than the reference has.

    Raises:
        WrongAnswer: the message says which, and what was expected.
    """
    if expected is None:
        return
    if len(found) != len(expected):
        raise WrongAnswer(f"the function gives {len(found)} outputs, the reference {len(expected)}")
    for k, (own, other) in enumerate(zip(found, expected, strict=True)):
        for what, a, b in zip(("shape", "dtype"), own, other, strict=True):
            if a != b:
                raise WrongAnswer(f"output {k} has {what} {a}, the reference's has {what} {b}")


def spelled_array(array: NDArray) -> str:
    """An array as NumPy's code."""
    shape = f".reshape{tuple(array.shape)}" if not array.size else ""
    return f'numpy.array({spell_array(array)}, dtype="{array.dtype.name}"){shape}'
