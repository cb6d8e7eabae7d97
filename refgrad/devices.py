"""Devices: there is the CPU, and every other is refused as PyTorch's builds without it refuse it."""

import re
from typing import Any

KINDS = ("cpu", "cuda", "mps", "xpu", "meta")


class device:  # noqa: N801 (PyTorch's name)
    """A place where tensors live; prints as `cpu`, as PyTorch prints it."""

    __slots__ = ("index", "type")

    def __init__(self, type: Any, index: int | None = None) -> None:
        said = str(type)  # another device is copied by its text
        if not said:
            raise RuntimeError("Device string must not be empty")
        parts = re.fullmatch(r"([a-z]+)(?::(\d+))?", said)
        if parts is None:
            raise RuntimeError(f"Invalid device string: '{said}'")
        if parts[1] not in KINDS:
            raise RuntimeError(
                "Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, "
                f"vulkan, mps, meta, hpu, mtia, privateuseone device type at start of device string: {parts[1]}"
            )
        self.type: str = parts[1]
        self.index: int | None = index if parts[2] is None else int(parts[2])

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + (")" if self.index is None else f", index={self.index})")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))


CPU = device("cpu")


def check_device(wanted: Any) -> None:
    """Raise unless `wanted` is None or the CPU: AssertionError for CUDA, in PyTorch's words, else RuntimeError."""
    if wanted is None:
        return
    kind = device(wanted).type
    if kind == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled")
    if kind != "cpu":
        raise RuntimeError(f"refgrad's tensors live on the CPU, and there is no device '{wanted}'")
