"""What PyTorch keeps under `torch.autograd`."""

from refgrad import hooks
from refgrad.anomaly import detect_anomaly, set_detect_anomaly
from refgrad.autograd import forward_ad, function, functional, graph
from refgrad.autograd.function import Function
from refgrad.autograd.gradcheck import gradcheck, gradgradcheck
from refgrad.backward import backward, grad
from refgrad.modes import enable_grad, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]

hooks.attach()
