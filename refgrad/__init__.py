"""The reference engine: PyTorch's autograd on NumPy arrays."""
