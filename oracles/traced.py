"""A value of a reference while it is traced: it answers to PyTorch's functions, to NumPy's, and to operators.

It knows names alone. What an application means is asked of the trace that the value belongs to.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

import refgrad
from oracles.exact.evaluate import ALIASES
from oracles.numpy_names import FUNCTIONS, REDUCTIONS, UFUNCS, Untraceable

SAME = {
    "concat": "cat", "concatenate": "cat", "multiply": "mul", "subtract": "sub", "divide": "div",
    "true_divide": "div", "negative": "neg", "absolute": "abs", "clip": "clamp", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "swapaxes": "transpose", "swapdims": "transpose", "expit": "sigmoid", "ravel": "flatten",
    "inverse": "linalg.inv", "det": "linalg.det", "norm": "linalg.vector_norm",
}  # fmt: skip
"""Other names that PyTorch and NumPy's arrays have for ops of the catalogue."""
NAMES = {name.rpartition(".")[2]: name for name in refgrad.catalogue()} | SAME
RETYPES = ("to", "type", "astype", "float", "double", "half", "bfloat16")
COPIES = ("clone", "contiguous", "copy", "positive")
HINTS = {
    "leaky_relu": "x.clamp(min=0) + slope * x.clamp(max=0)",
    "layer_norm": "(x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt()",
    "linear": "x @ weight.T + bias",
    "cross_entropy": "-x.log_softmax(1)[rows, labels].mean()",
    "mse_loss": "(x - y).square().mean()",
    "elu": "x.clamp(min=0) + x.clamp(max=0).expm1()",
    "gelu": "0.5 * x * (1 + (c * (x + 0.044715 * x**3)).tanh()) for the approximation by tanh",
}


class Traced:
    """A floating value of a reference while it is traced. `tensor` is its concrete value, which only steers.

    `exact` says that every element is known without error, so that a comparison has one answer in every dtype.
    """

    def __init__(self, trace: Any, number: int, tensor: Any, exact: bool = False) -> None:
        self.trace, self.number, self.tensor, self.exact = trace, number, tensor, exact

    @property
    def shape(self) -> Any:
        """The shape, as a tuple that also counts its elements."""
        return self.tensor.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return int(self.tensor.ndim)

    @property
    def dtype(self) -> Any:
        """The engine's dtype that PyTorch's promotion gives."""
        return self.tensor.dtype

    @property
    def T(self) -> Any:  # noqa: N802 - the field's name
        """All dimensions in the opposite order."""
        return self._do("permute", tuple(reversed(range(self.ndim))))

    @property
    def mT(self) -> Any:  # noqa: N802
        """Each matrix transposed."""
        return self._do("transpose", -2, -1)

    def size(self, dim: int | None = None) -> Any:
        """PyTorch's: the shape, or one side of it."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        """How many elements there are."""
        return int(self.tensor.numel())

    def dim(self) -> int:
        """The number of dimensions."""
        return self.ndim

    def t(self) -> Any:
        """A matrix transposed."""
        return self.T

    def _do(self, name: str, *args: Any, **settings: Any) -> Any:
        return self.trace.call(name, (self, *args), settings)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in NAMES and name not in (*RETYPES, *COPIES):
            refuse(name, "tensor method")

        def method(*args: Any, **settings: Any) -> Any:
            if {"axis", "keepdims", "ddof"} & set(settings) and name in FUNCTIONS:
                return FUNCTIONS[name](self.trace, self, *args, **settings)
            return self.trace.call(name, (self, *args), settings)

        return method

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = str(getattr(func, "__name__", func))
        return _trace_in((args, kwargs)).call(name, args, kwargs or {})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **settings: Any) -> Any:
        trace, name = _trace_in(inputs), ufunc.__name__
        if method == "reduce" and name in REDUCTIONS:
            return FUNCTIONS[REDUCTIONS[name]](trace, *inputs, **settings)
        if name in COMPARISONS and method == "__call__":
            return trace.compare(name, *inputs)
        if method != "__call__" or name not in UFUNCS:
            refuse(f"np.{name}" + ("" if method == "__call__" else f".{method}"), "NumPy function")
        return UFUNCS[name](trace, *inputs, **{k: v for k, v in settings.items() if v is not None})

    def __array_function__(self, function: Any, types: Any, args: Any, settings: Any) -> Any:
        home = function.__module__.removeprefix("numpy").removeprefix(".")
        name = f"{home}.{function.__name__}" if home == "linalg" else function.__name__
        if name not in FUNCTIONS:
            refuse(f"np.{name}", "NumPy function")
        return FUNCTIONS[name](_trace_in((args, settings)), *args, **settings)

    @staticmethod
    def __apply_function__(name: str, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        return _trace_in((args, settings)).call(name.rpartition(".")[2], args, settings)

    @staticmethod
    def __apply_op__(op: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        return _trace_in(inputs).call(ALIASES.get(op.name, op.name), inputs, settings)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise Untraceable(
            "a reference turned a traced value into an array; combine values with np.stack or torch.stack"
        )

    def _undecided(self, *_: Any) -> NoReturn:
        raise Untraceable(
            "a reference asks for a computed value (bool, float, int, index); a program has no branches: "
            "use maximum, clamp, relu, abs or where with a comparison of the inputs themselves"
        )

    __bool__ = __float__ = __int__ = __index__ = __complex__ = _undecided

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d tensor")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Traced]:
        return iter([self[i] for i in range(len(self))])

    def __getitem__(self, index: Any) -> Any:
        return self.trace.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise Untraceable("a reference writes into a tensor; build the result with where, cat or stack")

    def __neg__(self) -> Any:
        return self._do("neg")

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self._do("abs")

    def __repr__(self) -> str:
        return f"<a traced {self.dtype} of shape {tuple(self.shape)}>"

    __hash__ = object.__hash__


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "greater": np.greater, "less": np.less, "greater_equal": np.greater_equal, "less_equal": np.less_equal,
    "equal": np.equal, "not_equal": np.not_equal,
}  # fmt: skip
COMPARED = {"gt": "greater", "lt": "less", "ge": "greater_equal", "le": "less_equal", "eq": "equal"} | {
    "ne": "not_equal"
}


def _operator(name: str, reflected: bool = False) -> Callable[..., Any]:
    def method(self: Traced, other: Any) -> Any:
        return self.trace.call(name, (other, self) if reflected else (self, other), {})

    return method


def _comparison(name: str) -> Callable[..., Any]:
    return lambda self, other: self.trace.compare(name, self, other)


for _sign, _op in {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow", "matmul": "matmul",
}.items():  # fmt: skip
    setattr(Traced, f"__{_sign}__", _operator(_op))
    setattr(Traced, f"__r{_sign}__", _operator(_op, reflected=True))
for _sign, _op in COMPARED.items():
    setattr(Traced, f"__{_sign}__", _comparison(_op))
    setattr(Traced, _sign, _comparison(_op))


def refuse(name: str, what: str) -> NoReturn:
    """Say that a function is not known, and which are near.

    Raises:
        Untraceable: always.
    """
    short = name.rpartition(".")[2]
    hint = HINTS.get(short)
    near = difflib.get_close_matches(short, {*NAMES, *FUNCTIONS, *UFUNCS}, 3, 0.6)
    said = (
        f"write {hint}" if hint else f"the nearest are {', '.join(near)}" if near else "compose it of others"
    )
    raise Untraceable(f"a reference cannot use the {what} {name}: it is no op of the catalogue; {said}")


def _trace_in(values: Any) -> Any:
    """The trace of the first traced value among arguments."""
    stack = [values]
    while stack:
        value = stack.pop()
        if isinstance(value, Traced):
            return value.trace
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, tuple | list):
            stack.extend(reversed(value))
    raise Untraceable("no traced value among the arguments")
