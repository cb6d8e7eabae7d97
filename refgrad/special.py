"""Special functions under PyTorch's names."""

from refgrad.ops import entropies  # noqa: F401 (publish)
from refgrad.public import offered

__all__ = ["entr", "logit", "sinc", "xlogy"]

entr, logit, sinc, xlogy = (offered(name) for name in ("special.entr", "logit", "sinc", "xlogy"))
