"""What is asked of one function: the function in its library, its definition, and how a case is made of a point."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from oracles.answers import Answer, Unsupported
from oracles.around import NDArray, Point
from oracles.arrays import Array
from oracles.budget.accuracy import precision
from oracles.comparison import Compared
from oracles.differences import judge_by_differences
from oracles.generation.values import COTANGENTS
from oracles.judge import Bench, Judgement, judge_by_laws, judge_exactly, worst_fault
from oracles.numpy_names import Untraceable
from oracles.program import Case, DType, Input, Program
from oracles.records import Verdict
from oracles.spelling import identifiers
from oracles.subjects.function import InAny, InNumPy, InTorch, Library, Local
from oracles.subjects.torch import to_numpy
from oracles.tracing import trace
from oracles.truth import Unknown

MOST = 60_000
"""Truth is paid for by the scalar: a reference of more scalar operations than this is not judged."""
NO_REFERENCE = "no reference"
Reference = Callable[..., Any] | tuple[Callable[..., Any], ...] | None
"""A definition, several forms of one, or none."""


class Question:
    """What is asked: the function in its library, its definition, and how a case is made of a point."""

    def __init__(
        self,
        function: Callable[..., Any],
        reference: Reference,
        inputs: Sequence[Any],
        vjp: Callable[..., Any] | None,
    ) -> None:
        self.references: tuple[Callable[..., Any], ...] = ()
        if reference is not None:
            self.references = reference if isinstance(reference, tuple) else (reference,)
        if not callable(function) or not all(map(callable, self.references)):
            raise TypeError(
                "check_gradient(function, reference, *inputs): the first two are functions, or None for one"
            )
        if not inputs:
            raise ValueError("check_gradient needs the inputs to judge the function at")
        kind = library_of(inputs, vjp)
        self.arrays = tuple(array_of(x) for x in inputs)
        names = identifiers(names_of((function, *self.references), len(inputs)))
        wants = [
            a.dtype.kind not in "biu" and bool(getattr(x, "requires_grad", True))
            for a, x in zip(self.arrays, inputs, strict=True)
        ]
        self.specs = tuple(
            Input(n, a.shape, stored(a).dtype.name, w)
            for n, a, w in zip(names, self.arrays, wants, strict=True)
        )
        if not any(wants):
            raise ValueError("no input is differentiated: give a floating tensor with requires_grad=True")
        self.arrays = tuple(stored(a) for a in self.arrays)
        self.dtype: DType = max(
            (s.dtype for s in self.specs if s.dtype not in ("int64", "bool")), key=lambda d: precision(d).u
        )
        self.name = called(function)
        self.library = subject(function, kind, inputs, vjp)
        self.local = Local(self.library)
        self.bench = Bench(self.local, None)

    @property
    def judges(self) -> str:
        """Who judges."""
        if not self.references:
            return "differences and laws only: without a reference nothing encloses the truth"
        forms = (
            "the reference's steps"
            if len(self.references) == 1
            else f"{len(self.references)} forms of the reference"
        )
        return f"exact truth (balls) and a budget derived from {forms}"

    def arrays_of(self, values: Any) -> tuple[NDArray, ...]:
        """Cotangents that the user gave, as arrays."""
        return tuple(array_of(v) for v in (values if isinstance(values, tuple | list) else (values,)))

    def case(self, point: Point, form: int = 0) -> Case:
        """The case at a point, its program the reference's of this form.

        Raises:
            Untraceable: the reference says nothing there; the message says why.
        """
        layouts = point.layouts or ("contiguous",) * len(self.specs)
        specs = tuple(
            msgspec.structs.replace(s, shape=a.shape, layout=layout)
            for s, a, layout in zip(self.specs, point.arrays, layouts, strict=True)
        )
        program, arrays, outputs = self._program(specs, point.arrays, form)
        rng = np.random.default_rng(point.seed)
        cotangents = [_like(point.cotangents, k, out, rng) for k, out in enumerate(outputs)]
        leaves = [a for s, a in zip(specs, point.arrays, strict=True) if s.requires_grad]
        seconds = (
            [_like(point.seconds, k, leaf, rng) for k, leaf in enumerate(leaves)] if point.order == 2 else []
        )
        recorded = [tuple(Array.of(a) for a in part) for part in (arrays, cotangents, seconds)]
        return Case(program, recorded[0], recorded[1], self.dtype, point.order, recorded[2])

    def _program(
        self, specs: tuple[Input, ...], arrays: Sequence[NDArray], form: int
    ) -> tuple[Program, Sequence[NDArray], Sequence[NDArray]]:
        if not self.references:  # outputs have names and cotangents, and nothing says what they should be
            try:
                outputs = self.library.values(Program(specs, (), ()), arrays)
            except Exception as error:
                raise Untraceable(f"the function raises {type(error).__name__}: {error}") from error
            return Program(specs, (), (0,) * len(outputs)), arrays, outputs
        made = trace(self.references[form], specs, arrays, self.dtype)
        if made.cost > MOST:
            raise Untraceable(
                f"the reference makes about {made.cost} scalar operations here, and {MOST} at most are "
                "judged: give smaller inputs"
            )
        if made.tied:
            raise Untraceable(
                "a comparison in the reference meets two equal numbers: the inputs stand on its edge"
            )
        return made.program, made.arrays, made.outputs

    def judge(self, case: Case, point: Point) -> Judgement:
        """The case of a point judged by the exact oracle and the laws, without a reference by differences and the laws.

        Where the first form of a reference accuses values, or says nothing, the other forms are asked too.
        """
        if not self.references:
            return self._by_differences(case)
        found = self.bench.judge(case, witnesses=False)
        if found.argument in found.compared or not (found.fault or found.judged):
            for form in range(1, len(self.references)):
                with suppress(Untraceable):
                    found = together(found, self.bench.judge(self.case(point, form), witnesses=False))
        return found

    def _by_differences(self, case: Case) -> Judgement:
        answer = self.local.judge(case)
        if not isinstance(answer, Answer):
            reason = answer.reason if isinstance(answer, Unsupported) else getattr(answer, "message", "")
            fault = (
                "" if isinstance(answer, Unsupported) else f"raises {getattr(answer, 'type', 'an exception')}"
            )
            return Judgement(
                case, answer, Unknown(NO_REFERENCE), (Verdict("exact", "errored", reason),), fault, "", reason
            )
        laws, fault, argument, right = judge_by_laws(case, answer)
        differences = judge_by_differences(case, answer, self.local) if right else laws
        message = laws.reason
        if differences.outcome == "differs" and not fault:
            fault, argument, message = "wrong slope", "", differences.reason
        return Judgement(case, answer, Unknown(NO_REFERENCE), (differences, laws), fault, argument, message)


def together(found: Judgement, other: Judgement) -> Judgement:
    """What two forms of one function say of an answer: each element is right if either form's budget allows it.

    Raises:
        Untraceable: the forms are not the same function.
    """
    if not (found.judged and other.judged):
        return found if found.judged else other
    assert isinstance(found.answer, Answer)
    compared = dict(found.compared)
    for name, own in found.compared.items():
        if own.fault and name in other.compared:
            if not _alike(found.truth, other.truth, name):
                raise FormsDiffer(
                    f"the forms of the reference are not the same function: they differ in the {name}"
                )
            compared[name] = _either(own, other.compared[name])
    exact = judge_exactly(found.truth, compared, shapes_right=True)
    laws, fault, argument, _ = judge_by_laws(found.case, found.answer)
    message = laws.reason
    if exact.outcome == "differs":
        worst = worst_fault(compared)
        fault, argument, message = worst.fault, worst.argument, exact.reason
    verdicts = (exact, laws)
    return replace(
        found,
        verdicts=verdicts,
        compared=compared,
        fault=fault,
        argument=argument,
        message=message if fault else "",
    )


def _either(own: Compared, other: Compared) -> Compared:
    """The comparison that finds nothing wrong, be it element by element; if there is none, the first."""
    if not other.fault:
        return other
    mine, theirs = zip(own.ratios, own.ulps, strict=True), zip(other.ratios, other.ulps, strict=True)
    nearest = list(map(min, mine, theirs))
    if not all(ratio <= 1 for ratio, _ in nearest):
        return own
    return replace(own, fault="", ratios=[r for r, _ in nearest], ulps=[u for _, u in nearest])


class FormsDiffer(ValueError):
    """Two references that were said to be one function are two."""


def _alike(one: Any, other: Any, name: str) -> bool:
    """Whether two truths are one, but for the digits in which Python numbers such as 2**0.5 differ."""
    a, b = one.arrays[name], other.arrays[name]
    if a.shape != b.shape:
        return False
    rows = zip(a.truth, b.truth, a.budget, b.budget, strict=True)
    return all(float(abs(s - t).abs_lower()) <= max(u, v) for s, t, u, v in rows)


def _like(given: Sequence[NDArray] | None, k: int, model: NDArray, rng: np.random.Generator) -> NDArray:
    """What was given for an array, in its dtype, if it has its shape; else short decimals."""
    drawn = rng.choice(COTANGENTS, model.shape)
    fits = given is not None and k < len(given) and given[k].shape == model.shape
    return np.asarray(given[k] if given is not None and fits else drawn).astype(model.dtype)


def library_of(inputs: Sequence[Any], vjp: Any) -> str:
    """The library that the inputs belong to: torch, refgrad, or numpy for arrays.

    Raises:
        TypeError: they belong to several, or to none that is known.
    """
    homes = {
        type(x).__module__.partition(".")[0] for x in inputs if not isinstance(x, np.ndarray | np.generic)
    }
    arrays = any(isinstance(x, np.ndarray | np.generic) for x in inputs)
    kinds = homes | ({"numpy"} if arrays else set())
    if any(hasattr(x, "__torch_function__") for x in inputs) and not arrays:
        kinds = {"torch"}  # nn.Parameter and other kinds of tensors
    if kinds - {"torch", "refgrad", "numpy"} or len(kinds) != 1:
        names = ", ".join(sorted({type(x).__name__ for x in inputs}))
        raise TypeError(f"inputs are all tensors of torch, all of refgrad, or all NumPy arrays; got {names}")
    (kind,) = kinds
    if vjp is not None and kind != "numpy":
        raise TypeError("vjp= is for functions on NumPy arrays: give the inputs as arrays")
    return kind


def subject(function: Callable[..., Any], kind: str, inputs: Sequence[Any], vjp: Any) -> Library:
    """The function as something that can be asked for its values and gradients.

    Raises:
        TypeError: arrays were given, and nothing says how to differentiate the function.
    """
    if vjp is not None:
        return InAny(function, vjp, len(inputs))
    if kind != "numpy":
        return InTorch(
            function,
            kind,
            [x.dtype for x in inputs],
            getattr(inputs[0], "device", "cpu") if kind == "torch" else "cpu",
        )
    try:
        import autograd  # noqa: F401 - asked for here, because its absence has an answer
    except ImportError:
        raise TypeError(
            "a function on NumPy arrays is differentiated by HIPS autograd, which is not installed; for another "
            "library give vjp=, a function of (function, inputs, cotangents) to (outputs, gradients)"
        ) from None
    return InNumPy(function, len(inputs))


def array_of(x: Any) -> NDArray:
    """An input or a cotangent as an array of its own dtype.

    Raises:
        TypeError: its dtype is none that can be judged.
    """
    if isinstance(x, np.ndarray | np.generic | float | int | list):
        array = np.asarray(x)
    elif type(x).__module__.partition(".")[0] == "refgrad":
        array = x.detach().numpy()
    else:
        import torch

        array = to_numpy(torch, x.detach().cpu())
    if array.dtype.kind not in "biu" and array.dtype.name not in (
        "float16",
        "bfloat16",
        "float32",
        "float64",
    ):
        raise TypeError(
            f"an input has dtype {array.dtype.name}; float16, bfloat16, float32 and float64 are judged"
        )
    return np.array(array)


def stored(array: NDArray) -> NDArray:
    """Integers as a case holds them."""
    return array.astype(np.int64) if array.dtype.kind in "iu" else array


def called(function: Any) -> str:
    """What people call a function: a class's method with its class."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type) and function.__name__ == "apply":  # of an autograd.Function
        return f"{owner.__name__}.{function.__name__}"
    name = "__name__" if inspect.isbuiltin(function) else "__qualname__"
    return str(getattr(function, name, type(function).__name__)).rpartition("<locals>.")[2]


def names_of(functions: Sequence[Any], count: int) -> list[str]:
    """What the inputs are called: by the parameters of the first that names so many, else by their places."""
    for each in functions:
        try:
            parameters = list(inspect.signature(each).parameters.values())
        except (TypeError, ValueError):
            continue
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        if len(named) >= count:
            return named[:count]
    return [f"input{k}" for k in range(count)]
