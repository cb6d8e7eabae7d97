"""HIPS autograd: NumPy's functions, traced."""

from __future__ import annotations

from typing import Any

from oracles.clauses.deferred import Deferred, Replayed, arrays, flagged
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
    if step.op == "clamp" and len(operands) > 1:
        return "autograd's VJP of np.clip has no slope by the bounds"
    if step.settings.get("dim", 0) == ():
        return "NumPy's axis=() reduces nothing"
    if "dim" in step.settings and arrays and not arrays[0].ndim:
        return "NumPy's functions disagree on whether a 0-d array has an axis 0"
    if step.op == "expand" and (why := _unexpandable(operands[0].ndim, step.settings["size"])):
        return why
    if step.op == "squeeze" and (why := _unsqueezable(operands[0].shape, step.settings.get("dim"))):
        return why
    ordered = step.op == "linalg.vector_norm" and "ord" in step.settings
    if ordered and not isinstance(step.settings.get("dim"), int):
        return "np.linalg.norm with an order takes a matrix's norm over two axes"
    several = step.settings.get("dim")
    if step.op == "linalg.vector_norm" and isinstance(several, tuple) and len(several) > 2:
        return "np.linalg.norm takes one axis or two"
    if step.op == "cat" and len({x.ndim for x in operands[0]}) > 1:
        return "np.concatenate skips no empty operand"
    if step.op == "linalg.solve" and _vectors(operands[0].shape, operands[1].shape):
        return "np.linalg.solve takes no stack of vectors"
    return _misplaced(step, operands) if step.op == "getitem" else ""


def _unexpandable(ndim: int, size: Any) -> str:
    if -1 in size:
        return "np.broadcast_to has no -1"
    return "autograd's VJP of broadcast_to handles no extra leading dims" if len(size) > ndim else ""


def _unsqueezable(shape: Any, dim: Any) -> str:
    axes = (dim,) if isinstance(dim, int) else dim or ()
    return "np.squeeze takes axes of size 1 alone" if any(shape[a] != 1 for a in axes) else ""


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


FUNCTIONS: dict[str, Any] = {
    "exp": lambda np, x: np.exp(x),
    "exp2": lambda np, x: np.exp2(x),
    "expm1": lambda np, x: np.expm1(x),
    "log": lambda np, x: np.log(x),
    "log1p": lambda np, x: np.log1p(x),
    "log2": lambda np, x: np.log2(x),
    "log10": lambda np, x: np.log10(x),
    "sqrt": lambda np, x: np.sqrt(x),
    "rsqrt": "autograd has no rsqrt",
    "square": lambda np, x: np.square(x),
    "erf": lambda special, x: special.erf(x),
    "erfc": lambda special, x: special.erfc(x),
    "sin": lambda np, x: np.sin(x),
    "cos": lambda np, x: np.cos(x),
    "tan": lambda np, x: np.tan(x),
    "asin": lambda np, x: np.arcsin(x),
    "acos": lambda np, x: np.arccos(x),
    "atan": lambda np, x: np.arctan(x),
    "atan2": lambda np, a, b: np.arctan2(a, b),
    "sinh": lambda np, x: np.sinh(x),
    "cosh": lambda np, x: np.cosh(x),
    "tanh": lambda np, x: np.tanh(x),
    "asinh": lambda np, x: np.arcsinh(x),
    "acosh": lambda np, x: np.arccosh(x),
    "atanh": lambda np, x: np.arctanh(x),
    "abs": lambda np, x: np.abs(x),
    "sign": lambda np, x: np.sign(x),
    "floor": lambda np, x: np.floor(x),
    "ceil": lambda np, x: np.ceil(x),
    "round": lambda np, x: np.round(x),
    "trunc": lambda np, x: np.trunc(x),
    "maximum": lambda np, a, b: np.maximum(a, b),
    "minimum": lambda np, a, b: np.minimum(a, b),
    "clamp": lambda np, x, min=None, max=None: np.clip(x, min, max),  # noqa: A006 - PyTorch's names
    "nn.functional.softplus": "autograd has no softplus",
    "nn.functional.gelu": "autograd has no gelu",
    "nn.functional.silu": "autograd has no silu",
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
    "linalg.inv": lambda np, A: np.linalg.inv(A),
    "linalg.det": lambda np, A: np.linalg.det(A),
    "linalg.vector_norm": lambda np, x, ord=None, dim=None: np.linalg.norm(x, ord, dim),  # noqa: A006
    "mm": lambda np, a, b: np.matmul(a, b),
    "bmm": lambda np, a, b: np.matmul(a, b),
    "mv": lambda np, a, b: np.matmul(a, b),
    "dot": lambda np, a, b: np.dot(a, b),
    "outer": lambda np, a, b: np.outer(a, b),
    "addmm": "autograd has no addmm",
    "einsum": lambda np, *operands, equation: np.einsum(equation, *operands),
    "min": lambda np, x, dim=None, keepdim=False: np.min(x, axis=dim, keepdims=keepdim),
    "amax": lambda np, x, dim=None, keepdim=False: np.amax(x, axis=dim, keepdims=keepdim),
    "amin": lambda np, x, dim=None, keepdim=False: np.amin(x, axis=dim, keepdims=keepdim),
    "prod": lambda np, x, dim=None, keepdim=False: np.prod(x, axis=dim, keepdims=keepdim),
    "cumsum": lambda np, x, dim: np.cumsum(x, axis=dim),
    "var": lambda np, x, dim=None, correction=1, keepdim=False: np.var(
        x, axis=dim, ddof=correction, keepdims=keepdim
    ),
    "log_softmax": "autograd has no log_softmax",
    "view": "an array of autograd has no view under another shape",
    "flatten": lambda np, x: np.ravel(x),
    "permute": lambda np, x, dims: np.transpose(x, dims),
    "unsqueeze": lambda np, x, dim: np.expand_dims(x, dim),
    "squeeze": lambda np, x, dim=None: np.squeeze(x, dim),
    "stack": lambda np, tensors, dim=0: np.stack(tensors, axis=dim),
    "split": "np.split takes places, not sizes",
    "chunk": "autograd has no chunk",
    "flip": "autograd defines no VJP of flip",
    "roll": lambda np, x, shifts, dims=None: np.roll(x, shifts, dims),
    "tril": lambda np, x, diagonal=0: np.tril(x, diagonal),
    "triu": lambda np, x, diagonal=0: np.triu(x, diagonal),
    "diagonal": "autograd's VJP of diagonal is for the last two axes in one order alone",
    "repeat": lambda np, x, repeats: np.tile(x, repeats),
    "tile": lambda np, x, dims: np.tile(x, dims),
    "gather": "autograd defines no VJP of take_along_axis",
    "index_select": "autograd defines no VJP of take",
    "scatter_add": "autograd has no scatter_add",
    "masked_fill": "autograd has no masked_fill",
}

NO_TAPE = "autograd keeps no tape: gradients are of functions, and nothing is left in arrays"


def _tensor(np: Any, data: Any, dtype: Any = None, requires_grad: Any = None) -> Any:
    flagged(data, requires_grad, NO_TAPE)
    return np.array(data) if dtype is None else np.array(data, dtype=dtype)


ARRAY = arrays(NO_TAPE, lambda array: array.tolist(), {"t": lambda x: x.T})
SHAPE = Deferred(
    "autograd",
    {"np": "autograd.numpy", "special": "autograd.scipy.special", "autograd": "autograd"},
    {"numpy.ndarray": ARRAY, "numpy.generic": ARRAY, "autograd.tracer.Box": ARRAY},
    {
        **FUNCTIONS,
        "tensor": _tensor,
        "ones": lambda np, *size, requires_grad=None: np.ones(size),
        "zeros": lambda np, *size, requires_grad=None: np.zeros(size),
        "sum": lambda np, x, *dim: np.sum(x, *dim),
        "max": lambda np, x: np.max(x),  # along an axis NumPy gives no places beside the values
        "min": lambda np, x: np.min(x),
        "sinc": lambda np, x: np.sinc(x),
        "fmax": lambda np, a, b: np.fmax(a, b),
        "fmin": lambda np, a, b: np.fmin(a, b),
        "nan_to_num": lambda np, x: np.nan_to_num(x),
        "remainder": lambda np, a, b: np.remainder(a, b),
        "detach": "autograd has nothing that stops a gradient",
        "nn.Parameter": NO_TAPE,
    },
    constants={"float32": lambda np: np.float32, "float64": lambda np: np.float64},
    functionals={
        "jacobian": lambda autograd, f, x: autograd.jacobian(f)(x),
        "hessian": lambda autograd, f, x: autograd.hessian(f)(x),
    },
    make_vjp=make_vjp,
    reason=NO_TAPE,
)


class Autograd(Functional):
    """HIPS autograd."""

    @property
    def tape(self) -> Replayed:
        """What a clause is asked of: the library in PyTorch's shape, with nothing noted yet."""
        return SHAPE.tape()


subject = Autograd(
    "autograd",
    {"np": "autograd.numpy", "special": "autograd.scipy.special"},
    FUNCTIONS,
    make_vjp,
    limit=limit,
)
