"""Python's operators and PyTorch's conversions on tensors, from the ops."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from refgrad import dtypes
from refgrad.op import Op
from refgrad.ops import arithmetic, linear, shaping
from refgrad.printing import tensor_format
from refgrad.public import FUNCTIONS, broadcast
from refgrad.quick import quick_binary
from refgrad.record import apply
from refgrad.tensor import Tensor

Method = Callable[..., Any]


def _operand(other: Any) -> Any:
    """`other` as an operand: tensors and numbers as they are, NumPy's numbers as numbers, else None."""
    if type(other) is Tensor or isinstance(other, dtypes.Number):
        return other
    return other.item() if isinstance(other, np.generic) else None


def _right_operand(self: Tensor, other: Any) -> Any:
    """The same to the right of a tensor, where an array may stand if the tensor does not require grad."""
    if isinstance(other, np.ndarray):
        self.numpy()
        return Tensor(other)
    return _operand(other)


def _operator(function: Method, *, swapped: bool = False) -> Method:
    """An operator that hands tensors and numbers to `function`, and leaves anything else to Python."""

    def operator(self: Tensor, other: Any) -> Any:
        found = _operand(other) if swapped else _right_operand(self, other)
        if found is None:
            return NotImplemented
        return function(found, self) if swapped else function(self, found)

    return operator


def _commuted(function: Method) -> Method:
    """An operator to the right of a number that PyTorch takes as if the number stood there."""

    def operator(self: Tensor, other: Any) -> Any:
        found = _operand(other)
        return NotImplemented if found is None else function(self, found)

    return operator


def _arithmetic(op: Op, function: Method) -> Method:
    """An operator that goes straight to `op` where nothing needs a check, else through its function."""

    def otherwise(self: Tensor, other: Any) -> Any:
        found = _right_operand(self, other)
        return NotImplemented if found is None else function(self, found)

    return quick_binary(op, otherwise)


def _written(name: str) -> Method:
    """An operator that writes its result over its left operand: `+=`."""

    def operator(self: Tensor, other: Any) -> Any:
        found = _right_operand(self, other)
        return NotImplemented if found is None else getattr(self, name)(found)

    return operator


def _comparison(op: Op) -> Method:
    """A comparison, elementwise, that no gradient flows through."""

    def function(input: Any, other: Any) -> Any:
        if type(other) is Tensor:
            broadcast(input._array.shape, other._array.shape)
        return apply(op, (input, other), {})

    function.__name__ = op.name
    function.__doc__ = f"Elementwise comparison: {op.name}."
    FUNCTIONS[op.name] = function
    setattr(Tensor, op.name, function)
    return _operator(function)


def _divided(self: Tensor, other: Any) -> Any:
    """A number over a tensor, which PyTorch takes as the number times the reciprocal."""
    found = _operand(other)
    if found is None:
        return NotImplemented
    return found / self if type(found) is Tensor else apply(arithmetic.reciprocal, (self,), {}) * found


def _subtracted(self: Tensor, other: Any) -> Any:
    found = _operand(other)
    if found is None:
        return NotImplemented
    return found - self if type(found) is Tensor else FUNCTIONS["rsub"](self, found)


def _reversed(self: Tensor) -> Any:
    """All dimensions in the opposite order; deprecated, as in PyTorch, for other than two."""
    if self._array.ndim == 0:
        warnings.warn(
            "Tensor.T is deprecated on 0-D tensors. This function is the identity in these cases.",
            UserWarning,
            stacklevel=2,
        )
    elif self._array.ndim != 2:
        warnings.warn(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and "
            "it will throw an error in a future release. Consider `x.mT` to transpose batches of matrices or "
            "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor.",
            UserWarning,
            stacklevel=2,
        )
    return apply(shaping.permute, (self,), {"dims": tuple(reversed(range(self._array.ndim)))})


def _matrices_transposed(self: Tensor) -> Any:
    """Each matrix transposed, as a view; RuntimeError for fewer than two dimensions."""
    if self._array.ndim < 2:
        raise RuntimeError(
            "tensor.mT is only supported on matrices or batches of matrices. Got "
            f"{self._array.ndim}-D tensor."
        )
    return linear.mT(self)


def _conversion(kind: dtypes.dtype) -> Method:
    def function(self: Tensor) -> Any:
        return FUNCTIONS["to"](self, kind)

    function.__doc__ = f"In {kind}; itself where that is its dtype already."
    return function


def attach() -> None:
    """Give Tensor its operators, its transposes and its conversions."""
    named = FUNCTIONS
    methods: dict[str, Any] = {
        "__add__": _arithmetic(arithmetic.add, named["add"]),
        "__radd__": _commuted(named["add"]),
        "__sub__": _arithmetic(arithmetic.sub, named["sub"]),
        "__rsub__": _subtracted,
        "__mul__": _arithmetic(arithmetic.mul, named["mul"]),
        "__rmul__": _commuted(named["mul"]),
        "__truediv__": _arithmetic(arithmetic.div, named["div"]),
        "__rtruediv__": _divided,
        "__pow__": _operator(named["pow"]),
        "__rpow__": _operator(named["pow"], swapped=True),
        "__matmul__": _matrix_product(),
        "__rmatmul__": _matrix_product(swapped=True),
        "__iadd__": _written("add_"),
        "__isub__": _written("sub_"),
        "__imul__": _written("mul_"),
        "__itruediv__": _written("div_"),
        "__ipow__": _written("pow_"),
        "__neg__": named["neg"],
        "__abs__": named["abs"],
        "__pos__": lambda self: self,
        "__format__": tensor_format,
        "T": property(_reversed),
        "mT": property(_matrices_transposed),
    }
    for name in ("gt", "ge", "lt", "le", "eq", "ne"):
        methods[f"__{name}__"] = _comparison(getattr(arithmetic, name))
    for name, kind in CONVERSIONS.items():
        methods[name] = _conversion(kind)
    for name, method in methods.items():
        setattr(Tensor, name, method)


def _matrix_product(*, swapped: bool = False) -> Method:
    def operator(self: Tensor, other: Any) -> Any:
        found = _operand(other) if swapped else _right_operand(self, other)
        if type(found) is not Tensor:
            return NotImplemented
        return FUNCTIONS["matmul"](found, self) if swapped else FUNCTIONS["matmul"](self, found)

    return operator


CONVERSIONS = {
    "double": dtypes.float64,
    "float": dtypes.float32,
    "half": dtypes.float16,
    "cfloat": dtypes.complex64,
    "cdouble": dtypes.complex128,
    "bfloat16": dtypes.bfloat16,
    "long": dtypes.int64,
    "int": dtypes.int32,
    "short": dtypes.int16,
    "char": dtypes.int8,
    "byte": dtypes.uint8,
    "bool": dtypes.bool_,
}
