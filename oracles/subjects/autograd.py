"""HIPS autograd: NumPy's functions, traced."""

from __future__ import annotations

from typing import Any

from oracles.program import Int, Pick, Step
from oracles.subjects.functional import Functional


def make_vjp(function: Any, args: Any) -> Any:
    """The function's outputs, and the function from a tuple of cotangents to the tuple of gradients."""
    from autograd import make_vjp as make
    from autograd.builtins import tuple as traced_tuple

    pullback, outputs = make(lambda given: traced_tuple(function(*given)))(args)
    return outputs, pullback


def limit(step: Step, operands: list[Any]) -> str:
    """Where NumPy means something else by these operands than PyTorch does: what, else nothing."""
    arrays = [o for o in operands if hasattr(o, "dtype")]
    if step.op not in ("getitem", "where") and len({a.dtype for a in arrays}) > 1:
        return "NumPy promotes mixed dtypes by rules of its own"
    if step.settings.get("dim", 0) == ():
        return "NumPy's axis=() reduces nothing"
    if "dim" in step.settings and arrays and not arrays[0].ndim:
        return "NumPy's functions disagree on whether a 0-d array has an axis 0"
    if step.op == "expand" and (why := _unexpandable(operands[0].ndim, step.settings["size"])):
        return why
    if step.op == "cat" and len({x.ndim for x in operands[0]}) > 1:
        return "np.concatenate skips no empty operand"
    if step.op == "linalg.solve" and _vectors(operands[0].shape, operands[1].shape):
        return "np.linalg.solve takes no stack of vectors"
    return _misplaced(step, operands) if step.op == "getitem" else ""


def _unexpandable(ndim: int, size: Any) -> str:
    if -1 in size:
        return "np.broadcast_to has no -1"
    return "autograd's VJP of broadcast_to handles no extra leading dims" if len(size) > ndim else ""


def _vectors(A: tuple[int, ...], B: tuple[int, ...]) -> bool:
    """Whether PyTorch reads B as a stack of vectors, which NumPy reads as matrices."""
    return len(A) > 2 and (len(B) == 1 or A[:-1] == B)


def _misplaced(step: Step, operands: list[Any]) -> str:
    """NumPy, unlike PyTorch, counts an integer as an index array when it places the indexed dimensions."""
    single = [
        isinstance(i, Int) or (isinstance(i, Pick) and not operands[i.operand].ndim) for i in step.index
    ]
    advanced = [n for n, i in enumerate(step.index) if isinstance(i, Int | Pick)]
    apart = bool(advanced) and advanced != list(range(advanced[0], advanced[-1] + 1))
    if apart and any(single) and not all(single[n] for n in advanced):
        return "NumPy places the dimensions of an index array elsewhere when an integer stands apart from it"
    return ""


subject = Functional(
    "autograd",
    {"np": "autograd.numpy", "special": "autograd.scipy.special"},
    {
        "exp": lambda np, x: np.exp(x),
        "log": lambda np, x: np.log(x),
        "tanh": lambda np, x: np.tanh(x),
        "sigmoid": lambda special, x: special.expit(x),
        "reciprocal": lambda np, x: np.reciprocal(x),
        "relu": "autograd has no relu",
        "where": lambda np, condition, x, y: np.where(condition, x, y),
        "max": lambda np, x, dim=None, keepdim=False: np.max(x, axis=dim, keepdims=keepdim),
        "cat": lambda np, tensors, dim=0: np.concatenate(tensors, axis=dim),
        "sum": lambda np, x, dim=None, keepdim=False: np.sum(x, axis=dim, keepdims=keepdim),
        "mean": lambda np, x, dim=None, keepdim=False: np.mean(x, axis=dim, keepdims=keepdim),
        "std": lambda np, x, dim=None, correction=1, keepdim=False: np.std(
            x, axis=dim, ddof=correction, keepdims=keepdim
        ),
        "logsumexp": lambda special, x, dim, keepdim=False: special.logsumexp(x, axis=dim, keepdims=keepdim),
        "softmax": "autograd has no softmax",
        "cumprod": "autograd defines no VJP of cumprod",
        "reshape": lambda np, x, shape: np.reshape(x, shape),
        "transpose": lambda np, x, dim0, dim1: np.swapaxes(x, dim0, dim1),
        "expand": lambda np, x, size: np.broadcast_to(x, size),
        "matmul": lambda np, a, b: np.matmul(a, b),
        "linalg.solve": lambda np, A, B: np.linalg.solve(A, B),
    },
    make_vjp,
    limit=limit,
)
