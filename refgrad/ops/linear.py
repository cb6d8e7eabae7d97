"""Matrix products and linear systems."""

# mypy: disable-error-code="has-type"
# A formula may name the very op it belongs to, whose type mypy then cannot have inferred yet.

from typing import Any

import numpy as np
from scipy.linalg import lapack

from refgrad.dtypes import Array
from refgrad.op import Joint, op
from refgrad.ops.shaping import t, transpose, unsqueeze


@op(a=lambda g, mat2: mm(g, t(mat2)), mat2=lambda g, a: mm(t(a), g))
def mm(a: Array, mat2: Array) -> Any:
    return np.matmul(a, mat2)


@op(
    a=lambda g, vec: unsqueeze(g, dim=1) * vec,
    vec=lambda g, a: mv(t(a), g),
)
def mv(a: Array, vec: Array) -> Any:
    return np.matmul(a, vec)


@op(a=lambda g, tensor: g * tensor, tensor=lambda g, a: g * a)
def dot(a: Array, tensor: Array) -> Any:
    return np.dot(a, tensor)


@op(
    a=lambda g, mat2: bmm(g, transpose(mat2, dim0=1, dim1=2)),
    mat2=lambda g, a: bmm(transpose(a, dim0=1, dim1=2), g),
)
def bmm(a: Array, mat2: Array) -> Any:
    return np.matmul(a, mat2)


@op(a=lambda g, b: product(g, mT(b)), b=lambda g, a: product(mT(a), g))
def product(a: Array, b: Array) -> Any:
    """Products of batches of matrices, batch dimensions broadcast."""
    return np.matmul(a, b)


def mT(x: Any) -> Any:  # noqa: N802 (PyTorch's name)
    """Each matrix transposed."""
    return transpose(x, dim0=-2, dim1=-1)


class LinAlgError(RuntimeError):
    """A matrix is singular."""


def is_vector(A: tuple[int, ...], B: tuple[int, ...]) -> bool:
    """Whether operands of these shapes mean one right-hand vector per matrix."""
    return len(B) == 1 or A[:-1] == B


def solve_backward(
    g: Any, A: Any, LU: Array, pivots: Array, y: Any, left: bool, adjoint: bool, needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """The cotangents of A and B: B's solves the adjoint system, A's is minus its product with the solution."""
    gB = solve_factored(A, g, LU=LU, pivots=pivots, left=left, adjoint=not adjoint)
    if not needs[0]:
        return None, gB
    vector = is_vector(A.shape, y.shape)
    gX, X = (unsqueeze(gB, dim=-1), unsqueeze(y, dim=-1)) if vector else (gB, y)
    gM = -(product(gX, mT(X)) if left else product(mT(X), gX))
    return (mT(gM) if adjoint else gM), gB


@op(
    Joint(
        "A",
        "B",
        formula=lambda g, A, LU, pivots, y, left, needs: solve_backward(
            g, A, LU, pivots, y, left, False, needs
        ),
    ),
    aux=("LU", "pivots"),
    node="LinalgSolveExBackward0",
)
def solve(A: Array, B: Array, *, left: bool = True) -> Any:
    """The solution X of A X = B, or with `left=False` of X A = B, by LU with partial pivoting."""
    LU, pivots = factor(A)
    return substitute(LU, pivots, B, left=left, transposed=False), LU, pivots


@op(
    Joint(
        "A",
        "B",
        formula=lambda g, A, y, LU, pivots, left, adjoint, needs: solve_backward(
            g, A, LU, pivots, y, left, adjoint, needs
        ),
    )
)
def solve_factored(A: Array, B: Array, *, LU: Array, pivots: Array, left: bool, adjoint: bool) -> Any:
    """The solution with A, or with its transpose if `adjoint`, whose factors are already known."""
    return substitute(LU, pivots, B, left=left, transposed=adjoint)


def factor(A: Array) -> tuple[Array, Array]:
    """The LU factors of each matrix, in one array, and its row exchanges counted from 1, as LAPACK has them.

    LinAlgError where a matrix is singular.
    """
    LU, pivots, zeros = eliminated(A)
    if zeros.any():
        place = tuple(np.argwhere(zeros)[0])
        batch = f" (Batch element {place[0]}):" if place else ""
        raise LinAlgError(
            f"torch.linalg.solve:{batch} The solver failed because the input matrix is singular."
        )
    return LU, pivots


def eliminated(A: Array) -> tuple[Array, Array, Array]:
    """The same of any matrices, and the first zero on each one's diagonal, counted from 1; 0 for none."""
    LU = np.array(A, order="C")
    pivots = np.zeros(A.shape[:-1], np.int32)
    zeros = np.zeros(A.shape[:-2], np.int64)
    getrf: Any = lapack.get_lapack_funcs("getrf", (LU,))
    for place in np.ndindex(A.shape[:-2] if A.size else (0,)):
        LU[place], exchanges, zeros[place] = getrf(A[place])
        pivots[place] = exchanges + 1
    return LU, pivots, zeros


def substitute(LU: Array, pivots: Array, B: Array, *, left: bool, transposed: bool) -> Array:
    """Solve with each pair of factors, batch dimensions broadcast; a vector of B is a matrix of one column."""
    vector = is_vector(LU.shape, B.shape)
    sides = B[..., None] if vector else B
    sides = sides if left else np.swapaxes(sides, -1, -2)
    batch = np.broadcast_shapes(LU.shape[:-2], sides.shape[:-2])
    X = np.array(np.broadcast_to(sides, (*batch, *sides.shape[-2:])))
    factors = np.broadcast_to(LU, (*batch, *LU.shape[-2:]))
    exchanges = np.broadcast_to(pivots - 1, (*batch, *pivots.shape[-1:]))
    getrs: Any = lapack.get_lapack_funcs("getrs", (X,))
    for place in np.ndindex(batch if X.size else (0,)):
        X[place], _ = getrs(factors[place], exchanges[place], X[place], trans=int(transposed == left))
    X = X if left else np.swapaxes(X, -1, -2)
    return X[..., 0] if vector else X
