"""Modules that are a loss function."""

from typing import Any

from refgrad.nn import functional
from refgrad.nn.module import Module


class _Loss(Module):
    """A loss of an input and a target; `reduction` is "mean", "sum" or "none"."""

    function: Any

    def __init__(self, reduction: str = "mean", **settings: Any) -> None:
        super().__init__()
        self.reduction = reduction
        for name, value in settings.items():
            if hasattr(value, "requires_grad"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)
        self._settings = tuple(settings)

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        settings = {name: getattr(self, name) for name in self._settings}
        return type(self).function(input, target, reduction=self.reduction, **settings)


class MSELoss(_Loss):
    """The squared difference."""

    function = staticmethod(functional.mse_loss)


class L1Loss(_Loss):
    """The absolute difference."""

    function = staticmethod(functional.l1_loss)


class BCELoss(_Loss):
    """The binary cross-entropy of probabilities."""

    function = staticmethod(functional.binary_cross_entropy)

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction, weight=weight)


class BCEWithLogitsLoss(_Loss):
    """The binary cross-entropy of the sigmoid of the input."""

    function = staticmethod(functional.binary_cross_entropy_with_logits)

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction, weight=weight, pos_weight=pos_weight)


class NLLLoss(_Loss):
    """Minus the input at the class that the target names."""

    function = staticmethod(functional.nll_loss)

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction, weight=weight, ignore_index=ignore_index)


class CrossEntropyLoss(_Loss):
    """The cross-entropy of the softmax of the input."""

    function = staticmethod(functional.cross_entropy)

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction, weight=weight, ignore_index=ignore_index)
