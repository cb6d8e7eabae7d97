"""What PyTorch keeps under `torch.autograd`."""

from refgrad import hooks
from refgrad.anomaly import detect_anomaly, set_detect_anomaly
from refgrad.autograd import graph
from refgrad.backward import backward, grad
from refgrad.modes import enable_grad, no_grad, set_grad_enabled

__all__ = [
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "graph",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]

hooks.attach()
