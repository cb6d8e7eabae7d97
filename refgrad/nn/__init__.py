"""What PyTorch keeps under `torch.nn`."""

from refgrad.nn import functional

__all__ = ["functional"]
