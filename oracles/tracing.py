"""Tracing: a function written with PyTorch's or NumPy's functions, run once on values that note what is done to them.

What comes out is a `Program` over ops of the catalogue. Nothing is parsed and nothing is guessed: a function that the
catalogue has no op for, and a decision that depends on computed values, are refused by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import refgrad
from oracles.arrays import DTYPES
from oracles.generation.drawing import follow, renumbered
from oracles.numpy_names import Untraceable
from oracles.program import (
    Dots,
    DType,
    IndexItem,
    Input,
    Int,
    NewAxis,
    Operand,
    Pick,
    Program,
    Ref,
    Refs,
    Scalar,
    Setting,
    Slice,
    Step,
)
from oracles.signatures import INFINITY
from oracles.traced import COMPARED, COMPARISONS, COPIES, NAMES, RETYPES, Traced, refuse

NDArray = np.ndarray[Any, Any]

KEYWORDS = {"axis": "dim", "keepdims": "keepdim", "axis1": "dim0", "axis2": "dim1"}
IDLE = ("inplace", "dtype", "out", "_stacklevel", "generator", "memory_format")
"""Settings that change no value; those that could are refused unless they are left alone."""
MOVES = frozenset((
    "abs", "amax", "amin", "cat", "chunk", "diagonal", "expand", "flatten", "flip", "gather", "getitem",
    "index_select", "masked_fill", "max", "maximum", "min", "minimum", "neg", "permute", "relu", "repeat", "reshape",
    "roll", "split", "squeeze", "stack", "tile", "transpose", "tril", "triu", "unsqueeze", "view", "where",
))  # fmt: skip
"""Ops whose results are elements of their operands, or 0, up to a sign: without error in every dtype."""
INFINITE = (
    "a reference computes with an infinity, which has no error to derive: mask what is finite instead, as in "
    "e = np.where(mask, np.exp(s), 0); e / e.sum(axis=-1, keepdims=True)"
)
PRODUCTS = frozenset(
    ("mm", "mv", "bmm", "dot", "matmul", "addmm", "linalg.solve", "linalg.inv", "linalg.det")
)


@dataclass
class Trace:
    """A program under construction. Values are numbered as they come to be; `finish` puts the inputs first.

    `cost` is about how many scalar operations there are, and `tied` says that a comparison met two equal numbers, so
    that the program stands on the edge between two.
    """

    dtype: DType
    inputs: dict[int, Input] = field(default_factory=dict)
    arrays: dict[int, NDArray] = field(default_factory=dict)
    steps: list[tuple[Step, tuple[int, ...]]] = field(default_factory=list)
    count: int = 0
    cost: int = 0
    tied: bool = False

    def _new(self) -> int:
        self.count += 1
        return self.count - 1

    def given(self, spec: Input, array: NDArray) -> Any:
        """An input as the reference gets it: floating ones traced, integers and masks as NumPy arrays."""
        number = self._new()
        self.inputs[number], self.arrays[number] = spec, array
        if array.dtype.kind in "biu":
            return array
        return Traced(self, number, refgrad.from_numpy(array), exact=True)

    def constant(self, value: Any) -> Traced:
        """Numbers that the reference brings along, as an input that nothing is differentiated by."""
        array = np.array(value, dtype=np.float64)
        if not np.all(np.isfinite(array)):
            raise Untraceable(INFINITE)
        made = self.given(Input(f"constant {self.count}", array.shape, "float64", False), array)
        made.tensor = made.tensor.to(getattr(refgrad, self.dtype))
        made.exact = bool(np.all(array == array.astype(DTYPES[self.dtype]).astype(np.float64)))
        return made  # type: ignore[no-any-return]

    def plain(self, value: NDArray) -> int:
        """The number of an index or a mask."""
        for number, array in self.arrays.items():
            if array is value:
                return number
        number = self._new()
        kind: DType = "bool" if value.dtype.kind == "b" else "int64"
        array = np.ascontiguousarray(value, dtype=kind).reshape(value.shape)
        self.inputs[number] = Input(f"constant {number}", array.shape, kind, False)
        self.arrays[number] = array
        return number

    def call(self, name: str, args: Sequence[Any], settings: dict[str, Any]) -> Any:
        """Apply a function of PyTorch's, by its name."""
        name = name.strip("_").removeprefix("linalg_").removeprefix("special_")
        if name in COMPARED:
            return self.compare(COMPARED[name], *args)
        if name in RETYPES:
            return self._retyped(name, args[0], *args[1:], *settings.values())
        if name in COPIES:
            return args[0]
        if name in ("rsub", "rpow", "rdiv", "rtruediv"):
            args, name = (args[1], args[0]), name.removeprefix("r").replace("true", "")
        public = refgrad.catalogue().get(NAMES.get(name, name))
        if public is None:
            refuse(name, "function")
        settings = {KEYWORDS.get(k, k) if k not in public.settings else k: v for k, v in settings.items()}
        for idle in IDLE:
            if settings.pop(idle, None) not in (None, False, 3):
                raise Untraceable(f"{name} in a reference takes no {idle}")
        if public.name == "getitem":
            return self.getitem(*args)
        operands, chosen = self._bound(public, args, settings)
        return self._special(public, operands, chosen)

    def _retyped(self, name: str, x: Traced, *wanted: Any) -> Traced:
        """The same value: a program computes with real numbers, and a dtype only says what is expected back."""
        asked = next((w for w in wanted if w is not None and not isinstance(w, bool)), name)
        kind = str(getattr(asked, "name", asked)).rpartition(".")[2]
        kind = {"float": "float32", "double": "float64", "half": "float16"}.get(kind, kind)
        if kind not in ("float16", "bfloat16", "float32", "float64"):
            raise Untraceable(f"a reference cannot turn a tensor into {asked}")
        return Traced(self, x.number, x.tensor.to(getattr(refgrad, kind)), x.exact)

    @staticmethod
    def _bound(
        public: Any, args: Sequence[Any], settings: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments sorted into tensors, in order, and settings by name, as PyTorch's signature has them."""
        signature = inspect.signature(public.function)
        if "other" in settings and "other" not in signature.parameters:
            settings["exponent"] = settings.pop("other")
        bound = signature.bind(*args, **settings)
        operands: list[Any] = []
        chosen: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind is parameter.VAR_POSITIONAL and name in public.inputs:
                operands.extend(value[0] if len(value) == 1 and isinstance(value[0], list | tuple) else value)
            elif parameter.kind is parameter.VAR_POSITIONAL:
                one = value[0] if len(value) == 1 and isinstance(value[0], tuple | list) else value
                chosen[next(iter(public.settings))] = tuple(one)
            elif name in public.settings:
                chosen[name] = value
            else:
                operands.append(value)
        return operands, {k: setting(v) for k, v in chosen.items()}

    def _special(self, public: Any, operands: list[Any], settings: dict[str, Any]) -> Any:
        """The few ops whose settings are tensors, numbers that must be rounded, or one thing under two names."""
        name = public.name
        unbiased = settings.pop("unbiased", None)
        if unbiased is not None:
            settings["correction"] = int(unbiased)
        if name in ("std", "var") and isinstance(settings.get("dim"), bool):
            settings["correction"] = int(settings.pop("dim"))
        if name in ("max", "min") and settings.get("dim") is None and len(operands) == 2:
            return self.apply(f"{name}imum", operands, {})
        if name in ("maximum", "minimum"):
            operands = [self.constant(x) if isinstance(x, int | float) else x for x in operands]
        if name == "clamp" and not all(self._fits(settings.get(k)) for k in ("min", "max")):
            (x,) = operands
            for bound, op in (("min", "maximum"), ("max", "minimum")):
                if settings.get(bound) is not None:
                    limit = (
                        settings[bound]
                        if isinstance(settings[bound], Traced)
                        else self.constant(settings[bound])
                    )
                    x = self.apply(op, [x, limit], {})
            return x
        if not self._fits(alpha := settings.get("alpha", 1)) and name in ("add", "sub"):
            operands[1] = self.call("mul", (operands[1], settings.pop("alpha", alpha)), {})
        if name in ("max", "min") and settings.get("dim") is not None:
            kind = refgrad.catalogue()[name].function
            values, places = self.apply(name, operands, settings, outputs=2)
            return type(kind(operands[0].tensor, settings["dim"]))(values, places)
        if name in ("split", "chunk"):
            return self.apply(name, operands, settings, outputs=0)
        return self.apply(name, operands, settings)

    def _fits(self, value: Any) -> bool:
        """Whether a setting is a number of the dtype, so that nobody rounds it."""
        if value is None:
            return True
        return isinstance(value, int | float) and float(np.asarray(value).astype(DTYPES[self.dtype])) == value

    def getitem(self, x: Traced, index: Any) -> Any:
        """Integers, slices, None, dots, and arrays or lists of places or flags."""
        items: list[IndexItem] = []
        picks: list[Any] = []
        for item in index if isinstance(index, tuple) else (index,):
            if isinstance(item, slice):
                items.append(
                    Slice(*(None if e is None else int(e) for e in (item.start, item.stop, item.step)))
                )
            elif item is None or item is Ellipsis:
                items.append(NewAxis() if item is None else Dots())
            elif isinstance(item, int | np.integer) and not isinstance(item, bool):
                items.append(Int(int(item)))
            else:
                picks.append(array_of(item))
                items.append(Pick(len(picks)))
        return self.apply("getitem", [x, *picks], {}, tuple(items))

    def apply(
        self,
        op: str,
        operands: Sequence[Any],
        settings: dict[str, Any],
        index: tuple[IndexItem, ...] = (),
        outputs: int = 1,
    ) -> Any:
        """Append a step, and follow it; several results (`outputs` 0: as many as there are) come as a tuple."""
        defaults = refgrad.catalogue()[op].settings
        kept = {k: v for k, v in settings.items() if not _same(v, defaults.get(k, inspect.Parameter.empty))}
        ready = [self._ready(op, place, x) for place, x in enumerate(operands)]
        step = Step(op, tuple(self._operand(x) for x in ready), kept, index, max(outputs, 1))
        results = self._follow(step, ready, many=outputs != 1)
        step = Step(op, step.operands, kept, index, len(results))
        made = tuple(self._new() for _ in results)
        self.steps.append((step, made))
        inner = ready[0].shape[-1] if op in PRODUCTS and ready[0].ndim else 1
        self.cost += sum(r.numel() for r in results) * int(inner) + sum(_size(x) for x in ready)
        exact = op in MOVES and all(self._known(x) for x in ready)
        traced = [
            Traced(self, n, r, exact) if r.is_floating_point() else r.numpy()
            for n, r in zip(made, results, strict=True)
        ]
        return traced[0] if outputs == 1 else tuple(traced)

    def _follow(self, step: Step, ready: Sequence[Any], many: bool) -> list[Any]:
        tensors = [_tensor(x) for x in ready]
        try:
            return list(follow(step, tensors, many))
        except (
            NotImplementedError
        ):  # a dtype that PyTorch lacks the op in; the function may have it all the same
            wide = [
                t.double() if isinstance(t, refgrad.Tensor) and t.is_floating_point() else t for t in tensors
            ]
            return [r.to(getattr(refgrad, self.dtype)) for r in follow(step, wide, many)]

    def _ready(self, op: str, place: int, x: Any) -> Any:
        """An operand as a traced value, a list of them, an array of places or flags, or a number."""
        if isinstance(x, Traced):
            if x.trace is not self:
                raise Untraceable("a reference keeps values from one call to the next")
            return x
        if isinstance(x, list | tuple):
            return [self._ready(op, 0, each) for each in x]
        if isinstance(x, bool | int | float | np.generic):
            number = x.item() if isinstance(x, np.generic) else x
            return number if not isinstance(number, bool) else int(number)
        array = array_of(x)
        named = refgrad.catalogue()[op].inputs
        index = op == "getitem" or named[min(place, len(named) - 1)] in ("condition", "index", "mask")
        return array if index else self.constant(array)

    def _operand(self, x: Any) -> Operand:
        if isinstance(x, Traced):
            return Ref(x.number)
        if isinstance(x, list):
            return Refs(tuple(self._operand(each).value for each in x))  # type: ignore[union-attr, misc]
        if isinstance(x, float) and not np.isfinite(x):
            raise Untraceable(INFINITE)
        return Ref(self.plain(x)) if isinstance(x, np.ndarray) else Scalar.of(x)

    def _known(self, x: Any) -> bool:
        if isinstance(x, list):
            return all(self._known(each) for each in x)
        return x.exact if isinstance(x, Traced) else isinstance(x, np.ndarray) or self._fits(x)

    def compare(self, name: str, a: Any, b: Any) -> NDArray:
        """A comparison of inputs, which has one answer, as an array of flags; of computed values it has not."""
        a, b = (self._ready("add", 0, x) for x in (a, b))
        if not (self._known(a) and self._known(b)):
            raise Untraceable(
                f"a reference compares computed values ({name}), which rounding may decide either way: compare the "
                "inputs themselves with numbers of their dtype, or use maximum, minimum, clamp, relu or abs"
            )
        left, right = (x.tensor.double().numpy() if isinstance(x, Traced) else x for x in (a, b))
        self.tied = self.tied or bool(np.any(left == right))
        return np.asarray(COMPARISONS[name](left, right))

    def finish(self, outputs: Sequence[Traced]) -> tuple[Program, list[NDArray]]:
        """The program, and the array of each of its inputs."""
        order = [*self.inputs, *(n for _, made in self.steps for n in made)]
        place = {number: i for i, number in enumerate(order)}
        steps = tuple(renumbered(step, place) for step, _ in self.steps)
        program = Program(tuple(self.inputs.values()), steps, tuple(place[x.number] for x in outputs))
        return program, list(self.arrays.values())


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _size(x: Any) -> int:
    return sum(map(_size, x)) if isinstance(x, list) else int(np.prod(getattr(x, "shape", ())))


def _tensor(x: Any) -> Any:
    if isinstance(x, list):
        return [_tensor(each) for each in x]
    if isinstance(x, Traced):
        return x.tensor
    return refgrad.from_numpy(x) if isinstance(x, np.ndarray) else x


def array_of(x: Any) -> NDArray:
    """A list, an array or a tensor of any library as an array."""
    if hasattr(x, "detach"):
        x = x.detach()
        x = x.cpu() if hasattr(x, "cpu") else x
        x = x.double() if x.is_floating_point() else x
        return np.asarray(x.numpy())
    array = np.asarray(x)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise Untraceable(f"a reference uses a {type(x).__name__} as an operand")
    return array


def setting(value: Any) -> Setting:
    """A setting as a program holds it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and np.isinf(value) and value > 0:
        return INFINITY
    if isinstance(value, list | tuple):
        return tuple(int(v) for v in value)
    if isinstance(value, Traced | np.ndarray) or value is None or isinstance(value, bool | int | float | str):
        return value  # type: ignore[return-value]
    raise Untraceable(f"a reference gives a {type(value).__name__} as a setting")


@dataclass(frozen=True)
class Reference:
    """A reference as a program, with an array for each input and what its outputs look like."""

    program: Program
    arrays: tuple[NDArray, ...]
    outputs: tuple[NDArray, ...]
    cost: int
    tied: bool


def trace(
    function: Callable[..., Any], inputs: Sequence[Input], arrays: Sequence[NDArray], dtype: DType
) -> Reference:
    """Run a function once on traced inputs.

    Raises:
        Untraceable: it does what no program can say, or returns something else than its values; the message says what.
    """
    made = Trace(dtype)
    with np.errstate(all="ignore"):
        given = [made.given(spec, array) for spec, array in zip(inputs, arrays, strict=True)]
        try:
            answer = function(*given)
        except Untraceable:
            raise
        except Exception as error:
            raise Untraceable(f"the reference raised {type(error).__name__}: {error}") from error
    outputs = list(answer) if isinstance(answer, tuple | list) else [answer]
    for k, out in enumerate(outputs):
        if not isinstance(out, Traced):
            raise Untraceable(
                f"output {k} of the reference is a {type(out).__name__} that depends on no input"
            )
    program, all_arrays = made.finish(outputs)
    return Reference(
        program, tuple(all_arrays), tuple(o.tensor.detach().numpy() for o in outputs), made.cost, made.tied
    )
