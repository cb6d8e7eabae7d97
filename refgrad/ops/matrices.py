"""Inverses and determinants of batches of matrices, outer products, and a product added to a matrix."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np

from refgrad.dtypes import Array, is_continuous
from refgrad.op import op
from refgrad.ops.arithmetic import mul, times, where
from refgrad.ops.constants import minors, triangles
from refgrad.ops.indexing import index
from refgrad.ops.linear import LinAlgError, eliminated, mm, mT, product, solve_factored, substitute
from refgrad.ops.reductions import sum_all
from refgrad.ops.shapes import expanded, reshaped
from refgrad.ops.shaping import t, unsqueeze, view
from refgrad.public import check_tensor, public
from refgrad.record import apply


@op(
    A=lambda g, inverse: -product(product(mT(inverse), g), mT(inverse)),
    outputs=("inverse",),
    node="LinalgInvExBackward0",
)
def inv(A: Array) -> Any:
    LU, pivots, zeros = eliminated(A)
    if zeros.any():
        place = tuple(np.argwhere(zeros)[0])
        batch = f" (Batch element {place[0]}):" if place else ""
        raise LinAlgError(
            f"linalg.inv:{batch} The diagonal element {zeros[place]} is zero, the inversion could not be "
            "completed because the input matrix is singular."
        )
    identity = np.broadcast_to(np.eye(A.shape[-1], dtype=A.dtype), A.shape)
    return substitute(LU, pivots, identity, left=True, transposed=False)


@op(
    A=lambda g, A, LU, pivots, y: det_backward(g, A, LU, pivots, y),
    aux=("LU", "pivots"),
    node="LinalgDetBackward0",
)
def det(A: Array) -> Any:
    """The product of the pivots, negative after an odd number of row exchanges."""
    LU, pivots, _ = eliminated(A)
    exchanges = np.sum(pivots != np.arange(1, A.shape[-1] + 1), axis=-1)
    signs = (1 - 2 * (exchanges % 2)).astype(A.dtype)
    return signs * np.prod(np.diagonal(LU, axis1=-2, axis2=-1), axis=-1), LU, pivots


def det_backward(g: Any, A: Any, LU: Array, pivots: Array, y: Any) -> Any:
    """The cotangent times the cofactors: det A^-T, or where a matrix is singular their definition."""
    if int(sum_all(y == 0)):
        return beside(g) * cofactors(A)
    scaled = where(triangles(A.shape[-1])[0], beside(g * y), 0.0)
    return solve_factored(A, scaled, LU=LU, pivots=pivots, left=True, adjoint=True)


def beside(x: Any) -> Any:
    """A number for each matrix, with two dimensions to stand beside it."""
    return unsqueeze(unsqueeze(x, dim=len(x.shape)), dim=len(x.shape) + 1)


def cofactors(A: Any) -> Any:
    """At each place the determinant of the rest without its row and column, with its sign."""
    rows, columns, even = minors(A.shape[-1])
    found = det(index(A, indices=(None,) * (len(A.shape) - 2) + (rows, columns)))
    return where(even, found, -found)


@op(
    x=lambda g, beta: times(g, beta),
    mat1=lambda g, mat2, alpha: times(mm(g, t(mat2)), alpha),
    mat2=lambda g, mat1, alpha: times(mm(t(mat1), g), alpha),
)
def addmm(x: Array, mat1: Array, mat2: Array, *, beta: float = 1, alpha: float = 1) -> Any:
    return times(x, beta) + times(np.matmul(mat1, mat2), alpha)


def check_square(function: str, A: Any) -> None:
    """Raise as PyTorch does unless A holds square matrices of a dtype that linear algebra takes."""
    check_tensor(function.replace(".", "_"), A, "A")
    if not is_continuous(A._array.dtype):
        raise RuntimeError(
            f"{function}: Expected a floating point or complex tensor as input. Got {A.dtype.word}"
        )
    if A.ndim < 2:
        raise RuntimeError(f"{function}: The input tensor A must have at least 2 dimensions.")
    n, m = A._array.shape[-2:]
    if n != m:
        raise RuntimeError(
            f"{function}: A must be batches of square matrices, but they are {n} by {m} matrices"
        )


@public("linalg.inv", inv, method="inverse")
def _(A: Any) -> Any:
    """The inverse of each matrix; RuntimeError for other shapes and dtypes, LinAlgError for a singular one."""
    check_square("linalg.inv", A)
    if A.dtype.is_half:
        raise RuntimeError(f"linalg.inv: Low precision dtypes not supported. Got {A.dtype.word}")
    return apply(inv, (A,), {})


@public("linalg.det", det, method="det")
def _(A: Any) -> Any:
    """The determinant of each matrix; RuntimeError for other shapes and dtypes."""
    check_square("linalg.det", A)
    if A.dtype.is_half:
        raise NotImplementedError(f"\"lu_cpu\" not implemented for '{A.dtype.word}'")
    return apply(det, (A,), {})


@public("outer", view, mul, inputs=("input", "vec2"))
def _(input: Any, vec2: Any) -> Any:
    """Every element of a vector times every element of another."""
    for name, x, position in (("self", input, 1), ("vec2", vec2, 2)):
        check_tensor("outer", x, "input" if position == 1 else name, position)
        if x._array.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {x.ndim}-D")
    return reshaped(input, (input._array.shape[0], 1)) * vec2


@public("addmm", addmm)
def _(input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """beta*input + alpha*(mat1 @ mat2), input broadcast; RuntimeError for what does not fit."""
    check_tensor("addmm", input)
    for name, x, position in (("mat1", mat1, 2), ("mat2", mat2, 3)):
        check_tensor("addmm", x, name, position)
        if x._array.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix, got {x.ndim}-D tensor")
    (n, k), (m, p) = mat1._array.shape, mat2._array.shape
    if k != m:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({n}x{k} and {m}x{p})")
    if input.dtype is not mat2.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {input.dtype.word} and {mat2.dtype.word}"
        )
    if mat1.dtype is not mat2.dtype:
        raise RuntimeError(
            f"mat1 and mat2 must have the same dtype, but got {mat1.dtype.word} and {mat2.dtype.word}"
        )
    expanded(input._array.shape, (n, p), input.dtype.word)
    return apply(addmm, (input, mat1, mat2), {"beta": beta, "alpha": alpha})
