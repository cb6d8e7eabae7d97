"""Complex numbers: their parts, conjugates, magnitudes and directions, and ops that branch in the plane.

Formulas are given the conjugates of what was saved, by `OpNode.answers`, so that those of holomorphic ops are the ones
for real numbers; a real operand receives the real part of what is answered.
"""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

import cmath
from math import inf, pi
from typing import Any, Final

import numpy as np

from refgrad.dtypes import Array, Number, dtype, is_floating
from refgrad.op import COMMON, MOVES, NO_GRADIENT, OWN, op
from refgrad.ops.arithmetic import by_base, where
from refgrad.ops.constants import zeros_like
from refgrad.ops.exponential import log, rsqrt
from refgrad.ops.indexing import select
from refgrad.public import FUNCTIONS, check_tensor, operands, public
from refgrad.record import apply
from refgrad.tensor import Tensor
from refgrad.views import OTHER_DTYPE


@op(x=lambda g: conj(g), dtypes=OWN)
def conj(x: Array) -> Any:
    return np.conj(x)


@op(x=lambda g: joined(g), dtypes=MOVES, view=True)
def view_as_real(x: Array) -> Any:
    return x[..., None].view(x.real.dtype)


@op(x=lambda g: parts(g), dtypes=MOVES, view=True)
def view_as_complex(x: Array) -> Any:
    return x.view(np.result_type(x, np.complex64))[..., 0]


@op(x=lambda g: joined(g), dtypes=OWN)
def parts(x: Array) -> Any:
    """The real and the imaginary parts, along a new last dimension; a copy."""
    return np.stack((x.real, x.imag), axis=-1)


@op(x=lambda g: parts(g), dtypes=OWN)
def joined(x: Array) -> Any:
    """What `parts` gives apart, as complex numbers again."""
    return joint(x[..., 0], x[..., 1])


def joint(real: Array, imag: Array) -> Array:
    """real + i*imag, where infinities and nan do not mix."""
    made = np.empty(np.broadcast_shapes(real.shape, imag.shape), np.result_type(real, np.complex64))
    made.real, made.imag = real, imag
    return made


def real_part(x: Any) -> Any:
    """The real part of an array, or of a tensor: a copy."""
    return select(parts(x), dim=len(x.shape), index=0)


@op(real=lambda g: g, imag=lambda g: g * -1j, dtypes=OWN)
def complex_(real: Array, imag: Array) -> Any:
    return joint(real, imag)


@op(
    abs=lambda g, angle: g * polar(zeros_like(angle) + 1, -angle),
    angle=lambda g, y: g * (y * -1j),
    dtypes=OWN,
)
def polar(abs: Array, angle: Array) -> Any:
    return joint(abs * np.cos(angle), abs * np.sin(angle))


@op(x=lambda g, x: g * conj(sgn(x)), dtypes=OWN, node="AbsBackward0")
def abs_complex(x: Array) -> Any:  # at zero: 0
    return np.abs(x)


@op(x=lambda g, x, y: turned(g, x, y), dtypes=COMMON)
def sgn(x: Array) -> Any:
    """z/|z|, 0 at zero; of a real number its sign."""
    if x.dtype.kind != "c":
        return x.copy() if x.dtype.kind == "b" else np.sign(x)
    size = np.abs(x)
    return np.where(size == 0, x.dtype.type(0), x / np.where(size == 0, size.dtype.type(1), size))


def turned(g: Any, x: Any, y: Any) -> Any:
    """The cotangent through sgn: what is at right angles to z, over |z|; 0 at zero."""
    if x.dtype.kind != "c":
        return zeros_like(g)
    size = abs_complex(x)
    return where(size == 0, 0.0, (g - conj(y) * real_part(y * g)) / size)


@op(x=lambda g, x: along(g, x), dtypes=COMMON)
def angle(x: Array) -> Any:
    """The argument of a complex number; of a real one 0, or pi where it is negative."""
    if x.dtype.kind == "c":
        return np.angle(x)
    x = x if is_floating(x.dtype) else x.astype(np.float32)
    return np.where(np.isnan(x), x, np.where(x < 0, x.dtype.type(pi), x.dtype.type(0)))


def along(g: Any, x: Any) -> Any:
    """The cotangent through angle: i g / conj(z); 0 at zero, and for real numbers."""
    if x.dtype.kind != "c":
        return zeros_like(g)
    zero = x == 0
    return where(zero, 0.0, g * 1j / where(zero, 1.0, x))


@op(x=lambda g, y: g * ((1.0 - y) * y), node="SigmoidBackward0", dtypes=OWN)
def sigmoid_complex(x: Array) -> Any:
    return 1 / (1 + np.exp(-x))


# Note [slopes on a cut]: there the sign of a zero says which side is meant, and adding 1 = 1 + 0i would turn -0 into 0.
# Taking 1 or -1 away keeps it.
@op(x=lambda g, x: g * rsqrt(-(x * x - 1.0)), node="AsinBackward0", dtypes=OWN)
def asin_complex(x: Array) -> Any:
    return np.arcsin(x)


@op(x=lambda g, x: g * -rsqrt(-(x * x - 1.0)), node="AcosBackward0", dtypes=OWN)
def acos_complex(x: Array) -> Any:
    return np.arccos(x)


@op(x=lambda g, x: g * rsqrt(x * x - -1.0), node="AsinhBackward0", dtypes=OWN)
def asinh_complex(x: Array) -> Any:
    return np.arcsinh(x)


@op(x=lambda g, x: g * (rsqrt(x - 1.0) * rsqrt(x - -1.0)), node="AcoshBackward0", dtypes=OWN)
def acosh_complex(x: Array) -> Any:
    return np.arccosh(x)


@op(
    a=lambda g, a, exponent, y: by_base(g, a, exponent),
    exponent=lambda g, a, exponent, y: by_power(g, exponent, y * log(a), a == 0),
    dtypes=COMMON,
    node="PowBackward1",
)
def pow_complex(a: Array, exponent: Array) -> Any:
    return np.power(a, exponent)


@op(
    exponent=lambda g, base, exponent, y: by_power(g, exponent, y * logarithm(base), base == 0),
    dtypes=COMMON,
    node="PowBackward2",
)
def rpow_complex(exponent: Array, *, base: Number) -> Any:
    return np.power(exponent.dtype.type(base), exponent)


def by_power(g: Any, exponent: Any, slope: Any, zero: Any) -> Any:
    """The cotangent of an exponent; where the base is zero it is 0 for exponents that are real and not negative."""
    return where(zero, where(not_below_zero(exponent), 0.0, g * slope), g * slope)


@op(x=NO_GRADIENT, dtypes=OWN)
def not_below_zero(x: Array) -> Any:
    """Whether complex numbers are real and not negative."""
    return (x.real >= 0) & (x.imag == 0)


def logarithm(base: Number) -> complex:
    """The logarithm of a Python number as a complex one; of zero minus infinity."""
    return cmath.log(base) if base else complex(-inf)


@public("conj", conj, judged=False)
def _(input: Any) -> Any:
    """The complex conjugate, a copy; a real tensor itself."""
    check_tensor("conj", input)
    return apply(conj, (input,)) if input.is_complex() else input


@public("resolve_conj", judged=False)
def _(input: Any) -> Any:
    """The tensor itself: conjugates are computed at once."""
    check_tensor("resolve_conj", input)
    return input


@public("is_complex", judged=False, method=False)
def _(input: Any) -> bool:
    """Whether elements are complex numbers."""
    check_tensor("is_complex", input)
    return bool(input.is_complex())


@public("view_as_real", view_as_real, judged=False, method=False)
def _(input: Any) -> Any:
    """The real and imaginary parts, along a new last dimension, as a view; RuntimeError for real tensors."""
    check_tensor("view_as_real", input)
    if not input.is_complex():
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return guarded(apply(view_as_real, (input,), {}))


@public("view_as_complex", view_as_complex, judged=False, method=False)
def _(input: Any) -> Any:
    """Pairs along the last dimension as complex numbers, a view; RuntimeError for what is not laid out in pairs."""
    check_tensor("view_as_complex", input)
    kind, array = input.dtype, input._array
    if not kind.is_floating_point or kind.is_half:
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: "
            f"{kind.word}"
        )
    if array.ndim == 0:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if array.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    *steps, last = input.stride()
    if last != 1:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(step % 2 for step in steps):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    return guarded(apply(view_as_complex, (input,), {}))


def guarded(made: Tensor) -> Tensor:
    """A view of another dtype, which must not be written to where that is recorded: places count in its elements."""
    if made._state is not None and made._state.view is not None:
        made._state.view.creation = made._state.view.creation or OTHER_DTYPE
    return made


@public("real", view_as_real, judged=False, method=False)
def _(input: Any) -> Any:
    """The real part, as a view; a real tensor itself."""
    check_tensor("real", input)
    return part_of(input, 0) if input.is_complex() else input


@public("imag", view_as_real, judged=False, method=False)
def _(input: Any) -> Any:
    """The imaginary part, as a view; RuntimeError for real tensors."""
    check_tensor("imag", input)
    if not input.is_complex():
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return part_of(input, 1)


def part_of(input: Tensor, which: int) -> Any:
    """The real (0) or imaginary (1) part, as PyTorch composes it."""
    pairs = FUNCTIONS["view_as_real"](input)
    return apply(select, (pairs,), {"dim": input._array.ndim, "index": which})


@public("complex", complex_, judged=False, method=False)
def _(real: Any, imag: Any) -> Any:
    """real + i*imag, of two float32 or two float64 tensors."""
    return apply(complex_, same_floats("complex", ("real", real), ("imag", imag)), {})


@public("polar", polar, judged=False, method=False)
def _(abs: Any, angle: Any) -> Any:
    """abs*cos(angle) + i*abs*sin(angle), of two float32 or two float64 tensors."""
    return apply(polar, same_floats("polar", ("abs", abs), ("angle", angle)), {})


def same_floats(function: str, first: tuple[str, Any], second: tuple[str, Any]) -> tuple[Tensor, Tensor]:
    """Two tensors of one floating dtype of full width; TypeError or RuntimeError, in PyTorch's words, for others."""
    tensors = (first[1], second[1])
    for position, (name, x) in enumerate((first, second), 1):
        check_tensor(function, x, name, position)
    kinds: list[dtype] = [x.dtype for x in tensors]
    if not all(kind.is_floating_point for kind in kinds) or any(kind.name == "bfloat16" for kind in kinds):
        raise RuntimeError(
            f"Expected both inputs to be Half, Float or Double tensors but got {kinds[0].word} and {kinds[1].word}"
        )
    if kinds[0] is not kinds[1]:
        raise RuntimeError(
            f"Expected object of scalar type {kinds[0].word} but got scalar type {kinds[1].word} for second argument"
        )
    if kinds[0].is_half:
        raise NotImplementedError(f"complex32 is not implemented here: {function} takes float32 or float64")
    operands(function, *tensors)
    return tensors


@public("sgn", sgn, judged=False)
def _(input: Any) -> Any:
    """z/|z|, 0 at zero; of a real number its sign."""
    check_tensor("sgn", input)
    return apply(sgn, (input,))


@public("angle", angle, judged=False)
def _(input: Any) -> Any:
    """The argument of each complex number; of a real one 0, or pi where it is negative."""
    check_tensor("angle", input)
    return apply(angle, (input,))


def _transposed(self: Tensor) -> Any:
    """Each matrix transposed and conjugated; RuntimeError for fewer than two dimensions."""
    if self._array.ndim < 2:
        raise RuntimeError(
            f"tensor.mH is only supported on matrices or batches of matrices. Got {self._array.ndim}-D tensor."
        )
    return FUNCTIONS["conj"](self.mT)


ADDED: Final[dict[str, Any]] = {
    "real": property(FUNCTIONS["real"], doc="The real part, as a view; a real tensor itself."),
    "imag": property(FUNCTIONS["imag"], doc="The imaginary part, as a view; RuntimeError for real tensors."),
    "mH": property(_transposed, doc="Each matrix transposed and conjugated."),
    "is_conj": lambda self: False,
}
for _name, _method in ADDED.items():
    setattr(Tensor, _name, _method)
