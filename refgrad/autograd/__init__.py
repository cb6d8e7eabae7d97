"""What PyTorch keeps under `torch.autograd`."""

from refgrad.autograd import forward_ad, function, functional
from refgrad.autograd.function import Function
from refgrad.autograd.gradcheck import gradcheck, gradgradcheck
from refgrad.backward import backward, grad
from refgrad.modes import enable_grad, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "backward",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "no_grad",
    "set_grad_enabled",
]
