"""tinygrad: PyTorch's methods on lazy tensors; all in scope receive a gradient. Its CPU device needs clang."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oracles.clauses.deferred import flagged
from oracles.clauses.shape import Kind, Lacks, Shape
from oracles.program import Program
from oracles.subjects.protocol import NDArray
from oracles.subjects.taped import Taped


def _same(name: str) -> Any:
    """A method of tinygrad's by PyTorch's own name, of one tensor and no setting."""
    return lambda x: getattr(x, name)()


UNARY = (
    *(
        "exp",
        "exp2",
        "log",
        "log2",
        "log10",
        "sqrt",
        "rsqrt",
        "square",
        "reciprocal",
        "abs",
        "relu",
        "sigmoid",
        "erf",
    ),
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    *("sign", "floor", "ceil", "round", "trunc"),
)
FUNCTIONS: dict[str, Any] = {
    **{name: _same(name) for name in UNARY},
    "nn.functional.softplus": lambda x, beta=1.0: x.softplus(beta),
    "nn.functional.silu": lambda x: x.silu(),
    "nn.functional.gelu": "tinygrad's gelu is PyTorch's with approximate='tanh'",
    "maximum": lambda a, b: a.maximum(b),
    "minimum": lambda a, b: a.minimum(b),
    "clamp": lambda x, min=None, max=None: x.clamp(min, max),  # noqa: A006 - PyTorch's names
    "where": lambda condition, x, y: condition.where(x, y),
    "sum": lambda x, dim=None, keepdim=False: x.sum(dim, keepdim),
    "mean": lambda x, dim=None, keepdim=False: x.mean(dim, keepdim),
    "prod": lambda x, dim=None, keepdim=False: x.prod(dim, keepdim),
    "std": lambda x, dim=None, correction=1, keepdim=False: x.std(dim, keepdim, correction),
    "var": lambda x, dim=None, correction=1, keepdim=False: x.var(dim, keepdim, correction),
    "max": lambda x, dim=None, keepdim=False: x.max(dim, keepdim),
    "min": lambda x, dim=None, keepdim=False: x.min(dim, keepdim),
    "amax": lambda x, dim=None, keepdim=False: x.max(dim, keepdim),
    "amin": lambda x, dim=None, keepdim=False: x.min(dim, keepdim),
    "logsumexp": lambda x, dim, keepdim=False: x.logsumexp(dim, keepdim),
    "softmax": lambda x, dim: x.softmax(dim),
    "log_softmax": lambda x, dim: x.log_softmax(dim),
    "cumsum": lambda x, dim: x.cumsum(dim),
    "cumprod": lambda x, dim: x.cumprod(dim),
    "reshape": lambda x, shape: x.reshape(shape),
    "view": lambda x, shape: x.view(shape),
    "flatten": lambda x: x.flatten(),
    "transpose": lambda x, dim0, dim1: x.transpose(dim0, dim1),
    "permute": lambda x, dims: x.permute(dims),
    "expand": lambda x, size: x.expand(size),
    "unsqueeze": lambda x, dim: x.unsqueeze(dim),
    "squeeze": lambda x, dim=None: x.squeeze(dim),
    "flip": lambda x, dims: x.flip(dims),
    "matmul": lambda a, b: a.matmul(b),
    "mm": lambda a, b: a.matmul(b),
    "mv": lambda a, b: a.matmul(b),
    "dot": lambda a, b: a.dot(b),
    "gather": lambda x, dim, index: x.gather(dim, index),
    "tril": lambda x, diagonal=0: x.tril(diagonal),
    "triu": lambda x, diagonal=0: x.triu(diagonal),
}


def make_vjp(function: Any, args: Any) -> Any:
    """The function's outputs, and the function from a tuple of cotangents to the tuple of gradients.

    tinygrad's gradient is of one output, and linear: those of several are added. Given tensors it answers tensors,
    so that it may be called within itself; given arrays it answers arrays.
    """
    from tinygrad import Tensor

    within = any(isinstance(a, Tensor) for a in args)
    leaves = tuple(a if isinstance(a, Tensor) else Tensor(a) for a in args)
    outputs = tuple(function(*leaves))

    def answer(tensors: Any) -> Any:
        return tuple(t if within else t.numpy() for t in tensors)

    def pull(cotangents: Any) -> Any:
        given = [c if isinstance(c, Tensor) else Tensor(c) for c in cotangents]
        found = [y.gradient(*leaves, gradient=c) for y, c in zip(outputs, given, strict=True)]
        return answer(sum(each[1:], each[0]) for each in zip(*found, strict=True))

    return answer(outputs), pull


class TinyGrad(Taped):
    """tinygrad's tensors in, arrays out."""

    def _outputs(self, program: Program, inputs: list[Any]) -> tuple[Any, ...]:
        tensor = self.modules["tinygrad"].Tensor
        return super()._outputs(program, [x if isinstance(x, tensor) else tensor(x) for x in inputs])

    def values(self, program: Program, arrays: Sequence[NDArray]) -> list[NDArray]:
        """The program's outputs for these inputs."""
        self._refuse_dtypes([a.dtype.name for a in arrays])
        return [v.numpy() for v in self._outputs(program, list(arrays))]


def _tensor(tinygrad: Any, data: Any, dtype: Any = None, requires_grad: Any = None) -> Any:
    """tinygrad has no flag: all that is floating and in scope receives a gradient."""
    if isinstance(data, complex):
        raise Lacks("tinygrad has no complex tensors")
    flagged(data, requires_grad, GRADIENTS)
    return tinygrad.Tensor(data) if dtype is None else tinygrad.Tensor(data, dtype=dtype)


def _gradient(
    builtins: Any,
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: Any = None,
    create_graph: Any = False,
) -> Any:
    """tinygrad keeps every graph and records every gradient, whatever PyTorch's two flags say."""
    if isinstance(outputs, tuple | list):
        raise Lacks("tinygrad's gradient is of one output")
    if isinstance(inputs, dict):
        raise Lacks("tinygrad's gradient takes no dict")
    given = inputs if isinstance(inputs, tuple | list) else (inputs,)
    if grad_outputs is None:
        return builtins.tuple(outputs.gradient(*given))
    return builtins.tuple(outputs.gradient(*given, gradient=grad_outputs))


def _backward(x: Any, gradient: Any = None, retain_graph: Any = None, create_graph: Any = False) -> Any:
    return x.backward() if gradient is None else x.backward(gradient)


def _without_cache() -> None:
    """tinygrad keeps what it compiled in a database that one thread alone may open; each clause has its own."""
    from tinygrad import helpers

    helpers.CACHELEVEL.value = 0


def _sized(name: str) -> Any:
    def make(tinygrad: Any, *size: Any, requires_grad: Any = None) -> Any:
        if requires_grad is False:
            raise Lacks(GRADIENTS)
        return getattr(tinygrad.Tensor, name)(*size)

    return make


GRADIENTS = "tinygrad has no requires_grad: every floating tensor in scope receives a gradient"
MODES = "tinygrad has no grad modes: what is computed is a graph, always"

TENSOR = Kind(
    values=lambda tensor: tensor.tolist(),
    printed=lambda x: x.tolist(),
    attributes={
        "grad": lambda x: x.grad,
        "shape": lambda x: x.shape,
        "ndim": lambda x: x.ndim,
        "dtype": lambda x: x.dtype,
        "requires_grad": GRADIENTS,
        "is_leaf": "tinygrad has no leaves: every floating tensor in scope receives a gradient",
        "grad_fn": "tinygrad's graph is made of its instructions (uop), not of gradient functions",
        "_version": "tinygrad counts no versions: what is written is a new node of the graph",
        "data": "tinygrad's data is a copy of the memory",
    },
    methods={
        "backward": _backward,
        "item": lambda x: x.item(),
        "numpy": lambda x: x.numpy(),
        "argmax": lambda x: x.argmax(),
        "clone": lambda x: x.clone(),
        "detach": lambda x: x.detach(),
        "t": lambda x: x.T,
        "add_": lambda operator, x, other: operator.iadd(x, other),
        "sub_": lambda operator, x, other: operator.isub(x, other),
        "mul_": lambda operator, x, other: operator.imul(x, other),
        "split": lambda x, size: x.split(size),
        "chunk": lambda x, count: x.chunk(count),
        "double": lambda x: x.double(),
        "requires_grad_": GRADIENTS,
        "retain_grad": "tinygrad's results always keep their gradient",
        "register_hook": "tinygrad has no hooks",
    },
    written={"grad": "grad"},
)
PLACES = "along a dimension tinygrad's {} gives no places beside the values"
SHAPE = Shape(
    "tinygrad",
    {"tinygrad": "tinygrad", "operator": "operator", "builtins": "builtins"},
    {"tinygrad.Tensor": TENSOR},
    {
        **FUNCTIONS,
        "tensor": _tensor,
        "ones": _sized("ones"),
        "zeros": _sized("zeros"),
        "sum": lambda x, *dim: x.sum(*dim),
        "max": lambda x: x.max(),
        "min": lambda x: x.min(),
        "flip": lambda x, *dims: x.flip(*dims),
        "sort": lambda x, stable=True: x.sort(),
        "topk": lambda x, k: x.topk(k),
        "copysign": lambda a, b: a.copysign(b),
        **{
            f"nn.functional.{name}": _same(name)
            for name in ("relu", "relu6", "hardtanh", "hardsigmoid", "hardswish")
        },
        "nn.functional.leaky_relu": lambda x, slope=0.01: x.leaky_relu(slope),
        "nn.functional.elu": lambda x, alpha=1.0: x.elu(alpha),
        "autograd.grad": _gradient,
        "autograd.backward": "tinygrad's backward starts from one tensor",
        "no_grad": MODES,
        "enable_grad": MODES,
        "set_grad_enabled": MODES,
        "is_grad_enabled": MODES,
        "nn.Parameter": "tinygrad has no parameters beside tensors",
    },
    {},
    {
        "float32": lambda tinygrad: tinygrad.dtypes.float32,
        "float64": lambda tinygrad: tinygrad.dtypes.float64,
    },
    prepare=_without_cache,
)

subject = TinyGrad(
    "tinygrad",
    {"tinygrad": "tinygrad"},
    FUNCTIONS,
    make_vjp,
    shape=SHAPE,
)
