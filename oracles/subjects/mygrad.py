"""MyGrad: NumPy's functions on tensors that record; gradients are NumPy arrays."""

from __future__ import annotations

from typing import Any

from oracles.clauses.shape import Kind, Lacks, Shape
from oracles.subjects.autograd import limit
from oracles.subjects.taped import Taped

STEPS = "MyGrad refuses to differentiate what is constant piece by piece"
FUNCTIONS: dict[str, Any] = {
    "exp": lambda mg, x: mg.exp(x),
    "exp2": lambda mg, x: mg.exp2(x),
    "expm1": lambda mg, x: mg.expm1(x),
    "log": lambda mg, x: mg.log(x),
    "log1p": lambda mg, x: mg.log1p(x),
    "log2": lambda mg, x: mg.log2(x),
    "log10": lambda mg, x: mg.log10(x),
    "sqrt": lambda mg, x: mg.sqrt(x),
    "square": lambda mg, x: mg.square(x),
    "reciprocal": lambda mg, x: mg.reciprocal(x),
    "sin": lambda mg, x: mg.sin(x),
    "cos": lambda mg, x: mg.cos(x),
    "tan": lambda mg, x: mg.tan(x),
    "asin": lambda mg, x: mg.arcsin(x),
    "acos": lambda mg, x: mg.arccos(x),
    "atan": lambda mg, x: mg.arctan(x),
    "atan2": lambda mg, a, b: mg.arctan2(a, b),
    "sinh": lambda mg, x: mg.sinh(x),
    "cosh": lambda mg, x: mg.cosh(x),
    "tanh": lambda mg, x: mg.tanh(x),
    "asinh": lambda mg, x: mg.arcsinh(x),
    "acosh": lambda mg, x: mg.arccosh(x),
    "atanh": lambda mg, x: mg.arctanh(x),
    "abs": lambda mg, x: mg.absolute(x),
    "maximum": lambda mg, a, b: mg.maximum(a, b),
    "minimum": lambda mg, a, b: mg.minimum(a, b),
    "clamp": lambda mg, x, min=None, max=None: mg.clip(x, min, max),  # noqa: A006 - PyTorch's names
    "sigmoid": lambda nnet, x: nnet.sigmoid(x),
    "relu": lambda nnet, x: nnet.relu(x),
    "where": lambda mg, condition, x, y: mg.where(condition, x, y),
    "sum": lambda mg, x, dim=None, keepdim=False: mg.sum(x, axis=dim, keepdims=keepdim),
    "mean": lambda mg, x, dim=None, keepdim=False: mg.mean(x, axis=dim, keepdims=keepdim),
    "prod": lambda mg, x, dim=None, keepdim=False: mg.prod(x, axis=dim, keepdims=keepdim),
    "std": lambda mg, x, dim=None, correction=1, keepdim=False: mg.std(
        x, axis=dim, ddof=correction, keepdims=keepdim
    ),
    "var": lambda mg, x, dim=None, correction=1, keepdim=False: mg.var(
        x, axis=dim, ddof=correction, keepdims=keepdim
    ),
    "max": lambda mg, x, dim=None, keepdim=False: mg.max(x, axis=dim, keepdims=keepdim),
    "min": lambda mg, x, dim=None, keepdim=False: mg.min(x, axis=dim, keepdims=keepdim),
    "amax": lambda mg, x, dim=None, keepdim=False: mg.max(x, axis=dim, keepdims=keepdim),
    "amin": lambda mg, x, dim=None, keepdim=False: mg.min(x, axis=dim, keepdims=keepdim),
    "cumsum": lambda mg, x, dim: mg.cumsum(x, axis=dim),
    "cumprod": lambda mg, x, dim: mg.cumprod(x, axis=dim),
    "softmax": lambda nnet, x, dim: nnet.softmax(x, axis=dim),
    "log_softmax": lambda nnet, x, dim: nnet.logsoftmax(x, axis=dim),
    "reshape": lambda mg, x, shape: mg.reshape(x, shape),
    "flatten": lambda mg, x: mg.ravel(x),
    "transpose": lambda mg, x, dim0, dim1: mg.swapaxes(x, dim0, dim1),
    "permute": lambda mg, x, dims: mg.transpose(x, dims),
    "expand": lambda mg, x, size: mg.broadcast_to(x, size),
    "unsqueeze": lambda mg, x, dim: mg.expand_dims(x, dim),
    "squeeze": lambda mg, x, dim=None: mg.squeeze(x, dim),
    "cat": lambda mg, tensors, dim=0: mg.concatenate(tensors, axis=dim),
    "stack": lambda mg, tensors, dim=0: mg.stack(tensors, axis=dim),
    "roll": lambda mg, x, shifts, dims=None: mg.roll(x, shifts, dims),
    "matmul": lambda mg, a, b: mg.matmul(a, b),
    "mm": lambda mg, a, b: mg.matmul(a, b),
    "bmm": lambda mg, a, b: mg.matmul(a, b),
    "mv": lambda mg, a, b: mg.matmul(a, b),
    "einsum": lambda mg, *operands, equation: mg.einsum(equation, *operands),
    "linalg.vector_norm": lambda mg, x, ord=None, dim=None: mg.linalg.norm(x, ord, dim),  # noqa: A006
    "floor": STEPS,
    "ceil": STEPS,
    "round": STEPS,
    "trunc": STEPS,
    "sign": STEPS,
}


def make_vjp(function: Any, args: Any) -> Any:
    """The function's outputs, and the function from a tuple of one cotangent to the tuple of gradients."""
    import mygrad as mg
    import numpy as np

    leaves = [mg.Tensor(a, constant=False) for a in args]
    outputs = tuple(y if isinstance(y, mg.Tensor) else mg.Tensor(y, constant=True) for y in function(*leaves))

    def pull(cotangents: Any) -> Any:
        outputs[0].backward(cotangents[0])
        return tuple(leaf.grad for leaf in leaves)

    return tuple(np.array(y.data) for y in outputs), pull


def _tensor(mg: Any, data: Any, dtype: Any = None, requires_grad: Any = None) -> Any:
    """MyGrad's flag is the other way round; what was not asked for is left to its default."""
    if isinstance(data, complex):
        raise Lacks("MyGrad has no complex tensors")
    settings = {} if dtype is None else {"dtype": dtype}
    if requires_grad is not None:
        settings["constant"] = not requires_grad
    return mg.tensor(data, **settings)


def _made(name: str) -> Any:
    def make(mg: Any, *size: Any, requires_grad: Any = None) -> Any:
        settings = {} if requires_grad is None else {"constant": not requires_grad}
        return getattr(mg, name)(size, **settings)

    return make


def _zeroed(x: Any, value: Any) -> Any:
    """MyGrad's way to take a gradient away."""
    if value is not None:
        raise Lacks("MyGrad: grad cannot be assigned, only taken away")
    return x.null_grad()


ARRAYS = "MyGrad's gradients are NumPy arrays, which have no {} and are never recorded"
FIRST = "MyGrad's gradients are arrays without a graph: there is no second order"
WALK = "MyGrad's backward takes a gradient and nothing else"
GRAPH = "MyGrad's tensors know their creator, an operation that offers no PyTorch graph"

TENSOR = Kind(
    values=lambda tensor: tensor.data.tolist(),
    attributes={
        "grad": lambda x: x.grad,
        "requires_grad": lambda operator, x: operator.not_(x.constant),
        "is_leaf": "MyGrad has no is_leaf",
        "shape": lambda x: x.shape,
        "ndim": lambda x: x.ndim,
        "dtype": lambda x: x.dtype,
        "data": lambda x: x.data,
        "grad_fn": lambda x: x.creator,
        "_version": "MyGrad counts no versions",
    },
    methods={
        "backward": lambda x, gradient=None: x.backward() if gradient is None else x.backward(gradient),
        "item": lambda x: x.item(),
        "numpy": lambda np, x: np.asarray(x),
        "argmax": lambda mg, x: mg.argmax(x),
        "clone": lambda x: x.copy(),
        "t": lambda x: x.T,
        "dim": lambda x: x.ndim,
        "add_": lambda operator, x, other: operator.iadd(x, other),
        "sub_": lambda operator, x, other: operator.isub(x, other),
        "mul_": lambda operator, x, other: operator.imul(x, other),
        "detach": "MyGrad has no detach: data is the plain array",
        "requires_grad_": "MyGrad decides when a tensor is made whether it is constant",
        "retain_grad": "MyGrad's results always keep their gradient",
        "register_hook": "MyGrad has no hooks",
    },
    written={"grad": _zeroed},
)
ARRAY = Kind(
    values=lambda array: array.tolist(),
    attributes={
        "shape": lambda x: x.shape,
        "ndim": lambda x: x.ndim,
        "dtype": lambda x: x.dtype,
        "requires_grad": ARRAYS.format("requires_grad"),
        "grad_fn": ARRAYS.format("grad_fn"),
    },
    methods={
        "sum": lambda x: x.sum(),
        "item": lambda x: x.item(),
        "backward": ARRAYS.format("backward"),
    },
    functional=False,
)
SHAPE = Shape(
    "MyGrad",
    {
        "mg": "mygrad",
        "np": "numpy",
        "nnet": "mygrad.nnet",
        "operator": "operator",
    },
    {"mygrad.Tensor": TENSOR, "numpy.ndarray": ARRAY},
    {
        **FUNCTIONS,
        "tensor": _tensor,
        "ones": _made("ones"),
        "zeros": _made("zeros"),
        "sum": lambda x, *dim: x.sum(*dim),
        "max": lambda mg, x: mg.max(x),  # along an axis MyGrad gives no places beside the values
        "min": lambda mg, x: mg.min(x),
        "sinc": lambda mg, x: mg.sinc(x),
        "floor": lambda mg, x: mg.floor(x),
        "ceil": lambda mg, x: mg.ceil(x),
        "round": lambda mg, x: mg.rint(x),
        "trunc": lambda mg, x: mg.trunc(x),
        "sign": lambda mg, x: mg.sign(x),
        "nn.functional.relu": lambda nnet, x: nnet.relu(x),
        "autograd.grad": "MyGrad has no autograd.grad: gradients are found in the tensors after backward",
        "autograd.backward": "MyGrad's backward starts from one tensor",
        "nn.Parameter": "MyGrad has no parameters beside tensors",
        "enable_grad": "MyGrad has nothing that records within no_autodiff",
        "set_grad_enabled": "MyGrad's recording is switched off by no_autodiff alone",
    },
    {"no_grad": lambda mg: mg.no_autodiff},
    {"float32": lambda np: np.float32, "float64": lambda np: np.float64},
)

subject = Taped(
    "mygrad",
    {"mg": "mygrad", "nnet": "mygrad.nnet"},
    FUNCTIONS,
    make_vjp,
    limit=limit,
    shape=SHAPE,
    single=WALK,
    first=FIRST,
)
