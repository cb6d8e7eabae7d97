"""The reference engine: PyTorch's autograd on NumPy arrays, under PyTorch's names.

import refgrad as torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
x.grad  # tensor([2., 4.])
"""

import math
from typing import TYPE_CHECKING, Any

from refgrad import (
    assigning,
    autograd,
    cuda,
    dtypes,
    held,
    linalg,
    nn,
    operators,
    optim,
    queries,
    random,
    special,
    views,
)
from refgrad.anomaly import is_anomaly_check_nan_enabled, is_anomaly_enabled, set_anomaly_enabled
from refgrad.devices import device
from refgrad.dtypes import (
    bfloat16,
    complex64,
    complex128,
    dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from refgrad.factories import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from refgrad.inplace import TORCH_FUNCTIONS
from refgrad.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from refgrad.ops import for_complex
from refgrad.printing import set_printoptions
from refgrad.public import FUNCTIONS, Public, catalogue, offered, publish_elementwise
from refgrad.queries import get_default_dtype, is_tensor
from refgrad.random import (
    Generator,
    initial_seed,
    manual_seed,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    seed,
)
from refgrad.tensor import Size, Tensor

__all__ = [
    "Generator",
    "Public",
    "Size",
    "Tensor",
    "arange",
    "as_tensor",
    "autograd",
    "bfloat16",
    "catalogue",
    "complex64",
    "complex128",
    "cuda",
    "device",
    "dtype",
    "empty",
    "empty_like",
    "enable_grad",
    "eye",
    "float16",
    "float32",
    "float64",
    "from_numpy",
    "full",
    "full_like",
    "get_default_dtype",
    "inference_mode",
    "initial_seed",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference",
    "is_inference_mode_enabled",
    "is_tensor",
    "linalg",
    "linspace",
    "manual_seed",
    "nn",
    "no_grad",
    "ones",
    "ones_like",
    "optim",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "random",
    "randperm",
    "seed",
    "set_anomaly_enabled",
    "set_grad_enabled",
    "set_printoptions",
    "special",
    "tensor",
    "uint8",
    "zeros",
    "zeros_like",
]

publish_elementwise()
operators.attach()
for_complex.attach()
held.attach()
views.attach_views()
assigning.attach()
queries.attach()
queries.publish_aliases()

# The functions of the catalogue, and dtypes whose names are also Python's.
globals().update({f"{name}_": getattr(Tensor, f"{name}_") for name in TORCH_FUNCTIONS})
globals().update({name: offered(name) for name in FUNCTIONS if name != "getitem" and "." not in name})
globals().update(
    bool=dtypes.bool_,
    int=int32,
    float=float32,
    short=int16,
    long=int64,
    half=float16,
    double=float64,
    cfloat=complex64,
    cdouble=complex128,
)

pi, e, inf, nan = math.pi, math.e, math.inf, math.nan


def is_inference(input: Tensor) -> bool:
    """Whether a tensor was made in inference mode."""
    return input.is_inference()


if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
