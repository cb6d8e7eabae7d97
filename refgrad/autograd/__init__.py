"""What PyTorch keeps under `torch.autograd`."""

from refgrad.backward import backward, grad
from refgrad.modes import enable_grad, no_grad, set_grad_enabled

__all__ = ["backward", "enable_grad", "grad", "no_grad", "set_grad_enabled"]
