"""What PyTorch keeps under `torch.autograd.gradcheck`."""

from refgrad.gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
