"""JAX: NumPy's functions, traced; gradients are `jax.vjp`. Run with 64-bit numbers enabled, and compiled by nobody."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from oracles.clauses.deferred import Deferred, Replayed, arrays, flagged
from oracles.subjects.autograd import limit
from oracles.subjects.functional import Functional

FUNCTIONS: dict[str, Any] = {
    "exp": lambda jnp, x: jnp.exp(x),
    "exp2": lambda jnp, x: jnp.exp2(x),
    "expm1": lambda jnp, x: jnp.expm1(x),
    "log": lambda jnp, x: jnp.log(x),
    "log1p": lambda jnp, x: jnp.log1p(x),
    "log2": lambda jnp, x: jnp.log2(x),
    "log10": lambda jnp, x: jnp.log10(x),
    "sqrt": lambda jnp, x: jnp.sqrt(x),
    "rsqrt": lambda lax, x: lax.rsqrt(x),
    "square": lambda jnp, x: jnp.square(x),
    "reciprocal": lambda jnp, x: jnp.reciprocal(x),
    "erf": lambda special, x: special.erf(x),
    "erfc": lambda special, x: special.erfc(x),
    "sin": lambda jnp, x: jnp.sin(x),
    "cos": lambda jnp, x: jnp.cos(x),
    "tan": lambda jnp, x: jnp.tan(x),
    "asin": lambda jnp, x: jnp.arcsin(x),
    "acos": lambda jnp, x: jnp.arccos(x),
    "atan": lambda jnp, x: jnp.arctan(x),
    "atan2": lambda jnp, a, b: jnp.arctan2(a, b),
    "hypot": lambda jnp, a, b: jnp.hypot(a, b),
    "sinh": lambda jnp, x: jnp.sinh(x),
    "cosh": lambda jnp, x: jnp.cosh(x),
    "tanh": lambda jnp, x: jnp.tanh(x),
    "asinh": lambda jnp, x: jnp.arcsinh(x),
    "acosh": lambda jnp, x: jnp.arccosh(x),
    "atanh": lambda jnp, x: jnp.arctanh(x),
    "abs": lambda jnp, x: jnp.abs(x),
    "sign": lambda jnp, x: jnp.sign(x),
    "floor": lambda jnp, x: jnp.floor(x),
    "ceil": lambda jnp, x: jnp.ceil(x),
    "round": lambda jnp, x: jnp.round(x),
    "trunc": lambda jnp, x: jnp.trunc(x),
    "maximum": lambda jnp, a, b: jnp.maximum(a, b),
    "minimum": lambda jnp, a, b: jnp.minimum(a, b),
    "clamp": lambda jnp, x, min=None, max=None: jnp.clip(x, min, max),  # noqa: A006 - PyTorch's names
    "relu": lambda nn, x: nn.relu(x),
    "sigmoid": lambda nn, x: nn.sigmoid(x),
    "nn.functional.softplus": lambda nn, x: nn.softplus(x),
    "nn.functional.silu": lambda nn, x: nn.silu(x),
    "nn.functional.gelu": lambda nn, x: nn.gelu(x, approximate=False),
    "where": lambda jnp, condition, x, y: jnp.where(condition, x, y),
    "sum": lambda jnp, x, dim=None, keepdim=False: jnp.sum(x, axis=dim, keepdims=keepdim),
    "mean": lambda jnp, x, dim=None, keepdim=False: jnp.mean(x, axis=dim, keepdims=keepdim),
    "prod": lambda jnp, x, dim=None, keepdim=False: jnp.prod(x, axis=dim, keepdims=keepdim),
    "std": lambda jnp, x, dim=None, correction=1, keepdim=False: jnp.std(
        x, axis=dim, ddof=correction, keepdims=keepdim
    ),
    "var": lambda jnp, x, dim=None, correction=1, keepdim=False: jnp.var(
        x, axis=dim, ddof=correction, keepdims=keepdim
    ),
    "max": lambda jnp, x, dim=None, keepdim=False: jnp.max(x, axis=dim, keepdims=keepdim),
    "min": lambda jnp, x, dim=None, keepdim=False: jnp.min(x, axis=dim, keepdims=keepdim),
    "amax": lambda jnp, x, dim=None, keepdim=False: jnp.max(x, axis=dim, keepdims=keepdim),
    "amin": lambda jnp, x, dim=None, keepdim=False: jnp.min(x, axis=dim, keepdims=keepdim),
    "logsumexp": lambda special, x, dim, keepdim=False: special.logsumexp(x, axis=dim, keepdims=keepdim),
    "softmax": lambda nn, x, dim: nn.softmax(x, axis=dim),
    "log_softmax": lambda nn, x, dim: nn.log_softmax(x, axis=dim),
    "cumsum": lambda jnp, x, dim: jnp.cumsum(x, axis=dim),
    "cumprod": lambda jnp, x, dim: jnp.cumprod(x, axis=dim),
    "linalg.vector_norm": lambda jnp, x, ord=None, dim=None: jnp.linalg.norm(x, ord, dim),  # noqa: A006
    "linalg.solve": lambda jnp, A, B: jnp.linalg.solve(A, B),
    "linalg.inv": lambda jnp, A: jnp.linalg.inv(A),
    "linalg.det": lambda jnp, A: jnp.linalg.det(A),
    "matmul": lambda jnp, a, b: jnp.matmul(a, b),
    "mm": lambda jnp, a, b: jnp.matmul(a, b),
    "bmm": lambda jnp, a, b: jnp.matmul(a, b),
    "mv": lambda jnp, a, b: jnp.matmul(a, b),
    "dot": lambda jnp, a, b: jnp.dot(a, b),
    "outer": lambda jnp, a, b: jnp.outer(a, b),
    "einsum": lambda jnp, *operands, equation: jnp.einsum(equation, *operands),
    "reshape": lambda jnp, x, shape: jnp.reshape(x, shape),
    "flatten": lambda jnp, x: jnp.ravel(x),
    "transpose": lambda jnp, x, dim0, dim1: jnp.swapaxes(x, dim0, dim1),
    "permute": lambda jnp, x, dims: jnp.transpose(x, dims),
    "expand": lambda jnp, x, size: jnp.broadcast_to(x, size),
    "unsqueeze": lambda jnp, x, dim: jnp.expand_dims(x, dim),
    "squeeze": lambda jnp, x, dim=None: jnp.squeeze(x, dim),
    "cat": lambda jnp, tensors, dim=0: jnp.concatenate(tensors, axis=dim),
    "stack": lambda jnp, tensors, dim=0: jnp.stack(tensors, axis=dim),
    "flip": lambda jnp, x, dims: jnp.flip(x, dims),
    "roll": lambda jnp, x, shifts, dims=None: jnp.roll(x, shifts, dims),
    "tril": lambda jnp, x, diagonal=0: jnp.tril(x, diagonal),
    "triu": lambda jnp, x, diagonal=0: jnp.triu(x, diagonal),
    "diagonal": lambda jnp, x, offset=0, dim1=0, dim2=1: jnp.diagonal(x, offset, dim1, dim2),
    "repeat": lambda jnp, x, repeats: jnp.tile(x, repeats),
    "tile": lambda jnp, x, dims: jnp.tile(x, dims),
    "index_select": lambda jnp, x, dim, index: jnp.take(x, index, axis=dim),
}
NAMESPACES = {"jnp": "jax.numpy", "nn": "jax.nn", "lax": "jax.lax", "special": "jax.scipy.special"}
NO_TAPE = "JAX keeps no tape: gradients are of functions, and nothing is left in arrays"


def make_vjp(function: Any, args: Any) -> Any:
    """The function's outputs, and the function from a tuple of cotangents to the tuple of gradients.

    Given JAX's arrays it answers such, so that it may be called within itself; given NumPy's it answers those.
    """
    import jax
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    outside = all(isinstance(a, np.ndarray) for a in args)
    outputs, pull = jax.vjp(lambda *given: tuple(function(*given)), *args)

    def answer(found: Any) -> Any:
        return tuple(np.asarray(a) if outside else a for a in found)

    return answer(outputs), lambda cotangents: answer(pull(tuple(cotangents)))


def _enable() -> None:
    """Numbers of 64 bits, which JAX has only if it is told before it makes any."""
    import jax

    jax.config.update("jax_enable_x64", True)


def _tensor(jnp: Any, data: Any, dtype: Any = None, requires_grad: Any = None) -> Any:
    flagged(data, requires_grad, NO_TAPE)
    return jnp.array(data) if dtype is None else jnp.array(data, dtype=dtype)


ARRAY = arrays(NO_TAPE, lambda array: array.tolist(), {"t": lambda x: x.T})
SHAPE = Deferred(
    "JAX",
    {**NAMESPACES, "jax": "jax"},
    {"jax.Array": ARRAY},
    {
        **FUNCTIONS,
        "tensor": _tensor,
        "ones": lambda jnp, *size, requires_grad=None: jnp.ones(size),
        "zeros": lambda jnp, *size, requires_grad=None: jnp.zeros(size),
        "sum": lambda jnp, x, *dim: jnp.sum(x, *dim),
        "max": lambda jnp, x: jnp.max(x),  # along an axis JAX gives no places beside the values
        "min": lambda jnp, x: jnp.min(x),
        "amax": lambda jnp, x, dim: jnp.max(x, axis=dim),
        "amin": lambda jnp, x, dim: jnp.min(x, axis=dim),
        "flip": lambda jnp, x, *dims: jnp.flip(x, dims),
        "sinc": lambda jnp, x: jnp.sinc(x),
        "fmax": lambda jnp, a, b: jnp.fmax(a, b),
        "fmin": lambda jnp, a, b: jnp.fmin(a, b),
        "frac": "JAX has no frac",
        "fmod": lambda jnp, a, b: jnp.fmod(a, b),
        "remainder": lambda jnp, a, b: jnp.remainder(a, b),
        "copysign": lambda jnp, a, b: jnp.copysign(a, b),
        "nan_to_num": lambda jnp, x: jnp.nan_to_num(x),
        "xlogy": lambda special, x, y: special.xlogy(x, y),
        "special.entr": lambda special, x: special.entr(x),
        "logit": lambda special, x: special.logit(x),
        "detach": lambda lax, x: lax.stop_gradient(x),
        "gather": lambda jnp, x, dim, index: jnp.take_along_axis(x, index, axis=dim),
        "nn.functional.relu": lambda nn, x: nn.relu(x),
        "nn.functional.relu6": lambda nn, x: nn.relu6(x),
        "nn.functional.hardtanh": lambda nn, x: nn.hard_tanh(x),
        "nn.functional.hardsigmoid": lambda nn, x: nn.hard_sigmoid(x),
        "nn.functional.hardswish": lambda nn, x: nn.hard_swish(x),
        "nn.functional.leaky_relu": lambda nn, x, slope=0.01: nn.leaky_relu(x, slope),
        "nn.functional.elu": lambda nn, x, alpha=1.0: nn.elu(x, alpha),
        "nn.Parameter": NO_TAPE,
    },
    constants={"float32": lambda jnp: jnp.float32, "float64": lambda jnp: jnp.float64},
    prepare=_enable,
    functionals={
        "jacobian": lambda jax, f, x: jax.jacrev(f)(x),
        "hessian": lambda jax, f, x: jax.hessian(f)(x),
    },
    make_vjp=make_vjp,
    reason=NO_TAPE,
)


class Jax(Functional):
    """JAX."""

    @cached_property
    def modules(self) -> dict[str, Any]:
        """The namespaces, with numbers of 64 bits enabled."""
        _enable()
        return super().modules

    @property
    def tape(self) -> Replayed:
        """What a clause is asked of: the library in PyTorch's shape, with nothing noted yet."""
        return SHAPE.tape()


subject = Jax(
    "jax", NAMESPACES, FUNCTIONS, make_vjp, dtypes=("float16", "bfloat16", "float32", "float64"), limit=limit
)
