"""The functions and methods that users call, and the catalogue of those that are judged.

An op whose meaning is text gets its function and method from its declaration alone. Where PyTorch's
signature differs from the op's, a function beside the op says so:

    @public("sum", sum_dim, sum_all)
    def _(input, dim=None, keepdim=False): ...
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from types import MappingProxyType
from typing import Any, Final, TypeVar

import numpy as np

from refgrad.dtypes import Number
from refgrad.op import REGISTRY, Facts, Op, replan
from refgrad.quick import quick_binary, quick_unary
from refgrad.record import apply
from refgrad.tensor import Tensor, normal_dim

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Public:
    """One public function.

    name: PyTorch's, such as "exp", "linalg.solve", "getitem".
    inputs: the names that facts and formulas have for its tensors.
    settings: its other parameters with their defaults; `inspect.Parameter.empty` for one without.
    facts: what is true of the function; unless it says otherwise, the first op's.
    ops: the ops that a call may bind, and those it is composed of.
    """

    name: str
    inputs: tuple[str, ...]
    settings: Mapping[str, Any]
    facts: Facts
    ops: tuple[Op, ...]
    function: Callable[..., Any]
    doc: str


_CATALOGUE: Final[dict[str, Public]] = {}
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {}
"""Every public function by PyTorch's name, judged or not."""
ELEMENTWISE: Final[set[str]] = set()
"""Those that `unary` and `binary` made."""


def catalogue() -> Mapping[str, Public]:
    """The judged functions by name."""
    return MappingProxyType(_CATALOGUE)


def public(
    name: str,
    *ops: Op,
    judged: bool = True,
    method: str | bool = True,
    facts: Facts | None = None,
    inputs: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """Publish a function as `refgrad.<name>` and, unless `method` says otherwise, as a method of that name.

    facts: what is true of the function, where it is not what is true of the first op.
    inputs: the names of its tensors, where they are not the first op's.
    """

    def publish(function: F) -> F:
        short = name.rpartition(".")[2]
        function.__name__ = function.__qualname__ = short
        FUNCTIONS[name] = function
        if method:
            setattr(Tensor, method if isinstance(method, str) else short, function)
        if judged:
            tensors = inputs or ops[0].inputs
            settings = settings_of(function, tensors)
            doc = (function.__doc__ or "").strip()
            _CATALOGUE[name] = Public(
                name, tensors, MappingProxyType(settings), facts or ops[0].facts, ops, function, doc
            )
        return function

    return publish


WITH_OUT: Final = frozenset({"add", "sub", "div", "neg", "pow", "square", "clamp", "matmul", "mm", "round"})
"""Those of the functions with a signature of their own that take `out=`; every elementwise one does."""


def offered(name: str) -> Callable[..., Any]:
    """The function as a module offers it: an operand that is no tensor may say itself what the function means.

    Such an operand has `__apply_function__(name, args, settings)`. Elementwise functions ask it where they are checked
    anyway; the others are asked once they have refused, so that tensors pay for one more call and nothing else.
    """
    function = FUNCTIONS[name]
    if name not in _CATALOGUE or name in ELEMENTWISE:
        return function

    @wraps(function)
    def asking(*args: Any, **settings: Any) -> Any:
        if "out" in settings and settings["out"] is not None and name in WITH_OUT:
            from refgrad.out import write_out  # which writes with ops, which this module publishes

            out = settings.pop("out")
            return write_out(name, function, out, *args, **settings)
        try:
            return function(*args, **settings)
        except (AttributeError, TypeError):
            for x in _each((args, settings)):
                if hasattr(x, "__apply_function__"):
                    return x.__apply_function__(name, args, settings)
            raise

    return asking


def _each(value: Any) -> Iterator[Any]:
    """The values in nested tuples, lists and dicts."""
    if isinstance(value, tuple | list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _each(inner)
    else:
        yield value


def settings_of(function: Callable[..., Any], inputs: tuple[str, ...]) -> dict[str, Any]:
    """The parameters that are no tensors, with their defaults.

    Tensors are those that are named as an input is, and from the front as many as there are inputs besides.
    """
    parameters = signature(function).parameters.values()
    named = [p for p in parameters if p.name in inputs]
    others = [p for p in parameters if p.name not in inputs and p.kind is not p.VAR_POSITIONAL]
    return {p.name: p.default for p in others[max(0, len(inputs) - len(named)) :]}


def publish_elementwise() -> None:
    """Publish each op with a textual meaning that no function has claimed."""
    overloaded = [e for e in _CATALOGUE.values() if isinstance(e.ops[0].facts.meaning, str)]
    claimed = {op for entry in overloaded for op in entry.ops}
    for op in REGISTRY.values():
        if not isinstance(op.facts.meaning, str):
            continue
        op.find_ufunc()
        if op not in claimed and op.name not in FUNCTIONS:
            ELEMENTWISE.add(op.name)
            public(op.name, op)(unary(op) if len(op.inputs) == 1 else binary(op))
    replan()


def unary(op: Op) -> Callable[[Tensor], Tensor]:
    """The function of one tensor that applies `op`."""
    name = op.name

    def checked(input: Any) -> Any:
        if type(input) is not Tensor:
            if hasattr(input, "__apply_function__"):
                return input.__apply_function__(name, (input,), {})
            raise wrong_type(name, "input", 1, input)
        return apply(op, (input,))

    function = quick_unary(op, checked) if op.single else checked
    function.__doc__ = f"{op.facts.meaning}, elementwise."
    return function


def binary(op: Op) -> Callable[[Any, Any], Tensor]:
    """The function of two tensors, or of a tensor and a number, that applies `op`."""
    name = op.name

    def checked(input: Any, other: Any) -> Any:
        for x in (input, other):
            if hasattr(x, "__apply_function__"):
                return x.__apply_function__(name, (input, other), {})
        operands(name, input, other)
        return apply(op, (input, other))

    function = quick_binary(op, checked) if op.simple else checked
    function.__doc__ = f"{op.facts.meaning}, elementwise."
    return function


def operands(function: str, input: Any, other: Any) -> None:
    """Raise as PyTorch does unless both are tensors or numbers, and broadcast together."""
    if not isinstance(input, Tensor | Number):
        raise wrong_type(function, "input", 1, input)
    if not isinstance(other, Tensor | Number):
        raise wrong_type(function, "other", 2, other)
    if type(input) is Tensor and type(other) is Tensor and input._array.shape != other._array.shape:
        broadcast(input._array.shape, other._array.shape)


def both_tensors(function: str, input: Any, other: Any) -> None:
    """Raise as PyTorch does unless both are tensors, and broadcast together."""
    check_tensor(function, input)
    check_tensor(function, other, "other", 2)
    operands(function, input, other)


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of operands of shapes `a` and `b` together; RuntimeError, in PyTorch's words, if they differ."""
    ndim = max(len(a), len(b))
    wide_a, wide_b = (1,) * (ndim - len(a)) + a, (1,) * (ndim - len(b)) + b
    for i in reversed(range(ndim)):
        if wide_a[i] != wide_b[i] and wide_a[i] != 1 and wide_b[i] != 1:
            raise RuntimeError(
                f"The size of tensor a ({wide_a[i]}) must match the size of tensor b ({wide_b[i]}) "
                f"at non-singleton dimension {i}"
            )
    return tuple(m if n == 1 else n for m, n in zip(wide_a, wide_b, strict=True))


def wrong_type(function: str, argument: str, position: int, value: Any, wanted: str = "Tensor") -> TypeError:
    """PyTorch's complaint about an argument of the wrong type."""
    return TypeError(
        f"{function}(): argument '{argument}' (position {position}) must be {wanted}, not {type_name(value)}"
    )


def type_name(value: Any) -> str:
    """How messages name the type of `value`."""
    kind = type(value)
    return f"numpy.{kind.__name__}" if kind.__module__ == "numpy" else kind.__name__


def check_tensor(function: str, input: Any, argument: str = "input", position: int = 1) -> None:
    """Raise as PyTorch does unless `input` is a tensor."""
    if type(input) is not Tensor:
        raise wrong_type(function, argument, position, input)


def dims(function: str, dim: Any, ndim: int) -> tuple[int, ...]:
    """`dim`, an int or several, as a tuple of distinct non-negative ints; none at all mean every dimension.

    Raises TypeError, IndexError or RuntimeError in PyTorch's words.
    """
    if dim is None:
        return tuple(range(ndim))
    given = (dim,) if isinstance(dim, int | np.integer) else dim
    if not isinstance(given, tuple | list) or not all(isinstance(d, int | np.integer) for d in given):
        raise wrong_type(function, "dim", 2, dim, "tuple of ints")
    normal = [normal_dim(int(d), ndim) for d in given]
    for d in normal:
        if normal.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return tuple(d for d in normal if ndim) or tuple(range(ndim))


def sizes(given: tuple[Any, ...], function: str = "", name: str = "", named: Any = None) -> tuple[int, ...]:
    """Sizes or dimensions given one by one, as one sequence, or by `name`; TypeError if given twice or not at all."""
    if named is not None:
        if given:
            raise TypeError(f"{function}() got multiple values for argument '{name}'")
        given = (named,)
    elif function and not given:
        raise TypeError(f'{function}() missing 1 required positional arguments: "{name}"')
    if len(given) == 1 and isinstance(given[0], tuple | list):
        given = tuple(given[0])
    return tuple(int(n) for n in given)
