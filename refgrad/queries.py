"""What one asks of tensors and no gradient flows through: tests of elements, places of extremes, equality."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refgrad.devices import CPU, check_device
from refgrad.dtypes import ALL, DEFAULT, Array, Number, is_continuous, is_floating, result_type, to_numpy
from refgrad.factories import empty, full, ones, tensor, zeros
from refgrad.public import FUNCTIONS, broadcast, check_tensor, public
from refgrad.tensor import Tensor, normal_dim


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)


def _wide(array: Array) -> Array:
    """Floats as NumPy compares and tests them: bfloat16 as float32."""
    return array.astype(np.float32) if array.dtype.itemsize == 2 and is_floating(array.dtype) else array


def _elementwise(name: str, test: Callable[[Array], Any], says: str) -> None:
    """Publish a test of each element."""

    def function(input: Any) -> Tensor:
        check_tensor(name, input)
        return Tensor(np.asarray(test(_wide(input._array))))

    function.__doc__ = says
    public(name, judged=False)(function)


_elementwise("isnan", np.isnan, "Whether each element is not a number.")
_elementwise("isinf", np.isinf, "Whether each element is infinite.")
_elementwise("isfinite", np.isfinite, "Whether each element is a finite number.")
_elementwise("logical_not", np.logical_not, "Whether each element is zero.")


def _of_two(name: str, combine: Callable[[Array, Array], Any], says: str) -> None:
    """Publish a test of each pair of elements, as booleans."""

    def function(input: Any, other: Any) -> Tensor:
        check_tensor(name, input)
        check_tensor(name, other, "other", 2)
        broadcast(input._array.shape, other._array.shape)
        return Tensor(np.asarray(combine(_wide(input._array), _wide(other._array))))

    function.__doc__ = says
    public(name, judged=False)(function)


_of_two("logical_and", np.logical_and, "Whether both elements are not zero.")
_of_two("logical_or", np.logical_or, "Whether one of the elements is not zero.")
_of_two("logical_xor", np.logical_xor, "Whether just one of the elements is not zero.")


def _reduced(name: str, reduce: Callable[..., Any]) -> None:
    """Publish a test of all elements, or of those along one dimension."""

    def function(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
        check_tensor(name, input)
        axis = None if dim is None or not input._array.ndim else normal_dim(dim, input._array.ndim)
        found = np.asarray(reduce(input._array != 0, axis=axis, keepdims=keepdim and dim is not None))
        return Tensor(found.astype(input._array.dtype) if input._array.dtype == np.uint8 else found)

    function.__doc__ = f"Whether {name} of the elements, or of those along `dim`, are not zero."
    public(name, judged=False)(function)


_reduced("all", np.all)
_reduced("any", np.any)


def _place(name: str, find: Callable[..., Any]) -> None:
    """Publish where an extreme stands: first of several, and a nan before any number."""

    def function(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
        check_tensor(name, input)
        array = _wide(input._array)
        if array.dtype.kind == "c":
            raise RuntimeError(f"{name}(): does not support complex input")
        if array.dtype.kind == "b":
            raise RuntimeError(f"{name}(): does not support bool input")
        if dim is None:
            if not array.size:
                raise IndexError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
            found = np.asarray(find(array.reshape(-1)))
            return Tensor(found.reshape((1,) * array.ndim if keepdim else ()))
        axis = normal_dim(dim, array.ndim)
        if array.ndim and not array.shape[axis]:
            raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size.")
        found = find(array, axis=axis, keepdims=keepdim) if array.ndim else np.zeros((), np.int64)
        return Tensor(np.asarray(found))

    function.__doc__ = f"The place of the {name[3:]}imum of all elements, row by row, or along `dim`."
    public(name, judged=False)(function)


_place("argmax", np.argmax)
_place("argmin", np.argmin)


@public("numel", judged=False, method=False)
def _(input: Any) -> int:
    """The number of elements."""
    check_tensor("numel", input)
    return int(input._array.size)


@public("is_floating_point", judged=False, method=False)
def _(input: Any) -> bool:
    """Whether elements are floating-point numbers."""
    check_tensor("is_floating_point", input)
    return bool(input.is_floating_point())


@public("equal", judged=False)
def _(input: Any, other: Any) -> bool:
    """Whether two tensors have one shape and equal elements."""
    check_tensor("equal", input)
    check_tensor("equal", other, "other", 2)
    return input._array.shape == other._array.shape and bool(np.all(input._array == other._array))


@public("isclose", judged=False)
def _(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether each pair is equal, or finite and within atol + rtol*abs(other); RuntimeError for two dtypes."""
    check_tensor("isclose", input)
    check_tensor("isclose", other, "other", 2)
    if input.dtype is not other.dtype:
        raise RuntimeError(f"{input.dtype.word} did not match {other.dtype.word}")
    broadcast(input._array.shape, other._array.shape)
    a, b = _wide(input._array), _wide(other._array)
    close = a == b
    if is_continuous(input._array.dtype):
        with np.errstate(invalid="ignore"):
            close = close | (np.isfinite(b - a) & np.isfinite(b) & (np.abs(a - b) <= atol + np.abs(rtol * b)))
        close = close | (np.isnan(a) & np.isnan(b)) if equal_nan else close
    elif rtol or atol:
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
        close = close | (apart <= atol + np.abs(rtol * b.astype(np.float64)))
    return Tensor(np.asarray(close))


@public("allclose", judged=False)
def _(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether every pair of elements is close; see `isclose`."""
    check_tensor("allclose", input)
    check_tensor("allclose", other, "other", 2)
    return bool(FUNCTIONS["isclose"](input, other, rtol, atol, equal_nan).all())


def _on_the_cpu(self: Tensor, device: Any = None, **settings: Any) -> Tensor:
    """Refuse: there is no CUDA device."""
    check_device("cuda" if device is None else device)
    return self


def _inverted(self: Tensor) -> Tensor:
    """Not, of booleans; each bit, of integers; TypeError of floats."""
    if is_continuous(self._array.dtype):
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return Tensor(np.asarray(~self._array))


def _bitwise(name: str, symbol: str, combine: Any) -> Callable[[Tensor, Any], Any]:
    """An operator between tensors of integers or booleans."""

    def operator(self: Tensor, other: Any) -> Any:
        if not isinstance(other, Tensor | Number):
            return NotImplemented
        given = [self._array, other._array if isinstance(other, Tensor) else other]
        broadcast(self._array.shape, np.shape(given[1]))
        kind = result_type(given)
        if kind.kind in "fc":
            raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{kind.word}'")
        a, b = (np.asarray(x).astype(to_numpy(kind)) for x in given)
        return Tensor(np.asarray(combine(a, b)))

    operator.__doc__ = f"Each bit of both: {symbol}."
    return operator


def _contains(self: Tensor, element: Any) -> bool:
    """Whether an element equals a number, or one of a tensor."""
    if not isinstance(element, Tensor | Number):
        raise RuntimeError(
            f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}."
        )
    same: Any = self == element
    return bool(same.any())


def _type(self: Tensor, dtype: Any = None) -> Any:
    """PyTorch's name of its type, such as torch.FloatTensor; given a dtype, itself in that."""
    if dtype is None:
        return f"torch.{self.dtype.word}Tensor"
    named = {f"torch.{kind.word}Tensor": kind for kind in ALL}
    if isinstance(dtype, str) and dtype not in named:
        raise ValueError(f"invalid type: '{dtype}'")
    return self.to(named.get(dtype, dtype))


def _like(factory: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A factory as a method: the new tensor has the dtype of the tensor unless told."""

    def method(self: Tensor, *args: Any, dtype: Any = None, **settings: Any) -> Tensor:
        return factory(*args, dtype=dtype or self.dtype, **settings)

    method.__name__ = f"new_{factory.__name__}"
    method.__doc__ = f"`{factory.__name__}` in the dtype of this tensor, unless told."
    return method


def get_default_dtype() -> Any:
    """The dtype that Python floats become: float32."""
    return DEFAULT


def attach() -> None:
    """Give Tensor its device and what Python asks of it."""
    methods: dict[str, Any] = {
        "device": property(lambda self: CPU, doc="The CPU."),
        "is_cuda": property(lambda self: False, doc="Whether it lives on a CUDA device: never."),
        "cpu": lambda self: self,
        "cuda": _on_the_cpu,
        "itemsize": property(lambda self: self._array.itemsize, doc="The bytes of an element."),
        "element_size": lambda self: self._array.itemsize,
        "nelement": lambda self: self._array.size,
        "ndimension": lambda self: self._array.ndim,
        "nbytes": property(lambda self: self._array.nbytes, doc="The bytes of all elements."),
        "type": _type,
        "type_as": lambda self, other: self.to(other.dtype),
        "__invert__": _inverted,
        "__and__": _bitwise("bitwise_and", "&", np.bitwise_and),
        "__or__": _bitwise("bitwise_or", "|", np.bitwise_or),
        "__xor__": _bitwise("bitwise_xor", "^", np.bitwise_xor),
        "__contains__": _contains,
    }
    for factory in (empty, full, ones, tensor, zeros):
        methods[f"new_{factory.__name__}"] = _like(factory)
    for name in ("and", "or", "xor"):
        methods[f"__r{name}__"] = methods[f"__{name}__"]
    for name, method in methods.items():
        setattr(Tensor, name, method)


ALIASES = {
    "absolute": "abs",
    "clip": "clamp",
    "concat": "cat",
    "concatenate": "cat",
    "divide": "div",
    "multiply": "mul",
    "negative": "neg",
    "subtract": "sub",
}
"""PyTorch's other names for functions; all but the joins of tensors are methods too."""


def publish_aliases() -> None:
    """Offer functions under their other names."""
    for other, name in ALIASES.items():
        FUNCTIONS[other] = FUNCTIONS[name]
        if name != "cat":
            setattr(Tensor, other, FUNCTIONS[name])
