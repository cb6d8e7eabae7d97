"""What PyTorch keeps under `torch.autograd.function`."""

from refgrad.function import BackwardCFunction, Function, FunctionCtx, once_differentiable

__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "once_differentiable"]
