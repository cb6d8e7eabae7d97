"""What PyTorch keeps under `torch.autograd.functional`."""

from refgrad.functional import hessian, hvp, jacobian, jvp, vhp, vjp

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
