"""Optimisers in their plain form, under PyTorch's names."""

from refgrad.optim.adam import Adam
from refgrad.optim.optimizer import Optimizer
from refgrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
