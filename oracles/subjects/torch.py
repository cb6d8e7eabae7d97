"""PyTorch on the CPU."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from oracles.subjects.protocol import NDArray
from oracles.subjects.torchlike import TorchLike


def from_numpy(torch: Any, array: NDArray) -> Any:
    """A tensor over the array's memory; bfloat16 passes through int16, bit for bit and in its layout."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def to_numpy(torch: Any, tensor: Any) -> NDArray:
    """The tensor's elements, whichever dtype they have."""
    tensor = tensor.detach().resolve_neg().clone()  # a second derivative may be a ZeroTensor, without memory
    if tensor._is_zerotensor():  # zeros without memory, which numpy() refuses
        tensor = tensor.clone()
    if tensor.dtype == torch.bfloat16:
        bits: NDArray = tensor.view(torch.int16).numpy()
        return bits.view(ml_dtypes.bfloat16)
    array: NDArray = tensor.numpy()
    return array


subject = TorchLike(
    "torch",
    "torch",
    from_numpy=from_numpy,
    to_numpy=to_numpy,
    prepare=lambda torch: torch.set_num_threads(1),
)
