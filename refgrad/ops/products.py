"""PyTorch's functions and methods over matrix products and systems: checks and composition."""

from math import prod
from typing import Any

from refgrad.dtypes import is_continuous
from refgrad.ops.linear import bmm, dot, is_vector, mm, mT, mv, solve
from refgrad.ops.shaping import squeeze_in_place, unsafe_view
from refgrad.public import broadcast, check_tensor, public
from refgrad.record import apply


@public("mm", mm)
def _(input: Any, mat2: Any) -> Any:
    """The product of two matrices."""
    for name, x, position in (("self", input, 1), ("mat2", mat2, 2)):
        check_tensor("mm", x, name, position)
        if x._array.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix")
    (n, k), (m, p) = input._array.shape, mat2._array.shape
    if k != m:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({n}x{k} and {m}x{p})")
    if input.dtype is not mat2.dtype:
        kinds = f"{input.dtype.c_name} != {mat2.dtype.c_name}"
        raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {kinds}")
    return apply(mm, (input, mat2), {})


@public("mv", mv)
def _(input: Any, vec: Any) -> Any:
    """The product of a matrix and a vector."""
    check_tensor("mv", input)
    check_tensor("mv", vec, "vec", 2)
    if input._array.ndim != 2 or vec._array.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {input.ndim}, {vec.ndim}")
    (n, k), (m,) = input._array.shape, vec._array.shape
    if k != m:
        raise RuntimeError(f"size mismatch, got input ({n}), mat ({n}x{k}), vec ({m})")
    if input.dtype is not vec.dtype:
        kinds = f"{vec.dtype.word}, {input.dtype.word}, and {vec.dtype.word}"
        raise RuntimeError(f"addmv input tensors must have the same dtype, but got {kinds}")
    return apply(mv, (input, vec), {})


@public("dot", dot)
def _(input: Any, tensor: Any) -> Any:
    """The sum of the products of the elements of two vectors."""
    check_tensor("dot", input)
    check_tensor("dot", tensor, "tensor", 2)
    if input._array.ndim != 1 or tensor._array.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    if input.dtype is not tensor.dtype:
        kinds = f"{input.dtype.word} and {tensor.dtype.word}"
        raise RuntimeError(f"dot : expected both vectors to have same dtype, but found {kinds}")
    n, m = input._array.size, tensor._array.size
    if n != m:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same number of "
            f"elements, but got {n} and {m} elements respectively"
        )
    return apply(dot, (input, tensor), {})


@public("bmm", bmm)
def _(input: Any, mat2: Any) -> Any:
    """The products of two batches of matrices."""
    for name, x, position in (("batch1", input, 1), ("batch2", mat2, 2)):
        check_tensor("bmm", x, "input" if position == 1 else "mat2", position)
        if x._array.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")
    (b, _, k), (c, m, _) = input._array.shape, mat2._array.shape
    if (b, k) != (c, m):
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{b}, {k}] but got: [{c}, {m}]."
        )
    if input.dtype is not mat2.dtype:
        raise RuntimeError(f"expected scalar type {input.dtype.word} but found {mat2.dtype.word}")
    return apply(bmm, (input, mat2), {})


@public("matmul", mm, mv, dot, bmm)
def _(input: Any, other: Any) -> Any:
    """The matrix product, vectors and batches included; composed as PyTorch composes it."""
    check_tensor("matmul", input)
    check_tensor("matmul", other, "other", 2)
    return matmul(input, other)


def matmul(a: Any, b: Any) -> Any:
    """Choose by dimensions among dot, mv, mm, and for batches folding into mm or expanding to bmm."""
    ranks = a._array.ndim, b._array.ndim
    if 0 in ranks:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {ranks[0]}D and {ranks[1]}D"
        )
    if ranks == (1, 1):
        return a.dot(b)
    if ranks == (2, 1):
        return a.mv(b)
    if ranks == (1, 2):
        return squeeze_in_place(a.unsqueeze(0).mm(b), dim=0)
    if ranks == (2, 2):
        return a.mm(b)
    return folded(a, b) if folds(a, b) else batched(a, b)


def folds(a: Any, b: Any) -> bool:
    """Whether a batch times a single matrix or vector is taken as one product of matrices.

    PyTorch folds where it saves memory in the backward pass, or costs no copy.
    """
    larger, smaller = (a, b) if a.ndim >= b.ndim else (b, a)
    if not (larger.ndim >= 3 and smaller.ndim <= 2):
        return False
    if smaller.requires_grad:
        return True
    if a.ndim == 2:
        return False
    array = larger._array if larger is a else larger._array.swapaxes(-1, -2)
    if not array.size:
        return True
    steps = range(array.ndim - 2)
    return all(array.strides[i] == array.strides[i + 1] * array.shape[i + 1] for i in steps)


def folded(a: Any, b: Any) -> Any:
    """The batch as one tall matrix, times the other operand."""
    turned = b.ndim > a.ndim
    tall, other = (mT(b), a.t() if a.ndim == 2 else a) if turned else (a, b)
    shape = tall._array.shape
    rows = tall.reshape(prod(shape[:-1]), shape[-1])
    if other.ndim == 1:
        return unsafe_view(rows.mv(other), shape=shape[:-1])
    out = unsafe_view(rows.mm(other), shape=(*shape[:-1], other._array.shape[1]))
    return mT(out).contiguous() if turned else out


def batched(a: Any, b: Any) -> Any:
    """Both operands expanded to one batch of matrices."""
    m, n = a._array.shape, b._array.shape
    if len(m) == len(n) == 3 and m[0] != n[0]:  # what would be broadcast is folded where it needs a gradient
        if m[0] == 1 and a.requires_grad:
            return matmul(a.squeeze(0), b)
        if n[0] == 1 and b.requires_grad:
            return matmul(a, b.squeeze(0))
    rows = m[-2:] if len(m) > 1 else (1, m[-1])
    batch = broadcast(m[:-2], n[:-2])
    left = a.expand(*batch, *rows).reshape(prod(batch), *rows)
    right = b.expand(*batch, *n[-2:]).reshape(prod(batch), *n[-2:])
    right = right.unsqueeze(2) if len(n) == 1 else right
    out = left.bmm(right)
    out = out.squeeze(-1) if len(n) == 1 else out
    return unsafe_view(out, shape=(*batch, *m[-2:-1], *(n[-1:] if len(n) > 1 else ())))


@public("linalg.solve", solve, method=False)
def _(A: Any, B: Any, *, left: bool = True) -> Any:
    """The solution X of A X = B, or of X A = B, for batches of square matrices.

    RuntimeError for shapes or dtypes that do not fit; LinAlgError where a matrix is singular.
    """
    check_tensor("linalg_solve", A, "A", 1)
    check_tensor("linalg_solve", B, "B", 2)
    check_system(A, B, left)
    return apply(solve, (A, B), {"left": left})


def check_system(A: Any, B: Any, left: bool) -> None:
    """Raise as PyTorch does unless A and B make a system of equations."""
    if not is_continuous(A._array.dtype):
        raise RuntimeError(
            f"linalg.solve: Expected a floating point or complex tensor as input. Got {A.dtype.word}"
        )
    if A.dtype is not B.dtype:
        raise RuntimeError(
            "linalg.solve: Expected A and B to have the same dtype, but found A of type "
            f"{A.dtype.word} and B of type {B.dtype.word} instead"
        )
    if A.ndim < 2:
        raise RuntimeError("linalg.solve: The input tensor A must have at least 2 dimensions.")
    (n, m), shape = A._array.shape[-2:], B._array.shape
    if n != m:
        raise RuntimeError(
            f"linalg.solve: A must be batches of square matrices, but they are {n} by {m} matrices"
        )
    if A.dtype.is_half:
        raise NotImplementedError(f"\"lu_cpu\" not implemented for '{A.dtype.word}'")
    sides = (*shape, 1) if is_vector(A._array.shape, shape) else shape
    if len(sides) < 2 or sides[-2 if left else -1] != n:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({n}x{n} and {'x'.join(map(str, sides[-2:]))})"
        )
    if sides != shape and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this "
            "case linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    broadcast(A._array.shape[:-2], sides[:-2])
