"""In-place methods that scripts need, written over the elements directly, where the engine has none yet."""

import contextlib

import numpy as np

from refgrad.tensor import Tensor


def _array(x):
    return x._array if isinstance(x, Tensor) else x


def _add(self, other, alpha=1):
    self._array[...] = self._array + (_array(other) * self._array.dtype.type(alpha))
    return self


def _sub(self, other, alpha=1):
    return _add(self, other, -alpha)


def _mul(self, other):
    self._array[...] = self._array * _array(other)
    return self


def _div(self, other):
    self._array[...] = self._array / _array(other)
    return self


def _copy(self, other):
    np.copyto(self._array, _array(other), casting="unsafe")
    return self


def _fill(self, value):
    self._array[...] = value
    return self


METHODS = {
    "add_": _add,
    "sub_": _sub,
    "mul_": _mul,
    "div_": _div,
    "copy_": _copy,
    "fill_": _fill,
    "relu_": lambda self: _copy(self, self.detach().relu()),
    "zero_": lambda self: _fill(self, 0),
    "__iadd__": _add,
    "__isub__": _sub,
    "__imul__": _mul,
    "__itruediv__": _div,
}


@contextlib.contextmanager
def missing_in_place():
    """Within it tensors have these methods; those that the engine has itself stay as they are."""
    added = [name for name in METHODS if name not in vars(Tensor)]
    for name in added:
        setattr(Tensor, name, METHODS[name])
    try:
        yield
    finally:
        for name in added:
            delattr(Tensor, name)
